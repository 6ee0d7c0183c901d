/** Which messages get a reaction as a sign that they were seen. Pure. */
import type { Inbound } from "../flow.ts";
import type { MessagesConfig } from "../sessions/config.ts";
import type { Gate } from "./mention.ts";

/** `gate` of the decision; undefined for a direct message. */
export function isAckWanted(
  scope: MessagesConfig["ackReactionScope"],
  chat: Inbound["chat"],
  gate: Gate | undefined,
): boolean {
  switch (scope) {
    case "all":
      return true;
    case "direct":
      return chat === "dm";
    case "group-all":
      return chat !== "dm";
    case "group-mentions":
      return chat !== "dm" && gate !== undefined && gate.required && gate.mentioned;
    case "off":
    case "none":
      return false;
  }
}
