/** Which agent answers: the first binding of the most specific tier, else the default agent. Pure. */
import type { Inbound } from "../flow.ts";
import { plainId } from "../protocol/session-key.ts";
import type { BindingsConfig, BroadcastConfig } from "./routes/config.ts";

type Match = BindingsConfig[number]["match"];

/** The agents there are, by id; never empty. */
export type Agents = { ids: readonly string[]; defaultId: string };

export type BoundAgent = {
  agentId: string;
  /** The tier that decided, `binding.peer` for example, or `default`. */
  matchedBy: string;
  /** The agent that the binding names, when there is none of that id. */
  unknown?: string;
};

/** Most specific first. A tier takes the bindings whose narrowest condition it is; all conditions of a binding must hold. */
const TIERS: [name: string, fits: (match: Match, at: Place) => boolean][] = [
  ["binding.peer", (match, at) => isPeer(match, at.kind, at.peers)],
  ["binding.peer.parent", (match, at) => isPeer(match, at.kind, at.parents)],
  ["binding.guild+roles", (match) => !match.peer && match.roles !== undefined],
  ["binding.guild", (match) => !match.peer && match.guildId !== undefined],
  ["binding.team", (match) => !match.peer && match.teamId !== undefined],
  ["binding.account", (match) => isWide(match) && match.accountId !== "*"],
  ["binding.channel", (match) => isWide(match) && match.accountId === "*"],
];

type Place = {
  kind: Inbound["chat"];
  /** Spellings of this very chat, lower case. */
  peers: readonly string[];
  /** What it is a thread or topic of. */
  parents: readonly string[];
};

const isWide = (match: Match): boolean =>
  !match.peer && match.roles === undefined && !match.guildId && !match.teamId;

const isPeer = ({ peer }: Match, kind: Inbound["chat"], ids: readonly string[]): boolean =>
  peer !== undefined && peer.kind === kind && ids.includes(peer.id.toLowerCase());

/** The account of a binding that names none is `default`. */
const DEFAULT_ACCOUNT = "default";

export function boundAgent(
  inbound: Inbound,
  bindings: BindingsConfig,
  { ids, defaultId }: Agents,
): BoundAgent {
  const place = placeOf(inbound);
  const candidates = bindings.filter(({ match }) => isCandidate(match, inbound));
  for (const [matchedBy, fits] of TIERS) {
    const found = candidates.find(({ match }) => fits(match, place));
    if (!found) continue;
    const agentId = plainId(found.agentId, "main");
    return ids.includes(agentId)
      ? { agentId, matchedBy }
      : { agentId: defaultId, matchedBy: "default", unknown: agentId };
  }
  return { agentId: defaultId, matchedBy: "default" };
}

/** Whether everything but the peer holds, which a tier looks at. */
function isCandidate(match: Match, { from, sender, room }: Inbound): boolean {
  const account = match.accountId || DEFAULT_ACCOUNT;
  const server = room?.space?.id;
  return (
    match.channel.toLowerCase() === from.channel &&
    (account === "*" || account === from.account) &&
    (match.guildId === undefined || match.guildId === server) &&
    (match.teamId === undefined || match.teamId === server) &&
    (match.roles === undefined || match.roles.some((role) => sender.roles?.includes(role)))
  );
}

function placeOf({ chat, from, sender, room }: Inbound): Place {
  const { chatId, threadId } = from;
  const lower = (...ids: (string | undefined)[]) =>
    ids.flatMap((id) => (id === undefined || id === "" ? [] : [id.toLowerCase()]));
  if (chat === "dm") return { kind: chat, peers: lower(sender.id, chatId), parents: [] };
  if (threadId === undefined)
    return { kind: chat, peers: lower(chatId), parents: lower(room?.parentId) };
  return {
    kind: chat,
    peers: lower(`${chatId}:topic:${threadId}`, `${chatId}:thread:${threadId}`),
    parents: lower(chatId, room?.parentId),
  };
}

/**
 * The agents that all answer this chat, when the config names some for it: they take the place of the binding. Undefined when it
 * names none that exists; `unknown` has the others.
 */
export function broadcastAgents(
  inbound: Inbound,
  broadcast: BroadcastConfig,
  agents: Agents,
): { agentIds: string[]; unknown: string[] } | undefined {
  const { peers, parents } = placeOf(inbound);
  const wanted = [...peers, ...parents];
  const row = Object.entries(broadcast ?? {}).find(
    ([peer, named]) => Array.isArray(named) && wanted.includes(peer.trim().toLowerCase()),
  );
  if (!row) return undefined;
  const named = [...new Set((row[1] as string[]).map((id) => plainId(id, "main")))];
  const agentIds = named.filter((id) => agents.ids.includes(id));
  if (!agentIds.length) return undefined;
  return { agentIds, unknown: named.filter((id) => !agents.ids.includes(id)) };
}
