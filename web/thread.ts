/** One conversation: its messages, what is being said right now, and the calls that keep both true. */
import { batch, computed, signal } from "@preact/signals";

import { call, connected, RpcError } from "./connection.ts";
import { applyEvent, type LiveRun, type LiveTool, newRun, reconcileRuns } from "./live.ts";
import { markStopped, outbox, settleOutbox } from "./outbox.ts";
import { mergeHistory, pageMaker, type Row, type Stopped } from "./rows.ts";
import { showError } from "./toasts.ts";
import type { AgentEvent, ChatEvent, Queued, WireMessage } from "./wire.ts";

/** Messages per history answer. */
const PAGE = 100;

export class Thread {
  readonly messages = signal<WireMessage[]>([]);
  readonly live = signal<LiveRun[]>([]);
  /** What waits behind the running turn, as the gateway sees it. */
  readonly queued = signal<Queued[]>([]);
  /** False until the first answer. */
  readonly loaded = signal(false);
  readonly error = signal<RpcError | undefined>(undefined);
  /** The cursor of the older page; undefined at the beginning of the conversation. */
  readonly nextBefore = signal<number | undefined>(undefined);
  /** Emptied on screen, while the reset behind it can still be undone. */
  readonly hidden = signal(false);
  /** Text of the last answer that ended while this page was open, for screen readers. */
  readonly answered = signal<{ text: string; at: number } | undefined>(undefined);

  private readonly durations = new Map<string, number>();
  private readonly make = pageMaker(this.durations);
  readonly pages = computed(() =>
    this.hidden.value ? [] : this.make(this.messages.value, this.stopped.value),
  );
  private readonly stopped = signal<Stopped>(new Map());
  readonly unsent = computed(() => outbox.value.filter((row) => row.sessionKey === this.key));
  readonly running = computed(() => this.live.value.some((run) => !run.ended));
  /** There is something to stop: a run, or a message that waits for one. */
  readonly active = computed(
    () =>
      this.running.value ||
      this.queued.value.length > 0 ||
      this.unsent.value.some((row) => row.state === "accepted"),
  );

  private sessionId: string | undefined;
  private loading: Promise<void> | undefined;
  private asked = false;
  private fetchingOlder: Promise<void> | undefined;
  /** Runs that ended while this page was open. */
  private readonly over = new Set<string>();
  private events: AgentEvent[] = [];
  private frame = 0;

  constructor(readonly key: string) {}

  /** Fetches the newest page and what is live. Calls while one is under way are answered by one more. */
  load(): Promise<void> {
    if (this.loading) {
      this.asked = true;
      return this.loading;
    }
    this.loading = this.fetch().finally(() => {
      this.loading = undefined;
      if (!this.asked) return;
      this.asked = false;
      return this.load();
    });
    return this.loading;
  }

  private async fetch(): Promise<void> {
    if (!connected.value) return;
    const askedAt = performance.now();
    try {
      const answer = await call("chat.history", { sessionKey: this.key, limit: PAGE });
      this.drain();
      batch(() => {
        const reset = answer.sessionId !== this.sessionId;
        this.sessionId = answer.sessionId;
        const known = reset ? [] : this.messages.value;
        const { messages, kept } = mergeHistory(known, answer.messages);
        this.messages.value = messages;
        if (!kept) this.nextBefore.value = answer.nextBefore ?? undefined;
        const ids = callIdsOf(messages);
        this.live.value = reconcileRuns(this.live.value, answer.live ?? [], askedAt, (id) =>
          ids.has(id),
        );
        this.queued.value = answer.queued;
        settleOutbox(this.key, messages);
        this.loaded.value = true;
        this.error.value = undefined;
      });
    } catch (cause) {
      if (!(cause instanceof RpcError)) throw cause;
      // A lost connection is shown as such; the next hello loads again.
      if (connected.value) this.error.value = cause;
    }
  }

  /** Fetches the page before the oldest known message. */
  older(): Promise<void> {
    this.fetchingOlder ??= this.fetchOlder().finally(() => (this.fetchingOlder = undefined));
    return this.fetchingOlder;
  }

  private async fetchOlder(): Promise<void> {
    const before = this.nextBefore.value;
    if (before === undefined || !connected.value) return;
    const { sessionId } = this;
    try {
      const answer = await call("chat.history", { sessionKey: this.key, limit: PAGE, before });
      if (answer.sessionId !== sessionId) return void this.load();
      const first = this.messages.value[0]?.seq ?? Number.POSITIVE_INFINITY;
      const older = answer.messages.filter((message) => (message.seq ?? 0) < first);
      batch(() => {
        this.messages.value = [...older, ...this.messages.value];
        this.nextBefore.value = answer.nextBefore ?? undefined;
      });
    } catch (cause) {
      showError(cause);
    }
  }

