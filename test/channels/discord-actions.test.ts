/** What the assistant can do on Discord besides sending, the menu of commands, and the probe. */
import { expect, test } from "bun:test";

import type { CommandInfo } from "../../src/channels/action.ts";
import { MemoryState } from "../contract/platform.ts";
import { out, refusal, withDiscord } from "./discord-rig.ts";

test("edit, remove, read", () =>
  withDiscord(async ({ fake, ann, room, account, to }) => {
    ann.say(room, "first");
    const { ids } = await account.send(out(to(room.id), "second"));
    await account.edit!(to(room.id), ids[0]!, { text: "changed", plain: "changed" });
    const read = await account.read!(to(room.id), { limit: 500 });
    expect(read.map(({ text, mine, sender }) => [text, mine, sender.name])).toEqual([
      ["changed", true, "clawd"],
      ["first", undefined, "Ann"],
    ]);
    expect(await account.read!(to(room.id), { limit: 1, before: ids[0]! })).toMatchObject([
      { text: "first" },
    ]);
    await account.remove!(to(room.id), ids[0]!);
    expect(await account.read!(to(room.id), { limit: 10 })).toHaveLength(1);
    const gone = await refusal(account.remove!(to(room.id), ids[0]!));
    expect(gone).toMatchObject({ code: "channel_rejected" });
    expect(gone.text).toContain("does not exist any more");
    const foreign = await refusal(
      account.edit!(to(room.id), read[1]!.id, { text: "x", plain: "x" }),
    );
    expect(foreign.text).toContain("Somebody else wrote");
    expect(fake.problems).toEqual([]);
  }));

test("reactions: set, seen, taken back", () =>
  withDiscord(async ({ fake, ann, room, account, to }) => {
    const message = ann.say(room, "good?");
    ann.react(message, "👍");
    await account.react!(to(room.id), message.id, "👍");
    await account.react!(to(room.id), message.id, "<:claw:123456789012345678>");
    expect(await account.reactions!(to(room.id), message.id)).toEqual([
      { emoji: "👍", count: 2, users: [ann.id, fake.world.self.id] },
      { emoji: "claw:123456789012345678", count: 1, users: [fake.world.self.id] },
    ]);
    await account.react!(to(room.id), message.id, "");
    expect(await account.reactions!(to(room.id), message.id)).toMatchObject([
      { emoji: "👍", count: 1 },
    ]);
    expect((await refusal(account.react!(to(room.id), message.id, "nope"))).text).toContain(
      "emoji",
    );
  }));

test("polls and stickers", () =>
  withDiscord(async ({ fake, room, account, to }) => {
    await account.poll!(to(room.id), {
      question: "Tea?",
      options: ["Yes", "No"],
      maxSelections: 1,
    });
    await account.poll!(to(room.id), {
      question: "When?",
      options: ["Now"],
      maxSelections: 2,
      durationHours: 9_999,
    });
    expect(fake.sent.map((each) => each["poll"])).toMatchObject([
      { duration: 24, allow_multiselect: false },
      { duration: 768, allow_multiselect: true },
    ]);
    const many = Array.from({ length: 11 }, (_, i) => `${i}`);
    expect(
      (
        await refusal(
          account.poll!(to(room.id), { question: "?", options: many, maxSelections: 1 }),
        )
      ).code,
    ).toBe("channel_rejected");
    await account.sticker!(to(room.id), "123456789012345678");
    expect(fake.sent.at(-1)).toMatchObject({ sticker_ids: ["123456789012345678"] });
  }));

test("pins and search", () =>
  withDiscord(async ({ ann, room, account, to }) => {
    const message = ann.say(room, "the answer is 42");
    ann.say(room, "something else");
    await account.pin!(to(room.id), message.id);
    expect(await account.pins!(to(room.id))).toMatchObject([{ text: "the answer is 42" }]);
    await account.unpin!(to(room.id), message.id);
    expect(await account.pins!(to(room.id))).toEqual([]);
    const found = await account.search!(to(room.id), {
      text: "answer",
      authorIds: [ann.id],
      limit: 99,
    });
    expect(found).toMatchObject([{ id: message.id, sender: { id: ann.id } }]);
    expect(
      (await refusal(account.search!(to(`user:${ann.id}`), { text: "x", limit: 1 }))).text,
    ).toContain("server");
  }));

