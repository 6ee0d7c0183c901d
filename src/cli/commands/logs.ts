/** `logs`: the gateway's log, from the gateway when it answers, else from the file. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

import { PRODUCT } from "../../base/brand.ts";
import { AppError } from "../../base/errors.ts";
import { parseLogLine } from "../../base/log-lines.ts";
import { systemClock } from "../../base/time.ts";
import { wholeNumber } from "../arguments.ts";
import type { ArgValues, Cli } from "../command.ts";
import { command, GATEWAY_ARGS } from "../command.ts";
import { PARTS } from "../commands.ts";
import { safeText } from "../out.ts";
import { withGateway } from "../rpc.ts";

const ARGS = {
  limit: { type: "string", hint: "n", default: "200", description: "Lines at most." },
  "max-bytes": { type: "string", hint: "n", default: "250000", description: "Bytes at most." },
  follow: { type: "boolean", alias: "f", description: "Go on with new lines until Ctrl-C." },
  interval: { type: "string", hint: "ms", default: "1000", description: "How often to look." },
  plain: { type: "boolean", description: "No colours, whole times." },
  ...GATEWAY_ARGS,
} as const;

/** One look at the log; the next one begins at its `cursor`. */
type Tail = { file: string; cursor: number; size: number; lines: string[]; reset?: boolean };
type Limits = { limit: number; maxBytes: number };
type Source = (last: Tail | undefined, limits: Limits) => Promise<Tail>;

export const logs = command({
  doc: "Print the end of the gateway's log, and follow it. Works while the gateway is down.",
  args: ARGS,
  examples: [
    ["logs", "the last 200 lines"],
    ["logs --follow", "and everything that comes"],
    ["logs --limit 1000 --json", "for scripts: one JSON value per line"],
  ],
  async run(args, cli) {
    const limits = {
      limit: wholeNumber("limit", args.limit, { min: 1, max: 5000 })!,
      maxBytes: wholeNumber("max-bytes", args["max-bytes"], { min: 1, max: 1_000_000 })!,
    };
    const interval = wholeNumber("interval", args.interval, { min: 50, max: 3_600_000 })!;
    const watch = (source: Source) => show(source, cli, args, { limits, interval });
    if (args.url) return fromGateway(cli, args, watch);
    await watch(await fileSource(cli));
  },
});

const fromGateway = (
  cli: Cli,
  args: ArgValues<typeof ARGS>,
  watch: (source: Source) => Promise<void>,
): Promise<void> =>
  withGateway(cli, args, ({ client, timeoutMs }) =>
    watch((last, limits) =>
      client.call("logs.tail", { ...limits, ...(last && { cursor: last.cursor }) }, { timeoutMs }),
    ),
  );

/** On this machine the file itself is the shortest way, whether or not the gateway runs. */
async function fileSource({ env, paths }: Cli): Promise<Source> {
  const { loadSettings } = await PARTS.settings();
  const fixed = (await loadSettings(env, paths)).config?.logging.file;
  return async (last, limits) => {
    const path = fixed ?? newestLog(paths.logDir);
    if (last && (!path || !existsSync(path))) return { ...last, lines: [], reset: false };
    if (!path || !existsSync(path))
      throw new AppError("not_found", `There is no log file yet in ${paths.logDir}.`, {
        hint: "The gateway makes one when it starts.",
      });
    // After midnight there is a new file, read from its beginning.
    return readTail(path, last && (last.file === path ? last.cursor : 0), limits);
  };
}

/** The file that the gateway writes to, or did; undefined when it never wrote one. */
export async function newestLogFile({ env, paths }: Cli): Promise<string | undefined> {
  const { loadSettings } = await PARTS.settings();
  const path = (await loadSettings(env, paths)).config?.logging.file ?? newestLog(paths.logDir);
  return path && existsSync(path) ? path : undefined;
}

/** The same. Throws not_found when it never wrote one. */
export async function logFileOf(cli: Cli): Promise<string> {
  const { paths } = cli;
  const path = await newestLogFile(cli);
  if (path) return path;
  throw new AppError("not_found", `There is no log file yet in ${paths.logDir}.`, {
    hint: "The gateway makes one when it starts.",
  });
}

/** The newest dated file: after midnight it is another one. */
function newestLog(dir: string): string | undefined {
  if (!existsSync(dir)) return undefined;
  const dated = new RegExp(`^${PRODUCT}-\\d{4}-\\d\\d-\\d\\d\\.log$`);
  const name = readdirSync(dir)
    .filter((each) => dated.test(each))
    .sort()
    .at(-1);
  return name && join(dir, name);
}

async function readTail(path: string, cursor: number | undefined, limits: Limits): Promise<Tail> {
  await using handle = await open(path, "r");
  const { size } = statSync(path);
  const reset = cursor !== undefined && cursor > size;
  const from = cursor === undefined || reset ? Math.max(0, size - limits.maxBytes) : cursor;
  const buffer = Buffer.alloc(Math.min(size - from, limits.maxBytes));
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, from);
  const end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1;
  const lines = buffer.subarray(0, end).toString("utf8").split("\n").slice(0, -1);
  // A look that begins in the middle of the file begins in the middle of a line.
  if (from > 0 && cursor !== from) lines.shift();
  const kept = cursor === undefined ? lines.slice(-limits.limit) : lines;
  return { file: path, cursor: from + end, size, lines: kept, ...(reset && { reset }) };
}

async function show(
  source: Source,
  { out }: Cli,
  { json, plain, follow }: { json: boolean; plain: boolean; follow: boolean },
  { limits, interval }: { limits: Limits; interval: number },
): Promise<void> {
  let last: Tail | undefined;
  do {
    if (last) await systemClock.sleep(interval);
    const tail = await source(last, limits);
    const moved = last !== undefined && tail.file !== last.file;
    if (tail.reset || moved) notice(out, json, "The log was rotated.");
    if (json && (!last || moved))
      out.jsonLine({ type: "meta", file: tail.file, cursor: tail.cursor, size: tail.size });
    else if (!last) out.line(`Log file: ${tail.file}`);
    for (const line of tail.lines) printLine(out, line, { json, plain });
    last = tail;
  } while (follow && !out.closed);
}

const notice = (out: Cli["out"], json: boolean, message: string): void =>
  json ? out.jsonLine({ type: "notice", message }) : out.note(message);

const STYLES = { ERROR: "red", FATAL: "red", WARN: "yellow", DEBUG: "dim", TRACE: "dim" } as const;

function printLine(out: Cli["out"], raw: string, look: { json: boolean; plain: boolean }): void {
  const line = parseLogLine(raw);
  if (look.json) return out.jsonLine(line ? { type: "log", ...line, raw } : { type: "raw", raw });
  if (!line) return out.line(safeText(raw));
  const { time, level, subsystem, message, data } = line;
  const pairs = data ? ` ${JSON.stringify(data)}` : "";
  if (look.plain || !out.tty)
    return out.line(safeText(`${time} ${level.toLowerCase()} ${subsystem} ${message}${pairs}`));
  const clock = new Date(time).toTimeString().slice(0, 8);
  const style = STYLES[level as keyof typeof STYLES];
  const text = safeText(message);
  out.line(
    `${out.paint("dim", clock)} ${out.paint("cyan", `[${safeText(subsystem)}]`)} ${style ? out.paint(style, text) : text}${out.paint("dim", safeText(pairs))}`,
  );
}
