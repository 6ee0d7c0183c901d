/** The whole pipeline in one process: the real store, lanes and delivery; the agent and the platform are the test's. */
import type { Logger } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/time.ts";
import { Delivery } from "../../src/delivery/outbox.ts";
import type { Address, Inbound, Outbound, Receipt, Turn, TurnEvent } from "../../src/flow.ts";
import { Pipeline, type PipelineDeps } from "../../src/pipeline.ts";
import type { ActiveRun } from "../../src/sessions/desk.ts";
import { Lanes } from "../../src/sessions/lanes.ts";
import type { QueueMode } from "../../src/sessions/queue.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import type { NewEntry, Store, TurnRow } from "../../src/store/store.ts";

export const quiet: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => quiet,
};

export const noUsage = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
export const said = (text: string, at = Date.now()): TurnEvent => ({
  type: "message",
  message: { role: "assistant", blocks: [{ type: "text", text }], at },
});
export const ended = (status: "ok" | "aborted" | "error" = "ok"): TurnEvent => ({
  type: "end",
  status,
  usage: noUsage,
  at: Date.now(),
});

let counter = 0;
export function inbound(text: string, over: Partial<Inbound> = {}): Inbound {
  return {
    id: `m${++counter}`,
    from: { channel: "webchat", account: "default", chatId: "main" },
    chat: "dm",
    sender: { id: "operator" },
    text,
    media: [],
    mentioned: true,
    at: Date.now(),
    ...over,
  };
}

export type House = {
  store: Store;
  pipeline: Pipeline;
  events: { run: ActiveRun; event: TurnEvent }[];
  sent: Outbound[];
  delivery: Delivery;
  /** Resolves when the n-th `end` was watched. */
  ends(n: number): Promise<void>;
  close(): Promise<void>;
};

export type Agent = (turn: Omit<Turn, "history">, row: TurnRow) => AsyncIterable<TurnEvent>;

export async function openHouse(options: {
  agent: Agent;
  store?: Store;
  mode?: QueueMode;
  limit?: (to: Address) => number | undefined;
  send?: (out: Outbound) => Promise<Receipt>;
  deps?: Partial<PipelineDeps>;
}): Promise<House> {
  const store = options.store ?? (await openSqlite({ path: ":memory:", log: quiet }));
  const sent: Outbound[] = [];
  const events: House["events"] = [];
  const waiting: { n: number; done: () => void }[] = [];
  const delivery = new Delivery({
    store,
    clock: systemClock,
    log: quiet,
    limit: options.limit ?? (() => undefined),
    send:
      options.send ??
      (async (out) => {
        sent.push(out);
        return { ids: [out.key], at: Date.now() };
      }),
  });
  const userEntry = (turn: TurnRow): NewEntry => ({
    at: turn.acceptedAt,
    body: {
      kind: "message",
      runId: turn.id,
      message: {
        role: "user",
        blocks: [{ type: "text", text: turn.inbound.text }],
        at: turn.acceptedAt,
      },
    },
  });
  const countEnds = () => events.filter((e) => e.event.type === "end").length;
  const pipeline = new Pipeline({
    store,
    lanes: new Lanes(() => 4),
    delivery,
    clock: systemClock,
    log: quiet,
    newId: () => `run-${++counter}`,
    policy: () => ({ defaultAgentId: "main", mainKey: "main", operatorChannel: "webchat" }),
    mode: () => options.mode ?? "steer",
    entries: async (turns, resumed) => (resumed ? [] : turns.map(userEntry)),
    agent: options.agent,
    watch(run, event) {
      events.push({ run, event });
      for (const waiter of waiting) if (countEnds() >= waiter.n) waiter.done();
    },
    ...options.deps,
  });
  return {
    store,
    pipeline,
    events,
    sent,
    delivery,
    ends: (n) =>
      new Promise((done) => {
        if (countEnds() >= n) done();
        else waiting.push({ n, done });
      }),
    async close() {
      await pipeline.stop(0);
      await delivery.stop();
      await store.close();
    },
  };
}
