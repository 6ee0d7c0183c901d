import type { Logger } from "./log.ts";
import { background } from "./task.ts";
import { systemClock } from "./time.ts";

/** A part that does not close within this is left behind, in ms. */
const FORCED_MS = 5000;

/** Things to close, last opened first. */
export class Closers {
  private readonly list: { name: string; close: () => Promise<unknown> | void }[] = [];

  add(name: string, close: () => Promise<unknown> | void): void {
    this.list.unshift({ name, close });
  }

  /** Closes all, whatever one of them says. */
  async close(log: Logger): Promise<void> {
    for (const { name, close } of this.list.splice(0)) {
      const closed = Promise.resolve(close());
      background(`closing ${name}`, closed, log);
      await Promise.race([
        closed.then(
          () => undefined,
          () => undefined,
        ),
        systemClock.sleep(FORCED_MS),
      ]);
    }
  }
}
