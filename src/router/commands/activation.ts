/** /activation: whether a group must mention the assistant. */
import { z } from "zod";

import { command } from "./command.ts";

export const activation = command({
  name: "activation",
  doc: "In a group: answer everything, or only when mentioned.",
  args: z.object({
    mode: z.enum(["mention", "always"]).optional().describe("None shows the present one."),
  }),
  access: "allowed",
  where: "group",
  async run({ mode }, ctx) {
    if (mode) await ctx.change({ groupActivation: mode });
    const now = mode ?? (await ctx.session())?.settings.groupActivation;
    return {
      text:
        now === undefined
          ? "This group does what the config says. Choose mention or always."
          : now === "always"
            ? "I answer everything here."
            : "I answer here when I am mentioned.",
    };
  },
});
