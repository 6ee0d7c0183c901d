/** Sends to chats and acts in them: files, polls, reactions, edits, threads. What it reaches is decided in reach.ts. */
import { basename } from "node:path";

import { z } from "zod";

import { AppError } from "../base/errors.ts";
import type { MediaRef } from "../flow.ts";
import { openFile } from "./files.ts";
import { placeFor } from "./place.ts";
import { tool, type ToolContext } from "./tool.ts";

export { type MessagesPort, messagesFor, type MessagesDeps, mayReach } from "./reach.ts";

const text = () => z.string().optional();
/** Many ids are numbers to look at, and models write them as such. */
const id = () => z.coerce.string().optional();

const Input = z.object({
  action: z
    .enum([
      "send",
      "broadcast",
      "poll",
      "react",
      "reactions",
      "read",
      "edit",
      "delete",
      "pin",
      "unpin",
      "list-pins",
      "permissions",
      "thread-create",
      "thread-list",
      "thread-reply",
      "search",
      "sticker",
      "member-info",
      "channel-list",
    ])
    .describe("What to do"),
  target: id().describe("Chat; default this one"),
  targets: z.array(z.string()).optional().describe("broadcast"),
  channel: text().describe("Network, if not this one"),
  accountId: id().describe("Account of it"),
  message: text().describe("Text, Markdown"),
  media: text().describe("File to send"),
  asVoice: z.boolean().optional().describe("Audio as voice note"),
  buttons: z.array(z.string()).optional().describe("Rows, as Yes=y|No=n"),
  silent: z.boolean().optional().describe("No sound"),
  replyTo: id().describe("Message id"),
  threadId: id().describe("Thread"),
  messageId: id().describe("Message acted on"),
  emoji: text().describe("react"),
  remove: z.boolean().optional().describe("react: take away"),
  pollQuestion: text().describe("poll"),
  pollOption: z.array(z.string()).optional().describe("poll: 2-12"),
  pollMulti: z.boolean().optional().describe("Several choices"),
  pollDurationHours: z.int().optional().describe("poll"),
  limit: z.int().optional().describe("Most results"),
  before: id().describe("read: message id"),
  query: text().describe("search, channel-list"),
  userId: id().describe("member-info"),
  stickerId: id().describe("sticker"),
  threadName: text().describe("thread-create"),
});
type Input = z.output<typeof Input>;

export const message = tool({
  name: "message",
  label: "Message",
  summary: "Send to chats; react, poll, edit, pin, read, search, threads",
  description:
    "Act in chats. Your answer reaches this chat by itself: use send only for files, buttons and other chats, the latter only when the owner asks.",
  input: Input,
  aliases: {
    to: "target",
    channelId: "target",
    text: "message",
    content: "message",
    path: "media",
    filePath: "media",
    replyToId: "replyTo",
    message_id: "messageId",
  },
  needsNetwork: true,
  async run(input, ctx) {
    const { messages } = ctx;
    if (!messages)
      throw new AppError("bad_request", "No chat network is configured.", {
        hint: "The owner adds one with `clawdbot channels add`.",
      });
    const { action, media, asVoice, buttons, ...params } = input;
    const acting = messages.act(action, {
      ...params,
      ...(media && { media: [await attached(media, asVoice, ctx)] }),
      ...(buttons && { buttons: buttons.map(rowOf) }),
    });
    const { text: said, details } = await Promise.race([acting, stopped(ctx.signal)]);
    return { text: said, details };
  },
});

/** Rejects when the run is stopped. What is in the outbox by then still goes out. */
const stopped = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const stop = () => reject(new AppError("aborted", "The run was stopped."));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });

/** `Yes=y|No` is two buttons; what stands behind the sign comes back when one is pressed. */
const rowOf = (row: string): { text: string; data: string }[] =>
  row
    .split("|")
    .map((each) => each.trim())
    .filter(Boolean)
    .map((each) => {
      const [, label = each, data = label] = /^(.+?)=(.+)$/.exec(each) ?? [];
      return { text: label.trim(), data: data.trim() };
    });

/** The file as it is now, under the same rules as `read`: what may not be read may not be sent. */
async function attached(
  path: string,
  asVoice: Input["asVoice"],
  ctx: ToolContext,
): Promise<MediaRef> {
  const place = await placeFor(path, "read", ctx);
  const { file } = await openFile(place, ctx);
  try {
    // The streams of Node are loaded with their first use, as everywhere on the way to the first answer.
    const { Readable } = process.getBuiltinModule("node:stream");
    const stream = Readable.toWeb(file.createReadStream({ autoClose: false }));
    return await ctx.messages!.attach(stream as unknown as ReadableStream<Uint8Array>, {
      name: basename(place.path),
      ...(asVoice && { as: "voice" as const }),
    });
  } finally {
    await file.close();
  }
}
