/** What becomes of a message of the operators: they are signed in, so it goes where they say. */
import type { Inbound, Route } from "../flow.ts";
import { canonicalKey, parseKey, sessionKey } from "../protocol/session-key.ts";

/** The parts of the configuration that routing an operator looks at. */
export type Policy = {
  defaultAgentId: string;
  mainKey: string;
  /** The channel whose senders are signed-in operators; every other channel needs its access policy. */
  operatorChannel: string;
};

export function routeFor(inbound: Inbound, policy: Policy): Route {
  if (inbound.from.channel !== policy.operatorChannel)
    return { kind: "drop", reason: "not_allowed" };
  const wished = inbound.wish?.sessionKey;
  const key = wished
    ? canonicalKey(wished, { agentId: policy.defaultAgentId, mainKey: policy.mainKey })
    : sessionKey(inbound.wish?.agentId ?? policy.defaultAgentId);
  if (!key)
    return {
      kind: "drop",
      reason: "not_allowed",
      detail: "the session key is not one",
    };
  return {
    kind: "turn",
    agentId: parseKey(key)?.agentId ?? policy.defaultAgentId,
    sessionKey: key,
    reply: inbound.from,
    matchedBy: wished ? "client" : "default",
    trust: "owner",
  };
}
