/** Rows about turns: what the gateway adds to the time that the model takes. */
import type { Methods } from "../src/gateway/methods/index.ts";
import type { RpcClient } from "../src/protocol/client.ts";
import type { EventFrame } from "../src/protocol/frames.ts";
import type { Row } from "./harness.ts";
import {
  dial,
  makeHome,
  median,
  memory,
  percentile,
  startFloor,
  startGateway,
  startModel,
} from "./harness.ts";

type Pace = { pieces: number; everyMs: number };
type Times = Record<string, { start: number; end: number }>;

/** Epoch ms with fractions. */
const now = (): number => performance.timeOrigin + performance.now();

/** Sends turns and notes when each was sent and over. */
class Turns {
  private readonly waiting = new Map<string, (state: string) => void>();
  private readonly took = new Map<string, { sent: number; done: number }>();
  client!: RpcClient<Methods>;

  readonly onEvent = ({ event, payload }: EventFrame): void => {
    const { runId, state } = payload as { runId: string; state?: string };
    if (event !== "chat" || state === "delta" || state === undefined) return;
    this.waiting.get(runId)?.(state);
  };

  async run(id: string, session: string, { pieces, everyMs }: Pace): Promise<void> {
    const over = new Promise<string>((resolve) => this.waiting.set(id, resolve));
    const sent = now();
    await this.client.call(
      "chat.send",
      {
        sessionKey: session,
        message: `pieces=${pieces} everyMs=${everyMs} id=${id}`,
        idempotencyKey: id,
      },
      { timeoutMs: 120_000 },
    );
    const state = await over;
    if (state !== "final") throw new Error(`turn ${id} ended with ${state}`);
    this.took.set(id, { sent, done: now() });
    this.waiting.delete(id);
  }

  /** Whole time minus the model's own, of the turns whose id begins so; in ms. */
  added(prefix: string, model: Times): number[] {
    return [...this.took]
      .filter(([id]) => id.startsWith(prefix))
      .map(([id, { sent, done }]) => done - sent - (model[id]!.end - model[id]!.start));
  }
}

/** The first turn of a process, and the many after it. */
export async function turnRows(runs: number): Promise<Row[]> {
  const model = await startModel();
  const first: number[] = [];
  const settled: number[] = [];
  try {
    for (let run = 0; run < runs; run++) {
      const home = makeHome(model.url);
      const gateway = await startGateway(home);
      const turns = new Turns();
      turns.client = await dial(home, { onEvent: turns.onEvent });
      await turns.run(`first${run}-`, "first", { pieces: 1, everyMs: 0 });
      for (let i = 0; i < 150; i++)
        await turns.run(`warm${run}-${i}`, `s${i % 20}`, { pieces: 3, everyMs: 1 });
      for (let i = 0; i < 200; i++)
        await turns.run(`turn${run}-${i}`, `s${i % 20}`, { pieces: 3, everyMs: 1 });
      const times = await model.times();
      first.push(...turns.added(`first${run}-`, times));
      settled.push(...turns.added(`turn${run}-`, times));
      turns.client.close();
      await gateway.stop();
      home.remove();
    }
    return [
      { name: "floor: one durable row over HTTP, p50", value: await durableRow(), unit: "ms" },
      { name: "added to a turn, p50", value: percentile(settled, 50), unit: "ms", bound: 3 },
      { name: "added to a turn, p99", value: percentile(settled, 99), unit: "ms", bound: 10 },
      { name: "first turn after start", value: median(first), unit: "ms", bound: 25 },
    ];
  } finally {
    await model.stop();
  }
}

/** What the disk and one request cost without us; a turn writes at least three durable rows. */
async function durableRow(): Promise<number> {
  const home = makeHome();
  const floor = await startFloor(home);
  const times: number[] = [];
  for (let i = 0; i < 200; i++) {
    const before = performance.now();
    await (await fetch(`http://127.0.0.1:${floor.port}/row`)).text();
    times.push(performance.now() - before);
  }
  await floor.stop();
  home.remove();
  return median(times);
}

const CROWD = 1000;
/** The conversations of the crowd begin over this time, in ms, and each answer streams for a second longer than that. */
const ARRIVAL_MS = 5000;

/**
 * A thousand conversations that stream at the same time: begun over five seconds, all of them open in the sixth. The second
 * row is the same crowd begun in one instant, which measures the queue in front of one processor; it has no bound.
 */
export async function crowdRows(): Promise<Row[]> {
  const model = await startModel();
  const home = makeHome(model.url);
  const gateway = await startGateway(home);
  const turns = new Turns();
  try {
    turns.client = await dial(home, { onEvent: turns.onEvent });
    // A process that has already worked, as in life; the row is about the crowd, not about the first turns.
    for (let i = 0; i < 100; i++) await turns.run(`warm-${i}`, `w${i}`, { pieces: 3, everyMs: 1 });
    const begin = async (name: string, spreadMs: number, pace: Pace): Promise<number[]> => {
      const one = async (i: number) => {
        await Bun.sleep((i / CROWD) * spreadMs);
        await turns.run(`${name}-${i}`, `${name}${i}`, pace);
      };
      await Promise.all(Array.from({ length: CROWD }, (_, i) => one(i)));
      return turns.added(`${name}-`, await model.times());
    };
    const spread = await begin("crowd", ARRIVAL_MS, { pieces: 30, everyMs: 200 });
    const most = memory(gateway.pid, "VmHWM");
    const burst = await begin("burst", 0, { pieces: 10, everyMs: 200 });
    return [
      {
        name: `${CROWD} concurrent streaming turns, added p99`,
        value: percentile(spread, 99),
        unit: "ms",
        bound: 150,
        note: `p50 ${Math.round(percentile(spread, 50))} ms`,
      },
      {
        name: `${CROWD} concurrent streaming turns, memory`,
        value: most,
        unit: "MB",
        bound: 200,
      },
      {
        name: `${CROWD} turns begun in one instant, added p99`,
        value: percentile(burst, 99),
        unit: "ms",
      },
    ];
  } finally {
    turns.client.close();
    await gateway.stop();
    await model.stop();
    home.remove();
  }
}
