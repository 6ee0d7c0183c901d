/** The sign-ins of an older installation (`auth-profiles.json`), kept as they were, and what of them can be used. */
import type { Profile } from "./credentials.ts";

/** Scope of the small values that hold them, one per agent. */
export const SIGN_INS = "sign-ins";

export type StoredSignIns = {
  profiles: Profile[];
  /** Per provider; wins over the config's. */
  order: Record<string, string[]>;
};

type Json = Record<string, unknown>;
const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const textIn = (value: unknown): string | undefined =>
  typeof value === "string" && value.trim() ? value.trim() : undefined;

/** One of them; undefined for what holds no secret that can be used as it is (a reference to a secret elsewhere). */
export function profileOf(id: string, value: unknown): Profile | undefined {
  if (!isRecord(value)) return undefined;
  const provider = textIn(value["provider"])?.toLowerCase() ?? id.split(":")[0]!.toLowerCase();
  const { type, expires } = value;
  const kind = type === "oauth" || type === "token" ? type : "api_key";
  const secret = textIn(value[{ oauth: "access", token: "token", api_key: "key" }[kind]]);
  if (!secret) return undefined;
  return {
    id,
    provider,
    kind,
    value: secret,
    ...(typeof expires === "number" && expires > 0 && { expires }),
  };
}

/** Those of all agents, the first file first; of two with one name the first counts. Total: garbage is passed over. */
export function signInsOf(files: readonly unknown[]): StoredSignIns {
  const profiles = new Map<string, Profile>();
  const order: Record<string, string[]> = {};
  for (const file of files) {
    if (!isRecord(file)) continue;
    for (const [id, value] of Object.entries(isRecord(file["profiles"]) ? file["profiles"] : {})) {
      const profile = profiles.has(id) ? undefined : profileOf(id, value);
      if (profile) profiles.set(id, profile);
    }
    for (const [provider, ids] of Object.entries(isRecord(file["order"]) ? file["order"] : {}))
      if (Array.isArray(ids) && !Object.hasOwn(order, provider))
        order[provider] = ids.filter((id) => typeof id === "string");
  }
  return { profiles: [...profiles.values()], order };
}
