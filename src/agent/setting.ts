/** What a chat and its config add to a turn; filled in messaging.ts, which knows the channels. */
import type { ToolPolicy } from "../tools/config.ts";
import type { MessagesPort } from "../tools/reach.ts";

export type TurnSetting = {
  /** The channel's name for people; undefined for signed-in operators, whose message needs no envelope. */
  channel?: string;
  /** What the config says for this group. */
  instructions?: string;
  /** What the model is told once, with the first message of a group. */
  intro?: string;
  /** Messages of the user that the model is shown of a direct conversation; undefined: as many as fit. */
  historyTurns?: number;
  /** Of the group, or of this sender in it. */
  tools?: ToolPolicy;
  /** Nobody named the sender on a list. */
  guest: boolean;
  /** Sending messages; undefined where no network is configured. */
  messages?: MessagesPort;
};
