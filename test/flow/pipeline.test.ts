import { expect, test } from "bun:test";

import { systemClock } from "../../src/base/time.ts";
import type { Inbound, Message, SessionKey, TurnEvent } from "../../src/flow.ts";
import { stopTurns } from "../../src/sessions/desk.ts";
import { leaveOut } from "../../src/sessions/overflow.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import type { Store } from "../../src/store/store.ts";
import { target } from "./delivery-rig.ts";
import { type Agent, ended, type House, inbound, openHouse, quiet, said } from "./house.ts";

const MAIN = "agent:main:main" as SessionKey;
const textsOf = (messages: { body: { kind: string; message?: Message } }[]) =>
  messages.flatMap(({ body }) =>
    (body.message?.blocks ?? []).flatMap((b) =>
      b.type === "text" ? [`${body.message!.role}: ${b.text}`] : [],
    ),
  );

/** Answers with the text it was asked, in one message. */
const echo: Agent = async function* (_turn, row) {
  yield { type: "start", at: Date.now() };
  yield { type: "text", delta: "you said " };
  yield said(`you said ${row.inbound.text}`);
  yield ended();
};

/** A gate that the test opens. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((done) => (open = done));
  return { open: () => open(), opened };
}

async function transcript(
  house: { store: Awaited<ReturnType<typeof openSqlite>> | never },
  key = MAIN,
) {
  const session = await house.store.sessions.get(key);
  return textsOf((await house.store.transcript.from(session!.sessionId, 0)) as never);
}

test("a message is stored, answered, and its turn is done", async () => {
  const house = await openHouse({ agent: echo });
  const message = inbound("hello");
  const accepted = await house.pipeline.receive(message);
  expect(accepted).toEqual({ runId: message.id, duplicate: false });
  await house.ends(1);
  expect(await transcript(house as never)).toEqual(["user: hello", "assistant: you said hello"]);
  expect((await house.store.turns.get(message.id))!.state).toBe("done");
  expect(house.events.map((e) => e.event.type)).toEqual(["start", "text", "message", "end"]);
  await house.close();
});

test("the same message twice is answered once", async () => {
  const house = await openHouse({ agent: echo });
  const message = inbound("hello");
  const [first, second] = await Promise.all([
    house.pipeline.receive(message),
    house.pipeline.receive(message),
  ]);
  expect([first.duplicate, second.duplicate].sort()).toEqual([false, true]);
  expect(first.runId).toBe(second.runId);
  await house.ends(1);
  const third = await house.pipeline.receive(message);
  expect(third.duplicate).toBe(true);
  expect(await transcript(house as never)).toHaveLength(2);
  await house.close();
});

test("a stranger's message is dropped with its reason and starts nothing", async () => {
  const house = await openHouse({ agent: echo });
  const accepted = await house.pipeline.receive(
    inbound("hi", { from: { channel: "elsewhere", account: "a", chatId: "1" } }),
  );
  expect(accepted.dropped).toBe("not_allowed");
  expect(house.events).toEqual([]);
  await house.close();
});

test("turns of one session run one after the other, of two sessions side by side", async () => {
  const order: string[] = [];
  const both = gate();
  let running = 0;
  const house = await openHouse({
    mode: "followup",
    agent: async function* (_turn, row) {
      order.push(`begin ${row.inbound.text}`);
      if (++running === 2) both.open();
      if (row.inbound.text.endsWith("1")) await both.opened;
      order.push(`end ${row.inbound.text}`);
      yield ended();
    },
  });
  for (const text of ["a1", "b1", "a2"])
    await house.pipeline.receive(inbound(text, { wish: { sessionKey: `s-${text[0]}` } }));
  await house.ends(3);
  expect(order.slice(0, 2)).toEqual(["begin a1", "begin b1"]);
  expect(order.indexOf("begin a2")).toBeGreaterThan(order.indexOf("end a1"));
  await house.close();
});

test("a message that arrives while a turn runs is taken in at the next tool boundary and answered there", async () => {
  const begun = gate();
  const arrived = gate();
  const house = await openHouse({
    agent: async function* (turn) {
      yield { type: "start", at: 1 };
      begun.open();
      await arrived.opened;
      const more = await turn.inbox();
      yield said(
        `also: ${more.map((m) => m.blocks.map((b) => (b.type === "text" ? b.text : ""))).join()}`,
      );
      yield ended();
    },
  });
  const [one, two] = [inbound("one"), inbound("two")];
  await house.pipeline.receive(one);
  await begun.opened;
  await house.pipeline.receive(two);
  arrived.open();
  await house.ends(1);
  await house.pipeline.stop(1000);
  expect(await transcript(house as never)).toEqual([
    "user: one",
    "user: two",
    "assistant: also: two",
  ]);
  const merged = await house.store.turns.get(two.id);
  expect(merged).toMatchObject({ state: "done", leadId: one.id });
  expect(house.events.filter((e) => e.event.type === "end")).toHaveLength(1);
  await house.close();
});

test("with collect, what waits is one later turn", async () => {
  const begun = gate();
  const release = gate();
  const asked: string[] = [];
  const house = await openHouse({
    mode: "collect",
    agent: async function* (turn, row) {
      asked.push(row.inbound.text);
      expect(await turn.inbox()).toEqual([]);
      begun.open();
      if (row.inbound.text === "one") await release.opened;
      yield said(`answer to ${row.inbound.text}`);
      yield ended();
    },
  });
  await house.pipeline.receive(inbound("one"));
  await begun.opened;
  await house.pipeline.receive(inbound("two"));
  await house.pipeline.receive(inbound("three"));
  release.open();
  await house.ends(2);
  expect(asked).toEqual(["one", "two"]);
  expect(await transcript(house as never)).toEqual([
    "user: one",
    "assistant: answer to one",
    "user: two",
    "user: three",
    "assistant: answer to two",
  ]);
  await house.close();
});

test("stop ends the running turn and what waits behind it", async () => {
  const begun = gate();
  const house = await openHouse({
    mode: "followup",
    agent: async function* (turn) {
      begun.open();
      await new Promise((done) => turn.signal.addEventListener("abort", done));
      yield said("so far");
      yield ended("aborted");
    },
  });
  const [one, two] = [inbound("one"), inbound("two")];
  await house.pipeline.receive(one);
  await begun.opened;
  await house.pipeline.receive(two);
  expect((await stopTurns(house.pipeline.desk, house.store, 5, MAIN)).sort()).toEqual(
    [one.id, two.id].sort(),
  );
  await house.ends(1);
  expect((await house.store.turns.get(one.id))!.state).toBe("aborted");
  expect((await house.store.turns.get(two.id))!.state).toBe("aborted");
  await house.close();
});

test("a shutdown in the middle leaves the turn to the next start, which answers it", async () => {
  const store = await openSqlite({ path: ":memory:", log: quiet });
  const begun = gate();
  const first = await openHouse({
    store,
    agent: async function* (turn) {
      yield { type: "start", at: 1 };
      begun.open();
      await new Promise((done) => turn.signal.addEventListener("abort", done));
      yield ended("aborted");
    },
  });
  const message = inbound("finish me");
  await first.pipeline.receive(message);
  await begun.opened;
  await first.pipeline.stop(0);
  expect((await store.turns.get(message.id))!.state).toBe("running");
  await expect(first.pipeline.receive(inbound("late"))).rejects.toMatchObject({ code: "busy" });

  const second = await openHouse({ store, agent: echo });
  expect(await second.pipeline.recover()).toBe(1);
  await second.ends(1);
  // An orderly stop is no crash.
  expect((await store.turns.get(message.id))!).toMatchObject({ state: "done", attempts: 1 });
  expect(await transcript(second as never)).toEqual([
    "user: finish me",
    "assistant: you said finish me",
  ]);
  await second.close();
});

/** Starts and stops over one turn that never ends by itself. Gives how often its agent ran. */
async function stopInTheMiddle(store: Store, message: Inbound, times: number): Promise<number> {
  let runs = 0;
  for (let start = 0; start < times; start++) {
    const begun = gate();
    const house = await openHouse({
      store,
      agent: async function* (turn) {
        runs++;
        yield { type: "start", at: 1 };
        begun.open();
        await new Promise((done) => turn.signal.addEventListener("abort", done));
        yield ended("aborted");
      },
    });
    if (start === 0) await house.pipeline.receive(message);
    else await house.pipeline.recover();
    await Promise.race([begun.opened, house.ends(1)]);
    await house.pipeline.stop(0);
  }
  return runs;
}

