/**
 * From a request to an answer although keys, models and vendors fail: the next key, the next model, a pause, or one error that
 * names them all. The table below is the whole policy.
 */
import { AppError, type ErrorCode } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../base/time.ts";
import type { ModelChoice, ModelEvent, ModelRequest } from "../flow.ts";
import type { Candidate } from "./access.ts";
import type { Catalog } from "./catalog.ts";
import type { Cooldowns, Pause, Target } from "./cooldown.ts";
import type { Key } from "./credentials.ts";
import { CUT_HINT, sentence, stopped } from "./failure.ts";

type Rule = {
  /** Other keys of the same provider may do better. */
  nextKey: boolean;
  /** Another model may do better. */
  nextModel: boolean;
  /** Pauses before the same is tried again, in ms; ±25 %. */
  retries: number[];
};

const BACKOFF = [2000, 4000, 8000];
const RULES: Partial<Record<ErrorCode, Rule>> = {
  provider_auth: { nextKey: true, nextModel: true, retries: [] },
  provider_billing: { nextKey: true, nextModel: true, retries: [] },
  // With a Retry-After of a minute at most it is waited for, once; see `wait`.
  provider_rate_limit: { nextKey: true, nextModel: true, retries: [] },
  provider_overloaded: { nextKey: false, nextModel: true, retries: BACKOFF },
  provider_timeout: { nextKey: false, nextModel: true, retries: BACKOFF.slice(0, 1) },
  provider_rejected: { nextKey: false, nextModel: true, retries: [] },
  // Not here, so final: provider_context (the agent shortens the conversation), aborted, internal.
};
/** A longer Retry-After is not waited for. */
const MAX_WAIT_MS = 60_000;
const JITTER = 0.25;

export type FailoverEvent =
  | ModelEvent
  /** The model that is about to answer; with `note` when it stands in for another one or is waited for. */
  | { type: "model"; choice: ModelChoice; note?: string }
  /** What was streamed so far is void: another attempt begins. */
  | { type: "restart" };

export type FailoverDeps = {
  catalog: Catalog;
  cooldowns: Cooldowns;
  clock: Clock;
  log: Logger;
  /** 0 to 1, for the jitter. */
  random?: () => number;
};

export type Ask = {
  agentId: string;
  /** The session's own choice of model; strict: nothing stands in for it. */
  override?: string;
  /** The model is filled in here, and what `agents.defaults.models.<ref>.params` says where the request says nothing. */
  request: Omit<ModelRequest, "model">;
};

type Failure = { ref: string; why: string; error?: AppError };

/**
 * Ends with exactly one `end` or `error`, as a provider does. Never throws. Text that was already streamed is voided by `restart`
 * before another attempt; nothing of a failed answer was carried out, because tools run only after `end`.
 */
export async function* streamWithFailover(
  deps: FailoverDeps,
  ask: Ask,
  signal: AbortSignal,
): AsyncGenerator<FailoverEvent> {
  const { candidates, skipped } = await deps.catalog.candidates(ask.agentId, ask.override);
  const failures: Failure[] = skipped.map((s) => ({ ...s }));
  for (const s of skipped)
    deps.log.warn("model skipped", {
      ref: s.ref,
      reason: s.why,
      sessionId: ask.request.sessionId,
    });
  const state = { streamed: false };
  for (const candidate of orderByPause(candidates, deps.cooldowns, failures)) {
    const result = yield* tryCandidate(deps, ask, candidate, failures, state, signal);
    if (result === "done") return;
  }
  yield { type: "error", error: summary(failures) };
}

/** Candidates and keys that are not paused. When all are, the one whose pause ends first is tried all the same. */
function orderByPause(
  candidates: Candidate[],
  cooldowns: Cooldowns,
  failures: Failure[],
): Candidate[] {
  const open: Candidate[] = [];
  const paused: { candidate: Candidate; pause: Pause }[] = [];
  for (const candidate of candidates) {
    const held = candidate.keys.map((key) => ({
      key,
      pause: cooldowns.pause(targetOf(candidate, key)),
    }));
    const keys = held.flatMap(({ key, pause }) => (pause ? [] : [key]));
    if (keys.length) {
      open.push({ ...candidate, keys });
      continue;
    }
    const [soonest] = held.sort((a, b) => a.pause!.until - b.pause!.until);
    if (soonest?.pause)
      paused.push({ candidate: { ...candidate, keys: [soonest.key] }, pause: soonest.pause });
  }
  paused.sort((a, b) => a.pause.until - b.pause.until);
  if (!open.length) open.push(...paused.splice(0, 1).map((p) => p.candidate));
  for (const { candidate, pause } of paused)
    failures.push({
      ref: candidate.choice.ref,
      why: `paused after ${PAUSED[pause.code] ?? "a failure"}`,
    });
  return open;
}

const PAUSED: Partial<Record<ErrorCode, string>> = {
  provider_auth: "its key was refused",
  provider_billing: "its account had no credit",
  provider_rate_limit: "it limited the rate",
  provider_overloaded: "it was overloaded",
  provider_timeout: "it did not answer",
};

const targetOf = ({ choice }: Candidate, key: Key): Target => ({
  provider: choice.provider,
  keyId: key.id,
  model: choice.model,
});

