/** What every implementation of the store promises. `open` gives an empty one; the suite closes it. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import type { Address, Inbound, Message, Route, SessionKey } from "../../src/flow.ts";
import type { NewEntry, NewOutbox, Store, UsageCursor, UsageRow } from "../../src/store/store.ts";

export const key = (name: string) => `agent:main:${name}` as SessionKey;

export const address: Address = { channel: "telegram", account: "default", chatId: "7" };

export const inbound = (id: string, text = "hello"): Inbound => ({
  id,
  from: address,
  chat: "dm",
  sender: { id: "7", name: "Ada" },
  text,
  media: [],
  mentioned: true,
  at: 1_000,
});

export const turnRoute = (name = "main"): Route => ({
  kind: "turn",
  agentId: "main",
  sessionKey: key(name),
  reply: address,
  matchedBy: "default",
  trust: "owner",
});

export const said = (role: Message["role"], text: string, runId?: string): NewEntry => ({
  at: 1_000,
  body: { kind: "message", message: { role, blocks: [{ type: "text", text }], at: 1_000 }, runId },
});

const out = (name: string, text = "hi"): NewOutbox => ({ key: name, to: address, text });

const end = (
  state: "done" | "failed" | "aborted" = "done",
  more: Partial<Parameters<Store["turns"]["finish"]>[1]> = {},
) => ({ state, at: 3_000, entries: [], outbox: [], ...more });

const code = async (work: Promise<unknown>): Promise<string> => {
  const cause = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  return cause instanceof AppError ? cause.code : `not an AppError: ${String(cause)}`;
};

const texts = async (store: Store, sessionId: string) =>
  (await store.transcript.from(sessionId, 0)).map(({ seq, body }) =>
    body.kind === "message" && body.message.blocks[0]?.type === "text"
      ? `${seq} ${body.message.blocks[0].text}`
      : `${seq} ${body.kind}`,
  );

export function storeContract(name: string, open: (now: () => number) => Promise<Store>): void {
  describe(`the store on ${name}`, () => {
    let store: Store;
    let now: number;
    beforeEach(async () => {
      now = 2_000;
      store = await open(() => now);
    });
    afterEach(() => store.close());

    const accept = (id: string, session = "main", text?: string) =>
      store.inbound.accept(inbound(id, text), turnRoute(session), `run-${id}`);
    const sessionId = async (session = "main") =>
      (await store.sessions.get(key(session)))!.sessionId;
    const state = async (id: string) => (await store.turns.get(id))?.state;

    describe("accepting", () => {
      test("a message opens its turn and its session", async () => {
        const { turn, duplicate } = await accept("1", "main", "  What is\n\nthe   weather? ");
        expect(duplicate).toBe(false);
        expect(turn).toEqual((await store.turns.get("run-1"))!);
        expect(turn).toMatchObject({
          id: "run-1",
          agentId: "main",
          sessionKey: key("main"),
          state: "queued",
          attempts: 0,
          reply: address,
          acceptedAt: 2_000,
          inbound: { id: "1", sender: { name: "Ada" } },
        });
        expect(await store.sessions.get(key("main"))).toMatchObject({
          agentId: "main",
          createdAt: 2_000,
          updatedAt: 2_000,
          chat: "dm",
          route: address,
          title: "What is the weather?",
          preview: "What is the weather?",
          abortedLastRun: false,
        });
      });

      test("the same message again gives the earlier turn and stores nothing", async () => {
        const first = await accept("1");
        const again = await store.inbound.accept(inbound("1", "other"), turnRoute("b"), "run-x");
        expect(again).toEqual({ turn: first.turn, duplicate: true });
        expect(await store.turns.get("run-x")).toBeUndefined();
        expect(await store.sessions.get(key("b"))).toBeUndefined();
        expect(await store.counts()).toEqual({ sessions: 1, unfinishedTurns: 1, pendingOutbox: 0 });
      });

      test("a message is known by channel, account and id together", async () => {
        await accept("1");
        const other = { ...inbound("1"), from: { ...address, account: "second" } };
        const third = { ...inbound("1"), from: { ...address, channel: "discord" } };
        expect((await store.inbound.accept(other, turnRoute(), "r2")).duplicate).toBe(false);
        expect((await store.inbound.accept(third, turnRoute(), "r3")).duplicate).toBe(false);
      });

      test("the same message many times in the same moment opens one turn", async () => {
        const all = await Promise.all(
          Array.from({ length: 20 }, (_, i) =>
            store.inbound.accept(inbound("1"), turnRoute(), `run-${i}`),
          ),
        );
        expect(all.filter((a) => !a.duplicate)).toHaveLength(1);
        expect(new Set(all.map((a) => a.turn?.id)).size).toBe(1);
      });

      test("a run id that is taken gives its turn, so a client that repeats itself is answered once", async () => {
        const first = await accept("1");
        const again = await store.inbound.accept(inbound("2"), turnRoute("b"), "run-1");
        expect(again).toEqual({ turn: first.turn, duplicate: true });
      });

      test("a dropped message is remembered without a turn or a session", async () => {
        const drop: Route = { kind: "drop", reason: "not_allowed" };
        expect(await store.inbound.accept(inbound("1"), drop, "r")).toEqual({
          turn: undefined,
          duplicate: false,
        });
        expect(await accept("1")).toEqual({ turn: undefined, duplicate: true });
        expect((await store.counts()).sessions).toBe(0);
      });

      test("the title stays the first text, the preview follows the last", async () => {
        await accept("1", "main", "first");
        await accept("2", "main", "second");
        await accept("3", "main", "");
        expect(await store.sessions.get(key("main"))).toMatchObject({
          title: "first",
          preview: "second",
        });
      });

      test("a title is at most 60 characters and never half a character", async () => {
        await accept("1", "main", "👩‍🚀".repeat(500));
        const { title, preview } = (await store.sessions.get(key("main")))!;
        expect(Array.from(title!).length).toBeLessThanOrEqual(60);
        expect(Array.from(preview!).length).toBeLessThanOrEqual(120);
        expect(title!.isWellFormed() && preview!.isWellFormed()).toBe(true);
      });

      test("hostile text comes back as it was", async () => {
        const text = `\u0000'";--\ud800 ${"x".repeat(1_000_000)} \u202e`;
        await accept("1'; DROP TABLE turns;--", "main", text);
        const turn = await store.turns.get("run-1'; DROP TABLE turns;--");
        expect(turn?.inbound.text).toBe(text);
      });

      test("a clock that goes back does not move a session back in the list", async () => {
        await accept("1");
        now = 1;
        await accept("2");
        expect((await store.sessions.get(key("main")))?.updatedAt).toBe(2_000);
      });
    });

    describe("turns", () => {
      test("a turn begins, appends and ends, and its transcript is numbered without gaps", async () => {
        await accept("1");
        const begun = await store.turns.begin(["run-1"], [said("user", "hello")], 2_500);
        expect(begun).toMatchObject({ state: "running", attempts: 1, startedAt: 2_500 });
        await store.turns.append("run-1", [said("assistant", "a"), said("tool", "b")]);
        const mine = await store.turns.finish(
          "run-1",
          end("done", {
            entries: [said("assistant", "the answer")],
            usage: { input: 1, output: 2, cacheRead: 3, cacheWrite: 4 },
            contextTokens: 99,
            outbox: [out("k1")],
          }),
        );
        expect(mine).toBe(true);
        expect(await store.turns.get("run-1")).toMatchObject({ state: "done", endedAt: 3_000 });
        expect(await texts(store, await sessionId())).toEqual([
          "1 hello",
          "2 a",
          "3 b",
          "4 the answer",
        ]);
        expect(await store.sessions.get(key("main"))).toMatchObject({
          usage: { input: 1, output: 2, cacheRead: 3, cacheWrite: 4 },
          contextTokens: 99,
          preview: "the answer",
          updatedAt: 3_000,
        });
        expect(await store.outbox.get("k1")).toMatchObject({ state: "pending", text: "hi" });
      });

      test("a finished turn stays as it is", async () => {
        await accept("1");
        await store.turns.begin(["run-1"], [], 2_500);
        await store.turns.finish("run-1", end("aborted"));
        const late = end("done", { entries: [said("assistant", "late")], outbox: [out("late")] });
        expect(await store.turns.finish("run-1", late)).toBe(false);
        await store.turns.append("run-1", [said("assistant", "later")]);
        expect(await store.turns.begin(["run-1"], [said("user", "x")], 1)).toBeUndefined();
        expect(await state("run-1")).toBe("aborted");
        expect(await texts(store, await sessionId())).toEqual([]);
        expect(await store.outbox.get("late")).toBeUndefined();
        expect((await store.sessions.get(key("main")))?.abortedLastRun).toBe(true);
      });

      test("two that finish the same turn in the same moment answer once", async () => {
        await accept("1");
        await store.turns.begin(["run-1"], [], 2_500);
        const won = await Promise.all([
          store.turns.finish("run-1", end("done", { outbox: [out("a")] })),
          store.turns.finish("run-1", end("failed", { outbox: [out("b")] })),
        ]);
        expect(won).toEqual([true, false]);
        expect(await store.outbox.get("b")).toBeUndefined();
      });

      test("a turn that was aborted while it waited is not begun", async () => {
        await accept("1");
        await store.turns.finish("run-1", end("aborted"));
        expect(await store.turns.begin(["run-1"], [said("user", "x")], 2_500)).toBeUndefined();
      });

      test("a failed turn keeps its reason", async () => {
        await accept("1");
        const error = { code: "provider_auth", message: "no key", hint: "set one" };
        await store.turns.finish("run-1", end("failed", { error }));
        expect((await store.turns.get("run-1"))?.error).toEqual(error);
      });

      test("unfinished turns are listed oldest first, whatever the clock says", async () => {
        for (const id of ["1", "2", "3", "4"]) {
          await accept(id, `s${id}`);
          now -= 100;
        }
        await store.turns.begin(["run-2"], [], 2_500);
        await store.turns.finish("run-3", end());
        expect((await store.turns.unfinished()).map((t) => [t.id, t.state])).toEqual([
          ["run-1", "queued"],
          ["run-2", "running"],
          ["run-4", "queued"],
        ]);
        expect((await store.counts()).unfinishedTurns).toBe(3);
      });

      test("beginning again after a restart counts the attempt and keeps the first start", async () => {
        await accept("1");
        await store.turns.begin(["run-1"], [said("user", "hello")], 2_500);
        const again = await store.turns.begin(["run-1"], [], 9_000);
        expect(again).toMatchObject({ attempts: 2, startedAt: 2_500, state: "running" });
      });

      test("what an orderly stop left running does not count as an attempt; other turns stay as they are", async () => {
        for (const id of ["1", "2", "3"]) await accept(id, `s${id}`);
        await store.turns.begin(["run-1"], [], 2_500);
        await store.turns.begin(["run-2"], [], 2_500);
        await store.turns.finish("run-2", end());
        await store.turns.release(["run-1", "run-2", "run-3", "run-none"]);
        const row = async (id: string) => {
          const turn = await store.turns.get(id);
          return [turn?.state, turn?.attempts];
        };
        expect(await row("run-1")).toEqual(["running", 0]);
        expect(await row("run-2")).toEqual(["done", 1]);
        expect(await row("run-3")).toEqual(["queued", 0]);
        expect(await store.turns.begin(["run-1"], [], 9_000)).toMatchObject({ attempts: 1 });
      });

      test("merged turns are answered by their lead and end with it", async () => {
        for (const id of ["1", "2", "3"]) await accept(id);
        await store.turns.begin(["run-1", "run-2"], [said("user", "a"), said("user", "b")], 2_500);
        expect(await store.turns.get("run-2")).toMatchObject({ state: "merged", leadId: "run-1" });
        expect(await store.turns.begin(["run-2"], [said("user", "b")], 2_600)).toBeUndefined();
        expect(await store.turns.merge(["run-3"], "run-1", [said("user", "c")])).toEqual(["run-3"]);
        expect((await store.turns.unfinished()).map((t) => t.id)).toEqual([
          "run-1",
          "run-2",
          "run-3",
        ]);
        await store.turns.finish("run-1", end("done"));
        expect(await store.turns.unfinished()).toEqual([]);
        expect(await store.turns.get("run-3")).toMatchObject({ state: "done", leadId: "run-1" });
        expect(await texts(store, await sessionId())).toEqual(["1 a", "2 b", "3 c"]);
      });

      test("what was merged into an interrupted run moves along when that run is merged itself", async () => {
        for (const id of ["1", "2", "3"]) await accept(id);
        await store.turns.begin(["run-1", "run-2"], [], 2_500);
        await store.turns.begin(["run-3", "run-1"], [], 2_600);
        await store.turns.finish("run-3", end("done"));
        expect(await store.turns.unfinished()).toEqual([]);
      });

      test("merging takes only what still waits, with its own entries only", async () => {
        for (const id of ["1", "2", "3"]) await accept(id);
        await store.turns.begin(["run-1"], [], 2_500);
        await store.turns.finish("run-2", end("aborted"));
        const entries = [said("user", "two", "run-2"), said("user", "three", "run-3")];
        expect(await store.turns.merge(["run-2", "run-3", "nope"], "run-1", entries)).toEqual([
          "run-3",
        ]);
        expect(await texts(store, await sessionId())).toEqual(["1 three"]);
        await store.turns.finish("run-1", end("done"));
        await accept("4");
        expect(await store.turns.merge(["run-4"], "run-1", [said("user", "four")])).toEqual([]);
        expect(await state("run-4")).toBe("queued");
      });

      test("a reset in the middle does not move the running turn to the new transcript", async () => {
        await accept("1");
        await store.turns.begin(["run-1"], [said("user", "hello")], 2_500);
        const old = await sessionId();
        await store.sessions.reset(key("main"), "main", 2_600);
        const usage = { input: 5, output: 5, cacheRead: 0, cacheWrite: 0 };
        await store.turns.finish(
          "run-1",
          end("done", { entries: [said("assistant", "x")], usage }),
        );
        expect(await texts(store, old)).toEqual(["1 hello", "2 x"]);
        const session = (await store.sessions.get(key("main")))!;
        expect(await texts(store, session.sessionId)).toEqual([]);
        expect(session.usage.input).toBe(0);
      });

      test("a session that is deleted in the middle takes the late entries with it, and the turn still ends", async () => {
        await accept("1");
        await store.turns.begin(["run-1"], [said("user", "hello")], 2_500);
        const old = await sessionId();
        await store.sessions.delete(key("main"), false);
        const late = end("done", { entries: [said("assistant", "x")], outbox: [out("k")] });
        expect(await store.turns.finish("run-1", late)).toBe(true);
        expect(await texts(store, old)).toEqual([]);
        expect(await store.outbox.get("k")).toBeDefined();
        expect(await store.sessions.get(key("main"))).toBeUndefined();
      });

      test("aborting what waited in a deleted session does not bring the session back", async () => {
        await accept("1");
        await store.sessions.delete(key("main"), false);
        await store.turns.finish("run-1", end("aborted", { entries: [said("user", "x")] }));
        expect(await state("run-1")).toBe("aborted");
        expect(await store.sessions.get(key("main"))).toBeUndefined();
        await accept("2");
        expect(await store.turns.begin(["run-2"], [said("user", "new")], 2_500)).toBeDefined();
        expect(await texts(store, await sessionId())).toEqual(["1 new"]);
      });

      test("an unknown turn is an error, not a silence", async () => {
        expect(await store.turns.get("nope")).toBeUndefined();
        expect(await store.turns.begin(["nope"], [], 1)).toBeUndefined();
        expect(await store.turns.begin([], [], 1)).toBeUndefined();
        expect(await code(store.turns.append("nope", []))).toBe("not_found");
        expect(await code(store.turns.finish("nope", end()))).toBe("not_found");
      });
    });

    describe("usage", () => {
      const answer = (at: number, model: string, input: number): NewEntry => ({
        at,
        body: {
          kind: "message",
          message: { role: "assistant", blocks: [{ type: "text", text: "yes" }], at },
          choice: { provider: "p", model, ref: `p/${model}` },
          usage: { input, output: 1, cacheRead: 2, cacheWrite: 3 },
        },
      });
      /** All steps, with the number of them. */
      const walk = async (since: number) => {
        const rows: UsageRow[] = [];
        let steps = 0;
        let after: UsageCursor | undefined;
        for (;;) {
          const page = await store.transcript.usage({ since, ...(after && { after }) });
          rows.push(...page.rows);
          steps++;
          if (!page.next) return { rows, steps };
          after = page.next;
        }
      };
      const tokens = ({ rows }: { rows: UsageRow[] }) =>
        rows.reduce((all, { usage }) => all + usage.input, 0);

      test("an empty store and messages of people have used nothing", async () => {
        expect((await walk(0)).rows).toEqual([]);
        await accept("1");
        await store.transcript.append(await sessionId(), [said("user", "x")]);
        expect((await walk(0)).rows).toEqual([]);
      });

      test("answers are added up by model and quarter of an hour, from `since` on", async () => {
        await accept("1");
        const quarter = 900_000;
        await store.transcript.append(await sessionId(), [
          answer(1, "a", 1000),
          answer(quarter, "a", 10),
          answer(quarter + 5, "a", 20),
          answer(quarter + 6, "b", 40),
          said("user", "x"),
          answer(2 * quarter, "a", 80),
        ]);
        const { rows } = await walk(quarter);
        expect(rows.toSorted((x, y) => x.at - y.at || x.model.localeCompare(y.model))).toEqual([
          {
            at: quarter,
            agentId: "main",
            provider: "p",
            model: "a",
            calls: 2,
            usage: { input: 30, output: 2, cacheRead: 4, cacheWrite: 6 },
          },
          {
            at: quarter,
            agentId: "main",
            provider: "p",
            model: "b",
            calls: 1,
            usage: { input: 40, output: 1, cacheRead: 2, cacheWrite: 3 },
          },
          {
            at: 2 * quarter,
            agentId: "main",
            provider: "p",
            model: "a",
            calls: 1,
            usage: { input: 80, output: 1, cacheRead: 2, cacheWrite: 3 },
          },
        ]);
      });

      test("a reset takes nothing away, and a deleted session does", async () => {
        await accept("1");
        await store.transcript.append(await sessionId(), [answer(5, "a", 1)]);
        await store.sessions.reset(key("main"), "main", 6);
        await store.transcript.append(await sessionId(), [answer(7, "a", 2)]);
        expect(tokens(await walk(0))).toBe(3);
        await store.sessions.delete(key("main"), false);
        expect(tokens(await walk(0))).toBe(0);
      });

      test("a long transcript and many old ones are read in steps, each entry once", async () => {
        await accept("1");
        const many = Array.from({ length: 2_500 }, (_, i) => answer(10 + i, "a", 1));
        await store.transcript.append(await sessionId(), many);
        const others = Array.from({ length: 250 }, (_, i) => key(`s${i}`));
        await Promise.all(others.map((each) => store.sessions.ensure(each, "main", 1)));
        await accept("2", "last");
        await store.transcript.append(await sessionId("last"), [answer(20, "b", 7)]);
        const all = await walk(0);
        expect(tokens(all)).toBe(2_507);
        expect(all.steps).toBeGreaterThan(3);
        // Only the newest ones: the walk ends where they do.
        const newest = await walk(2_500);
        expect(tokens(newest)).toBe(10);
        expect(newest.steps).toBeLessThan(all.steps);
      });
    });

    describe("transcripts", () => {
      test("pages come newest first in ascending order, without gaps or repeats", async () => {
        const { sessionId: id } = await store.sessions.ensure(key("main"), "main", 1);
        const many = Array.from({ length: 25 }, (_, i) => said("user", `m${i + 1}`));
        const stored = await store.transcript.append(id, many);
        expect(stored.map((e) => e.seq)).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
        const seen: number[] = [];
        for (let before: number | undefined; ;) {
          const page = await store.transcript.page(id, { before, limit: 10 });
          if (page.length === 0) break;
          seen.unshift(...page.map((e) => e.seq));
          before = page[0]!.seq;
        }
        expect(seen).toEqual(stored.map((e) => e.seq));
        expect((await store.transcript.from(id, 24)).map((e) => e.seq)).toEqual([24, 25]);
        expect(await store.transcript.page(id, { limit: 0 })).toEqual([]);
      });

      test("appending in the same moment keeps the order of the calls", async () => {
        const { sessionId: id } = await store.sessions.ensure(key("main"), "main", 1);
        await Promise.all(
          Array.from({ length: 50 }, (_, i) => store.transcript.append(id, [said("user", `${i}`)])),
        );
        expect(await texts(store, id)).toEqual(
          Array.from({ length: 50 }, (_, i) => `${i + 1} ${i}`),
        );
      });

      test("every kind of entry comes back as it was", async () => {
        const { sessionId: id } = await store.sessions.ensure(key("main"), "main", 1);
        const bodies: NewEntry["body"][] = [
          { kind: "context", text: "now", runId: "r" },
          { kind: "note", level: "error", text: "x", code: "internal", hint: "h" },
          {
            kind: "message",
            partial: true,
            runId: "r",
            choice: { provider: "demo", model: "demo", ref: "demo/demo" },
            usage: { input: 1, output: 1, cacheRead: 0, cacheWrite: 0 },
            message: {
              role: "assistant",
              at: 5,
              blocks: [
                { type: "thinking", text: "hm", signature: "s" },
                { type: "tool_call", id: "c", name: "read", args: { path: "\ud800" } },
                { type: "image", mime: "image/png", data: "AAAA" },
              ],
            },
          },
        ];
        await store.transcript.append(
          id,
          bodies.map((body) => ({ at: 5, body })),
        );
        expect((await store.transcript.from(id, 1)).map((e) => e.body)).toEqual(bodies);
      });

      test("an unknown session has no entries and takes none", async () => {
        expect(await store.transcript.page("nope", { limit: 5 })).toEqual([]);
        expect(await code(store.transcript.append("nope", [said("user", "x")]))).toBe("not_found");
        expect(await store.transcript.from("nope", 0)).toEqual([]);
      });
    });

    describe("sessions", () => {
      test("the list is newest first and pages through rows of the same moment without losing one", async () => {
        for (let i = 0; i < 23; i++)
          await store.sessions.ensure(key(`s${i}`), i % 2 ? "main" : "work", 1_000 + (i >> 3));
        const seen: string[] = [];
        let last: { before?: number; beforeKey?: SessionKey } = {};
        for (;;) {
          const { rows, total } = await store.sessions.list({ limit: 5, ...last });
          expect(total).toBe(23);
          if (rows.length === 0) break;
          seen.push(...rows.map((r) => r.key));
          last = { before: rows.at(-1)!.updatedAt, beforeKey: rows.at(-1)!.key };
        }
        expect(seen).toHaveLength(23);
        expect(new Set(seen).size).toBe(23);
        const older = await store.sessions.list({ limit: 50, before: 1_001 });
        expect(older.rows.every((r) => r.updatedAt < 1_001)).toBe(true);
        expect(older.rows).toHaveLength(8);
        const work = await store.sessions.list({ limit: 3, agentId: "work" });
        expect([work.rows.length, work.total]).toEqual([3, 12]);
        expect((await store.sessions.list({ limit: 50, since: 1_002 })).total).toBe(7);
      });

      test("the list is found by label, parent and any part of a name", async () => {
        await store.sessions.patch(key("a"), "main", { label: "Küche" }, 1);
        await store.sessions.patch(key("b"), "main", { spawnedBy: key("a") }, 2);
        await accept("1", "c", "100% of_it is ÜBER");
        const find = async (query: object) =>
          (await store.sessions.list({ limit: 9, ...query })).rows.map((r) => r.key);
        expect(await find({ label: "Küche" })).toEqual([key("a")]);
        expect(await find({ spawnedBy: key("a") })).toEqual([key("b")]);
        expect(await find({ search: "küch" })).toEqual([key("a")]);
        expect(await find({ search: "KÜCHE" })).toEqual([key("a")]);
        expect(await find({ search: "über" })).toEqual([key("c")]);
        expect(await find({ search: "100%" })).toEqual([key("c")]);
        expect(await find({ search: "f_i" })).toEqual([key("c")]);
        expect(await find({ search: "0%_" })).toEqual([]);
        expect(await find({ search: await sessionId("b") })).toEqual([key("b")]);
        expect(await find({ search: " " })).toHaveLength(3);
      });

      test("a setting is set, kept and cleared", async () => {
        const first = await store.sessions.patch(
          key("a"),
          "main",
          { model: "demo/demo", thinkingLevel: "high" },
          5,
        );
        expect(first).toMatchObject({
          createdAt: 5,
          settings: { model: "demo/demo", thinkingLevel: "high" },
        });
        const change = { model: null, verboseLevel: undefined, label: "x" };
        const second = await store.sessions.patch(key("a"), "main", change, 6);
        expect(second.settings).toEqual({ thinkingLevel: "high", label: "x" });
        expect(second.updatedAt).toBe(6);
        expect(await store.sessions.byId(second.sessionId)).toEqual(second);
      });

      test("a reset gives a new empty transcript and keeps the settings and the old transcript", async () => {
        await store.sessions.patch(key("main"), "main", { label: "x" }, 1);
        await accept("1");
        await store.turns.begin(["run-1"], [said("user", "hello")], 2_500);
        await store.turns.finish("run-1", end("done", { contextTokens: 7 }));
        const before = (await store.sessions.get(key("main")))!;
        await store.sessions.setContextFrom(key("main"), before.sessionId, 9);
        const after = await store.sessions.reset(key("main"), "main", 4_000);
        expect(after.sessionId).not.toBe(before.sessionId);
        expect(after).toMatchObject({
          settings: { label: "x" },
          contextTokens: 0,
          contextFrom: 1,
          title: undefined,
          updatedAt: 4_000,
          usage: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
        });
        expect(await texts(store, before.sessionId)).toEqual(["1 hello"]);
        expect(await texts(store, after.sessionId)).toEqual([]);
        expect(await store.sessions.byId(before.sessionId)).toBeUndefined();
        expect((await store.sessions.reset(key("new"), "main", 4_000)).createdAt).toBe(4_000);
      });

      test("the start of the model's view moves only for the transcript it was computed from", async () => {
        const { sessionId: id } = await store.sessions.ensure(key("main"), "main", 1);
        await store.sessions.setContextFrom(key("main"), id, 12);
        await store.sessions.setContextFrom(key("main"), "another", 99);
        expect((await store.sessions.get(key("main")))?.contextFrom).toBe(12);
      });

      test("deleting removes every transcript of the session, or keeps them when asked", async () => {
        for (const keep of [false, true]) {
          const first = await store.sessions.ensure(key("a"), "main", 1);
          await store.transcript.append(first.sessionId, [said("user", "old")]);
          const second = await store.sessions.reset(key("a"), "main", 2);
          await store.transcript.append(second.sessionId, [said("user", "new")]);
          expect(await store.sessions.delete(key("a"), keep)).toBe(true);
          expect(await store.sessions.get(key("a"))).toBeUndefined();
          expect(await texts(store, first.sessionId)).toEqual(keep ? ["1 old"] : []);
          expect(await texts(store, second.sessionId)).toEqual(keep ? ["1 new"] : []);
          expect(await store.sessions.delete(key("a"), keep)).toBe(false);
        }
      });

      test("ensuring twice gives the same row", async () => {
        const [one, two] = await Promise.all([
          store.sessions.ensure(key("a"), "main", 1),
          store.sessions.ensure(key("a"), "main", 2),
        ]);
        expect(two).toEqual(one);
      });
    });

    describe("the outbox", () => {
      test("a message goes out once: pending, sending, delivered", async () => {
        await store.outbox.put([out("a"), out("b")], 100);
        await store.outbox.put([out("a", "other")], 50);
        expect((await store.outbox.due(100, 10)).map((r) => [r.key, r.text])).toEqual([
          ["a", "hi"],
          ["b", "hi"],
        ]);
        expect(await store.outbox.due(99, 10)).toEqual([]);
        expect(await store.outbox.due(100, 1)).toHaveLength(1);
        expect(await store.outbox.sending("a")).toBe(true);
        expect(await store.outbox.sending("a")).toBe(false);
        expect(await store.outbox.due(100, 10)).toEqual([]);
        expect((await store.outbox.interrupted()).map((r) => [r.key, r.attempts])).toEqual([
          ["a", 1],
        ]);
        await store.outbox.delivered("a", { ids: ["9"], at: 7 });
        expect(await store.outbox.get("a")).toMatchObject({
          state: "delivered",
          receipt: { ids: ["9"], at: 7 },
        });
        expect((await store.counts()).pendingOutbox).toBe(1);
      });

      test("a message never overtakes an earlier one of its chat, and other chats do not wait", async () => {
        const to = (chatId: string) => ({ ...address, chatId });
        await store.outbox.put(
          [
            { key: "1a", to: to("1"), text: "first" },
            { key: "1b", to: to("1"), text: "second" },
            { key: "2a", to: to("2"), text: "elsewhere" },
          ],
          100,
        );
        const due = async (now: number) => (await store.outbox.due(now, 10)).map((r) => r.key);
        expect(await due(100)).toEqual(["1a", "1b", "2a"]);
        await store.outbox.sending("1a");
        expect(await due(100)).toEqual(["2a"]);
        await store.outbox.retry("1a", 500, "429");
        expect(await due(499)).toEqual(["2a"]);
        expect(await due(500)).toEqual(["1a", "1b", "2a"]);
        await store.outbox.sending("1a");
        await store.outbox.giveUp("1a", "dead", "blocked");
        expect(await due(100)).toEqual(["1b", "2a"]);
      });

      test("a retry waits for its time and keeps its reason", async () => {
        await store.outbox.put([out("a")], 100);
        await store.outbox.sending("a");
        await store.outbox.retry("a", 500, "429");
        expect(await store.outbox.due(499, 10)).toEqual([]);
        expect(await store.outbox.due(500, 10)).toMatchObject([
          { key: "a", attempts: 1, error: "429", dueAt: 500, createdAt: 100 },
        ]);
      });

      test("what was delivered or given up is not sent again", async () => {
        await store.outbox.put([out("a"), out("b"), out("c")], 100);
        for (const name of ["a", "b", "c"]) await store.outbox.sending(name);
        await store.outbox.delivered("a", { ids: ["1"], at: 1 });
        await store.outbox.giveUp("b", "dead", "blocked");
        await store.outbox.giveUp("c", "unknown", "crash");
        for (const name of ["a", "b", "c"]) {
          await store.outbox.retry(name, 100, "x");
          expect(await store.outbox.sending(name)).toBe(false);
        }
        await store.outbox.giveUp("a", "dead", "x");
        await store.outbox.delivered("a", { ids: ["2"], at: 2 });
        expect(await store.outbox.get("a")).toMatchObject({
          state: "delivered",
          receipt: { ids: ["1"] },
        });
        expect(await store.outbox.get("b")).toMatchObject({ state: "dead", error: "blocked" });
        await store.outbox.delivered("c", { ids: ["3"], at: 3 });
        expect((await store.outbox.get("c"))?.state).toBe("delivered");
        expect(await store.outbox.get("nope")).toBeUndefined();
      });
    });

    describe("values", () => {
      test("a value is kept per scope and key, and replaced", async () => {
        const value = { a: [1, "x", null], b: { c: true } };
        await store.kv.set("s", "k", value);
        await store.kv.set("t", "k", 5);
        expect(await store.kv.get<typeof value>("s", "k")).toEqual(value);
        await store.kv.set("s", "k", false);
        expect(await store.kv.get<boolean>("s", "k")).toBe(false);
        await store.kv.delete("s", "k");
        expect(await store.kv.get("s", "k")).toBeUndefined();
        expect(await store.kv.get<number>("t", "k")).toBe(5);
      });

      test("what JSON cannot hold is refused and the old value stays", async () => {
        await store.kv.set("s", "k", 1);
        expect(await code(store.kv.set("s", "k", undefined))).toBe("bad_request");
        expect(await store.kv.get<number>("s", "k")).toBe(1);
      });
    });

    test("after closing, every call is refused with a clear error", async () => {
      await accept("1");
      await store.close();
      expect(await code(accept("2"))).toBe("store_failed");
      expect(await code(store.turns.get("run-1"))).toBe("store_failed");
      await store.close();
    });

    test("what was asked for before closing is done", async () => {
      const written = store.kv.set("s", "k", 1);
      await store.close();
      await written;
    });
  });
}