test("a turn that brings the process down again and again is given up with an error", async () => {
  const store = await openSqlite({ path: ":memory:", log: quiet });
  const message = inbound("poison");
  // A crash takes no attempt back.
  const crashing = { ...store, turns: { ...store.turns, release: async () => undefined } };
  expect(await stopInTheMiddle(crashing, message, 4)).toBe(3);
  expect((await store.turns.get(message.id))!.state).toBe("failed");
  await store.close();
});

test("orderly stops in the middle of a turn never give it up", async () => {
  const store = await openSqlite({ path: ":memory:", log: quiet });
  const message = inbound("patience");
  expect(await stopInTheMiddle(store, message, 5)).toBe(5);
  const last = await openHouse({ store, agent: echo });
  await last.pipeline.recover();
  await last.ends(1);
  expect((await store.turns.get(message.id))!.state).toBe("done");
  await last.close();
});

test("a tool call is on the disk before its result is shown", async () => {
  const seen: string[][] = [];
  const house = await openHouse({
    agent: async function* () {
      const call = { type: "tool_call", id: "c1", name: "exec", args: {} } as const;
      yield {
        type: "message",
        message: { role: "assistant", blocks: [{ type: "text", text: "calling" }, call], at: 1 },
      };
      seen.push(await transcript(house as never));
      yield { type: "tool_start", call };
      yield ended();
    },
  });
  await house.pipeline.receive(inbound("go"));
  await house.ends(1);
  expect(seen).toEqual([["user: go", "assistant: calling"]]);
  await house.close();
});

