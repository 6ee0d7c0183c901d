/** What people on WhatsApp write, and what becomes of it. */
import { expect, test } from "bun:test";

import { proto } from "@whiskeysockets/baileys";

import { WhatsappConfig } from "../../src/channels/whatsapp/config.ts";
import { facts } from "../../src/channels/whatsapp/facts.ts";
import type { Inbound } from "../../src/flow.ts";
import { authorize } from "../../src/router/access.ts";
import { begin, type House, out } from "../fakes/whatsapp/house.ts";
import { type Person, startWhatsApp, type WhatsApp } from "../fakes/whatsapp/index.ts";

type At = { fake: WhatsApp; ada: Person; house: House };
async function on(
  run: (at: At) => Promise<void>,
  config: Record<string, unknown> = {},
): Promise<void> {
  const fake = startWhatsApp();
  const ada = fake.person("Ada");
  const house = await begin(fake, config);
  try {
    await run({ fake, ada, house });
    expect(fake.world.problems).toEqual([]);
  } finally {
    await house.stop();
    await fake.close();
  }
}
const access = (inbound: Inbound, config: Record<string, unknown>) =>
  authorize({
    rules: facts.rules(WhatsappConfig.parse(config), inbound),
    inbound,
    approved: new Set(),
    owners: { ids: new Set(), configured: false, refused: [] },
    accessGroups: true,
  }).kind;

test("a direct message has the number, the name and the time of who wrote it", () =>
  on(async ({ fake, ada, house }) => {
    const at = Date.now() - 3_600_000;
    const id = await fake.says(ada, "hello\r\nthere", { at });
    await house.receives(1);
    expect(house.received[0]).toEqual({
      id,
      from: { channel: "whatsapp", account: "default", chatId: ada.id },
      chat: "dm",
      sender: { id: ada.id, name: "Ada" },
      text: "hello\nthere",
      media: [],
      mentioned: false,
      at: Math.floor(at / 1000) * 1000,
    });
  }));

test("a hidden id is the number where WhatsApp tells it, and itself where it does not", () =>
  on(async ({ fake, ada, house }) => {
    const bob = fake.person("Bob");
    await fake.says(ada, "known", { lid: true });
    await fake.says(bob, "unknown", { hidden: true });
    await house.receives(2);
    expect(house.received.map(({ sender, from }) => [sender.id, from.chatId])).toEqual([
      [ada.id, ada.id],
      [bob.lidJid, bob.lidJid],
    ]);
    await house.account.send(out(ada.id, "to the number"));
    await house.account.send(out(bob.lidJid, "to the hidden id"));
    expect(fake.world.delivered.map(({ to }) => to)).toEqual([ada.id, bob.id]);
  }));

test("a mapping that was learned once names the number from then on", () =>
  on(async ({ fake, ada, house }) => {
    await fake.says(ada, "with the number", { lid: true });
    await fake.says(ada, "without it", { hidden: true });
    await house.receives(2);
    expect(house.received[1]!.sender.id).toBe(ada.id);
  }));

test("a group message has the group, its people, and who is meant", () =>
  on(async ({ fake, ada, house }) => {
    const bob = fake.person("Bob");
    for (const lid of [true, false]) {
      const group = fake.group([ada, bob], { lid, subject: "Club", about: "Chess" });
      house.received.length = 0;
      const mention = (who: Person): proto.IMessage => ({
        extendedTextMessage: {
          text: "hi @you",
          contextInfo: { mentionedJid: [lid ? who.lidJid : who.jid] },
        },
      });
      await fake.says(ada, "nobody is meant", { group });
      await fake.says(ada, mention(fake.owner), { group });
      await fake.says(ada, mention(bob), { group });
      await fake.says(ada, `ask +1 555 000 0001 about it`, { group });
      await house.receives(4);
      expect(house.received.map((each) => [each.mentioned, each.mentionsOthers ?? false])).toEqual([
        [false, false],
        [true, false],
        [false, true],
        [true, false],
      ]);
      expect(house.received[0]).toMatchObject({
        from: { chatId: group.id },
        chat: "group",
        sender: { id: ada.id },
        room: { title: "Club", about: "Chess", members: [fake.owner.id, ada.id, bob.id] },
      });
    }
  }));

