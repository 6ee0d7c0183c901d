import { describe, expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import { IN_PREVIEW, PREVIEWS } from "../../src/delivery/kept.ts";
import type { Outbound } from "../../src/flow.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import { breathe, chat, media, setUp, target } from "./delivery-rig.ts";
import { quiet } from "./house.ts";

const busy = (retryAfterMs?: number, details?: unknown) =>
  new AppError("channel_unreachable", "slow down", { retryAfterMs, details });

describe("what is in the outbox", () => {
  test("counts as delivered only with the platform's id", async () => {
    const { store, put, run } = await setUp({});
    await put(chat("1"), "a");
    await run();
    expect(await store.outbox.get("1-a")).toMatchObject({
      state: "delivered",
      receipt: { ids: ["id of a"] },
    });
  });

  test("is tried again after the time the platform names, and what is behind it waits", async () => {
    let failures = 1;
    const { time, put, run, texts } = await setUp({
      send: () => {
        if (failures-- > 0) throw busy(7000);
        return "id";
      },
    });
    await put(chat("1"), "a", "b");
    await put(chat("2"), "other");
    await run();
    expect(texts()).toEqual(["other"]);
    time.advance(6999);
    await run();
    expect(texts()).toEqual(["other"]);
    time.advance(1);
    await run();
    expect(texts()).toEqual(["other", "a", "b"]);
  });

  test("goes out also when it was put while the outbox looked at what waits for its time", async () => {
    const memory = await openSqlite({ path: ":memory:", log: quiet });
    let duringLast: (() => Promise<void>) | undefined;
    const store = {
      ...memory,
      outbox: {
        ...memory.outbox,
        async due(now: number, limit: number) {
          const rows = await memory.outbox.due(now, limit);
          const then = now === Number.MAX_SAFE_INTEGER ? duringLast : undefined;
          duringLast = then ? undefined : duringLast;
          await then?.();
          return rows;
        },
      },
    };
    const { delivery, put, run, texts } = await setUp({ store });
    duringLast = async () => {
      await put(chat("1"), "late");
      delivery.wake();
    };
    await run();
    expect(texts()).toEqual(["late"]);
  });

  test("is tried again by itself, nobody has to wake it", async () => {
    let failures = 1;
    const { time, delivery, put, run, texts } = await setUp({
      send: () => {
        if (failures-- > 0) throw busy(7000);
        return "id";
      },
    });
    await put(chat("1"), "a", "b");
    await run();
    await breathe();
    time.advance(7000);
    await breathe();
    await delivery.settled();
    expect(texts()).toEqual(["a", "b"]);
  });

  test("of one chat goes one after the other, also when one takes long; other chats do not wait for it", async () => {
    const { promise: slow, resolve: release } = Promise.withResolvers<string>();
    const begun: string[] = [];
    const { delivery, put, texts } = await setUp({
      send: (out) => {
        begun.push(out.text);
        return out.text === "slow" ? slow : "id";
      },
    });
    await put(chat("1"), "slow", "next");
    delivery.wake();
    await breathe();
    await put(chat("2"), "other");
    await put(chat("1"), "last");
    delivery.wake();
    await breathe();
    expect(begun).toEqual(["slow", "other"]);
    release("id");
    await delivery.settled();
    expect(texts()).toEqual(["other", "slow", "next", "last"]);
  });

  test("is not held back by very many messages of another chat", async () => {
    const { promise: slow, resolve: release } = Promise.withResolvers<string>();
    const { delivery, put, texts, time } = await setUp({
      send: (out) => (out.text === "0" ? slow : "id"),
    });
    await put(chat("1"), ...Array.from({ length: 250 }, (_, i) => `${i}`));
    await put(chat("2"), "other");
    delivery.wake();
    await breathe();
    time.advance(200);
    await breathe();
    expect(texts()).toEqual(["other"]);
    release("id");
    await delivery.settled();
    expect(texts().slice(1)).toEqual(Array.from({ length: 250 }, (_, i) => `${i}`));
  });

  test("is given up when the platform refuses it, with the trace in the log, and the next one goes", async () => {
    const { store, time, delivery, texts, run, lines } = await setUp({
      send: (out) => {
        if (out.text === "bad") throw new AppError("channel_rejected", "blocked by the user");
        return "id";
      },
    });
    const rows = ["bad", "good"].map((text) => ({
      key: text,
      runId: "run-7",
      to: chat("1"),
      text,
    }));
    await store.outbox.put(rows, time.clock.now());
    await run();
    expect(texts()).toEqual(["good"]);
    expect(await store.outbox.get("bad")).toMatchObject({
      state: "dead",
      error: "blocked by the user",
    });
    expect(lines).toContainEqual([
      "error",
      "a message could not be delivered",
      expect.objectContaining({ trace: "run-7", key: "bad", error: "blocked by the user" }),
    ]);
    await delivery.stop();
  });

  test("is tried a few times at once when the platform names no time", async () => {
    let failures = 2;
    const { time, delivery, put, texts } = await setUp({
      target: { retry: { ...target.retry, attempts: 3 } },
      send: () => {
        if (failures-- > 0) throw busy();
        return "id";
      },
    });
    await put(chat("1"), "a");
    delivery.wake();
    await breathe();
    time.advance(400);
    await breathe();
    expect(texts()).toEqual([]);
    time.advance(800);
    await delivery.settled();
    expect(texts()).toEqual(["a"]);
  });

  test("of a whole account waits when the platform says that it means the account", async () => {
    let failures = 1;
    const { time, put, run, texts } = await setUp({
      send: () => {
        if (failures-- > 0) throw busy(5000, { scope: "account" });
        return "id";
      },
    });
    await put(chat("1"), "a");
    await run();
    await put(chat("2"), "b");
    await put(chat("3", { account: "other" }), "c");
    await run();
    expect(texts()).toEqual(["c"]);
    time.advance(5000);
    await run();
    expect(texts()).toEqual(["c", "a", "b"]);
  });

  test("waits for an account that does not run", async () => {
    let runs = false;
    const { time, put, run, texts } = await setUp({ target: () => (runs ? target : undefined) });
    await put(chat("1"), "a", "b");
    await run();
    expect(texts()).toEqual([]);
    runs = true;
    time.advance(15_000);
    await run();
    expect(texts()).toEqual(["a", "b"]);
  });

  test("goes at once when the account has come up", async () => {
    let runs = false;
    const { delivery, put, run, texts } = await setUp({
      target: () => (runs ? target : undefined),
    });
    await put(chat("1"), "a", "b");
    await run();
    runs = true;
    await delivery.resume({ channel: "net", account: "a" });
    await delivery.settled();
    expect(texts()).toEqual(["a", "b"]);
  });

  test("is dropped when it is a day old, and one note a day says so", async () => {
    let runs = false;
    const { store, time, put, run, texts } = await setUp({
      target: () => (runs ? { ...target, limits: { text: 500 } } : undefined),
    });
    await put(chat("1"), "a", "b");
    await run();
    time.advance(86_400_001);
    runs = true;
    await run();
    expect(await store.outbox.get("1-a")).toMatchObject({ state: "dead" });
    expect(await store.outbox.get("1-b")).toMatchObject({ state: "dead" });
    expect(texts()).toEqual([
      "⚠️ An answer from 2026-01-02 03:04 UTC was not delivered in time and was dropped. Ask again if it still matters.",
    ]);
  });
});

describe("after a crash", () => {
  test("what was half sent is sent once more, before what is behind it", async () => {
    const { store, put, delivery, texts, lines } = await setUp({});
    await put(chat("1"), "half", "next");
    await store.outbox.sending("1-half");
    await delivery.recover();
    await delivery.settled();
    expect(texts()).toEqual(["half", "next"]);
    expect((await store.outbox.get("1-half"))!.state).toBe("delivered");
    expect(lines.map(([, message]) => message)).toContain("a message may arrive twice");
  });

  test("what was being sent in three crashes in a row is not sent again", async () => {
    const store = await openSqlite({ path: ":memory:", log: quiet });
    const sent: string[] = [];
    for (let crash = 1; crash <= 3; crash++) {
      // Nothing comes back: the process ends in the middle.
      const dies = new Promise<string>(() => undefined);
      const { put, delivery } = await setUp({
        store,
        send: ({ text }) => (sent.push(text), text === "next" ? "id" : dies),
      });
      if (crash === 1) await put(chat("1"), "half", "next");
      await delivery.recover();
      await breathe();
    }
    expect(sent).toEqual(["half", "half", "half"]);
    const { delivery, lines } = await setUp({ store, send: ({ text }) => (sent.push(text), "id") });
    await delivery.recover();
    await delivery.settled();
    expect(sent).toEqual(["half", "half", "half", "next"]);
    expect((await store.outbox.get("1-half"))!.state).toBe("unknown");
    expect(lines.map(([, message]) => message)).toContain("a message may or may not have arrived");
  });

  test("it is sent again with the same key where the platform knows keys", async () => {
    const { store, put, delivery, sent } = await setUp({ target: { idempotent: true } });
    await put(chat("1"), "half", "next");
    await store.outbox.sending("1-half");
    await delivery.recover();
    await delivery.settled();
    expect(sent.map(({ key }) => key)).toEqual(["1-half", "1-next"]);
  });

  test("a change of a message that is there is made again", async () => {
    const { store, time, delivery, sent } = await setUp({});
    const row = { key: "k", runId: "r", to: chat("1"), text: "final", edits: IN_PREVIEW };
    await store.outbox.put([row], time.clock.now());
    await store.kv.set(PREVIEWS, "r", { to: chat("1"), id: "77" });
    await store.outbox.sending("k");
    await delivery.recover();
    await delivery.settled();
    expect(sent).toMatchObject([{ text: "final", edits: "77" }]);
    expect(await store.kv.get(PREVIEWS, "r")).toBeUndefined();
  });

  test("a message that the store could not note as delivered is not sent again", async () => {
    const rig = await setUp({});
    const { store, put, time, delivery, texts } = rig;
    const { delivered } = store.outbox;
    let failures = 2;
    store.outbox.delivered = (key, receipt) =>
      failures-- > 0 ? Promise.reject(new AppError("disk_full", "full")) : delivered(key, receipt);
    await put(chat("1"), "a");
    delivery.wake();
    for (let i = 0; i < 3; i++) {
      await breathe();
      time.advance(5_000);
    }
    await delivery.settled();
    expect(texts()).toEqual(["a"]);
    expect((await store.outbox.get("1-a"))!.state).toBe("delivered");
  });
});

describe("a file", () => {
  const file = (name: string) => ({ kind: "file" as const, mime: "text/plain", name });
  const row = { key: "k", to: chat("1"), text: "words" };

  test("that cannot be had leaves its text and a line that says so", async () => {
    const { store, time, run, sent } = await setUp({});
    await store.outbox.put([{ ...row, media: [file("gone.txt")] }], time.clock.now());
    await run();
    expect(sent).toMatchObject([
      { text: "words\n\n⚠️ Media failed. The file is not there any more.", media: [] },
    ]);
  });

  test("that the platform refuses leaves its text too", async () => {
    const { store, time, run, sent } = await setUp({
      send: (out) => {
        if (out.media.length) throw new AppError("channel_rejected", "wrong type of file");
        return "id";
      },
    });
    await store.outbox.put([{ ...row, media: [file("a")] }], time.clock.now());
    await run();
    expect(sent.map(({ text }) => text)).toEqual(["words\n\n⚠️ Media failed. wrong type of file"]);
  });

  test("is fetched before the message counts as being sent, so a crash meanwhile loses nothing", async () => {
    const states: string[] = [];
    const rig = await setUp({});
    const { ready } = media;
    media.ready = async (ref, max, signal) => {
      states.push((await rig.store.outbox.get("k"))!.state);
      return ready(ref, max, signal);
    };
    await rig.store.outbox.put([{ ...row, media: [file("a")] }], rig.time.clock.now());
    await rig.run();
    media.ready = ready;
    expect(states).toEqual(["pending"]);
  });
});

describe("send", () => {
  test("resolves with the platform's ids, of all the messages that a long text became", async () => {
    const { delivery, sent } = await setUp({ send: (out) => out.key });
    const receipt = await delivery.send({ key: "k", to: chat("1"), text: "long ".repeat(50) });
    expect(receipt.ids).toEqual(["k", "k#1", "k#2"]);
    expect(sent.every(({ text }) => text.length <= 100)).toBe(true);
  });

  test("with the same key is the same message, while it is sent and after", async () => {
    const { delivery, texts } = await setUp({});
    const message = { key: "k", to: chat("1"), text: "once" };
    const [a, b] = await Promise.all([delivery.send(message), delivery.send(message)]);
    expect(await delivery.send(message)).toEqual(a);
    expect(b).toEqual(a);
    expect(texts()).toEqual(["once"]);
  });

  test("throws what the channel throws, again for the same key", async () => {
    const { delivery } = await setUp({
      send: () => {
        throw new AppError("channel_rejected", "no such chat");
      },
    });
    const message = { key: "k", to: chat("1"), text: "x" };
    await expect(delivery.send(message)).rejects.toMatchObject({
      code: "channel_rejected",
      message: "no such chat",
    });
    await expect(delivery.send(message)).rejects.toMatchObject({
      code: "channel_rejected",
      message: "no such chat",
    });
  });

  test("says at once when it will be tried again later than anybody waits", async () => {
    const { delivery, store } = await setUp({
      send: () => {
        throw busy(90_000);
      },
    });
    const refused = delivery.send({ key: "k", to: chat("1"), text: "x" });
    await expect(refused).rejects.toMatchObject({
      code: "channel_unreachable",
      message: "slow down",
      hint: expect.stringContaining("kept"),
    });
    expect((await store.outbox.get("k"))!.state).toBe("pending");
  });

  test("waits no longer than a minute, and the message stays", async () => {
    const { delivery, time } = await setUp({ target: () => undefined });
    const refused = delivery.send({ key: "k", to: chat("1"), text: "x" });
    const outcome = refused.then(
      () => "sent",
      (error: AppError) => error.code,
    );
    await breathe();
    for (let i = 0; i < 4; i++) {
      time.advance(15_000);
      await breathe();
    }
    expect(await outcome).toBe("channel_unreachable");
    await delivery.stop();
  });

  test("of nothing is refused", async () => {
    const { delivery } = await setUp({});
    await expect(delivery.send({ key: "k", to: chat("1"), text: " " })).rejects.toMatchObject({
      code: "bad_request",
    });
  });
});

describe("what leaves", () => {
  const SECRET = "sk-very-secret-value";
  const redact = (text: string) => text.replaceAll(SECRET, "***");

  test("has no known secret in it, also not across a cut, in markup or in the plain form", async () => {
    const { delivery, store, time, run, sent } = await setUp({ redact });
    const text = `${"x".repeat(70)}https://evil/?k=${SECRET}${"y".repeat(50)}`;
    await store.outbox.put(delivery.rowsFor({ runId: "r", to: chat("1"), text }), time.clock.now());
    await store.outbox.put([{ key: "raw", to: chat("1"), text: SECRET }], time.clock.now());
    await run();
    await delivery.send({ key: "tool", to: chat("1"), text: SECRET });
    const all = JSON.stringify(sent);
    expect(sent.length).toBeGreaterThan(3);
    expect(sent.every(({ text: part }) => !/sk-very|value/.test(part))).toBe(true);
    expect(all).not.toContain("very-secret");
    expect(all).toContain("***");
  });

  test("is in the channel's markup, with the plain form beside it", async () => {
    const { put, run, sent } = await setUp({ target: { render: "html" } });
    await put(chat("1"), "**a** <b>");
    await run();
    expect(sent).toMatchObject([{ text: "<b>a</b> &lt;b&gt;", plain: "a <b>" }]);
  });

  test("of 100,000 characters arrives whole, in messages that the channel takes", async () => {
    const { delivery, store, time, run, sent } = await setUp({
      target: { limits: { text: 4096 }, textLimit: 4000, render: "html" },
    });
    const text = `Words < and & **more** \u202e of it (${"x".repeat(50)}).\n`.repeat(1_200);
    await store.outbox.put(delivery.rowsFor({ runId: "r", to: chat("1"), text }), time.clock.now());
    await run();
    expect(sent.every(({ plain }) => plain.length <= 4096)).toBe(true);
    expect(
      sent
        .map(({ plain }) => plain)
        .join("")
        .match(/Words/g),
    ).toHaveLength(1_200);
  });

  test("is cut again when the channel takes less than when it was put", async () => {
    const { put, run, sent } = await setUp({ target: { limits: { text: 40 } } });
    await put(chat("1"), "word ".repeat(20).trim());
    await run();
    expect(sent.length).toBe(3);
    expect(sent.every(({ text }) => text.length <= 40)).toBe(true);
    expect(new Set(sent.map(({ key }) => key)).size).toBe(3);
  });

  test("waits for work on the chat that it must not cross", async () => {
    const { delivery, put, texts } = await setUp({});
    const { promise, resolve } = Promise.withResolvers<void>();
    delivery.after(chat("1"), promise);
    await put(chat("1"), "a");
    await put(chat("2"), "b");
    delivery.wake();
    await breathe();
    expect(texts()).toEqual(["b"]);
    resolve();
    await delivery.settled();
    expect(texts()).toEqual(["b", "a"]);
  });
});

describe("an answer", () => {
  const rows = async (text: string, over: object = {}, given: Partial<typeof target> = {}) => {
    const { delivery } = await setUp({ target: given });
    return delivery.rowsFor({ runId: "r", to: chat("1"), text, current: "42", ...over });
  };
  const brief = (all: Awaited<ReturnType<typeof rows>>) =>
    all.map(({ key, text, media, to }) => [key, text, media?.length ?? 0, to.replyToId]);

  test("names in its first message what it answers, in all of them if wanted, or in none", async () => {
    const long = "word ".repeat(30);
    expect((await rows(long)).map(({ to }) => to.replyToId)).toEqual(["42", undefined]);
    expect((await rows(long, {}, { replyToMode: "all" })).map(({ to }) => to.replyToId)).toEqual([
      "42",
      "42",
    ]);
    expect((await rows(long, {}, { replyToMode: "off" })).map(({ to }) => to.replyToId)).toEqual([
      undefined,
      undefined,
    ]);
    expect((await rows("[[reply_to:9]] hi", {}, { replyToMode: "off" }))[0]!.to.replyToId).toBe(
      "9",
    );
  });

  test("is nothing when it is silent, and for channels whose users read the transcript", async () => {
    expect(await rows("NO_REPLY")).toEqual([]);
    expect(await rows("hello", {}, { transcript: true })).toEqual([]);
  });

  test("has its files first, with a short text under the first one", async () => {
    const answer = "look\nMEDIA:./a.png\nMEDIA:./b.png";
    expect(brief(await rows(answer, { workspace: "/w" }))).toEqual([
      ["r:0", "look", 1, "42"],
      ["r:1", "", 1, undefined],
    ]);
    expect(
      brief(await rows(`longer than the caption may be\nMEDIA:./a.png`, { workspace: "/w" })),
    ).toEqual([
      ["r:0", "", 1, "42"],
      ["r:1", "longer than the caption may be", 0, undefined],
    ]);
  });

  test("says which file it could not send", async () => {
    expect(brief(await rows("look\nMEDIA:./missing.png", { workspace: "/w" }))).toEqual([
      ["r:0", "look\n\n⚠️ Media failed. There is no such file.", 0, "42"],
    ]);
  });

  test("begins with the prefix once, and stands in for a preview with its first text", async () => {
    const all = await rows(`${"word ".repeat(30)}\nMEDIA:./a.png`, {
      prefix: "[M]",
      workspace: "/w",
      edits: "7",
    });
    expect(all.map(({ text, edits, media }) => [text.slice(0, 8), edits, media?.length])).toEqual([
      ["[M] word", "7", undefined],
      [expect.any(String), undefined, undefined],
      ["", undefined, 1],
    ]);
  });

  test("never has a message that the channel would show as longer than it takes", async () => {
    const grows = Array.from({ length: 60 }, () => "1. a").join("\n");
    const { delivery, store, time, run, sent } = await setUp({ target: { render: "whatsapp" } });
    await store.outbox.put(
      delivery.rowsFor({ runId: "r", to: chat("1"), text: grows }),
      time.clock.now(),
    );
    await run();
    expect(Math.max(...sent.map((out: Outbound) => out.text.length))).toBeLessThanOrEqual(100);
  });
});
