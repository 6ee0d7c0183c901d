/** The first step of flow.ts: a message as its chat network has it, before any policy. Made by channels, read by everybody. */

/** Where a reply goes. The one value kept as a session's last route, in a cron job and in the message tool. */
export type Address = {
  channel: string;
  account: string;
  chatId: string;
  threadId?: string;
  replyToId?: string;
};
export type MediaRef = {
  kind: "image" | "audio" | "video" | "file";
  mime: string;
  /** Base64: small media travel inside the message. */
  data?: string;
  /** Or the name in the media store (media/store.ts), as `inbound/photo---5f1c.jpg`. */
  file?: string;
  /** Bytes. */
  size?: number;
  /** As its sender called it. */
  name?: string;
  /** A voice note, or a moving picture without sound, and not just a file. */
  as?: "voice" | "animation" | "sticker";
};

/** Who wrote. Only `id` is an identity: names and handles are chosen by strangers. */
export type Sender = {
  id: string;
  name?: string;
  handle?: string;
  bot?: true;
  /** The account that we are signed in with. */
  self?: true;
  roles?: string[];
};

/** What the platform says of a group, channel or thread; all of it written by strangers. */
export type Room = {
  title?: string;
  /** Label of the thread or forum topic. */
  thread?: string;
  /** The server that the channel belongs to. */
  space?: { id: string; name?: string };
  /** The channel that a thread belongs to. */
  parentId?: string;
  about?: string;
  members?: string[];
};

/** 1. What a channel saw: the platform's facts, no policy applied. `(from.channel, from.account, id)` is its identity. */
export type Inbound = {
  id: string;
  from: Address;
  chat: "dm" | "group" | "channel";
  sender: Sender;
  text: string;
  media: MediaRef[];
  /** The platform's own mention of us; a pressed button and a command that names us count. */
  mentioned: boolean;
  /** It mentions somebody else by the platform's own means, so words that look like our name mean nothing. */
  mentionsOthers?: true;
  /** `mine`: we wrote what is replied to. `part`: only a piece of it is quoted. */
  quoted?: { id: string; text: string; sender: string; mine?: true; part?: true };
  room?: Room;
  /** Facts for the model, a line each: forwarded from whom, a place, a file that was too large. */
  notes?: string[];
  /** What was said in the group since our last answer; filled in by the router. */
  before?: { id: string; sender: string; text: string; at: number }[];
  /** Picked from the platform's command menu; the answer goes back to the caller of `receive`. */
  command?: { name: string; args: string };
  /** Not a new message: what became of the earlier one `of`, or what happened in the chat (`text` says it). */
  event?: { kind: "edit" | "delete" | "reaction" | "system"; of?: string };
  /** What this one message asks of its turn; only a signed-in client can say it. */
  wish?: {
    sessionKey?: string;
    agentId?: string;
    thinking?: Thinking;
    timeoutMs?: number;
    instructions?: string;
  };
  at: number;
};

/** How much a model shall think before it answers. */
export type Thinking = "off" | "minimal" | "low" | "medium" | "high" | "xhigh";
