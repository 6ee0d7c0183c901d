/** The config file: can it be used, and does it say what its owner thinks? */
import { existsSync } from "node:fs";

import { shellWord } from "../../base/fs.ts";
import { CUT_OFF } from "../../config/document.ts";
import { lastGoodPath } from "../../config/last-good.ts";
import { migrate } from "../../config/migrate.ts";
import { formatPath, isRecord } from "../../config/path.ts";
import { describe } from "../../config/problem.ts";
import { DAMAGED } from "../../config/source.ts";
import type { Check, Finding, Fix, Scene } from "../check.ts";

export const configCheck: Check = {
  id: "config",
  title: "Config",
  async run({ loaded, command, env, paths }) {
    const path = loaded.path;
    const errors = loaded.errors.map((problem): Finding => {
      const lost = problem.hint === CUT_OFF || problem.hint === DAMAGED;
      const fixHint = lost
        ? wholeAgain(problem.file ?? path, path, lastGoodPath(paths))
        : (problem.hint ?? `Correct it in ${path}, then: ${command} config validate`);
      return { severity: "error", message: describe(problem), fixHint, path };
    });
    const warnings = loaded.warnings.map((problem): Finding => ({
      severity: "warning",
      message: describe(problem),
      ...(problem.hint && { fixHint: problem.hint }),
      path,
    }));
    const inactive = loaded.inactive.length
      ? [
          {
            severity: "info" as const,
            message: `Not active yet in this version: ${loaded.inactive.join(", ")}.`,
            path,
          },
        ]
      : [];
    const variables = env.warnings.map((message): Finding => ({
      severity: "warning",
      message,
      fixHint: "Unset one of the two.",
    }));
    return [...errors, ...warnings, ...inactive, ...variables];
  },
};

/** Older spellings work as they are; written anew, the file says what the documentation says. */
export const keysCheck: Check = {
  id: "retired-keys",
  title: "Older keys",
  async run(scene) {
    const { moved, path } = scene.loaded;
    if (moved.length === 0) return [];
    const names = moved.map(({ from, to }) =>
      to.length > 0
        ? `${formatPath(from)} is read as ${formatPath(to)}`
        : `${formatPath(from)} has no effect any more`,
    );
    const shown = names.slice(0, MOST_KEYS).join(", ");
    const more = names.length > MOST_KEYS ? `, and ${names.length - MOST_KEYS} more` : "";
    const fix = rewrite(scene);
    return [
      {
        severity: "info",
        message: `Older spellings in the config: ${shown}${more}. They work; the settings page and the documentation use today's.`,
        ...(fix && { fixHint: `${scene.command} doctor --fix`, fix }),
        path,
      },
    ];
  },
};

const MOST_KEYS = 5;

/** Undefined where the file cannot be written as one: parts of it are in other files, or it is not understood. */
function rewrite({ loaded }: Scene): Fix | undefined {
  if (loaded.files.length > 0 || loaded.errors.length > 0 || !isRecord(loaded.parsed))
    return undefined;
  // Variables stay variables: this is what the user wrote, not what it means.
  const value = structuredClone(loaded.parsed);
  migrate(value);
  return {
    kind: "safe",
    label: "Write the older keys of the config under today's names",
    done: `${loaded.path} uses today's names; the former file is ${loaded.path}.bak.`,
    changes: [{ kind: "set", path: [], value }],
  };
}

/** The way back from a file that ends too early or is no text. Of an included file (another one than `config`) no copies are kept. */
function wholeAgain(path: string, config: string, lastGood: string): string {
  const copies = path === config ? [lastGood, `${path}.bak`] : [];
  const copy = copies.find((file) => existsSync(file));
  return copy
    ? `Correct it, or put back an older one: cp ${shellWord(copy)} ${shellWord(path)}`
    : `Correct it, or begin anew: mv ${shellWord(path)} ${shellWord(`${path}.broken`)}`;
}

export const modeCheck: Check = {
  id: "gateway-mode",
  title: "Gateway mode",
  async run({ loaded, command }) {
    if (!loaded.config || loaded.config.gateway.mode === "local") return [];
    const mode = loaded.config.gateway.mode;
    if (mode === "remote")
      return loaded.config.gateway.remote.url
        ? []
        : [
            {
              severity: "error",
              message: "gateway.mode is remote, but no address is set.",
              fixHint: `${command} config set gateway.remote.url wss://<host>`,
              path: "gateway.remote.url",
            },
          ];
    return [
      {
        severity: "info",
        message: loaded.exists
          ? "gateway.mode is not set; the gateway starts as a local one."
          : "There is no config file yet; the gateway starts with defaults.",
        fixHint: loaded.exists ? `${command} config set gateway.mode local` : `${command} onboard`,
        ...(loaded.exists && {
          path: "gateway.mode",
          fix: {
            kind: "safe" as const,
            label: "Write gateway.mode local into the config",
            done: "gateway.mode is local now.",
            changes: [{ kind: "set" as const, path: ["gateway", "mode"], value: "local" }],
          },
        }),
      },
    ];
  },
};
