/**
 * A channel: one chat network. An adapter only converts between the platform's messages and flow.ts;
 * access policy, sessions, chunking, retry, dedupe and reconnect back-off belong to the core.
 * A new channel is a folder (config.ts, index.ts), a line in registry.ts, a fake in test/fakes and one call of the contract suite.
 */
import type { z } from "zod";

import type { Logger } from "../base/log.ts";
import type { Address, Inbound, Outbound, Receipt } from "../flow.ts";

/** What a running account may touch. A channel sees its own section of the config and nothing else. */
export interface ChannelContext<Config> {
  account: string;
  config: Config;
  signal: AbortSignal;
  log: Logger;
  /** Resolves when the message is durable, so a webhook may be acknowledged; rejects with AppError when it was not taken. */
  receive(inbound: Inbound): Promise<Accepted>;
  /**
   * Says something in a session of the operators, whose chat id is its key; for the channel whose users are operators.
   * Gives the message's id, undefined when there is no such session.
   */
  say(sessionKey: string, text: string): Promise<string | undefined>;
}

/** The answer to `receive`: the turn that will answer, or none when the router dropped or answered at once. */
export type Accepted = { runId: string; duplicate: boolean; dropped?: string };

/** A started account. Required: send and stop. The rest is opt-in; presence is the capability. */
export interface ChannelAccount {
  /**
   * Sends once and resolves with the platform's message ids. `out.key` is the idempotency key for platforms that have one.
   * Throws `channel_rejected` (never retried) or `channel_unreachable` (retried after `retryAfterMs`).
   */
  send(out: Outbound): Promise<Receipt>;
  stop(): Promise<void>;
  /** Idempotent; delivery repeats it while a turn runs. */
  typing?(to: Address): Promise<void>;
}

export interface Channel<Schema extends z.ZodType = z.ZodType> {
  id: string;
  config: Schema;
  /** Most characters of one message. */
  limits: { text: number };
  /** What delivery must produce for it. */
  render: "plain" | "markdown" | "html" | "whatsapp";
  /** Its users read the transcript itself, so an answer that is stored is delivered; nothing passes the outbox. */
  transcript?: boolean;
  start(ctx: ChannelContext<z.output<Schema>>): Promise<ChannelAccount>;
}

export const channel = <S extends z.ZodType>(def: Channel<S>): Channel<S> => def;
