/** `message send|broadcast|poll`: messages to chats, from the terminal and from scripts. */
import { AppError } from "../../base/errors.ts";
import { factsOf } from "../../channels/accounts.ts";
import type { NetworkId } from "../../channels/registry.ts";
import { chatField } from "../../channels/summary.ts";
import type { MediaRef, Outbound, Receipt } from "../../flow.ts";
import { wholeNumber } from "../arguments.ts";
import { accountNamed, configuredAccounts, usableSettings } from "../channels/accounts.ts";
import { actDirectly } from "../channels/direct.ts";
import {
  BASE_ARGS,
  envelope,
  labelOf,
  mediaFrom,
  needed,
  TARGET_ARG,
  TEXT_ARG,
  textFrom,
} from "../channels/message-parts.ts";
import { eitherWay } from "../channels/reach.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";
import { commandsBelow } from "../commands.ts";
import { showCommandHelp } from "../help.ts";
import { safeText } from "../out.ts";
import { checkSize, type Wish } from "../rpc.ts";
import { theChannel } from "./channels-ask.ts";

/** A platform that limits the rate may let a message wait, in ms. */
const SEND_MS = 120_000;

export const message = command({
  doc: "Send messages, look after those that are there, and find out what became of one.",
  args: {},
  json: false,
  examples: [
    ['message send --channel telegram -t 12345 -m "Hello"', "one message"],
    ["message recent --unanswered", "who got no answer"],
  ],
  async run(_, { out, name }) {
    showCommandHelp(out, name, "message", message, commandsBelow("message"));
  },
});

type Sending = {
  channel: NetworkId;
  account: string;
  target: string;
  text: string;
  media: MediaRef[];
  replyTo?: string | undefined;
  threadId?: string | undefined;
  buttons?: Outbound["buttons"];
  silent?: boolean;
  gif?: boolean;
};
type Sent = { via: "gateway" | "direct"; messageId: string; chatId: string };

/** Through the gateway's outbox, where a message survives a crash; without a gateway straight to the platform. */
async function sendOne(cli: Cli, wish: Wish, sending: Sending): Promise<Sent> {
  const { channel, account, target, text, media, replyTo, threadId, buttons } = sending;
  const place = (await factsOf(channel)).target(target);
  const key = crypto.randomUUID();
  return eitherWay<Sent>(
    cli,
    wish,
    async (gateway) => {
      const params = {
        channel,
        accountId: account,
        to: target,
        message: text,
        idempotencyKey: key,
        ...(media.length > 0 && {
          media: media.map(({ data = "", mime, name }) => ({ data, mime, ...(name && { name }) })),
        }),
        ...(replyTo && { replyToId: replyTo }),
        ...(threadId && { threadId }),
        ...(buttons && { buttons }),
        ...(sending.silent && { silent: true }),
        ...(sending.gif && { gifPlayback: true }),
      };
      checkSize(gateway, params);
      const answer = await gateway.client.call("send", params, { timeoutMs: SEND_MS });
      const chatId = answer[chatField(channel)];
      return {
        via: "gateway",
        messageId: answer.messageId,
        chatId: typeof chatId === "string" ? chatId : place.chatId,
      };
    },
    async (why) => {
      const params = {
        message: text,
        key,
        ...(media.length > 0 && { media }),
        ...(replyTo && { replyTo }),
        ...(threadId && { threadId }),
        ...(buttons && { buttons }),
        ...(sending.silent && { silent: true }),
      };
      const to = { channel, account, ...place };
      const receipt = (await actDirectly(cli, "send", to, params, why)) as Receipt;
      return { via: "direct", messageId: receipt.ids[0] ?? "", chatId: place.chatId };
    },
  );
}

const payloadOf = ({ channel, target }: Sending, sent: Sent, mediaUrl: string | undefined) => ({
  channel,
  to: target,
  via: sent.via,
  mediaUrl: mediaUrl ?? null,
  result: { messageId: sent.messageId, [chatField(channel)]: sent.chatId },
});

const dryPayload = ({ channel, target }: Sending, mediaUrl: string | undefined) => ({
  channel,
  to: target,
  via: "gateway",
  mediaUrl: mediaUrl ?? null,
  dryRun: true,
});

