/** Failures of endpoints as the program's own errors. Status codes decide; texts only where a vendor gives nothing better. */
import { AppError, errnoOf, type ErrorCode } from "../base/errors.ts";
import type { Endpoint } from "./provider.ts";

type Where = Pick<Endpoint, "id" | "baseUrl" | "apiKey" | "keySource">;

/** `provider_timeout` has several causes; its own hint (network, base URL) is for a provider that cannot be reached or is silent. */
export const CUT_HINT = "The connection broke in the middle of the answer. Try again.";
export const UNREADABLE_HINT =
  "Try again. If it happens each time, check that the base URL belongs to this kind of API.";
const OWN_ERROR_HINT = "The provider had an error of its own. Try again in a moment.";
const IMAGE_HINT =
  "Send the picture smaller or as JPEG or PNG, or choose a model that sees pictures.";

/** Longest vendor text that is shown to a user. */
const TEXT_LIMIT = 400;
/** A wait that is worth telling. */
const LONG_WAIT_MS = 60_000;
/** A longer Retry-After than this is not believed. */
const RETRY_AFTER_LIMIT_MS = 24 * 3_600_000;

const SAID: Partial<Record<ErrorCode, (id: string, key?: string) => string>> = {
  provider_auth: (id, key) => `${id} refused the key${key ? ` in ${key}` : ""}`,
  provider_billing: (id) => `${id} says that the account has no credit left`,
  provider_rate_limit: (id) => `${id} limits the rate`,
  provider_overloaded: (id) => `${id} is overloaded`,
  provider_context: () => "The conversation is too long for this model",
  provider_timeout: (id) => `${id} failed to answer`,
  provider_rejected: (id) => `${id} rejected the request`,
};

/**
 * How vendors refuse a picture (damaged, too large, of another kind) or pictures at all, in `error.message` or `error.code`.
 * One list for all dialects, because proxies pass on the words of the vendor behind them.
 */
export const ABOUT_IMAGE =
  /could not process image|(invalid|unsupported)[ _]image|image_parse_error|image[ _](url|data|input|source|format)|image.{0,20}(dimensions|exceeds|too large)|support.{0,20} images?\b/i;

export type Refusal = {
  code: ErrorCode;
  /** HTTP status; absent for an error inside a stream. */
  status?: number;
  /** The vendor's own words; may be a whole HTML page. */
  text: string;
  headers?: Headers | undefined;
  /** The request field that the vendor names as the culprit. */
  param?: string;
  /** The refusal is about a picture in the request. */
  image?: boolean;
  /** What to do next, where the code's own hint does not fit. */
  hint?: string;
  cause?: unknown;
};

/** The one place where a vendor's refusal becomes a message for the user. The key never appears in it. */
export function refusal(where: Where, r: Refusal): AppError {
  const what = SAID[r.code]?.(where.id, where.keySource) ?? `${where.id} failed`;
  const text = plainText(r.text, where.apiKey);
  const status = r.status === undefined ? "" : ` (${r.status})`;
  const wait = retryAfterMs(r.headers);
  const said = text ? `${what}${status}: ${text}` : `${what}${status}.`;
  const long = r.code === "provider_rate_limit" && wait !== undefined && wait > LONG_WAIT_MS;
  const image = r.image === true && r.code === "provider_rejected";
  const hint =
    r.hint ?? (image ? IMAGE_HINT : r.code === "provider_timeout" ? OWN_ERROR_HINT : undefined);
  return new AppError(
    r.code,
    long ? `${sentence(said)} It answers again in ${span(wait)}.` : said,
    {
      ...(hint ? { hint } : {}),
      details: { provider: where.id, status: r.status, param: r.param, ...(image && { image }) },
      ...(wait === undefined ? {} : { retryAfterMs: wait }),
      cause: r.cause,
    },
  );
}

/** The text with a full stop, so that another sentence can follow. */
export const sentence = (text: string): string => (/[.!?…]$/.test(text) ? text : `${text}.`);

/** A wait in words, rounded up: `90 s`, `60 min`, `5 h`. */
function span(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds <= 90) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes <= 90 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
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
