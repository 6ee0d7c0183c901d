/**
 * Every failure a user can see has a code in this table; nothing else may invent one.
 * `wire` is the original's error code on the WebSocket (clients match on it), `exit` the process exit code of the CLI,
 * `hint` what to do next when the place that throws has nothing better to say.
 */
export const ERRORS = {
  config_invalid: {
    wire: "INVALID_REQUEST",
    exit: 78,
    hint: "Correct it in the file, then look again with `clawdbot config validate`.",
  },
  config_conflict: {
    wire: "INVALID_REQUEST",
    exit: 1,
    hint: "Read the config again and repeat the change.",
  },
  bad_request: { wire: "INVALID_REQUEST", exit: 1, hint: undefined },
  usage: { wire: "INVALID_REQUEST", exit: 1, hint: undefined },
  not_found: { wire: "INVALID_REQUEST", exit: 1, hint: undefined },
  unauthorized: {
    wire: "INVALID_REQUEST",
    exit: 1,
    hint: "Give the gateway token with --token, or sign in again in the browser.",
  },
  forbidden: { wire: "INVALID_REQUEST", exit: 1, hint: undefined },
  not_linked: { wire: "NOT_LINKED", exit: 1, hint: undefined },
  not_paired: {
    wire: "NOT_PAIRED",
    exit: 1,
    hint: "Approve the device from a session that is signed in.",
  },
  rate_limited: { wire: "UNAVAILABLE", exit: 1, hint: "Wait a moment, then try again." },
  busy: { wire: "UNAVAILABLE", exit: 1, hint: "Try again in a moment." },
  gateway_unreachable: {
    wire: "UNAVAILABLE",
    exit: 1,
    hint: "Start it with `clawdbot gateway`.",
  },
  gateway_running: {
    wire: "UNAVAILABLE",
    exit: 78,
    hint: "Stop the running gateway first, or use another --profile.",
  },
  port_taken: {
    wire: "UNAVAILABLE",
    exit: 1,
    hint: "Choose another port, as in `clawdbot gateway --port 18790`, or end that program with `clawdbot gateway --force`.",
  },
  start_refused: { wire: "INVALID_REQUEST", exit: 1, hint: undefined },
  store_failed: {
    wire: "UNAVAILABLE",
    exit: 74,
    hint: "Check the disk and the permissions of the state directory.",
  },
  store_newer: {
    wire: "UNAVAILABLE",
    exit: 78,
    hint: "Use that version again, or put back a copy from the `backups` folder beside the database.",
  },
  disk_full: {
    wire: "UNAVAILABLE",
    exit: 74,
    hint: "Free some disk space; nothing that was accepted is lost.",
  },
  service_failed: { wire: "UNAVAILABLE", exit: 1, hint: undefined },
  update_failed: { wire: "UNAVAILABLE", exit: 1, hint: undefined },
  update_refused: { wire: "UNAVAILABLE", exit: 1, hint: undefined },
  backup_invalid: {
    wire: "INVALID_REQUEST",
    exit: 1,
    hint: "Take another backup; this one was damaged, cut off or changed.",
  },
  tool_failed: { wire: "UNAVAILABLE", exit: 1, hint: undefined },
  agent_timeout: { wire: "AGENT_TIMEOUT", exit: 1, hint: undefined },
  agent_stuck: {
    wire: "UNAVAILABLE",
    exit: 1,
    hint: "Say `continue` to let it go on, or tell it what to do differently.",
  },
  workspace_failed: {
    wire: "UNAVAILABLE",
    exit: 74,
    hint: "Check `agents.defaults.workspace` and the permissions of that folder.",
  },
  aborted: { wire: "UNAVAILABLE", exit: 130, hint: undefined },
  provider_auth: {
    wire: "UNAVAILABLE",
    exit: 1,
    hint: "The provider refused the key. Check the API key of this provider.",
  },
  provider_billing: {
    wire: "UNAVAILABLE",
    exit: 1,
    hint: "The provider says that the account has no credit. Top it up or add a fallback model.",
  },
  provider_rate_limit: {
    wire: "UNAVAILABLE",
    exit: 1,
    hint: "The provider limits the rate. Wait, or add a fallback model.",
  },
  provider_overloaded: {
    wire: "UNAVAILABLE",
    exit: 1,
    hint: "The provider is overloaded. Try again in a moment, or add a fallback model.",
  },
  provider_context: {
    wire: "UNAVAILABLE",
    exit: 1,
    hint: "The conversation is too long for this model. Start a new one with /new.",
  },
  provider_timeout: {
    wire: "UNAVAILABLE",
    exit: 1,
    hint: "The provider did not answer. Check the network and the base URL.",
  },
  provider_rejected: {
    wire: "UNAVAILABLE",
    exit: 1,
    hint: "The provider rejected the request; its message says why.",
  },
  channel_rejected: { wire: "UNAVAILABLE", exit: 1, hint: undefined },
  channel_unreachable: { wire: "UNAVAILABLE", exit: 1, hint: undefined },
  channel_misconfigured: {
    wire: "INVALID_REQUEST",
    exit: 1,
    hint: "`clawdbot channels status` shows what is wrong.",
  },
  media_too_large: { wire: "INVALID_REQUEST", exit: 1, hint: undefined },
  internal: {
    wire: "UNAVAILABLE",
    exit: 70,
    hint: "This is a bug. Please report it together with the output of `clawdbot logs`.",
  },
} as const satisfies Record<string, { wire: string; exit: number; hint: string | undefined }>;

export type ErrorCode = keyof typeof ERRORS;

export type ErrorOptions = {
  hint?: string;
  details?: unknown;
  /** How long to wait before the same request may succeed, in ms. */
  retryAfterMs?: number;
  cause?: unknown;
};

/** The only error class of the program: what happened, in the user's words, and (in `hint`) what to do next. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly hint: string | undefined;
  readonly details: unknown;
  readonly retryAfterMs: number | undefined;
  constructor(
    readonly code: ErrorCode,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, { cause: options.cause });
    this.hint = options.hint ?? ERRORS[code].hint;
    this.details = options.details;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The only conversion from `unknown`; used at the outer edges (main, dispatch, supervisor, runTool), never in the middle. */
export function toAppError(cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  const code = errnoOf(cause);
  if (code === "ENOSPC" || code === "EDQUOT" || code === "SQLITE_FULL")
    return new AppError("disk_full", "The disk is full.", { cause });
  return new AppError("internal", cause instanceof Error ? cause.message : String(cause), {
    cause,
  });
}

/** The `code` of a system or SQLite error (`ENOENT`, `SQLITE_FULL`), or undefined. */
export function errnoOf(cause: unknown): string | undefined {
  if (typeof cause !== "object" || cause === null || !("code" in cause)) return undefined;
  return typeof cause.code === "string" ? cause.code : undefined;
}

/** For what cannot happen. A failed invariant is a bug, so it carries no hint but the report. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AppError("internal", `Invariant broken: ${message}`);
}