export const send = command({
  doc: "Send a message to a chat. Without a gateway it goes straight to the platform, where that is possible.",
  args: {
    ...TARGET_ARG,
    ...TEXT_ARG,
    media: { type: "string", hint: "file|url", description: "A file to send with it." },
    buttons: {
      type: "string",
      hint: "json",
      description: 'Rows of buttons: [[{"text":"Yes","data":"/yes"}]].',
    },
    "reply-to": { type: "string", hint: "id", description: "The message that it answers." },
    "thread-id": { type: "string", hint: "id", description: "Thread or forum topic." },
    "gif-playback": { type: "boolean", description: "Show a video as a moving picture." },
    silent: { type: "boolean", description: "Without a sound, where the platform can." },
    ...BASE_ARGS,
  },
  examples: [
    ['message send --channel telegram -t 12345 -m "Hello"', "one message"],
    ["message send -t channel:123 -m - --media report.pdf", "text from standard input, and a file"],
    ['message send -t 12345 -m "Hello" --dry-run --json', "look what would be done"],
  ],
  async run(args, cli) {
    const channel = await theChannel(cli, args.channel);
    const target = needed("target", args.target, "t");
    const text = (await textFrom(args.message)) ?? "";
    if (!text.trim() && !args.media) needed("message", undefined, "m");
    const sending: Sending = {
      channel,
      account: accountNamed(args.account),
      target,
      text,
      media: args.media ? [await mediaFrom(args.media, cli)] : [],
      replyTo: args["reply-to"],
      threadId: args["thread-id"],
      ...(args.buttons && { buttons: buttonsFrom(args.buttons) }),
      silent: args.silent,
      gif: args["gif-playback"],
    };
    if (args["dry-run"]) return dryRun(cli, "send", sending, args.media);
    const sent = await sendOne(cli, args, sending);
    if (args.json)
      return cli.out.data(envelope("send", channel, "core", payloadOf(sending, sent, args.media)));
    cli.out.line(safeText(await sentLine(channel, sent)));
  },
});

async function sentLine(channel: NetworkId, { via, messageId, chatId }: Sent): Promise<string> {
  const { setup } = await factsOf(channel);
  return via === "gateway" && setup.login
    ? `✅ Sent via gateway (${channel}). Message ID: ${messageId}`
    : `✅ Sent via ${labelOf(channel)}. Message ID: ${messageId} (chat ${chatId})`;
}

/** The address is checked all the same: that is what a person wants to know. */
async function dryRun(
  cli: Cli,
  action: string,
  sending: Sending,
  media: string | undefined,
): Promise<void> {
  const place = (await factsOf(sending.channel)).target(sending.target);
  if (cli.out.json)
    return cli.out.data(envelope(action, sending.channel, "dry-run", dryPayload(sending, media)));
  cli.out.line(
    safeText(
      `[dry run] would send to ${labelOf(sending.channel)} chat ${place.chatId}: ${sending.text}`,
    ),
  );
}

function buttonsFrom(text: string): NonNullable<Outbound["buttons"]> {
  const wrong = (cause?: unknown) =>
    new AppError("usage", "Invalid --buttons (use rows of buttons as JSON)", {
      hint: '[[{"text":"Yes","data":"/yes"},{"text":"No","data":"/no"}]]',
      cause,
    });
  try {
    const rows: unknown = JSON.parse(text);
    if (!Array.isArray(rows)) throw wrong();
    return rows.map((row: unknown) => {
      if (!Array.isArray(row)) throw wrong();
      return row.map((each: unknown) => {
        const { text: label, data, callback_data: older } = (each ?? {}) as Record<string, unknown>;
        if (typeof label !== "string" || !label) throw wrong();
        const given = data ?? older ?? label;
        return { text: label, data: String(given) };
      });
    });
  } catch (cause) {
    throw cause instanceof AppError ? cause : wrong(cause);
  }
}

type Outcome = { channel: string; to: string; ok: boolean; messageId?: string; error?: string };