test("threads: below a message, alone, and as a post of a forum", () =>
  withDiscord(async ({ fake, ann, guild, room, account, to }) => {
    const message = ann.say(room, "long");
    const below = await account.threadCreate!(to(room.id), {
      name: "Below",
      messageId: message.id,
    });
    expect(below).toEqual(to(message.id));
    const alone = await account.threadCreate!(to(room.id), { name: "Alone", archiveMinutes: 100 });
    expect(fake.world.channels.get(alone.chatId)).toMatchObject({
      parent_id: room.id,
      name: "Alone",
    });
    const forum = fake.channel({ type: 15, guild_id: guild.id, name: "help" });
    const post = await account.threadCreate!(to(forum.id), { name: "Post" });
    expect(fake.world.channels.get(post.chatId)).toMatchObject({ parent_id: forum.id });
    expect((await account.threads!(to(room.id), false)).map(({ name }) => name)).toEqual([
      "Below",
      "Alone",
    ]);
    expect(await account.threads!(to(room.id), true)).toEqual([]);
    await account.send(out(alone, "in there"));
    expect(fake.sent.at(-1)!.channel_id).toBe(alone.chatId);
  }));

test("permissions, members and the directory", () =>
  withDiscord(async ({ fake, ann, guild, room, account, to }) => {
    expect((await account.permissions!(to(room.id))).missing).toEqual([]);
    room.permission_overwrites.push(
      { id: guild.id, type: 0, allow: "0", deny: String((1 << 11) | (1 << 6)) },
      { id: fake.world.self.id, type: 1, allow: String(1 << 6), deny: "0" },
    );
    expect((await account.permissions!(to(room.id))).missing).toEqual(["Send Messages"]);
    expect((await account.permissions!(to(`user:${ann.id}`))).missing).toEqual([]);
    expect(await account.member!(to(room.id), ann.id)).toMatchObject({
      id: ann.id,
      name: "Ann",
      handle: "ann",
    });
    expect((await refusal(account.member!(to(room.id), "123456789012345678"))).code).toBe(
      "channel_rejected",
    );
    expect(await account.directory!("an", "any")).toEqual([
      { id: `user:${ann.id}`, name: "Ann", kind: "user", note: "Home" },
    ]);
    expect(await account.directory!("gene", "any")).toMatchObject([
      { id: `channel:${room.id}`, name: "#general" },
    ]);
    expect(await account.directory!("an", "group")).toEqual([]);
  }));

test("what the config switches off is not there", () =>
  withDiscord(
    async ({ account }) => {
      expect(account.poll).toBeUndefined();
      expect(account.read).toBeUndefined();
      expect(account.react).toBeDefined();
      expect(account.send).toBeDefined();
    },
    {
      config: { actions: { polls: false, messages: false } },
      over: { listen: false },
      ready: false,
    },
  ));

test("the probe says who we are and what is off in the portal", () =>
  withDiscord(
    async ({ account, fake }) => {
      const found = await account.probe!(new AbortController().signal);
      expect(found).toMatchObject({
        ok: true,
        detail: "logged in to discord as clawd",
        facts: {
          bot: { id: fake.world.self.id, username: "clawd" },
          application: {
            intents: { messageContent: "disabled", guildMembers: "limited", presence: "enabled" },
          },
        },
      });
      expect(found.warnings).toHaveLength(1);
      expect(found.warnings![0]).toContain("Message Content Intent is off");
      fake.revoke();
      const refused = await account.probe!(new AbortController().signal);
      expect(refused).toMatchObject({ ok: false });
      expect(refused.detail).toContain("channels.discord.token");
    },
    { fake: { flags: (1 << 12) | (1 << 15) }, over: { listen: false }, ready: false },
  ));

const model: CommandInfo = {
  name: "model",
  description: `Which model answers. ${"Long. ".repeat(40)}`,
  args: [
    { name: "note", description: "A word.", required: false },
    { name: "name", description: "Of the model.", required: true, choices: ["opus", "haiku"] },
    {
      name: "tool",
      description: "One of many.",
      required: false,
      choices: Array.from({ length: 30 }, (_, i) => `tool-${i}`),
    },
  ],
};

test("commands are registered in the platform's menu, and only when they have changed", async () => {
  const saved: Record<string, unknown> = {};
  const kept = Promise.withResolvers<void>();
  class Noticing extends MemoryState {
    override async put(entries: Record<string, unknown>): Promise<void> {
      await super.put(entries);
      Object.assign(saved, entries);
      kept.resolve();
    }
  }
  await withDiscord(
    async ({ fake }) => {
      await fake.call("PUT", /\/commands$/);
      expect(fake.problems).toEqual([]);
      expect(fake.world.commands).toMatchObject([
        {
          name: "model",
          options: [
            { name: "name", required: true, choices: [{ name: "opus" }, { name: "haiku" }] },
            { name: "note", required: false },
            { name: "tool", autocomplete: true },
          ],
        },
      ]);
      await kept.promise;
      expect(Object.keys(saved)).toEqual(["commands"]);
    },
    {
      over: {
        state: new Noticing(),
        commands: () => [model, { name: "Bad Name", description: "x", args: [] }],
      },
    },
  );
  await withDiscord(
    async ({ fake, ann, next }) => {
      ann.dm("hello");
      await next(1);
      expect(fake.calls.some(({ path }) => path.endsWith("/commands"))).toBe(false);
    },
    { state: saved, over: { commands: () => [model] } },
  );
  await withDiscord(
    async ({ fake }) => {
      await fake.call("PUT", /\/commands$/);
      expect(fake.world.commands).toEqual([]);
    },
    { state: saved, over: { commands: () => [] } },
  );
});

