/** What the channel sends to Discord, and what it makes of refusals. */
import { expect, test } from "bun:test";

import type { MediaRef } from "../../src/flow.ts";
import { out, refusal, withDiscord } from "./discord-rig.ts";

const image: MediaRef = {
  kind: "image",
  mime: "image/png",
  name: "a.png",
  data: Buffer.from("89504e470d0a1a0a", "hex").toString("base64"),
};

test("nobody is called, no link is previewed, and a repeated key makes no second message", () =>
  withDiscord(async ({ fake, room, account, to }) => {
    const message = out(to(room.id), "@everyone https://evil.example/?k=1");
    const first = await account.send(message);
    const again = await account.send(message);
    expect(again.ids).toEqual(first.ids);
    expect(fake.sent).toHaveLength(1);
    expect(fake.sent[0]).toMatchObject({
      allowed_mentions: { parse: [] },
      flags: 4,
      enforce_nonce: true,
    });
    await account.send({ ...message, key: "another" });
    expect(fake.sent).toHaveLength(2);
    expect(fake.problems).toEqual([]);
  }));

test("previews can be asked for, and a silent message makes no sound", () =>
  withDiscord(
    async ({ fake, room, account, to }) => {
      await account.send(out(to(room.id), "hi", { silent: true }));
      expect(fake.sent[0]).toMatchObject({ flags: 1 << 12 });
    },
    { config: { suppressEmbeds: false } },
  ));

test("a reply points to its message, also when that is gone", () =>
  withDiscord(async ({ fake, ann, room, account, to }) => {
    const asked = ann.say(room, "what?");
    await account.send(out({ ...to(room.id), replyToId: asked.id }, "that"));
    expect(fake.sent[0]).toMatchObject({ message_reference: { message_id: asked.id } });
    ann.delete(asked);
    await account.send(out({ ...to(room.id), replyToId: asked.id }, "still"));
    expect(fake.texts()).toEqual(["that", "still"]);
  }));

test("files go with the first text, ten to a message", () =>
  withDiscord(async ({ fake, room, account, to }) => {
    const media = Array.from({ length: 12 }, (_, i) => ({ ...image, name: `${i}.png` }));
    const receipt = await account.send(out(to(room.id), "pictures", { media }));
    expect(receipt.ids).toHaveLength(2);
    expect(fake.sent.map(({ content, attachments }) => [content, attachments.length])).toEqual([
      ["pictures", 10],
      ["", 2],
    ]);
    expect(fake.sent[0]!.attachments[0]).toMatchObject({
      filename: "0.png",
      content_type: "image/png",
      size: 8,
    });
  }));

test("a file that is larger than the config allows is refused before it is sent", () =>
  withDiscord(
    async ({ fake, room, account, to }) => {
      const media = [{ ...image, data: Buffer.alloc(2_000).toString("base64") }];
      const { code, text } = await refusal(account.send(out(to(room.id), "big", { media })));
      expect(code).toBe("channel_rejected");
      expect(text).toContain("channels.discord.mediaMaxMb");
      expect(fake.sent).toEqual([]);
    },
    { config: { mediaMaxMb: 0.001 } },
  ));

test("a message is put in the place of an earlier one, or sent anew when that is gone", () =>
  withDiscord(async ({ fake, room, account, to }) => {
    const { ids } = await account.send(out(to(room.id), "working"));
    const edited = await account.send(out(to(room.id), "done", { edits: ids[0]! }));
    expect(edited.ids).toEqual(ids);
    expect(fake.texts()).toEqual(["done"]);
    fake.world.remove(room.id, ids[0]!);
    const anew = await account.send(out(to(room.id), "done again", { edits: ids[0]! }));
    expect(anew.ids).not.toEqual(ids);
    expect(fake.sent.at(-1)!.content).toBe("done again");
  }));

test("a person is written to in the channel that is opened for them once", () =>
  withDiscord(async ({ fake, ann, account, to }) => {
    await account.send(out(to(`user:${ann.id}`), "one"));
    await account.send(out(to(`user:${ann.id}`), "two"));
    expect(fake.texts()).toEqual(["one", "two"]);
    expect(fake.calls.filter(({ path }) => path === "/users/@me/channels")).toHaveLength(1);
  }));