test("wrapped and unusual messages are read", () =>
  on(async ({ fake, ada, house }) => {
    const vcard = "BEGIN:VCARD\nFN:Bob\nTEL;waid=1:+1 555 123\nEND:VCARD";
    const spot = { degreesLatitude: 48.20849, degreesLongitude: 16.37208 };
    const rows: [proto.IMessage, string][] = [
      [{ ephemeralMessage: { message: { conversation: "for a day" } } }, "for a day"],
      [{ viewOnceMessage: { message: { conversation: "once" } } }, "once"],
      [{ extendedTextMessage: { text: "long" } }, "long"],
      [{ listResponseMessage: { title: "Row 2" } }, "Row 2"],
      [{ buttonsResponseMessage: { selectedDisplayText: "Yes" } }, "Yes"],
      [{ contactMessage: { displayName: "Bob", vcard } }, "<contact: Bob, +1 555 123>"],
      [
        { contactsArrayMessage: { contacts: [{ displayName: "Bob" }, { displayName: "Eve" }] } },
        "<contacts: Bob, Eve>",
      ],
      [{ locationMessage: { ...spot, accuracyInMeters: 12 } }, "📍 48.208490, 16.372080 ±12m"],
      [
        { locationMessage: { ...spot, name: "Cafe", address: "Ring 1" } },
        "📍 Cafe — Ring 1 (48.208490, 16.372080)",
      ],
      [
        { liveLocationMessage: { ...spot, accuracyInMeters: 5, caption: "on my way" } },
        "🛰 Live location: 48.208490, 16.372080 ±5m\non my way",
      ],
      [
        {
          pollCreationMessage: {
            name: "When?",
            options: [{ optionName: "Mon" }, { optionName: "Tue" }],
          },
        },
        "📊 When?\n- Mon\n- Tue",
      ],
    ];
    for (const [message] of rows) await fake.says(ada, message);
    await house.receives(rows.length);
    expect(house.received.map(({ text }) => text)).toEqual(rows.map(([, text]) => text));
    expect(house.received[1]!.notes).toEqual(["its sender wants it to be looked at only once"]);
  }));

test("a reply says what it answers, and whether that was ours", () =>
  on(async ({ fake, ada, house }) => {
    const first = await fake.says(ada, "the first");
    const { ids } = await house.account.send(out(ada.id, "our answer"));
    const reply = (
      stanzaId: string,
      participant: string,
      conversation: string,
    ): proto.IMessage => ({
      extendedTextMessage: {
        text: "about that",
        contextInfo: { stanzaId, participant, quotedMessage: { conversation } },
      },
    });
    await fake.says(ada, reply(ids[0]!, fake.owner.jid, "our answer"));
    await fake.says(ada, reply(first, ada.jid, "the first"));
    await house.receives(3);
    expect(house.received[1]!.quoted).toEqual({
      ...{ id: ids[0]!, text: "our answer", sender: fake.owner.id, mine: true },
    });
    expect(house.received[2]!.quoted).toEqual({ id: first, text: "the first", sender: ada.id });
  }));

test("reactions, edits and removals are events of the one who made them", () =>
  on(async ({ fake, ada, house }) => {
    const id = await fake.says(ada, "tpyo");
    const { ids } = await house.account.send(out(ada.id, "ours"));
    const key = { remoteJid: fake.owner.jid, fromMe: true, id };
    const { REVOKE, MESSAGE_EDIT } = proto.Message.ProtocolMessage.Type;
    await fake.says(ada, {
      reactionMessage: { key: { remoteJid: ada.jid, fromMe: false, id: ids[0]! }, text: "👍" },
    });
    await fake.says(ada, {
      editedMessage: {
        message: {
          protocolMessage: { key, type: MESSAGE_EDIT, editedMessage: { conversation: "typo" } },
        },
      },
    });
    await fake.says(ada, { protocolMessage: { key, type: REVOKE } });
    await house.receives(4);
    const events = house.received.slice(1);
    expect(events.map(({ event, text, sender }) => [event, text, sender.id])).toEqual([
      [{ kind: "reaction", of: ids[0]! }, "👍", ada.id],
      [{ kind: "edit", of: id }, "typo", ada.id],
      [{ kind: "delete", of: id }, "", ada.id],
    ]);
    expect(events[0]!.quoted?.mine).toBe(true);
  }));

