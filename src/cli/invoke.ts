/** Runs one command: finds its place, checks its words, and calls it. Everything that goes wrong is thrown. */
import { runCommand } from "citty";

import type { Env } from "../base/env.ts";
import { AppError } from "../base/errors.ts";
import { findPaths } from "../base/paths.ts";
import { readWords } from "./arguments.ts";
import type { ArgSpecs, Cli } from "./command.ts";
import { COMMANDS, commandsBelow } from "./commands.ts";
import { showCommandHelp } from "./help.ts";
import { type Out, safeText } from "./out.ts";

export type Invocation = {
  name: string;
  /** Of the command, as in COMMANDS. */
  path: string;
  /** What follows the path. */
  words: string[];
  profile: string | undefined;
  env: Env;
  out: Out;
};

/** @returns the exit code */
export async function invoke(invocation: Invocation): Promise<number> {
  const { name, path, words, profile, env, out } = invocation;
  const command = await COMMANDS[path]!.load();
  if (asksForHelp(words)) {
    showCommandHelp(out, name, path, command, commandsBelow(path));
    return 0;
  }
  const unknown: string[] = [];
  const passOver = command.lenient && ((word: string) => void unknown.push(word));
  const canonical = wordsOf(invocation, command.args, passOver);
  if (unknown.length > 0)
    out.note(safeText(`${path} does not know ${unknown.join(" ")}, and goes on without.`));
  for (const warning of env.warnings) out.note(warning);
  const cli: Cli = {
    name,
    profileFlag: profile ? ` --profile ${profile}` : "",
    env,
    paths: findPaths(env),
    out,
  };
  const { result } = await runCommand(command.citty, { rawArgs: canonical, data: cli });
  return typeof result === "number" ? result : 0;
}

/** What is wrong with the words is said together with where the right ones are. */
function wordsOf(
  { name, path, words }: Invocation,
  specs: ArgSpecs,
  passOver: ((word: string) => void) | undefined,
): string[] {
  try {
    return readWords(words, specs, passOver);
  } catch (cause) {
    if (!(cause instanceof AppError) || cause.hint) throw cause;
    throw new AppError(cause.code, cause.message, { hint: `To see how: ${name} ${path} --help` });
  }
}

function asksForHelp(words: string[]): boolean {
  const end = words.indexOf("--");
  return (end < 0 ? words : words.slice(0, end)).some((word) => word === "--help" || word === "-h");
}
