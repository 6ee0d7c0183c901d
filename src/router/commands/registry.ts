/** Every slash command, in the order of /help, and how a message becomes one. A new one is a file and a line in COMMANDS. */
import type { CommandInfo } from "../../channels/action.ts";
import type { Inbound } from "../../flow.ts";
import { ownersOf } from "../access.ts";
import {
  type CommandCall,
  type CommandContext as Caller,
  type CommandsPort,
  REFUSAL,
} from "../commands-port.ts";
import type { CommandsConfig } from "../config.ts";
import { activation } from "./activation.ts";
import { allowlist } from "./allowlist.ts";
import { menuEntry, readArguments, usageOf } from "./arguments.ts";
import type { AnyCommand, CommandContext, CommandPorts } from "./command.ts";
import { inGroup } from "./command.ts";
import { commands, help } from "./help.ts";
import { reasoning, think, verbose } from "./levels.ts";
import { model, models } from "./model.ts";
import { newConversation, reset } from "./new.ts";
import { pair } from "./pair.ts";
import { restart } from "./restart.ts";
import { send } from "./send.ts";
import { config } from "./settings.ts";
import { status } from "./status.ts";
import { isStopWord, stop } from "./stop.ts";
import { trace } from "./trace.ts";
import { whoami } from "./whoami.ts";

export const COMMANDS: readonly AnyCommand[] = [
  help,
  commands,
  stop,
  newConversation,
  reset,
  status,
  model,
  models,
  think,
  verbose,
  reasoning,
  activation,
  whoami,
  send,
  pair,
  allowlist,
  trace,
  config,
  restart,
];

const BY_NAME: ReadonlyMap<string, AnyCommand> = new Map(
  COMMANDS.flatMap((each) => [each.name, ...(each.aliases ?? [])].map((name) => [name, each])),
);

/** Most entries that a platform's menu takes. */
const MENU = 100;

/** The commands for the platforms' own menus. */
export const nativeCommands = (settings: CommandsConfig): CommandInfo[] =>
  COMMANDS.filter((each) => !each.typedOnly && isOn(each, settings))
    .slice(0, MENU)
    .map(menuEntry);

/**
 * The menu that a channel is asked to show: empty when it shall be emptied, undefined when it shall be left alone.
 * `own` is `commands.native` of the channel; `capable` says whether its platform has a menu.
 */
export function menuFor(
  settings: CommandsConfig,
  own: boolean | "auto" | undefined,
  capable: boolean,
): CommandInfo[] | undefined {
  if (!capable) return undefined;
  return (own ?? settings.native) === false ? [] : nativeCommands(settings);
}

/** `/name`, `/name args` and `/name: args`. A name with `@somebody` behind it is for another bot. */
const TYPED = /^\/([a-z][a-z0-9_-]{0,31})(?:(?:\s*:|(?=\s))\s*([\s\S]*))?$/i;

/** Commands as the router asks for them. `run` must be called once per message: a second /new is a second new conversation. */
export function slashCommands(ports: CommandPorts): CommandsPort {
  const settingsFor = (caller: Caller) =>
    ports.settings(caller.agentId, caller.inbound.from.channel);
  return {
    parse(text, inbound) {
      if (inbound.event || isForwarded(inbound)) return undefined;
      if (inbound.command) return callOf(inbound.command.name, inbound.command.args);
      const typed = text.trim();
      if (isStopWord(typed) && (!inGroup(inbound) || inbound.mentioned))
        return { name: stop.name, args: "" };
      const set = ports.settings("", inbound.from.channel);
      const trigger = resetTrigger(typed, set.resetTriggers);
      if (trigger !== undefined) return { name: newConversation.name, args: trigger };
      const [, name, args = ""] = TYPED.exec(typed) ?? [];
      const call = name === undefined ? undefined : callOf(name, args);
      const menuOnly = !set.commands.text && call?.name !== stop.name;
      return menuOnly && ports.hasMenu(inbound.from) ? undefined : call;
    },
    isControl: (name) => BY_NAME.get(name)?.access !== "anyone",
    async run(call, caller) {
      const each = BY_NAME.get(call.name);
      if (!each) return { continue: true };
      const set = settingsFor(caller);
      if (!mayUse(each, caller, set.commands, ports)) return { text: REFUSAL };
      if (!isOn(each, set.commands))
        return { text: `/${each.name} is off. \`commands.${each.gate}: true\` turns it on.` };
      if (!isPlace(each, caller.inbound))
        return {
          text: `/${each.name} works ${each.where === "group" ? "in groups only" : "in a direct message only, because others read this chat"}.`,
        };
      const read = readArguments(each, call.args);
      if ("problem" in read) return { text: `${read.problem} Usage: \`${usageOf(each)}\`` };
      const listed = COMMANDS.filter(
        (other) =>
          isOn(other, set.commands) &&
          isPlace(other, caller.inbound) &&
          mayUse(other, caller, set.commands, ports),
      );
      return each.run(read.args as never, contextOf(ports, caller, set, listed));
    },
  };
}

const callOf = (given: string, args: string): CommandCall | undefined => {
  const each = BY_NAME.get(given.toLowerCase());
  return each && { name: each.name, args: args.trim() };
};

const isOn = ({ gate }: AnyCommand, settings: CommandsConfig): boolean => !gate || settings[gate];

const isPlace = ({ where }: AnyCommand, inbound: Inbound): boolean =>
  !where || (where === "group") === inGroup(inbound);

/** The router has asked already whether this sender may give commands here; this can only take away. */
function mayUse(
  { access }: AnyCommand,
  { inbound, trust }: Caller,
  settings: CommandsConfig,
  { senderId }: CommandPorts,
): boolean {
  if (access === "anyone" || trust === "owner") return true;
  if (access === "owner") return false;
  const { channel } = inbound.from;
  const list = settings.allowFrom[channel] ?? settings.allowFrom["*"];
  if (!list || list.map(String).includes("*")) return true;
  // The same reading as for owners: a person's id, never that of a chat (B6).
  return ownersOf(list, channel, (entry) => senderId(channel, entry)).ids.has(inbound.sender.id);
}

/** Somebody else's words: what they say is no order, even when the owner passes them on. */
const isForwarded = ({ notes }: Inbound): boolean =>
  notes?.some((note) => /^\W*forwarded\b/i.test(note)) ?? false;

/** What follows a word of `session.resetTriggers`; undefined when the text does not begin with one. /new and /reset have their own way. */
function resetTrigger(text: string, triggers: readonly string[]): string | undefined {
  const lower = text.toLowerCase();
  for (const each of triggers.map((trigger) => trigger.trim().toLowerCase()).filter(Boolean)) {
    if (callOf(each.slice(1), "") && each.startsWith("/")) continue;
    if (lower === each) return "";
    if (lower.startsWith(each) && /\s/.test(lower.charAt(each.length)))
      return text.slice(each.length).trim();
  }
  return undefined;
}

function contextOf(
  ports: CommandPorts,
  caller: Caller,
  set: CommandContext["set"],
  listed: CommandContext["listed"],
): CommandContext {
  return {
    ...ports,
    caller,
    set,
    listed,
    session: () => ports.sessions.get(caller.sessionKey),
    change: (patch) => ports.sessions.patch(caller.sessionKey, caller.agentId, patch, ports.now()),
  };
}
