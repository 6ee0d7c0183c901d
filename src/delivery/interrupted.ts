/** What the outbox notes on a message that was being sent when the program crashed. */
import type { OutboxRow } from "../store/store.ts";

const INTERRUPTED = "interrupted while sending";

export const interruptedNote = (times: number): string => `${INTERRUPTED} (${times})`;

/** The crashes in a row until now; another failure in between begins anew. */
export const interruptionsOf = ({ error = "" }: OutboxRow): number =>
  error.startsWith(INTERRUPTED) ? Number(/\((\d+)\)$/.exec(error)?.[1] ?? 1) : 0;
