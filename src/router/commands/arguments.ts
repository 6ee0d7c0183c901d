/** The words behind a command's name: read by the command's own description of them, and described for people and menus. */
import { z } from "zod";

import type { CommandInfo } from "../../channels/action.ts";
import type { AnyCommand } from "./command.ts";

export type Parameter = {
  name: string;
  doc: string;
  choices?: string[];
  required: boolean;
  /** Takes all that is left of the text. */
  rest: boolean;
};

/** A command's parameters in the order in which they are written. */
export function parametersOf({ args }: Pick<AnyCommand, "args">): Parameter[] {
  const fields = Object.entries(args.shape as Record<string, z.ZodType>);
  return fields.map(([name, field], i) => {
    const inner = inside(field);
    return {
      name,
      doc: field.description ?? inner.description ?? "",
      required: !field.safeParse(undefined).success,
      rest: i === fields.length - 1 && inner instanceof z.ZodString,
      ...(inner instanceof z.ZodEnum && { choices: inner.options.map(String) }),
    };
  });
}

function inside(field: z.ZodType): z.ZodType {
  if (field instanceof z.ZodOptional || field instanceof z.ZodDefault)
    return inside(field.unwrap() as z.ZodType);
  return field;
}

/** `/think [off|low|high] [message]` */
export function usageOf(of: Pick<AnyCommand, "name" | "args">): string {
  const words = parametersOf(of).map(({ name, choices, required }) => {
    const inner = choices?.join("|") ?? name;
    return required ? `<${inner}>` : `[${inner}]`;
  });
  return [`/${of.name}`, ...words].join(" ");
}

/** A text as arguments, or what is wrong with it in one sentence. */
export function readArguments(
  of: AnyCommand,
  text: string,
): { args: Record<string, unknown> } | { problem: string } {
  const given: Record<string, unknown> = {};
  let left = text.trim();
  for (const [i, { name, rest, choices }] of parametersOf(of).entries()) {
    if (!left) break;
    const word = rest ? left : /^\S+/.exec(left)![0];
    left = left.slice(word.length).trim();
    given[name] = choices ? choiceOf(word, choices, i === 0 ? of.spellings : undefined) : word;
  }
  if (left) return { problem: `\`${shown(left)}\` is too much.` };
  const parsed = of.args.safeParse(given);
  if (parsed.success) return { args: parsed.data };
  const name = String(parsed.error.issues[0]?.path[0] ?? "");
  return {
    problem:
      given[name] === undefined
        ? `${name} is missing.`
        : `\`${shown(String(given[name]))}\` is not understood.`,
  };
}

function choiceOf(
  word: string,
  choices: readonly string[],
  spellings: AnyCommand["spellings"] = {},
): string {
  const lower = word.toLowerCase();
  if (choices.includes(lower)) return lower;
  return Object.hasOwn(spellings, lower) ? spellings[lower]! : word;
}

/** What a person wrote, fit for a line of an answer. */
export const shown = (text: string): string => {
  const line = text.replace(/\s+/g, " ").replaceAll("`", "'");
  return line.length <= 60 ? line : `${line.slice(0, 59)}…`;
};

/** The same for a platform's menu. */
export const menuEntry = (of: AnyCommand): CommandInfo => ({
  name: of.name,
  description: of.doc,
  args: parametersOf(of).map(({ name, doc, required, choices }) => ({
    name,
    description: doc,
    required,
    ...(choices && { choices }),
  })),
});
