/** /think, /verbose and /reasoning: how much is thought and shown. A message behind the level goes on to the agent. */
import { z } from "zod";

import type { Thinking } from "../../flow.ts";
import type { SessionRow } from "../../store/store.ts";
import { type Answer, command, type CommandContext } from "./command.ts";

const THINKING = ["off", "minimal", "low", "medium", "high", "xhigh"] as const;
/** Takes the conversation's own level away. */
const DEFAULT = "default";

const message = z.string().optional().describe("Goes on to the agent, with the new level.");

type Setting = "thinkingLevel" | "verboseLevel" | "reasoningLevel";

async function level<K extends Setting>(
  { key, word, choices }: { key: K; word: string; choices: readonly string[] },
  chosen: string | undefined,
  message: string | undefined,
  byDefault: string,
  ctx: CommandContext,
): Promise<Answer> {
  if (chosen === undefined) {
    const own = (await ctx.session())?.settings[key];
    return {
      text: `${word}: ${own ?? byDefault}${own ? "" : " (default)"}. Choose ${choices.join(", ")}.`,
    };
  }
  const value = chosen === DEFAULT ? null : (chosen as NonNullable<SessionRow["settings"][K]>);
  await ctx.change({ [key]: value });
  if (message) return { continue: true, text: message };
  return { text: `${word}: ${value ?? `${byDefault} (default)`}` };
}

/** What is used where neither the conversation nor the config says a level; as agent/conversation.ts does. */
async function thinkingByDefault(ctx: CommandContext): Promise<Thinking> {
  if (ctx.set.thinkingDefault) return ctx.set.thinkingDefault;
  const row = await ctx.session();
  const ref = row?.settings.model ?? (await ctx.models.defaultRef(ctx.caller.agentId));
  const info = (await ctx.models.list()).find((model) => model.ref === ref);
  return info && !info.reasoning ? "off" : "low";
}

/** The level in force, for /status. */
export const thinkingNow = async (ctx: CommandContext): Promise<Thinking> =>
  (await ctx.session())?.settings.thinkingLevel ?? (await thinkingByDefault(ctx));

export const think = command({
  name: "think",
  aliases: ["thinking", "t"],
  doc: "How much the model thinks before it answers.",
  args: z.object({
    level: z
      .enum([...THINKING, DEFAULT])
      .optional()
      .describe("Level; none shows the present one."),
    message,
  }),
  spellings: {
    on: "low",
    think: "minimal",
    min: "minimal",
    thinkhard: "low",
    mid: "medium",
    med: "medium",
    harder: "medium",
    adaptive: "medium",
    ultra: "high",
    ultrathink: "high",
    max: "high",
    highest: "high",
    inherit: DEFAULT,
  },
  access: "allowed",
  async run(args, ctx) {
    const of = { key: "thinkingLevel", word: "Thinking", choices: THINKING } as const;
    return level(of, args.level, args.message, await thinkingByDefault(ctx), ctx);
  },
});

export const verbose = command({
  name: "verbose",
  aliases: ["v"],
  doc: "Whether tool calls are shown.",
  args: z.object({
    level: z
      .enum(["on", "off", "full", DEFAULT])
      .optional()
      .describe("full: also what the tools answer."),
    message,
  }),
  spellings: { inherit: DEFAULT },
  access: "allowed",
  async run(args, ctx) {
    const of = { key: "verboseLevel", word: "Tool calls", choices: ["on", "off", "full"] } as const;
    return level(of, args.level, args.message, ctx.set.verboseDefault, ctx);
  },
});

export const reasoning = command({
  name: "reasoning",
  aliases: ["reason"],
  doc: "Whether the model's thoughts are shown.",
  args: z.object({
    level: z
      .enum(["on", "off", "stream", DEFAULT])
      .optional()
      .describe("stream: only while it thinks, where the channel can."),
    message,
  }),
  spellings: { inherit: DEFAULT },
  access: "allowed",
  async run(args, ctx) {
    const of = {
      key: "reasoningLevel",
      word: "Thoughts",
      choices: ["on", "off", "stream"],
    } as const;
    return level(of, args.level, args.message, "off", ctx);
  },
});
