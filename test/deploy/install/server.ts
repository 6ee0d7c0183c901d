/**
 * The release server of the installer's tests: the files of a folder over HTTP, over HTTPS, and an HTTPS proxy, all on free ports
 * of this machine. The first part of a path names a fault: `/cut/good/…` is `/good/…`, ended in the middle of the big files.
 *
 * `bun server.ts <folder> <certificate> <key> <file for the requests>` prints the three ports, and ends when it is killed, or
 * after a quarter of an hour should nobody do that.
 */
import { appendFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, createServer as createTcpServer } from "node:net";
import { join, normalize } from "node:path";

const [folder, certificate, key, requests] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
];
const isProgram = (path: string) => /\/clawdbot-[^/]*$/.test(path);

type Fault = (body: Buffer, response: ServerResponse, path: string) => void;

const plain: Fault = (body, response) => {
  response.writeHead(200, { "content-length": body.length });
  response.end(body);
};
const onlyProgram =
  (fault: Fault): Fault =>
  (body, response, path) =>
    isProgram(path) ? fault(body, response, path) : plain(body, response, path);

const FAULTS: Record<string, Fault> = {
  ok: plain,
  /** Says how long it is, and ends after half of it. */
  cut: onlyProgram((body, response) => {
    response.writeHead(200, { "content-length": body.length });
    response.write(body.subarray(0, body.length / 2), () => response.destroy());
  }),
  /** Half of it, with a length that fits: only the checksum can tell. */
  half: onlyProgram((body, response, path) =>
    plain(body.subarray(0, body.length / 2), response, path),
  ),
  /** Half of it, and then nothing more, for as long as the client waits. */
  stall: onlyProgram((body, response) => {
    response.writeHead(200, { "content-length": body.length });
    response.write(body.subarray(0, body.length / 2));
    appendFileSync(requests, "stalled\n");
  }),
  /** In small pieces. */
  slow: onlyProgram((body, response) => {
    response.writeHead(200, { "content-length": body.length });
    const step = Math.ceil(body.length / 5);
    const send = (at: number): void => {
      if (at >= body.length) response.end();
      else response.write(body.subarray(at, at + step), () => setTimeout(send, 20, at + step));
    };
    send(0);
  }),
  /** A page of a hotel's network, whatever one asks for. */
  page: (_, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<!DOCTYPE html><html><body>Please sign in</body></html>\n");
  },
  /** More and more, for as long as somebody takes it. */
  endless: (_, response) => {
    response.writeHead(200);
    const more = Buffer.alloc(65_536, "9");
    const send = (): void => {
      while (!response.destroyed && response.write(more));
    };
    response.on("drain", send);
    send();
  },
  broken: (_, response) => {
    response.writeHead(500);
    response.end("broken");
  },
};

function answer(request: IncomingMessage, response: ServerResponse): void {
  // The release's own address on GitHub leads to `/ok/good`, for those who reach it through the proxy.
  const path = decodeURIComponent(request.url ?? "/").replace(
    /^\/clawdbot\/clawdbot\/releases\//,
    "/ok/good/",
  );
  appendFileSync(requests, `${request.method} ${path}\n`);
  const [, fault = "", ...rest] = normalize(path).split("/");
  if (fault === "moved" || fault === "downgraded") {
    const to = fault === "moved" ? "" : `http://127.0.0.1:${portOf(http)}`;
    response.writeHead(302, { location: `${to}/ok/${rest.join("/")}` });
    response.end();
    return;
  }
  const file = Bun.file(join(folder, ...rest));
  void file
    .bytes()
    .then((bytes) => Buffer.from(bytes))
    .catch(() => (fault === "page" || fault === "broken" ? Buffer.alloc(0) : undefined))
    .then((body) => {
      if (body === undefined || !(fault in FAULTS)) {
        response.writeHead(404);
        response.end("not here\n");
      } else FAULTS[fault]!(body, response, `/${rest.join("/")}`);
    });
}

const http = createServer(answer);
const https = createTlsServer(
  { cert: await Bun.file(certificate).text(), key: await Bun.file(key).text() },
  answer,
);
/** Leads every CONNECT to the HTTPS server here, whatever name was asked for. */
const proxy = createTcpServer((client) => {
  client.once("data", (head) => {
    const [line = ""] = head.toString().split("\r\n");
    appendFileSync(requests, `proxy ${line}\n`);
    if (!line.startsWith("CONNECT ")) {
      client.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const upstream = connect(portOf(https), "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      client.pipe(upstream);
      upstream.pipe(client);
    });
    upstream.on("error", () => client.destroy());
  });
  client.on("error", () => client.destroy());
});

const portOf = (server: { address(): unknown }) => (server.address() as { port: number }).port;
for (const server of [http, https, proxy])
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
process.stdout.write(`${portOf(http)} ${portOf(https)} ${portOf(proxy)}\n`);
setTimeout(() => process.exit(0), 15 * 60_000);