test("a command of the menu is acknowledged, received like a message, and answered to its caller only", () =>
  withDiscord(
    async ({ fake, ann, room, guild }) => {
      guild.members.set(ann.id, { roles: ["77"], nick: null, joined_at: "2024-01-01T00:00:00Z" });
      const asked = ann.slash("model", { tool: "tool-3", name: "opus" }, room);
      await fake.until(() => asked.texts.length > 0);
      expect(asked).toMatchObject({ answered: 5, data: { flags: 64 }, texts: ["It is opus."] });
      expect(heard).toMatchObject([
        {
          id: asked.id,
          command: { name: "model", args: "opus tool-3" },
          text: "/model opus tool-3",
          mentioned: true,
          chat: "channel",
          sender: { id: ann.id, roles: ["77"] },
          from: { chatId: room.id },
        },
      ]);
      const long = ann.slash("help", {});
      await fake.until(() => long.texts.length === 3);
      expect(long.texts.every((text) => text.length <= 2_000)).toBe(true);
      expect(long.texts.join("")).toBe("ß".repeat(5_000));
    },
    {
      over: {
        commands: () => [model],
        async receive(inbound) {
          heard.push(inbound);
          const answer = inbound.command?.name === "help" ? "ß".repeat(5_000) : "It is opus.";
          return { runId: "r", duplicate: false, answer };
        },
      },
    },
  ));
const heard: unknown[] = [];

test("a command that begins a turn, and one that is refused", () =>
  withDiscord(
    async ({ fake, ann, room }) => {
      const said = async (name: string, where?: typeof room) => {
        const asked = ann.slash(name, {}, where);
        await fake.until(() => asked.texts.length > 0);
        return asked.texts[0];
      };
      expect(await said("turn", room)).toBe("Working on it…");
      expect(await said("disabled", room)).toBe("This channel is disabled.");
      expect(await said("unlisted", room)).toBe("This channel is not allowed.");
      expect(await said("not_allowed", room)).toBe("You are not authorized to use this command.");
      expect(await said("disabled")).toBe("Discord DMs are disabled.");
      expect(fake.sent).toEqual([]);
    },
    {
      over: {
        async receive({ command }) {
          const dropped = command?.name === "turn" ? {} : { dropped: command!.name };
          return { runId: "r", duplicate: false, ...dropped };
        },
      },
    },
  ));

test("an option with many choices completes itself", () =>
  withDiscord(
    async ({ fake, ann }) => {
      const typed = ann.types("model", "tool", "tool-1");
      await fake.until(() => typed.answered !== undefined);
      expect(typed.answered).toBe(8);
      expect((typed.data!["choices"] as unknown[]).length).toBe(11);
    },
    { over: { commands: () => [model] } },
  ));

test("a button is for the person that its data names, and an old one says so", () =>
  withDiscord(async ({ fake, ann, room, account, to, received, next }) => {
    const bob = fake.person("Bob");
    const data = `cmdarg:command=model;arg=name;value=opus;user=${ann.id}`;
    await account.send(out(to(room.id), "which?", { buttons: [[{ text: "opus", data }]] }));
    const message = fake.sent[0]!;
    const [row] = message["components"] as { components: { custom_id: string }[] }[];
    const id = row!.components[0]!.custom_id;
    const stranger = bob.press(message, id);
    await fake.until(() => stranger.texts.length > 0);
    expect(stranger).toMatchObject({
      answered: 4,
      data: { flags: 64 },
      texts: ["This button is for somebody else."],
    });
    const pressed = ann.press(message, id);
    expect(await next(1)).toMatchObject({
      text: data,
      sender: { id: ann.id },
      quoted: { mine: true },
    });
    await fake.until(() => pressed.answered === 6);
    const old = ann.press(message, "k:gone");
    await fake.until(() => old.texts.length > 0);
    expect(old.texts).toEqual(["This button is too old."]);
    expect(received).toHaveLength(1);
  }));

test("typing is shown, in direct messages too", () =>
  withDiscord(async ({ fake, ann, room, account, to }) => {
    await account.typing!(to(room.id));
    await account.typing!(to(`user:${ann.id}`));
    expect(fake.rest.typing).toEqual([room.id, fake.world.dm(ann.id).id]);
  }));