test("nobody changes what another member wrote, but an administrator may remove it", () =>
  on(async ({ fake, ada, house }) => {
    const [bob, admin] = [fake.person("Bob"), fake.person("Admin")];
    const group = fake.group([ada, bob, admin], { admins: [admin] });
    const id = await fake.says(ada, "mine", { group });
    const { REVOKE, MESSAGE_EDIT } = proto.Message.ProtocolMessage.Type;
    const key = { remoteJid: group.id, id, participant: ada.lidJid };
    const edit = { key, type: MESSAGE_EDIT, editedMessage: { conversation: "pay Bob" } };
    await fake.says(bob, { protocolMessage: edit }, { group });
    await fake.says(bob, { protocolMessage: { key, type: REVOKE } }, { group });
    await fake.says(admin, { protocolMessage: edit }, { group });
    await fake.says(admin, { protocolMessage: { key, type: REVOKE } }, { group });
    await fake.says(bob, "the end", { group });
    await house.receives(3);
    expect(house.received.map(({ text, event, sender }) => [text, event?.kind, sender.id])).toEqual(
      [
        ["mine", undefined, ada.id],
        ["", "delete", admin.id],
        ["the end", undefined, bob.id],
      ],
    );
  }));

test("what is for the program and not for a person is nobody's message", () =>
  on(async ({ fake, ada, house }) => {
    const broadcast = { ...fake.world.stanza(ada), from: "status@broadcast", participant: ada.jid };
    fake.world.deliver({ tag: "message", attrs: broadcast, content: [] });
    const news = { ...fake.world.stanza(ada), from: "123456@newsletter" };
    fake.world.deliver({ tag: "message", attrs: news, content: [] });
    await fake.says(ada, { protocolMessage: { type: 3, ephemeralExpiration: 86_400 } });
    await fake.says(ada, {});
    await fake.says(ada, "a real one");
    await house.receives(1);
    await fake.world.until(() => fake.world.linked!.waiting.size === 0);
    expect(house.received.map(({ text }) => text)).toEqual(["a real one"]);
  }));

test("files of every kind are fetched, decrypted and kept", () =>
  on(async ({ fake, ada, house }) => {
    const png = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");
    const file = (type: "image" | "video" | "audio" | "document" | "sticker", bytes: Uint8Array) =>
      fake.file(type, bytes);
    const image = await file("image", png);
    const other = Buffer.alloc(70_001, 7);
    await fake.says(ada, { imageMessage: { ...image, mimetype: "image/png", caption: "look" } });
    await fake.says(ada, {
      videoMessage: { ...(await file("video", other)), mimetype: "video/mp4" },
    });
    const gif = { mimetype: "video/mp4", gifPlayback: true };
    await fake.says(ada, { videoMessage: { ...(await file("video", other)), ...gif } });
    const voice = { mimetype: "audio/ogg; codecs=opus", ptt: true };
    await fake.says(ada, { audioMessage: { ...(await file("audio", other)), ...voice } });
    const doc = { mimetype: "application/pdf", fileName: "a/../b.pdf" };
    const document = { ...(await file("document", other)), ...doc };
    await fake.says(ada, {
      documentWithCaptionMessage: { message: { documentMessage: document } },
    });
    await fake.says(ada, {
      stickerMessage: { ...(await file("sticker", png)), mimetype: "image/webp" },
    });
    await house.receives(6);
    expect(
      house.received.map(({ text, media: [media] }) => [
        text,
        media!.kind,
        media!.mime,
        media!.as,
        media!.size,
      ]),
    ).toEqual([
      ["look", "image", "image/png", undefined, png.length],
      ["", "video", "video/mp4", undefined, 70_001],
      ["", "video", "video/mp4", "animation", 70_001],
      ["", "audio", "audio/ogg", "voice", 70_001],
      ["", "file", "application/pdf", undefined, 70_001],
      ["", "image", "image/png", "sticker", png.length],
    ]);
    const stored = await house.media.open(house.received[3]!.media[0]!);
    expect(Buffer.from(await stored.arrayBuffer()).equals(other)).toBe(true);
    expect(house.received[4]!.media[0]!.name).not.toContain("/");
  }));

