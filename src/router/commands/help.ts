/** /help and /commands: what can be typed here. */
import { z } from "zod";

import { usageOf } from "./arguments.ts";
import { type AnyCommand, command } from "./command.ts";

const PAGE = 8;

const line = (each: AnyCommand): string => {
  const others = each.aliases?.length
    ? ` (also ${each.aliases.map((a) => `/${a}`).join(", ")})`
    : "";
  return `- \`${usageOf(each)}\` ${each.doc}${others}`;
};

export const help = command({
  name: "help",
  doc: "What you can type here.",
  args: z.object({}),
  access: "allowed",
  async run(_, { listed }) {
    const lines = listed.map((each) => `- \`/${each.name}\` ${each.doc}`);
    return {
      text: [
        "Just write what you want. These are answered at once, even while I work:",
        "",
        ...lines,
        "",
        "`/commands` shows what goes behind each.",
      ].join("\n"),
    };
  },
});

export const commands = command({
  name: "commands",
  doc: "All commands with what goes behind them.",
  args: z.object({
    page: z
      .string()
      .regex(/^\d{1,3}$/)
      .optional()
      .describe("Page, from 1."),
  }),
  access: "allowed",
  async run({ page = "1" }, { listed }) {
    const pages = Math.max(1, Math.ceil(listed.length / PAGE));
    const at = Math.min(Math.max(1, Number(page)), pages);
    const next = at < pages ? ["", `\`/commands ${at + 1}\` goes on.`] : [];
    return {
      text: [
        `Commands, page ${at} of ${pages}:`,
        "",
        ...listed.slice((at - 1) * PAGE, at * PAGE).map(line),
        ...next,
      ].join("\n"),
    };
  },
});
