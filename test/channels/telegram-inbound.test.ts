/** What people do on Telegram, as the core gets it. */
import { describe, expect, test } from "bun:test";

import type { Logger } from "../../src/base/log.ts";
import { at, openRig } from "../fakes/telegram-rig.ts";

const GROUP = -1001;

describe("words", () => {
  test("a link behind words is written out, and places of the text stay right", async () => {
    await using rig = await openRig();
    rig.telegram.person().text("🙂 see here and there", {
      entities: [
        { type: "text_link", offset: 7, length: 4, url: "https://a.example/1" },
        { type: "text_link", offset: 16, length: 5, url: "https://b.example/2" },
      ],
    });
    const { text } = await rig.next();
    expect(text).toBe("🙂 see [here](https://a.example/1) and [there](https://b.example/2)");
  });

  test("our name is a mention, others are told apart", async () => {
    await using rig = await openRig();
    const ann = rig.telegram.person().in(rig.telegram.group(GROUP));
    ann.text("hello @My_Bot");
    ann.text("hello @my_bot_two");
    ann.text("/status@my_bot now");
    ann.text("/status@other_bot");
    ann.text("hello you", {
      entities: [{ type: "text_mention", offset: 6, length: 3, user: rig.telegram.world.bot }],
    });
    ann.text("look at `@my_bot`", { entities: [{ type: "code", offset: 8, length: 9 }] });
    ann.text("mail me at a@my_bot.example", { entities: [] });
    await rig.receives(7);
    expect(
      rig.received.map(({ text, mentioned, mentionsOthers = false }) => [
        text,
        mentioned,
        mentionsOthers,
      ]),
    ).toEqual([
      ["hello @My_Bot", true, false],
      ["hello @my_bot_two", false, true],
      ["/status now", true, false],
      ["/status@other_bot", false, true],
      ["hello you", true, false],
      ["look at `@my_bot`", true, false],
      ["mail me at a@my_bot.example", false, false],
    ]);
  });

  test("a look-alike of our name is not us", async () => {
    await using rig = await openRig();
    const ann = rig.telegram.person().in(rig.telegram.group(GROUP));
    ann.text("hello @my_bоt", { entities: [{ type: "mention", offset: 6, length: 7 }] });
    expect(await rig.next()).toMatchObject({ mentioned: false, mentionsOthers: true });
  });

  test("a forwarded command is no command, and says where it comes from", async () => {
    await using rig = await openRig();
    rig.telegram.person().text("/reset", {
      forward_origin: {
        type: "user",
        date: 1_700_000_000,
        sender_user: { id: 7, is_bot: false, first_name: "Eve\n\u202eevil", username: "eve" },
      },
    });
    expect(await rig.next()).toMatchObject({
      text: "[Forwarded message]\n/reset",
      notes: ["forwarded from Eve evil (@eve), 2023-11-14T22:13:20.000Z"],
    });
  });
});