/** All keys of one candidate. "done": answered, or failed in a way that no other candidate can mend. */
async function* tryCandidate(
  deps: FailoverDeps,
  ask: Ask,
  candidate: Candidate,
  failures: Failure[],
  state: { streamed: boolean },
  signal: AbortSignal,
): AsyncGenerator<FailoverEvent, "done" | "next"> {
  const { catalog, cooldowns, log } = deps;
  const { choice } = candidate;
  const note = standIn(failures, choice.ref);
  yield { type: "model", choice, ...(note ? { note } : {}) };
  const params = catalog.params(ask.agentId, choice.ref);
  const request: ModelRequest = { ...params, ...defined(ask.request), model: choice.model };
  let waited = false;
  for (const [index, key] of candidate.keys.entries()) {
    for (let attempt = 0; ; attempt++) {
      if (state.streamed) yield { type: "restart" };
      state.streamed = false;
      const error = yield* once(deps, candidate, key, request, state, signal);
      if (!error) {
        cooldowns.succeed(targetOf(candidate, key));
        return "done";
      }
      const rule = RULES[error.code];
      if (!rule || signal.aborted) {
        yield { type: "error", error: signal.aborted ? stopped() : error };
        return "done";
      }
      const anotherKey = rule.nextKey && index + 1 < candidate.keys.length;
      const ms = anotherKey
        ? undefined
        : waitMs(error, rule, attempt, waited, deps.random ?? Math.random);
      log.warn("model failed", {
        ref: choice.ref,
        key: key.id,
        code: error.code,
        reason: error.message,
        attempt,
        waitMs: ms,
        sessionId: ask.request.sessionId,
      });
      if (ms === undefined) {
        cooldowns.fail(targetOf(candidate, key), error.code, error.retryAfterMs);
        failures.push({ ref: choice.ref, why: error.message, error });
        if (!anotherKey) return "next";
        break;
      }
      waited ||= error.code === "provider_rate_limit";
      yield {
        type: "model",
        choice,
        note: `${sentence(error.message)} Trying again in ${Math.ceil(ms / 1000)} s.`,
      };
      if (!(await slept(deps.clock, ms, signal))) {
        yield { type: "error", error: stopped() };
        return "done";
      }
    }
  }
  return "next";
}

/** One attempt. Passes on what is streamed; gives the error instead of passing it on. */
async function* once(
  { catalog, log }: FailoverDeps,
  { choice }: Candidate,
  key: Key,
  request: ModelRequest,
  state: { streamed: boolean },
  signal: AbortSignal,
): AsyncGenerator<FailoverEvent, AppError | undefined> {
  const provider = await catalog.provider(choice.ref, key);
  for await (const event of provider.stream(request, signal)) {
    if (event.type === "error") return event.error;
    yield event;
    if (event.type === "end") return undefined;
    state.streamed = true;
  }
  log.error("a provider ended without a terminal event", { ref: choice.ref });
  return new AppError("provider_timeout", `${choice.provider} ended without an answer.`, {
    hint: CUT_HINT,
  });
}

/** How long to wait before the same key and model are tried again, or undefined to go on to the next. */
function waitMs(
  error: AppError,
  rule: Rule,
  attempt: number,
  waited: boolean,
  random: () => number,
): number | undefined {
  const after = error.retryAfterMs;
  if (error.code === "provider_rate_limit")
    return after !== undefined && after <= MAX_WAIT_MS && !waited ? after : undefined;
  // Whoever was silent for a minute would be so again.
  if (detailsOf(error).silent) return undefined;
  const base = rule.retries[attempt];
  if (base === undefined || (after !== undefined && after > MAX_WAIT_MS)) return undefined;
  return Math.max(after ?? 0, Math.round(base * (1 - JITTER + 2 * JITTER * random())));
}

/** False when it was the signal that ended the wait. */
async function slept(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(ms, signal);
    return true;
  } catch (cause) {
    // Expected: the only way out of a sleep is the signal.
    if (signal.aborted) return false;
    throw cause;
  }
}

/** A request's own undefined fields must not hide the configured parameters. */
const defined = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;

/** What watchers are told when a model stands in: never silently (decision: the user sees which model answers and why). */
function standIn(failures: Failure[], ref: string): string | undefined {
  const first = failures.find((f) => f.ref !== ref);
  return first && `${ref} answers instead of ${first.ref}: ${first.why.replace(/\.$/, "")}.`;
}

const detailsOf = (error: AppError) =>
  (error.details ?? {}) as { silent?: boolean; image?: boolean; status?: number };

/** One error for all: a single failure speaks for itself, several are listed. The hint is that of the first one that was asked. */
function summary(failures: Failure[]): AppError {
  const errors = failures.flatMap((f) => (f.error ? [f.error] : []));
  const [first] = errors;
  const refs = new Set(failures.map((f) => f.ref));
  if (first && refs.size === 1) return errors.at(-1)!;
  const waits = errors.flatMap((e) => (e.retryAfterMs === undefined ? [] : [e.retryAfterMs]));
  const lines = failures.map((f) => `${f.ref}: ${f.why.replace(/\.$/, "")}`);
  return new AppError(
    first?.code ?? "provider_auth",
    `No model could answer. ${lines.join("; ")}.`,
    {
      hint: first?.hint ?? "Set the key of a provider, or choose another model with /model.",
      details: {
        // The agent asks again without pictures when one of them was the reason.
        ...(errors.some((e) => detailsOf(e).image) && { image: true }),
        ...(first && { status: detailsOf(first).status }),
        failures: failures.map(({ ref, why, error }) => ({ ref, why, code: error?.code })),
      },
      ...(waits.length ? { retryAfterMs: Math.min(...waits) } : {}),
      ...(first ? { cause: first } : {}),
    },
  );
}
