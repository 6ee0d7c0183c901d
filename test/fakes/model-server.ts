/**
 * The part that the fake model vendors share: a real HTTP server on 127.0.0.1:0 that records requests, answers from a queue, a
 * script or with "ok", and can fail in every way that vendors do. No side effects on import.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Json = Record<string, unknown>;
export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export type FakeCall = {
  name: string;
  args?: unknown;
  /** Sent instead of `args`, as it is: invalid JSON, huge text. */
  rawArgs?: string;
  id?: string;
};
export type Reply = {
  text?: string;
  thinking?: string;
  toolCalls?: FakeCall[];
  /** Pause between two chunks. */
  delayMs?: number;
  /** Into how many pieces the text is cut; a word each when absent. */
  chunks?: number;
  /** The stream is written in pieces of this many bytes, whatever they cut through. */
  bytes?: number;
  stop?: "end" | "tool" | "length" | "refusal";
  usage?: { input?: number; output?: number; cacheRead?: number; cacheWrite?: number };
  /** Nothing at all is answered before this. */
  before?: Promise<unknown>;
  /** The second half of the stream waits for this. */
  until?: Promise<unknown>;
};
export type FaultName =
  /** 200 and the first half, then the connection breaks. */
  | "cut"
  /** 200, then the connection breaks before the first byte of the body. */
  | "reset"
  /** Ends in the middle of an event. */
  | "half-event"
  /** Ends properly, but without the event that says so. */
  | "no-stop"
  /** The first event, then nothing, and the connection stays open. */
  | "silence"
  /** Not even headers. */
  | "no-answer"
  /** Text without end. */
  | "infinite"
  /** 200 with an HTML page. */
  | "wrong-type"
  /** The vendor's own error event after the first half. */
  | "error-event"
  /** An event that is no JSON after the first half. */
  | "broken-json";
export type Fault = Reply & { fault: FaultName };
export type Refusal = {
  status: number;
  /** Sent as it is with `contentType`; else the vendor's own error body is made of `message` and `kind`. */
  body?: string;
  contentType?: string;
  message?: string;
  kind?: string;
  param?: string;
  headers?: Record<string, string>;
};
export type Script = Reply | Fault | Refusal;

export type Recorded = {
  method: string;
  path: string;
  headers: Record<string, string>;
  /** Parsed JSON. */
  // oxlint-disable-next-line no-explicit-any
  body: any;
  /** The exact bytes, for tests of equal prefixes. */
  text: string;
};

/** What a dialect adds. */
export type Wire = {
  /** What the vendor would refuse; the first problem is answered as a 400. */
  problems(request: Recorded): (Refusal & { message: string })[];
  /** The stream of a reply, frame by frame; `last` frames at the end are what says that it is complete. */
  frames(reply: Reply, request: Recorded, n: number): { frames: string[]; last: number };
  errorBody(refusal: Refusal): unknown;
  errorFrame(refusal: Refusal): string;
};

export type FakeOptions = {
  /** Requests without this key are answered with 401. Any key will do when absent. */
  key?: string;
  /** False: nothing is checked. */
  strict?: boolean;
  /** Called when the queue is empty. */
  script?: (request: Recorded, n: number) => Script | Promise<Script>;
};

type Waiter = { n: number; resolve: (request: Recorded) => void };

export const pieces = (text: string, chunks?: number): string[] => {
  if (chunks === undefined) return text.match(/\S+\s*|\s+/g) ?? [];
  const size = Math.max(1, Math.ceil(text.length / chunks));
  return Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
    text.slice(i * size, (i + 1) * size),
  );
};

