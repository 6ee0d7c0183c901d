/** What depends on more than one key, and is filled in when a config is loaded. Never written to the file. */
import { homedir } from "node:os";

import { expandHome } from "../base/paths.ts";
import { isRecord } from "./path.ts";
import type { Config } from "./schema.ts";

/** Short names of models that are in the user's list without one. Newest generation last. */
const ALIASES: Record<string, string> = {
  "anthropic/claude-opus-4-5": "opus",
  "anthropic/claude-sonnet-4-5": "sonnet",
  "openai/gpt-5.2": "gpt",
  "openai/gpt-5-mini": "gpt-mini",
  "google/gemini-3-pro-preview": "gemini",
  "google/gemini-3-flash-preview": "gemini-flash",
};

export function withDefaults(config: Config): Config {
  const { agents, session } = config;
  const taken = new Set(Object.values(agents.defaults.models).map((model) => model.alias));
  const models = Object.fromEntries(
    Object.entries(agents.defaults.models).map(([ref, model]) => {
      const alias = ALIASES[ref];
      return [ref, model.alias || !alias || taken.has(alias) ? model : { ...model, alias }];
    }),
  );
  const idle =
    session.reset ?? (session.idleMinutes ? { mode: "idle" as const, atHour: 4 } : undefined);
  return {
    ...config,
    agents: {
      ...agents,
      defaults: { ...agents.defaults, models },
      list: agents.list.map((agent) => ({ ...agent, id: agent.id.toLowerCase() })),
    },
    session: {
      ...session,
      mainKey: "main",
      ...(idle && {
        reset:
          idle.mode === "idle"
            ? { ...idle, idleMinutes: idle.idleMinutes ?? session.idleMinutes ?? 60 }
            : idle,
      }),
    },
  };
}

const PATH_KEY = /(?:dir|path|paths|file|root|workspace)$/i;
const PATH_LISTS = new Set(["paths", "pathPrepend"]);

/** `~` in values whose key says that they are paths. Changes the value in place. */
export function expandPaths(value: unknown, home: string = homedir(), key = ""): unknown {
  if (typeof value === "string") return PATH_KEY.test(key) ? expandHome(value, home) : value;
  if (Array.isArray(value))
    return value.map((item) =>
      typeof item === "string"
        ? PATH_LISTS.has(key)
          ? expandHome(item, home)
          : item
        : expandPaths(item, home),
    );
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, child]) => [name, expandPaths(child, home, name)]),
  );
}
