/** What a chat sees of a turn before its answer, as the config says for the channel, the agent and the chat. */
import type { AgentsConfig } from "../agent/config.ts";
import { agentEntries, agentSettings } from "../agent/settings.ts";
import type { Paths } from "../base/paths.ts";
import type { Config } from "../config/schema.ts";
import { ackEmoji } from "../delivery/ack.ts";
import type { BlockSettings } from "../delivery/blocks.ts";
import type { AcceptedMessage } from "../delivery/live.ts";
import type { LiveSettings, Run } from "../delivery/run.ts";
import type { Inbound } from "../flow.ts";
import { isAckWanted } from "../router/ack.ts";
import type { Gate } from "../router/mention.ts";
import type { ActiveRun } from "../sessions/desk.ts";
import { allowedTools, GUEST_POLICY, policiesFor } from "../tools/policy.ts";
import type { Policy } from "./policy.ts";

/** Keys of channels' sections; each channel has those of them that its platform can do. */
type LiveKeys = {
  streamMode: LiveSettings["stream"];
  draftChunk: { minChars: number; maxChars: number; breakPreference: BlockSettings["prefer"] };
  blockStreaming: boolean;
  blockStreamingCoalesce: Partial<BlockSettings["coalesce"]>;
  responsePrefix: string;
  textChunkLimit: number;
  /** An emoji, or (WhatsApp) rules of its own. */
  ackReaction: string | OwnAck;
};
type OwnAck = { emoji?: string; direct: boolean; group: "always" | "mentions" | "never" };

const DRAFT = { minChars: 200, maxChars: 800, prefer: "paragraph" } as const;
const COALESCE = { minChars: 1_500, maxChars: 4_000, idleMs: 1_000 };
/** A pause like that of a person who writes, in ms. */
const NATURAL = { minMs: 800, maxMs: 2_500 };

export const runOf = ({ turn, answers }: ActiveRun): Run => ({
  runId: turn.id,
  attempt: turn.attempts,
  agentId: turn.agentId,
  reply: turn.reply,
  inbound: turn.inbound,
  trust: turn.trust,
  answers,
});

export function liveSettings(run: Run, config: Config, policy: Policy, paths: Paths): LiveSettings {
  const own = policy.section<LiveKeys>(run.reply);
  const { defaults, name, workspace, thinking, entry } = agentSettings(
    config.agents,
    run.agentId,
    paths,
  );
  const typing = config.session.typingMode ?? defaults.typingMode;
  const prefix = own.responsePrefix ?? config.messages.responsePrefix;
  const draft = own.draftChunk;
  const identity = entry?.identity?.name ?? name;
  return {
    ...(typing && { typing }),
    typingEveryMs: (config.session.typingIntervalSeconds ?? defaults.typingIntervalSeconds) * 1000,
    stream: own.streamMode ?? "off",
    draft: draft ? { ...draft, prefer: draft.breakPreference } : DRAFT,
    ...((own.blockStreaming || defaults.blockStreamingDefault === "on") && {
      blocks: blocks(defaults, own),
    }),
    ...(prefix !== undefined && { prefix }),
    ...(identity && { identity }),
    ...(thinking && { thinking }),
    ...(maySendFiles(run, config, policy) && { workspace }),
  };
}

/**
 * A line `MEDIA:./MEMORY.md` of an answer reads a file as much as the tool does, so the same rules hold for it. The model's own
 * policies are left out: which model will answer is not known here, and they are about the model and not about the person.
 */
function maySendFiles({ inbound, trust, agentId }: Run, config: Config, policy: Policy): boolean {
  const { tools: group } = policy.setting({ inbound, trust: trust ?? "guest" });
  const entry = agentEntries(config.agents).find(({ id }) => id === agentId);
  return (
    allowedTools(
      [{ name: "read" }],
      ...policiesFor({
        tools: config.tools,
        agent: entry?.tools,
        model: { provider: "", model: "" },
        group,
        ...(trust === "guest" && !group?.allow?.length && { guest: GUEST_POLICY }),
      }),
    ).length > 0
  );
}

function blocks(defaults: AgentsConfig["defaults"], own: Partial<LiveKeys>): BlockSettings {
  const { blockStreamingChunk: chunk, blockStreamingCoalesce, humanDelay } = defaults;
  const limit = own.textChunkLimit ?? COALESCE.maxChars;
  const { mode = "off", minMs, maxMs } = humanDelay ?? {};
  return {
    minChars: Math.min(chunk.minChars, limit),
    maxChars: Math.min(chunk.maxChars, limit),
    prefer: chunk.breakPreference,
    coalesce: {
      ...COALESCE,
      ...withoutUndefined(blockStreamingCoalesce),
      ...withoutUndefined(own.blockStreamingCoalesce),
    },
    at: defaults.blockStreamingBreak,
    ...(mode === "natural" && { delay: NATURAL }),
    ...(mode === "custom" && { delay: { minMs: minMs ?? 0, maxMs: maxMs ?? 0 } }),
  };
}

const withoutUndefined = (part: Partial<BlockSettings["coalesce"]> = {}) =>
  Object.fromEntries(
    Object.entries(part).filter(([, value]) => typeof value === "number"),
  ) as Partial<BlockSettings["coalesce"]>;

/** The reaction that a message gets; undefined when it gets none. */
export function ackFor(
  inbound: Inbound,
  gate: Gate | undefined,
  config: Config,
  policy: Policy,
  emoji: string | undefined,
): AcceptedMessage["ack"] {
  const { ackReaction, ackReactionScope, removeAckAfterReply } = config.messages;
  const own = policy.section<LiveKeys>(inbound.from).ackReaction;
  if (typeof own === "object") {
    const wanted = isAckWanted(scopeOf(own, inbound), inbound.chat, gate);
    return wanted && own.emoji ? { emoji: own.emoji, remove: removeAckAfterReply } : undefined;
  }
  if (policy.hasOwnAck(inbound.from) || !isAckWanted(ackReactionScope, inbound.chat, gate))
    return undefined;
  const chosen = ackEmoji(own, ackReaction, emoji);
  return chosen ? { emoji: chosen, remove: removeAckAfterReply } : undefined;
}

/** The channel's own rules in the words of the common ones. */
function scopeOf({ direct, group }: OwnAck, { chat }: Inbound) {
  if (chat === "dm") return direct ? "direct" : "off";
  return ({ always: "group-all", mentions: "group-mentions", never: "off" } as const)[group];
}
