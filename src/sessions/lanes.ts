import { type Clock, pause } from "../base/time.ts";
import type { SessionKey } from "../flow.ts";

/** One task at a time per session, at most `max()` sessions at once, first come first served. A failing task frees its lane. */
export class Lanes {
  private readonly tails = new Map<SessionKey, Promise<void>>();
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  /** `max` is read whenever a lane becomes free, so that a changed config counts at once. */
  constructor(private readonly max: () => number) {}

  run<T>(key: SessionKey, task: () => Promise<T>): Promise<T> {
    const before = this.tails.get(key) ?? Promise.resolve();
    const turn = before.then(() => this.slot(task));
    const settled = () => undefined;
    const tail = turn.then(settled, settled);
    this.tails.set(key, tail);
    void tail.then(() => {
      if (this.tails.get(key) === tail) this.tails.delete(key);
    });
    return turn;
  }

  /** Resolves when everything that was queued until now is over. */
  async idle(): Promise<void> {
    await Promise.all(this.tails.values());
  }

  /** The same, but at most `ms`. */
  async idleWithin(ms: number, clock: Clock): Promise<void> {
    if (this.tails.size === 0) return;
    const over = new AbortController();
    await Promise.race([this.idle(), pause(clock, ms, over.signal)]);
    over.abort();
  }

  private async slot<T>(task: () => Promise<T>): Promise<T> {
    // Whoever is woken from `waiting` was counted by the one that freed the slot, so nobody can slip in between.
    if (this.running >= this.max()) await new Promise<void>((go) => this.waiting.push(go));
    else this.running++;
    try {
      return await task();
    } finally {
      this.running--;
      while (this.waiting.length && this.running < this.max()) {
        this.running++;
        this.waiting.shift()!();
      }
    }
  }
}
