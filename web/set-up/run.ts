/** A set-up through the gateway, step by step. It goes on where it was when the page is loaded again or the connection comes back. */
import { signal } from "@preact/signals";

import { call, onHello, RpcError } from "../connection.ts";
import { loadModels, loadSessions } from "../state.ts";
import { setUpWords as words } from "../strings/set-up.ts";
import type { WizardAnswer, WizardStep } from "../wire.ts";

export type View =
  | { kind: "waiting"; text: string }
  | { kind: "step"; step: WizardStep; problem?: string | undefined; busy: boolean }
  | { kind: "over"; how: "done" | "cancelled" | "failed"; text: string };

/** What the dialog shows. */
export const view = signal<View>({ kind: "waiting", text: words.preparing });

/** A progress is held open by the gateway for up to 25 s. */
const TIMEOUT_MS = 60_000;

const now: { sessionId?: string; turn: number; watching: boolean } = { turn: 0, watching: false };

/** Begins a set-up, or goes on with the one that goes on already. */
export async function begin(): Promise<void> {
  watch();
  view.value = { kind: "waiting", text: words.preparing };
  await told(async () => {
    try {
      const answer = await call("wizard.start", {}, { timeoutMs: TIMEOUT_MS });
      now.sessionId = answer.sessionId;
      return answer;
    } catch (cause) {
      const running = cause instanceof RpcError && runningIn(cause);
      if (!running) throw cause;
      now.sessionId = running;
      return call("wizard.next", { sessionId: running }, { timeoutMs: TIMEOUT_MS });
    }
  });
}

/** Answers the present step. A secret is sent and not kept. */
export async function answer(value?: unknown): Promise<void> {
  const { value: shown } = view;
  const { sessionId } = now;
  if (shown.kind !== "step" || shown.busy || !sessionId) return;
  const { step } = shown;
  view.value = { ...shown, busy: true, problem: undefined };
  await told(() =>
    call(
      "wizard.next",
      { sessionId, answer: { stepId: step.id, value } },
      { timeoutMs: TIMEOUT_MS },
    ),
  );
}

/** Ends it. What was written already stays. */
export async function cancel(): Promise<void> {
  const { sessionId } = now;
  now.turn++;
  view.value = { kind: "over", how: "cancelled", text: words.cancelled };
  if (sessionId) await call("wizard.cancel", { sessionId }).then(undefined, () => undefined);
}

function runningIn({ shape }: RpcError): string | undefined {
  const { sessionId } = (shape.details ?? {}) as { sessionId?: unknown };
  return typeof sessionId === "string" ? sessionId : undefined;
}

/** Shows what came back, and goes on as long as the gateway works by itself. */
async function told(ask: () => Promise<WizardAnswer>): Promise<void> {
  const turn = ++now.turn;
  try {
    for (let next = ask; ;) {
      const got = await next();
      if (turn !== now.turn) return;
      show(got);
      const { sessionId } = now;
      const { step } = got;
      if (step?.type !== "progress" || !sessionId) return;
      next = () =>
        call("wizard.next", { sessionId, answer: { stepId: step.id } }, { timeoutMs: TIMEOUT_MS });
    }
  } catch (cause) {
    if (!(cause instanceof RpcError)) throw cause;
    if (turn === now.turn) failed(cause);
  }
}

function show({ step, status, error, hint }: WizardAnswer): void {
  if (step) {
    view.value = { kind: "step", step, busy: false };
    return;
  }
  const how = status === "done" || status === "cancelled" ? status : "failed";
  const text = error
    ? [error, hint].filter(Boolean).join(" ")
    : words[how === "failed" ? "lost" : how];
  view.value = { kind: "over", how, text };
  void loadSessions();
  void loadModels();
}

/** A value that was not taken is said at the field; everything else ends it, unless the connection is only away. */
function failed(cause: RpcError): void {
  const { value: shown } = view;
  const { stepId } = (cause.shape.details ?? {}) as { stepId?: unknown };
  if (shown.kind === "step" && stepId === shown.step.id) {
    view.value = { ...shown, busy: false, problem: cause.message };
    return;
  }
  const away = cause.shape.code === "UNAVAILABLE" && cause.hint === undefined;
  if (away && now.sessionId) return;
  const text = [cause.message, cause.hint].filter(Boolean).join(" ");
  view.value = { kind: "over", how: "failed", text: away ? words.lost : text };
}

/** After a reconnect the present step is asked for; a gateway that was started anew does not know it any more. */
function watch(): void {
  if (now.watching) return;
  now.watching = true;
  onHello(() => {
    const { sessionId } = now;
    if (view.value.kind === "over" || !sessionId) return;
    void told(async () => {
      try {
        return await call("wizard.next", { sessionId }, { timeoutMs: TIMEOUT_MS });
      } catch (cause) {
        if (!(cause instanceof RpcError) || cause.shape.code !== "INVALID_REQUEST") throw cause;
        return { done: true, status: "error", error: words.lost };
      }
    });
  });
}
