/** The newest messages that arrived, as far as they were asked for. */
import { signal } from "@preact/signals";

import { call, connected, RpcError } from "../connection.ts";
import { showError } from "../toasts.ts";
import type { TraceItem } from "../wire.ts";
import { mergeRows } from "./merge.ts";
import { keyOf } from "./steps.ts";

/** Rows of one answer. */
const PAGE = 50;

export type Filter = { channel: string | undefined; unanswered: boolean };
export const filter = signal<Filter>({ channel: undefined, unanswered: false });
/** Newest first. Undefined until the first answer for this filter. */
export const rows = signal<TraceItem[] | undefined>(undefined);
/** Cursor of the older page; undefined when there is none. */
export const nextBefore = signal<number | undefined>(undefined);
export const rowsError = signal<RpcError | undefined>(undefined);

export function setFilter(change: Partial<Filter>): void {
  filter.value = { ...filter.value, ...change };
  rows.value = undefined;
  nextBefore.value = undefined;
  void loadMessages();
}

const ask = ({ channel, unanswered }: Filter, before?: number) =>
  call("messages.recent", {
    limit: PAGE,
    ...(channel ? { channel } : {}),
    ...(unanswered ? { unanswered } : {}),
    ...(before === undefined ? {} : { before }),
  });

/** The newest page again; older rows that are known stay. Never throws. */
export async function loadMessages(): Promise<void> {
  if (!connected.value) return;
  const asked = filter.value;
  try {
    const answer = await ask(asked);
    if (filter.value !== asked) return;
    const { rows: merged, kept } = mergeRows(
      rows.value ?? [],
      answer.messages,
      answer.nextBefore !== undefined,
    );
    rows.value = merged;
    if (!kept) nextBefore.value = answer.nextBefore;
    rowsError.value = undefined;
  } catch (cause) {
    if (!(cause instanceof RpcError)) throw cause;
    if (connected.value && filter.value === asked) rowsError.value = cause;
  }
}

export async function loadOlder(): Promise<void> {
  const asked = filter.value;
  const before = nextBefore.value;
  if (before === undefined) return;
  try {
    const answer = await ask(asked, before);
    if (filter.value !== asked || nextBefore.value !== before) return;
    const known = new Set((rows.value ?? []).map(keyOf));
    rows.value = [
      ...(rows.value ?? []),
      ...answer.messages.filter((row) => !known.has(keyOf(row))),
    ];
    nextBefore.value = answer.nextBefore;
  } catch (cause) {
    showError(cause);
  }
}
