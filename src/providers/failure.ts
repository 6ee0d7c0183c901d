/** Failures of endpoints as the program's own errors. Status codes decide; texts only where a vendor gives nothing better. */
import { AppError, errnoOf, type ErrorCode } from "../base/errors.ts";
import type { Endpoint } from "./provider.ts";

type Where = Pick<Endpoint, "id" | "baseUrl" | "apiKey">;

/** Longest vendor text that is shown to a user. */
const TEXT_LIMIT = 400;
/** A longer Retry-After than this is not believed. */
const RETRY_AFTER_LIMIT_MS = 24 * 3_600_000;

const SAID: Partial<Record<ErrorCode, (id: string) => string>> = {
  provider_auth: (id) => `${id} refused the key`,
  provider_billing: (id) => `${id} says that the account has no credit left`,
  provider_rate_limit: (id) => `${id} limits the rate`,
  provider_overloaded: (id) => `${id} is overloaded`,
  provider_context: () => "The conversation is too long for this model",
  provider_timeout: (id) => `${id} failed to answer`,
  provider_rejected: (id) => `${id} rejected the request`,
};

export type Refusal = {
  code: ErrorCode;
  /** HTTP status; absent for an error inside a stream. */
  status?: number;
  /** The vendor's own words; may be a whole HTML page. */
  text: string;
  headers?: Headers | undefined;
  /** The request field that the vendor names as the culprit. */
  param?: string;
  cause?: unknown;
};

/** The one place where a vendor's refusal becomes a message for the user. The key never appears in it. */
export function refusal(where: Where, r: Refusal): AppError {
  const what = SAID[r.code]?.(where.id) ?? `${where.id} failed`;
  const text = plainText(r.text, where.apiKey);
  const status = r.status === undefined ? "" : ` (${r.status})`;
  const wait = retryAfterMs(r.headers);
  return new AppError(r.code, text ? `${what}${status}: ${text}` : `${what}${status}.`, {
    details: { provider: where.id, status: r.status, param: r.param },
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
    cause: r.cause,
  });
}

/** What a status alone says. Undefined for a 4xx whose meaning is in its body. */
export function codeOfStatus(status: number): ErrorCode | undefined {
  if (status === 401 || status === 403) return "provider_auth";
  if (status === 402) return "provider_billing";
  if (status === 429) return "provider_rate_limit";
  if (status === 503 || status === 529) return "provider_overloaded";
  if (status === 413) return "provider_context";
  if (status === 408 || status === 425 || status >= 500) return "provider_timeout";
  return undefined;
}

/** `retry-after-ms`, else `Retry-After` in seconds or as a date, in ms from `now`. */
export function retryAfterMs(headers: Headers | undefined, now = Date.now()): number | undefined {
  const bounded = (ms: number) =>
    Number.isFinite(ms) ? Math.min(Math.max(0, Math.round(ms)), RETRY_AFTER_LIMIT_MS) : undefined;
  const exact = headers?.get("retry-after-ms");
  if (exact && /^\s*\d+(\.\d+)?\s*$/.test(exact)) return bounded(Number(exact));
  const text = headers?.get("retry-after");
  if (!text) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(text)) return bounded(Number(text) * 1000);
  // A date begins with the name of its day; the parser would also take `-5` for a year.
  return /^\s*[A-Za-z]{3}/.test(text) ? bounded(Date.parse(text) - now) : undefined;
}

/** One line without tags, of bounded length, with the key masked. */
function plainText(text: string, apiKey: string | undefined): string {
  const html = /<\s*(!doctype|html|head|body)\b/i.test(text);
  const title = html ? /<title[^>]*>([^<]*)/i.exec(text)?.[1]?.trim() : undefined;
  const line = html
    ? `it sent a web page instead of an answer${title ? ` ("${title}")` : ""}`
    : text.replace(/\s+/g, " ").trim();
  const masked = apiKey && apiKey.length >= 6 ? line.replaceAll(apiKey, "***") : line;
  return masked.length > TEXT_LIMIT ? `${masked.slice(0, TEXT_LIMIT)}…` : masked;
}

const NETWORK: Record<string, (host: string) => string> = {
  ENOTFOUND: (host) => `The address ${host} cannot be found.`,
  EAI_AGAIN: (host) => `The address ${host} cannot be looked up right now.`,
  ECONNREFUSED: (host) => `Nothing answers at ${host}.`,
  ConnectionRefused: (host) => `Nothing answers at ${host}.`,
  EHOSTUNREACH: (host) => `${host} cannot be reached.`,
  ENETUNREACH: () => "There is no network.",
};

/** A request that got no answer at all. Always `provider_timeout`, except for a certificate that will not get better by waiting. */
export function networkFailure(where: Where, cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  const code = errnoOf(cause) ?? "";
  const host = URL.canParse(where.baseUrl) ? new URL(where.baseUrl).host : where.baseUrl;
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code))
    return new AppError("provider_rejected", `The certificate of ${host} is not trusted.`, {
      hint: "Check models.providers.<id>.baseUrl, or install the certificate of your own authority.",
      cause,
    });
  const text = NETWORK[code]?.(host) ?? `The connection to ${host} failed${code && ` (${code})`}.`;
  return new AppError("provider_timeout", text, { details: { provider: where.id }, cause });
}

/** The first AppError in a chain of causes: client libraries wrap what the transport threw. */
export function innerAppError(cause: unknown): AppError | undefined {
  for (let at = cause, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++)
    if (at instanceof AppError) return at;
  return undefined;
}

/** The end of a stream that was stopped by the user's signal. */
export const stopped = (): AppError => new AppError("aborted", "The answer was stopped.");
