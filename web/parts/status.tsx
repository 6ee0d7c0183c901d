/** The connection in words, true at every moment. */
import { useEffect, useState } from "preact/hooks";

import { connection, retryAt, retryNow } from "../connection.ts";
import { shutdown } from "../state.ts";
import { strings } from "../strings.ts";

/** Epoch ms, drawn again every second while `active`. */
export function useNow(active: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!active) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [active]);
  return now;
}

export function Status() {
  const state = connection.value;
  const waiting = state.kind === "waiting";
  const now = useNow(waiting);
  const offline = waiting && !navigator.onLine;
  const left = Math.max(0, Math.ceil(((retryAt.value ?? now) - now) / 1000));
  const words = offline
    ? strings.offline
    : waiting
      ? shutdown.value
        ? strings.restarting
        : strings.reconnectingIn(left)
      : state.kind === "connected"
        ? strings.connected
        : state.kind === "connecting"
          ? strings.connecting
          : strings.offline;
  const tone =
    state.kind === "connected"
      ? "good"
      : state.kind === "connecting" || (waiting && !offline)
        ? "warn"
        : "bad";
  return (
    <div class="status">
      <span class={`dot ${tone}`} />
      <span class="status-words">{words}</span>
      {waiting && (
        <button type="button" class="link" onClick={retryNow}>
          {strings.tryNow}
        </button>
      )}
    </div>
  );
}

/** Tells a screen reader about a lost and a found connection, but not every second of the wait. */
export function StatusAnnouncer() {
  const { kind } = connection.value;
  const [ever, setEver] = useState(false);
  useEffect(() => {
    if (kind === "connected") setEver(true);
  }, [kind]);
  const words = !ever
    ? ""
    : kind === "connected"
      ? strings.connected
      : kind === "waiting"
        ? strings.offline
        : "";
  return (
    <div class="sr-only" role="status">
      {words}
    </div>
  );
}
