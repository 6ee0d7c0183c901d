/** How the gateway is, in one word and in detail. */
import { z } from "zod";

import { method } from "../method.ts";

const Summary = z.looseObject({ ok: z.literal(true), ts: z.number(), durationMs: z.number() });

export const health = {
  health: method({
    doc: "Health of the gateway; at most a minute old unless `probe` is set.",
    scope: "operator.read",
    params: z.object({ probe: z.unknown().optional() }),
    result: Summary,
    async run({ probe }, { gateway }) {
      return (await gateway.health(probe === true)) as z.input<typeof Summary>;
    },
  }),
};