/** `wireOf` names the wire of a path; `other` answers everything else (lists of models). */
export async function startModelServer(
  options: FakeOptions,
  wireOf: (path: string) => Wire | undefined,
  other: (request: Recorded) => unknown,
) {
  const queue: Script[] = [];
  const requests: Recorded[] = [];
  const waiters: Waiter[] = [];
  const open = new Set<ServerResponse>();
  let { script } = options;

  const record = (request: Recorded): number => {
    const n = requests.push(request);
    for (const waiter of waiters.filter((w) => w.n <= n)) {
      waiters.splice(waiters.indexOf(waiter), 1);
      waiter.resolve(requests[waiter.n - 1]!);
    }
    return n;
  };

  const server = createServer((req, res) => {
    open.add(res);
    res.on("close", () => open.delete(res));
    void handle(req, res).catch((cause: unknown) => {
      if (!res.headersSent) res.writeHead(500);
      res.end(String(cause));
    });
  });

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString("utf8");
    const path = (req.url ?? "/").split("?")[0]!;
    const headers = Object.fromEntries(
      Object.entries(req.headers).map(([name, value]) => [name, String(value)]),
    );
    const request: Recorded = {
      method: req.method ?? "GET",
      path,
      headers,
      body: text ? JSON.parse(text) : undefined,
      text,
    };
    const wire = wireOf(path);
    if (!wire) {
      const answer = other(request);
      return answer === undefined
        ? send(res, 404, { error: { message: `no route ${path}` } })
        : send(res, 200, answer);
    }
    const n = record(request);
    const key = headers["x-api-key"] ?? headers["authorization"]?.replace(/^Bearer /, "");
    if (options.key !== undefined && key !== options.key)
      return refuse(res, wire, {
        status: 401,
        message: "invalid x-api-key",
        kind: "authentication_error",
      });
    const problem = options.strict === false ? undefined : wire.problems(request)[0];
    if (problem) return refuse(res, wire, problem);
    const next = queue.shift() ?? (await script?.(request, n)) ?? { text: "ok" };
    await next_(next, res, wire, request, n);
  }

  async function next_(
    next: Script,
    res: ServerResponse,
    wire: Wire,
    request: Recorded,
    n: number,
  ) {
    if ("status" in next) return refuse(res, wire, next);
    await next.before;
    const fault = "fault" in next ? next.fault : undefined;
    if (fault === "no-answer") return;
    if (fault === "wrong-type") {
      res.writeHead(200, { "content-type": "text/html" });
      return void res.end(
        "<!doctype html><html><head><title>Sign in</title></head><body>Hotel</body></html>",
      );
    }
    const { frames, last } = wire.frames(next, request, n);
    await stream(res, next, fault, frames, last, wire);
  }

  return {
    url: await new Promise<string>((resolve) => {
      server.listen(0, "127.0.0.1", () =>
        resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
      );
    }),
    requests,
    /** The next answer; several calls queue up. */
    reply(reply: Reply): void {
      queue.push(reply);
    },
    fault(fault: FaultName, reply: Reply = {}): void {
      queue.push({ text: "one two three four five six", ...reply, fault });
    },
    refuse(refusal: Refusal): void {
      queue.push(refusal);
    },
    script(next: typeof script): void {
      script = next;
    },
    /** The n-th model request, from 1; waits until it has come. */
    request(n: number): Promise<Recorded> {
      const there = requests[n - 1];
      if (there) return Promise.resolve(there);
      return new Promise((resolve) => waiters.push({ n, resolve }));
    },
    /** Model requests whose answer is still open. */
    open: () => open.size,
    async stop(): Promise<void> {
      for (const res of open) res.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
export type ModelServer = Awaited<ReturnType<typeof startModelServer>>;

function send(res: ServerResponse, status: number, body: unknown, headers = {}): void {
  res.writeHead(status, { "content-type": "application/json", ...headers });
  res.end(JSON.stringify(body));
}

function refuse(res: ServerResponse, wire: Wire, refusal: Refusal): void {
  const { status, body, contentType, headers } = refusal;
  if (body === undefined) return send(res, status, wire.errorBody(refusal), headers);
  res.writeHead(status, { "content-type": contentType ?? "text/html", ...headers });
  res.end(body);
}

/** Resolves when the reader has taken the bytes or is gone. */
const write = (res: ServerResponse, data: string | Buffer): Promise<void> =>
  new Promise((resolve) => {
    if (res.destroyed || res.writableEnded) return resolve();
    res.once("close", resolve);
    res.write(data, () => {
      res.off("close", resolve);
      resolve();
    });
  });

async function stream(
  res: ServerResponse,
  reply: Reply,
  fault: FaultName | undefined,
  frames: string[],
  last: number,
  wire: Wire,
): Promise<void> {
  res.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
  });
  res.flushHeaders();
  const half = Math.max(1, Math.floor((frames.length - last) / 2));
  const breakOff = () => void res.socket?.destroy();
  if (fault === "reset") return breakOff();
  if (fault === "infinite")
    for (let i = 0; !res.destroyed; i++) await write(res, frames[i % (frames.length - last)]!);
  for (const [i, frame] of frames.entries()) {
    if (res.destroyed) return;
    if (i === half) await reply.until;
    if (i === 1 && fault === "silence") return;
    if (i === half && fault === "cut") return breakOff();
    if (i === half && fault === "half-event") {
      await write(res, frame.slice(0, Math.floor(frame.length / 2)));
      return void res.end();
    }
    if (i === half && fault === "error-event")
      await write(
        res,
        wire.errorFrame({ status: 529, message: "Overloaded", kind: "overloaded_error" }),
      );
    if (i === half && fault === "broken-json")
      await write(res, frame.replace(/data: .*/, "data: {nope"));
    if (i === frames.length - last && fault === "no-stop") return void res.end();
    if (i > 0 && reply.delayMs) await Bun.sleep(reply.delayMs);
    if (reply.bytes) {
      const bytes = Buffer.from(frame);
      for (let at = 0; at < bytes.length; at += reply.bytes) {
        await write(res, bytes.subarray(at, at + reply.bytes));
        await new Promise((resolve) => setImmediate(resolve));
      }
    } else if (reply.delayMs || reply.until) await write(res, frame);
    else res.write(frame);
  }
  res.end();
}
