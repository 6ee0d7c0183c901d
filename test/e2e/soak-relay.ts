/**
 * Between the program and a fake platform's HTTP: passes requests on, except those whose fate is worse. What becomes of a request is
 * decided by the caller from what is in it, so that a run can be repeated.
 */
import { createServer, type IncomingMessage, request as ask, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** `cut`: it ends before the platform hears of it. `deaf`: after the platform did it. `silent`: nobody answers, for ever. */
export type Fate =
  | "pass"
  | "cut"
  | "deaf"
  | "silent"
  | { status: number; body: object; headers?: Record<string, string> };
export type Passing = { method: string; path: string; body: string };

export type Relay = { origin: string; cut(): void; close(): Promise<void> };

export async function startRelay(
  target: string,
  fateOf: (passing: Passing) => Fate,
): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.socket?.destroy());
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bytesOf(request);
    const { method = "GET", url: path = "/" } = request;
    const fate = fateOf({ method, path, body: body.toString("utf8") });
    if (fate === "silent") return;
    if (fate === "cut") return void response.socket?.destroy();
    if (typeof fate === "object") {
      response.writeHead(fate.status, { "content-type": "application/json", ...fate.headers });
      return void response.end(JSON.stringify(fate.body));
    }
    const { host: _, connection: __, ...headers } = request.headers;
    const onward = ask(new URL(path, target), { method, headers, agent: false });
    response.on("close", () => onward.destroy());
    onward.on("error", () => response.socket?.destroy());
    onward.on("response", (answer) => {
      if (fate === "deaf") {
        answer.resume();
        answer.on("end", () => response.socket?.destroy());
        return;
      }
      const { connection: ___, ...back } = answer.headers;
      response.writeHead(answer.statusCode ?? 500, back);
      answer.pipe(response);
    });
    onward.end(body);
  }

  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
