/** What the fake of Telegram remembers: chats, messages, files, and the updates that the bot has not confirmed. */
import type { Chat, Message, Update, User } from "grammy/types";

import { plainEntities } from "./telegram-html.ts";

export type FakeChat = {
  chat: Chat;
  messages: Map<number, Message>;
  topics: Map<number, string>;
  /** The person has stopped the bot. */
  blocked: boolean;
  /** The person takes no voice notes. */
  noVoice: boolean;
  bot: "member" | "administrator" | "left";
  /** The id of the supergroup that it became. */
  movedTo?: number;
  /** Supergroups count their own messages. */
  next: number;
};
/** `bytes` undefined: a file so large that the bot may not have it. */
export type FakeFile = { id: string; path: string; bytes: Uint8Array | undefined; size: number };
type UpdateBody = Omit<Update, "update_id">;

export class World {
  readonly chats = new Map<number, FakeChat>();
  readonly files = new Map<string, FakeFile>();
  readonly queries = new Set<string>();
  queue: Update[] = [];
  allowed: readonly string[] = [];
  /** Called when an update waits. */
  onUpdate: () => void = () => undefined;
  private updateId = 1000;
  private messageId = 0;

  constructor(readonly bot: User & Record<string, unknown>) {}

  open(chat: Chat): FakeChat {
    const found = this.chats.get(chat.id);
    if (found) return found;
    const made: FakeChat = {
      chat,
      messages: new Map(),
      topics: new Map(chat.is_forum ? [[1, "General"]] : []),
      blocked: false,
      noVoice: false,
      bot: "member",
      // The number of General, which no message has.
      next: chat.is_forum ? 2 : 1,
    };
    this.chats.set(chat.id, made);
    return made;
  }

  /** A message in the chat, with its number. */
  write(room: FakeChat, body: Partial<Message>, at = Date.now()): Message {
    const message_id = room.chat.type === "supergroup" ? room.next++ : ++this.messageId;
    const message = {
      message_id,
      date: Math.floor(at / 1000),
      chat: room.chat,
      ...body,
    } as Message;
    room.messages.set(message_id, message);
    return message;
  }

  /** A person's message, and the update that tells of it. */
  say(room: FakeChat, from: User, body: Partial<Message>): Message {
    const words = body.text ?? body.caption;
    const marks = words === undefined ? [] : plainEntities(words);
    const key = body.text === undefined ? "caption_entities" : "entities";
    const message = this.write(room, {
      from,
      ...(marks.length > 0 && { [key]: marks as never }),
      ...body,
    });
    this.push({ message: message as never });
    return message;
  }

  /** Tells the bot, unless it did not ask for such updates. */
  push(body: UpdateBody): Update | undefined {
    const kind = Object.keys(body)[0]!;
    const byDefault = !["chat_member", "message_reaction", "message_reaction_count"].includes(kind);
    if (this.allowed.length > 0 ? !this.allowed.includes(kind) : !byDefault) return undefined;
    const update = { update_id: this.updateId++, ...body } as Update;
    this.queue.push(update);
    this.onUpdate();
    return update;
  }

  /** The numbering begins anew, as after a week without an update. */
  renumber(from: number): void {
    this.updateId = from;
  }

  get lastUpdate(): number {
    return this.updateId - 1;
  }

  file(
    bytes: Uint8Array | number,
    name: string,
  ): { file_id: string; file_unique_id: string; file_size: number } {
    const id = `file-${this.files.size + 1}`;
    const size = typeof bytes === "number" ? bytes : bytes.byteLength;
    const path = `documents/${id}/${name}`;
    this.files.set(id, { id, path, size, bytes: typeof bytes === "number" ? undefined : bytes });
    return { file_id: id, file_unique_id: `u${id}`, file_size: size };
  }
}
