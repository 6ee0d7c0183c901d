/** The commands that help with the command line itself. */
import type { CommandRow } from "../command.ts";

export const SHELL_COMMANDS: Record<string, CommandRow> = {
  docs: {
    doc: "Search the documentation that is inside this program.",
    load: async () => (await import("./docs.ts")).docs,
  },
  completion: {
    doc: "Make the Tab key of your shell know the commands.",
    load: async () => (await import("./completion.ts")).completion,
  },
};
