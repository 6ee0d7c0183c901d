/** Why there can be no service on this machine or for this caller, in the words of someone who knows what to type next. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { PRODUCT } from "../base/brand.ts";
import type { Env } from "../base/env.ts";
import { AppError, errnoOf } from "../base/errors.ts";
import { inContainer } from "../base/platform.ts";
import type { Obstacle } from "./service.ts";

/** What stands in the way, as the failure of a command. */
export const failure = ({ message, hint }: Obstacle): AppError =>
  new AppError("service_failed", message, { hint });

type Vars = Readonly<Record<string, string | undefined>>;

/** The kernel of the Windows Subsystem for Linux names its maker. */
function inWsl(vars: Vars, root: string): boolean {
  if (vars["WSL_DISTRO_NAME"]) return true;
  try {
    return /microsoft/i.test(readFileSync(join(root, "proc/version"), "utf8"));
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return false;
    throw cause;
  }
}

const WSL_HINT =
  "In this distribution: printf '[boot]\\nsystemd=true\\n' | sudo tee -a /etc/wsl.conf. Then in Windows: wsl.exe --shutdown, and open the distribution again.";

/** The gateway without a terminal and without a supervisor. */
const BY_HAND = `nohup ${PRODUCT} gateway >/dev/null 2>&1 &`;

/** For a Linux that was not started by systemd. */
export function noSystemd(vars: Vars, root = "/"): Obstacle {
  if (inWsl(vars, root))
    return {
      message: "systemd is not running in this WSL distribution.",
      hint: WSL_HINT,
      final: true,
    };
  if (inContainer({ raw: (name) => vars[name] }, root))
    return {
      message: "This is a container without systemd, so there is no service to install.",
      hint: `Let the container's engine keep it running, on the host: docker compose up -d ${PRODUCT}-gateway. Or until the container ends: ${BY_HAND}`,
      final: true,
    };
  const other = existsSync(join(root, "sbin/openrc-run")) ? "OpenRC" : "another init system";
  return {
    message: `This system is not run by systemd (${other}), so there is no service to install.`,
    hint: `Run \`${PRODUCT} gateway\` from your own supervisor; it ends with 78 when a start cannot succeed. By hand: ${BY_HAND}`,
    final: true,
  };
}

/** For a user whose own systemd does not answer. @param said by systemctl */
export function unreachableManager(said: string, vars: Vars): Obstacle {
  const why = said.split("\n")[0] ?? "";
  const message = `systemctl --user is not usable here: ${why || "no answer"}`;
  if (inWsl(vars, "/")) return { message, hint: WSL_HINT };
  return {
    message,
    hint: `Turn on lingering, then repeat: sudo loginctl enable-linger "$(id -un)". Or log in as this user by ssh or on the console, not with su or sudo. Without a user's systemd: sudo "$(command -v ${PRODUCT})" gateway install --system`,
  };
}

/**
 * For who called by `sudo` what belongs to a user: the service would be root's, with root's state. Undefined for root itself,
 * who may well run a gateway.
 */
export function throughSudo(
  env: Pick<Env, "raw">,
  uid: number | undefined,
  command: string,
): Obstacle | undefined {
  const caller = env.raw("SUDO_USER");
  if (uid !== 0 || !caller || caller === "root") return undefined;
  return {
    message: `With sudo this would be a service of root, not of ${caller}.`,
    hint: `Without sudo: ${command}. For a service of the machine that runs as ${caller}: sudo ${command} --system`,
  };
}
