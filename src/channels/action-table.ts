/** The table of what can be done in a chat besides answering. A new action is a row here; acting.ts does it. */
import { z } from "zod";

import { AppError } from "../base/errors.ts";
import type { Address, MediaRef, Outbound, Receipt } from "../flow.ts";
import type { ChannelActions, ChatMessage, Found } from "./action.ts";
import type { ChannelAccount } from "./channel.ts";

/** What delivery takes; the shape of the store's NewOutbox. */
export type ToSend = {
  key: string;
  to: Address;
  /** Markdown. */
  text: string;
  media?: MediaRef[];
  buttons?: Outbound["buttons"];
  silent?: true;
};

type At = Pick<Address, "channel" | "account">;

export type ActingPorts = {
  /** Throws `channel_unreachable` for an account that does not run. */
  account(at: At): ChannelAccount;
  /** Every running account of a network; for telling who could do it instead. */
  running(): { channel: string; account: ChannelAccount }[];
  /** The section `actions` of the account's config, with defaults. */
  switches(at: At): Readonly<Record<string, unknown>>;
  /**
   * Through the outbox; resolves with the platform's ids, or with none when it has waited long enough for a channel that cannot be
   * reached. The same key is the same message.
   */
  send(out: ToSend): Promise<Receipt>;
  /** Markdown as the channel of this chat wants it. */
  render(to: Address, markdown: string): { text: string; plain: string };
  newKey(): string;
};

export type Need = keyof ChannelActions | "send";
type Doing = { account: ChannelAccount; to: Address; ports: ActingPorts };

export type Action<In extends z.ZodObject = z.ZodObject, Out = unknown> = {
  doc: string;
  needs: Need;
  /** Keys of the channel's `actions` section; one that is false turns the action off. */
  switches: readonly string[];
  /** It is about people and chats as such, so no chat has to be named. */
  anywhere?: true;
  params: In;
  run(params: z.output<In>, doing: Doing): Promise<Out>;
  /** The result in words, for a model. */
  say(result: Out, params: z.output<In>): string;
};

const action = <In extends z.ZodObject, Out>(def: Action<In, Out>): Action<In, Out> => def;

const id = z.coerce.string().trim().min(1).max(512);
const text = z.string().max(100_000);
const count = (most: number, usual: number) =>
  z.coerce.number().int().min(1).max(most).default(usual);

const Media = z.custom<MediaRef>(
  (value) =>
    typeof value === "object" &&
    value !== null &&
    "kind" in value &&
    "mime" in value &&
    ("data" in value || "file" in value),
  "is no file",
);
const Button = z
  .object({
    text: z.string().min(1),
    data: z.string().optional(),
    callback_data: z.string().optional(),
  })
  .transform(({ text: label, data, callback_data }) => ({
    text: label,
    data: data ?? callback_data ?? label,
  }));

const sending = {
  message: text.optional(),
  media: z.array(Media).max(10).optional(),
  buttons: z.array(z.array(Button)).max(20).optional(),
  silent: z.boolean().optional(),
  replyTo: id.optional(),
  threadId: id.optional(),
  /** Idempotency key; a repeated one is the same message. */
  key: id.optional(),
};
type Sending = z.output<z.ZodObject<typeof sending>>;

async function deliver(
  { message = "", media, buttons, silent, replyTo, threadId, key }: Sending,
  { to, ports }: Doing,
): Promise<Receipt> {
  if (!message.trim() && !media?.length)
    throw new AppError("bad_request", "There is nothing to send: no text and no file.");
  return ports.send({
    key: key ?? ports.newKey(),
    to: { ...to, ...(threadId && { threadId }), ...(replyTo && { replyToId: replyTo }) },
    text: message,
    ...(media?.length && { media }),
    ...(buttons?.length && { buttons }),
    ...(silent && { silent: true as const }),
  });
}

const one = { messageId: id };
const done = (what: string) => (): string => what;
/** A receipt without ids: it was stored, and the platform has not taken it yet. */
const sent = ({ ids }: Receipt): string =>
  ids.length
    ? `Sent as ${ids.join(", ")}.`
    : "Not confirmed yet: it is in the outbox and goes out when the channel can be reached. Do not send it again.";