test("a file that cannot be had is told and does not cost the message", () =>
  on(
    async ({ fake, ada, house }) => {
      const small = await fake.file("image", Buffer.alloc(100));
      const damaged = await fake.file("image", Buffer.alloc(200, 1));
      const bytes = fake.world.files.rows.get(damaged.directPath)!;
      bytes[20]! ^= 1;
      const big = { ...small, fileLength: 2_000_000_000, fileName: "film.mkv" };
      await fake.says(ada, { documentMessage: big });
      // Says less than it has.
      const liar = { ...(await fake.file("document", Buffer.alloc(1_100_000))), fileLength: 10 };
      await fake.says(ada, { documentMessage: { ...liar, fileName: "liar" } });
      await fake.says(ada, { imageMessage: { ...damaged, caption: "broken" } });
      // Whoever leaves out the sum of the plain bytes is still caught by that of the sealed ones.
      const bare = { ...damaged, fileSha256: undefined, caption: "broken too" };
      await fake.says(ada, { imageMessage: bare });
      await house.receives(4);
      expect(house.received.map(({ text, media, notes }) => [text, media, notes])).toEqual([
        ["<media:document>", [], ["a file was too large: film.mkv, 2000 MB; at most 1 MB"]],
        ["<media:document>", [], ["a file was too large: liar; at most 1 MB"]],
        ["broken", [], ["a file could not be fetched: image"]],
        ["broken too", [], ["a file could not be fetched: image"]],
      ]);
    },
    { mediaMaxMb: 1 },
  ));

test("a file is asked for again when its download breaks or the server has a bad moment", () =>
  on(async ({ fake, ada, house }) => {
    const file = await fake.file("image", Buffer.alloc(5000, 3));
    fake.world.files.refusals.push(503);
    await fake.says(ada, { imageMessage: { ...file, mimetype: "image/jpeg" } });
    await house.receives(1);
    expect(house.received[0]!.media[0]!.size).toBe(5000);
  }));

test("the file of somebody whom nobody wants to hear is not fetched", async () => {
  const fake = startWhatsApp();
  const ada = fake.person("Ada");
  const asked: string[] = [];
  const house = await begin(
    fake,
    {},
    {
      async wants({ sender, text }) {
        asked.push(`${sender.id} ${text}`);
        return false;
      },
    },
  );
  const file = await fake.file("image", Buffer.alloc(100));
  const image = { imageMessage: { ...file, mimetype: "image/jpeg" } };
  await fake.says(ada, image);
  await fake.says(ada, { imageMessage: { ...image.imageMessage, caption: "look" } });
  await house.receives(2);
  expect(asked).toEqual([`${ada.id} `, `${ada.id} look`]);
  expect(fake.world.files.downloads).toBe(0);
  expect(house.received.map(({ text, media }) => [text, media])).toEqual([
    ["<media:image>", []],
    ["look", []],
  ]);
  await house.stop();
  await fake.close();
});

test("a slow file holds up its own chat and nobody else", () =>
  on(async ({ fake, ada, house }) => {
    const bob = fake.person("Bob");
    const gate = Promise.withResolvers<void>();
    const file = await fake.file("image", Buffer.alloc(500, 3));
    fake.world.files.before = gate.promise;
    await fake.says(ada, { imageMessage: { ...file, mimetype: "image/jpeg" } });
    await fake.says(ada, "after the picture");
    await fake.says(bob, "somebody else");
    await house.receives(1);
    expect(house.received.map(({ text }) => text)).toEqual(["somebody else"]);
    await house.account.send(out(ada.id, "an answer meanwhile"));
    gate.resolve();
    await house.receives(3);
    expect(house.received.slice(1).map(({ text, media }) => [text, media.length])).toEqual([
      ["", 1],
      ["after the picture", 0],
    ]);
  }));

