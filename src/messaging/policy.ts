/** What the config says for one message or one chat, channel by channel; asked anew each time, so a changed file counts at once. */
import { groupIntro } from "../agent/envelope.ts";
import type { TurnSetting } from "../agent/setting.ts";
import { agentEntries, defaultAgentId } from "../agent/settings.ts";
import { type Accounts, isNetwork } from "../channels/accounts.ts";
import type { AccessRules } from "../channels/channel.ts";
import { OPERATOR_CHANNEL } from "../channels/operators.ts";
import { NETWORKS } from "../channels/registry.ts";
import type { Config } from "../config/schema.ts";
import type { Address, Inbound } from "../flow.ts";
import { SILENT_REPLY } from "../protocol/reply.ts";
import { debounceMs } from "../router/debounce.ts";
import type { Routing } from "../router/router.ts";
import { type QueueMode, queueMode } from "../sessions/queue.ts";
import type { PairingRow, TurnRow } from "../store/store.ts";

export class Policy {
  constructor(
    private readonly config: () => Config,
    private readonly accounts: Accounts,
  ) {}

  /** What routing looks at. */
  router(): Routing {
    const { agents, bindings, broadcast, messages, session, commands } = this.config();
    return {
      agents: agentEntries(agents),
      defaultAgentId: defaultAgentId(agents),
      bindings,
      broadcast,
      messages,
      session,
      commands,
    };
  }

  /** Undefined for an account that does not run. */
  rules(inbound: Inbound): AccessRules | undefined {
    const { channel } = inbound.from;
    const plan = this.accounts.planOf(inbound.from);
    const facts = isNetwork(channel) ? this.accounts.factsFor(channel) : undefined;
    if (!plan || !facts) return undefined;
    const rules = facts.rules(plan.config as never, inbound);
    const own = this.section<{ historyLimit?: number }>(inbound.from).historyLimit;
    const { historyLimit } = this.config().messages.groupChat ?? {};
    return own === undefined && historyLimit !== undefined ? { ...rules, historyLimit } : rules;
  }

  /** The canonical form of an id; undefined for what is none, and for a channel that is not configured. */
  senderId(channel: string, entry: string): string | undefined {
    return isNetwork(channel) ? this.accounts.factsFor(channel)?.senderId(entry) : undefined;
  }

  idLine(channel: string, id: string): string {
    const line = isNetwork(channel) && this.accounts.factsFor(channel)?.idLine(id);
    return line || `Your id: ${id}`;
  }

  label(channel: string): string {
    return isNetwork(channel) ? NETWORKS[channel].label : channel;
  }

  /** Keys that every channel has and that this account's config may set. */
  section<T extends Record<string, unknown>>(at: Pick<Address, "channel" | "account">): Partial<T> {
    return (this.accounts.planOf(at)?.config ?? {}) as Partial<T>;
  }

  /** Whether reactions follow rules of the channel's own, and without them there are none. */
  hasOwnAck({ channel }: Pick<Address, "channel">): boolean {
    return isNetwork(channel) && "ownAck" in NETWORKS[channel];
  }

  /** Messages for the model, without the port for sending them. */
  setting({ inbound, trust }: Pick<TurnRow, "inbound" | "trust">): Omit<TurnSetting, "messages"> {
    const { channel } = inbound.from;
    if (channel === OPERATOR_CHANNEL) return { guest: false };
    const rules = inbound.chat === "dm" ? undefined : this.rules(inbound);
    const room = rules && rules.room !== "unlisted" ? rules.room : undefined;
    const label = this.label(channel);
    const turns = this.section<{ dmHistoryLimit: number }>(inbound.from).dmHistoryLimit;
    return {
      channel: label,
      guest: trust === "guest",
      ...(inbound.chat === "dm" && turns !== undefined && { historyTurns: turns }),
      ...(room?.systemPrompt && { instructions: room.systemPrompt }),
      ...(room?.tools && { tools: room.tools }),
      ...(room && {
        intro: groupIntro({
          inbound,
          channel: label,
          activation: room.requireMention ? "mention" : "always",
          silent: SILENT_REPLY,
        }),
      }),
    };
  }

  mode({ reply }: Pick<TurnRow, "reply">): QueueMode {
    const { queue } = this.config().messages;
    return queueMode(queue.byChannel[reply.channel] ?? queue.mode);
  }

  /** Whether the config gives people of this group tools by their ids. */
  hasOwnTools(inbound: Inbound): boolean {
    if (inbound.chat === "dm") return false;
    const config = this.accounts.planOf(inbound.from)?.config;
    return config !== undefined && namesTools(config);
  }

  debounceMs(inbound: Inbound): number {
    if (inbound.from.channel === OPERATOR_CHANNEL) return 0;
    const { messages } = this.config();
    const { queue } = messages;
    const { channel } = inbound.from;
    const own = this.section<{ debounceMs: number }>(inbound.from).debounceMs;
    const collecting = this.mode({ reply: inbound.from }) === "collect";
    const pause = queue.debounceMsByChannel[channel] ?? queue.debounceMs;
    return debounceMs(inbound, messages, collecting ? Math.max(own ?? 0, pause) : own);
  }

  /** Where a direct message to a sender goes; undefined for a channel that is not configured. */
  personChat({
    channel,
    account,
    sender,
  }: Pick<PairingRow, "channel" | "account" | "sender">): Address | undefined {
    const facts = isNetwork(channel) ? this.accounts.factsFor(channel) : undefined;
    return facts && { channel, account, chatId: facts.chatOf?.(sender) ?? sender };
  }
}

const OWN_TOOLS = "toolsBySender";

/** Wherever it stands in the section: in a group, a topic, a server or a channel of one. */
function namesTools(part: unknown): boolean {
  if (typeof part !== "object" || part === null) return false;
  return Object.entries(part).some(
    ([key, value]) =>
      (key === OWN_TOOLS && Object.keys(value ?? {}).length > 0) || namesTools(value),
  );
}
