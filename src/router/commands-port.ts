/** What the router asks of the slash commands. Implemented in router/commands; handed to the router when it is made. */
import type { Address, Inbound, SessionKey, Trust } from "../flow.ts";

/** `/model opus` is `{ name: "model", args: "opus" }`; the name is the command's own, not an alias. */
export type CommandCall = { name: string; args: string };

/** For whom and where a command runs. */
export type CommandContext = {
  /** As it arrived; its text has no `@name` in front of or behind the command any more. */
  inbound: Inbound;
  agentId: string;
  sessionKey: SessionKey;
  trust: Trust;
  /** Where the answer goes. */
  reply: Address;
};

/**
 * `text`: the answer, Markdown; no model is asked. `continue`: the message goes on to the model, as `text` when there is one
 * (`/think high why?` goes on as `why?`), else as it was.
 */
export type CommandResult = ({ text: string } | { continue: true; text?: string }) & {
  /** To be called once the answer is stored: for what would else keep it from being stored (a restart). */
  after?: () => void;
};

/** What somebody is told who may not use a command, in the words that the original used. */
export const REFUSAL = "You are not authorized to use this command.";

export interface CommandsPort {
  /** The command that the text is; undefined for anything else. Pure and quick. */
  parse(text: string, inbound: Inbound): CommandCall | undefined;
  /**
   * Whether it acts on the program or the session: in a group it needs no mention, and who may not use it gets no answer.
   * Any other command is for everybody who is let in.
   */
  isControl(name: string): boolean;
  /**
   * Control commands come only from senders who may use commands; what only owners may, the command itself refuses. Throws
   * AppError: what passes (`store_failed`, `disk_full`, `busy`) makes the message come again, everything else is the answer.
   */
  run(call: CommandCall, ctx: CommandContext): Promise<CommandResult>;
}
