/** Failures of the Messages API as the program's codes. */
import Anthropic from "@anthropic-ai/sdk";

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

/** `error.type` of the body; it is all there is when the error comes inside a stream. */
const TYPES: Record<string, ErrorCode> = {
  invalid_request_error: "provider_rejected",
  not_found_error: "provider_rejected",
  authentication_error: "provider_auth",
  permission_error: "provider_auth",
  billing_error: "provider_billing",
  rate_limit_error: "provider_rate_limit",
  overloaded_error: "provider_overloaded",
  timeout_error: "provider_timeout",
  api_error: "provider_timeout",
  request_too_large: "provider_context",
};

/** The platform answers these two as an ordinary 400, so that only its words tell them apart. */
const TOO_LONG =
  /prompt is too long|exceeds? (the )?(maximum |model )?context|context (window|limit)|too many (total )?tokens/i;
const NO_CREDIT = /credit balance is too low|spend(ing)? limit|plans & billing/i;

export type AnthropicError = { error?: { type?: string; message?: string } };

/** Decides by status, then by the type in the body, and by words only within `invalid_request_error`. */
export function classify(
  status: number | undefined,
  type: string | undefined,
  text: string,
): ErrorCode {
  if (status !== undefined && status !== 400) {
    const code = codeOfStatus(status);
    if (code) return code;
  }
  const code = TYPES[type ?? ""] ?? "provider_rejected";
  if (code !== "provider_rejected") return code;
  if (TOO_LONG.test(text)) return "provider_context";
  return NO_CREDIT.test(text) ? "provider_billing" : "provider_rejected";
}

/** Which part of a request a 400 is about, as far as index.ts can do without that part. */
export function culprit(
  error: AppError,
): "thinking_history" | "thinking" | "temperature" | undefined {
  if (error.code !== "provider_rejected") return undefined;
  if (
    /signature|bound to a different conversation|thinking.{0,40}cannot be modified/i.test(
      error.message,
    )
  )
    return "thinking_history";
  if (/expected `?(redacted_)?thinking`?/i.test(error.message)) return "thinking";
  if (/\bthinking\b|output_config|effort|budget_tokens/i.test(error.message)) return "thinking";
  return /\btemperature\b/i.test(error.message) ? "temperature" : undefined;
}

export function toFailure(endpoint: Endpoint, cause: unknown): AppError {
  const inner = innerAppError(cause);
  if (inner) return inner;
  if (cause instanceof Anthropic.APIConnectionError)
    return networkFailure(endpoint, cause.cause ?? cause);
  if (cause instanceof Anthropic.APIError) {
    const body = cause.error as AnthropicError | undefined;
    const type = body?.error?.type ?? cause.type ?? undefined;
    const text =
      body?.error?.message ?? (cause.error ? JSON.stringify(cause.error) : cause.message);
    const code = classify(cause.status, type, text);
    return refusal(endpoint, {
      code,
      status: cause.status,
      text,
      headers: cause.headers,
      image: ABOUT_IMAGE.test(text),
      cause,
    });
  }
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
