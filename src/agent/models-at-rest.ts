/** The catalogue of models for whoever looks while no gateway runs: `models`, `doctor`, `status`. The gateway's own is models.ts. */
import { silentLogger } from "../base/log.ts";
import type { Config } from "../config/schema.ts";
import { type AgentModels, type Catalog, openCatalog } from "../providers/catalog.ts";
import type { Profile } from "../providers/credentials.ts";
import { signInsOf } from "../providers/stored.ts";
import { agentEntries } from "./settings.ts";

export type AtRest = {
  catalog: Catalog;
  /** Sign-ins that were taken over from an older installation; expired ones too. */
  profiles: Profile[];
  /** What the config says of the agent's models. */
  agent: AgentModels;
};

/**
 * What the running gateway would have for this agent.
 * @param vars the variables that may hold keys
 * @param signIns what the store has under SIGN_INS, by agent
 */
export function modelsAtRest(
  { models, auth, agents }: Pick<Config, "models" | "auth" | "agents">,
  agentId: string,
  vars: Readonly<Record<string, string | undefined>>,
  signIns: Readonly<Record<string, unknown>>,
): AtRest {
  // As the running gateway takes them: the agent's own before those of `main`.
  const { profiles, order } = signInsOf([signIns[agentId], signIns["main"]]);
  const modelsOf = (id: string): AgentModels => {
    const own = agentEntries(agents).find((entry) => entry.id === id)?.model ?? {};
    const { model, models: listed } = agents.defaults;
    const primary = own.primary ?? model?.primary;
    const fallbacks = own.fallbacks ?? model?.fallbacks;
    return { known: listed, ...(primary && { primary }), ...(fallbacks && { fallbacks }) };
  };
  const catalog = openCatalog({
    models,
    auth: { ...auth, order: { ...auth.order, ...order } },
    profiles,
    env: vars,
    log: silentLogger,
    defaultAgentId: agentId,
    agents: modelsOf,
  });
  return { catalog, profiles, agent: modelsOf(agentId) };
}
