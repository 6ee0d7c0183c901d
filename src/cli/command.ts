/**
 * The door through which every command is defined: what it is called, what it takes, and what it does.
 * Parsing, unknown flags, help and errors are done once, in invoke.ts and help.ts.
 */
import type { CommandDef } from "citty";
import { defineCommand } from "citty";

import type { Env } from "../base/env.ts";
import type { Paths } from "../base/paths.ts";
import type { Out } from "./out.ts";

/** What every command gets besides its arguments. */
export type Cli = {
  /** The name that the program was called by, for lines that a person can copy. */
  name: string;
  /** `--profile work` when one is active, to put into such lines. */
  profileFlag: string;
  env: Env;
  paths: Paths;
  out: Out;
};

type Common = { description: string; alias?: string };
/** One argument. `hint` is the placeholder of the value in the help: `--port <n>`. */
export type ArgSpec =
  | (Common & { type: "boolean"; default?: boolean })
  | (Common & { type: "string"; hint: string; default?: string })
  /** May be given several times; its value is a list. */
  | (Common & { type: "list"; hint: string })
  | (Common & { type: "enum"; options: readonly string[]; default?: string })
  | (Common & { type: "positional"; required: boolean; rest?: boolean });
export type ArgSpecs = Record<string, ArgSpec>;

type ArgValue<S> = S extends { type: "boolean" }
  ? boolean
  : S extends { type: "list" }
    ? string[]
    : S extends { type: "enum"; options: readonly (infer O)[] }
      ? S extends { default: string }
        ? O
        : O | undefined
      : S extends { default: string } | { required: true }
        ? string
        : string | undefined;
/** The parsed arguments by name; `_` has all positional ones. */
export type ArgValues<A extends ArgSpecs> = { [K in keyof A]: ArgValue<A[K]> } & { _: string[] };

export type Command = {
  /** One sentence, as in the list of commands. */
  doc: string;
  args: ArgSpecs;
  /** Command lines without the program's name, each with what it does. */
  examples: [line: string, what: string][];
  /** More for the help, below the options. */
  notes?: string;
  /** Words that it does not know are passed over, because published guides use some that never had an effect. */
  lenient?: true;
  citty: CommandDef;
};

/** A row of the table of commands: nothing of the command is loaded before it is called. */
export type CommandRow = {
  /** One sentence for the list of commands. */
  doc: string;
  load(): Promise<Command>;
};

/** The parser takes every `no-` for a negation, so a flag that is called so has another name on the way through it. */
export const parserName = (name: string): string => name.replace(/^no-/, "without-");

/** Between the values of a flag that was given several times, on their way through the parser; no argument can hold it. */
export const LIST_MARK = "\u0000";

const SHARED = {
  json: { type: "boolean", description: "Print JSON only." },
} as const satisfies ArgSpecs;

/** @returns what `run` resolves to is the exit code; nothing means 0. It throws AppError for everything that goes wrong. */
export function command<const A extends ArgSpecs>(def: {
  doc: string;
  args: A;
  examples: [line: string, what: string][];
  notes?: string;
  /** See Command. Only for those that the original dispatched before its parser. */
  lenient?: true;
  /** False for a command without a result of its own. */
  json?: false;
  run(args: ArgValues<A & typeof SHARED>, cli: Cli): Promise<number | void>;
}): Command {
  const args: ArgSpecs = { ...def.args, ...(def.json !== false && SHARED) };
  const citty = defineCommand({
    args: Object.fromEntries(
      Object.entries(args).map(([name, spec]) => [
        parserName(name),
        spec.type === "enum" || spec.type === "list"
          ? {
              type: "string",
              ...(spec.alias && { alias: spec.alias }),
              default: "default" in spec ? spec.default : undefined,
            }
          : { ...spec, ...(spec.type === "boolean" && { default: spec.default ?? false }) },
      ]),
    ) as CommandDef["args"] & object,
    // The dispatcher has checked every argument against `args` before this is called.
    run: (context) => {
      const named = Object.entries(args).map(([name, { type }]) => {
        const value: unknown = context.args[parserName(name)];
        const list = typeof value === "string" ? value.split(LIST_MARK) : [];
        return [name, type === "list" ? list : value];
      });
      const values = { ...Object.fromEntries(named), _: context.args._ };
      return def.run(values as ArgValues<A & typeof SHARED>, context.data as Cli);
    },
  });
  const { doc, examples, notes, lenient } = def;
  return { doc, args, examples, ...(notes && { notes }), ...(lenient && { lenient }), citty };
}

/** How a command finds the gateway; see rpc.ts. */
export const GATEWAY_ARGS = {
  url: {
    type: "string",
    hint: "ws-url",
    description: "Gateway to talk to, instead of the local one.",
  },
  port: { type: "string", hint: "n", description: "Port of the gateway on this machine." },
  token: { type: "string", hint: "token", description: "Gateway token." },
  password: { type: "string", hint: "password", description: "Gateway password." },
  timeout: { type: "string", hint: "ms", default: "10000", description: "Longest wait." },
} as const satisfies ArgSpecs;

/** The same command under another path, which its examples then show. */
export const underName = (made: Command, from: string, to: string): Command => ({
  ...made,
  examples: made.examples.map(([line, what]) => [line.replace(from, to), what]),
});
