/** Which provider, model and keys a name stands for, and why it cannot be used when it cannot. No choices here. */
import { AppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../base/time.ts";
import type { ModelChoice } from "../flow.ts";
import type { AuthConfig } from "./config.ts";
import { type Key, keysFor, type Profile, unsetVariable } from "./credentials.ts";
import type { ModelInfo } from "./provider.ts";
import {
  canonical,
  DEFAULT_PROVIDER,
  formatRef,
  type Known,
  parseRef,
  type Ref,
  resolveAlias,
} from "./refs.ts";
import type { ProviderRow, Table } from "./table.ts";

/** Why a model was chosen: a session's own choice, the config, the next one in the config, a key, a local server, or nothing else. */
export type Reason = "override" | "configured" | "fallback" | "key" | "local" | "demo";
export type Candidate = { choice: ModelChoice; info: ModelInfo; keys: Key[]; reason: Reason };
export type Skipped = { ref: string; why: string };

type AccessOptions = {
  auth: AuthConfig;
  env: Record<string, string | undefined>;
  profiles: Profile[];
  clock: Clock;
  log: Logger;
};

export type Access = ReturnType<typeof openAccess>;

export function openAccess(table: Table, { auth, env, profiles, clock, log }: AccessOptions) {
  const keysOf = (row: ProviderRow): Key[] =>
    keysFor({
      provider: row.id,
      env,
      envNames: row.env,
      apiKey: row.entry?.apiKey,
      auth,
      profiles,
      now: clock.now(),
    });

  /** The keys to use, or why there is none. A server that needs no key is used with an empty one. */
  function access(row: ProviderRow): { keys: Key[] } | { why: string } {
    const all = keysOf(row);
    // A key goes into a header; what was copied with an ellipsis or a line break in it cannot.
    const keys = all.filter((key) => /^[\x21-\x7e]+$/.test(key.value));
    if (keys.length) return { keys };
    if (all[0])
      return { why: `the key in ${all[0].source} has characters that no key has; copy it again` };
    const unset = unsetVariable(row.entry?.apiKey, env);
    if (unset)
      return {
        why: `the variable ${unset}, named by models.providers.${row.id}.apiKey, is not set`,
      };
    if (row.keyless || row.entry?.headers)
      return { keys: [{ id: "none", source: "no key", value: "" }] };
    const names = row.env.join(" or ");
    return {
      why: names
        ? `no key for ${row.label} (${names} is not set)`
        : `models.providers.${row.id}.apiKey is not set`,
    };
  }

  /** `ref@profile`: a sign-in behind an `@` only when there is one of that name, because model names contain `@` too. */
  function split(text: string): { name: string; profile?: string } {
    const at = text.lastIndexOf("@");
    const profile = text.slice(at + 1).trim();
    const named = profiles.some((p) => p.id === profile) || Object.hasOwn(auth.profiles, profile);
    return at > 0 && named ? { name: text.slice(0, at).trim(), profile } : { name: text.trim() };
  }

  /** A text of the config or the user as a ref; undefined when it can be none. */
  function resolve(text: string, known: Known): Ref | undefined {
    const { name } = split(text);
    const ref = parseRef(resolveAlias(name, known) ?? name);
    if (ref) return ref;
    // A bare name that exactly one of the known models has.
    const same = table.ids().flatMap((id) => {
      const row = tryRow(id);
      return row ? table.modelsOf(row).filter((r) => r.model === name) : [];
    });
    return same.length === 1 ? same[0] : undefined;
  }

  const warned = new Set<string>();

  /** The configured text as a ref: a name without provider is Anthropic's, as it always was. */
  function configured(text: string, known: Known): Ref {
    const ref = resolve(text, known);
    if (ref) return ref;
    const taken = canonical(DEFAULT_PROVIDER, split(text).name);
    if (!warned.has(text))
      log.warn("a configured model names no provider", { model: text, taken: formatRef(taken) });
    warned.add(text);
    return taken;
  }

  /** `profile` narrows the keys to that one sign-in. */
  function candidate(ref: Ref, reason: Reason, profile?: string): Candidate | Skipped {
    const name = formatRef(ref);
    try {
      const row = table.provider(ref.provider);
      if (!row) return { ref: name, why: `there is no provider ${ref.provider}` };
      const got = access(row);
      if ("why" in got) return { ref: name, why: got.why };
      const keys = profile ? got.keys.filter((key) => key.id === profile) : got.keys;
      if (!keys.length) return { ref: name, why: `there is no key for the sign-in ${profile}` };
      return {
        choice: { provider: ref.provider, model: ref.model, ref: name },
        info: plain(table.model(ref, row), name),
        keys,
        reason,
      };
    } catch (cause) {
      // Expected: a provider that the config describes in a way that cannot work.
      if (cause instanceof AppError) return { ref: name, why: cause.message.replace(/\.$/, "") };
      throw cause;
    }
  }

  /** A provider whose config is broken is as good as none in a list; its own use says what is wrong. */
  function tryRow(id: string): ProviderRow | undefined {
    try {
      return table.provider(id);
    } catch (cause) {
      // Expected: see above.
      if (cause instanceof AppError) return undefined;
      throw cause;
    }
  }

  return { keysOf, access, split, resolve, configured, candidate, tryRow };
}

/** Without what only this folder needs to know. */
export const plain = (info: Omit<ModelInfo, "ref">, ref: string): ModelInfo => ({
  ref,
  provider: info.provider,
  id: info.id,
  name: info.name,
  contextWindow: info.contextWindow,
  maxTokens: info.maxTokens,
  reasoning: info.reasoning,
  input: info.input,
  ...(info.cost ? { cost: info.cost } : {}),
});
