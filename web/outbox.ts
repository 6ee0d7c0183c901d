/** Messages of this browser that the transcript does not have yet. Kept across reloads; sent once, whatever happens in between. */
import { signal } from "@preact/signals";

import { call, connected, isTransient, newId, onHello, RpcError } from "./connection.ts";
import { keep } from "./keep.ts";
import type { WireMessage } from "./wire.ts";

export type Attachment = { mimeType: string; fileName: string; content: string };

/**
 * waiting: not accepted by the gateway. accepted: it will be answered. stopped: taken back before it was read.
 * failed: the gateway said no; `error` says why, also while one that waits is tried again.
 */
export type Unsent = {
  /** The idempotency key, and the run id of its turn. */
  key: string;
  sessionKey: string;
  text: string;
  attachments: Attachment[];
  at: number;
  state: "waiting" | "accepted" | "stopped" | "failed";
  error?: { text: string; hint?: string };
};

export const outbox = signal<Unsent[]>(keep.outbox<Unsent>());
/** False when the browser could not keep them (storage full or forbidden): a reload would lose them. */
export const outboxKept = signal(true);

const flying = new Set<string>();
/** How often in a row the gateway asked to send these later. */
const tries = new Map<string, number>();
const LONGEST_PAUSE_MS = 30_000;
const overWatchers = new Set<(row: Unsent) => void>();
/** Called when the gateway says that the turn of a message is over already. */
export const onOver = (watch: (row: Unsent) => void): void => void overWatchers.add(watch);

function put(rows: Unsent[]): void {
  outbox.value = rows;
  outboxKept.value = keep.setOutbox(rows);
}
const patch = (key: string, change: Partial<Unsent>): void =>
  put(outbox.value.map((row) => (row.key === key ? { ...row, ...change } : row)));

export const discard = (key: string): void => put(outbox.value.filter((row) => row.key !== key));

/** Takes a message. From now on it is on screen, and goes out as soon as there is a connection. */
export function post(sessionKey: string, text: string, attachments: Attachment[]): void {
  const row: Unsent = {
    key: newId(),
    sessionKey,
    text,
    attachments,
    at: Date.now(),
    state: "waiting",
  };
  put([...outbox.value, row]);
  flush();
}

/** Sends a refused or stopped message again, as a new one. */
export function again(key: string): void {
  put(
    outbox.value.map((row) =>
      row.key === key ? { ...row, key: newId(), state: "waiting", error: undefined } : row,
    ),
  );
  flush();
}

/** Sends what waits, in order within a conversation. Safe to call at any time. */
export function flush(): void {
  if (!connected.value) return;
  const busy = new Set(
    outbox.value.filter((row) => flying.has(row.key)).map((row) => row.sessionKey),
  );
  for (const row of outbox.value) {
    if (row.state !== "waiting" || busy.has(row.sessionKey)) continue;
    busy.add(row.sessionKey);
    void send(row);
  }
}

async function send(row: Unsent): Promise<void> {
  flying.add(row.key);
  let pauseMs = 0;
  try {
    const answer = await call("chat.send", {
      sessionKey: row.sessionKey,
      message: row.text,
      idempotencyKey: row.key,
      deliver: false,
      attachments: row.attachments.length
        ? row.attachments.map((a) => ({ type: "image", ...a }))
        : undefined,
    });
    // A stop word is obeyed at once and leaves no turn behind.
    if (answer.runId === undefined) return discard(row.key);
    patch(row.key, { state: "accepted", error: undefined });
    if (answer.status === "ok" || answer.status === "error")
      for (const watch of overWatchers) watch(row);
  } catch (cause) {
    if (!(cause instanceof RpcError)) throw cause;
    // Not connected any more: it waits for the next hello and goes out with the same key.
    const error = { text: cause.message, hint: cause.hint };
    if (!isTransient(cause)) patch(row.key, { state: "failed", error });
    else if (connected.value) {
      const before = tries.get(row.key) ?? 0;
      tries.set(row.key, before + 1);
      const first = cause.shape.retryAfterMs ?? 2000;
      pauseMs = Math.max(first, Math.min(LONGEST_PAUSE_MS, first * 2 ** before));
      patch(row.key, { error });
    }
  } finally {
    flying.delete(row.key);
  }
  if (pauseMs) return void setTimeout(flush, pauseMs);
  tries.delete(row.key);
  flush();
}

/** Forgets what the transcript has. */
export function settleOutbox(sessionKey: string, messages: WireMessage[]): void {
  const mine = outbox.value.filter((row) => row.sessionKey === sessionKey);
  if (!mine.length) return;
  const there = new Set(
    messages
      .filter((message) => message.role === "user")
      .flatMap((message) => [message.idempotencyKey, message.runId, message.id]),
  );
  const rows = outbox.value.filter((row) => row.sessionKey !== sessionKey || !there.has(row.key));
  if (rows.length !== outbox.value.length) put(rows);
}

/** A turn that ended before its message was ever read. */
export function markStopped(key: string): void {
  if (outbox.value.some((row) => row.key === key && row.state === "accepted"))
    patch(key, { state: "stopped" });
}

onHello(() => {
  // What was accepted before may be over by now; asking again with the same key is harmless and tells.
  put(outbox.value.map((row) => (row.state === "accepted" ? { ...row, state: "waiting" } : row)));
  flush();
});
keep.onOutbox(() => {
  outbox.value = keep.outbox<Unsent>();
});
