/** What the models have used, by day and by model, and what it cost where a price is known. For `usage.cost` and the command line. */
import type { Usage } from "../../flow.ts";
import type { ModelsConfig } from "../../providers/config.ts";
import { Table } from "../../providers/table.ts";
import type { UsagePage, UsageQuery, UsageRow } from "../../store/store.ts";

/** Sums in the original's words. `missingCostEntries` counts the answers without a known price. */
export type CostSum = Usage & {
  totalTokens: number;
  /** Dollars. */
  totalCost: number;
  missingCostEntries: number;
};
export type CostReport = {
  /** Epoch ms. */
  updatedAt: number;
  days: number;
  /** Every day that has something, oldest first; `date` is a day of the gateway's time zone. */
  daily: (CostSum & { date: string })[];
  totals: CostSum;
  /** Most expensive first, then by tokens. */
  models: (CostSum & { ref: string; calls: number })[];
};

const PER_PRICE = 1_000_000;

const nothing = (): CostSum => ({
  input: 0,
  output: 0,
  cacheRead: 0,
  cacheWrite: 0,
  totalTokens: 0,
  totalCost: 0,
  missingCostEntries: 0,
});

/** Dollars per million tokens; undefined for a model whose price nobody knows. */
type Price = Usage | undefined;

/** Prices of the config, else the built-in ones. */
function priceList(models: ModelsConfig | undefined): (row: UsageRow) => Price {
  if (!models) return () => undefined;
  const table = new Table(models, {});
  const known = new Map<string, Price>();
  return ({ provider, model }) => {
    const ref = `${provider}/${model}`;
    if (!known.has(ref)) {
      const row = table.provider(provider);
      known.set(ref, row && table.model({ provider, model }, row).cost);
    }
    return known.get(ref);
  };
}

function add(to: CostSum, { usage, calls }: UsageRow, price: Price): void {
  for (const kind of ["input", "output", "cacheRead", "cacheWrite"] as const) {
    to[kind] += usage[kind];
    to.totalTokens += usage[kind];
    to.totalCost += price ? (usage[kind] * price[kind]) / PER_PRICE : 0;
  }
  if (!price) to.missingCostEntries += calls;
}

/** Midnight of the day `days - 1` before this one, in this machine's time zone. */
export function firstMoment(now: number, days: number): number {
  const today = new Date(now);
  return new Date(today.getFullYear(), today.getMonth(), today.getDate() - (days - 1)).getTime();
}

function dateOf(at: number): string {
  const day = new Date(at);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

type Options = {
  /** Today is the last of them. */
  days: number;
  now: number;
  models: ModelsConfig | undefined;
  /** Called between two steps, so that other work is not held up. */
  rest?: () => Promise<void>;
};

/** @param read one step, as the store's `transcript.usage` */
export async function usageCost(
  read: (query: UsageQuery) => Promise<UsagePage> | UsagePage,
  { days, now, models, rest }: Options,
): Promise<CostReport> {
  const since = firstMoment(now, days);
  const price = priceList(models);
  const totals = nothing();
  const daily = new Map<string, CostSum>();
  const byModel = new Map<string, CostSum & { calls: number }>();
  let after: UsageQuery["after"];
  for (;;) {
    const { rows, next } = await read({ since, ...(after && { after }) });
    for (const row of rows) {
      const cost = price(row);
      const date = dateOf(row.at);
      const ref = `${row.provider}/${row.model}`;
      const day = daily.get(date) ?? nothing();
      const model = byModel.get(ref) ?? { ...nothing(), calls: 0 };
      for (const to of [totals, day, model]) add(to, row, cost);
      model.calls += row.calls;
      daily.set(date, day);
      byModel.set(ref, model);
    }
    if (!next) break;
    after = next;
    await rest?.();
  }
  return {
    updatedAt: now,
    days,
    daily: [...daily]
      .map(([date, sum]) => ({ date, ...sum }))
      .toSorted((a, b) => (a.date < b.date ? -1 : 1)),
    totals,
    models: [...byModel]
      .map(([ref, sum]) => ({ ref, ...sum }))
      .toSorted((a, b) => b.totalCost - a.totalCost || b.totalTokens - a.totalTokens),
  };
}

/** Ten years. */
export const MOST_DAYS = 3_660;
