/** /stop: the one command that must work while everything else is stuck. */
import { z } from "zod";

import { command } from "./command.ts";

/** As a whole message, these mean /stop. */
const WORDS: ReadonlySet<string> = new Set(["stop", "esc", "abort", "wait", "exit", "interrupt"]);

export const isStopWord = (text: string): boolean => WORDS.has(text.trim().toLowerCase());

export const stop = command({
  name: "stop",
  doc: "Stops what I am doing in this conversation. The word stop alone does the same.",
  // Whoever is in a hurry writes more than needed.
  args: z.object({ reason: z.string().optional().describe("Not looked at.") }),
  access: "allowed",
  async run(_, { runs, caller }) {
    const stopped = await runs.stop(caller.sessionKey);
    if (stopped === 0) return { text: "Nothing is running here." };
    const waiting = stopped - 1;
    return {
      text:
        waiting === 0
          ? "Stopped."
          : `Stopped, and ${waiting} waiting message${waiting === 1 ? "" : "s"} dropped.`,
    };
  },
});
