/** Comparing JSON values, for whatever must come out of an export as it went into an import. Pure. */
import { isDeepStrictEqual } from "node:util";

export type Json = Record<string, unknown>;

export const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A text that is not empty. */
export const textIn = (value: unknown): string | undefined =>
  typeof value === "string" && value.trim() !== "" ? value : undefined;

/** A number that can be counted with. */
export const numberIn = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;

/** What turns `made` into `wanted`, key by key. */
export type Patch = { set?: Json; without?: string[] };

/** Undefined when they are equal. */
export function patchFor(made: Json, wanted: Json): Patch | undefined {
  const set = Object.fromEntries(
    Object.entries(wanted).filter(
      ([key, value]) => !Object.hasOwn(made, key) || !isDeepStrictEqual(made[key], value),
    ),
  );
  const without = Object.keys(made).filter((key) => !Object.hasOwn(wanted, key));
  if (Object.keys(set).length === 0 && without.length === 0) return undefined;
  return {
    ...(Object.keys(set).length > 0 && { set }),
    ...(without.length > 0 && { without }),
  };
}

export function patched(made: Json, patch: Patch | undefined): Json {
  const all = { ...made, ...patch?.set };
  for (const key of patch?.without ?? []) delete all[key];
  return all;
}
