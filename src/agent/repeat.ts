/** Notices when a model goes in circles: the same calls with the same results, and nothing new in between. */
import type { ToolCall, ToolResult } from "../flow.ts";

const HINT_AT = 3;
const STOP_AT = 6;
/** Looking after a command that still runs gives the same answer many times, and rightly so. */
const STOP_WAITING_AT = 60;

const HINT =
  "[You made this call before and got the same result. Repeating it will not change that: try something else, or tell the user what is in the way.]";
const WAITING_HINT =
  "[Nothing new. Do something else meanwhile, or wait longer before you look again.]";

export type RepeatWatch = {
  /** Counts a finished call. `hint` goes behind the result; `stuck` ends the run. */
  note(call: ToolCall, result: ToolResult): { hint?: string; stuck: boolean };
};

export function watchRepeats(): RepeatWatch {
  const counts = new Map<bigint | number, number>();
  return {
    note(call, result) {
      const key = Bun.hash(JSON.stringify([call.name, call.args, result.isError, result.text]));
      // Something new is progress: what was repeated before it does not count any more.
      if (!counts.has(key)) for (const known of counts.keys()) counts.set(known, 0);
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      const waiting = result.details?.["status"] === "running";
      return {
        ...(count >= HINT_AT ? { hint: waiting ? WAITING_HINT : HINT } : {}),
        stuck: count >= (waiting ? STOP_WAITING_AT : STOP_AT),
      };
    },
  };
}
