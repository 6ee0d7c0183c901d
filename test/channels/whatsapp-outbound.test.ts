/** What we send on WhatsApp, as the people who get it see it. */
import { expect, test } from "bun:test";

import { downloadContentFromMessage } from "@whiskeysockets/baileys";

import { begin, type House, inline, out, refusal, to } from "../fakes/whatsapp/house.ts";
import { type Person, startWhatsApp, textOf, type WhatsApp } from "../fakes/whatsapp/index.ts";

type At = { fake: WhatsApp; ada: Person; house: House };
async function on(
  run: (at: At) => Promise<void>,
  config: Record<string, unknown> = {},
  problems: RegExp[] = [],
): Promise<void> {
  const fake = startWhatsApp();
  const ada = fake.person("Ada");
  const house = await begin(fake, config);
  try {
    await run({ fake, ada, house });
    expect(fake.world.problems.filter((text) => !problems.some((each) => each.test(text)))).toEqual(
      [],
    );
  } finally {
    await house.stop();
    await fake.close();
  }
}
const last = (fake: WhatsApp) => fake.world.delivered.at(-1)!;

test("a text arrives sealed for every device, ours included", () =>
  on(async ({ fake, ada, house }) => {
    const { ids } = await house.account.send(out(ada.id, "*hello* https://example.com/?k=1"));
    expect(last(fake)).toMatchObject({ id: ids[0]!, to: ada.id, onPhone: true });
    const text = last(fake).message.extendedTextMessage!;
    expect(text.text).toBe("*hello* https://example.com/?k=1");
    // A preview would tell the other server what the message says.
    expect([text.matchedText || "", text.title || "", text.jpegThumbnail?.length ?? 0]).toEqual([
      "",
      "",
      0,
    ]);
  }));

test("the same message twice has one id, so people see it once", () =>
  on(async ({ fake, ada, house }) => {
    const first = await house.account.send(out(ada.id, "once"));
    const second = await house.account.send(out(ada.id, "once"));
    expect(second.ids).toEqual(first.ids);
    expect(fake.texts()).toEqual(["once"]);
    expect(fake.world.again.map(({ id }) => id)).toEqual(first.ids);
  }));

test("a group gets one message and each member the key for it, once", () =>
  on(async ({ fake, ada, house }) => {
    for (const lid of [true, false]) {
      const group = fake.group([ada, fake.person()], { lid });
      await house.account.send(out(group.id, `one ${lid}`));
      await house.account.send(out(group.id, `two ${lid}`));
    }
    expect(fake.texts()).toEqual(["one true", "two true", "one false", "two false"]);
  }));

test("files go up encrypted, and the words with the first that can carry them", () =>
  on(async ({ fake, ada, house }) => {
    const picture = new Uint8Array(await new Bun.Image(onePixel).png().bytes());
    const bytes = new Uint8Array(3000).fill(9);
    await house.account.send(
      out(ada.id, "two files", {
        media: [
          inline("image", "image/png", picture),
          inline("file", "application/pdf", bytes, { name: "report.pdf" }),
        ],
      }),
    );
    const [image, document] = fake.world.delivered.map(({ message }) => message);
    expect(image!.imageMessage).toMatchObject({ caption: "two files", mimetype: "image/png" });
    expect(image!.imageMessage!.jpegThumbnail!.length).toBeGreaterThan(0);
    expect(document!.documentMessage).toMatchObject({
      fileName: "report.pdf",
      mimetype: "application/pdf",
    });
    expect(await opened(fake, document!.documentMessage!, "document")).toEqual(Buffer.from(bytes));
    expect(fake.world.files.problems).toEqual([]);
  }));

test("a voice note is one, other sound is a file of sound, and the words follow", () =>
  on(async ({ fake, ada, house }) => {
    const bytes = new Uint8Array(500).fill(1);
    const send = (mime: string, as?: "voice") =>
      house.account.send(
        out(ada.id, as ? "listen" : "", {
          key: mime,
          media: [inline("audio", mime, bytes, as ? { as } : {})],
        }),
      );
    await send("audio/ogg", "voice");
    await send("audio/mpeg");
    const messages = fake.world.delivered.map(({ message }) => message);
    expect(messages[0]!.audioMessage).toMatchObject({
      ptt: true,
      mimetype: "audio/ogg; codecs=opus",
    });
    expect(textOf(messages[1]!)).toBe("listen");
    expect(messages[2]!.audioMessage!.mimetype).toBe("audio/mpeg");
    expect(messages[2]!.audioMessage!.ptt).toBeFalsy();
  }));

