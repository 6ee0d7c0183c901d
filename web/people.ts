/** Strangers who wait to be let in, and those who were. Known on every page, because somebody may be waiting. */
import { signal } from "@preact/signals";

import { call, connected, onEvent, onHello, RpcError } from "./connection.ts";
import type { AllowedItem, PairingItem } from "./wire.ts";

/** How often it is asked while the page is seen, in ms. */
const POLL_MS = 30_000;

/** Oldest first. */
export const waiting = signal<PairingItem[]>([]);
export const allowed = signal<AllowedItem[]>([]);
/** Undefined until the first answer. */
export const peopleState = signal<"known" | RpcError | undefined>(undefined);

/** Never throws; what went wrong is in `peopleState`, for the page that is about it. */
export async function loadPeople(): Promise<void> {
  if (!connected.value) return;
  try {
    const answer = await call("pairing.list", {});
    waiting.value = answer.requests;
    allowed.value = answer.allowed;
    peopleState.value = "known";
  } catch (cause) {
    if (!(cause instanceof RpcError)) throw cause;
    if (connected.value) peopleState.value = cause;
  }
}

/** Keeps the list true. Called once. */
export function startPeople(): void {
  const look = () => {
    if (!document.hidden) void loadPeople();
  };
  onHello(() => void loadPeople());
  onEvent(({ event }) => {
    if (event.startsWith("pairing.")) void loadPeople();
  });
  setInterval(look, POLL_MS);
  document.addEventListener("visibilitychange", look);
}
