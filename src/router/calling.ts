/** Finds the slash command in a message and runs it. */
import { type ErrorCode, toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Inbound, Route } from "../flow.ts";
import type { CommandCall, CommandResult, CommandsPort } from "./commands-port.ts";

/** A command, and the message without the name that it was addressed to. */
export type CommandText = { call: CommandCall; inbound: Inbound };

/** A mention in front of the words: `@claw /status`, `<@123> stop`. */
const LEADING_MENTION = /^\s*(?:<@!?[^>\s]{1,64}>|@\S{1,64})[\s,:]+/;
const LEADING_BEFORE_SLASH = new RegExp(`${LEADING_MENTION.source}(?=/)`);
/** The name of a bot behind the command: `/status@claw_bot`. */
const ADDRESSEE = /^(\/[a-z0-9_-]{1,64})@[a-z0-9_]{1,64}(?=[\s:]|$)/i;

/** The command that a message is. In a group, one that is addressed to another bot by name is none. */
export function commandIn(inbound: Inbound, commands: CommandsPort): CommandText | undefined {
  const { command, mentioned, chat } = inbound;
  if (command) {
    const text = `/${command.name}${command.args ? ` ${command.args}` : ""}`;
    const call = commands.parse(text, inbound);
    return call && { call, inbound: { ...inbound, text } };
  }
  const dm = chat === "dm";
  // Elsewhere the first name is ours only when the platform says that we are mentioned.
  const leading = dm ? LEADING_BEFORE_SLASH : mentioned && LEADING_MENTION;
  const bare = (leading ? inbound.text.replace(leading, "") : inbound.text).trim();
  if (ADDRESSEE.test(bare) && !dm && !mentioned) return undefined;
  const text = bare.replace(ADDRESSEE, "$1");
  const call = commands.parse(text, inbound);
  return call && { call, inbound: { ...inbound, text } };
}

/** Failures that pass: the message comes again, and the command with it. Every other one is the answer. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["store_failed", "disk_full", "busy"]);

/** What is said at once, or the message that goes on to the model. */
export type Outcome = ({ text: string; by: string } | { inbound: Inbound }) &
  Pick<CommandResult, "after">;

export async function answerTo(
  { call, inbound }: CommandText,
  route: Route & { kind: "turn" },
  commands: CommandsPort,
  log: Logger,
): Promise<Outcome> {
  const by = `/${call.name}`;
  const { agentId, sessionKey, trust, reply } = route;
  try {
    const result = await commands.run(call, { inbound, agentId, sessionKey, trust, reply });
    const after = result.after && { after: result.after };
    if (!("continue" in result)) return { text: result.text, by, ...after };
    return { inbound: { ...inbound, text: result.text ?? inbound.text }, ...after };
  } catch (cause) {
    // An edge: a command that fails must not make its message come again for ever.
    const { code, message, hint } = toAppError(cause);
    if (PASSING.has(code)) throw cause;
    log.warn("a command failed", { command: call.name, code, error: message });
    return { text: hint ? `${message} ${hint}` : message, by };
  }
}
