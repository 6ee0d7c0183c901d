/** `--bind <channel[:account]>`: which agent answers where. What the bindings of the config are, and the changes to them. */
import type { Change } from "../../config/edit.ts";
import type { Config } from "../../config/schema.ts";
import { plainId } from "../../protocol/session-key.ts";
import { accountNamed, channelNamed } from "../channels/accounts.ts";

type Binding = Config["bindings"][number];
type Match = Binding["match"];

/** A wish of the command line. */
export type Wanted = { channel: string; accountId?: string };

/** Throws usage for a channel or an account that cannot be. A name alone, `<channel>:work`, `<channel>:*`. */
export function parseBind(text: string): Wanted {
  const at = text.indexOf(":");
  const channel = channelNamed(at < 0 ? text : text.slice(0, at));
  const account = at < 0 ? "" : text.slice(at + 1).trim();
  if (!account) return { channel };
  return { channel, accountId: account === "*" ? account : accountNamed(account) };
}

/** One line for a person: `<channel>:work peer=group:123`. */
export function describeMatch({ channel, accountId, peer, guildId, teamId, roles }: Match): string {
  const more = [
    peer && `peer=${peer.kind}:${peer.id}`,
    guildId && `guild=${guildId}`,
    teamId && `team=${teamId}`,
    roles?.length && `roles=${roles.join("+")}`,
  ].filter(Boolean);
  return [accountId ? `${channel}:${accountId}` : channel, ...more].join(" ");
}

/** Of the whole account: no chat, server or role is named. */
const isWide = ({ peer, guildId, teamId, roles }: Match): boolean =>
  !peer && !guildId && !teamId && !roles;

/** No account and `default` are the same. */
const sameAccount = (match: Match, { channel, accountId }: Wanted): boolean =>
  isWide(match) &&
  match.channel.toLowerCase() === channel &&
  (match.accountId || "default") === (accountId ?? "default");

export const bindingsOf = (config: Pick<Config, "bindings">, agentId: string): Binding[] =>
  config.bindings.filter((each) => plainId(each.agentId, "main") === agentId);

export type Bound = {
  added: string[];
  /** It was so already. */
  skipped: string[];
  /** Another agent has it: `<channel> (main)`. */
  conflicts: string[];
};

/** What binding the agent to these places would change; what another agent has is left to it. */
export function bindChanges(
  { bindings }: Pick<Config, "bindings">,
  agentId: string,
  wanted: Wanted[],
): { changes: Change[]; bound: Bound } {
  const bound: Bound = { added: [], skipped: [], conflicts: [] };
  const fresh: { agentId: string; match: Wanted }[] = [];
  for (const each of wanted) {
    const label = describeMatch(each);
    const present = bindings.find(({ match }) => sameAccount(match, each));
    const again = fresh.some(({ match }) => sameAccount(match, each));
    const owner = present && plainId(present.agentId, "main");
    if (again || owner === agentId) bound.skipped.push(label);
    else if (owner) bound.conflicts.push(`${label} (${owner})`);
    else {
      bound.added.push(label);
      fresh.push({ agentId, match: each });
    }
  }
  const changes = fresh.map((value, i): Change => {
    if (bindings.length === 0 && i === 0)
      return { kind: "set", path: ["bindings"], value: [value] };
    return { kind: "set", path: ["bindings", String(bindings.length + i)], value };
  });
  return { changes, bound };
}

/** What taking these places away changes; all of the agent's when `wanted` is undefined. Later ones first, so that places stay true. */
export function unbindChanges(
  { bindings }: Pick<Config, "bindings">,
  agentId: string,
  wanted: Wanted[] | undefined,
): { changes: Change[]; removed: string[]; missing: string[] } {
  const going = bindings.flatMap(({ agentId: owner, match }, i) =>
    plainId(owner, "main") === agentId &&
    (!wanted || wanted.some((each) => sameAccount(match, each)))
      ? [{ i, match }]
      : [],
  );
  const missing = (wanted ?? []).filter(
    (each) => !going.some(({ match }) => sameAccount(match, each)),
  );
  return {
    changes: going
      .map(({ i }): Change => ({ kind: "unset", path: ["bindings", String(i)] }))
      .reverse(),
    removed: going.map(({ match }) => describeMatch(match)),
    missing: missing.map((each) => describeMatch(each)),
  };
}
