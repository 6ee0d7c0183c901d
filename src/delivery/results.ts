/** Those who wait for what becomes of a message. */
import { AppError } from "../base/errors.ts";
import { type Clock, pause } from "../base/time.ts";
import type { Receipt } from "../flow.ts";
import type { OutboxRow } from "../store/store.ts";

type Waiter = { resolve(receipt: Receipt): void; reject(error: AppError): void; until: number };

export class Results {
  private readonly waiting = new Map<string, Set<Waiter>>();

  constructor(
    private readonly clock: Clock,
    private readonly stopped: AbortSignal,
  ) {}

  /** Resolves with the receipt. Rejects with the channel's error, or with `channel_unreachable` after `waitMs`. */
  of(key: string, waitMs: number): Promise<Receipt> {
    const { promise, resolve, reject } = Promise.withResolvers<Receipt>();
    const waiter: Waiter = { resolve, reject, until: this.clock.now() + waitMs };
    const all = this.waiting.get(key) ?? new Set();
    this.waiting.set(key, all.add(waiter));
    const over = new AbortController();
    const end = () => {
      over.abort();
      all.delete(waiter);
      if (!all.size) this.waiting.delete(key);
    };
    promise.then(end, end);
    const limit = pause(this.clock, waitMs, AbortSignal.any([over.signal, this.stopped]));
    // Also at the end of the program: whoever waits must hear that it goes on without them.
    void limit.then(() => reject(stillWaits()));
    return promise;
  }

  settle(row: Pick<OutboxRow, "key" | "state" | "receipt" | "error">): void {
    const { key, state, receipt, error = "" } = row;
    if (state === "delivered" && receipt)
      for (const waiter of this.waiting.get(key) ?? []) waiter.resolve(receipt);
    else if (state === "dead") this.fail(key, new AppError("channel_rejected", error));
    else if (state === "unknown")
      this.fail(
        key,
        new AppError(
          "channel_unreachable",
          "It may or may not have arrived: the gateway stopped while it was sent.",
          {
            hint: "Look into the chat before you send it again.",
          },
        ),
      );
  }

  fail(key: string, error: AppError): void {
    for (const waiter of this.waiting.get(key) ?? []) waiter.reject(error);
  }

  /** It will be tried again, and whoever does not wait that long hears it now. */
  delayed(key: string, waitMs: number, error: AppError): void {
    const next = this.clock.now() + waitMs;
    for (const waiter of this.waiting.get(key) ?? [])
      if (next >= waiter.until) waiter.reject(stillWaits(error));
  }
}

const stillWaits = (cause?: AppError): AppError =>
  new AppError(
    "channel_unreachable",
    cause?.message ?? "The platform has not confirmed the message yet.",
    {
      hint: "It is kept and tried again by itself; sending it again with another key would send it twice.",
      ...(cause && { cause }),
    },
  );
