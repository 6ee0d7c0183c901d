/**
 * A `fetch` over node:http for the vendors' client libraries. Bun's own `fetch` serves at most 256 requests at once (1,000 streams
 * of 1 s took 4.0 s with it and 1.1 s with this), and it cannot tell silence on a stream from a slow one.
 * Only what the client libraries need: text bodies, streamed answers, abort, no redirects, no cookies.
 */
import type http from "node:http";
import type { IncomingMessage } from "node:http";
import type https from "node:https";

import { AppError, errnoOf } from "../base/errors.ts";
import { once } from "../base/once.ts";
import { CUT_HINT, networkFailure } from "./failure.ts";

export type TransportOptions = {
  /** Name of the endpoint, for messages to the user. */
  id: string;
  /** No byte for this long, before or within the answer, is `provider_timeout`. */
  idleTimeoutMs: number;
  /** An answer larger than this is cut off as `provider_rejected`, so that an endless stream cannot fill the memory. */
  maxBytes?: number;
};

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

const MAX_BYTES = 64 * 1024 * 1024;
/** Bytes that wait for a slow reader before the socket is paused. */
const HIGH_WATER = 64 * 1024;

/** Loaded with the first call to a model: node:http takes 5 ms, a tenth of the start. */
const HTTP = once(() => clientOf(process.getBuiltinModule("node:http")));
const HTTPS = once(() => clientOf(process.getBuiltinModule("node:https")));

const clientOf = ({ Agent, request }: typeof http | typeof https) => ({
  request,
  agent: new Agent({ keepAlive: true, maxFreeSockets: 64 }),
});

type Call = {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: string | Uint8Array | undefined;
  signal: AbortSignal | undefined;
  options: Required<TransportOptions>;
};

/** Rejects with AppError (`provider_timeout`, `provider_rejected`) or with the signal's reason; the body stream fails with the same. */
export const createTransport =
  (options: TransportOptions): Fetch =>
  async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (url.protocol !== "http:" && url.protocol !== "https:")
      throw new AppError("provider_rejected", `${options.id} has no http(s) address: ${url.href}`, {
        hint: `Correct models.providers.${options.id}.baseUrl.`,
      });
    const headers: Record<string, string> = {};
    for (const [name, value] of new Headers(init.headers)) headers[name] = value;
    // Not compressed: a compressed stream would be held back by the compressor on the other side.
    delete headers["accept-encoding"];
    delete headers["connection"];
    const body = init.body;
    if (body !== undefined && body !== null && typeof body !== "string" && !isBytes(body))
      throw new AppError("internal", "The transport sends text and bytes only.");
    const call: Call = {
      url,
      method: init.method ?? "GET",
      headers,
      body: body ?? undefined,
      signal: init.signal ?? undefined,
      options: { maxBytes: MAX_BYTES, ...options },
    };
    return send(call, true);
  };

const isBytes = (body: unknown): body is Uint8Array => body instanceof Uint8Array;

/** `again`: a kept-alive connection that the other side had closed meanwhile is tried once more on a new one. */
function send(call: Call, again: boolean): Promise<Response> {
  const { url, signal, options } = call;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const body = typeof call.body === "string" ? Buffer.from(call.body) : call.body;
    const client = url.protocol === "https:" ? HTTPS() : HTTP();
    const request = client.request(url, {
      method: call.method,
      headers: {
        ...call.headers,
        ...(body ? { "content-length": String(body.byteLength) } : {}),
      },
      agent: client.agent,
    });
    const watch = new Watchdog(options, (error) => request.destroy(error));
    const abort = () => request.destroy(asError(signal?.reason));
    const release = () => {
      watch.stop();
      signal?.removeEventListener("abort", abort);
    };
    signal?.addEventListener("abort", abort, { once: true });
    request.on("error", (cause) => {
      release();
      if (signal?.aborted) return reject(signal.reason);
      const stale = request.reusedSocket && ["ECONNRESET", "EPIPE"].includes(errnoOf(cause) ?? "");
      if (stale && again) return resolve(send(call, false));
      reject(watch.failure ?? networkFailure({ id: options.id, baseUrl: url.origin }, cause));
    });
    request.on("response", (message) => {
      // It cannot be needed again, and an answer may stream for minutes.
      call.body = undefined;
      watch.touch();
      resolve(toResponse(message, call, watch, release));
    });
    watch.touch();
    request.end(body);
  });
}

/** Destroying a socket with a reason that is no Error would hide the reason. */
const asError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new AppError("aborted", "The request was stopped.");

/** Fires when nothing was heard for `idleTimeoutMs`. Stopped while it is our own reader that is slow. */
class Watchdog {
  failure: AppError | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  constructor(
    private readonly options: Required<TransportOptions>,
    private readonly fire: (error: AppError) => void,
  ) {}
  touch(): void {
    if (this.timer) {
      this.timer.refresh();
      return;
    }
    const { id, idleTimeoutMs } = this.options;
    this.timer = setTimeout(() => {
      this.failure = new AppError(
        "provider_timeout",
        `${id} sent nothing for ${Math.max(1, Math.round(idleTimeoutMs / 1000))} s.`,
        { details: { silent: true } },
      );
      this.fire(this.failure);
    }, idleTimeoutMs);
  }
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}

function toResponse(
  message: IncomingMessage,
  call: Call,
  watch: Watchdog,
  release: () => void,
): Response {
  const headers = new Headers();
  for (let i = 0; i + 1 < message.rawHeaders.length; i += 2)
    headers.append(message.rawHeaders[i]!, message.rawHeaders[i + 1]!);
  const status = message.statusCode ?? 502;
  const init = { status: status < 200 || status > 599 ? 502 : status, headers };
  if (status === 204 || status === 304) {
    message.resume();
    release();
    return new Response(null, init);
  }
  return new Response(bodyOf(message, call, watch, release), init);
}

function bodyOf(
  message: IncomingMessage,
  { signal, options }: Call,
  watch: Watchdog,
  release: () => void,
): ReadableStream<Uint8Array> {
  let bytes = 0;
  let over = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const finish = (error?: unknown) => {
          if (over) return;
          over = true;
          release();
          if (error === undefined) controller.close();
          else controller.error(error);
        };
        message.on("data", (chunk: Buffer) => {
          if (over) return;
          bytes += chunk.byteLength;
          if (bytes > options.maxBytes) {
            finish(
              new AppError(
                "provider_rejected",
                `${options.id} sent more than ${Math.round(options.maxBytes / 1048576)} MB in one answer; it was cut off.`,
              ),
            );
            message.destroy();
            return;
          }
          controller.enqueue(chunk);
          if ((controller.desiredSize ?? 1) > 0) return watch.touch();
          watch.stop();
          message.pause();
        });
        const cut = (cause?: unknown) =>
          finish(
            signal?.aborted
              ? signal.reason
              : (watch.failure ??
                  new AppError(
                    "provider_timeout",
                    `The connection to ${options.id} broke in the middle of the answer.`,
                    { hint: CUT_HINT, cause },
                  )),
          );
        message.on("end", () => (message.complete ? finish() : cut()));
        message.on("error", cut);
        message.on("aborted", () => cut());
        message.on("close", () => cut());
      },
      pull() {
        if (over) return;
        watch.touch();
        message.resume();
      },
      cancel() {
        over = true;
        release();
        message.destroy();
      },
    },
    { highWaterMark: HIGH_WATER, size: (chunk) => chunk?.byteLength ?? 0 },
  );
}
