/** Which manager runs services on this system. */
import { launchd } from "./launchd.ts";
import type { Obstacle, ServiceManager, Surroundings } from "./service.ts";
import { systemd } from "./systemd.ts";
import { windowsTask } from "./windows-task.ts";

const MANAGERS: Partial<
  Record<NodeJS.Platform, (around: Surroundings, options: { system: boolean }) => ServiceManager>
> = {
  linux: systemd,
  darwin: (around) => launchd(around),
  win32: (around) => windowsTask(around),
};

/** Undefined where there is none that we know. @param system the machine's instead of the user's; only systemd has both */
export const serviceManager = (
  platform: NodeJS.Platform,
  around: Surroundings,
  { system = false }: { system?: boolean } = {},
): ServiceManager | undefined => MANAGERS[platform]?.(around, { system });

export const noManager = (platform: string): Obstacle => ({
  message: `There is no service manager for ${platform}.`,
  hint: "Run `clawdbot gateway` from your own supervisor.",
});