describe("who and where", () => {
  test("a direct message", async () => {
    await using rig = await openRig();
    const message = rig.telegram.person(42, { first_name: "Ann" }).text("hi");
    expect(await rig.next()).toEqual({
      id: `42:${message.message_id}`,
      from: at("42"),
      chat: "dm",
      sender: { id: "42", name: "Ann", handle: "ann" },
      text: "hi",
      media: [],
      mentioned: false,
      at: message.date * 1000,
    });
  });

  test("two groups may have messages of the same number", async () => {
    await using rig = await openRig();
    const ann = rig.telegram.person();
    ann.in(rig.telegram.group(-1001)).text("one");
    ann.in(rig.telegram.group(-1002)).text("two");
    await rig.receives(2);
    expect(rig.received.map(({ id }) => id)).toEqual(["-1001:1", "-1002:1"]);
  });

  test("a topic of a forum is a thread, what lies in none is in General, and other groups have none", async () => {
    await using rig = await openRig();
    const ann = rig.telegram.person();
    const forum = rig.telegram.group(-1002, { forum: true, title: "Forum" });
    const cats = forum.topic("Cats");
    ann.in(forum, cats).text("in a topic");
    ann.in(forum, 1).text("in General");
    ann.in(forum, 1).text("an answer in General", { message_thread_id: 77 });
    ann.in(rig.telegram.group(GROUP)).text("an answer in a group", { message_thread_id: 77 });
    ann.text("in a topic of the chat", { message_thread_id: 9, is_topic_message: true });
    await rig.receives(5);
    const threads = (chatId: string) =>
      rig.received.filter(({ from }) => from.chatId === chatId).map(({ from }) => from.threadId);
    expect(threads("-1002")).toEqual([String(cats), "1", "1"]);
    expect(threads("-1001")).toEqual([undefined]);
    expect(threads("42")).toEqual(["9"]);
    expect(rig.received.flatMap(({ quoted }) => quoted ?? [])).toEqual([]);
    const inTopic = rig.received.find(({ from }) => from.threadId === String(cats));
    expect(inTopic!.room).toEqual({ title: "Forum", thread: "Cats" });
  });

  test("who speaks for a chat is that chat, not the user that all of them share", async () => {
    await using rig = await openRig();
    const group = rig.telegram.group(GROUP, { title: "Club" });
    rig.telegram
      .person(1087968824, { first_name: "Group", username: "GroupAnonymousBot" })
      .in(group)
      .text("as an admin", { sender_chat: group.room.chat });
    expect((await rig.next()).sender).toEqual({ id: "-1001", name: "Club" });
  });

  test("what is answered is quoted, a piece of it as a piece", async () => {
    await using rig = await openRig();
    const ann = rig.telegram.person();
    const bob = rig.telegram.person(43, { first_name: "Bob", username: "bob" });
    const { ids } = await rig.say({ text: "one two three" });
    const mine = rig.telegram.sent[0]!;
    ann.text("what?", { reply_to_message: mine as never });
    ann.text("why?", {
      reply_to_message: mine as never,
      quote: { text: "two", position: 4 },
    });
    const photo = bob.photo();
    ann.text("nice", { reply_to_message: photo as never });
    await rig.receives(4);
    const quotes = rig.received.filter(({ sender }) => sender.id === "42");
    expect(quotes.map(({ quoted }) => quoted)).toEqual([
      { id: `42:${ids[0]}`, text: "one two three", sender: "My Bot (@my_bot)", mine: true },
      { id: `42:${ids[0]}`, text: "two", sender: "My Bot (@my_bot)", mine: true, part: true },
      { id: `43:${photo.message_id}`, text: "<media:image>", sender: "Bob (@bob)" },
    ]);
  });
});

