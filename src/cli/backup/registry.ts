/** The commands that keep everything, and bring it back. */
import type { CommandRow } from "../command.ts";

export const BACKUP_COMMANDS: Record<string, CommandRow> = {
  backup: {
    doc: "Backups of state, config and workspaces.",
    load: async () => (await import("./command.ts")).backup,
  },
  "backup create": {
    doc: "Put everything into one file, while the gateway goes on.",
    load: async () => (await import("./command.ts")).create,
  },
  "backup verify": {
    doc: "Check that a backup is whole.",
    load: async () => (await import("./command.ts")).verify,
  },
  "backup restore": {
    doc: "Put the content of a backup in the place of what is there.",
    load: async () => (await import("./command.ts")).restore,
  },
};
