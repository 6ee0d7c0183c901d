/** `message trace|recent`: what became of a message. Why did I get no answer? */
import { AppError } from "../../base/errors.ts";
import { formatAge } from "../../base/time.ts";
import { type NetworkId, NETWORKS } from "../../channels/registry.ts";
import { type TraceShape, traceShape } from "../../gateway/methods/trace-shape.ts";
import { peekTraces } from "../../store/sqlite/peek.ts";
import { wholeNumber } from "../arguments.ts";
import { CHANNEL_ARG, channelNamed } from "../channels/accounts.ts";
import { eitherWay } from "../channels/reach.ts";
import type { Cli } from "../command.ts";
import { command, GATEWAY_ARGS } from "../command.ts";
import type { Out } from "../out.ts";
import { safeText } from "../out.ts";

/** Characters of a text in a table. */
const SHORT = 48;

export const trace = command({
  doc: "What became of one message: received, decided, queued, run, tools, sent. Works while the gateway is down.",
  args: {
    id: {
      type: "positional",
      required: true,
      description: "A run, the platform's id of the message, or that of something sent.",
    },
    ...GATEWAY_ARGS,
  },
  examples: [
    ["message trace 1234", "by the platform's id of the message"],
    ["message trace 0190d1f2-7c1e-7000-8000-000000000000 --json", "by its run, for scripts"],
  ],
  async run(args, cli) {
    const id = args.id.trim();
    const found = await eitherWay(
      cli,
      args,
      async ({ client, timeoutMs }) =>
        (await client.call("message.trace", { id }, { timeoutMs })).trace as TraceShape,
      async () => {
        const trace_ = await peekTraces(cli.paths.databasePath, (reads) => reads.trace(id));
        if (trace_) return traceShape(trace_);
        throw new AppError("not_found", `No message is known under ${id}.`, {
          hint: "`clawdbot message recent` has the newest. What never arrived here is not in it: `clawdbot channels status`.",
        });
      },
    );
    if (args.json) return cli.out.data(found);
    printTrace(cli.out, found);
  },
});

const labelOf = (channel: string): string =>
  channel in NETWORKS ? NETWORKS[channel as NetworkId].label : channel;

const clock = (at: number): string => new Date(at).toISOString().replace("T", " ").slice(0, 23);

/** Every step with its time, then what follows from it. */
function printTrace(out: Out, found: TraceShape): void {
  const { decision, run, tools, outbox } = found;
  out.pairs([
    ["Message", `${found.id}, ${labelOf(found.channel)} ${found.accountId}, chat ${found.chatId}`],
    ["From", `${found.sender.name ?? "unknown"} (${found.sender.id})`],
    ["Text", oneLine(found.text, 200) || (found.media ? `${found.media} files` : "(none)")],
  ]);
  out.line();
  const steps: [at: number | undefined, step: string, what: string][] = [
    [found.sentAt, "sent", "by its author, as the platform says"],
    [found.acceptedAt, "received", "and stored"],
    [
      found.acceptedAt,
      "decided",
      `${decision.what}${decision.by ? ` (${decision.by})` : ""}${decision.sessionKey ? ` ${decision.sessionKey}` : ""}`,
    ],
    ...(run
      ? ([
          [found.acceptedAt, "queued", `run ${run.id}`],
          ...(run.answeredWith
            ? [[run.startedAt, "joined", `answered together with run ${run.answeredWith}`]]
            : []),
          ...(run.startedAt === undefined
            ? []
            : [[run.startedAt, "begun", run.attempts > 1 ? `attempt ${run.attempts}` : ""]]),
        ] as [number, string, string][])
      : []),
    ...tools.map(({ at, name, failed }): [number, string, string] => [
      at,
      "tool",
      failed ? `${name}, failed` : name,
    ]),
    ...(run?.endedAt === undefined
      ? []
      : ([[run.endedAt, "ended", run.error ? `${run.state}: ${run.error.message}` : run.state]] as [
          number,
          string,
          string,
        ][])),
    ...outbox.map((row): [number, string, string] => [
      row.sentAt ?? row.createdAt,
      row.state === "delivered" ? "delivered" : "outgoing",
      [
        row.state === "delivered" ? `as ${row.ids.join(", ")}` : row.state,
        row.attempts > 1 ? `${row.attempts} attempts` : "",
        row.error ?? "",
        oneLine(row.text, SHORT),
      ]
        .filter(Boolean)
        .join(", "),
    ]),
  ];
  out.table(
    [{ title: "Time (UTC)" }, { title: "Step" }, { title: "What" }],
    steps.map(([at, step, what]) => [at === undefined ? "" : clock(at), step, what]),
  );
  out.line();
  out.line(safeText(found.outcome));
  const remedy = decision.remedy ?? (found.answered ? undefined : run?.error?.hint);
  if (remedy) out.line(safeText(remedy));
}

const oneLine = (text: string, limit: number): string => {
  const line = text.replace(/\s+/g, " ").trim();
  const characters = Array.from(line);
  return characters.length <= limit ? line : `${characters.slice(0, limit - 1).join("")}…`;
};

export const recent = command({
  doc: "The newest messages that arrived, and what became of each. Works while the gateway is down.",
  args: {
    ...CHANNEL_ARG,
    unanswered: { type: "boolean", description: "Only those without a delivered answer." },
    limit: { type: "string", hint: "n", default: "20", description: "Rows at most." },
    before: {
      type: "string",
      hint: "n",
      description: "Older ones: `nextBefore` of the last --json.",
    },
    ...GATEWAY_ARGS,
  },
  examples: [
    ["message recent", "the last twenty"],
    ["message recent --unanswered", "what nobody got an answer to"],
    ["message recent --channel telegram --limit 100 --json", "for scripts"],
  ],
  async run(args, cli) {
    const limit = wholeNumber("limit", args.limit, { min: 1, max: 500 })!;
    const before = wholeNumber("before", args.before, { min: 1, max: Number.MAX_SAFE_INTEGER });
    const query = {
      limit,
      ...(before !== undefined && { before }),
      ...(args.channel && { channel: channelNamed(args.channel) }),
      ...(args.unanswered && { unanswered: true }),
    };
    const answer = await eitherWay(
      cli,
      args,
      async ({ client, timeoutMs }) => {
        const page = await client.call("messages.recent", query, { timeoutMs });
        return { messages: page.messages as TraceShape[], nextBefore: page.nextBefore };
      },
      async () => {
        const rows =
          (await peekTraces(cli.paths.databasePath, (reads) => reads.recent(query)))?.rows ?? [];
        const last = rows.length === limit ? rows.at(-1)?.inboundId : undefined;
        return { messages: rows.map(traceShape), nextBefore: last };
      },
    );
    if (args.json) return cli.out.data(answer);
    printRecent(cli, answer.messages, args.unanswered);
  },
});

function printRecent(cli: Cli, messages: TraceShape[], unanswered: boolean): void {
  const { out } = cli;
  if (messages.length === 0)
    return out.line(unanswered ? "Every message was answered." : "No message has arrived yet.");
  const now = Date.now();
  out.table(
    ["Id", "Age", "Channel", "From", "Text", "What became of it"].map((title) => ({ title })),
    messages.map((each) => [
      oneLine(each.id, 24),
      formatAge(now - each.acceptedAt),
      labelOf(each.channel),
      oneLine(each.sender.name ?? each.sender.id, 20),
      oneLine(each.text, SHORT),
      each.decision.kind === "drop" ? each.decision.what : each.outcome,
    ]),
  );
  out.note(`All about one of them: ${cli.name}${cli.profileFlag} message trace <id>`);
}
