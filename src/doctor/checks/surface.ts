/** What the audit says besides what is wrong: how much of this installation others can touch, and how easily its models are misled. */
import { agentEntries } from "../../agent/settings.ts";
import { configuredAccounts } from "../../channels/configured.ts";
import type { Config } from "../../config/schema.ts";
import type { Check, Finding } from "../check.ts";

/** Models that follow instructions in what they read more often than newer ones do. */
const LEGACY = /(?:^|\/)(?:gpt-3\.5|gpt-4(?:$|-(?:turbo|32k|\d{4}))|claude-(?:2|instant|3-))/i;
const WEAK = /haiku|(?:^|[-/])(?:mini|nano|flash-lite|small|tiny)(?:$|[-:])/i;
/** Parameters in the name: `llama3.1:8b`, `qwen2.5-14b`. In thousands of millions. */
const SIZE = /(?:^|[-:_/])(\d+(?:\.\d+)?)b(?:$|[-:_])/i;
const SMALL = 30;

/** Why a model of this name is easier to mislead; undefined for the others. Judged by the name alone. */
export function weakness(ref: string): "legacy" | "small_params" | "weak_tier" | undefined {
  const size = Number(SIZE.exec(ref)?.[1] ?? Number.POSITIVE_INFINITY);
  if (LEGACY.test(ref)) return "legacy";
  if (size < SMALL) return "small_params";
  return WEAK.test(ref) ? "weak_tier" : undefined;
}

const TITLES = {
  legacy: "An older model has the tools",
  small_params: "A small model has the tools",
  weak_tier: "A model of the smaller kind has the tools",
} as const;

/** Every model that the config lets answer. */
function modelsOf({ agents }: Config): string[] {
  const settings = [agents.defaults.model, ...agentEntries(agents).map(({ model }) => model)];
  return [
    ...new Set(
      settings.flatMap((setting) => [setting?.primary ?? [], setting?.fallbacks ?? []].flat()),
    ),
  ];
}

export const tierCheck: Check = {
  id: "model-tier",
  title: "Models",
  async run({ loaded }) {
    if (!loaded.config) return [];
    return modelsOf(loaded.config).flatMap((ref): Finding[] => {
      const why = weakness(ref);
      if (!why) return [];
      return [
        {
          severity: "warning",
          message: `${ref} does what a web page or a message tells it more easily than larger and newer models; files and commands are at its hand.`,
          fixHint: "Use it for chats without tools (tools.profile minimal), or choose another one.",
          path: "agents.defaults.model",
          audit: { id: `models.${why}`, title: TITLES[why] },
        },
      ];
    });
  },
};

export const surfaceCheck: Check = {
  id: "attack-surface",
  title: "Summary",
  async run({ loaded }) {
    const { config, env } = loaded;
    if (!config) return [];
    const rows = await configuredAccounts(
      (id) => config.channels[id],
      (name) => env.raw(name),
    );
    const live = rows.filter(({ plan }) => plan.enabled);
    const open = live.filter(({ snapshot }) => snapshot.groupPolicy === "open").length;
    const { security, mode } = config.tools.exec;
    const commands = security ?? mode ?? "full";
    const facts = [
      `listens on ${env.gatewayBind ?? config.gateway.bind}`,
      `${live.length} accounts of chat networks`,
      `${open} of them answer whole groups`,
      `commands: ${commands}`,
      `${agentEntries(config.agents).length} agents`,
    ];
    return [
      {
        severity: "info",
        message: `What others can touch: ${facts.join(", ")}.`,
        audit: { id: "summary.attack_surface", title: "What others can touch" },
      },
    ];
  },
};
