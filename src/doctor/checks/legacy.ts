/** What an older program of the family has left: state folders of other names, conversations that were not taken over, workspaces. */
import { realpathSync } from "node:fs";
import { basename, join } from "node:path";

import { CONFIG_NAMES, STATE_DIRS } from "../../base/brand.ts";
import { otherConfigs } from "../../base/paths.ts";
import { DONE, type Done } from "../../legacy/start.ts";
import { peekSessions, peekValue } from "../../store/sqlite/peek.ts";
import { TAKEOVER } from "../../store/takeover.ts";
import type { Check, Finding, Scene } from "../check.ts";
import { fromDatabase } from "./database.ts";
import { lookAt, namesIn } from "./files.ts";

/** What of an older state folder is in it, in words. */
function contentOf(folder: string): string[] {
  const has = (...names: string[]) => names.some((name) => lookAt(join(folder, name)));
  return [
    ...(has(...CONFIG_NAMES) ? ["a config"] : []),
    ...(sessionFiles(folder) > 0 ? ["conversations"] : []),
    ...(has("credentials") ? ["credentials"] : []),
    ...(has("devices") ? ["devices"] : []),
    ...(has(join("cron", "jobs.json")) ? ["scheduled jobs"] : []),
  ];
}

/** A list of sessions without any is `{}`, in bytes with a line end. */
const EMPTY_LIST = 4;

/** How many lists with sessions an older program has left in a state folder. */
function sessionFiles(folder: string): number {
  const agents = join(folder, "agents");
  const lists = namesIn(agents).map((id) => join(agents, id, "sessions", "sessions.json"));
  return [...lists, join(folder, "sessions", "sessions.json")].filter(
    (path) => (lookAt(path)?.size ?? 0) > EMPTY_LIST,
  ).length;
}

/** The folder that was taken over into this database, as `migrate` and the first start note it. */
const takenFrom = ({ paths }: Scene): string | undefined => {
  const mark = fromDatabase(undefined, () => peekValue<Done>(paths.databasePath, TAKEOVER, DONE));
  return mark?.from ? real(mark.from) : undefined;
};

const real = (path: string): string => (lookAt(path) ? realpathSync(path) : path);

/** Folders of older names beside the one in use. A link to it is the same folder. */
function otherStates(scene: Scene): Finding[] {
  const { paths, command } = scene;
  const suffix = paths.profile ? `-${paths.profile}` : "";
  const used = [real(paths.stateDir), takenFrom(scene)];
  return STATE_DIRS.map((name) => join(paths.home, name + suffix)).flatMap((folder): Finding[] => {
    if (folder === paths.stateDir || !lookAt(folder)) return [];
    const content = contentOf(folder);
    if (content.length === 0 || used.includes(real(folder))) return [];
    return [
      {
        severity: "warning",
        message: `${folder} has ${content.join(", ")} of an older version that are not used: the state folder is ${paths.stateDir}.`,
        fixHint: `${command} migrate --from ${folder}`,
        path: folder,
      },
    ];
  });
}

/** The program was replaced and its folder kept: the old conversations are there, and the database knows none. */
function notTaken(scene: Scene): Finding[] {
  const { paths, command } = scene;
  if (sessionFiles(paths.stateDir) === 0 || takenFrom(scene) === real(paths.stateDir)) return [];
  const page = fromDatabase({ rows: [], total: 1 }, () =>
    peekSessions(paths.databasePath, { limit: 1 }),
  );
  if (page.total > 0) return [];
  return [
    {
      severity: "warning",
      message: `${paths.stateDir} has conversations of an older version that were not taken over, so the assistant does not remember them.`,
      fixHint: `${command} migrate`,
      path: paths.stateDir,
    },
  ];
}

/** A person may be editing the wrong one. */
function configs({ paths }: Scene): Finding[] {
  const others = otherConfigs(paths).filter((path) => real(path) !== real(paths.configPath));
  if (others.length === 0) return [];
  return [
    {
      severity: "warning",
      message: `${others.map((path) => basename(path)).join(", ")} in ${paths.stateDir} ${others.length > 1 ? "are" : "is"} not read: ${basename(paths.configPath)} comes first.`,
      fixHint: "Put everything into one of them, and move the others away.",
      path: others[0]!,
    },
  ];
}

export const legacyCheck: Check = {
  id: "older-state",
  title: "Older versions",
  async run(scene) {
    return [...otherStates(scene), ...notTaken(scene), ...configs(scene)];
  },
};
