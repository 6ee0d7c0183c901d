/** `usage` and `gateway usage-cost`: tokens and cost by day and by model; from the gateway, else straight from the database. */
import {
  type CostReport,
  type CostSum,
  MOST_DAYS,
  usageCost,
} from "../../../gateway/methods/usage-cost.ts";
import { peekUsage } from "../../../store/sqlite/peek.ts";
import { wholeNumber } from "../../arguments.ts";
import { eitherWay } from "../../channels/reach.ts";
import type { Cli } from "../../command.ts";
import { command, GATEWAY_ARGS, underName } from "../../command.ts";
import type { Out } from "../../out.ts";
import type { Wish } from "../../rpc.ts";
import { loadSettings } from "../../settings.ts";

export const usage = command({
  doc: "Tokens and cost of the last days, by day and by model. Works while the gateway is down.",
  args: {
    days: { type: "string", hint: "n", default: "30", description: "Today is the last of them." },
    ...GATEWAY_ARGS,
  },
  notes:
    "Counted are the answers that are still in the database, when they were given. The cost is an estimate: tokens times the price in models.providers, or the one that is built in.",
  examples: [
    ["usage", "the last 30 days"],
    ["usage --days 1 --json", "today, for scripts"],
  ],
  async run(args, cli) {
    const days = wholeNumber("days", args.days, { min: 1, max: MOST_DAYS })!;
    const report = await usageOf(cli, args, days);
    if (args.json) cli.out.data(report);
    else printUsage(cli.out, report);
  },
});

export const gatewayUsage = underName(usage, "usage", "gateway usage-cost");

/** Of the gateway that is meant; of this machine's database when none answers. */
export const usageOf = (cli: Cli, wish: Wish, days: number): Promise<CostReport> =>
  eitherWay(
    cli,
    wish,
    ({ client, timeoutMs }) => client.call("usage.cost", { days }, { timeoutMs }),
    async () => {
      const { config } = await loadSettings(cli.env, cli.paths);
      return usageCost((query) => peekUsage(cli.paths.databasePath, query), {
        days,
        now: Date.now(),
        models: config?.models,
      });
    },
  );

/** Days that are shown, the newest; --json has all. */
const MOST_ROWS = 31;

const dollars = ({ totalCost, missingCostEntries, totalTokens }: CostSum): string =>
  totalTokens === 0
    ? "$0"
    : totalCost === 0 && missingCostEntries > 0
      ? "unknown"
      : `$${totalCost.toFixed(totalCost < 1 ? 4 : 2)}${missingCostEntries > 0 ? " or more" : ""}`;
const count = (tokens: number): string => tokens.toLocaleString("en");

export function printUsage(out: Out, { days, daily, totals, models }: CostReport): void {
  const span = days === 1 ? "today" : `the last ${days} days`;
  out.line(`Usage of ${span}: ${count(totals.totalTokens)} tokens, ${dollars(totals)}`);
  if (daily.length === 0) return;
  const columns = (first: string) => [
    { title: first },
    ...["In", "Out", "Cached", "Cost"].map((title) => ({ title, align: "right" as const })),
  ];
  const cells = (sum: CostSum) => [
    count(sum.input + sum.cacheWrite),
    count(sum.output),
    count(sum.cacheRead),
    dollars(sum),
  ];
  out.line();
  out.table(
    columns("Day"),
    daily.slice(-MOST_ROWS).map(({ date, ...sum }) => [date, ...cells(sum)]),
  );
  out.line();
  out.table(
    columns("Model"),
    models.map(({ ref, ...sum }) => [ref, ...cells(sum)]),
  );
}
