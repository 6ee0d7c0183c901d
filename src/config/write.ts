/** Puts a new text of the config on the disk: checked, with backups, and only over the text it was made from. */
import { chmod, copyFile, rename } from "node:fs/promises";
import { dirname } from "node:path";

import type { Env } from "../base/env.ts";
import { AppError, errnoOf } from "../base/errors.ts";
import { atomicWrite, ensureDir, giveToOwner, realPathOf, writeCommand } from "../base/fs.ts";
import type { Logger } from "../base/log.ts";
import { refuseInNixMode } from "../base/nix.ts";
import type { Paths } from "../base/paths.ts";
import { hashOf, loadConfig, type Loaded, type LoadOptions } from "./load.ts";
import { isRecord, valueAt } from "./path.ts";
import { configInvalid, type Problem } from "./problem.ts";
import { readSource } from "./source.ts";

/** Copies kept beside the config: `.bak` is the newest, `.bak.4` the oldest. */
const BACKUPS = ["bak", "bak.1", "bak.2", "bak.3", "bak.4"];

export type WriteOptions = {
  env: Env;
  paths: Paths;
  /** An unset variable is an error; see LoadOptions. */
  strictVariables?: boolean;
  /** What the text was made from. */
  base: Loaded;
  text: string;
  /** The text replaces the whole file, so a loss of half of it is suspicious. */
  whole?: boolean;
  /** Write although the guard would refuse. */
  force?: boolean;
};

/**
 * Writes and gives the config as it is then. Throws forbidden (Nix mode), config_invalid (the text would not work), config_conflict
 * (the file has changed since `base` was read, or most of it would be lost), store_failed (it cannot be written).
 */
export async function writeConfig({
  env,
  paths,
  strictVariables = false,
  base,
  text,
  whole = false,
  force = false,
}: WriteOptions): Promise<Loaded> {
  refuseInNixMode(base.env, "config");
  const next = await loadConfig({ env, paths, text, strictVariables });
  refuseWorse(base, next);
  if (whole && !force) refuseClobber(base, next, text);
  try {
    await ensureDir(dirname(paths.configPath), 0o700);
    await expectUnchanged(paths.configPath, base.hash);
    if (base.exists) await rotate(realPathOf(paths.configPath));
    await expectUnchanged(paths.configPath, base.hash);
    await atomicWrite(paths.configPath, text, { mode: 0o600 });
  } catch (cause) {
    const code = errnoOf(cause);
    if (code !== "EACCES" && code !== "EPERM" && code !== "EROFS") throw cause;
    throw new AppError("store_failed", `${paths.configPath} cannot be written.`, {
      hint:
        code === "EROFS"
          ? "It is on a read-only file system: set CLAWDBOT_CONFIG_PATH to a file elsewhere."
          : `Make the folder writable for the user of this program: ${writeCommand(dirname(paths.configPath))}`,
      cause,
    });
  }
  return next;
}

/** A config that works must go on working; one that does not may be mended step by step, but not made worse. */
function refuseWorse(base: Loaded, next: Loaded): void {
  const key = ({ path, message }: Problem) => `${path}\0${message}`;
  const known = new Set(base.errors.map(key));
  const fresh = next.root ? next.errors.filter((error) => !known.has(key(error))) : next.errors;
  if (fresh.length > 0) {
    const fix = fresh[0]!.hint ? undefined : "Give another value.";
    throw configInvalid(next.path, fresh, { lead: "Nothing was changed.", fix });
  }
}

function refuseClobber(base: Loaded, next: Loaded, text: string): void {
  if (base.raw === null) return;
  const lost = ["gateway.mode", "meta"].filter(
    (path) =>
      valueAt(base.parsed, path.split(".")) !== undefined &&
      valueAt(next.parsed, path.split(".")) === undefined,
  );
  const keys = (value: unknown) => (isRecord(value) ? Object.keys(value).length : 0);
  const shrunk = text.length * 2 < base.raw.length && keys(next.parsed) < keys(base.parsed);
  if (lost.length === 0 && !shrunk) return;
  throw new AppError(
    "config_conflict",
    lost.length > 0
      ? `The new config leaves out ${lost.join(" and ")}, which the present one has.`
      : "The new config is less than half of the present one.",
    { hint: "Write it with force when that is meant." },
  );
}

async function expectUnchanged(path: string, hash: string): Promise<void> {
  const read = await readSource(path);
  const now = "bytes" in read && read.bytes ? hashOf(read.bytes) : "";
  if (now !== hash)
    throw new AppError("config_conflict", `${path} was changed by somebody else in the meantime.`);
}

/** Moves every backup one place down and copies the present file to the first. */
async function rotate(path: string): Promise<void> {
  for (let i = BACKUPS.length - 1; i > 0; i--)
    try {
      await rename(`${path}.${BACKUPS[i - 1]}`, `${path}.${BACKUPS[i]}`);
    } catch (cause) {
      // There are not that many backups yet.
      if (errnoOf(cause) !== "ENOENT") throw cause;
    }
  await copyFile(path, `${path}.${BACKUPS[0]}`);
  await chmod(`${path}.${BACKUPS[0]}`, 0o600);
  await giveToOwner(`${path}.${BACKUPS[0]}`, path);
}

/** No secret and no default stands in it, so it hides nothing that a variable or a later version says. */
const FIRST = '{\n  "gateway": {\n    "mode": "local"\n  }\n}\n';

/** Reads the config; with `make` one that is missing is written first, where that is possible. Never in Nix mode. */
export async function loadOrMake(
  options: LoadOptions & { make?: boolean; log: Logger },
): Promise<Loaded> {
  const { env, paths, log, make = false } = options;
  const loaded = await loadConfig(options);
  if (!make || loaded.exists || loaded.env.nixMode) return loaded;
  const file = paths.configPath;
  try {
    const made = await writeConfig({ env, paths, base: loaded, text: FIRST });
    log.info("a first config was made; change it there, or with `clawdbot config set`", { file });
    return made;
  } catch (cause) {
    // A person was quicker, or the place cannot be written: both are fine without our file.
    const known =
      cause instanceof AppError && /^(?:store_failed|config_conflict)$/.test(cause.code);
    if (!known && errnoOf(cause) === undefined) throw cause;
    log.warn("no first config could be made; going on without one", { file });
    return loadConfig(options);
  }
}
