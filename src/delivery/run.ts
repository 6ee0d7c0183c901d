/** What delivery has to know of a run while it goes on; filled in where parts meet. */
import type { AppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../base/time.ts";
import type { ChannelAccount } from "../channels/channel.ts";
import type { Address, Inbound, Trust, TurnStatus } from "../flow.ts";
import type { Store } from "../store/store.ts";
import type { BlockSettings } from "./blocks.ts";
import type { Delivery } from "./outbox.ts";

export type LiveDeps = {
  store: Store;
  clock: Clock;
  log: Logger;
  delivery: Pick<Delivery, "rowsFor" | "target" | "after" | "blocked" | "wake">;
  /** The running account; throws `channel_unreachable` for one that does not run. */
  account(to: Address): ChannelAccount;
  /** As the config says for this chat and agent. */
  settings(run: Run): LiveSettings;
  redact(text: string): string;
  random?(): number;
};

/** One run, as far as its chat is concerned. `ActiveRun.turn` has all of it. */
export type Run = {
  runId: string;
  /** Counts from 1; more after a crash. */
  attempt: number;
  agentId: string;
  reply: Address;
  inbound: Inbound;
  /** What the router found of the sender. */
  trust?: Trust;
  /** Ids of all turns that it answers, its own among them. */
  answers?: readonly string[];
};
export type RunEnd = { status: TurnStatus; text: string; error?: AppError };

export type LiveSettings = {
  /** Undefined: `instant` in direct messages and for whoever mentions us, else `message`. */
  typing?: "never" | "instant" | "thinking" | "message";
  typingEveryMs: number;
  /** Previews: `partial` word by word, `block` by paragraphs. Only where the channel can change a message. */
  stream: "off" | "partial" | "block";
  draft: Pick<BlockSettings, "minChars" | "maxChars" | "prefer">;
  /** Paragraphs as messages of their own; then there is no preview. Undefined: off. */
  blocks?: BlockSettings;
  /** `responsePrefix` as configured, and what it may name. */
  prefix?: string;
  identity?: string;
  thinking?: string;
  /** Where `MEDIA:./…` is looked for. Undefined where the agent may not read files: then it sends none either. */
  workspace?: string;
};

/** For a broadcast each agent has a copy of the message, with its own id behind that of the platform. */
export const messageId = ({ id }: Inbound): string => id.replace(/#[a-z0-9][a-z0-9_-]*$/, "");
