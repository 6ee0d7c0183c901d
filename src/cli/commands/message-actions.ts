/** `message react|read|edit|…`: what can be done with messages that are there. One row per command; the channels' table does it. */
import { AppError } from "../../base/errors.ts";
import { factsOf } from "../../channels/accounts.ts";
import type { ActionName } from "../../channels/acting.ts";
import { accountNamed } from "../channels/accounts.ts";
import {
  BASE_ARGS,
  envelope,
  labelOf,
  mediaFrom,
  MESSAGE_ID_ARG,
  needed,
  printResult,
  TARGET_ARG,
  TEXT_ARG,
  textFrom,
} from "../channels/message-parts.ts";
import { performAction } from "../channels/perform.ts";
import type { ArgSpecs, ArgValues, Cli, Command } from "../command.ts";
import { command } from "../command.ts";
import { safeText } from "../out.ts";
import { theChannel } from "./channels-ask.ts";

type Plan = {
  action: ActionName;
  /** Undefined for an action that is about no chat. */
  target?: string | undefined;
  params: Record<string, unknown>;
};
type Base = typeof BASE_ARGS;

/** A command that is one action. `plan` turns its flags into it, and throws usage for what is missing. */
function actionCommand<const A extends ArgSpecs>(def: {
  doc: string;
  args: A;
  examples: [line: string, what: string][];
  notes?: string;
  plan(args: ArgValues<A>, cli: Cli): Plan | Promise<Plan>;
}): Command {
  const { doc, args: own, examples, notes, plan } = def;
  return command({
    doc,
    args: { ...own, ...BASE_ARGS },
    examples,
    ...(notes && { notes }),
    async run(given, cli) {
      const args = given as unknown as ArgValues<A> &
        ArgValues<Base & { json: { type: "boolean"; description: string } }>;
      const { action, target, params } = await plan(args, cli);
      const channel = await theChannel(cli, args.channel);
      const account = accountNamed(args.account);
      const { json } = cli.out;
      if (args["dry-run"]) {
        const place = target === undefined ? undefined : (await factsOf(channel)).target(target);
        const payload = { channel, to: target ?? null, ...params, dryRun: true };
        return json
          ? cli.out.data(envelope(action, channel, "dry-run", payload))
          : cli.out.line(
              safeText(
                `[dry run] would ${action} on ${labelOf(channel)}${place ? ` chat ${place.chatId}` : ""}`,
              ),
            );
      }
      const wanted = { channel, account, params, ...(target !== undefined && { target }) };
      const result = await performAction(cli, args, action, wanted);
      if (json) return cli.out.data(envelope(action, channel, "plugin", result));
      printResult(cli.out, action, result, params);
    },
  });
}

/** Without the flags that were not given. */
const only = (params: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(params).filter(
      ([, value]) =>
        value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0),
    ),
  );

const LIMIT = { limit: { type: "string", hint: "n", description: "Rows at most." } } as const;
const THREAD = {
  "thread-id": { type: "string", hint: "id", description: "Thread or forum topic." },
} as const;

export const react = actionCommand({
  doc: "Put an emoji on a message, or take it away.",
  args: {
    ...TARGET_ARG,
    ...MESSAGE_ID_ARG,
    emoji: { type: "string", hint: "emoji", description: "Without it ours is taken away." },
    remove: { type: "boolean", description: "Take it away." },
    participant: { type: "string", hint: "id", description: "Who wrote the message, in a group." },
    "from-me": { type: "boolean", description: "We wrote the message." },
    "target-author": { type: "string", hint: "id", description: "The same as --participant." },
    "target-author-uuid": { type: "string", hint: "id", description: "The same as --participant." },
  },
  examples: [["message react -t 12345 --message-id 42 --emoji 👍", "one reaction"]],
  plan: (args) => ({
    action: "react",
    target: needed("target", args.target, "t"),
    params: only({
      messageId: needed("message-id", args["message-id"]),
      emoji: args.emoji,
      remove: args.remove,
      participant: args.participant ?? args["target-author"] ?? args["target-author-uuid"],
      fromMe: args["from-me"],
    }),
  }),
});

