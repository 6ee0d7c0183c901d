/**
 * Where releases come from: the same addresses, and the same rules for them, as install.sh. Everything that is fetched has a limit,
 * and a transfer that was cut goes on where it ended.
 */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";

import { AppError, errnoOf } from "../../base/errors.ts";

export const DEFAULT_BASE = "https://github.com/clawdbot/clawdbot/releases";
const VARIABLE = "CLAWDBOT_INSTALL_BASE_URL";
const HOPS_MAX = 10;
const TRIES = 3;
/** Without a byte for so long, a transfer is given up, in ms. */
const STALL_MS = 60_000;

export type Source = {
  /** Without a slash at its end. */
  base: string;
  /** Plain http is only taken from and to this machine. */
  loopback: boolean;
  stallMs: number;
};

const isLoopback = ({ hostname }: URL): boolean =>
  hostname === "127.0.0.1" || hostname === "localhost" || hostname === "[::1]";

/**
 * @param text `https://…`, `file:///…`, or `http://` on this machine. Throws usage for anything else: whoever sits in between could
 * keep an update back for ever, even though nothing false gets through the signature.
 */
export function openSource(text: string = DEFAULT_BASE, stallMs: number = STALL_MS): Source {
  const base = text.replace(/(?<=[^/])\/+$/, "");
  const address = URL.parse(base);
  const loopback = address?.protocol === "http:" && isLoopback(address);
  // oxlint-disable-next-line no-control-regex
  const clean = !/[\u0000-\u0020\u007f"'\\<>`]/.test(base);
  if (clean && (address?.protocol === "https:" || loopback || /^file:\/\/\/./.test(base)))
    return { base, loopback, stallMs };
  const plain = address?.protocol === "http:";
  throw new AppError(
    "usage",
    plain
      ? `${VARIABLE} is plain http to another machine.`
      : `${VARIABLE} is no address of releases: "${base.slice(0, 200)}".`,
    { hint: "It begins with https:// or file:///, or with http://127.0.0.1 on this machine." },
  );
}

/** Why a transfer failed, in a few words; `final` when trying again cannot help. */
class Failure {
  constructor(
    readonly why: string,
    readonly final: boolean,
  ) {}
}

type Chunks = AsyncIterable<Uint8Array>;
type Answer = { chunks: Chunks; at: number; total: number | undefined };

/** @param from the byte to begin with */
async function get(source: Source, path: string, from: number, signal: AbortSignal) {
  if (source.base.startsWith("file://"))
    return fromFile(`${source.base.slice("file://".length)}/${path}`, from);
  let address = new URL(`${source.base}/${path}`);
  for (let hop = 0; hop <= HOPS_MAX; hop++) {
    const response = await fetch(address, {
      redirect: "manual",
      signal,
      decompress: false,
      headers: {
        "accept-encoding": "identity",
        ...(from > 0 && { range: `bytes=${from}-` }),
      },
    });
    const next = response.headers.get("location");
    if (response.status < 300 || response.status > 399 || next === null)
      return fromResponse(response, from);
    await response.body?.cancel();
    address = new URL(next, address);
    const allowed = address.protocol === "https:" || (source.loopback && isLoopback(address));
    if (!allowed) throw new Failure(`it leads to ${address.protocol}//, without encryption`, true);
  }
  throw new Failure("it leads on and on", true);
}

function fromFile(path: string, from: number): Answer {
  const file = Bun.file(path);
  if (file.size === 0) throw new Failure("there is no such file", true);
  return { chunks: createReadStream(path, { start: from }), at: from, total: file.size };
}

function fromResponse(response: Response, from: number): Answer {
  const { status, headers, body } = response;
  const partial = status === 206;
  if (status !== 200 && !partial)
    throw new Failure(`the server answered ${status}`, status < 500 && status !== 416);
  const at = partial ? Number(/^bytes (\d+)-/.exec(headers.get("content-range") ?? "")?.[1]) : 0;
  if (partial && at !== from) throw new Failure("the server sent another part of it", false);
  const length = Number(headers.get("content-length") ?? Number.NaN);
  const chunks = body ? Readable.fromWeb(body as never) : Readable.from([]);
  return { chunks, at, total: Number.isFinite(length) ? at + length : undefined };
}

/** Without the end of a sentence: it stands inside of one. */
const firstWords = (text: string): string =>
  text
    .split("\n")[0]!
    .replace(/\. .*$/, "")
    .replace(/[.?!]+$/, "");

const failureOf = (cause: unknown, stalled: boolean): Failure => {
  if (cause instanceof Failure) return cause;
  if (stalled) return new Failure("nothing more came", false);
  const code = errnoOf(cause);
  const text = cause instanceof Error ? cause.message : String(cause);
  const local = code === "ENOENT" || code === "EACCES" || code === "EISDIR";
  return new Failure(local ? `the file cannot be read (${code})` : firstWords(text), local);
};

const downloadError = (source: Source, path: string, { why }: Failure): AppError =>
  new AppError("update_failed", `${source.base}/${path} cannot be downloaded: ${why}.`, {
    hint: "Nothing was changed. Check the connection, then run it again.",
    details: { reason: "download-failed" },
  });

/** A small file, whole. Throws update_failed when it cannot be had or has more than `max` bytes. */
export async function fetchSmall(
  source: Source,
  path: string,
  max: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  await transfer(source, path, { max, signal }, async (chunk, at) => {
    if (at === 0) pieces.length = bytes = 0;
    pieces.push(chunk);
    bytes += chunk.length;
  });
  return Buffer.concat(pieces, bytes);
}

export type DownloadOptions = {
  /** It is never longer than this, in bytes. */
  max: number;
  /** Its exact length when that is known, in bytes. */
  size?: number | undefined;
  signal: AbortSignal;
  /** How far it is, in bytes. */
  progress?(bytes: number, total: number | undefined): void;
};

/** Into a new file of mode 0600. Throws update_failed, or the system's error (ENOSPC) of the file. */
export async function download(
  source: Source,
  path: string,
  file: string,
  options: DownloadOptions,
): Promise<void> {
  const handle = await open(file, "w", 0o600);
  try {
    await transfer(source, path, options, async (chunk, at) => {
      if (at === 0) await handle.truncate(0);
      let written = 0;
      while (written < chunk.length) {
        const piece = chunk.subarray(written);
        written += (await handle.write(piece, 0, piece.length, at + written)).bytesWritten;
      }
    });
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What takes the bytes failed, not where they come from. */
class TakerFault {
  constructor(readonly cause: unknown) {}
}

async function transfer(
  source: Source,
  path: string,
  { max, size, signal, progress }: DownloadOptions,
  take: (chunk: Uint8Array, at: number) => Promise<void>,
): Promise<void> {
  let have = 0;
  for (let attempt = 1; ; attempt++) {
    const stall = new AbortController();
    let timer = setTimeout(() => stall.abort(), source.stallMs);
    try {
      const answer = await get(source, path, have, AbortSignal.any([signal, stall.signal]));
      have = answer.at;
      const total = size ?? answer.total;
      if (total !== undefined && total > max)
        throw new Failure(`it is bigger than it can be (${total} bytes)`, true);
      for await (const chunk of answer.chunks) {
        clearTimeout(timer);
        if (have + chunk.length > max) throw new Failure("it is bigger than it can be", true);
        try {
          await take(chunk, have);
        } catch (cause) {
          throw new TakerFault(cause);
        }
        have += chunk.length;
        progress?.(have, total);
        timer = setTimeout(() => stall.abort(), source.stallMs);
        if (stall.signal.aborted || signal.aborted) break;
      }
      signal.throwIfAborted();
      stall.signal.throwIfAborted();
      if (total !== undefined && have < total) throw new Failure("it was cut off", false);
      return;
    } catch (cause) {
      if (cause instanceof TakerFault) throw cause.cause;
      if (signal.aborted) throw signal.reason;
      const failure = failureOf(cause, stall.signal.aborted);
      if (failure.final || attempt === TRIES) throw downloadError(source, path, failure);
    } finally {
      clearTimeout(timer);
    }
  }
}
