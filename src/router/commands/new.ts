/** /new and /reset: another conversation in the same chat. */
import { z } from "zod";

import { resolveAlias } from "../../providers/refs.ts";
import { type Answer, command, type CommandContext } from "./command.ts";

const args = z.object({
  text: z.string().optional().describe("The first message of the new conversation."),
});

/** What was running belongs to the old conversation, and its answer would come into the new one. */
async function begin(ctx: CommandContext, model?: string): Promise<void> {
  const { caller, runs, sessions, now } = ctx;
  await runs.stop(caller.sessionKey);
  await sessions.reset(caller.sessionKey, caller.agentId, now());
  if (model) await ctx.change({ model: await modelSetting(ctx, model) });
}

/** A setting that names the default would hold on to it when the default changes. */
export const modelSetting = async (ctx: CommandContext, ref: string): Promise<string | null> =>
  ref === (await ctx.models.defaultRef(ctx.caller.agentId)) ? null : ref;

/** The model that a word plainly is: its ref, id or short name. Nothing like it will do, because a sentence may begin with the word. */
async function modelNamed(word: string, { models }: CommandContext): Promise<string | undefined> {
  const wanted = word.toLowerCase();
  const exact = (await models.list()).find(
    ({ ref, id }) => ref.toLowerCase() === wanted || id.toLowerCase() === wanted,
  );
  if (exact) return exact.ref;
  return resolveAlias(word, models.known()) ? (await models.find(word)).ref : undefined;
}

async function answer(ctx: CommandContext, text: string | undefined): Promise<Answer> {
  if (text) return { continue: true, text };
  const row = await ctx.session();
  const model = row?.settings.model ?? (await ctx.models.defaultRef(ctx.caller.agentId));
  return { text: `A new conversation. Model: \`${model}\`` };
}

export const newConversation = command({
  name: "new",
  doc: "Begins a new conversation; with text it begins with that.",
  args: z.object({
    text: z
      .string()
      .optional()
      .describe("A model's name, the first message of the new conversation, or both."),
  }),
  access: "allowed",
  async run({ text = "" }, ctx) {
    const [, word = "", rest = ""] = /^(\S*)\s*([\s\S]*)$/.exec(text)!;
    const model = word ? await modelNamed(word, ctx) : undefined;
    await begin(ctx, model);
    return answer(ctx, model ? rest : text);
  },
});

export const reset = command({
  name: "reset",
  doc: "The same as /new, without a model's name.",
  args,
  access: "allowed",
  async run({ text }, ctx) {
    await begin(ctx);
    return answer(ctx, text);
  },
});
