/** A small machine on the open internet: strangers who never sign in must not fill its memory. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";

import { home, signIn, start, TOKEN, urlOf, useRig } from "./rig.ts";

setDefaultTimeout(60_000);
useRig();
const noProc = process.platform !== "linux";
const MB = 1024 * 1024;
const SOCKETS = 32;
const FRAME = 24 * MB;

/** Sends the beginning of one large frame, and resolves when the gateway has cut the connection. */
function halfFrame(port: number, sockets: Socket[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const head = Buffer.alloc(14);
  head.set([0x81, 0x80 | 127]);
  head.writeBigUInt64BE(BigInt(FRAME), 2);
  const socket = connect(port, "127.0.0.1", () => {
    socket.write(
      `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
  });
  socket.once("data", () => {
    socket.write(head);
    socket.write(Buffer.alloc(FRAME - MB, "a"));
  });
  socket.on("error", () => undefined);
  socket.once("close", () => resolve());
  sockets.push(socket);
  return promise;
}

test.skipIf(noProc)(
  "deploy-054 768 MB in half frames from strangers cost a few, and the owner signs in meanwhile",
  async () => {
    const env = { CLAWDBOT_GATEWAY_TOKEN: TOKEN };
    const gateway = await start(home(), "gateway --port 0 --bind lan", { env });
    await gateway.seen("agent model:");
    const peak = () =>
      (Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.pid}/status`, "utf8"))![1]) *
        1024) /
      MB;
    const before = peak();
    const sockets: Socket[] = [];
    const flood = Array.from({ length: SOCKETS }, () => halfFrame(gateway.port, sockets));
    await gateway.seen("memory grew while sockets were not signed in");
    expect((await signIn(urlOf(gateway))).protocol).toBe(4);
    for (const socket of sockets) if (!socket.destroyed) socket.destroy();
    await Promise.all(flood);
    const grown = peak() - before;
    process.stdout.write(`      the peak of the memory grew by ${Math.round(grown)} MB\n`);
    // All of them together are 768 MB; without the limit the gateway holds that.
    expect(grown).toBeLessThan(320);
  },
);
