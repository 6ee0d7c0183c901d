/**
 * What becomes of a message, decided once, with its reason: who is let in, which agent and session, command, context, or nothing.
 * Everything that a person does passes here (a message, an edit, a reaction, a button, a command), so one place authorises it.
 */
import type { AgentEntry } from "../agent/config.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../base/time.ts";
import type { AccessRules } from "../channels/channel.ts";
import type { DropReason, Inbound, Route, Trust } from "../flow.ts";
import type { MessagesConfig, SessionConfig } from "../sessions/config.ts";
import type { NewOutbox, Store } from "../store/store.ts";
import { type Access, authorize, type Owners, ownersOf } from "./access.ts";
import { boundAgent, broadcastAgents } from "./bindings.ts";
import { answerTo, commandIn, type CommandText } from "./calling.ts";
import { type CommandsPort, REFUSAL } from "./commands-port.ts";
import type { CommandsConfig } from "./config.ts";
import { unansweredBefore } from "./history.ts";
import { BotStreaks, Buckets } from "./limits.ts";
import { type Gate, isMentioned, isMentionRequired, mentionPatterns, Mentions } from "./mention.ts";
import { noteText } from "./note.ts";
import { Pairing, type PairingDeps } from "./pairing.ts";
import { routeFor } from "./route.ts";
import type { BindingsConfig, BroadcastConfig } from "./routes/config.ts";
import { sessionKeyFor } from "./session.ts";
import type { Spending } from "./spending.ts";

type TurnRoute = Route & { kind: "turn" };

export type Decision = {
  route: Route;
  /** As it arrived, with what the router knows: what was said before it, and its text without the command. */
  inbound: Inbound;
  /** A group that several agents answer: one turn for each further agent. */
  also?: TurnRoute[];
  /** The text of an `answer`, except to a command of the platform's menu, whose answer goes back to the caller. */
  outbox?: NewOutbox[];
  /** Of a group message that was let in. */
  gate?: Gate;
  /** To be called once the message is stored. */
  after?: () => void;
};

/** What the config says of routing. */
export type Routing = {
  /** Every agent there is, at least one; ids in canonical form. */
  agents: readonly AgentEntry[];
  defaultAgentId: string;
  bindings: BindingsConfig;
  broadcast: BroadcastConfig;
  messages: MessagesConfig;
  session: SessionConfig;
  commands: Pick<CommandsConfig, "useAccessGroups" | "ownerAllowFrom">;
};

/** The name that messaging/policy.ts knows. */

export type RouterDeps = PairingDeps & {
  store: Pick<Store, "inbound" | "pairing" | "sessions" | "outbox">;
  clock: Clock;
  log: Logger;
  /** The channel whose senders are signed-in operators. */
  operatorChannel: string;
  config(): Routing;
  /** What the account's config says of this message; undefined for an account that does not run. */
  rules(inbound: Inbound): AccessRules | undefined;
  /** The canonical form of an id on a channel; undefined when it is no stable id there. */
  senderId(channel: string, entry: string): string | undefined;
  commands: CommandsPort;
  spending: Pick<Spending, "of">;
};

/** An older message is not answered, in ms: who wrote it has long gone on. */
const STALE_MS = 86_400_000;
const STALE_TEXT = "Messages older than a day were not answered. Send again what still matters.";
/** From none to all. */
const RIGHTS: readonly Trust[] = ["guest", "known", "owner"];
const FLOOD = { perMinute: 30, burst: 20 };
/** The command that ends a running turn. */
const STOP = "stop";
const FLOOD_TEXT = "Too many messages; I will read on in a minute.";
const BUDGET_TEXT = "That was all that I may answer you today; write again tomorrow.";
/** Different warnings that are given once each. */
const MAX_WARNED = 1_000;

/** What is known of a message once its sender is let in. */
type Admitted = {
  inbound: Inbound;
  rules: AccessRules;
  trust: Trust;
  mayCommand: boolean;
  /** The agents that answer, the first one for commands and notes too. */
  turns: [TurnRoute, ...TurnRoute[]];
};

export class Router {
  private readonly pairing: Pairing;
  private readonly mentions: Mentions;
  private readonly flood: Buckets;
  private readonly stops: Buckets;
  private readonly floodNotices: Buckets;
  private readonly staleNotices: Buckets;
  private readonly budgetNotices: Buckets;
  private readonly bots: BotStreaks;
  private readonly warned = new Set<string>();