describe("files", () => {
  test("each kind arrives with its bytes and what it is", async () => {
    await using rig = await openRig();
    const ann = rig.telegram.person();
    const file = (text: string) => rig.telegram.world.file(Buffer.from(text), "x");
    ann.photo("a picture");
    ann.say({ voice: { ...file("OggS-voice"), duration: 1, mime_type: "audio/ogg" } as never });
    ann.say({ audio: { ...file("ID3-song"), duration: 1, file_name: "song.mp3" } as never });
    ann.say({ video: { ...file("film"), mime_type: "video/mp4", file_name: "f.mp4" } as never });
    ann.say({ video_note: file("round") as never });
    const moving = { ...file("loop"), mime_type: "video/mp4" };
    ann.say({ animation: moving as never, document: moving as never });
    ann.document("report.pdf", Buffer.from("%PDF-1"));
    ann.say({
      sticker: { ...file("RIFF0000WEBP"), emoji: "😀", set_name: "Cats", type: "regular" } as never,
    });
    await rig.receives(8);
    expect(
      rig.received.map(({ media }) =>
        media.map(({ kind, mime, as }) => [kind, mime, as].join(" ")),
      ),
    ).toEqual([
      ["image image/png "],
      ["audio audio/ogg voice"],
      ["audio audio/mpeg "],
      ["video video/mp4 "],
      ["video video/mp4 "],
      ["video video/mp4 animation"],
      ["file application/pdf "],
      ["image image/webp sticker"],
    ]);
    expect(rig.received[0]!.text).toBe("a picture");
    expect(rig.received[6]!.media[0]).toMatchObject({ name: "report.pdf", size: 6 });
    expect(rig.received[7]!.notes).toEqual(['[Sticker 😀 from "Cats"]']);
    // The largest of a picture's sizes.
    expect(rig.telegram.callsOf("getFile")[0]!.params["file_id"]).toBe("file-2");
  });

  test("a moving sticker is told, not fetched", async () => {
    await using rig = await openRig();
    rig.telegram.person().say({
      sticker: { file_id: "s", emoji: "😀", is_animated: true, type: "regular" } as never,
    });
    expect(await rig.next()).toMatchObject({
      media: [],
      notes: ["[Sticker 😀, moving, not shown]"],
    });
    expect(rig.telegram.callsOf("getFile")).toEqual([]);
  });

  test("2 GB are not fetched, and the words are answered all the same", async () => {
    await using rig = await openRig();
    rig.telegram.person().document("film.mkv", 2_000_000_000, { caption: "see this" });
    expect(await rig.next()).toMatchObject({
      text: "see this",
      media: [],
      notes: ["a file was too large: film.mkv, 2000 MB; at most 20 MB"],
    });
    expect(rig.telegram.callsOf("getFile")).toEqual([]);
  });

  test("a file that is larger than it says ends at the limit", async () => {
    await using rig = await openRig({ mediaMaxMb: 0.001 });
    const { file_id } = rig.telegram.world.file(Buffer.alloc(5_000), "big");
    rig.telegram.person().say({ document: { file_id, file_unique_id: "u", file_name: "big" } });
    expect((await rig.next()).notes).toEqual(["a file was too large: big, at most 0.001 MB"]);
  });

  test("a file that cannot be had is told, and never the address with the token", async () => {
    const lines: unknown[] = [];
    const keep = (...line: unknown[]) => void lines.push(line);
    const log: Logger = { info: keep, warn: keep, error: keep, debug: keep, child: () => log };
    await using rig = await openRig({}, { log });
    rig.telegram.fault({ method: "file", status: 404 });
    rig.telegram.person().document("a.txt", Buffer.from("x"), { caption: "read it" });
    expect(await rig.next()).toMatchObject({
      text: "read it",
      notes: ["a file could not be fetched: a.txt"],
    });
    expect(JSON.stringify(lines)).toContain("could not be fetched");
    expect(JSON.stringify(lines)).not.toContain(rig.telegram.token);
  });

  test("a file whose connection breaks is fetched again", async () => {
    await using rig = await openRig();
    rig.telegram.fault({ method: "file", how: "cut" });
    rig.telegram.person().document("a.txt", Buffer.from("all of it"));
    expect((await rig.next()).media).toMatchObject([{ name: "a.txt", size: 9 }]);
  });

  test("an album is one message", async () => {
    await using rig = await openRig();
    const ann = rig.telegram.person();
    const [first] = ann.album([undefined, "all three", undefined]);
    ann.text("and?");
    await rig.receives(2);
    expect(rig.received[0]).toMatchObject({ id: `42:${first!.message_id}`, text: "all three" });
    expect(rig.received.map(({ media }) => media.length)).toEqual([3, 0]);
  });

  test("somebody else's message in between does not part an album", async () => {
    await using rig = await openRig();
    const group = rig.telegram.group(GROUP);
    const ann = rig.telegram.person().in(group);
    const part = (name: string) => ({
      media_group_id: "a",
      document: { ...rig.telegram.world.file(Buffer.from(name), name), file_name: name },
    });
    ann.say(part("a"));
    rig.telegram.person(43).in(group).text("hm");
    ann.say(part("b"));
    await rig.receives(2);
    expect(rig.received.map(({ media, text }) => [media.length, text])).toEqual([
      [2, ""],
      [0, "hm"],
    ]);
  });
});

describe("things that are no words", () => {
  test("places, contacts, polls and dice say what they are", async () => {
    await using rig = await openRig();
    const ann = rig.telegram.person();
    const location = { latitude: 48.8588443, longitude: 2.2943506 };
    ann.say({ location: { ...location, horizontal_accuracy: 11.6 } });
    ann.say({ location, venue: { location, title: "Tour Eiffel", address: "Paris" } });
    ann.say({ location: { ...location, live_period: 900 } });
    ann.say({ contact: { phone_number: "+4912345", first_name: "Bob", last_name: "Roe" } });
    ann.say({ poll: { question: "Tea?", options: [{ text: "yes" }, { text: "no" }] } as never });
    ann.say({ dice: { emoji: "🎲", value: 5 } });
    ann.say({ story: { id: 1 } as never });
    await rig.receives(7);
    expect(rig.received.map(({ text, notes }) => notes?.[0] ?? text)).toEqual([
      "📍 48.858844, 2.294351 ±12m",
      "📍 Tour Eiffel — Paris (48.858844, 2.294351)",
      "🛰 Live location: 48.858844, 2.294351",
      "<contact: Bob Roe, +4912345>",
      "<poll: Tea? (yes / no)>",
      "🎲 5",
      "a message of a kind that cannot be read here: story",
    ]);
  });
});

