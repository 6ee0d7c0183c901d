import { expect, test } from "bun:test";

import fc from "fast-check";

import { openSqlite } from "../../src/store/sqlite/index.ts";
import type { OutboxState, Store, TurnState } from "../../src/store/store.ts";
import { quiet } from "./store-log.ts";
import { address, inbound, key, said, turnRoute } from "./store.ts";

const IDS = ["a", "b", "c", "d", "e"];
const FINAL: TurnState[] = ["done", "failed", "aborted"];

const id = fc.constantFrom(...IDS);
const ids = fc.uniqueArray(id, { minLength: 1, maxLength: 4 });
const call = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("accept" as const), id }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("begin" as const), ids }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("merge" as const), ids, id }) },
  fc.record({ do: fc.constant("append" as const), id }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("finish" as const),
      id,
      state: fc.constantFrom("done" as const, "failed" as const, "aborted" as const),
    }),
  },
  fc.record({ do: fc.constant("reset" as const) }),
  fc.record({ do: fc.constant("delete" as const), keep: fc.boolean() }),
);
type Call = typeof call extends fc.Arbitrary<infer C> ? C : never;

/** Makes one call; gives the id of the turn that this call ended. */
async function make(store: Store, it: Call): Promise<string | undefined> {
  switch (it.do) {
    case "accept":
      await store.inbound.accept(inbound(it.id), turnRoute(), it.id);
      return;
    case "begin":
      await store.turns.begin(
        it.ids,
        it.ids.map((one) => said("user", one, one)),
        1,
      );
      return;
    case "merge":
      await store.turns.merge(
        it.ids,
        it.id,
        it.ids.map((one) => said("user", one, one)),
      );
      return;
    case "append":
      if (await store.turns.get(it.id)) await store.turns.append(it.id, [said("assistant", "x")]);
      return;
    case "finish": {
      if (!(await store.turns.get(it.id))) return;
      const end = { state: it.state, at: 2, entries: [said("assistant", "end")] };
      const outbox = [{ key: `${it.id}-${crypto.randomUUID()}`, to: address, text: it.id }];
      return (await store.turns.finish(it.id, { ...end, outbox })) ? it.id : undefined;
    }
    case "reset":
      await store.sessions.reset(key("main"), "main", 3);
      return;
    case "delete":
      await store.sessions.delete(key("main"), it.keep);
  }
}

test("whatever is called in whatever order, no accepted turn is lost and none ends twice", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(call, { minLength: 1, maxLength: 4 }), { maxLength: 25 }),
      async (rounds) => {
        const store = await openSqlite({ path: ":memory:", log: quiet });
        const accepted = new Set<string>();
        const ended: string[] = [];
        const final = new Map<string, TurnState>();
        for (const round of rounds) {
          for (const it of round) if (it.do === "accept") accepted.add(it.id);
          for (const done of await Promise.all(round.map((it) => make(store, it))))
            if (done) ended.push(done);
          const open = (await store.turns.unfinished()).map((t) => t.id);
          for (const one of accepted) {
            const turn = await store.turns.get(one);
            expect(turn).toBeDefined();
            expect(open.includes(one)).toBe(!FINAL.includes(turn!.state));
            if (final.has(one)) expect(turn!.state).toBe(final.get(one)!);
            if (FINAL.includes(turn!.state)) final.set(one, turn!.state);
            // Somebody who is still at work answers for every merged turn.
            if (turn!.state === "merged")
              expect((await store.turns.get(turn!.leadId!))!.state).toBe("running");
          }
          expect((await store.counts()).unfinishedTurns).toBe(open.length);
          const session = await store.sessions.get(key("main"));
          const entries = session ? await store.transcript.from(session.sessionId, 0) : [];
          expect(entries.map((e) => e.seq)).toEqual(entries.map((_, i) => i + 1));
        }
        expect(new Set(ended).size).toBe(ended.length);
        for (const turn of await store.turns.unfinished())
          if (turn.state !== "merged")
            await store.turns.finish(turn.id, { state: "done", at: 4, entries: [], outbox: [] });
        expect(await store.turns.unfinished()).toEqual([]);
        await store.close();
      },
    ),
    { numRuns: 150 },
  );
});

test("whatever is called in whatever order, a message is sent only while it is pending and delivered once", async () => {
  const step = fc.constantFrom("sending", "delivered", "retry", "dead", "unknown", "put");
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const store = await openSqlite({ path: ":memory:", log: quiet });
      await store.outbox.put([{ key: "k", to: address, text: "first" }], 0);
      let before: OutboxState = "pending";
      for (const [i, it] of steps.entries()) {
        if (it === "sending") expect(await store.outbox.sending("k")).toBe(before === "pending");
        else if (it === "delivered") await store.outbox.delivered("k", { ids: [`${i}`], at: i });
        else if (it === "retry") await store.outbox.retry("k", 0, "again");
        else if (it === "put")
          await store.outbox.put([{ key: "k", to: address, text: "other" }], 0);
        else await store.outbox.giveUp("k", it as "dead" | "unknown", "no");
        const row = (await store.outbox.get("k"))!;
        expect(row.text).toBe("first");
        if (before === "delivered") expect(row.state).toBe("delivered");
        if (before === "dead" || before === "unknown")
          expect([before, "delivered"]).toContain(row.state);
        expect((await store.outbox.due(0, 9)).length).toBe(row.state === "pending" ? 1 : 0);
        expect((await store.outbox.interrupted()).length).toBe(row.state === "sending" ? 1 : 0);
        before = row.state;
      }
      await store.close();
    }),
    { numRuns: 150 },
  );
});