test("when the store fails in the middle, the turn goes on later and nothing is lost", async () => {
  const store = await openSqlite({ path: ":memory:", log: quiet });
  let failures = 2;
  const house = await openHouse({
    store: {
      ...store,
      turns: {
        ...store.turns,
        finish: (id, end) =>
          failures-- > 0
            ? Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }))
            : store.turns.finish(id, end),
      },
    },
    agent: echo,
    deps: { clock: { now: () => Date.now(), sleep: async () => undefined } },
  });
  const message = inbound("hello");
  await house.pipeline.receive(message);
  await house.ends(1);
  expect((await store.turns.get(message.id))!).toMatchObject({ state: "done", attempts: 3 });
  expect(await transcript(house as never)).toEqual(["user: hello", "assistant: you said hello"]);
  await house.close();
});

test("an answer to a network leaves through the outbox, cut to its limit, once", async () => {
  const house = await openHouse({
    agent: echo,
    target: { ...target, limits: { text: 8 } },
  });
  await house.pipeline.receive(inbound("hello"));
  await house.ends(1);
  const events: TurnEvent["type"][] = house.events.map((e) => e.event.type);
  expect(events.at(-1)).toBe("end");
  await house.delivery.settled();
  await house.close();
  expect(house.sent.map((out) => out.text).join(" ")).toBe("you said hello");
  expect(new Set(house.sent.map((out) => out.key)).size).toBe(house.sent.length);
});

test.each([
  ["old", "message 0"],
  ["summarize", "message 0"],
  ["new", "message 3"],
] as const)("of too many waiting messages one is left out: %s", async (drop, left) => {
  const notes: string[] = [];
  const began = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const house: House = await openHouse({
    mode: "followup",
    target,
    agent: async function* (turn, row) {
      began.resolve();
      if (row.inbound.text === "first") await go.promise;
      yield* echo(turn, row);
    },
    deps: {
      cap: () => 3,
      overflow: (waiting, newest) =>
        leaveOut(
          { desk: house.pipeline.desk, store: house.store, clock: systemClock },
          waiting,
          newest,
          { drop, note: (_, text) => notes.push(text) },
        ),
    },
  });
  await house.pipeline.receive(inbound("first"));
  await began.promise;
  const ids: string[] = [];
  for (let i = 0; i < 4; i++) {
    const message = inbound(`message ${i}`);
    ids.push(message.id);
    await house.pipeline.receive(message);
  }
  go.resolve();
  await house.ends(4);
  const turns = await Promise.all(ids.map((id) => house.store.turns.get(id)));
  const aborted = turns.filter((turn) => turn?.state === "aborted");
  expect(aborted.map((turn) => turn!.inbound.text)).toEqual([left]);
  expect(notes.length).toBe(drop === "summarize" ? 1 : 0);
  house.delivery.wake();
  await house.delivery.settled();
  expect(house.sent.filter(({ text }) => text.startsWith("Too many")).length).toBe(1);
  await house.close();
});
