/** The agents of the config as it stands in the file, and the changes that add, alter and remove one. */
import { agentEntries, defaultAgentId } from "../../agent/settings.ts";
import { AppError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import type { Change } from "../../config/edit.ts";
import { loadConfig } from "../../config/load.ts";
import { isRecord, type Path, valueAt } from "../../config/path.ts";
import type { Config } from "../../config/schema.ts";
import { plainId } from "../../protocol/session-key.ts";
import type { Cli } from "../command.ts";

/** The list as the file has it: undefined when there is none. Included files count too. */
export type Written = { list: unknown[] | undefined; entries: Record<string, unknown> | undefined };

export async function writtenAgents({ env, paths }: Cli): Promise<Written> {
  const { parsed } = await loadConfig({ env, paths, strictVariables: false });
  const list = valueAt(parsed, ["agents", "list"]);
  const entries = valueAt(parsed, ["agents", "entries"]);
  return {
    list: Array.isArray(list) ? list : undefined,
    entries: isRecord(entries) ? entries : undefined,
  };
}

/** Where an agent stands in the file; undefined for `main` that is nowhere. */
export function placeOf({ list, entries }: Written, id: string): Path | undefined {
  const at = (list ?? []).findIndex(
    (entry) => isRecord(entry) && plainId(String(entry["id"] ?? ""), "main") === id,
  );
  if (at >= 0) return ["agents", "list", String(at)];
  const key = Object.keys(entries ?? {}).find((name) => plainId(name, "main") === id);
  return key === undefined ? undefined : ["agents", "entries", key];
}

/**
 * Adds an entry. Without a list the implied `main` is written down first: the first one of a list is the default agent, and that must
 * not change because another one comes.
 */
export function addChanges(
  { list, entries }: Written,
  defaultId: string,
  entry: Record<string, unknown> & { id: string },
): Change[] {
  const { id, ...rest } = entry;
  if (!list?.length && entries && Object.keys(entries).length > 0)
    return [{ kind: "set", path: ["agents", "entries", id], value: rest }];
  if (!list?.length) {
    const first = defaultId === id ? [] : [{ id: defaultId }];
    return [{ kind: "set", path: ["agents", "list"], value: [...first, entry] }];
  }
  return [{ kind: "set", path: ["agents", "list", String(list.length)], value: entry }];
}

/** The agent that a person named. Throws usage with the nearest one. */
export function agentNamed({ agents }: Pick<Config, "agents">, text: string): string {
  const id = plainId(text, "");
  const known = agentEntries(agents).map((entry) => entry.id);
  if (known.includes(id)) return id;
  const near = nearest(id, known);
  throw new AppError("not_found", `Agent "${text}" not found.`, {
    hint: near ? `Did you mean ${near}?` : `There are: ${known.join(", ")}.`,
  });
}

export const isDefault = ({ agents }: Pick<Config, "agents">, id: string): boolean =>
  defaultAgentId(agents) === id;
