/** Delivery with the real store, a clock that only moves when the test says so, and a platform that is the test's. */
import { AppError } from "../../src/base/errors.ts";
import type { Logger } from "../../src/base/log.ts";
import type { Clock } from "../../src/base/time.ts";
import { Delivery } from "../../src/delivery/outbox.ts";
import type { OutgoingMedia } from "../../src/delivery/sending.ts";
import type { Target } from "../../src/delivery/target.ts";
import type { Address, Outbound } from "../../src/flow.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import type { Store } from "../../src/store/store.ts";
import { quiet } from "./house.ts";

export const chat = (chatId: string, over: Partial<Address> = {}): Address => ({
  channel: "net",
  account: "a",
  chatId,
  ...over,
});

export const target: Target = {
  limits: { text: 100, caption: 20 },
  render: "markdown",
  tables: "off",
  chunkMode: "length",
  replyToMode: "first",
  retry: { attempts: 1, minDelayMs: 400, maxDelayMs: 30_000, jitter: 0 },
  mediaMaxBytes: 1_000,
};

/** Time that only moves when the test says so. */
export function fakeClock() {
  let now = Date.UTC(2026, 0, 2, 3, 4, 5);
  const sleepers = new Set<{ at: number; wake: () => void }>();
  const clock: Clock = {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const sleeper = { at: now + ms, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", () => {
          sleepers.delete(sleeper);
          reject(signal.reason);
        });
      }),
  };
  return {
    clock,
    sleeping: () => sleepers.size,
    advance(ms: number) {
      now += ms;
      for (const s of [...sleepers].sort((a, b) => a.at - b.at))
        if (s.at <= now) {
          sleepers.delete(s);
          s.wake();
        }
    },
  };
}

/** The program's other work goes on until nothing is left of it: store commits and what hangs on them. */
export async function breathe(turns = 20): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((done) => setImmediate(done));
}

export const media: OutgoingMedia = {
  take(path) {
    if (path.includes("missing")) throw new AppError("not_found", "There is no such file.");
    return { kind: "file", mime: "text/plain", file: `outbound/${path.slice(2)}` };
  },
  web: (url) => ({ kind: "file", mime: "", name: url }),
  async ready(ref) {
    if (ref.name?.includes("gone"))
      throw new AppError("not_found", "The file is not there any more.");
    return ref;
  },
};

export type Line = [level: string, message: string, data: Record<string, unknown> | undefined];

export async function setUp(options: {
  send?: (out: Outbound) => Promise<string> | string;
  target?: Partial<Target> | ((to: Address) => Target | undefined);
  redact?: (text: string) => string;
  store?: Store;
}) {
  const store = options.store ?? (await openSqlite({ path: ":memory:", log: quiet }));
  const time = fakeClock();
  const sent: Outbound[] = [];
  const lines: Line[] = [];
  const say = (level: string) => (message: string, data?: Record<string, unknown>) =>
    void lines.push([level, message, data]);
  const log: Logger = {
    error: say("error"),
    warn: say("warn"),
    info: say("info"),
    debug: () => undefined,
    child: () => log,
  };
  const given = options.target;
  const delivery = new Delivery({
    store,
    clock: time.clock,
    log,
    target: typeof given === "function" ? given : () => ({ ...target, ...given }),
    async send(out) {
      const id = (await options.send?.(out)) ?? `id of ${out.text}`;
      sent.push(out);
      return { ids: [id], at: time.clock.now() };
    },
    media,
    redact: options.redact ?? ((text) => text),
    random: () => 0.5,
  });
  const put = (to: Address, ...texts: string[]) =>
    store.outbox.put(
      texts.map((text) => ({ key: `${to.chatId}-${text}`, to, text })),
      time.clock.now(),
    );
  const run = async () => {
    delivery.wake();
    await delivery.settled();
  };
  return {
    store,
    time,
    delivery,
    put,
    sent,
    lines,
    run,
    texts: () => sent.map(({ text }) => text),
  };
}
