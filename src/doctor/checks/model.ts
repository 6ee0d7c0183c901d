/** What will answer, and why it is not what the config says. */
import { agentEntries, defaultAgentId } from "../../agent/settings.ts";
import { silentLogger } from "../../base/log.ts";
import { openCatalog } from "../../providers/catalog.ts";
import type { Check } from "../check.ts";

export const modelCheck: Check = {
  id: "model",
  title: "Model",
  async run({ loaded, command }) {
    if (!loaded.config) return [];
    const { models, auth, agents } = loaded.config;
    const { defaults } = agents;
    const main = defaultAgentId(agents);
    const catalog = openCatalog({
      models,
      auth,
      env: loaded.env.vars,
      log: silentLogger,
      agents(id) {
        const own = agentEntries(agents).find((entry) => entry.id === id)?.model ?? {};
        return {
          primary: own.primary ?? defaults.model?.primary,
          fallbacks: own.fallbacks ?? defaults.model?.fallbacks,
          known: defaults.models,
        };
      },
    });
    const { choice, why, skipped } = await catalog.choose(main);
    if (choice.provider === "demo")
      return [
        {
          severity: "warning",
          message: `${why} It shows how things work, and knows nothing.`,
          fixHint: `${command} onboard`,
        },
      ];
    return skipped.length
      ? [{ severity: "warning", message: why, path: "agents.defaults.model" }]
      : [];
  },
};
