/**
 * A channel: one chat network. An adapter only converts between the platform's messages and flow.ts;
 * access policy, sessions, chunking, retry, dedupe and the back-off between starts belong to the core.
 * A new channel is a folder (config.ts, facts.ts, index.ts), a line in registry.ts, a fake in test/fakes and one call of the
 * contract suite.
 */
import type { z } from "zod";

import type { AppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Address, Inbound, MediaRef, Outbound, Receipt } from "../flow.ts";
import type { ChannelActions, CommandInfo } from "./action.ts";
import type { ChannelStatus } from "./status.ts";

/** What a running account may touch. A channel sees its own section of the config and nothing else. */
export interface ChannelContext<Config> {
  account: string;
  /** Of this account: its own keys over those of the channel. */
  config: Config;
  /** Reads one environment variable by its full name; for tokens. */
  env(name: string): string | undefined;
  /** Ends with the account; everything that waits listens to it. */
  signal: AbortSignal;
  log: Logger;
  /** False: only `send` and the actions are wanted (a command of the terminal), so nothing is read from the platform. */
  listen: boolean;
  /**
   * Resolves when the message is durable, so that the platform may be told; rejects with AppError when it was not taken, and then
   * the platform must not be told. `state` is stored in the same unit: the offset behind this message, the keys that decrypted it.
   */
  receive(inbound: Inbound, state?: Record<string, unknown>): Promise<Accepted>;
  /**
   * Whether its sender is let in and it is for us, as far as can be told without its files: asked before they are fetched, so that a
   * stranger cannot fill the disk. A message that is not wanted is received all the same, without them.
   */
  wants(inbound: Inbound): Promise<boolean>;
  /**
   * Says something in a session of the operators, whose chat id is its key; for the channel whose users are operators.
   * Gives the message's id, undefined when there is no such session.
   */
  say(sessionKey: string, text: string): Promise<string | undefined>;
  /** Folder in which the original kept files of this account; it need not be there. Never written. */
  legacyDir: string;
  /** Durable values of this account: offsets, keys, what was sent. */
  state: AccountState;
  media: AccountMedia;
  /** Tells the supervisor what is true now. Cheap; call it at every change. */
  status(patch: Partial<ChannelStatus>): void;
  /**
   * The account cannot go on. `channel_misconfigured` and `not_linked` stop it until the config or the link changes, everything
   * else is started again after a pause.
   */
  failed(error: AppError): void;
  /** The commands for the platform's own menu; empty when the menu shall be empty, undefined when it shall be left alone. */
  commands(): CommandInfo[] | undefined;
  /** The platform gave a chat another id: config, bindings and sessions follow. */
  moved(from: string, to: string): Promise<void>;
}

/** The answer to `receive`. */
export type Accepted = {
  runId: string;
  duplicate: boolean;
  /** Why nobody will answer. */
  dropped?: string;
  /** The text of an immediate answer; for `Inbound.command` the caller shows it, otherwise it is on its way already. */
  answer?: string;
};

export interface AccountState {
  get<T>(key: string): Promise<T | undefined>;
  /** All of `entries` or none; `undefined` removes. Durable when it resolves. */
  put(entries: Record<string, unknown>): Promise<void>;
  /** Keys that begin with `prefix`, in order. */
  keys(prefix: string): Promise<string[]>;
  /** Everything of this account. */
  clear(): Promise<void>;
}

export interface AccountMedia {
  /**
   * Writes what was received to the media store. Throws `media_too_large` (details: `maxBytes`) after `maxBytes`, and leaves
   * nothing behind then. The bytes decide the kind, `mime` only helps where they say nothing.
   */
  save(
    data: ReadableStream<Uint8Array> | Uint8Array,
    about: { mime?: string; name?: string; as?: MediaRef["as"]; maxBytes: number },
  ): Promise<MediaRef>;
  /** The bytes of what is to be sent. Throws `not_found`. */
  open(media: MediaRef): Promise<Blob>;
}

/** A started account. Required: send and stop. The rest is opt-in; presence is the capability. */
export interface ChannelAccount extends ChannelActions {
  /**
   * Sends once and resolves with the platform's message ids. `out.key` is the idempotency key for platforms that have one.
   * Throws `channel_rejected` (never retried) or `channel_unreachable` (retried after `retryAfterMs`).
   */
  send(out: Outbound): Promise<Receipt>;
  /** Resolves when nothing of it runs any more: no poll, no socket, no timer. A second call changes nothing. */
  stop(): Promise<void>;
  /** Idempotent; delivery repeats it every 6 s while a turn runs. */
  typing?(to: Address): Promise<void>;
  /** One round trip to the platform with the credential. */
  probe?(signal: AbortSignal): Promise<Probe>;
}
export type Probe = {
  ok: boolean;
  elapsedMs: number;
  /** One sentence: who we are there, or what is wrong and how to mend it. */
  detail: string;
  /** What the platform says, for `channels status --json`: `bot`, `webhook`, `application`. */
  facts?: Record<string, unknown>;
  warnings?: string[];
};

