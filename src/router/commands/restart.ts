/** /restart: the gateway ends and begins again in the same process. */
import { z } from "zod";

import { command } from "./command.ts";

export const restart = command({
  name: "restart",
  doc: "Restarts the gateway.",
  args: z.object({}),
  access: "owner",
  gate: "restart",
  async run(_, { restart: begin }) {
    if (!begin) return { text: "This gateway cannot restart itself." };
    // Restarting first would leave the message unanswered, and the platform would bring it again, for ever.
    return {
      text: "Restarting. I am back in a moment.",
      after: () => begin("a command in a chat"),
    };
  },
});
