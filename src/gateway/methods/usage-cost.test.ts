import { expect, test } from "bun:test";

import type { UsagePage, UsageQuery } from "../../store/store.ts";
import { firstMoment, usageCost } from "./usage-cost.ts";

const row = (at: number, provider: string, model: string, input: number) => ({
  at,
  agentId: "main",
  provider,
  model,
  calls: 1,
  usage: { input, output: 0, cacheRead: 0, cacheWrite: 0 },
});
const models = {
  mode: "merge" as const,
  providers: {
    own: {
      baseUrl: "http://127.0.0.1:1",
      api: "openai-completions" as const,
      models: [{ id: "m", name: "M", cost: { input: 2, output: 0, cacheRead: 0, cacheWrite: 0 } }],
    },
  },
};

test("all steps are read, and days are those of this machine's clock", async () => {
  const now = new Date(2026, 10, 20, 15).getTime();
  const asked: UsageQuery[] = [];
  const pages: UsagePage[] = [
    {
      rows: [row(new Date(2026, 10, 20, 0, 0).getTime(), "own", "m", 1_000_000)],
      next: { transcript: 3, before: 1 },
    },
    { rows: [row(new Date(2026, 10, 19, 23, 45).getTime(), "own", "other", 5)] },
  ];
  let rests = 0;
  const report = await usageCost(
    (query) => {
      asked.push(query);
      return pages[asked.length - 1]!;
    },
    { days: 2, now, models: models as never, rest: async () => void rests++ },
  );
  const since = new Date(2026, 10, 19).getTime();
  expect(asked).toEqual([{ since }, { since, after: { transcript: 3, before: 1 } }]);
  expect(rests).toBe(1);
  expect(report.daily.map(({ date, input }) => [date, input])).toEqual([
    ["2026-11-19", 5],
    ["2026-11-20", 1_000_000],
  ]);
  expect(report.totals).toMatchObject({ totalTokens: 1_000_005, totalCost: 2 });
  expect(report.models.map(({ ref, calls }) => [ref, calls])).toEqual([
    ["own/m", 1],
    ["own/other", 1],
  ]);
});

test("an answer without a price is counted as such, and is no free one", async () => {
  const page = { rows: [row(Date.now(), "nobody", "knows", 7)] };
  const { totals } = await usageCost(() => page, { days: 1, now: Date.now(), models: undefined });
  expect(totals).toMatchObject({ totalTokens: 7, totalCost: 0, missingCostEntries: 1 });
});

test("the first moment is a midnight, also over the end of a month", () => {
  expect(firstMoment(new Date(2026, 2, 1, 12).getTime(), 2)).toBe(new Date(2026, 1, 28).getTime());
  expect(firstMoment(new Date(2026, 2, 1).getTime(), 1)).toBe(new Date(2026, 2, 1).getTime());
});
