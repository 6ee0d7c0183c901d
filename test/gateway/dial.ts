/** A client that shows every frame as it came, for tests of the wire itself. */
import { expect } from "bun:test";

import type { ErrorShape } from "../../src/protocol/frames.ts";
import { TOKEN } from "./rig.ts";

export type Frame = {
  type: string;
  id?: string;
  ok?: boolean;
  event?: string;
  // oxlint-disable-next-line no-explicit-any
  payload?: any;
  error?: ErrorShape;
  seq?: number;
  stateVersion?: { presence: number; health: number };
};

export const CLIENT = { id: "test", version: "1", platform: "linux", mode: "test" };
export const connectParams = (more: object = {}) => ({
  minProtocol: 3,
  maxProtocol: 4,
  client: CLIENT,
  scopes: ["operator.admin"],
  auth: { token: TOKEN },
  ...more,
});

export class Dialled {
  readonly frames: Frame[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  private readonly waiters: { test: (f: Frame) => boolean; resolve: (f: Frame) => void }[] = [];
  private next = 1;

  constructor(readonly socket: WebSocket) {
    const end = Promise.withResolvers<{ code: number; reason: string }>();
    this.closed = end.promise;
    socket.onmessage = (message) => {
      const frame = JSON.parse(String(message.data)) as Frame;
      this.frames.push(frame);
      for (const waiter of [...this.waiters])
        if (waiter.test(frame)) {
          this.waiters.splice(this.waiters.indexOf(waiter), 1);
          waiter.resolve(frame);
        }
    };
    socket.onclose = ({ code, reason }) => end.resolve({ code, reason });
    socket.onerror = () => undefined;
  }

  /** The first frame, past or future, that fits. */
  frame(test: (f: Frame) => boolean): Promise<Frame> {
    const seen = this.frames.find(test);
    if (seen) return Promise.resolve(seen);
    return new Promise((resolve) => this.waiters.push({ test, resolve }));
  }

  event(name: string, test: (payload: Frame["payload"]) => boolean = () => true): Promise<Frame> {
    return this.frame((f) => f.event === name && test(f.payload));
  }

  events(name: string): Frame["payload"][] {
    return this.frames.filter((f) => f.event === name).map((f) => f.payload);
  }

  /** Sends a request and gives its id. */
  post(method: string, params?: unknown, id = `r${this.next++}`): string {
    this.socket.send(JSON.stringify({ type: "req", id, method, params }));
    return id;
  }

  /** Sends a request and gives its first answer. */
  async request(method: string, params?: unknown): Promise<Frame> {
    const id = this.post(method, params);
    return this.frame((f) => f.type === "res" && f.id === id);
  }

  /** Like `request`, and the answer must be a good one. */
  async call(method: string, params?: unknown): Promise<Frame["payload"]> {
    const answer = await this.request(method, params);
    expect(answer.error).toBeUndefined();
    return answer.payload;
  }

  connect(more: object = {}): Promise<Frame> {
    return this.request("connect", connectParams(more));
  }

  challenge(): Promise<Frame> {
    return this.event("connect.challenge");
  }
}

export async function dial(url: string, headers?: Record<string, string>): Promise<Dialled> {
  const options = { headers: headers ?? {}, perMessageDeflate: false };
  const socket = new WebSocket(url, options as unknown as string[]);
  const client = new Dialled(socket);
  await Promise.race([
    new Promise((resolve) => socket.addEventListener("open", resolve)),
    client.closed,
  ]);
  return client;
}

/** Connected and signed in. */
export async function signedIn(url: string, more: object = {}): Promise<Dialled> {
  const client = await dial(url);
  expect((await client.connect(more)).error).toBeUndefined();
  return client;
}

/** Turns an HTTP upgrade's status into a value; `WebSocket` hides it. */
export async function upgradeStatus(
  http: string,
  headers: Record<string, string>,
): Promise<number> {
  const { hostname, port } = new URL(http);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const lines = Object.entries({
    Host: `${hostname}:${port}`,
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data(_, bytes) {
        resolve(Number(bytes.toString().split(" ")[1]));
      },
      error: (_, error) => reject(error),
    },
  });
  socket.write(`GET / HTTP/1.1\r\n${lines.join("")}\r\n`);
  const status = await promise;
  socket.end();
  return status;
}
