/** The gateway's side of an update, for `gateway`: the log and the words that go with service/update/guard.ts. */
import { secretsOf } from "../../base/env.ts";
import { createLogging } from "../../base/logging.ts";
import { createRedactor } from "../../base/redact.ts";
import type { Config } from "../../config/schema.ts";
import { handOver } from "../../service/update/guard.ts";
import type { Cli } from "../command.ts";

/** Lets the new program take over, with a log of its own: that of the instance is closed. */
export async function loggedHandOver(
  { env, paths }: Pick<Cli, "env" | "paths">,
  words: string[],
  { file, maxFileBytes: maxBytes }: Config["logging"],
  signal: AbortSignal,
): Promise<"again" | "stopped" | "ready"> {
  const logging = createLogging({
    dir: paths.logDir,
    redact: createRedactor(secretsOf(env)),
    colour: false,
  });
  try {
    await logging.redirect({ file, maxBytes });
    return await handOver({ words, env, paths, log: logging.logger("update"), signal });
  } finally {
    await logging.close();
  }
}
