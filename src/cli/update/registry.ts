/** The commands that replace the program. */
import type { CommandRow } from "../command.ts";

export const UPDATE_COMMANDS: Record<string, CommandRow> = {
  update: {
    doc: "Take the newest version, try it, and put it in the place of this one.",
    load: async () => (await import("./command.ts")).update,
  },
  "update status": {
    doc: "Which version runs, which is the newest, and what the way back is.",
    load: async () => (await import("./command.ts")).status,
  },
  "update rollback": {
    doc: "Go back to the version before, with everything that has been said since.",
    load: async () => (await import("./command.ts")).rollback,
  },
};
