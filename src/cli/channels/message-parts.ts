/** What all `message` commands have in common: where to, which file, and how the result is told. */
import { basename, resolve } from "node:path";

import { AppError } from "../../base/errors.ts";
import { expandHome } from "../../base/paths.ts";
import { type ActionName, ACTIONS } from "../../channels/acting.ts";
import type { ChatMessage, Found } from "../../channels/action.ts";
import { type NetworkId, NETWORKS } from "../../channels/registry.ts";
import type { MediaRef } from "../../flow.ts";
import { kindOf, sniff } from "../../media/sniff.ts";
import type { ArgSpecs, Cli } from "../command.ts";
import { GATEWAY_ARGS } from "../command.ts";
import { type Out, safeText } from "../out.ts";
import { ACCOUNT_ARG, CHANNEL_ARG } from "./accounts.ts";

export const BASE_ARGS = {
  ...CHANNEL_ARG,
  ...ACCOUNT_ARG,
  "dry-run": { type: "boolean", description: "Say what would be done, and do nothing." },
  verbose: {
    type: "boolean",
    description: "When the gateway does not answer: say where it was looked for.",
  },
  ...GATEWAY_ARGS,
} as const satisfies ArgSpecs;

export const TARGET_ARG = {
  target: {
    type: "string",
    alias: "t",
    hint: "chat",
    description: "Where to: a number, an id, `@name`, `channel:123`.",
  },
} as const satisfies ArgSpecs;

export const MESSAGE_ID_ARG = {
  "message-id": { type: "string", hint: "id", description: "The platform's id of the message." },
} as const satisfies ArgSpecs;

export const TEXT_ARG = {
  message: {
    type: "string",
    alias: "m",
    hint: "text",
    description: "The text, Markdown; `-` reads it from standard input.",
  },
} as const satisfies ArgSpecs;

/** Throws usage naming the flag, in the original's words. */
export function needed(flag: string, value: string | undefined, short?: string): string {
  if (value?.trim()) return value.trim();
  const name = short ? `-${short}, --${flag}` : `--${flag}`;
  throw new AppError("usage", `required option '${name}' not specified`);
}

export const textFrom = async (given: string | undefined): Promise<string | undefined> =>
  given === "-" ? (await Bun.stdin.text()).trimEnd() : given;

/** Most of a file that is sent, in bytes; base64 makes it a third larger on its way to the gateway. */
const MAX_FILE = 18_000_000;
const FETCH_MS = 30_000;

/** A file of this machine, or of the web: fetched here, because a command does what its user could do. */
export async function mediaFrom(given: string, { paths }: Pick<Cli, "paths">): Promise<MediaRef> {
  const web = /^https?:\/\//i.test(given);
  const bytes = web ? await download(given) : await readFile(expandHome(given, paths.home));
  const type = sniff(bytes.subarray(0, 4_100)) ?? "application/octet-stream";
  return {
    kind: kindOf(type),
    mime: type,
    data: Buffer.from(bytes).toString("base64"),
    size: bytes.length,
    name: basename(web ? new URL(given).pathname : given) || "file",
  };
}

async function readFile(path: string): Promise<Uint8Array> {
  const file = Bun.file(resolve(path));
  if (!(await file.exists())) throw new AppError("not_found", `There is no file ${path}.`);
  if (file.size > MAX_FILE) throw tooLarge(file.size);
  return file.bytes();
}

async function download(url: string): Promise<Uint8Array> {
  const failed = (why: string, cause?: unknown) =>
    new AppError("bad_request", `${url} cannot be fetched: ${why}.`, { cause });
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_MS) });
    if (!response.ok) throw failed(`HTTP ${response.status}`);
    const announced = Number(response.headers.get("content-length") ?? 0);
    if (announced > MAX_FILE) throw tooLarge(announced);
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of response.body ?? []) {
      size += part.length;
      if (size > MAX_FILE) throw tooLarge(size);
      parts.push(part);
    }
    return Buffer.concat(parts);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw failed(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

const tooLarge = (bytes: number): AppError =>
  new AppError(
    "media_too_large",
    `The file has ${Math.ceil(bytes / 1_000_000)} MB; at most ${MAX_FILE / 1_000_000} MB can be sent from here.`,
  );

/** `{action, channel, dryRun, handledBy, payload}`, as the original prints it. */
export const envelope = (
  action: string,
  channel: string,
  handledBy: "core" | "plugin" | "dry-run",
  payload: unknown,
) => ({ action, channel, dryRun: handledBy === "dry-run", handledBy, payload });

const isMessages = (rows: unknown[]): rows is ChatMessage[] =>
  rows.every((row) => typeof row === "object" && row !== null && "sender" in row && "at" in row);
const isFound = (rows: unknown[]): rows is Found[] =>
  rows.every((row) => typeof row === "object" && row !== null && "kind" in row && "name" in row);

/** Lists as tables, everything else in the sentence that the action has for it. */
export function printResult(out: Out, action: ActionName, result: unknown, params: unknown): void {
  if (Array.isArray(result) && result.length > 0) {
    const rows: unknown[] = result;
    if (isMessages(rows))
      return out.table(
        ["Id", "Time (UTC)", "Who", "Text"].map((title) => ({ title })),
        rows.map(({ id, at, mine, sender, text, attachments = [] }) => [
          id,
          new Date(at).toISOString().slice(0, 16).replace("T", " "),
          mine ? "you" : (sender.name ?? sender.id),
          [
            text.replace(/\s+/g, " "),
            ...attachments.map((each) => `<${each.name ?? each.mime ?? "file"}>`),
          ].join(" "),
        ]),
      );
    if (isFound(rows))
      return out.table(
        ["Id", "Name", "Kind", "Note"].map((title) => ({ title })),
        rows.map(({ id, name, kind, note = "" }) => [id, name, kind, note]),
      );
  }
  const say = ACTIONS[action].say as (result: unknown, params: unknown) => string;
  out.line(safeText(`✅ ${say(result, params)}`));
}

export const labelOf = (channel: NetworkId): string => NETWORKS[channel].label;
