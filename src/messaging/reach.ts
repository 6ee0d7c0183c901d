import { AppError } from "../base/errors.ts";
import { type Accounts, isNetwork } from "../channels/accounts.ts";
/** The `message` tool for one turn: whose conversation it is, which chats are known, and what does the sending. */
import { OPERATOR_CHANNEL } from "../channels/operators.ts";
import type { Config } from "../config/schema.ts";
import type { Address } from "../flow.ts";
import type { MediaStore } from "../media/store.ts";
import type { Store, TurnRow } from "../store/store.ts";
import { type MessagesDeps, messagesFor, type MessagesPort } from "../tools/reach.ts";
import type { PairingDesk } from "./pairing.ts";
import type { Policy } from "./policy.ts";

export type ReachDeps = {
  config(): Config;
  store: Store;
  accounts: Accounts;
  policy: Policy;
  pairing: PairingDesk;
  media: MediaStore;
  act: MessagesDeps["act"];
};

/** Largest file that the model may send where the channel says nothing, in bytes. */
const MAX_BYTES = 50_000_000;

/** Undefined where no network is configured: then there is nothing to send to. */
export function messagesOf(
  deps: ReachDeps,
  { reply, inbound, trust }: TurnRow,
): MessagesPort | undefined {
  const configured = deps.accounts.configured();
  if (configured.length === 0) return undefined;
  const operator = reply.channel === OPERATOR_CHANNEL;
  const direct = inbound.chat === "dm" && trust === "owner";
  return messagesFor({
    ...(!operator && { here: reply }),
    standing: operator ? "operator" : direct ? "owner" : "other",
    config: () => deps.config().tools.message,
    accounts: () => configured,
    target(channel, raw) {
      const facts = isNetwork(channel) ? deps.accounts.factsFor(channel) : undefined;
      if (!facts) throw new AppError("bad_request", `There is no channel "${channel}" here.`);
      return facts.target(raw);
    },
    known: (to) => isKnown(deps, to),
    act: (action, to, params) => {
      refuseCommands(params["buttons"]);
      return deps.act(action, to, params);
    },
    attach: (data, about) => deps.media.save("outbound", data, { ...about, maxBytes: MAX_BYTES }),
  });
}

/**
 * What a pressed button says is taken for the words of whoever presses it. The model is assumed hostile: behind "Yes" it could hide
 * `/pair approve …`, and the owner would press it.
 */
function refuseCommands(buttons: unknown): void {
  const rows = (Array.isArray(buttons) ? buttons : []) as { text?: unknown; data?: unknown }[][];
  const hidden = rows.flat().find(({ text, data = text }) => HIDDEN_COMMAND.test(String(data)));
  if (hidden)
    throw new AppError("forbidden", "A button cannot give a command.", {
      hint: "Write the command into the message, so that the person sees it and types it.",
    });
}

/** With or without a mention in front, as router/calling.ts reads it. */
const HIDDEN_COMMAND = /^\s*(?:(?:<@!?[^>\s]{1,64}>|@\S{1,64})[\s,:]+)?\//;

/** Somebody there was let in before: by a message that was answered, by a list, or by approval. */
async function isKnown({ store, policy, pairing }: ReachDeps, to: Address): Promise<boolean> {
  if (await store.inbound.talked(to)) return true;
  const person = policy.senderId(to.channel, to.chatId);
  if (person === undefined) return false;
  const { allowFrom = [], groupAllowFrom = [] } = policy.section<{
    allowFrom: (string | number)[];
    groupAllowFrom: (string | number)[];
  }>(to);
  const named = [...allowFrom, ...groupAllowFrom].map((entry) =>
    policy.senderId(to.channel, String(entry)),
  );
  if (named.includes(person)) return true;
  return (await pairing.allowed()).some(
    (row) => row.channel === to.channel && row.account === to.account && row.sender === person,
  );
}
