/** The router on a real store, with one network of two accounts, commands that write down what they are asked, and a clock. */
import { AppError } from "../../src/base/errors.ts";
import type { Logger } from "../../src/base/log.ts";
import { type Clock, systemClock } from "../../src/base/time.ts";
import type { AccessRules } from "../../src/channels/channel.ts";
import type { Inbound } from "../../src/flow.ts";
import type { CommandCall, CommandContext, CommandsPort } from "../../src/router/commands-port.ts";
import { CommandsConfig } from "../../src/router/config.ts";
import { type Decision, Router, type Routing } from "../../src/router/router.ts";
import { BindingsConfig, BroadcastConfig } from "../../src/router/routes/config.ts";
import { Spending } from "../../src/router/spending.ts";
import { MessagesConfig, SessionConfig } from "../../src/sessions/config.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import type { Store } from "../../src/store/store.ts";
import { quiet } from "./house.ts";

export const NOW = Date.parse("2026-11-20T12:00:00Z");

/** Everything that the config can say of routing, as a person writes it. */
export type Settings = {
  rules?: Partial<AccessRules>;
  agents?: Routing["agents"];
  bindings?: unknown[];
  broadcast?: unknown;
  messages?: unknown;
  session?: unknown;
  commands?: unknown;
};

export type Switchboard = {
  store: Store;
  router: Router;
  spending: Spending;
  /** Changes what the config says. */
  set(settings: Settings): void;
  /** Decides and stores, as the pipeline does. A message is from person 42 in a direct message, if nothing else is said. */
  takes(over: Partial<Inbound> & { sender?: Inbound["sender"] }): Promise<Decision>;
  /** The kind of the route, or the reason of the drop. */
  word(over: Partial<Inbound>): Promise<string>;
  ran: { call: CommandCall; ctx: CommandContext }[];
  warnings: string[];
  /** In ms. */
  pass(ms: number): void;
  now(): number;
};

export const group: Pick<Inbound, "from" | "chat" | "mentioned"> = {
  from: { channel: "tele", account: "default", chatId: "-100" },
  chat: "group",
  mentioned: false,
};

const openRules: AccessRules = {
  dmPolicy: "pairing",
  allowFrom: ["42"],
  groupPolicy: "allowlist",
  groupAllowFrom: ["42", "43"],
  room: { enabled: true, requireMention: true },
  historyLimit: 50,
  bots: false,
};

/** `/echo` answers, `/think` goes on, `/nothing` says nothing, `/broken` and `/full` fail; `/help` is for everybody. */
function commandsOf(ran: Switchboard["ran"]): CommandsPort {
  return {
    parse(text) {
      const [, name, args = ""] =
        /^\/(echo|think|nothing|broken|full|help)(?:\s+([\s\S]*))?$/i.exec(text) ?? [];
      if (text === "stop") return { name: "echo", args: "stopped" };
      return name === undefined ? undefined : { name: name.toLowerCase(), args: args.trim() };
    },
    isControl: (name) => name !== "help",
    async run(call, ctx) {
      ran.push({ call, ctx });
      if (call.name === "broken")
        throw new AppError("bad_request", "That is no value.", { hint: "Try another." });
      if (call.name === "full") throw new AppError("disk_full", "The disk is full.");
      if (call.name === "nothing") return { text: "" };
      if (call.name !== "think") return { text: `${call.name} ${call.args}`.trim() };
      return call.args ? { continue: true, text: call.args } : { continue: true };
    },
  };
}

export async function openSwitchboard(settings: Settings = {}): Promise<Switchboard> {
  let now = NOW;
  let current = settings;
  let next = 0;
  const clock: Clock = { ...systemClock, now: () => now };
  const store = await openSqlite({ path: ":memory:", log: quiet, clock });
  const ran: Switchboard["ran"] = [];
  const warnings: string[] = [];
  const log: Logger = { ...quiet, warn: (message) => void warnings.push(message) };
  const spending = new Spending({ kv: store.kv, clock, log });
  const router = new Router({
    store,
    spending,
    clock,
    log,
    operatorChannel: "web",
    config: () => ({
      agents: current.agents ?? [{ id: "main" }],
      defaultAgentId: current.agents?.[0]?.id ?? "main",
      bindings: BindingsConfig.parse(current.bindings),
      broadcast: BroadcastConfig.parse(current.broadcast),
      messages: MessagesConfig.parse(current.messages),
      session: SessionConfig.parse(current.session),
      commands: CommandsConfig.parse(current.commands),
    }),
    rules: ({ from }) => (from.channel === "tele" ? { ...openRules, ...current.rules } : undefined),
    senderId: (_, entry) => (/^\d+$/.test(entry) ? entry : undefined),
    idLine: (_, id) => `Your Tele user id: ${id}`,
    commands: commandsOf(ran),
    cli: "clawdbot",
    requested: () => undefined,
    product: "Clawdbot",
  });
  await router.reload();
  const takes: Switchboard["takes"] = async (over) => {
    const id = over.id ?? `m${++next}`;
    const inbound: Inbound = {
      from: { channel: "tele", account: "default", chatId: over.sender?.id ?? "42" },
      chat: "dm",
      sender: { id: "42", name: "Ada" },
      text: "hello",
      media: [],
      mentioned: true,
      at: now,
      ...over,
      id,
    };
    const decision = await router.decide(inbound);
    const { also = [], outbox } = decision;
    for (const route of also)
      await store.inbound.accept(
        { ...decision.inbound, id: `${id}#${route.agentId}` },
        route,
        `${id}#${route.agentId}`,
      );
    const rows = outbox?.map((row) => ({ ...row, runId: id }));
    await store.inbound.accept(decision.inbound, decision.route, id, { outbox: rows });
    return decision;
  };
  return {
    store,
    router,
    spending,
    set(more) {
      current = { ...current, ...more };
    },
    takes,
    async word(over) {
      const { route } = await takes(over);
      return route.kind === "drop" ? route.reason : route.kind;
    },
    ran,
    warnings,
    pass(ms) {
      now += ms;
    },
    now: () => now,
  };
}
