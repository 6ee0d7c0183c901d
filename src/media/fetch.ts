/**
 * Files from the web that a model wants to send. The model is assumed hostile: only public addresses are asked, at every hop anew,
 * and what is connected to is the very address that was checked.
 */
import type { IncomingMessage } from "node:http";

import { AppError } from "../base/errors.ts";
import { type Found, isPublic, publicAddress, type Resolve, resolve } from "./address.ts";

export type FetchOptions = {
  signal: AbortSignal;
  /** Until the last byte, in ms. */
  timeoutMs?: number;
  resolve?: Resolve;
  /** Whether an address may be asked; public ones when absent. For tests. */
  allowed?(address: string): boolean;
};
export type Fetched = {
  /** Ends with an error when the time is over. Not limited in length: whoever keeps it counts. */
  data: AsyncIterable<Uint8Array>;
  mime?: string;
  /** Last part of the address. */
  name?: string;
};

const TIMEOUT_MS = 30_000;
const MOST_HOPS = 3;
const MOST_HEADERS = 16_384;

/** Throws `forbidden`, `not_found` or `channel_unreachable` (worth another try), each with a sentence for the chat. */
export async function fetchMedia(address: string, options: FetchOptions): Promise<Fetched> {
  const limit = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  const signal = AbortSignal.any([limit, options.signal]);
  let url = urlOf(address);
  for (let hop = 0; ; hop++) {
    const found = await publicAddress(
      url.hostname,
      options.resolve ?? resolve,
      options.allowed ?? isPublic,
    );
    const answer = await ask(url, found, signal);
    const { statusCode = 0, headers } = answer;
    if (statusCode < 300 && statusCode >= 200)
      return { data: reading(answer), mime: headers["content-type"], name: nameOf(url) };
    answer.destroy();
    if (statusCode < 300 || statusCode >= 400 || !headers.location) throw refused(url, statusCode);
    if (hop >= MOST_HOPS)
      throw new AppError(
        "not_found",
        `${url.host} leads from one address to the next without end.`,
      );
    url = urlOf(headers.location, url);
  }
}

function urlOf(address: string, base?: URL): URL {
  const url = URL.parse(address, base);
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password)
    throw new AppError("forbidden", "Files are fetched from plain http and https addresses only.");
  return url;
}

/** One request to the address that was checked; the name is only said to the server. */
function ask(url: URL, found: Found, signal: AbortSignal): Promise<IncomingMessage> {
  // Loaded with the first file: see providers/transport.ts.
  const { request } = process.getBuiltinModule(
    url.protocol === "https:" ? "node:https" : "node:http",
  );
  return new Promise((done, fail) => {
    const failed = (cause: unknown) =>
      fail(new AppError("channel_unreachable", `${url.host} does not answer.`, { cause }));
    const out = request(
      url,
      {
        signal,
        agent: false,
        maxHeaderSize: MOST_HEADERS,
        headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": "clawdbot" },
        lookup: (_host, { all }, give) => {
          if (all) give(null, [found]);
          else give(null, found.address, found.family);
        },
      },
      done,
    );
    out.on("error", failed);
    out.end();
  });
}

async function* reading(answer: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of answer) yield chunk as Uint8Array;
    if (!answer.complete)
      throw new AppError("channel_unreachable", "The file was cut off on its way.");
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("channel_unreachable", "The file was cut off on its way.", { cause });
  } finally {
    answer.destroy();
  }
}

const refused = (url: URL, status: number): AppError =>
  status >= 500 || status === 429
    ? new AppError("channel_unreachable", `${url.host} answers with an error (${status}).`)
    : new AppError("not_found", `${url.host} does not give the file (${status}).`);

function nameOf({ pathname }: URL): string | undefined {
  const last = pathname.split("/").at(-1)?.slice(0, 200);
  if (!last) return undefined;
  try {
    return decodeURIComponent(last);
  } catch (cause) {
    if (cause instanceof URIError) return last;
    throw cause;
  }
}