test("moving pictures play by themselves; words too long for a caption follow", () =>
  on(async ({ fake, ada, house }) => {
    const bytes = new Uint8Array(500).fill(1);
    const long = "word ".repeat(300).trim();
    await house.account.send(
      out(ada.id, long, { media: [inline("video", "video/mp4", bytes, { as: "animation" })] }),
    );
    const [video, text] = fake.world.delivered.map(({ message }) => message);
    expect(video!.videoMessage).toMatchObject({ gifPlayback: true });
    expect(video!.videoMessage!.caption).toBeFalsy();
    expect(textOf(text!)).toBe(long);
  }));

test("an answer quotes what it answers, also in a group and after a restart", () =>
  on(async ({ fake, ada, house }) => {
    const group = fake.group([ada]);
    const id = await fake.says(ada, "a question", { group });
    await house.receives(1);
    await house.stop();
    const again = await begin(fake, {}, {}, house.state);
    await again.account.send(out(group.id, "an answer", { replyToId: id }));
    const { contextInfo } = last(fake).message.extendedTextMessage!;
    expect(contextInfo).toMatchObject({ stanzaId: id, participant: ada.lidJid });
    expect(textOf(contextInfo!.quotedMessage!)).toBe("a question");
    await again.stop();
  }));

test("a message of ours is edited, or sent anew when it is too late for that", () =>
  on(async ({ fake, ada, house }) => {
    const { ids } = await house.account.send(out(ada.id, "tpyo"));
    const edited = await house.account.send(out(ada.id, "typo", { edits: ids[0]! }));
    expect(edited.ids).toEqual(ids);
    const { protocolMessage } = last(fake).message;
    expect([protocolMessage!.key!.id, textOf(protocolMessage!.editedMessage!)]).toEqual([
      ids[0]!,
      "typo",
    ]);
    fake.world.faults.messages.push({ error: "405" });
    const anew = await house.account.send(out(ada.id, "later", { edits: ids[0]! }));
    expect(anew.ids).not.toEqual(ids);
    expect(fake.texts().at(-1)).toBe("later");
  }));

test("a message of ours is taken back", () =>
  on(async ({ fake, ada, house }) => {
    const { ids } = await house.account.send(out(ada.id, "oops"));
    await house.account.remove!(to(ada.id), ids[0]!);
    expect(last(fake).message.protocolMessage).toMatchObject({
      type: 0,
      key: { id: ids[0]!, fromMe: true },
    });
  }));

test("reactions name the message and, in a group, who wrote it", () =>
  on(async ({ fake, ada, house }) => {
    const group = fake.group([ada]);
    const id = await fake.says(ada, "nice", { group });
    await house.receives(1);
    await house.account.react!(to(group.id), id, "❤️");
    expect(last(fake).message.reactionMessage).toMatchObject({
      text: "❤️",
      key: { id, fromMe: false, participant: ada.lidJid, remoteJid: group.id },
    });
    await house.account.react!(to(group.id), id, "");
    expect(last(fake).message.reactionMessage!.text).toBe("");
  }));

test("a poll has at most twelve different options", () =>
  on(async ({ fake, ada, house }) => {
    const poll = { question: "When?", options: ["Mon", "Tue", "Mon"], maxSelections: 1 };
    const { pollId, ids } = await house.account.poll!(to(ada.id), poll);
    expect(pollId).toBe(ids[0]!);
    const sent = last(fake).message.pollCreationMessageV3!;
    expect([sent.name, sent.options!.map(({ optionName }) => optionName)]).toEqual([
      "When?",
      ["Mon", "Tue"],
    ]);
    for (const options of [["one"], Array.from({ length: 13 }, (_, i) => `${i}`)])
      expect((await refusal(house.account.poll!(to(ada.id), { ...poll, options }))).code).toBe(
        "channel_rejected",
      );
  }));

test("typing is shown and ends with the message", () =>
  on(async ({ fake, ada, house }) => {
    await house.account.send(out(ada.id, "first"));
    await house.account.typing!(to(ada.id));
    await house.account.send(out(ada.id, "second"));
    await fake.world.until(() => fake.world.presences.filter(({ to }) => to).length === 3);
    const seen = fake.world.presences.filter((each) => each.to === ada.jid).map(({ what }) => what);
    expect(seen).toEqual(["paused", "composing", "paused"]);
  }));

