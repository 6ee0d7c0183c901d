/** The gateway itself: does it run, is it this version, and if not, what is in its place? */
import { realpathSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";

import { PRODUCT, VERSION } from "../../base/brand.ts";
import { realPathOf, shellWord } from "../../base/fs.ts";
import { readLock } from "../../base/lock.ts";
import { GATEWAY_PORT } from "../../gateway/config.ts";
import { portOwners } from "../../gateway/port-owner.ts";
import type { Check, Finding } from "../check.ts";

export const gatewayCheck: Check = {
  id: "gateway",
  title: "Gateway",
  async run({ running, paths, loaded, command }) {
    if (running)
      return running.version === VERSION
        ? []
        : [
            {
              severity: "warning",
              message: `The running gateway is version ${running.version}, this program is ${VERSION}.`,
              fixHint: `${command} gateway restart`,
            },
          ];
    const lock = readLock(paths.lockPath);
    if (lock.held)
      return [
        {
          severity: "error",
          message: `A gateway runs (PID ${lock.body?.pid ?? "unknown"}), but it does not answer.`,
          fixHint: `${command} logs, then end that process and start it again`,
        },
      ];
    const port = loaded.env.gatewayPort ?? loaded.config?.gateway.port ?? GATEWAY_PORT;
    const [owner] = await portOwners(port);
    if (owner)
      return [
        {
          severity: "error",
          message: `The gateway does not run, and its port ${port} is taken by process ${owner.pid} (${owner.command.slice(0, 120)}).`,
          fixHint: `End that process, or: ${command} config set gateway.port <other port>`,
          path: "gateway.port",
        },
      ];
    return [
      {
        severity: "info",
        message: "The gateway does not run.",
        fixHint: `${command} gateway`,
      },
    ];
  },
};

/** Two installations fight over one state folder, and an update reaches only one of them. */
export const installCheck: Check = {
  id: "installations",
  title: "Installations",
  async run({ env }) {
    const name = process.platform === "win32" ? `${PRODUCT}.exe` : PRODUCT;
    const found = new Map<string, string>();
    for (const folder of (env.raw("PATH") ?? "").split(delimiter).filter(Boolean)) {
      const path = Bun.which(name, { PATH: folder });
      if (path) found.set(realpathSync(path), join(folder, name));
    }
    const self = realPathOf(process.execPath);
    const others = [...found].filter(([real]) => real !== self).map(([, path]) => path);
    if (found.size < 2 && (found.size === 0 || found.has(self) || !isProduct(self))) return [];
    return [
      {
        severity: "warning",
        message: `More than one ${PRODUCT} is installed: ${[self, ...others].join(", ")}.`,
        fixHint: "Remove those that you do not use, so that an update reaches the right one.",
        audit: { id: "binary.path_shadowed", title: "More than one program of this name" },
      },
    ];
  },
};

/** Who can change the program can do everything that its user can. */
export const programCheck: Check = {
  id: "program",
  title: "Program",
  async run({ env }) {
    const self = realPathOf(process.execPath);
    const found: Finding[] = [];
    const { mode } = statSync(self);
    if (process.platform !== "win32" && isProduct(self) && mode & 0o022)
      found.push({
        severity: "critical",
        message: `Other users of this machine can replace the program: ${self} has the mode ${(mode & 0o777).toString(8)}.`,
        fixHint: `chmod go-w ${shellWord(self)}`,
        path: self,
        audit: { id: "binary.writable_by_others", title: "Others can replace the program" },
      });
    const set = Object.keys(env.vars).filter(
      (name) => /^(?:BUN_|LD_PRELOAD$|DYLD_INSERT)/.test(name) && !HARMLESS.has(name),
    );
    if (set.length > 0)
      found.push({
        severity: "info",
        message: `Variables that change how programs run are set: ${set.join(", ")}.`,
        fixHint: `unset ${set.join(" ")}`,
        audit: { id: "env.bun_overrides", title: "Variables change how the program runs" },
      });
    return found;
  },
};

/** Set by installers and by ourselves. */
const HARMLESS = new Set(["BUN_INSTALL", "BUN_CONFIG_MAX_HTTP_REQUESTS"]);

/** False when this is Bun running the sources. */
const isProduct = (path: string): boolean => !/[\\/]bun(?:\.exe)?$/.test(path);