  constructor(private readonly deps: RouterDeps) {
    const { clock } = deps;
    this.pairing = new Pairing(deps);
    this.mentions = new Mentions((pattern, why) =>
      this.warnOnce(`mention ${pattern}`, "a mention pattern is not used", { pattern, why }),
    );
    this.flood = new Buckets(clock, FLOOD);
    this.stops = new Buckets(clock, FLOOD);
    this.floodNotices = new Buckets(clock, { perMinute: 1, burst: 1 });
    this.staleNotices = new Buckets(clock, { perMinute: 1 / 60, burst: 1 });
    this.budgetNotices = new Buckets(clock, { perMinute: 1 / 60, burst: 1 });
    this.bots = new BotStreaks(clock);
  }

  /** Reads who was let in by pairing. At the start, and after an approval or its end. */
  reload(): Promise<void> {
    return this.pairing.reload();
  }

  /** Rejects only with what the store or a channel's facts throw; then nothing is decided and the message must come again. */
  async decide(inbound: Inbound): Promise<Decision> {
    if (inbound.from.channel === this.deps.operatorChannel) return this.decideOperator(inbound);
    const admitted = this.admit(inbound);
    if ("kind" in admitted)
      return admitted.kind === "pair"
        ? this.greet(inbound)
        : dropped(inbound, admitted.reason, admitted.detail);
    if (!inbound.sender.bot) this.bots.person(chatKey(inbound));
    return inbound.event ? this.decideEvent(admitted) : this.decideMessage(admitted);
  }

  /** Who is let in, with which rights; else why not. */
  private admit(inbound: Inbound): Admitted | Exclude<Access, { kind: "allow" }> {
    const rules = this.deps.rules(inbound);
    if (!rules) return { kind: "drop", reason: "disabled", detail: "the account does not run" };
    const config = this.deps.config();
    const access = authorize({
      rules,
      inbound,
      approved: this.pairing.approved(inbound.from),
      owners: this.owners(inbound.from.channel),
      accessGroups: config.commands.useAccessGroups,
    });
    if (access.kind !== "allow") return access;
    const { trust, commands: mayCommand } = access;
    return { inbound, rules, trust, mayCommand, turns: this.turns(inbound, trust) };
  }

  /**
   * The rights with which a message is answered that was accepted earlier: never more than then, and none any more for a sender who
   * was taken off the lists meanwhile. While its account does not run, those of then.
   */
  trustNow(inbound: Inbound, then: Trust): Trust {
    if (inbound.from.channel === this.deps.operatorChannel || !this.deps.rules(inbound))
      return then;
    const admitted = this.admit(inbound);
    const now = "kind" in admitted ? "guest" : admitted.trust;
    return RIGHTS.indexOf(now) < RIGHTS.indexOf(then) ? now : then;
  }

  /**
   * Whether the sender is let in and the message is for us. Decides nothing: what it asks about comes to `decide` in any case.
   * Rejects with what the store throws.
   */
  async wants(inbound: Inbound): Promise<boolean> {
    const admitted = this.admit(inbound);
    if ("kind" in admitted) return false;
    const gate = await this.gate(admitted);
    return !gate?.required || gate.mentioned;
  }

  /** An operator is signed in: every session is theirs, and so is every command. */
  private async decideOperator(inbound: Inbound): Promise<Decision> {
    const { operatorChannel, commands, log } = this.deps;
    const { defaultAgentId, session } = this.deps.config();
    const route = routeFor(inbound, { defaultAgentId, mainKey: session.mainKey, operatorChannel });
    const found = route.kind === "turn" ? commandIn(inbound, commands) : undefined;
    if (route.kind !== "turn" || !found) return { route, inbound };
    const result = await answerTo(found, route, commands, log);
    const { after } = result;
    // Its users read the session itself, so nothing is sent to them.
    if ("text" in result)
      return { route: { ...answer(result), reply: route.reply }, inbound, after };
    return { route, inbound: result.inbound, after };
  }

  /** A stranger in a direct message. */
  private async greet(inbound: Inbound): Promise<Decision> {
    if (inbound.event) return dropped(inbound, "not_paired", "only a message asks to be let in");
    const reply = await this.pairing.reply(inbound);
    if (!reply) return dropped(inbound, "not_paired");
    return this.say(inbound, { text: reply.text, by: "pairing" }, reply.key);
  }

