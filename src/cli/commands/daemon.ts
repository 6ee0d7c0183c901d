/** `daemon …`: what the original called `gateway …` for the service, kept for scripts and habits. */
import { type Command, underName } from "../command.ts";
import { gatewayStatus } from "./gateway/status.ts";
import { install, restart, start, stop, uninstall } from "./service.ts";

const daemon = (made: Command): Command => underName(made, "gateway", "daemon");

export const daemonStatus = daemon(gatewayStatus);
export const daemonBare = underName(daemonStatus, "daemon status", "daemon");
export const daemonInstall = daemon(install);
export const daemonUninstall = daemon(uninstall);
export const daemonStart = daemon(start);
export const daemonStop = daemon(stop);
export const daemonRestart = daemon(restart);