export const reactions = actionCommand({
  doc: "Who reacted to a message, and how.",
  args: { ...TARGET_ARG, ...MESSAGE_ID_ARG, ...LIMIT },
  examples: [["message reactions -t channel:123 --message-id 42", "all of them"]],
  plan: (args) => ({
    action: "reactions",
    target: needed("target", args.target, "t"),
    params: only({ messageId: needed("message-id", args["message-id"]), limit: args.limit }),
  }),
});

export const read = actionCommand({
  doc: "The newest messages of a chat, from the platform.",
  args: {
    ...TARGET_ARG,
    ...LIMIT,
    before: { type: "string", hint: "id", description: "Only those before this message." },
    after: { type: "string", hint: "id", description: "Only those after this message." },
    around: { type: "string", hint: "id", description: "Those around this message." },
    "include-thread": { type: "boolean", description: "Kept for scripts; has no effect." },
    ...THREAD,
  },
  examples: [["message read -t channel:123 --limit 20", "the last twenty"]],
  plan: (args) => ({
    action: "read",
    target: needed("target", args.target, "t"),
    params: only({
      limit: args.limit,
      before: args.before,
      after: args.after,
      around: args.around,
      threadId: args["thread-id"],
    }),
  }),
});

export const edit = actionCommand({
  doc: "Put another text in the place of a message of ours.",
  args: { ...TARGET_ARG, ...MESSAGE_ID_ARG, ...TEXT_ARG, ...THREAD },
  examples: [['message edit -t 12345 --message-id 42 -m "Better"', "another text"]],
  plan: async (args) => ({
    action: "edit",
    target: needed("target", args.target, "t"),
    params: only({
      messageId: needed("message-id", args["message-id"]),
      message: needed("message", await textFrom(args.message), "m"),
      threadId: args["thread-id"],
    }),
  }),
});

/** Actions that need a chat and a message, and nothing else. */
const onMessage = (action: ActionName, doc: string, verb: string): Command =>
  actionCommand({
    doc,
    args: { ...TARGET_ARG, ...MESSAGE_ID_ARG },
    examples: [[`message ${action} -t 12345 --message-id 42`, verb]],
    plan: (args) => ({
      action,
      target: needed("target", args.target, "t"),
      params: { messageId: needed("message-id", args["message-id"]) },
    }),
  });

export const remove = onMessage("delete", "Remove a message.", "it is gone for everybody");
export const pin = onMessage("pin", "Pin a message.", "it stays at the top");
export const unpin = onMessage("unpin", "Take the pin away.", "it goes back into the row");

export const pins = actionCommand({
  doc: "The pinned messages of a chat.",
  args: { ...TARGET_ARG, ...LIMIT },
  examples: [["message pins -t channel:123", "all of them"]],
  plan: (args) => ({
    action: "list-pins",
    target: needed("target", args.target, "t"),
    params: only({ limit: args.limit }),
  }),
});

export const permissions = actionCommand({
  doc: "What we may do in a chat.",
  args: TARGET_ARG,
  examples: [["message permissions -t channel:123", "what is granted and what is missing"]],
  plan: (args) => ({
    action: "permissions",
    target: needed("target", args.target, "t"),
    params: {},
  }),
});

export const search = actionCommand({
  doc: "Messages with certain words.",
  args: {
    ...TARGET_ARG,
    query: { type: "string", hint: "text", description: "The words." },
    "guild-id": { type: "string", hint: "id", description: "The server to look in." },
    "channel-id": { type: "string", hint: "id", description: "The chat to look in." },
    "author-id": { type: "list", hint: "id", description: "Only of this person; may be repeated." },
    "author-ids": { type: "list", hint: "id", description: "The same as --author-id." },
    ...LIMIT,
  },
  examples: [['message search -t channel:123 --query "invoice"', "in one chat"]],
  plan: (args) => ({
    action: "search",
    target: needed("target", args.target ?? args["channel-id"] ?? args["guild-id"], "t"),
    params: only({
      query: needed("query", args.query),
      guildId: args["guild-id"],
      authorIds: [...args["author-id"], ...args["author-ids"]],
      limit: args.limit,
    }),
  }),
});

/** The second word of `message thread create`. Throws usage naming all of them. */
function verbIn<const V extends string>(given: string, of: string, verbs: readonly V[]): V {
  const found = verbs.find((verb) => verb === given);
  if (found) return found;
  throw new AppError("usage", `unknown command 'message ${of} ${given}'`, {
    hint: `One of: ${verbs.map((verb) => `message ${of} ${verb}`).join(", ")}.`,
  });
}

