/** What every implementation of the store promises about chat networks: context, changes, strangers, traces, offsets. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";

import type { Inbound, Route } from "../../src/flow.ts";
import type { Store } from "../../src/store/store.ts";
import { address, inbound, key, said, turnRoute } from "./store.ts";

const HOUR = 3_600_000;
const limits = { ttlMs: HOUR, cap: 3 };
const drop = (reason: "not_mentioned" | "not_allowed"): Route => ({ kind: "drop", reason });

export function channelStoreContract(
  name: string,
  open: (now: () => number) => Promise<Store>,
): void {
  describe(`the store on ${name}, for chats`, () => {
    let store: Store;
    let now: number;
    beforeEach(async () => {
      now = 2_000;
      store = await open(() => now);
    });
    afterEach(() => store.close());

    const accept = (
      id: string,
      route: Route,
      over: Partial<Inbound> = {},
      more?: Parameters<Store["inbound"]["accept"]>[3],
    ) => store.inbound.accept({ ...inbound(id), ...over }, route, `run-${id}`, more);
    const texts = async (limit = 50, chat = address) =>
      (await store.inbound.unanswered(chat, limit)).map((row) => row.inbound.text);

    describe("context of a group", () => {
      const skip = (id: string, over: Partial<Inbound> = {}) =>
        accept(id, drop("not_mentioned"), { text: id, ...over });

      test("it is what was not for us since the last turn there, oldest first", async () => {
        await skip("a");
        await accept("t", turnRoute());
        expect(await texts()).toEqual([]);
        now = 3_000;
        await skip("b");
        await accept("no", drop("not_allowed"));
        await accept("answered", { kind: "answer", text: "x", reply: address, by: "/x" });
        await skip("c");
        expect(await texts()).toEqual(["b", "c"]);
        expect((await store.inbound.unanswered(address, 1))[0]).toMatchObject({
          at: 3_000,
          inbound: { id: "c", sender: { name: "Ada" } },
        });
        expect(await texts(0)).toEqual([]);
        expect(await texts(-1)).toEqual([]);
      });

      test("each chat, topic and account has its own", async () => {
        await skip("here");
        await skip("topic", { from: { ...address, threadId: "7" } });
        await skip("account", { from: { ...address, account: "second" } });
        await skip("chat", { from: { ...address, chatId: "8" } });
        await accept("t", turnRoute(), { from: { ...address, chatId: "8" } });
        expect(await texts()).toEqual(["here"]);
        expect(await texts(9, { ...address, threadId: "7" })).toEqual(["topic"]);
        expect(await texts(9, { ...address, chatId: "8" })).toEqual([]);
      });

      test("a message that is only replied to from somewhere else is in its chat", async () => {
        await skip("a", { from: { ...address, replyToId: "1" } });
        expect(await texts()).toEqual(["a"]);
      });
    });

    describe("changes", () => {
      test("a waiting message gets the new text, a begun one does not", async () => {
        await accept("1", turnRoute(), { text: "helo" });
        expect(await store.inbound.amend(address, "1", "hello")).toEqual({
          runId: "run-1",
          late: false,
        });
        expect((await store.turns.get("run-1"))?.inbound.text).toBe("hello");
        await store.turns.begin(["run-1"], [], 2_500);
        expect(await store.inbound.amend(address, "1", "again")).toEqual({
          runId: "run-1",
          late: true,
        });
        expect((await store.turns.get("run-1"))?.inbound.text).toBe("hello");
      });

      test("context is changed too, and what was decided otherwise is not", async () => {
        await accept("1", drop("not_mentioned"), { text: "helo" });
        expect(await store.inbound.amend(address, "1", "hello")).toEqual({ late: false });
        expect(await texts()).toEqual(["hello"]);
        await accept("2", drop("not_allowed"));
        expect(await store.inbound.amend(address, "2", "x")).toEqual({ late: true });
        expect(await store.inbound.amend(address, "3", "x")).toBeUndefined();
        const elsewhere = { ...address, account: "second" };
        expect(await store.inbound.amend(elsewhere, "1", "x")).toBeUndefined();
      });

      test("a message is found with its author, its decision and its turn", async () => {
        await accept("1", turnRoute());
        expect(await store.inbound.find(address, "1")).toMatchObject({
          inbound: { id: "1", sender: { id: "7" } },
          route: turnRoute(),
          turn: { id: "run-1" },
        });
        await accept("2", { kind: "answer", text: "x", reply: address, by: "/x" });
        const found = await store.inbound.find(address, "2");
        expect(found?.route).toEqual({ kind: "answer", text: "x", reply: address, by: "/x" });
        expect(found?.turn).toBeUndefined();
        expect(await store.inbound.find({ ...address, channel: "x" }, "1")).toBeUndefined();
      });
    });

    describe("what is stored together with a message", () => {
      const state = (offset: number) => ({ scope: "s", entries: { offset } });

      test("the channel's values and the immediate answer, once", async () => {
        const answer: Route = { kind: "answer", text: "hi", reply: address, by: "/x" };
        const outbox = [{ key: "k", runId: "run-1", to: address, text: "hi" }];
        await accept("1", answer, {}, { state: state(1), outbox });
        expect(await store.kv.get<number>("s", "offset")).toBe(1);
        expect(await store.outbox.get("k")).toMatchObject({ runId: "run-1", state: "pending" });
        // A repeat moves the offset and says nothing again.
        const again = [{ key: "k2", to: address, text: "hi" }];
        const repeat = await accept("1", answer, {}, { state: state(2), outbox: again });
        expect(repeat.duplicate).toBe(true);
        expect(await store.kv.get<number>("s", "offset")).toBe(2);
        expect(await store.outbox.get("k2")).toBeUndefined();
      });

      test("all of it or nothing", async () => {
        const broken = { scope: "s", entries: { a: 1, b: () => undefined } };
        await expect(accept("1", turnRoute(), {}, { state: broken })).rejects.toMatchObject({
          code: "bad_request",
        });
        expect(await store.kv.get<number>("s", "a")).toBeUndefined();
        expect(await store.turns.get("run-1")).toBeUndefined();
        expect((await accept("1", turnRoute())).duplicate).toBe(false);
      });

      test("values are put, listed by the beginning of their key and cleared", async () => {
        await store.kv.put("s", { "a%1": 1, "a%2": 2, a_1: 3, b: 4 });
        await store.kv.put("t", { "a%1": 5 });
        expect(await store.kv.keys("s", "a%")).toEqual(["a%1", "a%2"]);
        expect(await store.kv.keys("s", "")).toEqual(["a%1", "a%2", "a_1", "b"]);
        await store.kv.put("s", { "a%1": undefined, b: 6 });
        expect(await store.kv.keys("s", "")).toEqual(["a%2", "a_1", "b"]);
        expect(await store.kv.clear("s")).toBe(true);
        expect(await store.kv.clear("s")).toBe(false);
        expect(await store.kv.get<number>("t", "a%1")).toBe(5);
      });
    });

    describe("trust", () => {
      test("it is kept with the turn", async () => {
        await accept("1", { ...turnRoute(), trust: "guest" } as Route);
        expect((await store.turns.get("run-1"))?.trust).toBe("guest");
        expect((await store.turns.unfinished())[0]?.trust).toBe("guest");
      });
    });

    describe("strangers", () => {
      const who = (sender: string, account = "default") => ({
        channel: "telegram",
        account,
        sender,
        meta: { name: `name of ${sender}` },
      });
      const waiting = async (at = now) =>
        (await store.pairing.list(at, HOUR)).map((row) => row.sender);

      test("a code is made once, is easy to read, and lives for its time", async () => {
        const first = await store.pairing.request(who("1"), now, limits);
        expect(first.code).toMatch(/^[ABCDEFGHJKLMNPQRSTUVWXYZ23456789]{8}$/);
        expect(first.created).toBe(true);
        const again = await store.pairing.request(who("1"), now + 10, limits);
        expect(again).toEqual({ code: first.code, created: false });
        expect(await store.pairing.list(now, HOUR)).toEqual([
          { ...who("1"), code: first.code, createdAt: now, lastSeenAt: now + 10 },
        ]);
        expect(await waiting(now + HOUR - 1)).toEqual(["1"]);
        expect(await waiting(now + HOUR)).toEqual([]);
        const later = await store.pairing.request(who("1"), now + HOUR, limits);
        expect(later.created).toBe(true);
        expect(later.code).not.toBe(first.code);
      });

      test("the oldest makes room, at its own account only", async () => {
        for (const id of ["1", "2", "3", "4"])
          expect((await store.pairing.request(who(id), now, limits)).created).toBe(true);
        await store.pairing.request(who("1", "second"), now, limits);
        expect(await waiting()).toEqual(["2", "3", "4", "1"]);
        const again = await store.pairing.request(who("2"), now, limits);
        expect(again.created).toBe(false);
        expect(await waiting()).toEqual(["2", "3", "4", "1"]);
        expect((await store.pairing.request(who("1"), now, limits)).created).toBe(true);
        expect(await waiting()).toEqual(["3", "4", "1", "1"]);
      });

      test("every code is another one", async () => {
        const codes = new Set<string>();
        for (let i = 0; i < 50; i++)
          codes.add((await store.pairing.request(who(`${i}`), now, { ttlMs: HOUR, cap: 50 })).code);
        expect(codes.size).toBe(50);
      });

      test("a code lets in once, however it is typed, and only while it lives", async () => {
        const { code } = await store.pairing.request(who("1"), now, limits);
        expect(await store.pairing.approve("AAAAAAAA", now, HOUR)).toBeUndefined();
        expect(await store.pairing.approve("", now, HOUR)).toBeUndefined();
        expect(await store.pairing.approve("%", now, HOUR)).toBeUndefined();
        expect(await store.pairing.approve(code, now, HOUR, "discord")).toBeUndefined();
        const typed = ` ${code.toLowerCase()}\n`;
        expect(await store.pairing.approve(typed, now, HOUR, "telegram")).toMatchObject({
          ...who("1"),
          code,
        });
        expect(await store.pairing.approve(code, now, HOUR)).toBeUndefined();
        expect(await store.pairing.allowed()).toEqual([
          { channel: "telegram", account: "default", sender: "1", addedAt: now },
        ]);
        const late = await store.pairing.request(who("2"), now, limits);
        expect(await store.pairing.approve(late.code, now + HOUR, HOUR)).toBeUndefined();
      });

      test("two that approve in the same moment let in once", async () => {
        const { code } = await store.pairing.request(who("1"), now, limits);
        const both = await Promise.all([
          store.pairing.approve(code, now, HOUR),
          store.pairing.approve(code, now, HOUR),
        ]);
        expect(both.filter(Boolean)).toHaveLength(1);
      });

      test("a request is dismissed by its code", async () => {
        const { code } = await store.pairing.request(who("1"), now, limits);
        expect(await store.pairing.dismiss(code.toLowerCase())).toBe(true);
        expect(await store.pairing.dismiss(code)).toBe(false);
        expect(await waiting()).toEqual([]);
      });

      test("who is let in does not wait any more, twice changes nothing, and it can be taken back", async () => {
        const row = { channel: "telegram", account: "default", sender: "1", addedAt: 5 };
        await store.pairing.request(who("1"), now, limits);
        await store.pairing.allow(row);
        await store.pairing.allow({ ...row, addedAt: 9 });
        expect(await waiting()).toEqual([]);
        expect(await store.pairing.allowed()).toEqual([row]);
        expect(await store.pairing.revoke({ ...row, account: "second" })).toBe(false);
        expect(await store.pairing.revoke(row)).toBe(true);
        expect(await store.pairing.revoke(row)).toBe(false);
        expect(await store.pairing.allowed()).toEqual([]);
      });

      test("nobody is let in by the name of everybody", async () => {
        for (const sender of ["*", "", " ", "4*2"])
          await expect(store.pairing.allow({ ...who(sender), addedAt: 1 })).rejects.toMatchObject({
            code: "bad_request",
          });
        expect(await store.pairing.allowed()).toEqual([]);
      });

      test("the list can be of one channel", async () => {
        await store.pairing.request(who("1"), now, limits);
        await store.pairing.request({ ...who("2"), channel: "discord" }, now, limits);
        expect((await store.pairing.list(now, HOUR, "discord")).map((row) => row.sender)).toEqual([
          "2",
        ]);
      });
    });

    describe("traces", () => {
      const result = (name: string, runId: string, isError?: true) => ({
        at: 2_600,
        body: {
          kind: "message" as const,
          runId,
          message: {
            role: "tool" as const,
            at: 2_600,
            blocks: [{ type: "tool_result" as const, id: "c", name, text: "x", isError }],
          },
        },
      });
      const send = async (rowKey: string, ids: string[]) => {
        await store.outbox.sending(rowKey);
        await store.outbox.delivered(rowKey, { ids, at: 2_900 });
      };

      test("a run is followed from what arrived to what the platform confirmed, by any of its ids", async () => {
        await accept("1", turnRoute(), { text: "why?" });
        await accept("2", turnRoute());
        await store.turns.begin(["run-1", "run-2"], [said("user", "why?", "run-1")], 2_500);
        await store.turns.append("run-1", [result("read", "run-1"), result("exec", "run-1", true)]);
        const outbox = [{ key: "out-1", runId: "run-1", to: address, text: "because" }];
        await store.turns.finish("run-1", { state: "done", at: 2_700, entries: [], outbox });
        await send("out-1", ["p-1", "p-2"]);
        const trace = await store.inbound.trace("run-1");
        expect(trace).toMatchObject({
          inbound: { id: "1", text: "why?" },
          route: { kind: "turn", matchedBy: "default" },
          acceptedAt: 2_000,
          turn: { id: "run-1", state: "done" },
          tools: [
            { name: "read", at: 2_600, failed: false },
            { name: "exec", at: 2_600, failed: true },
          ],
          outbox: [{ key: "out-1", state: "delivered", receipt: { ids: ["p-1", "p-2"] } }],
        });
        for (const id of ["1", "out-1", "p-1", "p-2"])
          expect(await store.inbound.trace(id)).toEqual(trace!);
        expect(await store.inbound.trace("2")).toMatchObject({
          turn: { id: "run-2", leadId: "run-1" },
          lead: { id: "run-1" },
          tools: [{ name: "read" }, { name: "exec" }],
          outbox: [{ key: "out-1" }],
        });
        for (const id of ["nope", "", "%", "p"])
          expect(await store.inbound.trace(id)).toBeUndefined();
      });

      test("the tools of an old run are found in a long conversation, and no others", async () => {
        await accept("1", turnRoute());
        const { sessionId } = (await store.sessions.get(key("main")))!;
        const earlier = Array.from({ length: 1_500 }, (_, i) => ({
          ...result("other", "run-x"),
          at: 500 + i,
        }));
        await store.transcript.append(sessionId, earlier);
        await store.turns.begin(["run-1"], [], 2_500);
        await store.turns.append("run-1", [result("read", "run-1")]);
        await store.turns.finish("run-1", { state: "done", at: 2_700, entries: [], outbox: [] });
        const later = Array.from({ length: 1_500 }, (_, i) => ({
          ...result("other", "run-x"),
          at: 3_000 + i,
        }));
        await store.transcript.append(sessionId, later);
        expect((await store.inbound.trace("run-1"))?.tools.map((tool) => tool.name)).toEqual([
          "read",
        ]);
      });

      test("an answer without a turn is followed too", async () => {
        const answer: Route = { kind: "answer", text: "hi", reply: address, by: "/x" };
        const outbox = [{ key: "k", runId: "run-1", to: address, text: "hi" }];
        await accept("1", answer, {}, { outbox });
        await send("k", ["p-1"]);
        for (const id of ["1", "run-1", "k", "p-1"]) {
          const trace = await store.inbound.trace(id);
          expect([id, trace?.inbound.id, trace?.turn, trace?.outbox.map((row) => row.key)]).toEqual(
            [id, "1", undefined, ["k"]],
          );
        }
      });

      test("a dropped message has its reason", async () => {
        await accept("1", { kind: "drop", reason: "not_allowed", detail: "no list" });
        expect(await store.inbound.trace("1")).toMatchObject({
          route: { kind: "drop", reason: "not_allowed", detail: "no list" },
          tools: [],
          outbox: [],
        });
      });

      test("what was sent by itself leads nowhere, and hurts nothing", async () => {
        await store.outbox.put([{ key: "alone", to: address, text: "hi" }], 1);
        await send("alone", ["p-9"]);
        expect(await store.inbound.trace("alone")).toBeUndefined();
        expect(await store.inbound.trace("p-9")).toBeUndefined();
      });

      test("the newest messages come first, in pages, and can be those without an answer", async () => {
        for (const id of ["1", "2", "3", "4"]) await accept(id, turnRoute());
        await accept("5", drop("not_allowed"), { from: { ...address, channel: "discord" } });
        await accept(
          "6",
          { kind: "answer", text: "x", reply: address, by: "/x" },
          {},
          { outbox: [{ key: "six", runId: "run-6", to: address, text: "x" }] },
        );
        for (const id of ["1", "3"]) {
          await store.turns.begin([`run-${id}`], [], 2_500);
          const outbox = [{ key: id, runId: `run-${id}`, to: address, text: "x" }];
          await store.turns.finish(`run-${id}`, { state: "done", at: 3, entries: [], outbox });
        }
        await send("1", ["p"]);
        await send("six", ["p6"]);
        const ids = async (query: Parameters<Store["inbound"]["recent"]>[0]) =>
          (await store.inbound.recent(query)).rows.map((row) => row.inbound.id);
        expect(await ids({ limit: 9 })).toEqual(["6", "5", "4", "3", "2", "1"]);
        const page = await store.inbound.recent({ limit: 2 });
        expect(await ids({ limit: 2, before: page.rows.at(-1)!.inboundId })).toEqual(["4", "3"]);
        expect(await ids({ limit: 0 })).toEqual([]);
        expect(await ids({ limit: 9, channel: "discord" })).toEqual(["5"]);
        // Who reads the transcript has the answer when the turn is done; 8 still waits for its own.
        for (const id of ["7", "8"])
          await accept(id, turnRoute(), { from: { ...address, channel: "webchat" } });
        await store.turns.begin(["run-7"], [], 4_000);
        await store.turns.finish("run-7", { state: "done", at: 5, entries: [], outbox: [] });
        expect(await ids({ limit: 9, unanswered: true, channel: "webchat" })).toEqual(["8"]);
        // 3 is on its way only; 1 and 6 have arrived.
        expect(await ids({ limit: 9, unanswered: true })).toEqual(["8", "5", "4", "3", "2"]);
        expect(await ids({ limit: 9, unanswered: true, channel: "telegram" })).toEqual([
          "4",
          "3",
          "2",
        ]);
      });
    });

    describe("other calls", () => {
      test("sent messages are listed newest first, and those that need a person", async () => {
        const rows = ["a", "b", "c"].map((rowKey) => ({ key: rowKey, to: address, text: "x" }));
        await store.outbox.put(rows, 1);
        await store.outbox.sending("a");
        await store.outbox.giveUp("a", "dead", "blocked");
        await store.outbox.sending("b");
        await store.outbox.giveUp("b", "unknown", "crash");
        const keys = async (query: Parameters<Store["outbox"]["list"]>[0]) =>
          (await store.outbox.list(query)).map((row) => row.key);
        expect(await keys({ limit: 9 })).toEqual(["c", "b", "a"]);
        expect(await keys({ limit: 1 })).toEqual(["c"]);
        expect(await keys({ limit: 9, states: ["dead", "unknown"] })).toEqual(["b", "a"]);
        expect(await keys({ limit: 9, states: ["pending"] })).toEqual(["c"]);
      });

      test("what goes out keeps its media, buttons and manner", async () => {
        const row = {
          key: "a",
          runId: "r",
          to: address,
          text: "x",
          media: [{ kind: "image" as const, mime: "image/png", file: "outbound/x.png" }],
          buttons: [[{ text: "Yes", data: "y" }]],
          silent: true as const,
          edits: "9",
        };
        await store.outbox.put([row, { key: "b", to: address, text: "y" }], 1);
        expect(await store.outbox.get("a")).toMatchObject(row);
        expect(await store.outbox.get("b")).not.toHaveProperty("runId");
      });

      test("a conversation goes on under another key, unless that one is taken", async () => {
        await accept("1", turnRoute("old"));
        await accept("2", turnRoute("taken"));
        await store.turns.begin(["run-1"], [said("user", "hi")], 2_500);
        expect(await store.sessions.rename(key("old"), key("taken"))).toBe(false);
        expect(await store.sessions.rename(key("none"), key("new"))).toBe(false);
        const before = await store.sessions.get(key("old"));
        expect(await store.sessions.rename(key("old"), key("new"))).toBe(true);
        expect(await store.sessions.get(key("old"))).toBeUndefined();
        expect(await store.sessions.get(key("new"))).toEqual({ ...before!, key: key("new") });
        expect((await store.turns.get("run-1"))?.sessionKey).toBe(key("new"));
        await store.sessions.delete(key("new"), false);
        expect(await store.transcript.from(before!.sessionId, 0)).toEqual([]);
      });
    });
  });
}
