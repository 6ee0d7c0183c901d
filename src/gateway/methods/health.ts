/** How the gateway is, in one word and in detail. */
import { z } from "zod";

import { method } from "../method.ts";

const Summary = z.looseObject({
  ok: z.boolean().describe("False while new messages are not taken; `problems` says why."),
  ts: z.number(),
  durationMs: z.number(),
  problems: z.array(z.string()).optional(),
});

export const health = {
  health: method({
    doc: "Health of the gateway, as it is now.",
    scope: "operator.read",
    params: z.object({
      probe: z.unknown().optional().describe("Kept for old clients; has no effect."),
    }),
    result: Summary,
    async run(_, { gateway }) {
      return (await gateway.health(true)) as z.input<typeof Summary>;
    },
  }),
};
