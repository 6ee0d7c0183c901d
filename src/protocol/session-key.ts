/** Session keys: parse, format, and the aliases that clients use. Spelling is the original's; tests in test/compat hold it. */
import type { SessionKey } from "../flow.ts";

export const MAIN_KEY = "main";

/** Agent and account ids: lower case, `[a-z0-9][a-z0-9_-]{0,63}`; what does not fit becomes `-`, an empty one `fallback`. */
export function plainId(text: string, fallback: string): string {
  const id = text
    .trim()
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 64);
  return id || fallback;
}

/** `agent:<id>:<rest>` taken apart, or undefined when the text is not a full key. */
export function parseKey(key: string): { agentId: string; rest: string } | undefined {
  const match = /^agent:([^:]+):(.+)$/.exec(key.trim().toLowerCase());
  return match ? { agentId: match[1]!, rest: match[2]! } : undefined;
}

/** The canonical key of one conversation of an agent. */
export function sessionKey(agentId: string, rest: string = MAIN_KEY): SessionKey {
  return `agent:${plainId(agentId, "main")}:${rest.trim().toLowerCase() || MAIN_KEY}` as SessionKey;
}

/** Longest key that is taken from outside; a longer one is somebody's mistake or attack. */
export const MAX_KEY_LENGTH = 256;

/**
 * The canonical key of what a client wrote: `main` (or the configured main key) is the default agent's main session, a full key
 * is lower-cased, a bare word belongs to the default agent. Undefined for an empty, over-long or unprintable text.
 */
export function canonicalKey(
  text: string,
  defaults: { agentId: string; mainKey?: string },
): SessionKey | undefined {
  const key = text.trim().toLowerCase();
  // eslint-disable-next-line no-control-regex
  if (!key || key.length > MAX_KEY_LENGTH || /[\u0000-\u001f\u007f]/.test(key)) return undefined;
  if (key === MAIN_KEY || key === defaults.mainKey) return sessionKey(defaults.agentId);
  const full = parseKey(key);
  if (full) return sessionKey(full.agentId, full.rest);
  if (key.startsWith("agent:")) return undefined;
  return sessionKey(defaults.agentId, key);
}

/** direct, group, or what the original's lists call the rest. */
export function kindOfKey(key: string): "direct" | "group" | "global" | "unknown" {
  const rest = parseKey(key)?.rest ?? key;
  if (rest === "global" || rest === "unknown") return rest;
  return /(^|:)(group|channel):/.test(rest) ? "group" : "direct";
}