describe("events", () => {
  test("an edit names what it changes, a moving place does not", async () => {
    await using rig = await openRig();
    const ann = rig.telegram.person();
    const message = ann.text("helo");
    ann.edit(message, "hello");
    rig.telegram.world.push({
      edited_message: {
        ...message,
        text: undefined,
        location: { latitude: 1, longitude: 2 },
      } as never,
    });
    ann.text("end");
    await rig.receives(3);
    const [first, edit] = rig.received;
    expect(edit).toMatchObject({ text: "hello", event: { kind: "edit", of: first!.id } });
    expect(edit!.id).not.toBe(first!.id);
    expect(rig.received[2]!.text).toBe("end");
  });

  test("a reaction to our message is an event of who reacted", async () => {
    await using rig = await openRig();
    const ann = rig.telegram.person();
    await rig.telegram.until(() => rig.telegram.callsOf("getUpdates").length > 0);
    await rig.say({ text: "done" });
    const mine = rig.telegram.sent[0]!;
    const theirs = ann.text("hi");
    ann.react(theirs, ["👍"]);
    ann.react(mine, [], ["👍"]);
    ann.react(mine, ["🔥"], ["👍"]);
    ann.text("end");
    await rig.receives(3);
    expect(rig.received[1]).toMatchObject({
      text: `Telegram reaction added: 🔥 by Ann on msg ${mine.message_id}`,
      sender: { id: "42" },
      chat: "dm",
      event: { kind: "reaction", of: `42:${mine.message_id}` },
    });
    expect(rig.received[2]!.text).toBe("end");
  });

  test("reactions can be left out, or all be taken", async () => {
    for (const [wanted, count] of [
      ["off", 0],
      ["all", 1],
    ] as const) {
      await using rig = await openRig({ reactionNotifications: wanted });
      const ann = rig.telegram.person();
      await rig.telegram.until(() => rig.telegram.callsOf("getUpdates").length > 0);
      ann.react(ann.text("hi"), ["👍"]);
      ann.text("end");
      await rig.receives(2 + count);
      expect(rig.received.filter(({ event }) => event)).toHaveLength(count);
    }
  });

  test("a pressed button says its data, long data too, and is always answered", async () => {
    await using rig = await openRig();
    const ann = rig.telegram.person();
    const long = `/model ${"x".repeat(100)}`;
    await rig.say({
      text: "choose",
      buttons: [[{ text: "Short", data: "/status" }], [{ text: "Long", data: long }]],
    });
    const menu = rig.telegram.sent[0]!;
    ann.press(menu, "Short");
    ann.press(menu, "Long");
    ann.press(menu, "None");
    await rig.telegram.until(() => rig.telegram.callsOf("answerCallbackQuery").length === 3);
    expect(rig.received).toMatchObject([
      { text: "/status", mentioned: true, sender: { id: "42" }, from: at("42") },
      { text: long, mentioned: true, quoted: { text: "choose", mine: true } },
    ]);
  });

  test("a group that becomes a supergroup is told once, with both ids", async () => {
    const moved: string[] = [];
    await using rig = await openRig(
      {},
      { moved: async (from, to) => void moved.push(`${from} ${to}`) },
    );
    const ann = rig.telegram.person();
    const group = rig.telegram.group(-5, { basic: true });
    const next = group.upgrade(-1005, ann);
    ann.in(next).text("still here");
    expect(await rig.next()).toMatchObject({ text: "still here", from: { chatId: "-1005" } });
    expect(moved).toEqual(["-5 -1005"]);
  });

  test("who comes and goes is an event, and what nobody says is nothing", async () => {
    await using rig = await openRig();
    const group = rig.telegram.group(GROUP, { title: "Club" });
    const ann = rig.telegram.person().in(group);
    ann.say({ new_chat_members: [{ id: 43, is_bot: false, first_name: "Bob" }] });
    ann.say({ new_chat_members: [rig.telegram.world.bot] });
    ann.say({ forum_topic_closed: {} as never });
    rig.telegram.person(44).block();
    ann.text("end");
    await rig.receives(2);
    expect(rig.received[0]).toMatchObject({
      text: "Telegram: Bob joined the group",
      event: { kind: "system" },
    });
    expect(rig.received[1]!.text).toBe("end");
  });
});

test("files of whom nobody lets in are not fetched, and their kind is told", async () => {
  const asked: string[] = [];
  await using rig = await openRig(
    {},
    {
      wants: async ({ sender }) => {
        asked.push(sender.id);
        return false;
      },
    },
  );
  rig.telegram.person().photo("look");
  rig.telegram.person().text("only words");
  await rig.receives(2);
  expect(rig.received[0]!.media).toEqual([{ kind: "image", mime: "image/jpeg" }]);
  expect(asked).toEqual(["42"]);
  expect(rig.telegram.callsOf("getFile")).toEqual([]);
});