test("messages that arrive in another order are all read", () =>
  on(async ({ fake, ada, house }) => {
    await fake.says(ada, "0");
    await house.receives(1);
    for (const text of ["1", "2", "3", "4"]) await fake.says(ada, text, { hold: true });
    fake.release(() => [3, 1, 0, 2]);
    await house.receives(5);
    expect(house.received.map(({ text }) => text)).toEqual(["0", "4", "2", "1", "3"]);
  }));

test("every message is acknowledged after it was stored, and read unless that is off", () =>
  on(async ({ fake, ada, house }) => {
    const id = await fake.says(ada, "hello");
    await house.receives(1);
    await fake.world.until(() => fake.world.receipts.length === 2);
    expect(fake.world.receipts.map(({ type }) => type).sort()).toEqual(["inactive", "read"]);
    expect(fake.world.receipts.every((each) => each.id === id && each.to === ada.jid)).toBe(true);
  }));

test("without read receipts there are none", () =>
  on(
    async ({ fake, ada, house }) => {
      await fake.says(ada, "one");
      await fake.says(ada, "two");
      await house.receives(2);
      await house.account.send(out(ada.id, "answer"));
      expect(fake.world.receipts.map(({ type }) => type)).toEqual(["inactive", "inactive"]);
    },
    { sendReadReceipts: false },
  ));

test("what the owner writes to others on the phone is none of our business", () =>
  on(async ({ fake, ada, house }) => {
    await fake.ownerSays(ada, "from the phone");
    await fake.ownerSays(fake.owner, "a note to myself");
    await fake.says(ada, "to the assistant");
    await house.receives(1);
    expect(house.received.map(({ text }) => text)).toEqual(["to the assistant"]);
  }));

test("in self-chat mode a note to oneself is a message of the owner, and our answer is none", () =>
  on(
    async ({ fake, house }) => {
      await fake.ownerSays(fake.owner, "a note to myself");
      await house.receives(1);
      const inbound = house.received[0]!;
      expect(inbound).toMatchObject({
        chat: "dm",
        sender: { id: fake.owner.id },
        mentioned: false,
      });
      expect(access(inbound, { selfChatMode: true })).toBe("allow");
      const { ids } = await house.account.send(out(fake.owner.id, "an answer"));
      await fake.ownerSays(fake.owner, "an answer", ids[0]!);
      await fake.ownerSays(fake.owner, "another note");
      await house.receives(2);
      expect(house.received.map(({ text }) => text)).toEqual(["a note to myself", "another note"]);
      expect(fake.world.receipts.filter(({ type }) => type === "read")).toEqual([]);
    },
    { selfChatMode: true },
  ));

test("a stranger is a stranger in every kind of event", () =>
  on(async ({ fake, ada, house }) => {
    const group = fake.group([ada]);
    const key = { remoteJid: ada.jid, id: "AAAA" };
    await fake.says(ada, "text");
    await fake.says(ada, { reactionMessage: { key, text: "👍" } });
    await fake.says(ada, { protocolMessage: { key, type: 0 } });
    await fake.says(ada, "in a group", { group });
    await house.receives(4);
    const kinds = (config: Record<string, unknown>) =>
      house.received.map((each) => access(each, { dmPolicy: "allowlist", ...config })).join(" ");
    expect(kinds({})).toBe("drop drop drop drop");
    expect(kinds({ allowFrom: [ada.id] })).toBe("allow allow allow allow");
  }));

test("the prefix stands before words and not before commands", () =>
  on(
    async ({ fake, ada, house }) => {
      await fake.says(ada, "hello");
      await fake.says(ada, "/status");
      await house.receives(2);
      expect(house.received.map(({ text }) => text)).toEqual(["[wa] hello", "/status"]);
    },
    { messagePrefix: "[wa]" },
  ));
