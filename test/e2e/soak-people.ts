/** Who writes in the soak, and what the platforms have seen of the answers: by platform, the same three questions asked of each. */
import type { FakeDiscord } from "../fakes/discord.ts";
import type { Telegram } from "../fakes/telegram.ts";
import { textOf, type WhatsApp } from "../fakes/whatsapp/index.ts";
import type { Section } from "./networks.ts";
import { phonesAskAgain } from "./soak-phones.ts";

/** Somebody in a chat. */
export type Writer = {
  platform: Section;
  /** The same for everybody in the chat. */
  chat: string;
  say(text: string): Promise<void>;
  /** The platform tells of their last message once more. */
  again(): void;
};
/** A message of the program, as it stands in its chat. */
export type Answer = { chat: string; text: string };
export type Side = {
  platform: Section;
  writers: Writer[];
  /** Ids of people, for a list of those who are trusted: every other one. */
  known: string[];
  /** Everything that the program wrote, in the order in which it came to each chat; as it reads now. */
  answers(): Answer[];
  /** What was written or changed since the last call; for those who wait. */
  news(): string[];
  /** How often somebody could not read a message and asked for it once more. */
  askedAgain?(): number;
  /** Called after everything that the platform hears. */
  watch(look: () => void): void;
};
export type SideOptions = { direct: number; groups: number; perGroup: number };

const everyOther = (list: string[]) => list.filter((_, i) => i % 2 === 0);

const never = (look: () => void) => () => {
  look();
  return false;
};

export function telegramSide(fake: Telegram, { direct, groups, perGroup }: SideOptions): Side {
  const writers: Writer[] = [];
  const people: string[] = [];
  const add = (person: ReturnType<Telegram["person"]>, before = "") => {
    let last: ReturnType<typeof person.text> | undefined;
    people.push(String(person.user.id));
    writers.push({
      platform: "telegram",
      chat: String(person.room.chat.id),
      async say(text) {
        last = person.text(`${before}${text}`);
      },
      again: () => last && person.again(last),
    });
  };
  for (let i = 0; i < direct; i++) add(fake.person(1_000 + i, { username: `direct${i}` }));
  for (let g = 0; g < groups; g++) {
    const group = fake.group(-1_001_000 - g, { title: `Group ${g}` });
    for (let i = 0; i < perGroup; i++)
      add(fake.person(2_000 + g * 100 + i, { username: `member${g}x${i}` }).in(group), "@my_bot ");
  }
  let seen = 0;
  return {
    ...{ platform: "telegram" as const, writers, known: everyOther(people) },
    answers: () =>
      [...fake.world.chats.values()].flatMap(({ chat, messages }) =>
        [...messages.values()]
          .filter((message) => message.from?.id === fake.world.bot.id)
          .map(({ text = "" }) => ({ chat: String(chat.id), text })),
      ),
    news() {
      const calls = fake.calls.slice(seen);
      seen = fake.calls.length;
      return calls
        .filter(({ method }) => method === "sendMessage" || method === "editMessageText")
        .map(({ params }) => String(params["text"]));
    },
    watch: (look) => void fake.until(never(look)),
  };
}

export function discordSide(fake: FakeDiscord, { direct, groups, perGroup }: SideOptions): Side {
  const writers: Writer[] = [];
  const people: string[] = [];
  type Person = ReturnType<FakeDiscord["person"]>;
  type Written = ReturnType<Person["dm"]>;
  const add = ({ id }: Person, chat: string, write: (text: string) => Written) => {
    let last: Written | undefined;
    people.push(id);
    writers.push({
      platform: "discord",
      chat,
      async say(text) {
        last = write(text);
      },
      again() {
        const channel = last && fake.world.channels.get(last.channel_id);
        if (!last || channel?.guild_id) return;
        fake.gateway.dispatch("MESSAGE_CREATE", { ...fake.world.shown(last), channel_type: 1 });
      },
    });
  };
  for (let i = 0; i < direct; i++) {
    const person = fake.person(`Direct ${i}`);
    add(person, fake.world.dm(person.id).id, (text) => person.dm(text));
  }
  for (let g = 0; g < groups; g++) {
    const members = Array.from({ length: perGroup }, (_, i) => fake.person(`Member ${g} ${i}`));
    const { channel } = fake.guild(`Server ${g}`, members, `room-${g}`);
    for (const person of members) add(person, channel.id, (text) => person.mention(channel, text));
  }
  let seen = 0;
  const bot = fake.world.self.id;
  return {
    ...{ platform: "discord" as const, writers, known: everyOther(people) },
    answers: () =>
      [...fake.world.messages].flatMap(([chat, rows]) =>
        rows.filter(({ author }) => author.id === bot).map(({ content: text }) => ({ chat, text })),
      ),
    news() {
      const sent = fake.sent.slice(seen);
      seen = fake.sent.length;
      return sent.map(({ content }) => content);
    },
    watch: (look) => void fake.until(never(look)),
  };
}

export function whatsappSide(fake: WhatsApp, { direct, groups, perGroup }: SideOptions): Side {
  const writers: Writer[] = [];
  const people: string[] = [];
  const phones = [fake.owner];
  for (let i = 0; i < direct; i++) {
    const person = fake.person(`Direct ${i}`);
    let last = "";
    people.push(person.id);
    phones.push(person);
    writers.push({
      platform: "whatsapp",
      chat: person.id,
      async say(text) {
        last = await fake.says(person, text);
      },
      again: () => void fake.world.redeliver(last),
    });
  }
  for (let g = 0; g < groups; g++) {
    const members = Array.from({ length: perGroup }, (_, i) => fake.person(`Member ${g} ${i}`));
    const group = fake.group(members, { subject: `Group ${g}` });
    for (const person of members) {
      let last = "";
      people.push(person.id);
      phones.push(person);
      writers.push({
        platform: "whatsapp",
        chat: group.id,
        async say(text) {
          const contextInfo = { mentionedJid: [fake.owner.lidJid] };
          const message = { extendedTextMessage: { text: `@you ${text}`, contextInfo } };
          last = await fake.says(person, message, { group });
        },
        again: () => void fake.world.redeliver(last),
      });
    }
  }
  const asked = phonesAskAgain(fake, phones);
  let seen = 0;
  return {
    askedAgain: () => asked.count,
    ...{ platform: "whatsapp" as const, writers, known: everyOther(people) },
    answers: () =>
      fake.world.delivered
        .map(({ to, message }) => ({ chat: to, text: textOf(message) }))
        .filter(({ text }) => text),
    news() {
      const sent = fake.world.delivered.slice(seen);
      seen = fake.world.delivered.length;
      return [...sent, ...asked.late.splice(0)].map(({ message }) => textOf(message));
    },
    watch: (look) => void fake.world.until(never(look)),
  };
}
