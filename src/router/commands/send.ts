/** /send: whether messages of this conversation are answered at all. */
import { z } from "zod";

import { command } from "./command.ts";

export const send = command({
  name: "send",
  doc: "Whether I answer in this conversation.",
  args: z.object({
    mode: z
      .enum(["on", "off", "inherit"])
      .optional()
      .describe("off: messages get no answer, commands still do. None shows the present one."),
  }),
  spellings: { allow: "on", deny: "off", default: "inherit", reset: "inherit" },
  access: "owner",
  async run({ mode }, ctx) {
    if (mode)
      await ctx.change({
        sendPolicy: mode === "inherit" ? null : mode === "on" ? "allow" : "deny",
      });
    const policy = (await ctx.session())?.settings.sendPolicy;
    return {
      text:
        policy === undefined
          ? "Answering: on (default)"
          : policy === "allow"
            ? "Answering: on"
            : "Answering: off. `/send on` turns it on again.",
    };
  },
});
