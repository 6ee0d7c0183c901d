/** The agents' folders: can they be used? */
import { stat } from "node:fs/promises";

import { agentEntries, agentSettings } from "../../agent/settings.ts";
import { errnoOf } from "../../base/errors.ts";
import { shellWord } from "../../base/fs.ts";
import type { Check, Finding } from "../check.ts";

export const workspaceCheck: Check = {
  id: "workspace",
  title: "Workspace",
  async run({ loaded, paths }) {
    if (!loaded.config) return [];
    const { agents } = loaded.config;
    const folders = agentEntries(agents).map(
      ({ id }) => agentSettings(agents, id, paths).workspace,
    );
    const findings = await Promise.all([...new Set(folders)].map(lookAt));
    return findings.flat();
  },
};

async function lookAt(path: string): Promise<Finding[]> {
  try {
    if ((await stat(path)).isDirectory()) return [];
    const message = `The workspace ${path} is not a folder.`;
    return [
      {
        severity: "error",
        message,
        fixHint: `Move it away: mv ${shellWord(path)} ${shellWord(`${path}.old`)}`,
        path,
      },
    ];
  } catch (cause) {
    // It is made with the first message.
    if (errnoOf(cause) === "ENOENT") return [];
    if (!["EACCES", "ENOTDIR", "ELOOP"].includes(errnoOf(cause) ?? "")) throw cause;
    const message = `The workspace ${path} cannot be reached (${errnoOf(cause)}).`;
    return [{ severity: "error", message, fixHint: "Check agents.defaults.workspace.", path }];
  }
}
