/** The config file: can it be used, and does it say what its owner thinks? */
import { existsSync } from "node:fs";

import { shellWord } from "../../base/fs.ts";
import { CUT_OFF } from "../../config/document.ts";
import { lastGoodPath } from "../../config/last-good.ts";
import { describe } from "../../config/problem.ts";
import { DAMAGED } from "../../config/source.ts";
import type { Check, Finding } from "../check.ts";

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
    const older = loaded.moved.map(({ from, to }): Finding => ({
      severity: "info",
      message: `${from.join(".")} is an older name; it is read as ${to.join(".")}.`,
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
    return [...errors, ...warnings, ...older, ...inactive, ...variables];
  },
};

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
        fixHint: `${command} onboard`,
      },
    ];
  },
};