test("a recipient who could not read it gets it once more, also after a restart", () =>
  on(async ({ fake, ada, house }) => {
    const { ids } = await house.account.send(out(ada.id, "read me"));
    await house.stop();
    const again = await begin(fake, {}, {}, house.state);
    await ada.forget(fake.world.linked!.jid);
    fake.world.askAgain(ids[0]!, ada);
    await fake.world.until(() => fake.world.again.length === 1);
    expect(textOf(fake.world.again[0]!.message)).toBe("read me");
    await again.stop();
  }));

test("what the server says of a message decides whether it is tried again", () =>
  on(async ({ fake, ada, house }) => {
    const outcome = async (error: string, backoff?: string) => {
      fake.world.faults.messages.push({ error, ...(backoff && { backoff }) });
      const { code, retryAfterMs } = await refusal(
        house.account.send(out(ada.id, `${error} ${backoff}`)),
      );
      return [code, retryAfterMs];
    };
    expect(await outcome("463")).toEqual(["channel_rejected", undefined]);
    expect(await outcome("403")).toEqual(["channel_rejected", undefined]);
    expect(await outcome("429", "7")).toEqual(["channel_unreachable", 60_000]);
    expect(await outcome("429", "300")).toEqual(["channel_unreachable", 300_000]);
    expect(await outcome("500")).toEqual(["channel_unreachable", 15_000]);
  }));

test("a message that a cut connection swallowed is sent again under the same id", () =>
  on(async ({ fake, ada, house }) => {
    await house.account.send(out(ada.id, "before"));
    fake.world.faults.silent = true;
    const sent = house.account.send(out(ada.id, "through the cut"));
    await fake.world.until(() => fake.world.heardNothing);
    fake.world.faults.silent = false;
    fake.cut();
    await sent;
    expect(fake.texts()).toEqual(["before", "through the cut"]);
  }));

test("writing to strangers is counted, and answering is not", () =>
  on(
    async ({ fake, ada, house }) => {
      const [bob, eve] = [fake.person("Bob"), fake.person("Eve")];
      await fake.says(ada, "hello");
      await house.receives(1);
      await house.account.send(out(ada.id, "an answer"));
      await house.account.send(out(bob.id, "one"));
      const { code, retryAfterMs } = await refusal(house.account.send(out(eve.id, "two")));
      expect(code).toBe("channel_unreachable");
      expect(retryAfterMs).toBeGreaterThan(0);
      expect(retryAfterMs).toBeLessThanOrEqual(86_400_000);
      await house.account.send(out(bob.id, "again"));
      expect(fake.texts()).toEqual(["an answer", "one", "again"]);
    },
    { pace: { perMinute: 6000, burst: 1000, perChatMs: 0, newPeoplePerDay: 1 } },
  ));

test("people who are not on WhatsApp cannot be written to", () =>
  on(async ({ fake, house }) => {
    for (const chatId of ["+15559999999", "nobody", "120363000000009999@g.us"])
      expect((await refusal(house.account.send(out(chatId, "hello")))).code).toBe(
        "channel_rejected",
      );
    expect(fake.texts()).toEqual([]);
  }));

test("a probe is a round trip", () =>
  on(async ({ fake, ada, house }) => {
    await house.account.send(out(ada.id, "hello"));
    const before = fake.world.questions.length;
    const probe = await house.account.probe!(new AbortController().signal);
    expect(probe.ok).toBe(true);
    expect(fake.world.questions.slice(before)).toEqual(["w:p get ping"]);
  }));

/** The smallest BMP there is. */
const onePixel = Buffer.from(
  "424d3a000000000000003600000028000000010000000100000001001800000000000400000000000000000000000000000000000000ff00ff00",
  "hex",
);

async function opened(
  fake: WhatsApp,
  message: { directPath?: string | null; mediaKey?: Uint8Array | null },
  type: "document",
): Promise<Buffer> {
  const sealed = fake.world.files.rows.get(message.directPath!)!;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response(new Uint8Array(sealed)),
  });
  const url = `http://127.0.0.1:${server.port}/`;
  const stream = await downloadContentFromMessage({ url, mediaKey: message.mediaKey! }, type);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  await server.stop(true);
  return Buffer.concat(chunks);
}