const verbArg = (verbs: string) =>
  ({ verb: { type: "positional", required: true, description: `One of: ${verbs}.` } }) as const;

export const thread = actionCommand({
  doc: "Threads and forum topics: begin one, list them, write into one.",
  args: {
    ...verbArg("create, list, reply"),
    ...TARGET_ARG,
    ...TEXT_ARG,
    ...MESSAGE_ID_ARG,
    ...THREAD,
    "thread-name": { type: "string", hint: "text", description: "Name of the new thread." },
    "auto-archive-min": { type: "string", hint: "n", description: "Minutes until it is archived." },
    "include-archived": { type: "boolean", description: "Archived ones too." },
    "channel-id": { type: "string", hint: "id", description: "The same as --target." },
    "guild-id": { type: "string", hint: "id", description: "Kept for scripts; has no effect." },
    "reply-to": { type: "string", hint: "id", description: "The message that it answers." },
    media: { type: "string", hint: "file|url", description: "A file to send with it." },
  },
  examples: [
    ['message thread create -t channel:123 --thread-name "Release" -m "Here we go"', "a new one"],
    ["message thread list -t channel:123", "all of a chat"],
    ['message thread reply -t channel:123 --thread-id 456 -m "Done"', "write into one"],
  ],
  async plan(args, cli) {
    const verb = verbIn(args.verb, "thread", ["create", "list", "reply"]);
    const target = needed("target", args.target ?? args["channel-id"], "t");
    const text = await textFrom(args.message);
    if (verb === "list")
      return {
        action: "thread-list",
        target,
        params: only({ includeArchived: args["include-archived"] }),
      };
    if (verb === "create")
      return {
        action: "thread-create",
        target,
        params: only({
          threadName: needed("thread-name", args["thread-name"]),
          messageId: args["message-id"],
          autoArchiveMin: args["auto-archive-min"],
          message: text,
        }),
      };
    return {
      action: "thread-reply",
      target,
      params: only({
        threadId: args["thread-id"] ?? target,
        message: text,
        media: args.media ? [await mediaFrom(args.media, cli)] : undefined,
        replyTo: args["reply-to"],
      }),
    };
  },
});

export const sticker = actionCommand({
  doc: "Send a sticker.",
  args: {
    ...verbArg("send"),
    ...TARGET_ARG,
    "sticker-id": { type: "list", hint: "id", description: "The platform's id of the sticker." },
    ...TEXT_ARG,
  },
  examples: [["message sticker send -t 12345 --sticker-id CAACAgIAAxk", "one sticker"]],
  plan(args) {
    verbIn(args.verb, "sticker", ["send"]);
    return {
      action: "sticker",
      target: needed("target", args.target, "t"),
      params: { stickerId: needed("sticker-id", args["sticker-id"][0]) },
    };
  },
});

export const member = actionCommand({
  doc: "What the platform says of a member.",
  args: {
    ...verbArg("info"),
    ...TARGET_ARG,
    "user-id": { type: "string", hint: "id", description: "The person." },
    "guild-id": { type: "string", hint: "id", description: "The server, instead of --target." },
  },
  examples: [["message member info -t channel:123 --user-id 456", "one person"]],
  plan(args) {
    verbIn(args.verb, "member", ["info"]);
    return {
      action: "member-info",
      target: needed("target", args.target ?? args["guild-id"], "t"),
      params: { userId: needed("user-id", args["user-id"]) },
    };
  },
});

export const channel = actionCommand({
  doc: "People and chats that the account can reach.",
  args: {
    ...verbArg("list"),
    query: { type: "string", hint: "text", description: "Only with this in the name or id." },
    kind: { type: "enum", options: ["user", "group", "any"], description: "What to look for." },
    "guild-id": { type: "string", hint: "id", description: "Kept for scripts; has no effect." },
  },
  examples: [["message channel list --query general", "by a part of the name"]],
  plan(args) {
    verbIn(args.verb, "channel", ["list"]);
    return { action: "channel-list", params: only({ query: args.query, kind: args.kind }) };
  },
});