test("buttons: at most 25, and long data that is kept survives a restart", () =>
  withDiscord(async ({ fake, room, ann, account, to, state, next }) => {
    const long = `approve ${"x".repeat(300)}`;
    const rows = Array.from({ length: 7 }, (_, i) => [
      { text: `row ${i} ${"long ".repeat(30)}`, data: i ? `row ${i}` : long },
      ...Array.from({ length: 5 }, (_, j) => ({ text: `${i}.${j}`, data: `b${i}.${j}` })),
    ]);
    await account.send(out(to(room.id), "choose", { buttons: rows }));
    const components = fake.sent[0]!["components"] as { components: { custom_id: string }[] }[];
    expect(components).toHaveLength(5);
    expect(components.every((row) => row.components.length <= 5)).toBe(true);
    expect(fake.problems).toEqual([]);
    expect(await state.keys("button/")).toHaveLength(1);
    ann.press(fake.sent[0]!, components[0]!.components[0]!.custom_id);
    expect(await next(1)).toMatchObject({ text: long, mentioned: true, from: { chatId: room.id } });
    ann.press(fake.sent[0]!, components[0]!.components[1]!.custom_id);
    expect(await next(2)).toMatchObject({ text: "b0.0", sender: { id: ann.id } });
  }));

test("refusals say in the user's words what to do", () =>
  withDiscord(async ({ fake, room, ann, account, to }) => {
    const send = (chatId: string) => refusal(account.send(out(to(chatId), "x", { key: chatId })));
    fake.world.closed.add(ann.id);
    expect((await send(`user:${ann.id}`)).text).toContain("DMs blocked");
    expect((await send("123456789012345678")).text).toContain("not in its server");
    expect((await send("user:123456789012345678")).text).toContain("does not know this user");
    expect((await send("general")).text).toContain("channel:<id>");
    fake.world.readOnly.add(room.id);
    room.permission_overwrites.push({
      id: room.guild_id!,
      type: 0,
      allow: "0",
      deny: String((1 << 11) | (1 << 15)),
    });
    const denied = await send(room.id);
    expect(denied.code).toBe("channel_rejected");
    expect(denied.text).toContain("It lacks: Send Messages, Attach Files.");
    fake.world.readOnly.clear();
    const long = await refusal(account.send(out(to(room.id), "x".repeat(2_001))));
    expect(long).toMatchObject({ code: "channel_rejected" });
    expect(long.text).toContain("2000");
  }));

test("limits and outages are for the outbox to wait for", () =>
  withDiscord(async ({ fake, room, account, to }) => {
    fake.busy(3, true);
    const limited = (await account
      .send(out(to(room.id), "a"))
      .catch((cause: unknown) => cause)) as {
      code: string;
      retryAfterMs: number;
    };
    expect(limited.code).toBe("channel_unreachable");
    expect(limited.retryAfterMs).toBeGreaterThanOrEqual(3_000);
    const calls = fake.calls.length;
    // The limit is for everything: nothing is even tried before it has passed.
    const other = await refusal(account.send(out(to(room.id), "b")));
    expect(other.code).toBe("channel_unreachable");
    expect(fake.calls).toHaveLength(calls);
  }));

test("a connection that breaks after the message arrived makes no second one", () =>
  withDiscord(async ({ fake, room, account, to }) => {
    for (const status of [500, 503]) {
      fake.fail({ method: "POST", path: /messages$/, status, body: "<html>oops</html>" });
      expect((await refusal(account.send(out(to(room.id), "x")))).code).toBe("channel_unreachable");
    }
    fake.fail({ method: "POST", path: /messages$/, status: 504, carriedOut: true });
    expect((await refusal(account.send(out(to(room.id), "x")))).code).toBe("channel_unreachable");
    await account.send(out(to(room.id), "x"));
    expect(fake.texts()).toEqual(["x"]);
  }));

test("a token that is refused while sending ends the account", () =>
  withDiscord(async ({ fake, room, account, to, failures }) => {
    fake.revoke();
    const { code, text } = await refusal(account.send(out(to(room.id), "x")));
    expect(code).toBe("channel_misconfigured");
    expect(text).toContain("channels.discord.token");
    expect(failures).toHaveLength(1);
  }));

test("without listening it sends, and opens no connection", () =>
  withDiscord(
    async ({ fake, ann, account, to }) => {
      await account.send(out(to(`user:${ann.id}`), "from the terminal"));
      expect(fake.texts()).toEqual(["from the terminal"]);
      expect(fake.gateway.identifies).toBe(0);
      expect(fake.calls.some(({ path }) => path === "/gateway/bot")).toBe(false);
    },
    { ready: false, over: { listen: false } },
  ));
