/** What is going on right now, per session: the running turn and the messages that wait. In memory; the store has the durable side. */
import type { Address, Message, ModelChoice, SessionKey, ToolCall, TurnEvent } from "../flow.ts";
import type { Store, TurnRow } from "../store/store.ts";

/** One run in progress. Its streamed text is kept for a page that reloads in the middle. */
export type ActiveRun = {
  turn: TurnRow;
  sessionId: string;
  controller: AbortController;
  startedAt: number;
  seq: number;
  text: string;
  thinking: string;
  tools: Map<string, { call: ToolCall; output?: string }>;
  /** Text of the last finished answer, and who gave it. */
  answer?: string;
  choice?: ModelChoice;
  /** All accepted messages that this run answers, its own first. */
  answers: string[];
};

type Session = { running?: ActiveRun; waiting: TurnRow[] };

/** The text of a message, without thinking and calls. */
export const textOf = (message: Message): string =>
  message.blocks.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("");

/** Keeps the live view of a run up to date; what a `message` event covers is in the transcript from then on. */
export function observe(run: ActiveRun, event: TurnEvent): void {
  if (event.type === "text") run.text += event.delta;
  else if (event.type === "thinking") run.thinking += event.delta;
  else if (event.type === "restart" || event.type === "message") {
    run.text = "";
    run.thinking = "";
    if (event.type === "message" && event.message.role === "tool") run.tools.clear();
    if (event.type === "message" && event.message.role === "assistant")
      Object.assign(run, { answer: textOf(event.message), choice: event.choice ?? run.choice });
  } else if (event.type === "tool_start") run.tools.set(event.call.id, { call: event.call });
  else if (event.type === "tool_update")
    run.tools.set(event.call.id, { call: event.call, output: event.text });
  else if (event.type === "tool_end")
    run.tools.set(event.call.id, { call: event.call, output: event.result.text });
}

export class Desk {
  /** Runs since the start. */
  begun = 0;
  private readonly sessions = new Map<SessionKey, Session>();

  running(key: SessionKey): ActiveRun | undefined {
    return this.sessions.get(key)?.running;
  }

  waiting(key: SessionKey): readonly TurnRow[] {
    return this.sessions.get(key)?.waiting ?? [];
  }

  /** All runs in progress, for draining. */
  allRunning(): ActiveRun[] {
    return [...this.sessions.values()].flatMap((s) => (s.running ? [s.running] : []));
  }

  enqueue(turn: TurnRow): void {
    this.session(turn.sessionKey).waiting.push(turn);
  }

  /** Removes and gives the first `count` waiting turns. */
  take(key: SessionKey, count: number): TurnRow[] {
    const taken = this.sessions.get(key)?.waiting.splice(0, count) ?? [];
    this.tidy(key);
    return taken;
  }

  /** Removes one waiting turn; false when it does not wait. */
  withdraw(key: SessionKey, runId: string): boolean {
    const waiting = this.sessions.get(key)?.waiting;
    const at = waiting?.findIndex((turn) => turn.id === runId) ?? -1;
    if (!waiting || at === -1) return false;
    waiting.splice(at, 1);
    this.tidy(key);
    return true;
  }

  /** Another text for a message that waits; false when it does not. */
  amend(key: SessionKey, runId: string, text: string): boolean {
    const turn = this.sessions.get(key)?.waiting.find(({ id }) => id === runId);
    if (turn) turn.inbound = { ...turn.inbound, text };
    return turn !== undefined;
  }

  /** A run that begins now; `answers` are the ids of all turns that it answers. */
  begin(turn: TurnRow, sessionId: string, answers: string[], at: number): ActiveRun {
    const run: ActiveRun = {
      turn,
      sessionId,
      controller: new AbortController(),
      startedAt: at,
      seq: 0,
      text: "",
      thinking: "",
      tools: new Map(),
      answers,
    };
    this.session(turn.sessionKey).running = run;
    this.begun++;
    return run;
  }

  end(run: ActiveRun): void {
    const session = this.sessions.get(run.turn.sessionKey);
    if (session?.running === run) delete session.running;
    this.tidy(run.turn.sessionKey);
  }

  private session(key: SessionKey): Session {
    let session = this.sessions.get(key);
    if (!session) this.sessions.set(key, (session = { waiting: [] }));
    return session;
  }

  private tidy(key: SessionKey): void {
    const session = this.sessions.get(key);
    if (session && !session.running && !session.waiting.length) this.sessions.delete(key);
  }
}

/**
 * Stops the session's running turn and those that wait behind it, or only `runId`; with `waitingOnly` not a running one. Gives the
 * ids of what was stopped.
 */
export async function stopTurns(
  desk: Desk,
  store: Store,
  at: number,
  key: SessionKey,
  runId?: string,
  waitingOnly = false,
): Promise<string[]> {
  const stopped: string[] = [];
  for (const turn of [...desk.waiting(key)]) {
    if ((runId && turn.id !== runId) || !desk.withdraw(key, turn.id)) continue;
    const end = { state: "aborted" as const, at, entries: [], outbox: [] };
    if (await store.turns.finish(turn.id, end)) stopped.push(turn.id);
  }
  const run = desk.running(key);
  if (run && !waitingOnly && (!runId || run.turn.id === runId)) {
    run.controller.abort();
    stopped.push(run.turn.id);
  }
  return stopped;
}

/**
 * What a changed or withdrawn message means for the turn that would answer it. Gives false when it comes too late: the turn has
 * begun, or there is none.
 */
export async function changeWaiting(
  desk: Desk,
  store: Store,
  at: number,
  from: Pick<Address, "channel" | "account">,
  change: { of: string; text?: string },
): Promise<boolean> {
  const known = await store.inbound.find(from, change.of);
  if (!known) return false;
  const { turn } = known;
  // What was said in a group and waits as context: without text it is none any more.
  if (!turn) return (await store.inbound.amend(from, change.of, change.text ?? ""))?.late === false;
  if (change.text === undefined)
    return (await stopTurns(desk, store, at, turn.sessionKey, turn.id, true)).length > 0;
  const amended = await store.inbound.amend(from, change.of, change.text);
  if (!amended || amended.late) return false;
  desk.amend(turn.sessionKey, turn.id, change.text);
  return true;
}
