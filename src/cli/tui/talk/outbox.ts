/**
 * Messages of this terminal that the transcript does not have yet. Each has the key that it was first sent with, so however often it is
 * repeated over lost connections, it is answered once.
 */
import { RpcError } from "../../../protocol/client.ts";

/** waiting: not accepted by the gateway. accepted: it will be answered. */
export type Unsent = {
  key: string;
  sessionKey: string;
  text: string;
  state: "waiting" | "accepted";
};

export type OutboxPorts = {
  /** Throws RpcError. @returns without a run id when the message was obeyed at once, as `/stop` is */
  send(row: Unsent): Promise<{ runId?: string | undefined; status?: string | undefined }>;
  connected(): boolean;
  /** Something changed on the screen. */
  changed(): void;
  /** The gateway said no; the text is given back to the person. */
  refused(row: Unsent, error: RpcError): void;
  /** It was obeyed, or is over already: only the history tells what came of it. */
  answered(row: Unsent): void;
};

/** Longest pause before a message is sent again that the gateway could not take now, in ms. */
const MAX_PAUSE_MS = 30_000;
const FIRST_PAUSE_MS = 1000;

export class Outbox {
  private rows: Unsent[] = [];
  private flying = false;
  private pauseMs = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly ports: OutboxPorts) {}

  of(sessionKey: string): readonly Unsent[] {
    return this.rows.filter((row) => row.sessionKey === sessionKey);
  }

  /** What the gateway has not taken. */
  get waiting(): readonly Unsent[] {
    return this.rows.filter((row) => row.state === "waiting");
  }

  post(sessionKey: string, text: string): void {
    this.rows.push({ key: crypto.randomUUID(), sessionKey, text, state: "waiting" });
    this.flush();
  }

  /** The connection is back: whether it was taken before, the same key asks again without harm. */
  reconnected(): void {
    this.rows = this.rows.map((row) => ({ ...row, state: "waiting" as const }));
    this.pauseMs = 0;
    this.flush();
  }

  /** Takes back what waits, newest first in one text, when a person stops everything. */
  discard(key: string): void {
    this.rows = this.rows.filter((row) => row.key !== key);
    this.ports.changed();
  }

  /** Forgets what the transcript has. */
  settle(has: (key: string) => boolean): void {
    const left = this.rows.filter((row) => !has(row.key));
    if (left.length === this.rows.length) return;
    this.rows = left;
    this.ports.changed();
  }

  close(): void {
    clearTimeout(this.timer);
  }

  /** Sends what waits, one after the other, so that their order stays. */
  flush(): void {
    const row = this.rows.find(({ state }) => state === "waiting");
    if (!row || this.flying || !this.ports.connected()) return;
    this.flying = true;
    clearTimeout(this.timer);
    this.ports.send(row).then(
      (answer) => this.sent(row, answer),
      (cause: unknown) => this.failed(row, cause),
    );
  }

  private sent(row: Unsent, answer: { runId?: string | undefined; status?: string | undefined }) {
    this.flying = false;
    this.pauseMs = 0;
    if (answer.runId === undefined) this.discard(row.key);
    else this.patch(row.key, "accepted");
    if (answer.runId === undefined || answer.status === "ok" || answer.status === "error")
      this.ports.answered(row);
    this.ports.changed();
    this.flush();
  }

  private failed(row: Unsent, cause: unknown): void {
    this.flying = false;
    if (!(cause instanceof RpcError)) throw cause;
    // Without a connection it waits for the next one.
    if (!this.ports.connected()) return;
    if (cause.shape.retryable === true || cause.shape.retryAfterMs !== undefined) {
      this.pauseMs = Math.min(MAX_PAUSE_MS, this.pauseMs * 2 || FIRST_PAUSE_MS);
      const wait = Math.max(this.pauseMs, cause.shape.retryAfterMs ?? 0);
      this.timer = setTimeout(() => this.flush(), wait);
      return;
    }
    this.rows = this.rows.filter(({ key }) => key !== row.key);
    this.ports.refused(row, cause);
    this.flush();
  }

  private patch(key: string, state: Unsent["state"]): void {
    this.rows = this.rows.map((row) => (row.key === key ? { ...row, state } : row));
  }
}
