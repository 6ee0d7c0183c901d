/**
 * Every command, one row each, those of some topics in a registry of their own; nothing of a command is loaded before it is called. The
 * only places of the command line with dynamic imports: `clawdbot --version` must not pay for the gateway.
 */
import { AGENT_COMMANDS } from "./agents/registry.ts";
import { BACKUP_COMMANDS } from "./backup/registry.ts";
import { CHANNEL_COMMANDS } from "./channels/registry.ts";
import type { CommandRow } from "./command.ts";
import { LEAVING_COMMANDS } from "./leaving/registry.ts";
import { MODEL_COMMANDS } from "./models/registry.ts";
import { SESSION_COMMANDS } from "./sessions/registry.ts";
import { SHELL_COMMANDS } from "./shell/registry.ts";
import { UPDATE_COMMANDS } from "./update/registry.ts";

export type { CommandRow } from "./command.ts";

/** The path of a command is its words: `config get`. */
export const COMMANDS: Record<string, CommandRow> = {
  gateway: {
    doc: "Run the gateway in this terminal.",
    load: async () => (await import("./commands/gateway.ts")).run,
  },
  "gateway run": {
    doc: "The same as `gateway`.",
    load: async () => (await import("./commands/gateway.ts")).run,
  },
  "gateway call": {
    doc: "Call a method of the running gateway.",
    load: async () => (await import("./commands/call.ts")).call,
  },
  "gateway unlock": {
    doc: "Remove the lock files that a gateway left behind; refused while one runs.",
    load: async () => (await import("./commands/unlock.ts")).unlock,
  },
  "gateway health": {
    doc: "Ask the running gateway whether it is well.",
    load: async () => (await import("./commands/health.ts")).gatewayHealth,
  },
  "gateway status": {
    doc: "Where the gateway should be, and whether it answers there.",
    load: async () => (await import("./commands/gateway/status.ts")).gatewayStatus,
  },
  "gateway probe": {
    doc: "Try every gateway that the flags and the config name.",
    load: async () => (await import("./commands/gateway/probe.ts")).gatewayProbe,
  },
  "gateway usage-cost": {
    doc: "The same as `usage`.",
    load: async () => (await import("./commands/gateway/usage.ts")).gatewayUsage,
  },
  "gateway install": {
    doc: "Run the gateway in the background, from now on and after every boot.",
    load: async () => (await import("./commands/service.ts")).install,
  },
  "gateway uninstall": {
    doc: "End the service and remove it.",
    load: async () => (await import("./commands/service.ts")).uninstall,
  },
  "gateway start": {
    doc: "Start the installed service.",
    load: async () => (await import("./commands/service.ts")).start,
  },
  "gateway stop": {
    doc: "Stop the gateway.",
    load: async () => (await import("./commands/service.ts")).stop,
  },
  "gateway restart": {
    doc: "Restart the gateway, as a service or wherever it runs.",
    load: async () => (await import("./commands/service.ts")).restart,
  },
  daemon: {
    doc: "The same as `gateway status`; its subcommands are those of the service.",
    load: async () => (await import("./commands/daemon.ts")).daemonBare,
  },
  "daemon status": {
    doc: "The same as `gateway status`.",
    load: async () => (await import("./commands/daemon.ts")).daemonStatus,
  },
  "daemon install": {
    doc: "The same as `gateway install`.",
    load: async () => (await import("./commands/daemon.ts")).daemonInstall,
  },
  "daemon uninstall": {
    doc: "The same as `gateway uninstall`.",
    load: async () => (await import("./commands/daemon.ts")).daemonUninstall,
  },
  "daemon start": {
    doc: "The same as `gateway start`.",
    load: async () => (await import("./commands/daemon.ts")).daemonStart,
  },
  "daemon stop": {
    doc: "The same as `gateway stop`.",
    load: async () => (await import("./commands/daemon.ts")).daemonStop,
  },
  "daemon restart": {
    doc: "The same as `gateway restart`.",
    load: async () => (await import("./commands/daemon.ts")).daemonRestart,
  },
  health: {
    doc: "Ask the running gateway whether it is well.",
    load: async () => (await import("./commands/health.ts")).health,
  },
  onboard: {
    doc: "Set everything up: a model, the workspace, the config, the background service.",
    load: async () => (await import("./commands/onboard.ts")).onboard,
  },
  setup: {
    doc: "Make the config and the workspace, and ask nothing.",
    load: async () => (await import("./commands/onboard.ts")).setup,
  },
  configure: {
    doc: "Change parts of the set-up, by questions.",
    load: async () => (await import("./commands/onboard.ts")).configure,
  },
  doctor: {
    doc: "Look for what is wrong, and say how to mend it.",
    load: async () => (await import("./commands/doctor/doctor.ts")).doctor,
  },
  security: {
    doc: "How safe this installation is.",
    load: async () => (await import("./commands/doctor/security.ts")).security,
  },
  "security audit": {
    doc: "Look for what others could read, change or use.",
    load: async () => (await import("./commands/doctor/security.ts")).audit,
  },
  status: {
    doc: "Overview of gateway, model, agents and sessions; works while the gateway is down.",
    load: async () => (await import("./commands/status.ts")).status,
  },
  usage: {
    doc: "Tokens and cost of the last days, by day and by model.",
    load: async () => (await import("./commands/gateway/usage.ts")).usage,
  },
  dashboard: {
    doc: "Print a link that opens the Control UI and signs you in.",
    load: async () => (await import("./commands/dashboard.ts")).dashboard,
  },
  agent: {
    doc: "Send one message to the agent and print its answer.",
    load: async () => (await import("./commands/agent.ts")).agent,
  },
  tui: {
    doc: "Talk to the assistant in this terminal.",
    load: async () => (await import("./tui/command.ts")).tui,
  },
  chat: {
    doc: "The same as `tui`.",
    load: async () => (await import("./tui/command.ts")).chat,
  },
  terminal: {
    doc: "The same as `tui`.",
    load: async () => (await import("./tui/command.ts")).terminal,
  },
  acp: {
    doc: "Serve an editor that speaks the Agent Client Protocol.",
    load: async () => (await import("./acp/command.ts")).acp,
  },
  sessions: {
    doc: "List the conversations.",
    load: async () => (await import("./commands/sessions.ts")).sessions,
  },
  "sessions list": {
    doc: "The same as `sessions`.",
    load: async () => (await import("./commands/sessions.ts")).list,
  },
  ...SESSION_COMMANDS,
  config: {
    doc: "Read and change the config file.",
    load: async () => (await import("./commands/onboard.ts")).config,
  },
  "config get": {
    doc: "Print one value of the config.",
    load: async () => (await import("./commands/config.ts")).get,
  },
  "config set": {
    doc: "Change one value; comments and everything else stay.",
    load: async () => (await import("./commands/config.ts")).set,
  },
  "config unset": {
    doc: "Remove one value.",
    load: async () => (await import("./commands/config.ts")).unset,
  },
  "config validate": {
    doc: "Check the config file.",
    load: async () => (await import("./commands/config.ts")).validate,
  },
  "config file": {
    doc: "Print where the config file is.",
    load: async () => (await import("./commands/config.ts")).file,
  },
  "config path": {
    doc: "The same as `config file`.",
    load: async () => (await import("./commands/config.ts")).path,
  },
  "config schema": {
    doc: "Print the JSON schema of the config file.",
    load: async () => (await import("./commands/config.ts")).schema,
  },
  token: {
    doc: "Make secrets for the gateway.",
    load: async () => (await import("./commands/token.ts")).token,
  },
  "token generate": {
    doc: "Print a new token: 64 hexadecimal digits.",
    load: async () => (await import("./commands/token.ts")).generate,
  },
  ...CHANNEL_COMMANDS,
  message: {
    doc: "Send messages, and find out what became of one.",
    load: async () => (await import("./commands/message.ts")).message,
  },
  "message send": {
    doc: "Send a message to a chat.",
    load: async () => (await import("./commands/message.ts")).send,
  },
  "message broadcast": {
    doc: "Send one message to several chats.",
    load: async () => (await import("./commands/message.ts")).broadcast,
  },
  "message poll": {
    doc: "Ask a chat a question with answers to choose from.",
    load: async () => (await import("./commands/message.ts")).poll,
  },
  "message react": {
    doc: "Put an emoji on a message.",
    load: async () => (await import("./commands/message-actions.ts")).react,
  },
  "message reactions": {
    doc: "Who reacted to a message.",
    load: async () => (await import("./commands/message-actions.ts")).reactions,
  },
  "message read": {
    doc: "The newest messages of a chat.",
    load: async () => (await import("./commands/message-actions.ts")).read,
  },
  "message edit": {
    doc: "Put another text in the place of a message.",
    load: async () => (await import("./commands/message-actions.ts")).edit,
  },
  "message delete": {
    doc: "Remove a message.",
    load: async () => (await import("./commands/message-actions.ts")).remove,
  },
  "message pin": {
    doc: "Pin a message.",
    load: async () => (await import("./commands/message-actions.ts")).pin,
  },
  "message unpin": {
    doc: "Take the pin away.",
    load: async () => (await import("./commands/message-actions.ts")).unpin,
  },
  "message pins": {
    doc: "The pinned messages of a chat.",
    load: async () => (await import("./commands/message-actions.ts")).pins,
  },
  "message permissions": {
    doc: "What we may do in a chat.",
    load: async () => (await import("./commands/message-actions.ts")).permissions,
  },
  "message search": {
    doc: "Messages with certain words.",
    load: async () => (await import("./commands/message-actions.ts")).search,
  },
  "message thread": {
    doc: "Threads: create, list, reply.",
    load: async () => (await import("./commands/message-actions.ts")).thread,
  },
  "message sticker": {
    doc: "Stickers: send.",
    load: async () => (await import("./commands/message-actions.ts")).sticker,
  },
  "message member": {
    doc: "Members: info.",
    load: async () => (await import("./commands/message-actions.ts")).member,
  },
  "message channel": {
    doc: "Chats that can be reached: list.",
    load: async () => (await import("./commands/message-actions.ts")).channel,
  },
  "message trace": {
    doc: "What became of one message, step by step.",
    load: async () => (await import("./commands/message-trace.ts")).trace,
  },
  "message recent": {
    doc: "The newest messages and what became of them.",
    load: async () => (await import("./commands/message-trace.ts")).recent,
  },
  migrate: {
    doc: "Take over the state of OpenClaw, Moltbot or an older Clawdbot; its files stay as they are.",
    load: async () => (await import("./moving/migrate.ts")).migrate,
  },
  export: {
    doc: "Write the state in the layout of OpenClaw and older Clawdbots, to go back to them.",
    load: async () => (await import("./moving/export.ts")).exportState,
  },
  logs: {
    doc: "Print the gateway's log, and follow it.",
    load: async () => (await import("./commands/logs.ts")).logs,
  },
  ...MODEL_COMMANDS,
  ...AGENT_COMMANDS,
  ...LEAVING_COMMANDS,
  ...SHELL_COMMANDS,
  ...UPDATE_COMMANDS,
  ...BACKUP_COMMANDS,
};

/** Bigger parts that only some paths through a command need. */
export const PARTS = {
  invoke: () => import("./invoke.ts"),
  help: () => import("./help.ts"),
  bare: () => import("./bare.ts"),
  app: () => import("../app.ts"),
  settings: () => import("./settings.ts"),
  guard: () => import("../service/update/guard.ts"),
  handover: () => import("./update/handover.ts"),
  launchdLog: () => import("../service/launchd-log.ts"),
  statusReport: () => import("./status/report.ts"),
  usage: () => import("./commands/gateway/usage.ts"),
};

/** The rows below a path: `config get` for `config`; the first words for the empty path. */
export const commandsBelow = (path: string): Record<string, CommandRow> =>
  Object.fromEntries(
    Object.entries(COMMANDS).filter(([name]) =>
      path === "" ? !name.includes(" ") : name.startsWith(`${path} `),
    ),
  );

/** The path of the command that these words begin with, the longest one; empty when the first word names none. */
export function pathIn(words: readonly string[]): string {
  let path = "";
  for (const word of words) {
    const next = path ? `${path} ${word}` : word;
    if (!(next in COMMANDS)) break;
    path = next;
  }
  return path;
}
