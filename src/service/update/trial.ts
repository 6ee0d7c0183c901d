/**
 * A new version is started once before it may touch anything: with a copy of the state, on a free port, without networks. What it
 * does there is thrown away.
 */
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join, relative } from "node:path";

import { type Env, readEnv, setPrefixed } from "../../base/env.ts";
import { AppError } from "../../base/errors.ts";
import { realPathOf } from "../../base/fs.ts";
import { findPaths, type Paths } from "../../base/paths.ts";
import { downgrade } from "../../store/sqlite/rescue/downgrade.ts";
import { quiet, schemaOf, snapshot } from "../../store/sqlite/rescue/snapshot.ts";
import { trialFolder } from "./journal.ts";
import { endOf, READY_MS, waitReady } from "./ready.ts";

/** As store_newer says it. */
const TOO_NEW = /its schema is \d+, this program knows (\d+)/;
/** Not needed for a start, and perhaps big. */
const LEFT_OUT = new Set(["backups", "media", "logs", "workspace", "update", "trash", "sandboxes"]);
/** A file of the state that is bigger is no setting; in bytes. */
const FILE_MAX = 16 * 1024 * 1024;
/** After SIGTERM, in ms. */
const END_MS = 3000;
const LINES = 12;

export type Trial = {
  /** The number of the schema step that it has brought the copy to; 0 without a database. */
  schema: number;
  /** From its start to its readiness, in ms. */
  readyMs: number;
};

export type TrialOptions = {
  candidate: string;
  /** What it has to call itself. */
  version: string;
  env: Env;
  paths: Paths;
  signal: AbortSignal;
};

