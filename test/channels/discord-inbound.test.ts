/** What people do on Discord, as the channel hands it over. */
import { expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import { MemoryState } from "../contract/platform.ts";
import { withDiscord } from "./discord-rig.ts";

test("a direct message says who wrote it and where an answer goes", () =>
  withDiscord(async ({ ann, next }) => {
    const sent = ann.dm("hi");
    expect(await next(1)).toMatchObject({
      id: sent.id,
      chat: "dm",
      from: { channel: "discord", account: "default", chatId: `user:${ann.id}` },
      sender: { id: ann.id, name: "Ann", handle: "ann" },
      text: "hi",
      mentioned: false,
    });
  }));

test("a message in a server has its channel, topic, server and the roles of its author", () =>
  withDiscord(async ({ ann, guild, room, next }) => {
    guild.members.set(ann.id, {
      roles: ["4242"],
      nick: "Annie",
      joined_at: "2024-01-01T00:00:00Z",
    });
    ann.mention(room, "what is new?");
    const inbound = await next(1);
    expect(inbound).toMatchObject({
      chat: "channel",
      mentioned: true,
      from: { chatId: room.id },
      sender: { name: "Annie", roles: ["4242"] },
      room: { title: "general", about: "All about general", space: { id: guild.id, name: "Home" } },
    });
    expect(inbound.mentionsOthers).toBeUndefined();
  }));

test("everybody, a role and another person are no mention of us; a reply to us is one", () =>
  withDiscord(async ({ ann, fake, room, next, account, to }) => {
    const bob = fake.person("Bob");
    ann.say(room, "@everyone wake up");
    expect(await next(1)).toMatchObject({ mentioned: false });
    ann.say(room, "<@&123456789012345678> hello");
    expect(await next(2)).toMatchObject({ mentioned: false, mentionsOthers: true });
    ann.say(room, `<@${bob.id}> hello`);
    expect(await next(3)).toMatchObject({ mentioned: false, mentionsOthers: true });
    const mine = await account.send({
      to: to(room.id),
      text: "I said it",
      plain: "",
      media: [],
      key: "a",
    });
    ann.reply(fake.world.find(room.id, mine.ids[0]!)!, "did you?", false);
    expect(await next(4)).toMatchObject({
      mentioned: true,
      quoted: { id: mine.ids[0]!, text: "I said it", sender: "clawd", mine: true },
    });
    const his = bob.say(room, "something");
    await next(5);
    ann.reply(his, "yes");
    const reply = await next(6);
    expect(reply).toMatchObject({
      mentioned: false,
      mentionsOthers: true,
      quoted: { text: "something" },
    });
    expect(reply.quoted!.mine).toBeUndefined();
  }));

test("our own messages are not heard; bots and webhooks are marked", () =>
  withDiscord(async ({ ann, fake, room, received, next, account, to }) => {
    await account.send({ to: to(room.id), text: "mine", plain: "", media: [], key: "a" });
    fake.person("Robo", { bot: true }).say(room, "beep");
    expect(await next(1)).toMatchObject({ text: "beep", sender: { bot: true } });
    ann.say(room, "by hook", { more: { webhook_id: "123456789012345678" } });
    expect(await next(2)).toMatchObject({ sender: { bot: true } });
    expect(received.map(({ text }) => text)).not.toContain("mine");
  }));

test("a thread has its name, its parent and how it began; a post of a forum too", () =>
  withDiscord(async ({ ann, fake, guild, room, next }) => {
    const root = ann.say(room, "a long story");
    await next(1);
    const thread = fake.world.thread(room, "The story", ann.id, root.id);
    fake.gateway.dispatch("THREAD_CREATE", { ...thread });
    ann.mention(thread, "go on");
    expect(await next(2)).toMatchObject({
      from: { chatId: thread.id },
      room: { title: "general", thread: "The story", parentId: room.id },
      notes: ["the thread began with, from Ann: a long story"],
    });
    ann.mention(thread, "and then?");
    expect((await next(3)).notes).toBeUndefined();
    const forum = fake.channel({ type: 15, guild_id: guild.id, name: "help" });
    const { first } = ann.thread(forum, "It does not work", "At all");
    expect(await next(4)).toMatchObject({
      id: first.id,
      text: "At all",
      room: { title: "help", thread: "It does not work", parentId: forum.id },
      notes: ["forum: #help"],
    });
  }));

test("files are fetched, and those that are too large or from elsewhere are named", () =>
  withDiscord(
    async ({ ann, next }) => {
      const png = Buffer.from("89504e470d0a1a0a0000", "hex");
      ann.dm("look", {
        attachments: [
          { name: "a.png", bytes: png, type: "image/png" },
          { name: "huge.bin", bytes: "x", size: 9_000_000 },
          { name: "liar.bin", bytes: "x".repeat(3_000_000), size: 10 },
          { name: "evil.txt", bytes: "x", url: "http://169.254.169.254/latest" },
          { name: "evil2.txt", bytes: "x", url: "https://cdn.discordapp.com.evil.example/a" },
          { name: "evil3.txt", bytes: "x", url: "https://cdn.discordapp.com@evil.example/a" },
        ],
      });
      const { media, notes, text } = await next(1);
      expect(text).toBe("look");
      expect(media).toMatchObject([{ kind: "image", mime: "image/png", name: "a.png", size: 10 }]);
      expect(notes).toEqual([
        "a file was too large: huge.bin, 9 MB; at most 2 MB",
        "a file was too large: liar.bin, more than 2 MB; at most 2 MB",
        "a file was not fetched: evil.txt",
        "a file was not fetched: evil2.txt",
        "a file was not fetched: evil3.txt",
      ]);
    },
    { config: { mediaMaxMb: 2 } },
  ));

test("files of whom nobody lets in are not fetched", () =>
  withDiscord(
    async ({ ann, room, next }) => {
      ann.say(room, "look", { attachments: [{ name: "a.txt", bytes: "hello" }] });
      expect(await next(1)).toMatchObject({ media: [], notes: ["a file was not fetched: a.txt"] });
    },
    { over: { wants: async () => false } },
  ));

test("a voice message, a sticker, a preview, a poll and a forwarded command", () =>
  withDiscord(async ({ ann, next }) => {
    ann.dm("", {
      attachments: [{ name: "voice-message.ogg", bytes: "OggS....", type: "audio/ogg" }],
      more: { flags: 1 << 13 },
    });
    expect(await next(1)).toMatchObject({ text: "", media: [{ as: "voice" }] });
    ann.dm("", { more: { sticker_items: [{ id: "1", name: "Wave", format_type: 1 }] } });
    expect(await next(2)).toMatchObject({ text: "<media:sticker> Wave" });
    ann.dm("", { more: { embeds: [{ title: "News", description: "Much happened" }] } });
    expect(await next(3)).toMatchObject({ text: "News\nMuch happened" });
    ann.dm("", {
      more: { poll: { question: { text: "Tea?" }, answers: [{ poll_media: { text: "Yes" } }] } },
    });
    expect(await next(4)).toMatchObject({ text: "[Poll] Tea?\n- Yes" });
    ann.dm("", {
      more: {
        message_reference: { type: 1, message_id: "1", channel_id: "2" },
        message_snapshots: [{ message: { content: "/restart now" } }],
      },
    });
    expect(await next(5)).toMatchObject({
      text: "[Forwarded message]",
      notes: ["forwarded message: /restart now"],
    });
  }));

test("an edit, a removal and a reaction are events of the message", () =>
  withDiscord(
    async ({ ann, fake, room, received, next, account, to }) => {
      const message = ann.dm("helo");
      await next(1);
      // A preview that arrives is no edit.
      fake.gateway.dispatch("MESSAGE_UPDATE", {
        ...fake.world.shown(message),
        embeds: [{ title: "x" }],
      });
      ann.edit(message, "hello");
      expect(await next(2)).toMatchObject({
        text: "hello",
        event: { kind: "edit", of: message.id },
        sender: { id: ann.id },
        from: { chatId: `user:${ann.id}` },
      });
      ann.delete(message);
      expect(await next(3)).toMatchObject({
        event: { kind: "delete", of: message.id },
        sender: { id: ann.id },
        from: { chatId: `user:${ann.id}` },
      });
      const other = ann.say(room, "not ours");
      await next(4);
      ann.react(other, "🎉");
      const mine = await account.send({
        to: to(room.id),
        text: "ours",
        plain: "",
        media: [],
        key: "a",
      });
      const ours = fake.world.find(room.id, mine.ids[0]!)!;
      ann.react(ours, "👍");
      expect(await next(5)).toMatchObject({
        text: `Discord reaction added: 👍 by ann on Home #general msg ${ours.id} from you`,
        event: { kind: "reaction", of: ours.id },
        sender: { id: ann.id },
      });
      ann.react(ours, "👍", "REMOVE");
      expect((await next(6)).text).toStartWith("Discord reaction removed: 👍 by ");
      const ids = received.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
    },
    { config: { guilds: { "*": { reactionNotifications: "own" } } } },
  ));

test("reactions are told as the server's entry says", () =>
  withDiscord(
    async ({ ann, fake, guild, room, received, next }) => {
      const { channel: quiet } = fake.guild("Quiet", [ann]);
      const here = ann.say(room, "one");
      const there = ann.say(quiet, "two");
      await next(2);
      fake.person("Bob").react(here, "🎉");
      ann.react(there, "🎉");
      ann.react(here, "🎉");
      ann.dm("end");
      await next(4);
      const told = received.filter(({ event }) => event?.kind === "reaction");
      expect(told.map(({ sender }) => sender.id)).toEqual([ann.id]);
      expect(told[0]!.room?.space?.id).toBe(guild.id);
    },
    {
      before: (fake) => {
        const [home] = [...fake.world.guilds.values()];
        const [ann] = [...fake.world.users.values()].filter(({ username }) => username === "ann");
        listed[home!.id] = { reactionNotifications: "allowlist", users: [ann!.id] };
        listed["*"] = { reactionNotifications: "off" };
      },
      config: { guilds: listed },
    },
  ));
const listed: Record<string, unknown> = {};

test("what the platform says of a chat is a system event", () =>
  withDiscord(async ({ ann, room, next }) => {
    ann.say(room, "", { more: { type: 7 } });
    expect(await next(1)).toMatchObject({
      text: "Discord system: Ann joined the server in Home #general",
      event: { kind: "system" },
    });
  }));

test("a group conversation is a group", () =>
  withDiscord(async ({ ann, fake, next }) => {
    const bob = fake.person("Bob");
    const group = fake.world.channel({ type: 3, name: "Trip", recipients: [ann.user, bob.user] });
    ann.say(group, "where to?");
    expect(await next(1)).toMatchObject({
      chat: "group",
      from: { chatId: group.id },
      room: { title: "Trip", members: ["Ann", "Bob"] },
    });
  }));

test("what is not taken is offered again, in order, and others do not wait for it", async () => {
  const taken: string[] = [];
  const all = Promise.withResolvers<void>();
  let refusals = 3;
  await withDiscord(
    async ({ ann, fake, room }) => {
      ann.dm("one");
      ann.dm("two");
      ann.say(room, "elsewhere");
      fake.person("Bob").dm("three");
      await all.promise;
      expect(taken.filter((text) => text === "one" || text === "two")).toEqual(["one", "two"]);
      expect(taken.indexOf("elsewhere")).toBeLessThan(taken.indexOf("one"));
    },
    {
      over: {
        async receive(inbound) {
          if (inbound.text === "one" && refusals-- > 0)
            throw new AppError("busy", "Not now.", { retryAfterMs: 20 });
          taken.push(inbound.text);
          if (taken.length === 4) all.resolve();
          return { runId: inbound.id, duplicate: false };
        },
      },
    },
  );
});

test("an answer in a thread of its own: opened with the first thing that is sent, and only then", () =>
  withDiscord(
    async ({ ann, fake, room, next, account, state }) => {
      ann.say(room, "not to you");
      expect((await next(1)).from.chatId).toBe(room.id);
      const asked = ann.mention(room, "please\nhelp  me");
      const inbound = await next(2);
      expect(inbound).toMatchObject({ from: { chatId: asked.id }, room: { parentId: room.id } });
      expect(fake.world.channels.has(asked.id)).toBe(false);
      await account.typing!(inbound.from);
      expect(fake.world.channels.has(asked.id)).toBe(false);
      await account.send({ to: inbound.from, text: "sure", plain: "", media: [], key: "1" });
      await account.send({ to: inbound.from, text: "done", plain: "", media: [], key: "2" });
      const thread = fake.world.channels.get(asked.id)!;
      expect(thread).toMatchObject({ name: "please help me", parent_id: room.id });
      expect(fake.world.messages.get(thread.id)!.map(({ content }) => content)).toEqual([
        "sure",
        "done",
      ]);
      expect(await state.keys("thread/")).toEqual([]);
      ann.say(thread, "thanks");
      expect(await next(3)).toMatchObject({ mentioned: true, from: { chatId: thread.id } });
    },
    { config: { guilds: { "*": { channels: { general: { autoThread: true } } } } } },
  ));

test("no thread is planned for a message that nobody answers", async () => {
  const state = new MemoryState();
  const planned: string[] = [];
  const end = Promise.withResolvers<void>();
  await withDiscord(
    async ({ ann, room }) => {
      const message = ann.mention(room, "let me in");
      ann.say(room, "and this");
      await end.promise;
      expect(planned).toEqual([`thread/${message.id}`]);
      expect(await state.keys("thread/")).toEqual([]);
    },
    {
      config: { guilds: { "*": { channels: { "*": { autoThread: true } } } } },
      over: {
        state,
        async receive({ text, id }, values = {}) {
          await state.put(values);
          planned.push(...(await state.keys("thread/")));
          if (text === "and this") end.resolve();
          return { runId: id, duplicate: false, dropped: "not_allowed" };
        },
      },
    },
  );
});
