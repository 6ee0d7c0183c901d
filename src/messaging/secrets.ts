/** Tokens that do not stand in the config but in a file that it names: the rest of the program has to know them too, to mask them. */
import { readFileSync } from "node:fs";

import { errnoOf } from "../base/errors.ts";
import { expandHome } from "../base/paths.ts";
import { isRecord } from "../config/path.ts";

const TOKEN_FILE = "tokenFile";

/** What stands in the token files of the channels' sections. A file that cannot be read has no secret for us. */
export function fileSecrets(channels: unknown, home: string): string[] {
  if (!isRecord(channels)) return [];
  return Object.entries(channels).flatMap(([key, value]) => {
    if (key !== TOKEN_FILE) return fileSecrets(value, home);
    const secret = typeof value === "string" && value.trim() ? read(expandHome(value, home)) : "";
    return secret ? [secret] : [];
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    // The channel says what is wrong with it.
    if (!errnoOf(cause)) throw cause;
    return "";
  }
}
