/** /model and /models: who answers in this conversation. */
import { z } from "zod";

import { AppError } from "../../base/errors.ts";
import type { ModelInfo } from "../../providers/provider.ts";
import { shown } from "./arguments.ts";
import { type Answer, command, type CommandContext } from "./command.ts";
import { modelSetting } from "./new.ts";

/** Names are at most this many words: `sonnet 4.5`. */
const NAME_WORDS = 3;
const LISTED = 10;
const PAGE = 30;

const count = (tokens: number): string =>
  tokens >= 1000 ? `${Math.round(tokens / 1000)}k` : `${tokens}`;

/** The longest beginning of the text that names a model, and what follows it. Throws what `find` says of the first word. */
async function split(
  text: string,
  ctx: CommandContext,
): Promise<{ info: ModelInfo; rest: string }> {
  const words = text.split(/\s+/);
  let problem: unknown;
  for (let n = Math.min(NAME_WORDS, words.length); n >= 1; n--)
    try {
      const info = await ctx.models.find(words.slice(0, n).join(" "));
      const rest = text.replace(new RegExp(`^(?:\\S+\\s*){${n}}`), "");
      return { info, rest };
    } catch (cause) {
      // Not a name: a shorter beginning may be one.
      if (!(cause instanceof AppError) || cause.code !== "bad_request") throw cause;
      problem = cause;
    }
  throw problem;
}

async function current(ctx: CommandContext): Promise<{ ref: string; chosen: boolean }> {
  const chosen = (await ctx.session())?.settings.model;
  return {
    ref: chosen ?? (await ctx.models.defaultRef(ctx.caller.agentId)),
    chosen: chosen !== undefined,
  };
}

async function status(ctx: CommandContext): Promise<Answer> {
  const { ref, chosen } = await current(ctx);
  const info = (await ctx.models.list()).find((model) => model.ref === ref);
  return {
    text: [
      `Model: \`${ref}\` (${chosen ? "chosen for this conversation" : "default"})`,
      ...(info
        ? [
            `${count(info.contextWindow)} tokens of context, ${info.reasoning ? "can think" : "cannot think"}, ${info.input.includes("image") ? "sees pictures" : "text only"}.`,
          ]
        : []),
      "`/model <name>` chooses another, `/model default` goes back, `/models` lists them.",
    ].join("\n"),
  };
}

const row = (model: ModelInfo, ref: string): string =>
  `- \`${model.ref}\`${model.ref === ref ? " (this one)" : ""}`;

async function list(ctx: CommandContext): Promise<Answer> {
  const models = await ctx.models.list();
  const { ref } = await current(ctx);
  const more = models.length - LISTED;
  return {
    text: [
      ...models.slice(0, LISTED).map((model) => row(model, ref)),
      ...(more > 0 ? [`And ${more} more: \`/models\`.`] : []),
    ].join("\n"),
  };
}

export const model = command({
  name: "model",
  doc: "Shows or chooses the model of this conversation.",
  args: z.object({
    name: z
      .string()
      .optional()
      .describe(
        "list, status, default, or a model; a message behind it is answered by that model.",
      ),
  }),
  access: "allowed",
  async run({ name = "status" }, ctx) {
    const word = name.toLowerCase();
    if (word === "status") return status(ctx);
    if (word === "list") return list(ctx);
    if (word === "default" || word === "reset") {
      await ctx.change({ model: null });
      return { text: `Model: \`${(await current(ctx)).ref}\` (default)` };
    }
    const { info, rest } = await split(name, ctx);
    await ctx.change({ model: await modelSetting(ctx, info.ref) });
    return rest ? { continue: true, text: rest } : { text: `Model: \`${info.ref}\`` };
  },
});

export const models = command({
  name: "models",
  doc: "The models that can be chosen.",
  args: z.object({
    provider: z.string().optional().describe("Only those of this provider, or a page."),
    page: z
      .string()
      .regex(/^\d{1,3}$/)
      .optional()
      .describe("Page, from 1."),
  }),
  access: "allowed",
  async run({ provider, page }, ctx) {
    const onlyPage = provider !== undefined && /^\d{1,3}$/.test(provider);
    const of = onlyPage ? undefined : provider?.toLowerCase();
    const all = await ctx.models.list();
    const found = of ? all.filter((each) => each.provider === of) : all;
    if (found.length === 0) {
      const providers = [...new Set(all.map((each) => `\`${each.provider}\``))];
      return {
        text: `There is no model of \`${shown(of ?? "")}\`. Providers: ${providers.join(", ") || "none"}.`,
      };
    }
    const pages = Math.ceil(found.length / PAGE);
    const at = Math.min(Math.max(1, Number((onlyPage ? provider : page) ?? 1)), pages);
    const { ref } = await current(ctx);
    return {
      text: [
        `Models${of ? ` of ${of}` : ""}, page ${at} of ${pages}:`,
        ...found.slice((at - 1) * PAGE, at * PAGE).map((each) => row(each, ref)),
      ].join("\n"),
    };
  },
});
