import { afterEach, expect, test } from "bun:test";
import { createServer as createHttp, type Server, type ServerResponse } from "node:http";
import {
  type AddressInfo,
  createServer as createTcp,
  type Server as TcpServer,
  type Socket,
} from "node:net";

import { AppError } from "../../src/base/errors.ts";
import { createTransport } from "../../src/providers/transport.ts";
import { until } from "../contract/provider.ts";

const servers: (Server | TcpServer)[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of servers.splice(0)) {
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listen<S extends Server | TcpServer>(server: S): Promise<string> {
  servers.push(server);
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const failureOf = async (work: Promise<unknown>): Promise<AppError> => {
  const cause = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(cause).toBeInstanceOf(AppError);
  return cause as AppError;
};

test("a thousand streams are open at once", async () => {
  const waiting: ServerResponse[] = [];
  // No stream ends before all of them have begun: with a limit below 1,000 this never finishes.
  const url = await listen(
    createHttp((_req, res) => {
      res.write("first ");
      waiting.push(res);
      if (waiting.length === 1000) for (const each of waiting) each.end("last");
    }),
  );
  const fetch = createTransport({ id: "fake", idleTimeoutMs: 20_000 });
  const texts = await Promise.all(
    Array.from({ length: 1000 }, async () =>
      (await fetch(url, { method: "POST", body: "{}" })).text(),
    ),
  );
  expect(texts.filter((text) => text === "first last")).toHaveLength(1000);
}, 20_000);

/** Answers by hand, so that a connection can be closed at any byte. */
const answer = (text: string): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${text.length}\r\nconnection: keep-alive\r\n\r\n${text}`;

test("a kept connection that the other side has closed is replaced without a failure", async () => {
  let connections = 0;
  const url = await listen(
    createTcp((socket) => {
      const mine = ++connections;
      let requests = 0;
      socket.on("error", () => socket.destroy());
      socket.on("data", () => {
        requests++;
        if (mine === 1 && requests === 2) return void socket.destroy();
        socket.write(answer("ok"));
      });
    }),
  );
  const fetch = createTransport({ id: "fake", idleTimeoutMs: 5000 });
  const post = async () => (await fetch(url, { method: "POST", body: "{}" })).text();
  expect(await post()).toBe("ok");
  expect(await post()).toBe("ok");
  expect(connections).toBe(2);
});

test("a request that breaks on a fresh connection is not sent again", async () => {
  let requests = 0;
  const url = await listen(
    createTcp((socket) => {
      socket.on("error", () => socket.destroy());
      socket.on("data", () => {
        requests++;
        socket.destroy();
      });
    }),
  );
  const fetch = createTransport({ id: "fake", idleTimeoutMs: 5000 });
  const error = await failureOf(fetch(url, { method: "POST", body: "{}" }));
  expect(error.code).toBe("provider_timeout");
  expect(requests).toBe(1);
});

test("an answer without end is cut off at the limit, and the connection closed", async () => {
  let closed = false;
  const url = await listen(
    createHttp((_req, res) => {
      res.on("close", () => (closed = true));
      const more = () => {
        while (!closed && res.write("x".repeat(65_536)));
        if (!closed) res.once("drain", more);
      };
      more();
    }),
  );
  const fetch = createTransport({ id: "fake", idleTimeoutMs: 5000, maxBytes: 1 << 20 });
  const error = await failureOf(fetch(url).then((r) => r.text()));
  expect(error.code).toBe("provider_rejected");
  expect(error.message).toContain("1 MB");
  await until(() => closed);
});

test("a slow stream that keeps coming is not silence", async () => {
  const url = await listen(
    createHttp(async (_req, res) => {
      for (let i = 0; i < 8; i++) {
        res.write("x");
        await Bun.sleep(100);
      }
      res.end();
    }),
  );
  const fetch = createTransport({ id: "fake", idleTimeoutMs: 600 });
  expect(await (await fetch(url)).text()).toBe("xxxxxxxx");
});

test("a slow reader is not silence of the other side", async () => {
  const size = 4 << 20;
  const url = await listen(createHttp((_req, res) => void res.end("x".repeat(size))));
  const fetch = createTransport({ id: "fake", idleTimeoutMs: 100 });
  const response = await fetch(url);
  await Bun.sleep(300);
  expect((await response.text()).length).toBe(size);
});

test("a redirect is given back, never followed", async () => {
  let hits = 0;
  const url = await listen(
    createHttp((_req, res) => {
      hits++;
      res.writeHead(307, { location: "/other" }).end();
    }),
  );
  const response = await createTransport({ id: "fake", idleTimeoutMs: 5000 })(url, {
    method: "POST",
    body: "{}",
  });
  expect(response.status).toBe(307);
  expect(hits).toBe(1);
});

test("text is sent as UTF-8 with its length in bytes", async () => {
  const url = await listen(
    createHttp(async (req, res) => {
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk as Buffer);
      res.end(JSON.stringify([req.headers["content-length"], Buffer.concat(chunks).toString()]));
    }),
  );
  const response = await createTransport({ id: "fake", idleTimeoutMs: 5000 })(url, {
    method: "POST",
    body: "ü🦞",
  });
  expect(await response.json()).toEqual(["6", "ü🦞"]);
});

test("an address that is not http(s) is refused", async () => {
  const fetch = createTransport({ id: "fake", idleTimeoutMs: 5000 });
  expect((await failureOf(fetch("file:///etc/passwd"))).code).toBe("provider_rejected");
});