  /** Not a message of its own: a change of an earlier one, or something that happened in the chat. */
  private async decideEvent({ inbound, turns }: Admitted): Promise<Decision> {
    const { kind, of } = inbound.event!;
    if (!this.flood.take(senderKey(inbound))) return dropped(inbound, "flood");
    if (kind === "reaction" || kind === "system") {
      const text = noteText(inbound);
      if (!text) return dropped(inbound, "empty");
      const [{ agentId, sessionKey }] = turns;
      return { route: { kind: "note", agentId, sessionKey, text }, inbound };
    }
    const earlier =
      of === undefined ? undefined : await this.deps.store.inbound.find(inbound.from, of);
    if (of === undefined || !earlier) return dropped(inbound, "late", "that message is not known");
    if (earlier.inbound.sender.id !== inbound.sender.id)
      return dropped(inbound, "not_allowed", "somebody else wrote that message");
    const text = kind === "edit" ? { text: inbound.text } : {};
    return { route: { kind: "change", of, ...text }, inbound };
  }

  private async decideMessage(admitted: Admitted): Promise<Decision> {
    const { inbound, mayCommand } = admitted;
    const { commands } = this.deps;
    const found = commandIn(inbound, commands);
    const control = found !== undefined && commands.isControl(found.call.name);
    const command = control && !mayCommand ? undefined : found;
    if (found && !command && inbound.command)
      return this.say(inbound, { text: REFUSAL, by: "commands" });
    const gate = await this.gate(admitted, control ? command : undefined);
    const decision = await this.behindGate(admitted, gate, { found, command });
    return gate ? { ...decision, gate } : decision;
  }

  private async behindGate(
    admitted: Admitted,
    gate: Gate | undefined,
    { found, command }: { found?: CommandText; command?: CommandText },
  ): Promise<Decision> {
    const { inbound, turns } = admitted;
    const { commands, log } = this.deps;
    // First: the other reason would say that a mention is missing, and one would not help.
    if (gate && found && !command) return dropped(inbound, "not_allowed", "may not use commands");
    if (gate?.required && !gate.mentioned) return dropped(inbound, "not_mentioned");
    const refusal = command?.call.name === STOP ? this.stopRefusal(inbound) : this.refusal(inbound);
    if (refusal) return refusal;
    // In a direct message nobody else reads the refusal; as text to the model the command would look as if it had worked.
    if (found && !command) return this.say(inbound, { text: REFUSAL, by: "commands" });
    if (!command) return this.turn(admitted);
    const result = await answerTo(command, turns[0], commands, log);
    const { after } = result;
    if ("text" in result) return { ...this.say(inbound, result), after };
    return { ...(await this.turn({ ...admitted, inbound: result.inbound })), after };
  }

  private async turn({ inbound, rules, turns, trust }: Admitted): Promise<Decision> {
    const [route, ...also] = turns;
    const { groupChat } = this.agent(route.agentId) ?? {};
    const session = await this.deps.store.sessions.get(route.sessionKey);
    if (session?.settings.sendPolicy === "deny")
      return dropped(inbound, "disabled", "/send off was said in this conversation");
    const limit = groupChat?.historyLimit ?? rules.historyLimit;
    const before = await unansweredBefore(inbound, limit, this.deps.store);
    const { text, media, notes, quoted } = inbound;
    if (!text.trim() && !media.length && !notes?.length && !quoted && !before)
      return dropped(inbound, "empty");
    const { maxTokensPerDay: most } = this.deps.config().messages;
    if (trust !== "owner" && most > 0 && this.deps.spending.of(inbound) >= most)
      return this.budgetNotices.take(senderKey(inbound)) && !inbound.sender.bot
        ? this.say(inbound, { text: BUDGET_TEXT, by: "budget" })
        : dropped(inbound, "budget");
    return {
      route,
      inbound: before ? { ...inbound, before } : inbound,
      ...(also.length && { also }),
    };
  }

  /** Undefined for a direct message. `control`: a command that the sender may use and that needs no mention. */
  private async gate(admitted: Admitted, control?: CommandText): Promise<Gate | undefined> {
    const { inbound, rules, turns } = admitted;
    if (inbound.chat === "dm" || rules.room === "unlisted") return undefined;
    const session = await this.deps.store.sessions.get(turns[0].sessionKey);
    const required = isMentionRequired(
      session?.settings.groupActivation,
      rules.room.requireMention,
    );
    const { messages } = this.deps.config();
    const mentioned = isMentioned(inbound, (text) =>
      turns.some(({ agentId }) =>
        this.mentions.match(text, mentionPatterns(this.agent(agentId), messages)),
      ),
    );
    const bypass = control !== undefined && !inbound.mentionsOthers;
    return { required, mentioned: mentioned || bypass };
  }

