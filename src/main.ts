/** The program: words in, exit code out. */
import { readEnv } from "./base/env.ts";
import { runCli } from "./cli/run.ts";

process.exit(await runCli([process.argv0, ...process.argv.slice(2)], readEnv()));
