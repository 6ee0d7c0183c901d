/** Figures of the store alone (the rows of the table that a large history moves). Run by itself: `bun bench/store.ts`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Logger } from "../src/base/log.ts";
import type { Address, Inbound, SessionKey } from "../src/flow.ts";
import { openSqlite } from "../src/store/sqlite/index.ts";
import type { NewEntry, Store } from "../src/store/store.ts";

export type Figure = { name: string; ms: number; bound: number };

const nothing = () => undefined;
const log: Logger = {
  error: nothing,
  warn: nothing,
  info: nothing,
  debug: nothing,
  child: () => log,
};
const address: Address = { channel: "webchat", account: "default", chatId: "1" };
const inbound = (id: string): Inbound => ({
  id,
  from: address,
  chat: "dm",
  sender: { id: "1" },
  text: "What is the weather like today?",
  media: [],
  mentioned: true,
  at: 1,
});
const said = (text: string): NewEntry => ({
  at: 1,
  body: {
    kind: "message",
    message: { role: "assistant", blocks: [{ type: "text", text }], at: 1 },
  },
});

/** The time that one turn spends in the store, in ms. */
async function turn(store: Store, id: string, session: string): Promise<number> {
  let spent = 0;
  const step = async (work: () => Promise<unknown>) => {
    const started = performance.now();
    await work();
    spent += performance.now() - started;
    // What a provider takes between two steps, so that the turns really overlap.
    await Bun.sleep(10);
  };
  const sessionKey = `agent:main:${session}` as SessionKey;
  const route = {
    kind: "turn",
    agentId: "main",
    sessionKey,
    reply: address,
    matchedBy: "d",
    trust: "owner",
  } as const;
  await step(() => store.inbound.accept(inbound(id), route, id));
  await step(() => store.turns.begin([id], [said("question")], 2));
  await step(() => store.turns.append(id, [said("answer ".repeat(60))]));
  const end = { state: "done" as const, at: 3, entries: [said("the end")], outbox: [] };
  await step(() => store.turns.finish(id, end));
  return spent;
}

const worst = async (times: number, work: () => Promise<unknown>): Promise<number> => {
  let max = 0;
  for (let i = 0; i < times; i++) {
    const started = performance.now();
    await work();
    max = Math.max(max, performance.now() - started);
  }
  return max;
};

export async function storeFigures(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "clawdbot-bench-"));
  const store = await openSqlite({ path: join(folder, "clawdbot.sqlite"), log });
  try {
    const together = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => turn(store, `c${i}`, `c${i}`)),
    );
    together.sort((a, b) => a - b);
    for (let i = 0; i < 10_000; i += 1_000)
      await Promise.all(
        Array.from({ length: 1_000 }, (_, k) =>
          store.sessions.ensure(`agent:main:s${i + k}` as SessionKey, "main", i + k),
        ),
      );
    const big = await store.sessions.ensure("agent:main:big" as SessionKey, "main", 1);
    for (let i = 0; i < 100; i++)
      await store.transcript.append(
        big.sessionId,
        Array.from({ length: 1_000 }, (_, k) => said(`${k} ${"x".repeat(300)}`)),
      );
    return [
      { name: "store: 1,000 concurrent turns, p99", ms: together[989]!, bound: 150 },
      {
        name: "store: last page of a 100,000-message session",
        ms: await worst(20, () => store.transcript.page(big.sessionId, { limit: 100 })),
        bound: 5,
      },
      {
        name: "store: list of 10,000 sessions, first page",
        ms: await worst(20, () => store.sessions.list({ limit: 50 })),
        bound: 5,
      },
    ];
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main)
  for (const { name, ms, bound } of await storeFigures())
    process.stdout.write(
      `${ms <= bound ? "ok  " : "MISS"} ${name}: ${ms.toFixed(2)} ms (${bound})\n`,
    );