export const broadcast = command({
  doc: "Send one message to several chats. A chat that cannot be reached does not keep the others from getting it.",
  args: {
    rest: { type: "positional", required: false, rest: true, description: "More targets." },
    targets: {
      type: "list",
      hint: "chat",
      description: "Where to; several times, or words after it.",
    },
    ...TEXT_ARG,
    media: { type: "string", hint: "file|url", description: "A file to send with it." },
    ...BASE_ARGS,
  },
  notes: "--channel all means every configured channel.",
  examples: [
    ['message broadcast --channel telegram --targets 12345 67890 -m "Back at ten"', "two chats"],
  ],
  async run(args, cli) {
    const targets = [...args.targets, ...args._];
    if (targets.length === 0) needed("targets", undefined);
    const text = (await textFrom(args.message)) ?? "";
    if (!text.trim() && !args.media) needed("message", undefined, "m");
    const rows = await configuredAccounts(await usableSettings(cli));
    const all = [...new Set(rows.map(({ channel }) => channel))];
    const channels = args.channel === "all" ? all : [await theChannel(cli, args.channel)];
    const media = args.media ? [await mediaFrom(args.media, cli)] : [];
    const results: Outcome[] = [];
    for (const channel of channels)
      for (const to of targets) {
        const account = accountNamed(args.account);
        const sending: Sending = { channel, account, target: to, text, media };
        results.push(await outcomeOf(cli, args, sending, args["dry-run"]));
      }
    const failed = results.filter(({ ok }) => !ok).length;
    if (args.json)
      return cli.out.data(
        envelope(
          "broadcast",
          channels.length === 1 ? channels[0]! : "all",
          args["dry-run"] ? "dry-run" : "core",
          { results },
        ),
      );
    cli.out.line(
      `✅ Broadcast complete (${results.length - failed}/${results.length} succeeded, ${failed} failed)`,
    );
    cli.out.table(
      ["Channel", "Target", "Result"].map((title) => ({ title })),
      results.map(({ channel, to, ok, messageId, error }) => [
        channel,
        to,
        ok ? `sent ${messageId ?? ""}` : `failed: ${error}`,
      ]),
    );
  },
});

async function outcomeOf(cli: Cli, wish: Wish, sending: Sending, dry: boolean): Promise<Outcome> {
  const { channel, target: to } = sending;
  try {
    if (dry) {
      (await factsOf(channel)).target(to);
      return { channel, to, ok: true };
    }
    const { messageId } = await sendOne(cli, wish, sending);
    return { channel, to, ok: true, messageId };
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    return { channel, to, ok: false, error: cause.message };
  }
}

export const poll = command({
  doc: "Ask a chat a question with answers to choose from.",
  args: {
    ...TARGET_ARG,
    "poll-question": { type: "string", hint: "text", description: "The question." },
    "poll-option": { type: "list", hint: "text", description: "An answer; 2 to 12 times." },
    "poll-multi": { type: "boolean", description: "People may choose several." },
    "poll-duration-hours": { type: "string", hint: "n", description: "How long it is open." },
    ...TEXT_ARG,
    ...BASE_ARGS,
  },
  examples: [
    [
      'message poll -t 12345 --poll-question "Lunch?" --poll-option Pizza --poll-option Soup',
      "two answers",
    ],
  ],
  async run(args, cli) {
    const channel = await theChannel(cli, args.channel);
    const target = needed("target", args.target, "t");
    const question = needed("poll-question", args["poll-question"]);
    const options = args["poll-option"];
    if (options.length < 2 || options.length > 12)
      throw new AppError("usage", "A poll needs 2 to 12 answers.", {
        hint: "Repeat --poll-option.",
      });
    const durationHours = wholeNumber("poll-duration-hours", args["poll-duration-hours"], {
      min: 1,
      max: 10_000,
    });
    const account = accountNamed(args.account);
    const place = (await factsOf(channel)).target(target);
    const plan = { channel, to: target, question, options, durationHours: durationHours ?? null };
    if (args["dry-run"])
      return args.json
        ? cli.out.data(envelope("poll", channel, "dry-run", { ...plan, dryRun: true }))
        : cli.out.line(
            safeText(`[dry run] would ask ${labelOf(channel)} chat ${place.chatId}: ${question}`),
          );
    const text = await textFrom(args.message);
    if (text?.trim()) await sendOne(cli, args, { channel, account, target, text, media: [] });
    const maxSelections = args["poll-multi"] ? options.length : 1;
    const sent = await eitherWay(
      cli,
      args,
      async ({ client }) => {
        const params = {
          to: target,
          question,
          options,
          maxSelections,
          channel,
          accountId: account,
          idempotencyKey: crypto.randomUUID(),
          ...(durationHours && { durationHours }),
        };
        const answer = await client.call("poll", params, { timeoutMs: SEND_MS });
        return { via: "gateway", messageId: answer.messageId, pollId: answer["pollId"] };
      },
      async (why) => {
        const params = { question, options, maxSelections, durationHours };
        const to = { channel, account, ...place };
        const result = (await actDirectly(cli, "poll", to, params, why)) as Receipt & {
          pollId?: string;
        };
        return { via: "direct", messageId: result.ids[0] ?? "", pollId: result.pollId };
      },
    );
    if (args.json)
      return cli.out.data(envelope("poll", channel, "core", { ...plan, ...sent, result: sent }));
    const via = sent.via === "gateway" ? `gateway (${channel})` : labelOf(channel);
    cli.out.line(safeText(`✅ Poll sent via ${via}. Message ID: ${sent.messageId}`));
  },
});
