/** The gateway itself: does it run, is it this version, and if not, what is in its place? */
import { realpathSync } from "node:fs";
import { delimiter, join } from "node:path";

import { PRODUCT, VERSION } from "../../base/brand.ts";
import { realPathOf } from "../../base/fs.ts";
import { readLock } from "../../base/lock.ts";
import { GATEWAY_PORT } from "../../gateway/config.ts";
import { portOwners } from "../../gateway/port-owner.ts";
import type { Check } from "../check.ts";

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
      },
    ];
  },
};

/** False when this is Bun running the sources. */
const isProduct = (path: string): boolean => !/[\\/]bun(?:\.exe)?$/.test(path);
