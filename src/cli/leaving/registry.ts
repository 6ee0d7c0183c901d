/** The commands that take away what the others have made. */
import type { CommandRow } from "../command.ts";

export const LEAVING_COMMANDS: Record<string, CommandRow> = {
  reset: {
    doc: "Remove the config, or also keys, sign-ins and conversations, or everything.",
    load: async () => (await import("./reset.ts")).reset,
  },
  uninstall: {
    doc: "Remove the service, the state and, when you ask, the workspace.",
    load: async () => (await import("./uninstall.ts")).uninstall,
  },
};
