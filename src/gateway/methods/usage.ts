/** What the models have used. */
import { z } from "zod";

import { systemClock } from "../../base/time.ts";
import { method } from "../method.ts";
import { MOST_DAYS, usageCost } from "./usage-cost.ts";

const number = z.number();
const sums = {
  input: number,
  output: number,
  cacheRead: number,
  cacheWrite: number,
  totalTokens: number,
  totalCost: number.describe("Dollars, of the answers whose price is known."),
  missingCostEntries: z.int().describe("Answers without a known price."),
};

/** Between two steps, in ms: the gateway keeps most of the time for its work. */
const REST_MS = 1;

export const usage = {
  "usage.cost": method({
    doc: "Tokens of the last days, by day and by model, and what they cost where a price is known.",
    scope: "operator.read",
    params: z.object({
      days: z.int().min(1).max(MOST_DAYS).default(30).describe("Today is the last of them."),
    }),
    result: z.lazy(() =>
      z.object({
        updatedAt: number,
        days: z.int(),
        daily: z.array(z.object({ date: z.string(), ...sums })),
        totals: z.object(sums),
        models: z.array(z.object({ ref: z.string(), calls: z.int(), ...sums })),
      }),
    ),
    async run({ days }, { store, gateway, config }) {
      return usageCost((query) => store.transcript.usage(query), {
        days,
        now: gateway.now(),
        models: config.current().models,
        rest: () => systemClock.sleep(REST_MS),
      });
    },
  }),
};
