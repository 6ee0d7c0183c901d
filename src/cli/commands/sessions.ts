/** `sessions`: the conversations, from the running gateway or straight from the database. */
import { existsSync } from "node:fs";

import { AppError } from "../../base/errors.ts";
import { formatAge } from "../../base/time.ts";
import { listRow } from "../../gateway/session-rows.ts";
import { peekSessions } from "../../store/sqlite/peek.ts";
import { wholeNumber } from "../arguments.ts";
import type { Cli } from "../command.ts";
import { command, GATEWAY_ARGS, underName } from "../command.ts";
import { type Wish, withGateway } from "../rpc.ts";

type Row = ReturnType<typeof listRow> & { contextTokens?: number };
type Found = { path: string; rows: Row[]; total: number };
type Query = { limit: number; activeMinutes: number | undefined };

export const sessions = command({
  doc: "List the conversations, newest first. Works while the gateway is down.",
  args: {
    active: { type: "string", hint: "minutes", description: "Only those used in this time." },
    limit: { type: "string", hint: "n", default: "100", description: "Rows at most, or `all`." },
    store: { type: "string", hint: "path", description: "Another database file." },
    verbose: { type: "boolean", description: "Kept for scripts; has no effect." },
    ...GATEWAY_ARGS,
  },
  examples: [
    ["sessions", "the newest 100"],
    ["sessions --active 60", "those of the last hour"],
    ["sessions --limit all --json", "all of them, for scripts"],
  ],
  lenient: true,
  async run(args, cli) {
    const query = {
      limit:
        args.limit === "all"
          ? 1_000_000
          : wholeNumber("limit", args.limit, { min: 1, max: 1_000_000 })!,
      activeMinutes: wholeNumber("active", args.active, { min: 1, max: 100_000_000 }),
    };
    if (args.store && !existsSync(args.store))
      throw new AppError("not_found", `There is no database ${args.store}.`);
    const found = args.store ? fromDatabase(args.store, query) : await find(cli, args, query);
    if (!args.json) return print(cli, found);
    const now = Date.now();
    cli.out.data({
      path: found.path,
      count: found.rows.length,
      total: found.total,
      activeMinutes: query.activeMinutes ?? null,
      sessions: found.rows.map((row) => ({ ...row, ageMs: now - row.updatedAt })),
    });
  },
});

export const list = underName(sessions, "sessions", "sessions list");

/** The gateway has the newest state; without one nobody writes to the database. */
async function find(cli: Cli, wish: Wish, query: Query): Promise<Found> {
  try {
    return await withGateway(cli, wish, async ({ client, timeoutMs }) => {
      const { limit, activeMinutes } = query;
      const answer = await client.call(
        "sessions.list",
        { limit, includeGlobal: true, ...(activeMinutes && { activeMinutes }) },
        { timeoutMs },
      );
      return { path: cli.paths.databasePath, rows: answer.sessions, total: answer.total };
    });
  } catch (cause) {
    const down = cause instanceof AppError && cause.code === "gateway_unreachable";
    if (!down || wish.url) throw cause;
    return fromDatabase(cli.paths.databasePath, query);
  }
}

function fromDatabase(path: string, { limit, activeMinutes }: Query): Found {
  const since = activeMinutes === undefined ? 0 : Date.now() - activeMinutes * 60_000;
  const { rows, total } = peekSessions(path, { limit, since });
  return {
    path,
    total,
    rows: rows.map((row) => ({ ...listRow(row), contextTokens: row.contextTokens })),
  };
}

function print({ out }: Cli, { path, rows, total }: Found): void {
  const now = Date.now();
  out.line(`Session store: ${path}`);
  const more = total > rows.length ? ` of ${total}` : "";
  out.line(`Sessions listed: ${rows.length}${more}`);
  if (rows.length === 0) return;
  out.table(
    [
      { title: "Kind" },
      { title: "Key" },
      { title: "Age", align: "right" },
      { title: "Model" },
      { title: "Tokens", align: "right" },
      { title: "Flags" },
    ],
    rows.map((row) => [
      row.kind,
      row.key,
      formatAge(now - row.updatedAt),
      row.model ?? "default",
      String(row.totalTokens),
      flags(row).join(" "),
    ]),
  );
}

const flags = (row: Row): string[] => [
  ...(row.thinkingLevel ? [`think:${row.thinkingLevel}`] : []),
  ...(row.verboseLevel ? [`verbose:${row.verboseLevel}`] : []),
  ...(row.reasoningLevel ? [`reasoning:${row.reasoningLevel}`] : []),
  ...(row.elevatedLevel ? [`elevated:${row.elevatedLevel}`] : []),
  ...(row.abortedLastRun ? ["aborted"] : []),
];
