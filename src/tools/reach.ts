/**
 * Where the `message` tool may write. The model is assumed hostile: a text that it read may tell it to send something to a chat of
 * the attacker (security B12). So a conversation reaches its own chat; only the owner's own conversations reach others, and
 * those only when the chat is known already or listed.
 */
import { AppError } from "../base/errors.ts";
import type { Address, MediaRef } from "../flow.ts";
import type { MessageToolConfig } from "./config.ts";

/** Sends and acts for one turn. Made by `messagesFor`; in a tool's context where a network is configured. */
export interface MessagesPort {
  /**
   * One action of channels/acting.ts, at the current chat or at the target that the parameters name. Throws `forbidden` (the
   * message names the setting), `bad_request`, and what the channel throws.
   */
  act(action: string, params: Record<string, unknown>): Promise<MessageResult>;
  /** Puts a file into the media store, for the parameter `media` of `act`. Throws `media_too_large`. */
  attach(
    data: ReadableStream<Uint8Array> | Uint8Array,
    about: { name: string; as?: MediaRef["as"] },
  ): Promise<MediaRef>;
}
export type MessageResult = { text: string; details: Record<string, unknown> };

/** operator: a signed-in client. owner: a direct message of the owner. other: everything else, groups before all. */
export type Standing = "operator" | "owner" | "other";
type Chat = Pick<Address, "channel" | "account" | "chatId">;
/** `here` is undefined for a conversation without a chat of its own on a network. */
export type From = { here?: Chat; standing: Standing };
export type ReachPolicy = Pick<MessageToolConfig, "crossContext"> & {
  /** `tools.message.allowTargets`, read. `chatId` `*`: every chat of the channel. */
  allowed: readonly Pick<Address, "channel" | "chatId">[];
};
export type Verdict =
  { ok: true; elsewhere: boolean } | { ok: false; why: string; setting: string };

/**
 * @param known messages of this chat were let in before, or its id is in an allow list. A stranger who only knocked is not known.
 */
export function mayReach(from: From, to: Chat, known: boolean, policy: ReachPolicy): Verdict {
  const { here, standing } = from;
  if (here && to.chatId && sameChat(here, to)) return { ok: true, elsewhere: false };
  const listed = policy.allowed.some(
    ({ channel, chatId }) =>
      channel === to.channel && (chatId === "*" || (chatId !== "" && chatId === to.chatId)),
  );
  if (listed) return { ok: true, elsewhere: true };
  const setting = `tools.message.allowTargets`;
  if (standing === "other")
    return { ok: false, why: "From this conversation only its own chat can be reached.", setting };
  if (here && here.channel !== to.channel && !policy.crossContext.allowAcrossProviders)
    return {
      ok: false,
      why: `From ${here.channel} no chat of ${to.channel} can be reached.`,
      setting: "tools.message.crossContext.allowAcrossProviders",
    };
  if (here && here.channel === to.channel && !policy.crossContext.allowWithinProvider)
    return {
      ok: false,
      why: "Other chats cannot be reached.",
      setting: "tools.message.crossContext.allowWithinProvider",
    };
  // Without a chat it is about the account as such (a directory), which the owner may ask for.
  if (!to.chatId || known) return { ok: true, elsewhere: true };
  return {
    ok: false,
    why: `${to.channel} chat ${to.chatId} has never been talked to and is in no allow list.`,
    setting,
  };
}

const sameChat = (a: Chat, b: Chat): boolean =>
  a.channel === b.channel && a.account === b.account && a.chatId === b.chatId;

/** What `messagesFor` needs of the running system for one turn; filled in messaging.ts. */
export type MessagesDeps = {
  /** The chat that is answered, when it is on a network. */
  here?: Address;
  standing: Standing;
  config(): MessageToolConfig;
  /** Accounts of networks that are configured, the default one of each channel first. */
  accounts(): { channel: string; account: string }[];
  /** What a person writes for "where to" on this channel. Throws `bad_request`. */
  target(channel: string, raw: string): Pick<Address, "chatId" | "threadId">;
  /** See `mayReach`. */
  known(to: Address): Promise<boolean>;
  /** channels/acting.ts */
  act(
    name: string,
    to: Address,
    params: Record<string, unknown>,
  ): Promise<{ action: string; result: unknown; text: string }>;
  attach: MessagesPort["attach"];
};

/** Actions that put text into a chat, so that a marker belongs there. */
const TEXTS: ReadonlySet<string> = new Set(["send", "thread-reply"]);
/** Most chats of one broadcast. */
const MAX_TARGETS = 50;

export function messagesFor(deps: MessagesDeps): MessagesPort {
  return {
    attach: deps.attach,
    act: (action, params) =>
      action === "broadcast" ? broadcast(deps, params) : actAt(deps, action, params),
  };
}

async function actAt(
  deps: MessagesDeps,
  action: string,
  { target, channel, accountId, ...params }: Record<string, unknown>,
): Promise<MessageResult> {
  const to = addressFor(deps, word(target), word(channel), word(accountId));
  const { elsewhere } = await check(deps, to);
  const done = await deps.act(action, to, elsewhere ? marked(deps, action, params) : params);
  return {
    text: elsewhere ? `${to.channel} ${to.chatId}: ${done.text}` : done.text,
    details: { action: done.action, to, result: done.result },
  };
}

