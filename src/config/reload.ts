/** What a change of the config asks for while the gateway runs: nothing, a part restarted, or all of it. */

import type { z } from "zod";

import { inactivePart } from "./inactive.ts";
import { formatPath, isRecord, type Path, valueAt } from "./path.ts";
import { type Config, ConfigSchema } from "./schema.ts";
import { childOf, shapeOf } from "./shape.ts";

/** `none`: read where it is used; `hot`: a running part is told; `restart`: only a new process can use it. */
export type Action = "none" | "hot" | "restart";

/** The first row that a changed path begins with decides; a known path without a row needs a restart. */
const PLAN: [prefix: string, action: Action][] = [
  ["gateway.remote", "none"],
  ["gateway.reload", "none"],
  ["hooks", "hot"],
  ["agents.defaults.heartbeat", "hot"],
  ["agent.heartbeat", "hot"],
  ["cron", "hot"],
  ["browser", "hot"],
  ["channels", "hot"],
  ["web", "hot"],
  ["logging", "hot"],
  ["agents.defaults.maxConcurrent", "hot"],
  ["agents.list", "hot"],
  ["models", "hot"],
  ["auth", "hot"],
  ["identity", "none"],
  ["wizard", "none"],
  ["meta", "none"],
  ["agents", "none"],
  ["agent", "none"],
  ["tools", "none"],
  ["bindings", "none"],
  ["audio", "none"],
  ["routing", "none"],
  ["messages", "none"],
  ["session", "none"],
  ["commands", "none"],
  ["talk", "none"],
  ["skills", "none"],
  ["ui", "none"],
  ["$schema", "none"],
  ["plugins", "restart"],
  ["gateway", "restart"],
  ["discovery", "restart"],
  ["canvasHost", "restart"],
];

/** Paths whose values differ. A list counts as one value. */
export function changedPaths(before: unknown, now: unknown, path: Path = []): Path[] {
  if (Bun.deepEquals(before, now, true)) return [];
  if (!isRecord(before) || !isRecord(now)) return [path];
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].flatMap((key) =>
    changedPaths(before[key], now[key], [...path, key]),
  );
}

/** False where a group of the schema has no such key; what is inside a free value is the value's. */
function known(path: Path): boolean {
  let schema: z.ZodType = ConfigSchema;
  for (const key of path) {
    if (shapeOf(schema).kind === "leaf") return true;
    const child = childOf(schema, key);
    if (!child) return false;
    schema = child;
  }
  return true;
}

/** Nothing acts on a key that is unknown or whose part is not built, so changing it asks for nothing. */
export function actionFor(path: Path): Action {
  if (inactivePart(path) || !known(path)) return "none";
  const text = formatPath(path);
  const row = PLAN.find(
    ([prefix]) =>
      text === prefix || (/^[.[]/.test(text.slice(prefix.length)) && text.startsWith(prefix)),
  );
  return row?.[1] ?? "restart";
}

export type ReloadPlan = {
  action: Action;
  /** Every changed path. */
  changed: string[];
  /** Those of them that the running process cannot take over. */
  needRestart: string[];
  /** What the running process shall use from now on: with the mode `hot`, without the paths above. */
  config: Config;
};

/** `mode` is the running config's `gateway.reload.mode`. */
export function planReload(
  before: Config,
  now: Config,
  mode: Config["gateway"]["reload"]["mode"],
): ReloadPlan {
  const paths = changedPaths(before, now);
  const changed = paths.map(formatPath);
  const hard = paths.filter((path) => mode === "restart" || actionFor(path) === "restart");
  const needRestart = hard.map(formatPath);
  if (mode === "hot" && hard.length > 0) {
    const config = structuredClone(now);
    for (const path of hard) copyAt(before, config, path);
    const soft = paths.filter((path) => actionFor(path) !== "restart");
    return {
      action: soft.some((p) => actionFor(p) === "hot") ? "hot" : "none",
      changed,
      needRestart,
      config,
    };
  }
  if (hard.length > 0) return { action: "restart", changed, needRestart, config: now };
  const action = paths.some((path) => actionFor(path) === "hot") ? "hot" : "none";
  return { action, changed, needRestart, config: now };
}

/** Makes `to` have at `path` what `from` has there. */
function copyAt(from: unknown, to: unknown, path: Path): void {
  const parent = valueAt(to, path.slice(0, -1));
  const key = path.at(-1);
  if (!isRecord(parent) || key === undefined) return;
  const value = valueAt(from, path);
  if (value === undefined) delete parent[key];
  else parent[key] = structuredClone(value);
}
