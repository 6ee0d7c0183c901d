/** What will answer, and why it is not what the config says. */
import { modelsAtRest } from "../../agent/models-at-rest.ts";
import { defaultAgentId } from "../../agent/settings.ts";
import { SIGN_INS } from "../../providers/stored.ts";
import { peekScope } from "../../store/peek-session.ts";
import type { Check } from "../check.ts";
import { fromDatabase } from "./database.ts";

export const modelCheck: Check = {
  id: "model",
  title: "Model",
  async run({ loaded, paths, command }) {
    if (!loaded.config) return [];
    const main = defaultAgentId(loaded.config.agents);
    const signIns = fromDatabase({}, () => peekScope(paths.databasePath, SIGN_INS));
    const { catalog } = modelsAtRest(loaded.config, main, loaded.env.vars, signIns);
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
