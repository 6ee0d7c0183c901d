import type { TraceItem } from "../wire.ts";
import { keyOf } from "./steps.ts";

/**
 * The newest page before what is known; `more`: there are older ones behind it. Known rows behind the page stay (`kept`). When the
 * page does not reach back to what is known, that is dropped rather than shown with a hole. Pure.
 */
export function mergeRows(
  known: TraceItem[],
  page: TraceItem[],
  more: boolean,
): { rows: TraceItem[]; kept: boolean } {
  const last = page.at(-1);
  const at = last && more ? known.findIndex((row) => keyOf(row) === keyOf(last)) : -1;
  return at === -1
    ? { rows: page, kept: false }
    : { rows: [...page, ...known.slice(at + 1)], kept: true };
}
