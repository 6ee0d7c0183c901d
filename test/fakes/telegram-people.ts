/** People and groups of the fake of Telegram: what they do becomes updates, as the platform would make them. */
import type { Chat, Message, Update, User } from "grammy/types";

import type { FakeChat, World } from "./telegram-world.ts";

type Body = Partial<Message>;
/** A picture of one pixel, which every program takes for one. */
export const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

export class Person {
  readonly room: FakeChat;
  private groups = 0;

  /** @param place where they write; unset: to the bot itself */
  constructor(
    readonly world: World,
    readonly user: User,
    place?: FakeChat,
    private readonly thread?: number,
  ) {
    const { id, first_name, username } = user;
    this.room = place ?? world.open({ id, type: "private", first_name, username } as Chat);
  }

  /** The same person in a group, or in a topic of it. */
  in(group: Group, thread?: number): Person {
    return new Person(this.world, this.user, group.room, thread);
  }

  text(text: string, more: Body = {}): Message {
    return this.say({ text, ...more });
  }

  /** The platform tells of it once more, with a number of its own. */
  again(message: Message): void {
    this.world.push({ message: message as never });
  }

  say(body: Body): Message {
    const topic = this.thread === undefined ? {} : inTopic(this.room, this.thread);
    return this.world.say(this.room, this.user, { ...topic, ...body });
  }

  photo(caption?: string, bytes: Uint8Array = PNG): Message {
    return this.say({ ...picture(this.world, bytes), ...(caption !== undefined && { caption }) });
  }

  /** `size` alone: a file so large that the bot cannot have it. */
  document(name: string, bytes: Uint8Array | number, more: Body = {}): Message {
    const file = { ...this.world.file(bytes, name), file_name: name };
    return this.say({ document: file, ...more });
  }

  album(captions: (string | undefined)[]): Message[] {
    const media_group_id = `album-${this.user.id}-${++this.groups}`;
    return captions.map((caption) =>
      this.say({
        media_group_id,
        ...picture(this.world, PNG),
        ...(caption !== undefined && { caption }),
      }),
    );
  }

  edit(message: Message, text: string): void {
    Object.assign(message, { text, edit_date: Math.floor(Date.now() / 1000) });
    this.world.push({ edited_message: message as never });
  }

  react(message: Pick<Message, "message_id" | "chat">, added: string[], had: string[] = []): void {
    const list = (emoji: string[]) =>
      emoji.map((each) => ({ type: "emoji", emoji: each }) as never);
    this.world.push({
      message_reaction: {
        chat: message.chat,
        message_id: message.message_id,
        user: this.user,
        date: Math.floor(Date.now() / 1000),
        old_reaction: list(had),
        new_reaction: list([...had, ...added]),
      },
    });
  }

  /** Presses the button with this text under a message. Gives the query's id. */
  press(message: Message, text: string): string {
    const rows = (message.reply_markup?.inline_keyboard ?? []) as {
      text: string;
      callback_data?: string;
    }[][];
    const button = rows.flat().find((each) => each.text === text);
    const id = `query-${this.world.lastUpdate}`;
    this.world.queries.add(id);
    this.world.push({
      callback_query: {
        id,
        from: this.user,
        chat_instance: "1",
        message: message as never,
        data: button?.callback_data,
      } as never,
    });
    return id;
  }

  block(): Update | undefined {
    this.room.blocked = true;
    return this.world.push({ my_chat_member: this.membership("member", "kicked") as never });
  }

  private membership(old: string, now: string) {
    return {
      chat: this.room.chat,
      from: this.user,
      date: Math.floor(Date.now() / 1000),
      old_chat_member: { user: this.world.bot, status: old },
      new_chat_member: { user: this.world.bot, status: now, until_date: 0 },
    };
  }
}

export class Group {
  readonly room: FakeChat;
  constructor(
    readonly world: World,
    readonly id: number,
    {
      title = "The group",
      forum = false,
      basic = false,
    }: { title?: string; forum?: boolean; basic?: boolean },
  ) {
    const type = basic ? "group" : "supergroup";
    this.room = world.open({ id, type, title, ...(forum && { is_forum: true }) } as Chat);
  }

  /** A new topic; gives its number. */
  topic(name: string): number {
    const { message_id } = this.world.write(this.room, {
      forum_topic_created: { name, icon_color: 1 },
    });
    this.room.topics.set(message_id, name);
    return message_id;
  }

  /** It becomes a supergroup with another id. */
  upgrade(to: number, by: Person): Group {
    const next = new Group(this.world, to, { title: this.room.chat.title ?? "" });
    this.world.say(this.room, by.user, { migrate_to_chat_id: to });
    this.room.movedTo = to;
    this.world.say(next.room, by.user, { migrate_from_chat_id: this.id });
    return next;
  }
}

const picture = (world: World, bytes: Uint8Array): Body => ({
  photo: [
    { ...world.file(bytes, "small.png"), width: 10, height: 10 },
    { ...world.file(bytes, "large.png"), width: 100, height: 100 },
  ],
});

/** In a topic the platform makes every message that answers nothing an answer to the topic's first one. */
function inTopic(room: FakeChat, thread: number): Body {
  if (thread === 1) return {};
  const first = room.messages.get(thread);
  return {
    message_thread_id: thread,
    is_topic_message: true,
    ...(first && { reply_to_message: first as never }),
  };
}
