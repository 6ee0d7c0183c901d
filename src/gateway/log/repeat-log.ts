import type { Logger } from "../../base/log.ts";

/** At most one line per kind in this time, in ms. */
const QUIET_MS = 10_000;

/** A log that a flood cannot fill: the first of a kind is written at once, the rest of ten seconds as one line with `×N`. */
export class RepeatLog {
  private readonly kinds = new Map<string, { held: number; data: Record<string, unknown> }>();
  private readonly timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(private readonly log: Logger) {}

  /** `message` is also the kind; its texts must be a small fixed set. */
  warn(message: string, data: Record<string, unknown>): void {
    const seen = this.kinds.get(message);
    if (seen) {
      seen.held++;
      seen.data = data;
      return;
    }
    this.kinds.set(message, { held: 0, data });
    this.log.warn(message, data);
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.release(message);
    }, QUIET_MS);
    timer.unref();
    this.timers.add(timer);
  }

  /** Writes what is held back and forgets all kinds. */
  close(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    for (const kind of [...this.kinds.keys()]) this.release(kind);
  }

  private release(message: string): void {
    const seen = this.kinds.get(message);
    this.kinds.delete(message);
    if (seen?.held) this.log.warn(`${message} (×${seen.held} more)`, seen.data);
  }
}
