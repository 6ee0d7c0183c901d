/** The whole pipeline in one process: the real store, lanes and delivery; the agent and the platform are the test's. */
import { AppError } from "../../src/base/errors.ts";
import type { Logger } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/time.ts";
import { Delivery } from "../../src/delivery/outbox.ts";
import type { Target } from "../../src/delivery/target.ts";
import type { Inbound, Outbound, Receipt, Turn, TurnEvent } from "../../src/flow.ts";
import { Pipeline, type PipelineDeps } from "../../src/pipeline.ts";
import { routeFor } from "../../src/router/route.ts";
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

/** Of a channel whose users read the session itself. */
const transcriptOnly: Target = {
  limits: { text: 1_000_000 },
  render: "markdown",
  transcript: true,
  tables: "off",
  chunkMode: "length",
  replyToMode: "off",
  retry: { attempts: 1, minDelayMs: 0, maxDelayMs: 0, jitter: 0 },
  mediaMaxBytes: 1_000,
};
const noFiles = (): never => {
  throw new AppError("not_found", "There are no files here.");
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
  /** Undefined: the transcript is the message, and nothing is sent. */
  target?: Target;
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
    target: () => options.target ?? transcriptOnly,
    redact: (text) => text,
    media: {
      take: () => noFiles(),
      web: () => noFiles(),
      ready: async (ref) => ref,
    },
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
    runIdFor: ({ id }) => id,
    decide: async (message) => ({
      inbound: message,
      route: routeFor(message, {
        defaultAgentId: "main",
        mainKey: "main",
        operatorChannel: "webchat",
      }),
    }),
    mode: () => options.mode ?? "steer",
    debounceMs: () => 0,
    cap: () => 1_000,
    overflow: async () => undefined,
    accepted: () => undefined,
    note: () => undefined,
    outgoing: (run, { status, text }) =>
      status === "ok" && text
        ? delivery.rowsFor({ runId: run.turn.id, to: run.turn.reply, text })
        : [],
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
