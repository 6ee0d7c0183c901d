/**
 * Does what can be done in a chat besides answering: the one way of the `message` tool, the RPC and `clawdbot message`. Whether the
 * caller may, and where, is decided before (tools/reach.ts); here it is only whether the channel can, and whether its config lets it.
 */
import { z } from "zod";

import { AppError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import type { Address } from "../flow.ts";
import { type ActingPorts, type Action, type ActionName, ACTIONS } from "./action-table.ts";
import type { ChannelAccount } from "./channel.ts";

export { type ActingPorts, type ActionName, ACTIONS, type ToSend } from "./action-table.ts";

/** Other names that callers use: the words of the terminal's commands, and verbs of channels that are not here. */
const NAMES: Readonly<Record<string, ActionName>> = {
  pins: "list-pins",
  directory: "channel-list",
  unsend: "delete",
  reply: "send",
  "thread create": "thread-create",
  "thread list": "thread-list",
  "thread reply": "thread-reply",
  "member info": "member-info",
  "channel list": "channel-list",
};
/** Other names of parameters: those of the RPC `poll`, and what models and scripts write. */
const PARAMS: Readonly<Record<string, string>> = {
  text: "message",
  question: "pollQuestion",
  options: "pollOption",
  durationHours: "pollDurationHours",
  replyToId: "replyTo",
  id: "messageId",
  name: "threadName",
};

/** The action of this name. Throws `bad_request` with what there is. */
export function actionNamed(given: string): { name: ActionName; of: Action } {
  const lower = given.trim().toLowerCase();
  const name = Object.hasOwn(NAMES, lower) ? NAMES[lower]! : lower;
  if (Object.hasOwn(ACTIONS, name))
    return { name: name as ActionName, of: ACTIONS[name as ActionName] as unknown as Action };
  const known = Object.keys(ACTIONS);
  const meant = nearest(lower, known);
  throw new AppError("bad_request", `There is no action "${given.slice(0, 64)}".`, {
    hint: meant ? `Did you mean ${meant}?` : `One of: ${known.join(", ")}.`,
  });
}

const isOff = (of: Action, on: Readonly<Record<string, unknown>>): string | undefined =>
  of.switches.find((key) => on[key] === false);

/** The actions that an account has and whose switches are not off. */
export const actionsOf = (
  account: ChannelAccount,
  switches: Readonly<Record<string, unknown>>,
): ActionName[] =>
  (Object.keys(ACTIONS) as ActionName[]).filter((name) => {
    const { of } = actionNamed(name);
    return account[of.needs] !== undefined && isOff(of, switches) === undefined;
  });

/**
 * Does it. Gives the raw result (for programs) and the same in words (for models). Throws `bad_request` (no such action, wrong
 * parameters, or the channel cannot), `forbidden` (switched off), and what the channel throws.
 */
export async function act(
  ports: ActingPorts,
  given: string,
  to: Address,
  params: Readonly<Record<string, unknown>>,
): Promise<{ action: ActionName; result: unknown; text: string }> {
  const { name, of } = actionNamed(given);
  const account = ports.account(to);
  if (account[of.needs] === undefined) throw cannot(name, of, to, ports);
  const off = isOff(of, ports.switches(to));
  if (off !== undefined)
    throw new AppError("forbidden", `${name} is switched off for ${to.channel}.`, {
      hint: `\`channels.${to.channel}.actions.${off}: true\` allows it.`,
    });
  if (!to.chatId && !of.anywhere)
    throw new AppError("bad_request", `${name} needs a chat.`, { hint: "Name the target." });
  const parsed = of.params.safeParse(renamed(of, params));
  if (!parsed.success)
    throw new AppError("bad_request", `${name}: ${z.prettifyError(parsed.error)}`.slice(0, 1000));
  const result = await of.run(parsed.data, { account, to, ports });
  return { action: name, result: result ?? null, text: of.say(result, parsed.data) };
}

/** The parameters under the action's own names; absent ones are left out, foreign ones too. */
function renamed(of: Action, params: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { shape } = of.params;
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(params)) {
    const name = key in shape || !Object.hasOwn(PARAMS, key) ? key : PARAMS[key]!;
    if (!Object.hasOwn(shape, name) || value === undefined || value === null) continue;
    if (name === key || !Object.hasOwn(params, name)) out[name] = value;
  }
  return out;
}

function cannot(name: ActionName, of: Action, { channel }: Address, ports: ActingPorts): AppError {
  const able = [
    ...new Set(
      ports
        .running()
        .filter(({ account }) => account[of.needs] !== undefined)
        .map((each) => each.channel),
    ),
  ];
  return new AppError("bad_request", `${channel} has no ${name}.`, {
    hint: able.length ? `These have: ${able.join(", ")}.` : "No running channel has it.",
    details: { action: name, channels: able },
  });
}
