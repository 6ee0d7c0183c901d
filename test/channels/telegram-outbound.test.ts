/** What the core sends, as it arrives on Telegram. */
import { describe, expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import type { MediaRef } from "../../src/flow.ts";
import { PNG } from "../fakes/telegram-people.ts";
import { at, openRig, type Rig } from "../fakes/telegram-rig.ts";

const file = (over: Partial<MediaRef>, bytes: string | Buffer = "bytes"): MediaRef => ({
  kind: "file",
  mime: "application/pdf",
  data: Buffer.from(bytes).toString("base64"),
  ...over,
});
const picture = (): MediaRef => file({ kind: "image", mime: "image/png", name: "a.png" }, PNG);
/** What the platform's messages were, a word each. */
const kinds = ({ telegram }: Rig): string[] =>
  telegram.sent.map(
    (message) =>
      ["photo", "video", "animation", "voice", "audio", "sticker", "document", "poll"].find(
        (kind) => kind in message,
      ) ?? "text",
  );
const codeOf = async (work: Promise<unknown>): Promise<AppError> => {
  const cause = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(cause).toBeInstanceOf(AppError);
  return cause as AppError;
};

describe("text", () => {
  test("markup is shown, without a preview of its links", async () => {
    await using rig = await openRig();
    await rig.say({ text: '<b>bold</b> <a href="https://x.example/?a=1">x</a> 1 &lt; 2' });
    expect(rig.telegram.sent[0]).toMatchObject({
      text: "bold x 1 < 2",
      entities: [{ type: "bold" }, { type: "text_link", url: "https://x.example/?a=1" }],
    });
    const { params } = rig.telegram.callsOf("sendMessage")[0]!;
    expect(params["link_preview_options"]).toEqual({ is_disabled: true });
  });

  test("previews come back only where the config says so", async () => {
    await using rig = await openRig({ linkPreview: true });
    await rig.say({ text: "https://x.example" });
    const { params } = rig.telegram.callsOf("sendMessage")[0]!;
    expect(params["link_preview_options"]).toEqual({ is_disabled: false });
  });

  test("markup that the platform cannot read is sent as plain text", async () => {
    await using rig = await openRig();
    for (const text of ["<b>a", "a</i>", "<h1>a</h1>", "<b><i>a</b></i>"])
      await rig.say({ text, plain: `plain ${text}` });
    expect(rig.telegram.texts).toEqual([
      "plain <b>a",
      "plain a</i>",
      "plain <h1>a</h1>",
      "plain <b><i>a</b></i>",
    ]);
  });

  test("an answer points at its question, even when that is gone", async () => {
    await using rig = await openRig();
    const question = rig.telegram.person().text("why?");
    await rig.say({ text: "so", to: at("42", { replyToId: `42:${question.message_id}` }) });
    await rig.say({ text: "or", to: at("42", { replyToId: String(question.message_id) }) });
    await rig.say({ text: "gone", to: at("42", { replyToId: "42:999" }) });
    await rig.say({ text: "a button", to: at("42", { replyToId: "callback:query-1" }) });
    expect(rig.telegram.sent.map((each) => each.reply_to_message?.message_id)).toEqual([
      question.message_id,
      question.message_id,
      undefined,
      undefined,
    ]);
  });

  test("General has no number where a message is sent, and needs one where it is typed", async () => {
    await using rig = await openRig();
    const forum = rig.telegram.group(-1002, { forum: true });
    const cats = forum.topic("Cats");
    for (const threadId of ["1", String(cats)]) {
      await rig.say({ text: threadId, to: at("-1002", { threadId }) });
      await rig.account.typing!(at("-1002", { threadId }));
    }
    const threads = (method: string) =>
      rig.telegram.callsOf(method).map(({ params }) => params["message_thread_id"]);
    expect(threads("sendMessage")).toEqual([undefined, cats]);
    expect(threads("sendChatAction")).toEqual([1, cats]);
  });

  test("silent is silent, and a channel is found by its name", async () => {
    await using rig = await openRig();
    rig.telegram.world.open({ id: -1009, type: "channel", title: "News", username: "newsroom" });
    await rig.say({ text: "psst", silent: true, to: at("@newsroom") });
    expect(rig.telegram.callsOf("sendMessage")[0]!.params).toMatchObject({
      chat_id: "@newsroom",
      disable_notification: true,
    });
  });

  test("a group that has another id since a moment ago gets the message there", async () => {
    const moved: string[] = [];
    await using rig = await openRig(
      {},
      { listen: false, moved: async (from, to) => void moved.push(`${from} ${to}`) },
    );
    rig.telegram.group(-5, { basic: true }).upgrade(-1005, rig.telegram.person());
    await rig.say({ text: "hello", to: at("-5") });
    expect(rig.telegram.sent[0]!.chat.id).toBe(-1005);
    expect(moved).toEqual(["-5 -1005"]);
  });
});

describe("edits", () => {
  test("a message is put in the place of another, and the same one again is no failure", async () => {
    await using rig = await openRig();
    const { ids } = await rig.say({ text: "one" });
    expect((await rig.say({ text: "<b>two</b>", edits: ids[0]! })).ids).toEqual(ids);
    expect((await rig.say({ text: "<b>two</b>", edits: ids[0]! })).ids).toEqual(ids);
    expect(rig.telegram.world.chats.get(42)!.messages.get(Number(ids[0]))!.text).toBe("two");
    expect(rig.telegram.sent).toHaveLength(1);
  });

  test("what cannot be edited is sent anew", async () => {
    await using rig = await openRig();
    const theirs = rig.telegram.person().text("mine");
    const { ids } = await rig.say({ media: [picture()] });
    for (const edits of ["999", `42:${theirs.message_id}`, ids[0]!, "callback:x"])
      await rig.say({ text: `for ${edits}`, edits });
    expect(rig.telegram.texts).toEqual([
      "for 999",
      `for 42:${theirs.message_id}`,
      `for ${ids[0]}`,
      "for callback:x",
    ]);
  });

  test("an edit with markup that cannot be read becomes plain text", async () => {
    await using rig = await openRig();
    const { ids } = await rig.say({ text: "one" });
    await rig.account.edit!(at("42"), ids[0]!, { text: "<b>two", plain: "two" });
    expect(rig.telegram.sent[0]!.chat.id).toBe(42);
    expect(rig.telegram.world.chats.get(42)!.messages.get(Number(ids[0]))!.text).toBe("two");
  });
});

describe("files", () => {
  test("each kind goes as what it is, with its bytes and name", async () => {
    await using rig = await openRig();
    const media = [
      picture(),
      file({ kind: "image", mime: "image/gif" }),
      file({ kind: "video", mime: "video/mp4" }),
      file({ kind: "audio", mime: "audio/ogg", as: "voice" }),
      file({ kind: "audio", mime: "audio/mpeg", name: "song.mp3" }),
      file({ kind: "image", mime: "image/webp", as: "sticker" }),
      file({ name: 'a "b";c\r\n.pdf' }, "%PDF"),
      file({ kind: "image", mime: "image/svg+xml" }),
    ];
    for (const each of media) await rig.say({ media: [each], text: "words" });
    expect(kinds(rig)).toEqual([
      "photo",
      "animation",
      "video",
      "voice",
      "audio",
      // Nothing can be written under a sticker.
      "sticker",
      "text",
      "document",
      "document",
    ]);
    expect(rig.telegram.texts).toEqual(media.map(() => "words"));
    expect(rig.telegram.sent[7]!.file).toEqual({
      name: "a _b_c_.pdf",
      bytes: new Uint8Array(Buffer.from("%PDF")),
    });
    expect(rig.telegram.sent[4]!.file!.name).toBe("song.mp3");
  });

  test("a text too long for a caption follows on its own, pointing nowhere", async () => {
    await using rig = await openRig();
    const question = rig.telegram.person().text("show me");
    const text = "x".repeat(1025);
    const to = at("42", { replyToId: String(question.message_id) });
    const { ids } = await rig.say({ to, text, media: [picture()] });
    expect(kinds(rig)).toEqual(["photo", "text"]);
    expect(ids).toHaveLength(2);
    expect(rig.telegram.sent.map((each) => Boolean(each.reply_to_message))).toEqual([true, false]);
    await rig.say({ text: "y".repeat(1024), media: [picture()] });
    expect(rig.telegram.sent[2]!.caption).toHaveLength(1024);
  });

  test("pictures and films go together, ten at a time", async () => {
    await using rig = await openRig();
    const film = file({ kind: "video", mime: "video/mp4" });
    const media = [...Array.from({ length: 11 }, picture), film, file({ name: "a.pdf" })];
    const { ids } = await rig.say({ media, text: "<i>look</i>" });
    expect(ids).toHaveLength(13);
    const groups = rig.telegram.sent.map((each) => each.media_group_id);
    expect(new Set(groups.slice(0, 10)).size).toBe(1);
    expect(groups[10]).toBe(groups[11]!);
    expect(groups[12]).toBeUndefined();
    expect(rig.telegram.texts).toEqual(["look"]);
  });

  test("who takes no voice notes gets a file to play", async () => {
    await using rig = await openRig();
    rig.telegram.person().room.noVoice = true;
    await rig.say({ media: [file({ kind: "audio", mime: "audio/ogg", as: "voice" })], text: "hi" });
    expect(kinds(rig)).toEqual(["audio"]);
    expect(rig.telegram.texts).toEqual(["hi"]);
  });

  test("a voice note that is not audio, and a picture that is none, arrive as files", async () => {
    await using rig = await openRig();
    await rig.say({ media: [file({ as: "voice", mime: "text/plain" })] });
    await rig.say({ media: [file({ kind: "image", mime: "image/png" }, "no picture")] });
    await rig.say({ media: [picture(), file({ kind: "image", mime: "image/png" }, "no")] });
    expect(kinds(rig)).toEqual(["document", "document", "photo", "document"]);
  });

  test("markup under a picture that cannot be read becomes plain text", async () => {
    await using rig = await openRig();
    await rig.say({ media: [picture()], text: "<b>a", plain: "a" });
    await rig.say({ media: [picture(), picture()], text: "<b>b", plain: "b" });
    expect(rig.telegram.texts).toEqual(["a", "b"]);
  });

  test("a file that is too large is refused with its size", async () => {
    await using rig = await openRig({ mediaMaxMb: 0.001 });
    const error = await codeOf(
      rig.say({ media: [file({ name: "big.bin" }, Buffer.alloc(5_000))] }),
    );
    expect(error.code).toBe("channel_rejected");
    expect(error.message).toContain("big.bin is too large for Telegram");
  });

  test("a second try does not repeat what arrived", async () => {
    await using rig = await openRig();
    const out = { key: "same", media: [picture()], text: "x".repeat(2_000) };
    rig.telegram.fault({ method: "sendMessage", status: 500 });
    expect((await codeOf(rig.say(out))).code).toBe("channel_unreachable");
    const { ids } = await rig.say(out);
    expect(kinds(rig)).toEqual(["photo", "text"]);
    expect(ids).toEqual(rig.telegram.sent.map((each) => String(each.message_id)));
  });
});

describe("buttons", () => {
  test("they stand under the last message, and long data is kept here", async () => {
    await using rig = await openRig();
    const data = "ä".repeat(33);
    const buttons = [
      [
        { text: "A", data: "a" },
        { text: "B", data },
      ],
    ];
    await rig.say({ text: "x".repeat(2_000), media: [picture()], buttons });
    const [photo, text] = rig.telegram.sent;
    expect(photo!.reply_markup).toBeUndefined();
    const row = text!.reply_markup!.inline_keyboard[0] as { callback_data: string }[];
    expect(row[0]!.callback_data).toBe("a");
    expect(Buffer.byteLength(row[1]!.callback_data)).toBeLessThanOrEqual(64);
    expect(await rig.state.keys("button:")).toHaveLength(1);
  });
});

describe("refusals", () => {
  test("each says what a person can do", async () => {
    await using rig = await openRig();
    rig.telegram.person(43).room.blocked = true;
    rig.telegram.group(-1002).room.bot = "left";
    const rows: [string, RegExp][] = [
      ["404", /`\/start`/],
      ["43", /blocked the bot/],
      ["-1002", /Add the bot/],
    ];
    for (const [chat, hint] of rows) {
      const error = await codeOf(rig.say({ text: "hi", to: at(chat) }));
      expect(error.code).toBe("channel_rejected");
      expect(error.hint).toMatch(hint);
    }
    const tooLong = await codeOf(rig.say({ text: "x".repeat(4_097) }));
    expect(tooLong).toMatchObject({ code: "channel_rejected" });
    expect(rig.telegram.sent).toEqual([]);
  });

  test("a token that was revoked while sending ends the account", async () => {
    await using rig = await openRig({}, { listen: false });
    rig.telegram.revoke();
    const error = await codeOf(rig.say({ text: "hi" }));
    expect(error.code).toBe("channel_misconfigured");
    expect(rig.failures[0]!.message).toContain("channels.telegram.botToken");
    expect(rig.failures[0]!.hint).toContain("@BotFather");
  });

  test("no failure says the token", async () => {
    await using rig = await openRig({}, { listen: false });
    rig.telegram.fault({ how: "cut" });
    rig.telegram.fault({ how: "deaf" });
    for (let i = 0; i < 2; i++) {
      const error = await codeOf(rig.say({ text: "hi" }));
      expect(error.code).toBe("channel_unreachable");
      expect(Bun.inspect(error)).not.toContain(rig.telegram.token);
    }
  });

  test("a platform that says nothing is given up", async () => {
    await using rig = await openRig({ timeoutSeconds: 1 }, { listen: false });
    rig.telegram.fault({ how: "silent" });
    expect((await codeOf(rig.say({ text: "hi" }))).message).toContain("did not answer");
  });
});

describe("actions", () => {
  test("react, take it back, pin, remove, poll, sticker, topic", async () => {
    await using rig = await openRig();
    const { account } = rig;
    const forum = rig.telegram.group(-1002, { forum: true });
    const { ids } = await rig.say({ text: "one" });
    const id = ids[0]!;
    await account.react!(at("42"), id, "👍");
    await account.react!(at("42"), `42:${id}`, "");
    expect(rig.telegram.callsOf("setMessageReaction").map((c) => c.params["reaction"])).toEqual([
      [{ type: "emoji", emoji: "👍" }],
      [],
    ]);
    await account.pin!(at("42"), id);
    await account.unpin!(at("42"), id);
    await account.remove!(at("42"), id);
    const poll = { question: "Tea?", options: ["yes", "no"], maxSelections: 2, durationHours: 1 };
    expect((await account.poll!(at("42"), poll)).pollId).toBeTruthy();
    expect(rig.telegram.callsOf("sendPoll")[0]!.params).toMatchObject({
      allows_multiple_answers: true,
      open_period: 3600,
    });
    const { file_id } = rig.telegram.world.file(Buffer.from("webp"), "s.webp");
    await account.sticker!(at("42"), file_id);
    const thread = await account.threadCreate!(at("-1002"), { name: "Cats" });
    expect(forum.room.topics.get(Number(thread.threadId))).toBe("Cats");
    for (const refused of [
      () => account.remove!(at("42"), id),
      () => account.react!(at("42"), "7x", "👍"),
      () => account.threadCreate!(at("42"), { name: "Cats" }),
      () => account.sticker!(at("42"), "nothing"),
    ])
      expect((await codeOf(refused())).code).toBe("channel_rejected");
  });

  test("a reaction that bots cannot give says which they can", async () => {
    await using rig = await openRig();
    const { ids } = await rig.say({ text: "one" });
    const error = await codeOf(rig.account.react!(at("42"), ids[0]!, "🧮"));
    expect(error.hint).toContain("👍");
  });
});