  /** Fetches back to the message with this number, if there is one. */
  async reach(seq: number): Promise<void> {
    if (!this.loaded.value) await this.load();
    while (this.nextBefore.value !== undefined && (this.messages.value[0]?.seq ?? 0) > seq) {
      const before = this.nextBefore.value;
      await this.older();
      if (this.nextBefore.value === before) return;
    }
  }

  /** Stops the running turn and those that wait behind it. */
  async stop(): Promise<void> {
    const waiting = this.unsent.value.filter((row) => row.state === "accepted");
    for (const run of this.live.value) if (!run.ended) this.mark(run.runId, false);
    try {
      await call("chat.abort", { sessionKey: this.key });
      await this.load();
      for (const row of waiting)
        if (!this.live.value.some((run) => run.runId === row.key)) markStopped(row.key);
    } catch (cause) {
      for (const [runId, over] of this.stopped.value) if (!over) this.mark(runId, undefined);
      showError(cause);
    }
  }

  /** A run that is being stopped, was stopped, or was not after all. */
  private mark(runId: string, over: boolean | undefined): void {
    const next = new Map(this.stopped.value);
    if (over === undefined) next.delete(runId);
    else next.set(runId, over);
    this.stopped.value = next;
  }

  onAgent(event: AgentEvent): void {
    this.events.push(event);
    const { data, stream } = event;
    // The history has the user's message as soon as its turn begins, and a steering message after the tool it waited for.
    if (stream === "lifecycle" && data.phase === "start") void this.load();
    const steering = this.unsent.value.some((row) => row.state === "accepted");
    if (stream === "message" && steering) void this.load();
    // At most one drawing per frame, however fast the text comes. A hidden tab has no frames.
    if (document.hidden) this.drain();
    else this.frame ||= requestAnimationFrame(() => this.drain());
  }

  onChat(event: ChatEvent): void {
    if (event.state === "delta") return;
    this.drain();
    const run = this.live.value.find((r) => r.runId === event.runId);
    this.live.value = this.live.value.map((r) => (r === run ? { ...r, ended: true } : r));
    void this.finish(event, run);
  }

  private async finish(event: ChatEvent, run: LiveRun | undefined): Promise<void> {
    this.over.add(event.runId);
    await this.load();
    batch(() => {
      this.live.value = this.live.value.filter((r) => r.runId !== event.runId);
      this.mark(event.runId, event.state === "aborted" ? true : undefined);
    });
    if (event.state === "aborted") markStopped(event.runId);
    const said = run?.parts.findLast((part) => part.kind === "text");
    if (said?.kind === "text" && event.state === "final")
      this.answered.value = { text: said.text, at: Date.now() };
  }

  /** Applies the events that wait for the next frame. */
  private drain(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { events } = this;
    this.events = [];
    if (!events.length) return;
    let runs = this.live.value;
    for (const event of events) {
      const at = runs.findIndex((run) => run.runId === event.runId);
      // Late events of a run that is over must not bring it back.
      if (at === -1 && (this.over.has(event.runId) || isEnd(event))) continue;
      const now = Date.now();
      const run = at === -1 ? newRun(event.runId, event.ts ?? now, performance.now()) : runs[at]!;
      const next = applyEvent(run, event, now);
      for (const part of next.parts)
        if (part.kind === "tool" && part.ms !== undefined) this.durations.set(part.id, part.ms);
      runs = at === -1 ? [...runs, next] : runs.with(at, next);
    }
    this.live.value = runs;
  }
}

const isEnd = ({ stream, data }: AgentEvent): boolean =>
  stream === "lifecycle" && (data.phase === "end" || data.phase === "error");

/** Ids of all tool calls that the transcript has. */
export function callIdsOf(messages: WireMessage[]): Set<string> {
  return new Set(
    messages.flatMap((message) =>
      Array.isArray(message.content)
        ? message.content.flatMap((item) =>
            /call|use/i.test(item.type) && item.id ? [item.id] : [],
          )
        : [],
    ),
  );
}

/** Live tools by call id: the transcript has the call, the run has what it is doing. */
export const liveTools = (runs: LiveRun[]): Map<string, LiveTool> =>
  new Map(
    runs.flatMap((run) =>
      run.parts.flatMap((part) => (part.kind === "tool" ? [[part.id, part] as const] : [])),
    ),
  );

/** Rows of a live run that the transcript does not have. */
export function liveRows(run: LiveRun, inHistory: (toolId: string) => boolean): Row[] {
  return run.parts.flatMap((part, index): Row[] => {
    const key = `${run.runId}.${index}`;
    if (part.kind === "tool") {
      if (inHistory(part.id)) return [];
      // What it has said so far comes with `liveTools`.
      return [
        { kind: "tool", key: `tool:${part.id}`, id: part.id, name: part.name, args: part.args },
      ];
    }
    return part.text.trim() ? [{ kind: part.kind, key, text: part.text }] : [];
  });
}
