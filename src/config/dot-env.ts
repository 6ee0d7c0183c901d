/** Keeps a secret in `<state>/.env`: the place for keys that neither the config nor a service file should hold. */
import { join } from "node:path";
import { parseEnv } from "node:util";

import { AppError, errnoOf } from "../base/errors.ts";
import { atomicWrite, ensureDir, readTextIfThere } from "../base/fs.ts";

/** What can stand there without quotes, so that every reader of such files means the same. Covers all vendors' keys. */
const PLAIN = /^[\w.\-+/=:~@%!]+$/;

/** Throws usage for a value with characters that no key has, and that readers of such files take differently. */
export function checkPlain(name: string, value: string): void {
  if (PLAIN.test(value) && value.length <= 4096) return;
  throw new AppError("usage", `The value for ${name} has characters that no key has.`, {
    hint: "Copy it again, without spaces, quotes or line ends.",
  });
}

/**
 * Sets one variable; every other line stays as it is. The file is 0600. @returns its path
 * Throws as checkPlain does, and store_failed when it cannot be written.
 */
export async function setDotEnv(stateDir: string, name: string, value: string): Promise<string> {
  checkPlain(name, value);
  const path = join(stateDir, ".env");
  return changing(path, async () => {
    await ensureDir(stateDir);
    const before = await readTextIfThere(path);
    if (parseEnv(before)[name] === value) return path;
    const rest = without(before, name);
    const end = rest === "" || rest.endsWith("\n") ? "" : "\n";
    await atomicWrite(path, `${rest}${end}${name}=${value}\n`, { mode: 0o600 });
    return path;
  });
}

/** Takes one variable out; every other line stays as it is. Undefined when it is not in the file, else the file's path. */
export async function dropDotEnv(stateDir: string, name: string): Promise<string | undefined> {
  const path = join(stateDir, ".env");
  return changing(path, async () => {
    const before = await readTextIfThere(path);
    if (parseEnv(before)[name] === undefined) return undefined;
    await atomicWrite(path, without(before, name), { mode: 0o600 });
    return path;
  });
}

const without = (text: string, name: string): string =>
  text.replace(new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=.*(?:\\r?\\n|$)`, "gm"), "");

async function changing<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    const code = errnoOf(cause) ?? "";
    if (!["EACCES", "EPERM", "EROFS", "EISDIR"].includes(code)) throw cause;
    throw new AppError("store_failed", `${path} cannot be written (${code}).`, { cause });
  }
}
