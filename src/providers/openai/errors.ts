/** Failures of the OpenAI wire and its many speakers as the program's codes. */
import OpenAI from "openai";

import { AppError, type ErrorCode, toAppError } from "../../base/errors.ts";
import {
  ABOUT_IMAGE,
  codeOfStatus,
  innerAppError,
  networkFailure,
  refusal,
  UNREADABLE_HINT,
} from "../failure.ts";
import type { Endpoint } from "../provider.ts";

/** `error.code` and `error.type`: names are firmer than texts, and a 429 may be an empty account. */
const NAMES: Record<string, ErrorCode> = {
  context_length_exceeded: "provider_context",
  string_above_max_length: "provider_context",
  insufficient_quota: "provider_billing",
  billing_not_active: "provider_billing",
  billing_hard_limit_reached: "provider_billing",
  invalid_api_key: "provider_auth",
  authentication_error: "provider_auth",
  permission_denied: "provider_auth",
  rate_limit_exceeded: "provider_rate_limit",
  rate_limit_error: "provider_rate_limit",
  RESOURCE_EXHAUSTED: "provider_rate_limit",
  UNAVAILABLE: "provider_overloaded",
  overloaded_error: "provider_overloaded",
  slow_down: "provider_overloaded",
  server_error: "provider_timeout",
  internal_server_error: "provider_timeout",
};

/** Compatible servers name no code for these two. */
const TOO_LONG =
  /maximum context length|context (length|window|size)|prompt is too long|input (token count|is too long)|too many tokens|exceeds? the (available )?context/i;
const BAD_KEY = /api key not valid|invalid api key|incorrect api key/i;

export type OpenAIErrorBody = {
  message?: unknown;
  type?: unknown;
  code?: unknown;
  param?: unknown;
  status?: unknown;
};

/** Decides by the body's code names, then by status, and by words only within a 400. */
export function classify(
  status: number | undefined,
  body: OpenAIErrorBody,
  text: string,
): ErrorCode {
  // OpenRouter and Google put the HTTP status of the vendor behind them into `code`.
  const real = typeof body.code === "number" && body.code >= 400 ? body.code : status;
  for (const name of [body.code, body.type, body.status])
    if (typeof name === "string" && NAMES[name]) return NAMES[name];
  const code = real === undefined ? undefined : codeOfStatus(real);
  if (code) return code;
  if (TOO_LONG.test(text)) return "provider_context";
  return BAD_KEY.test(text) ? "provider_auth" : "provider_rejected";
}

/** `body` is what stands under `error`; Google wraps the whole answer in an array. */
export function bodyFailure(
  endpoint: Endpoint,
  raw: unknown,
  at: { status?: number; headers?: Headers; cause?: unknown } = {},
): AppError {
  const outer = Array.isArray(raw) ? raw[0] : raw;
  const inner =
    typeof outer === "object" && outer !== null && "error" in outer ? outer.error : outer;
  const body: OpenAIErrorBody = typeof inner === "object" && inner !== null ? inner : {};
  const text =
    typeof body.message === "string"
      ? body.message
      : typeof inner === "string"
        ? inner
        : inner === undefined || inner === null
          ? ""
          : JSON.stringify(inner);
  return refusal(endpoint, {
    code: classify(at.status, body, text),
    ...at,
    text,
    image: ABOUT_IMAGE.test(`${String(body.code ?? "")} ${text}`),
    ...(typeof body.param === "string" ? { param: body.param } : {}),
  });
}

export function toFailure(endpoint: Endpoint, cause: unknown): AppError {
  const inner = innerAppError(cause);
  if (inner) return inner;
  if (cause instanceof OpenAI.APIConnectionError)
    return networkFailure(endpoint, cause.cause ?? cause);
  if (cause instanceof OpenAI.APIError)
    return bodyFailure(endpoint, cause.error ?? cause.message, {
      ...(cause.status === undefined ? {} : { status: cause.status }),
      ...(cause.headers ? { headers: cause.headers } : {}),
      cause,
    });
  // A TypeError comes from an event without the fields that such an event has.
  if (cause instanceof SyntaxError || cause instanceof TypeError)
    return refusal(endpoint, {
      code: "provider_timeout",
      text: `its answer cannot be read (${cause.message})`,
      hint: UNREADABLE_HINT,
      cause,
    });
  return toAppError(cause);
}
