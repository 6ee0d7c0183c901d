/** What an account can do besides sending, each if its platform has it. The `message` tool, `clawdbot message` and the RPC read this table. */
import type { Address, Receipt } from "../flow.ts";

export type Poll = {
  question: string;
  options: string[];
  /** How many options one person may choose; 1 or more. */
  maxSelections: number;
  /** Undefined: as long as the platform likes. */
  durationHours?: number;
};

/** A message that is already there. */
export type ChatMessage = {
  id: string;
  text: string;
  sender: { id: string; name?: string };
  at: number;
  /** Ours. */
  mine?: boolean;
  attachments?: { name?: string; url?: string; mime?: string }[];
};
export type ReadQuery = { limit: number; before?: string; after?: string; around?: string };
export type Found = { id: string; name: string; kind: "user" | "group" | "channel"; note?: string };

/** Every method throws `channel_rejected` or `channel_unreachable`. Rendered text and its plain form, as in Outbound. */
export interface ChannelActions {
  edit?(to: Address, id: string, text: { text: string; plain: string }): Promise<void>;
  remove?(to: Address, id: string): Promise<void>;
  /** An empty emoji takes ours away. `sender`: who wrote the message, where the platform wants to know. */
  react?(
    to: Address,
    id: string,
    emoji: string,
    sender?: { id?: string; mine?: boolean },
  ): Promise<void>;
  reactions?(to: Address, id: string): Promise<{ emoji: string; count: number; users: string[] }[]>;
  poll?(to: Address, poll: Poll): Promise<Receipt & { pollId?: string }>;
  pin?(to: Address, id: string): Promise<void>;
  unpin?(to: Address, id: string): Promise<void>;
  pins?(to: Address): Promise<ChatMessage[]>;
  /** Newest first. */
  read?(to: Address, query: ReadQuery): Promise<ChatMessage[]>;
  search?(
    to: Address,
    query: { text: string; authorIds?: string[]; limit: number },
  ): Promise<ChatMessage[]>;
  sticker?(to: Address, id: string): Promise<Receipt>;
  threadCreate?(
    to: Address,
    thread: { name: string; messageId?: string; archiveMinutes?: number },
  ): Promise<Address>;
  threads?(to: Address, archived: boolean): Promise<Found[]>;
  permissions?(to: Address): Promise<{ granted: string[]; missing: string[] }>;
  member?(to: Address, userId: string): Promise<Record<string, unknown>>;
  /** People and chats whose name or id has `query` in it. */
  directory?(query: string, kind: "user" | "group" | "any"): Promise<Found[]>;
}

/** One command of the platform's own menu. */
export type CommandInfo = {
  name: string;
  description: string;
  args: { name: string; description: string; required: boolean; choices?: string[] }[];
};
