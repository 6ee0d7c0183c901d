/** The agents' folders: can they be used? */
import { stat } from "node:fs/promises";
import { join } from "node:path";

import { agentEntries, agentSettings } from "../../agent/settings.ts";
import { errnoOf } from "../../base/errors.ts";
import { shellWord } from "../../base/fs.ts";
import type { Check, Finding, Scene } from "../check.ts";
import { lookAt as statAt } from "./files.ts";

export const workspaceCheck: Check = {
  id: "workspace",
  title: "Workspace",
  async run(scene) {
    const folders = [...new Set(workspaces(scene))];
    const findings = (await Promise.all(folders.map(lookAt))).flat();
    const [first] = folders;
    const tip = scene.suggestions && findings.length === 0 && first ? unsaved(first) : [];
    return [...findings, ...tip, ...(scene.suggestions ? forgotten(scene, folders) : [])];
  },
};

function workspaces({ loaded, paths }: Scene): string[] {
  if (!loaded.config) return [];
  const { agents } = loaded.config;
  return agentEntries(agents).map(({ id }) => agentSettings(agents, id, paths).workspace);
}

/** What the assistant has written about its people is in no copy of the database. */
function unsaved(path: string): Finding[] {
  if (!statAt(join(path, "AGENTS.md")) || statAt(join(path, ".git"))) return [];
  return [
    {
      severity: "info",
      message: `What the assistant notes in ${path} is in no backup.`,
      fixHint: `git init ${shellWord(path)}, and push it to a private place`,
      path,
    },
  ];
}

/** Workspaces that earlier versions used, and this one does not. */
function forgotten({ paths }: Scene, used: readonly string[]): Finding[] {
  const names = ["clawd", "moltbot", "clawdbot", "openclaw"];
  const old = [
    ...names.map((name) => join(paths.home, name)),
    join(paths.stateDir, "workspace"),
  ].filter((path) => !used.includes(path) && statAt(join(path, "AGENTS.md")));
  return old.map((path) => ({
    severity: "info",
    message: `${path} looks like a workspace too, and no agent uses it.`,
    fixHint: "Take over what you need from it, or name it in agents.defaults.workspace.",
    path,
  }));
}

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
