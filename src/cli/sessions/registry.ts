/** The commands about single conversations. */
import type { CommandRow } from "../command.ts";

const change = () => import("./change.ts");

export const SESSION_COMMANDS: Record<string, CommandRow> = {
  "sessions tail": {
    doc: "The last things said in a conversation.",
    load: async () => (await change()).tail,
  },
  "sessions reset": {
    doc: "Begin a new conversation under the same key.",
    load: async () => (await change()).reset,
  },
  "sessions delete": {
    doc: "Remove a conversation.",
    load: async () => (await change()).remove,
  },
};