async function broadcast(
  deps: MessagesDeps,
  { targets, target, ...params }: Record<string, unknown>,
): Promise<MessageResult> {
  if (!deps.config().broadcast.enabled)
    throw new AppError("forbidden", "Broadcasts are off.", {
      hint: "`tools.message.broadcast.enabled` turns them on.",
    });
  const list = [
    ...new Set(
      [targets, target]
        .flat()
        .map(word)
        .filter((each) => each !== undefined),
    ),
  ];
  if (list.length === 0)
    throw new AppError("bad_request", "A broadcast needs targets.", {
      hint: "Name them in targets.",
    });
  if (list.length > MAX_TARGETS)
    throw new AppError("bad_request", `At most ${MAX_TARGETS} targets at once.`);
  const results: { target: string; ok: boolean; said: string }[] = [];
  for (const each of list)
    try {
      const { text } = await actAt(deps, "send", { ...params, target: each });
      results.push({ target: each, ok: true, said: text });
    } catch (cause) {
      // One chat that cannot be reached is no reason to leave out the others.
      if (!(cause instanceof AppError)) throw cause;
      results.push({
        target: each,
        ok: false,
        said: cause.hint ? `${cause.message} ${cause.hint}` : cause.message,
      });
    }
  const good = results.filter(({ ok }) => ok).length;
  return {
    text: [
      `Sent to ${good} of ${results.length}.`,
      ...results.map(({ target: to, ok, said }) => `${to}: ${ok ? "sent" : said}`),
    ].join("\n"),
    details: { action: "broadcast", results },
  };
}

const word = (value: unknown): string | undefined =>
  (typeof value === "string" || typeof value === "number" ? String(value).trim() : "") || undefined;

/** Where an action goes: the named target, else the current chat. Throws `bad_request`. */
function addressFor(
  deps: MessagesDeps,
  target: string | undefined,
  channel: string | undefined,
  account: string | undefined,
): Address {
  const { here } = deps;
  const wanted = channel?.toLowerCase();
  const other = (wanted && wanted !== here?.channel) || (account && account !== here?.account);
  if (!target && here && !other) return withoutReply(here);
  const [at, chat] = channelOf(deps, target, wanted);
  const accounts = deps.accounts().filter((each) => each.channel === at);
  const named = account ?? (here?.channel === at ? here.account : accounts[0]?.account);
  if (named === undefined || !accounts.some((each) => each.account === named))
    throw new AppError("bad_request", `${at} has no account "${account ?? "default"}".`, {
      hint: accounts.length
        ? `There is: ${accounts.map((each) => each.account).join(", ")}.`
        : "It is not configured.",
    });
  return { channel: at, account: named, ...(chat ? deps.target(at, chat) : { chatId: "" }) };
}

/** `channel:42` names its channel; else the named one, that of the chat, or the only one there is. */
function channelOf(
  deps: MessagesDeps,
  target: string | undefined,
  wanted: string | undefined,
): [channel: string, chat: string | undefined] {
  const configured = [...new Set(deps.accounts().map(({ channel }) => channel))];
  const [, prefix, chat] = /^([a-z][a-z0-9-]*):(.+)$/is.exec(target ?? "") ?? [];
  const typed = prefix?.toLowerCase();
  if (typed && configured.includes(typed) && (!wanted || wanted === typed)) return [typed, chat];
  const at = wanted ?? deps.here?.channel ?? (configured.length === 1 ? configured[0] : undefined);
  if (at === undefined)
    throw new AppError(
      "bad_request",
      configured.length
        ? `Channel is required when multiple channels are configured: ${configured.join(", ")}`
        : "No channel is configured.",
    );
  if (!configured.includes(at))
    throw new AppError("bad_request", `There is no channel "${at.slice(0, 64)}" here.`, {
      hint: `Configured: ${configured.join(", ")}.`,
    });
  return [at, target];
}

const withoutReply = ({ replyToId: _, ...here }: Address): Address => here;

async function check(deps: MessagesDeps, to: Address): Promise<{ elsewhere: boolean }> {
  const { allowTargets, crossContext } = deps.config();
  const policy = { crossContext, allowed: allowedTargets(allowTargets, deps.target) };
  const from = { standing: deps.standing, ...(deps.here && { here: deps.here }) };
  const verdict = mayReach(from, to, to.chatId !== "" && (await deps.known(to)), policy);
  if (verdict.ok) return verdict;
  throw new AppError("forbidden", verdict.why, {
    hint: `The owner can allow it with \`${verdict.setting}\`; do not try another way.`,
  });
}

/** The entries of `tools.message.allowTargets` that can be read; another one allows nothing. */
export function allowedTargets(
  entries: readonly string[],
  target: MessagesDeps["target"],
): Pick<Address, "channel" | "chatId">[] {
  return entries.flatMap((entry) => {
    const [, channel, chat] = /^\s*([a-z][a-z0-9-]*)\s*:\s*(\S.*?)\s*$/is.exec(entry) ?? [];
    if (!channel || !chat) return [];
    const id = channel.toLowerCase();
    if (chat === "*") return [{ channel: id, chatId: "*" }];
    try {
      return [{ channel: id, chatId: target(id, chat).chatId }];
    } catch (cause) {
      // The list comes from a person; what the channel does not understand names no chat.
      if (!(cause instanceof AppError)) throw cause;
      return [];
    }
  });
}

/** People in another chat shall see that it was not said there. */
function marked(
  { here, config }: MessagesDeps,
  action: string,
  params: Record<string, unknown>,
): Record<string, unknown> {
  const { enabled, prefix, suffix } = config().crossContext.marker;
  const { message } = params;
  if (!enabled || !here || !TEXTS.has(action) || typeof message !== "string" || !message.trim())
    return params;
  const fill = (text: string) => text.replaceAll("{channel}", here.channel);
  return { ...params, message: `${fill(prefix)}${message}${fill(suffix)}` };
}