/** One account as the config and the environment describe it. */
export type AccountPlan<Config> = {
  id: string;
  name?: string;
  enabled: boolean;
  config: Config;
  /** `linked` says the store, not the config. `problem` names the setting to fix. */
  credential: {
    source: "config" | "env" | "tokenFile" | "linked" | "none";
    problem?: string;
  };
};

/** Who may talk, as this account's config says. Ids are canonical (`senderId`); `*` is everybody. */
export type AccessRules = {
  dmPolicy: "pairing" | "allowlist" | "open" | "disabled";
  allowFrom: readonly string[];
  groupPolicy: "open" | "allowlist" | "disabled";
  groupAllowFrom: readonly string[];
  /** What is said of this very group, channel, thread or topic; `unlisted` when only others are listed. */
  room: RoomRules | "unlisted";
  /** Messages of a group that are kept for context; 0 for none. */
  historyLimit: number;
  /** Also messages of bots. */
  bots: boolean;
};
export type RoomRules = {
  enabled: boolean;
  /** Instead of the sender list of all groups. */
  allowFrom?: readonly string[];
  requireMention: boolean;
  systemPrompt?: string;
  /** The first one that fits the sender. */
  tools?: { allow?: string[]; alsoAllow?: string[]; deny?: string[] };
};

/** What is known of a channel without its library: read by the router, the command line and the doctor. Pure and quick to load. */
export interface ChannelFacts<Config> {
  /** All accounts; the one without a name of its own is `default`. Empty when neither config nor environment name one. */
  accounts(
    section: Config | undefined,
    env: (name: string) => string | undefined,
  ): AccountPlan<Config>[];
  rules(config: Config, inbound: Inbound): AccessRules;
  /** The canonical form of an entry of an allow list; undefined when it is no stable id (a name, which anybody can take). */
  senderId(entry: string): string | undefined;
  /** The chat of a direct message to this sender. Absent: the sender's id is the chat's. */
  chatOf?(senderId: string): string;
  /** The line that tells a stranger their own id: `Your Telegram user id: 42`. */
  idLine(id: string): string;
  /** What a person writes for "where to". Throws `bad_request` with the forms that are understood. */
  target(raw: string): Pick<Address, "chatId" | "threadId">;
  /** The same back, for people and for `channels resolve`. */
  label?(to: Pick<Address, "chatId" | "threadId">): string;
  /** How one is added from the command line and in the wizard. */
  setup: ChannelSetup;
}

/** Written into the config by `channels add`. */
export type ChannelSetup = {
  /** The key that holds the secret, if there is one: `botToken`. */
  token?: { key: string; env: string; file?: string };
  /** Signs in by scanning or typing a code. */
  login?: true;
  /** Where to get the credential, one line each. */
  steps: string[];
  /** Page of the documentation, as `docs/channels/telegram.md`. */
  docs: string;
};

export interface Channel<Schema extends z.ZodType = z.ZodType> {
  id: string;
  config: Schema;
  /** Most characters and lines of one message, and of the text under a picture. */
  limits: { text: number; lines?: number; caption?: number };
  /** What delivery must produce for it. */
  render: "plain" | "markdown" | "html" | "whatsapp";
  /** Its users read the transcript itself, so an answer that is stored is delivered; nothing passes the outbox. */
  transcript?: boolean;
  /** The platform knows `Outbound.key`: the same message sent twice arrives once. */
  idempotent?: boolean;
  /**
   * Resolves when it has begun: connecting goes on behind it, and `ctx.status` tells. Throws `channel_misconfigured` (the message
   * names the setting), `not_linked`, or `channel_unreachable`.
   */
  start(ctx: ChannelContext<z.output<Schema>>): Promise<ChannelAccount>;
  /** Signs in; ends with `done` or `failed`. Never while the same account runs. */
  login?(ctx: LoginContext<z.output<Schema>>): AsyncIterable<LoginStep>;
  /** Signs out at the platform as far as that works, and removes what was kept. Gives whether there was something. */
  logout?(ctx: LoginContext<z.output<Schema>>): Promise<boolean>;
}

export type LoginContext<Config> = Pick<
  ChannelContext<Config>,
  "account" | "config" | "env" | "signal" | "log" | "state"
> & {
  /** Sign in anew although there is a link. */
  force: boolean;
  /** International number: ask for a code to type into the phone instead of a picture to scan. */
  phone?: string;
};
export type LoginStep =
  | { kind: "qr"; data: string }
  | { kind: "code"; code: string }
  | { kind: "wait"; text: string }
  | { kind: "done"; text: string }
  | { kind: "failed"; error: AppError };

export const channel = <S extends z.ZodType>(def: Channel<S>): Channel<S> => def;
