/**
 * Endpoints that speak the OpenAI wire differ in small ways that no table can hold. A 400 that names a field is answered by the
 * same request without that field, once; what was learned is kept for the endpoint's next requests.
 */
import type { AppError } from "../../base/errors.ts";

/** What an endpoint has turned out not to take. */
export type Quirk =
  | "stream_options"
  | "max_tokens"
  | "max_completion_tokens"
  | "reasoning"
  | "summary"
  | "developer"
  | "temperature"
  | "store"
  | "include"
  | "prompt_cache_key"
  | "encrypted_reasoning";

const SIGNS: [quirk: Quirk, pattern: RegExp][] = [
  ["encrypted_reasoning", /encrypted[_ ]content|reasoning item|item .?rs_|thought_?signature/i],
  ["stream_options", /stream_options|include_usage/i],
  // The refusal of one name recommends the other, so the first one named is the culprit.
  ["max_completion_tokens", /^(?:(?!max_tokens).)*max_completion_tokens/i],
  ["max_tokens", /max_tokens/i],
  ["summary", /reasoning\.summary|reasoning summar/i],
  ["reasoning", /reasoning|\bthink(ing)?\b/i],
  ["developer", /developer/i],
  ["temperature", /temperature/i],
  ["prompt_cache_key", /prompt_cache_key/i],
  ["include", /\binclude\b/i],
  ["store", /\bstore\b/i],
];
/** A value that is out of range is no unknown field; leaving the field out would hide the mistake. */
const VALUE =
  /too (large|big|high|small)|at (most|least)|less than|greater than|maximum (value|allowed)|exceed/i;

/** The field that a refusal is about, or undefined when it is about something else or was tried already. */
export function quirkOf(error: AppError, known: ReadonlySet<Quirk>): Quirk | undefined {
  if (error.code !== "provider_rejected") return undefined;
  const details = error.details as { status?: number; param?: string } | undefined;
  if (details?.status !== undefined && ![400, 404, 422].includes(details.status)) return undefined;
  const texts = [details?.param ?? "", error.message];
  for (const text of texts) {
    const quirk = SIGNS.find(([, pattern]) => pattern.test(text))?.[0];
    if (!quirk) continue;
    if (quirk.startsWith("max_") && VALUE.test(error.message)) return undefined;
    return known.has(quirk) ? undefined : quirk;
  }
  return undefined;
}
