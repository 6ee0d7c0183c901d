/**
 * A slash command: something that is answered at once, without a model, and never waits behind a turn.
 * A new one is a file and a line in registry.ts; parsing, access, menus, /help and the reference page follow from it.
 */
import type { z } from "zod";

import type { Inbound, SessionKey, Thinking } from "../../flow.ts";
import type { ModelInfo } from "../../providers/provider.ts";
import type { Known } from "../../providers/refs.ts";
import type { AllowedRow, PairingRow, SessionRow, Store, Trace } from "../../store/store.ts";
import type { CommandContext as Caller, CommandResult } from "../commands-port.ts";
import type { CommandsConfig } from "../config.ts";

/** anyone: who may talk to the assistant at all. allowed: who may give commands in this chat. owner: only the owner. */
export type Access = "anyone" | "allowed" | "owner";

export type Answer = CommandResult;

export interface Command<In extends z.ZodObject = z.ZodObject> {
  /** `^[a-z0-9_]{1,32}$`, which is what every platform's menu takes. */
  name: string;
  aliases?: readonly string[];
  /** One line for people: /help, the menus (at most 100 characters), the reference page. */
  doc: string;
  /**
   * By position, in this order, every one optional: each takes one word, the last one takes the rest when it is plain text.
   * Every one is described.
   */
  args: In;
  /** Other spellings of the first argument's choices. */
  spellings?: Readonly<Record<string, string>>;
  access: Access;
  /** Elsewhere it says where it belongs. */
  where?: "group" | "dm";
  /** The switch of the `commands` section that must be on; it is not listed while that is off. */
  gate?: "config" | "restart";
  /** Not in the platforms' menus. */
  typedOnly?: true;
  /** Throws AppError: what passes (`store_failed`, `busy`) makes the message come again, everything else is the answer. */
  run(args: z.output<In>, ctx: CommandContext): Promise<Answer>;
}

export const command = <In extends z.ZodObject>(def: Command<In>): Command<In> => def;

/** A `Command<In>` is contravariant in `run`; registry.ts only ever calls it with what its own `args` made. */
export type AnyCommand = Omit<Command, "run"> & {
  run(args: never, ctx: CommandContext): Promise<Answer>;
};

/** The values of the config that commands act on, as they are now. */
export type CommandSettings = {
  commands: CommandsConfig;
  /** `session.resetTriggers` */
  resetTriggers: readonly string[];
  /** `agents.defaults.thinkingDefault`, or the agent's own. */
  thinkingDefault?: Thinking;
  verboseDefault: "off" | "on" | "full";
  /** How messages wait behind a turn on this channel. */
  queueMode: string;
};

/** Who may write on one account, for /allowlist. */
export type AllowLists = {
  channel: string;
  account: string;
  dmPolicy: string;
  /** As the config has them. */
  config: readonly string[];
  /** Those who were approved by a code or by /allowlist. */
  approved: readonly string[];
};

/** What commands may touch of the running system. Filled in messaging.ts. Every promise may reject with AppError. */
export interface CommandPorts {
  /** Of the program. */
  version: string;
  now(): number;
  /** The agent id is empty where no agent is known yet. */
  settings(agentId: string, channel: string): CommandSettings;
  /** The canonical form of an id, as ChannelFacts has it; undefined for what is no stable id of this channel. */
  senderId(channel: string, entry: string): string | undefined;
  /** Whether the platform of this message shows our commands in its own menu. */
  hasMenu(from: Inbound["from"]): boolean;
  sessions: Pick<Store["sessions"], "get" | "patch" | "reset">;
  runs: {
    /** Stops the running turn and those that wait; gives how many. Never waits for their end. */
    stop(key: SessionKey): Promise<number>;
    state(key: SessionKey): { running: boolean; waiting: number };
  };
  models: {
    list(): Promise<ModelInfo[]>;
    /** Throws bad_request naming what there is. */
    find(text: string): Promise<ModelInfo>;
    defaultRef(agentId: string): Promise<string>;
    /** `agents.defaults.models`, for the user's own short names. */
    known(): Known;
  };
  config: {
    /** The config with defaults, or the part at a path; masked by the command. Throws not_found. */
    get(path?: string): Promise<unknown>;
    /** As `clawdbot config set`: the text is JSON5 or plain. Gives the paths that differ now. */
    set(path: string, text: string): Promise<ConfigChange>;
    unset(path: string): Promise<ConfigChange>;
    /** `configWrites` of the channel's account. */
    writable(from: Inbound["from"]): boolean;
  };
  access: {
    lists(): Promise<AllowLists[]>;
    /** Lets a sender in as an approval does. Undefined: the entry is no stable id of this channel. Throws not_found for an unknown channel. */
    allow(channel: string, entry: string, account?: string): Promise<AllowedRow | undefined>;
    /** False: nobody of that id was approved. */
    revoke(channel: string, entry: string, account?: string): Promise<boolean>;
  };
  pairing: {
    list(): Promise<PairingRow[]>;
    /** Lets the person in and tells them. Undefined: nobody waits with this code. */
    approve(code: string): Promise<PairingRow | undefined>;
    dismiss(code: string): Promise<boolean>;
  };
  trace: {
    find(id: string): Promise<Trace | undefined>;
    /** Newest first. */
    recent(query: { limit: number; unanswered?: boolean }): Promise<Trace[]>;
  };
  /** Ends the gateway in an orderly way and starts it again in the same process. Absent: nobody can. */
  restart?(reason: string): void;
}
export type ConfigChange = { changed: string[]; needRestart: string[] };

/** What a running command has: the ports, and for whom and where it runs. */
export interface CommandContext extends CommandPorts {
  caller: Caller;
  /** Undefined before the first message of the conversation. */
  session(): Promise<SessionRow | undefined>;
  /** `null` goes back to the default. */
  change(patch: Parameters<Store["sessions"]["patch"]>[2]): Promise<SessionRow>;
  /** Of the caller's agent and channel. */
  set: CommandSettings;
  /** The commands that this caller may give here, in the order of /help. */
  listed: readonly AnyCommand[];
}

/** Whether the message came from a place that more people read. */
export const inGroup = (inbound: Inbound): boolean => inbound.chat !== "dm";