const line = ({ id: of, at, mine, sender, text: said, attachments = [] }: ChatMessage): string =>
  `[${of}] ${new Date(at).toISOString().slice(0, 16)} ${mine ? "you" : (sender.name ?? sender.id)}: ${said}${attachments.map((each) => ` <${each.name ?? each.mime ?? "file"}>`).join("")}`;
const lines = (found: ChatMessage[]): string => found.map(line).join("\n") || "No messages.";
const names = (found: Found[]): string =>
  found
    .map((each) => `${each.id} ${each.name} (${each.kind}${each.note ? `, ${each.note}` : ""})`)
    .join("\n") || "Nothing found.";

export const ACTIONS = {
  send: action({
    doc: "Sends a message.",
    needs: "send",
    switches: ["sendMessage", "messages"],
    params: z.object(sending),
    run: deliver,
    say: sent,
  }),
  poll: action({
    doc: "Asks a question with answers to choose from.",
    needs: "poll",
    switches: ["polls"],
    params: z.object({
      pollQuestion: z.string().trim().min(1).max(1000),
      pollOption: z.array(z.string().trim().min(1).max(1000)).min(2).max(12),
      pollMulti: z.boolean().optional(),
      maxSelections: z.coerce.number().int().min(1).max(12).optional(),
      pollDurationHours: z.coerce.number().int().min(1).optional(),
    }),
    run: (
      { pollQuestion, pollOption, pollMulti, maxSelections, pollDurationHours },
      { account, to },
    ) =>
      account.poll!(to, {
        question: pollQuestion,
        options: pollOption,
        maxSelections: Math.min(
          maxSelections ?? (pollMulti ? pollOption.length : 1),
          pollOption.length,
        ),
        ...(pollDurationHours && { durationHours: pollDurationHours }),
      }),
    say: sent,
  }),
  react: action({
    doc: "Puts an emoji on a message, or takes it away.",
    needs: "react",
    switches: ["reactions"],
    params: z.object({
      ...one,
      emoji: z.string().max(64).default(""),
      remove: z.boolean().optional(),
      /** Who wrote the message, where the platform wants to know. */
      targetAuthor: id.optional(),
      participant: id.optional(),
      fromMe: z.boolean().optional(),
    }),
    async run(
      { messageId, emoji, remove, targetAuthor, participant = targetAuthor, fromMe },
      { account, to },
    ) {
      const author = { ...(participant && { id: participant }), ...(fromMe && { mine: true }) };
      await account.react!(to, messageId, remove ? "" : emoji, author);
      return { removed: remove === true || emoji === "" };
    },
    say: ({ removed }, { emoji }) => (removed ? "Reaction removed." : `Reacted with ${emoji}.`),
  }),
  reactions: action({
    doc: "Who reacted to a message, and how.",
    needs: "reactions",
    switches: ["reactions"],
    params: z.object(one),
    run: ({ messageId }, { account, to }) => account.reactions!(to, messageId),
    say: (found) =>
      found.map(({ emoji, count: n, users }) => `${emoji} ${n}: ${users.join(", ")}`).join("\n") ||
      "None.",
  }),
  read: action({
    doc: "The newest messages of a chat.",
    needs: "read",
    switches: ["messages"],
    params: z.object({
      limit: count(100, 20),
      before: id.optional(),
      after: id.optional(),
      around: id.optional(),
    }),
    run: (query, { account, to }) =>
      account.read!(to, query as Parameters<NonNullable<ChannelActions["read"]>>[1]),
    say: lines,
  }),
  edit: action({
    doc: "Puts another text in the place of a message of ours.",
    needs: "edit",
    switches: ["editMessage", "messages"],
    params: z.object({ ...one, message: text.min(1) }),
    async run({ messageId, message }, { account, to, ports }) {
      await account.edit!(to, messageId, ports.render(to, message));
    },
    say: done("Edited."),
  }),
  delete: action({
    doc: "Removes a message.",
    needs: "remove",
    switches: ["deleteMessage", "messages"],
    params: z.object(one),
    run: ({ messageId }, { account, to }) => account.remove!(to, messageId),
    say: done("Deleted."),
  }),
  pin: action({
    doc: "Pins a message.",
    needs: "pin",
    switches: ["pins"],
    params: z.object(one),
    run: ({ messageId }, { account, to }) => account.pin!(to, messageId),
    say: done("Pinned."),
  }),
  unpin: action({
    doc: "Takes the pin away.",
    needs: "unpin",
    switches: ["pins"],
    params: z.object(one),
    run: ({ messageId }, { account, to }) => account.unpin!(to, messageId),
    say: done("Unpinned."),
  }),
  "list-pins": action({
    doc: "The pinned messages.",
    needs: "pins",
    switches: ["pins"],
    params: z.object({}),
    run: (_, { account, to }) => account.pins!(to),
    say: lines,
  }),
  permissions: action({
    doc: "What we may do in a chat.",
    needs: "permissions",
    switches: ["permissions"],
    params: z.object({}),
    run: (_, { account, to }) => account.permissions!(to),
    say: ({ granted, missing }) =>
      `Granted: ${granted.join(", ") || "nothing"}. Missing: ${missing.join(", ") || "nothing"}.`,
  }),
  "thread-create": action({
    doc: "Begins a thread or topic.",
    needs: "threadCreate",
    switches: ["threads"],
    params: z.object({
      threadName: z.string().trim().min(1).max(128),
      messageId: id.optional(),
      autoArchiveMin: z.coerce.number().int().min(1).optional(),
      /** Its first message. */
      message: text.optional(),
    }),
    async run({ threadName, messageId, autoArchiveMin, message }, doing) {
      const to = await doing.account.threadCreate!(doing.to, {
        name: threadName,
        ...(messageId && { messageId }),
        ...(autoArchiveMin && { archiveMinutes: autoArchiveMin }),
      });
      const receipt = message?.trim() ? await deliver({ message }, { ...doing, to }) : undefined;
      return { to, ...receipt };
    },
    say: ({ to }) => `Thread ${to.threadId ?? to.chatId} is there.`,
  }),
  "thread-list": action({
    doc: "The threads of a chat.",
    needs: "threads",
    switches: ["threads"],
    params: z.object({ includeArchived: z.boolean().default(false) }),
    run: ({ includeArchived }, { account, to }) => account.threads!(to, includeArchived),
    say: names,
  }),
  "thread-reply": action({
    doc: "Sends a message into a thread.",
    needs: "send",
    switches: ["threads", "sendMessage", "messages"],
    params: z.object({ ...sending, threadId: id }),
    run: deliver,
    say: sent,
  }),
  search: action({
    doc: "Messages with certain words.",
    needs: "search",
    switches: ["search"],
    params: z.object({
      query: z.string().trim().min(1).max(500),
      authorId: id.optional(),
      authorIds: z.array(id).optional(),
      limit: count(25, 10),
    }),
    run: (
      { query, authorId, authorIds = authorId ? [authorId] : undefined, limit },
      { account, to },
    ) => account.search!(to, { text: query, limit, ...(authorIds && { authorIds }) }),
    say: lines,
  }),
  sticker: action({
    doc: "Sends a sticker.",
    needs: "sticker",
    switches: ["sticker", "stickers"],
    params: z.object({ stickerId: z.union([id, z.array(id).min(1).max(1)]) }),
    run: ({ stickerId }, { account, to }) => account.sticker!(to, [stickerId].flat()[0]!),
    say: sent,
  }),
  "member-info": action({
    doc: "What the platform says of a member.",
    needs: "member",
    switches: ["memberInfo"],
    params: z.object({ userId: id }),
    run: ({ userId }, { account, to }) => account.member!(to, userId),
    say: (found) => JSON.stringify(found),
  }),
  "channel-list": action({
    doc: "People and chats that the account can reach.",
    needs: "directory",
    switches: ["channelInfo"],
    anywhere: true,
    params: z.object({
      query: z.string().max(200).default(""),
      kind: z.enum(["user", "group", "any"]).default("any"),
    }),
    run: ({ query, kind }, { account }) => account.directory!(query, kind),
    say: names,
  }),
} as const;
export type ActionName = keyof typeof ACTIONS;
