/**
 * What can stand at the cursor of a command line. The shells' scripts ask this at every press of Tab, so it loads one command at most, and
 * it can never say anything else than the table of commands does.
 */
import type { ArgSpec, ArgSpecs, Command } from "../command.ts";
import { COMMANDS, commandsBelow, pathIn } from "../commands.ts";

/** One possible word, and what it is for. */
export type Candidate = { word: string; doc: string };

const GLOBAL: Candidate[] = [
  { word: "--profile", doc: "Use a separate state folder and config." },
  { word: "--dev", doc: "The profile `dev`." },
  { word: "--no-color", doc: "No colours." },
  { word: "--version", doc: "Print the version." },
  { word: "--help", doc: "Print help." },
];

/**
 * @param words all words after the program's name up to the cursor; the last one is being typed and may be empty
 * @returns those that begin with it, in the order of the help
 */
export async function complete(words: readonly string[]): Promise<Candidate[]> {
  const typed = words.at(-1) ?? "";
  const before = withoutGlobals(words.slice(0, -1));
  if (!before) return [];
  const fits = (all: Candidate[]) => all.filter(({ word }) => word.startsWith(typed));
  const asked = before[0] === "help" ? before.slice(1) : before;
  const path = pathIn(asked);
  const rest = asked.slice(path === "" ? 0 : path.split(" ").length);
  if (path === "") {
    // An unknown command has no flags.
    if (rest.length > 0) return [];
    return fits(typed.startsWith("-") ? GLOBAL : [...subcommands(path), HELP]);
  }
  if (rest.includes("--")) return [];
  const command = await COMMANDS[path]!.load();
  const last = rest.at(-1);
  const spec = last === undefined ? undefined : flagNamed(command.args, last);
  if (spec && spec.type !== "boolean" && !last!.includes("="))
    return fits(spec.type === "enum" ? spec.options.map((word) => ({ word, doc: "" })) : []);
  if (typed.startsWith("-")) return fits(flags(command, rest));
  return fits(rest.length === 0 ? subcommands(path) : []);
}

const HELP: Candidate = { word: "help", doc: "Print help." };

/** Undefined when the value of a global flag is being typed. */
function withoutGlobals(words: readonly string[]): string[] | undefined {
  const left: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === "--profile") {
      if (i + 1 === words.length) return undefined;
      i++;
    } else if (!/^--(?:dev|no-color|profile=.*)$/.test(word) || left.length > 0) left.push(word);
  }
  return left;
}

function subcommands(path: string): Candidate[] {
  const depth = path === "" ? 0 : path.split(" ").length;
  return Object.entries(commandsBelow(path)).flatMap(([each, { doc }]) => {
    const names = each.split(" ");
    return names.length === depth + 1 ? [{ word: names[depth]!, doc }] : [];
  });
}

function flagNamed(args: ArgSpecs, word: string): ArgSpec | undefined {
  if (!word.startsWith("-")) return undefined;
  const name = word.replace(/^--?/, "").replace(/=.*$/, "");
  if (word.startsWith("--")) return Object.hasOwn(args, name) ? args[name] : undefined;
  return Object.values(args).find((spec) => "alias" in spec && spec.alias === name);
}

/** Those that are not there yet, or may be given several times. */
function flags({ args }: Command, rest: readonly string[]): Candidate[] {
  const given = new Set(rest.map((word) => word.replace(/=.*$/, "")));
  const own = Object.entries(args).flatMap(([name, spec]): Candidate[] => {
    if (spec.type === "positional") return [];
    const on = spec.type === "boolean" && spec.default === true;
    const word = on ? `--no-${name}` : `--${name}`;
    return given.has(word) && spec.type !== "list" ? [] : [{ word, doc: spec.description }];
  });
  return [...own, { word: "--help", doc: "Print this help." }];
}
