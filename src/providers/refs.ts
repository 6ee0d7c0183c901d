/** Names of models: `provider/model`, split at the first slash; aliases; spellings that users have used. */
import data from "./catalog.json";

export type Ref = { provider: string; model: string };

/** The provider that a name without a slash belongs to, as it always did. */
export const DEFAULT_PROVIDER = "anthropic";

const PROVIDER_NAMES: Record<string, string> = data.providerNames;
const MODEL_NAMES: Record<string, Record<string, string>> = data.modelNames;
const ALIASES: Record<string, string[]> = data.aliases;

export const formatRef = ({ provider, model }: Ref): string => `${provider}/${model}`;

export function canonical(provider: string, model: string): Ref {
  const lower = provider.trim().toLowerCase();
  const name = PROVIDER_NAMES[lower] ?? lower;
  const id = model.trim();
  return { provider: name, model: MODEL_NAMES[name]?.[id.toLowerCase()] ?? id };
}

/** A text with a slash. Undefined when either side of it is empty, or there is none. */
export function parseRef(text: string): Ref | undefined {
  const slash = text.indexOf("/");
  if (slash < 1 || !text.slice(slash + 1).trim()) return undefined;
  return canonical(text.slice(0, slash), text.slice(slash + 1));
}

/** Models by `provider/model` with the alias and parameters that the user gave them (`agents.defaults.models`). */
export type Known = Record<string, { alias?: string; params?: Record<string, unknown> }>;

/**
 * The ref behind an alias, in any case: the user's own aliases first, then the built-in ones; of those the one that the user
 * lists, else the newest.
 */
export function resolveAlias(text: string, known: Known): string | undefined {
  const wanted = text.trim().toLowerCase();
  const own = Object.entries(known).find(([, entry]) => entry.alias?.toLowerCase() === wanted);
  if (own) return own[0];
  const refs = Object.hasOwn(ALIASES, wanted) ? ALIASES[wanted] : undefined;
  return refs?.find((ref) => Object.hasOwn(known, ref)) ?? refs?.[0];
}