  /** What keeps a message from being answered although it is for us: its age, too many of them, or a bot that never stops. */
  private refusal(inbound: Inbound): Decision | undefined {
    const chat = chatKey(inbound);
    if (this.deps.clock.now() - inbound.at > STALE_MS)
      return this.staleNotices.take(chat)
        ? this.say(inbound, { text: STALE_TEXT, by: "stale" })
        : dropped(inbound, "stale");
    const sender = senderKey(inbound);
    if (!this.flood.take(sender))
      return this.floodNotices.take(sender) && !inbound.sender.bot
        ? this.say(inbound, { text: FLOOD_TEXT, by: "flood" })
        : dropped(inbound, "flood");
    if (this.isBotLoop(inbound)) return dropped(inbound, "bot", "bots among themselves");
    return undefined;
  }

  /** Whoever wrote too much must be able to stop what that began; that is answered, so it has a limit of its own. */
  private stopRefusal(inbound: Inbound): Decision | undefined {
    return this.stops.take(senderKey(inbound)) ? undefined : dropped(inbound, "flood");
  }

  private isBotLoop(inbound: Inbound): boolean {
    return inbound.sender.bot === true && !this.bots.answer(chatKey(inbound));
  }

  /** A turn for each agent that answers here; the first one is the conversation's own. */
  private turns(inbound: Inbound, trust: Trust): [TurnRoute, ...TurnRoute[]] {
    const { agents, defaultAgentId, bindings, broadcast, session } = this.deps.config();
    const known = { ids: agents.map(({ id }) => id), defaultId: defaultAgentId };
    const together = broadcastAgents(inbound, broadcast, known);
    const bound = boundAgent(inbound, bindings, known);
    for (const agent of together?.unknown ?? (bound.unknown ? [bound.unknown] : []))
      this.warnOnce(`agent ${agent}`, "the config names an agent that there is not", { agent });
    const [first = bound.agentId, ...others] = together?.agentIds ?? [];
    const turn = (agentId: string): TurnRoute => ({
      kind: "turn",
      agentId,
      sessionKey: sessionKeyFor(inbound, agentId, session, trust),
      reply: inbound.from,
      matchedBy: together ? "broadcast" : bound.matchedBy,
      trust,
    });
    return [turn(first), ...others.map(turn)];
  }

  /** An answer without a model. It is sent, except to a command of the platform's menu. */
  private say(inbound: Inbound, said: { text: string; by: string }, key?: string): Decision {
    const { channel, account } = inbound.from;
    const route: Route = { ...answer(said), reply: inbound.from };
    if (inbound.command || !said.text.trim()) return { route, inbound };
    const name = key ?? ["answer", channel, account, inbound.id].join(":");
    return { route, inbound, outbox: [{ key: name, to: inbound.from, text: said.text }] };
  }

  private agent(id: string): AgentEntry | undefined {
    return this.deps.config().agents.find((agent) => agent.id === id);
  }

  private owners(channel: string): Owners {
    const { ownerAllowFrom } = this.deps.config().commands;
    const owners = ownersOf(ownerAllowFrom, channel, (entry) => this.deps.senderId(channel, entry));
    for (const entry of owners.refused)
      this.warnOnce(
        `owner ${entry}`,
        "an entry of commands.ownerAllowFrom is no person's id and is ignored",
        { entry },
      );
    return owners;
  }

  private warnOnce(key: string, message: string, data: Record<string, unknown>): void {
    if (this.warned.has(key) || this.warned.size >= MAX_WARNED) return;
    this.warned.add(key);
    this.deps.log.warn(message, data);
  }
}

const answer = ({ text, by }: { text: string; by: string }) => ({
  kind: "answer" as const,
  text,
  by,
});

const dropped = (inbound: Inbound, reason: DropReason, detail?: string): Decision => ({
  route: { kind: "drop", reason, ...(detail && { detail }) },
  inbound: reason === "not_mentioned" ? inbound : shortened(inbound),
});

/** Of what nobody will read but the owner in the trace, in characters. */
const MAX_DROPPED = 500;

/** Strangers write as much as they like, and every message is kept for a week. */
function shortened({ notes: _, quoted: __, room: ___, ...inbound }: Inbound): Inbound {
  const { text } = inbound;
  if (text.length <= MAX_DROPPED) return inbound;
  return { ...inbound, text: `${text.slice(0, MAX_DROPPED).toWellFormed()}…` };
}

const chatKey = ({ from }: Inbound): string =>
  [from.channel, from.account, from.chatId, from.threadId ?? ""].join("\n");
const senderKey = ({ from, sender }: Inbound): string =>
  [from.channel, from.account, sender.id].join("\n");
