/** Linking a phone: the steps of a sign-in as the dialog shows them. */
import { call, RpcError } from "../connection.ts";
import { channelWords as words } from "../strings/channels.ts";
import type { LoginAnswer } from "../wire.ts";

export type Stage =
  | { kind: "asking"; text: string }
  | { kind: "picture"; source: string }
  | { kind: "code"; code: string }
  | { kind: "linked" }
  | { kind: "failed"; text: string; hint?: string };

export type Place = { channel: string; accountId: string };

/** How long one wait is held open, in ms; a picture changes sooner. */
const WAIT_MS = 60_000;
/** A wait that ends sooner than this without a word of news did not wait: nothing goes on any more. In ms. */
const QUICK_MS = 1_000;
/** What the call itself may take beyond that, in ms. */
const SLACK_MS = 15_000;

/** What there is to show; undefined when the answer only says something. */
export function stageOf(answer: LoginAnswer): Stage | undefined {
  if (answer.connected) return { kind: "linked" };
  if (answer.over) return { kind: "failed", text: answer.message };
  if (answer.code) return { kind: "code", code: spaced(answer.code) };
  // Nothing but a picture that came with the answer is ever shown as one.
  if (answer.qrDataUrl?.startsWith("data:image/png;base64,"))
    return { kind: "picture", source: answer.qrDataUrl };
  return undefined;
}

/** Eight letters are read in two groups. */
const spaced = (code: string): string =>
  /^\w{8}$/.test(code) ? `${code.slice(0, 4)}-${code.slice(4)}` : code;

/** Signs in until it is over, and tells every step. Ends early, without a word, when `signal` does. */
export async function link(
  place: Place,
  wish: { phone?: string; force?: boolean },
  signal: AbortSignal,
  show: (stage: Stage) => void,
): Promise<void> {
  const tell = (stage: Stage) => {
    if (!signal.aborted) show(stage);
    return stage.kind === "linked" || stage.kind === "failed";
  };
  try {
    tell({ kind: "asking", text: wish.phone ? words.preparingCode : words.preparing });
    const begun = await call(
      "web.login.start",
      { ...place, ...wish, timeoutMs: WAIT_MS / 2 },
      { timeoutMs: WAIT_MS / 2 + SLACK_MS },
    );
    const first = stageOf(begun);
    if (tell(first ?? { kind: "asking", text: begun.message })) return;
    for (let said = ""; !signal.aborted;) {
      const asked = performance.now();
      const answer: LoginAnswer = await call(
        "web.login.wait",
        { ...place, next: true, timeoutMs: WAIT_MS },
        { timeoutMs: WAIT_MS + SLACK_MS },
      );
      const took = performance.now() - asked;
      const stage = stageOf(answer);
      if (stage && tell(stage)) return;
      if (stage || took >= WAIT_MS) continue;
      if (said === answer.message && took < QUICK_MS)
        return void tell({ kind: "failed", text: words.linkExpired });
      said = answer.message;
      tell({ kind: "asking", text: said });
    }
  } catch (cause) {
    if (!(cause instanceof RpcError)) throw cause;
    const lost = cause.shape.code === "UNAVAILABLE" && cause.hint === undefined;
    tell({ kind: "failed", text: lost ? words.linkLost : cause.message, hint: cause.hint });
  }
}