/** Throws update_failed with what the program said when it does not start, is another version, or is not ready within 10 s. */
export async function tryVersion(options: TrialOptions): Promise<Trial> {
  const { paths, env } = options;
  await checkVersion(options);
  const folder = trialFolder(paths.stateDir);
  rmSync(folder, { recursive: true, force: true });
  try {
    const at = copyState(paths, folder);
    const trialEnv = envFor(env, folder, at.configPath);
    try {
      const readyMs = await start(options, trialEnv);
      return { schema: schemaOf(at.databasePath), readyMs };
    } catch (cause) {
      // An older version says which form of the database it knows; with that it is tried once more.
      const known = cause instanceof AppError && TOO_NEW.exec(cause.message)?.[1];
      if (!known || !downgrade(at.databasePath, Date.now(), Number(known))) throw cause;
    }
    const readyMs = await start(options, trialEnv);
    return { schema: schemaOf(at.databasePath), readyMs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function checkVersion({ candidate, version, env, signal }: TrialOptions): Promise<void> {
  const child = Bun.spawn([candidate, "--version"], {
    env: plain(env.vars),
    stdio: ["ignore", "pipe", "pipe"],
    signal: AbortSignal.any([signal, AbortSignal.timeout(READY_MS)]),
    killSignal: "SIGKILL",
  });
  const [said, why, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  signal.throwIfAborted();
  if (code !== 0)
    throw new AppError(
      "update_failed",
      `clawdbot ${version} does not start here (${child.signalCode ?? `code ${code}`})${why ? `: ${lastLines(why)}` : "."}`,
      {
        hint:
          code === 132 || child.signalCode === "SIGILL"
            ? "Nothing was changed. The processor lacks instructions that the program needs: it needs an x86-64 processor with SSE4.2."
            : "Nothing was changed. Please report it, together with what it said.",
        details: { reason: "does-not-start" },
      },
    );
  if (said.trim() === version) return;
  throw new AppError(
    "update_failed",
    `The file of version ${version} says that it is "${said.trim().split("\n")[0]!.slice(0, 60)}".`,
    {
      hint: "Nothing was changed. The source mixes its versions up: try another one.",
      details: { reason: "wrong-version" },
    },
  );
}

/** The settings and a copy of the database in which nothing waits to be done. */
function copyState(paths: Paths, folder: string): { configPath: string; databasePath: string } {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { stateDir, databasePath } = paths;
  for (const name of existsSync(stateDir) ? readdirSync(stateDir) : []) {
    if (LEFT_OUT.has(name) || /\.sqlite|\.lock|\.sock$|\.tmp$|^workspace-/.test(name)) continue;
    cpSync(join(stateDir, name), join(folder, name), {
      recursive: true,
      dereference: false,
      filter: (path) => {
        const found = lstatSync(path, { throwIfNoEntry: false });
        return !!found && (found.isDirectory() || (found.isFile() && found.size <= FILE_MAX));
      },
    });
  }
  const database = join(folder, basename(databasePath));
  if (snapshot(databasePath, database)) quiet(database, Date.now());
  // Includes are looked for beside the config, so one from elsewhere is read where it is; nothing writes to it at a start.
  const real = realPathOf(paths.configPath);
  const inside = relative(realPathOf(stateDir), real);
  const copied = inside !== "" && !inside.startsWith("..");
  return { configPath: copied ? join(folder, inside) : real, databasePath: database };
}

/** Its own state, and no way out: no channels, and for everything else a proxy that is not there. */
function envFor(env: Env, folder: string, configPath: string): Env {
  const vars = { ...env.vars };
  setPrefixed(vars, "STATE_DIR", folder);
  setPrefixed(vars, "CONFIG_PATH", configPath);
  setPrefixed(vars, "WORKSPACE_DIR", join(folder, "workspace"));
  setPrefixed(vars, "SKIP_CHANNELS", "1");
  setPrefixed(vars, "UPDATE_TRIAL", "1");
  setPrefixed(vars, "SERVICE_MARKER", "");
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"])
    vars[name] = "http://127.0.0.1:9";
  for (const name of ["NO_PROXY", "no_proxy", "NOTIFY_SOCKET"]) delete vars[name];
  return readEnv(vars);
}

const WORDS = ["gateway", "--port", "0", "--bind", "loopback", "--tailscale", "off"];

async function start({ candidate, version, signal }: TrialOptions, env: Env): Promise<number> {
  const began = performance.now();
  const paths = findPaths(env);
  const child = Bun.spawn([candidate, ...WORDS, "--allow-unconfigured"], {
    cwd: paths.stateDir,
    env: plain(env.vars),
    // It ends when this pipe does: also when this process is killed.
    stdio: ["pipe", "pipe", "pipe"],
  });
  const said = Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]).then((texts) => texts.join(""));
  try {
    const result = await waitReady({
      paths,
      isIt: ({ pid }) => pid === child.pid,
      over: () => endOf(child),
      signal,
    });
    if (result.ready) return performance.now() - began;
    await end(child);
    throw new AppError(
      "update_failed",
      `clawdbot ${version} was tried with a copy of your state, and ${result.why}.${shown(await said)}`,
      {
        hint: "Nothing was changed; the present version goes on. Please report it, together with these lines.",
        details: { reason: "not-ready" },
      },
    );
  } finally {
    await end(child);
  }
}

type Child = Bun.Subprocess<"pipe", "pipe", "pipe">;

/** As a supervisor would; what does not listen is killed. Nothing in there is worth keeping. */
async function end(child: Child): Promise<void> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), END_MS);
  await child.exited;
  clearTimeout(timer);
}

const lastLines = (text: string): string =>
  text.trim().split("\n").slice(-LINES).join("\n").slice(-2000);
const shown = (text: string): string =>
  text.trim() === "" ? "" : `\nIts last lines:\n  ${lastLines(text).replaceAll("\n", "\n  ")}`;

const plain = (vars: Env["vars"]): Record<string, string> =>
  Object.fromEntries(
    Object.entries(vars).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );

/** Bytes that a trial writes at most, for the look at the disk before it. */
export function trialBytes({ databasePath }: Pick<Paths, "databasePath">): number {
  const size = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
  // A migration may write every page once more.
  return 2 * (size(databasePath) + size(`${databasePath}-wal`)) + 4 * FILE_MAX;
}

/** Takes away what a killed trial left. */
export const removeTrial = (stateDir: string): void =>
  rmSync(trialFolder(stateDir), { recursive: true, force: true });
