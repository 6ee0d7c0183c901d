/** Rows about a big history and about many watchers. */
import { join } from "node:path";

import { sessionKey } from "../src/protocol/session-key.ts";
import { openSqlite } from "../src/store/sqlite/index.ts";
import type { EntryBody } from "../src/store/store.ts";
import { Crowd } from "./crowd.ts";
import type { Home, Row } from "./harness.ts";
import { dial, makeHome, medianOf, startGateway } from "./harness.ts";

const MESSAGES = 100_000;
const SESSIONS = 10_000;
const WATCHERS = 1000;
const EVENTS = 1500;

const silent = { error() {}, warn() {}, info() {}, debug() {}, child: () => silent };

async function fill(home: Home): Promise<void> {
  const store = await openSqlite({ path: join(home.state, "clawdbot.sqlite"), log: silent });
  const at = Date.now();
  const big = await store.sessions.ensure(sessionKey("main", "big"), "main", at);
  for (let n = 0; n < MESSAGES; n += 1000)
    await store.transcript.append(
      big.sessionId,
      Array.from({ length: 1000 }, (_, i) => ({ at: at + n + i, body: message(n + i, at) })),
    );
  for (let n = 0; n < SESSIONS; n++)
    await store.sessions.ensure(sessionKey("main", `s${n}`), "main", at + n);
  await store.close();
}

const message = (n: number, at: number): EntryBody => ({
  kind: "message",
  message: {
    role: n % 2 ? "assistant" : "user",
    blocks: [{ type: "text", text: `message ${n} ${"with some words ".repeat(10)}` }],
    at: at + n,
  },
});

export async function historyRows(runs: number): Promise<Row[]> {
  const home = makeHome();
  await fill(home);
  const gateway = await startGateway(home);
  const client = await dial(home);
  try {
    const ms = async (call: () => Promise<unknown>) => {
      const before = performance.now();
      await call();
      return performance.now() - before;
    };
    const page = () => client.call("chat.history", { sessionKey: "big", limit: 50 });
    const list = () => client.call("sessions.list", { limit: 50 });
    await page();
    await list();
    return [
      {
        name: `last page of a ${MESSAGES}-message session`,
        value: await medianOf(runs * 5, () => ms(page)),
        unit: "ms",
        bound: 5,
      },
      {
        name: `first page of ${SESSIONS} sessions`,
        value: await medianOf(runs * 5, () => ms(list)),
        unit: "ms",
        bound: 5,
      },
    ];
  } finally {
    client.close();
    await gateway.stop();
    home.remove();
  }
}

/** Messages put into one session, each announced to every watcher; counted where they arrive. */
export async function fanOutRows(): Promise<Row[]> {
  const home = makeHome();
  const gateway = await startGateway(home);
  const client = await dial(home);
  const crowd = new Crowd(join(home.state, "gateway.sock"));
  try {
    await client.call("sessions.patch", { key: "fan", label: "fan" });
    await crowd.join(WATCHERS);
    const inject = (n: number) =>
      client.call(
        "chat.inject",
        { sessionKey: "fan", message: `event ${n}` },
        { timeoutMs: 60_000 },
      );
    await Promise.all(Array.from({ length: 50 }, (_, n) => inject(n)));
    await crowd.seen(WATCHERS * 50);
    crowd.reset();
    const before = performance.now();
    await Promise.all(Array.from({ length: EVENTS }, (_, n) => inject(n)));
    await crowd.seen(WATCHERS * EVENTS);
    const seconds = (performance.now() - before) / 1000;
    return [
      {
        name: `event fan-out to ${WATCHERS} clients`,
        value: (WATCHERS * EVENTS) / seconds,
        unit: "frames/s",
        bound: 500_000,
      },
    ];
  } finally {
    crowd.leave();
    client.close();
    await gateway.stop();
    home.remove();
  }
}
