/** Which keys there are for a provider, in the order in which they are tried. */
import type { AuthConfig } from "./config.ts";

/** A stored sign-in (imported `auth-profiles.json`): the secret that `auth.profiles` only describes. */
export type Profile = {
  id: string;
  provider: string;
  kind: "oauth" | "token" | "api_key";
  value: string;
  /** Epoch ms; an expired one is not used. */
  expires?: number;
};

export type Key = {
  /** Stable name for cooldowns and logs: a profile id, `env:NAME` or `config`. Never the value. */
  id: string;
  /** For people: `ANTHROPIC_API_KEY`, `models.providers.x.apiKey`, a profile id. */
  source: string;
  value: string;
};

type Source = {
  provider: string;
  env: Record<string, string | undefined>;
  envNames: string[];
  apiKey: string | undefined;
  auth: AuthConfig;
  profiles: Profile[];
  now: number;
};

const ENV_NAME = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/;
const KINDS = ["oauth", "token", "api_key"];

/**
 * Those that `auth.order` names first, in that order; behind them profiles by kind, then the environment, then the config's `apiKey`.
 * Each value once.
 */
export function keysFor(source: Source): Key[] {
  const { provider, env, envNames, apiKey } = source;
  const keys: Key[] = profilesFor(source).map((p) => ({ id: p.id, source: p.id, value: p.value }));
  for (const name of envNames) {
    const value = env[name]?.trim();
    if (value) keys.push({ id: `env:${name}`, source: name, value });
  }
  const value = configKey(apiKey, env);
  if (value) {
    const named = apiKey && env[apiKey] === value;
    keys.push({
      id: "config",
      source: named ? apiKey : `models.providers.${provider}.apiKey`,
      value,
    });
  }
  const order = source.auth.order[provider] ?? [];
  const rank = ({ id }: Key) => (order.includes(id) ? order.indexOf(id) : order.length);
  return keys
    .filter((key, i) => keys.findIndex((k) => k.value === key.value) === i)
    .sort((a, b) => rank(a) - rank(b));
}

/** The value itself, or that of the variable it names. A name of a variable that is not set is no key. */
function configKey(text: string | undefined, env: Source["env"]): string | undefined {
  const name = text?.trim();
  if (!name) return undefined;
  if (env[name]?.trim()) return env[name].trim();
  return unsetVariable(name, env) ? undefined : name;
}

/** The name of the variable that a config's `apiKey` means and that is not set. */
export const unsetVariable = (text: string | undefined, env: Source["env"]): string | undefined =>
  text && ENV_NAME.test(text) && /_(KEY|TOKEN|SECRET)$/.test(text) && !env[text]?.trim()
    ? text
    : undefined;

function profilesFor({ provider, auth, profiles, now }: Source): Profile[] {
  const usable = profiles.filter(
    (p) => p.provider === provider && p.value && (p.expires === undefined || p.expires > now),
  );
  const order = auth.order[provider] ?? [];
  const described = Object.entries(auth.profiles).flatMap(([id, p]) =>
    p.provider === provider ? [id] : [],
  );
  const wanted = order.length ? order : described;
  const rank = (p: Profile) => {
    const at = wanted.indexOf(p.id);
    return at < 0 ? wanted.length + KINDS.indexOf(p.kind) : at;
  };
  return usable.sort((a, b) => rank(a) - rank(b));
}
