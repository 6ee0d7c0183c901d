import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";

import { z } from "zod";

import { UNIX_PEER } from "../../src/gateway/access/origin.ts";
import { Connection, type Socket as ServerSocket } from "../../src/gateway/connection.ts";
import { method } from "../../src/gateway/method.ts";
import { methods } from "../../src/gateway/methods/index.ts";
import { dial, signedIn } from "./dial.ts";
import { openRig, type Rig } from "./rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

/** A WebSocket without a library: what a hostile client is. Gives the socket after the 101. */
function rawSocket(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.write(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  socket.once("data", () => resolve(socket));
  socket.once("error", reject);
  return promise;
}

/** A client frame; the mask is zero, which the standard allows. */
function frame(opcode: number, payload: Buffer, claimed = payload.length): Buffer {
  const head = Buffer.alloc(14);
  head[0] = 0x80 | opcode;
  head[1] = 0xff;
  head.writeBigUInt64BE(BigInt(claimed), 2);
  return Buffer.concat([head, payload]);
}

/** The code of the close frame that the server ends the socket with; undefined when it just cuts. */
function closeCode(socket: Socket): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  let code: number | undefined;
  socket.on("data", (bytes: Buffer) => {
    const at = bytes.indexOf(0x88);
    if (at >= 0 && bytes.length >= at + 4) code = bytes.readUInt16BE(at + 2);
  });
  socket.on("close", () => resolve(code));
  socket.on("error", () => resolve(code));
  return promise;
}

const alive = async () => {
  const client = await signedIn(rig.url);
  expect((await client.request("health", {})).ok).toBe(true);
  client.socket.close();
};

describe("frames", () => {
  test("a frame of 100 MB is refused by its head", async () => {
    const socket = await rawSocket(rig.gateway.port);
    const code = closeCode(socket);
    socket.write(frame(1, Buffer.from("{"), 100_000_000));
    expect(await code).toBe(1009);
    await alive();
  });

  test("a first frame of 65 KiB is refused, one of 60 KiB is read", async () => {
    const big = await dial(rig.url);
    big.socket.send("x".repeat(65 * 1024 + 1));
    expect(await big.closed).toEqual({ code: 1009, reason: "first frame too large" });
    const small = await dial(rig.url);
    expect(
      (await small.connect({ userAgent: "u", locale: "x".repeat(60 * 1024) })).error?.message,
    ).toMatch(/at \/locale: must NOT have more than 64 characters/);
  });

  test("a signed-in client may send a megabyte", async () => {
    const client = await signedIn(rig.url);
    const answer = await client.request("chat.inject", {
      sessionKey: "x",
      message: "y".repeat(900_000),
    });
    expect(answer.error?.message).toBe("session not found");
    client.socket.close();
  });

  test("a binary frame is read as UTF-8 text", async () => {
    const client = await dial(rig.url);
    const text = { type: "req", id: "b", method: "health" };
    expect((await client.connect()).ok).toBe(true);
    client.socket.send(new TextEncoder().encode(JSON.stringify(text)));
    expect((await client.frame((f) => f.id === "b")).ok).toBe(true);
    client.socket.close();
  });

  test("text that is no UTF-8 closes with 1007; binary that is none is answered", async () => {
    const socket = await rawSocket(rig.gateway.port);
    const code = closeCode(socket);
    socket.write(frame(1, Buffer.from([0xff, 0xfe])));
    expect(await code).toBe(1007);
    const client = await signedIn(rig.url);
    client.socket.send(new Uint8Array([0xff, 0xfe, 0x00]));
    const answer = await client.frame((f) => f.id === "invalid");
    expect(answer.error?.message).toMatch(/^invalid request frame: /);
    client.socket.close();
  });

  const bombs: [string, string][] = [
    ["100,000 nested arrays", "[".repeat(100_000) + "]".repeat(100_000)],
    ["65 nested objects", `${'{"a":'.repeat(65)}1${"}".repeat(65)}`],
    ["half a document", '{"type":"req","id":"x"'],
    ["200,000 values", `[${"0,".repeat(200_000)}0]`],
    ["a bare number", "42"],
    ["null", "null"],
    ["an empty frame", ""],
  ];
  for (const [name, text] of bombs)
    test(`${name}: answered, and the connection lives on`, async () => {
      const client = await signedIn(rig.url);
      client.socket.send(text);
      const answer = await client.frame((f) => f.id === "invalid");
      expect(answer).toMatchObject({ ok: false, error: { code: "INVALID_REQUEST" } });
      expect((await client.request("health", {})).ok).toBe(true);
      client.socket.close();
    });

  test("a frame with a wrong member is answered under its id", async () => {
    const client = await signedIn(rig.url);
    client.socket.send(JSON.stringify({ type: "req", id: "mine", method: 5 }));
    const answer = await client.frame((f) => f.id === "mine");
    expect(answer.error?.message).toBe("invalid request frame: at /method: must be string");
    client.socket.close();
  });

  test("__proto__ in a parameter pollutes nothing", async () => {
    const client = await signedIn(rig.url);
    client.socket.send(
      '{"type":"req","id":"p","method":"sessions.list","params":{"__proto__":{"limit":"x"},"constructor":{"prototype":{"polluted":1}}}}',
    );
    expect((await client.frame((f) => f.id === "p")).ok).toBe(true);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    client.socket.close();
  });

  test("a failure inside a method shows no stack and no path", async () => {
    await using broken = await openRig();
    const client = await signedIn(broken.url);
    broken.store.sessions.list = () => Promise.reject(new Error("ENOENT /home/owner/.secret"));
    const { error } = await client.request("sessions.list", {});
    expect(error?.code).toBe("UNAVAILABLE");
    expect(JSON.stringify(error)).not.toContain("/home/owner");
    const reference = /reference (\w+)/.exec(error!.message)![1];
    expect(broken.logs.some((l) => l.data?.["reference"] === reference)).toBe(true);
    client.socket.close();
  });
});

describe("many sockets", () => {
  test("2,000 silent sockets never keep the owner out", async () => {
    const silent: WebSocket[] = [];
    const flood = async () => {
      for (let i = 0; i < 500; i++) {
        const socket = new WebSocket(rig.url);
        socket.onerror = () => undefined;
        silent.push(socket);
        if (i % 50 === 49) await Bun.sleep(0);
      }
    };
    await Promise.all([flood(), flood(), flood(), flood()]);
    const began = performance.now();
    const owner = await signedIn(rig.url);
    expect(performance.now() - began).toBeLessThan(1_000);
    owner.socket.close();
    for (const socket of silent) socket.close();
  }, 20_000);
});

describe("what one client may ask for", () => {
  test("compression is not agreed on: a small frame cannot become a large one", async () => {
    const socket = connect(rig.gateway.port, "127.0.0.1");
    socket.write(
      `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n`,
    );
    const answer = await new Promise<string>((resolve) =>
      socket.once("data", (bytes) => resolve(String(bytes))),
    );
    expect(answer).toStartWith("HTTP/1.1 101 ");
    expect(answer.toLowerCase()).not.toContain("sec-websocket-extensions");
    socket.destroy();
  });

  test("requests have a rate: the rest of a burst is refused, and the connection lives on", async () => {
    const client = await signedIn(rig.url);
    const ids = Array.from({ length: 4_000 }, () => client.post("last-heartbeat", {}));
    const last = await client.frame((f) => f.id === ids.at(-1));
    expect(last.error).toMatchObject({
      code: "UNAVAILABLE",
      message: "too many requests; slow down",
      retryable: true,
    });
    expect((await client.frame((f) => f.id === ids[0])).ok).toBe(true);
    expect(last.error!.retryAfterMs).toBeGreaterThan(0);
    client.socket.close();
    await alive();
  });

  test("answers in the making are counted, also for programs of this machine", async () => {
    const never = method({
      doc: "Never answers.",
      scope: "operator.read",
      params: z.object({}),
      result: z.null(),
      run: () => new Promise<null>(() => undefined),
    });
    await using own = await openRig({ unix: true, methods: { ...methods, never } });
    const client = await dial(`ws+unix://${own.gateway.socketPath}:/`);
    await client.connect({ auth: undefined });
    for (let i = 0; i < 2_000; i++) client.post("never", {});
    const refused = await client.request("never", {});
    expect(refused.error?.message).toBe("too many requests; slow down");
    const other = await signedIn(own.url);
    expect((await other.request("health", {})).ok).toBe(true);
    other.socket.close();
    client.socket.close();
  });

  test("sockets that say nothing are bounded: the oldest goes", async () => {
    await using own = await openRig();
    const first = await dial(own.url);
    const more: WebSocket[] = [];
    for (let i = 0; i < 1_100; i++) {
      const { socket } = await dial(own.url);
      more.push(socket);
    }
    // Cut off, not asked to leave after the time for the handshake.
    expect((await first.closed).code).toBe(1006);
    for (const socket of more) socket.close();
  }, 20_000);

  test("who never reads the answers is cut off before they fill the memory", () => {
    const said: unknown[] = [];
    const at = { buffered: 16 * 1024 * 1024 };
    const socket = {
      getBufferedAmount: () => at.buffered,
      sendText: () => said.push("sent"),
      close: (code: number, reason: string) => said.push([code, reason]),
      terminate: () => undefined,
    } as unknown as ServerSocket;
    const connection = new Connection(socket, UNIX_PEER);
    const answer = { type: "res", id: "1", ok: true, payload: null } as const;
    connection.respond(answer);
    at.buffered++;
    connection.respond(answer);
    connection.respond(answer);
    expect(said).toEqual(["sent", [1008, "slow consumer"]]);
  });
});

describe("a client that never reads", () => {
  test("misses what may be missed, is closed by what may not, and nobody else notices", async () => {
    await using own = await openRig();
    const socket = await rawSocket(own.gateway.port);
    socket.write(
      frame(
        1,
        Buffer.from(
          JSON.stringify({
            type: "req",
            id: "1",
            method: "connect",
            params: {
              minProtocol: 3,
              maxProtocol: 3,
              client: { id: "test", version: "1", platform: "x", mode: "test" },
              auth: { token: "correct-horse-battery-staple-42" },
            },
          }),
        ),
      ),
    );
    await new Promise((resolve) => socket.once("data", resolve));
    socket.pause();
    const reader = await signedIn(own.url);
    const size = 200_000;
    let sent = 0;
    while (!own.logs.some((l) => l.message === "slow consumer") && sent < 400) {
      own.runs.emit(`run-${sent}`, {
        type: "message",
        message: { role: "assistant", blocks: [{ type: "text", text: "z".repeat(size) }], at: 1 },
      });
      const usage = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
      own.runs.emit(`run-${sent++}`, { type: "end", status: "ok", usage, at: 1 });
      await reader.event("chat", (p) => p.runId === `run-${sent - 1}` && p.state === "final");
    }
    expect(own.logs.filter((l) => l.message === "slow consumer")).toHaveLength(1);
    expect(reader.events("chat")).toHaveLength(sent);
    socket.destroy();
    reader.socket.close();
  }, 20_000);
});

describe("logs", () => {
  test("a flood of one kind is one line, and remote text in it is one clean line", async () => {
    await using own = await openRig();
    for (let i = 0; i < 20; i++) {
      const client = await dial(own.url);
      client.post(`evil\n[gateway] owned \u001b[31m${"x".repeat(15_000)}`, {});
      await client.closed;
    }
    const lines = own.logs.filter((l) => l.message === "first request is not connect");
    expect(lines).toHaveLength(1);
    const shown = String(lines[0]!.data!["method"]);
    expect(shown.length).toBeLessThanOrEqual(257);
    // oxlint-disable-next-line no-control-regex
    expect(shown).not.toMatch(/[\u0000-\u001f]/);
    await own.gateway.stop();
    expect(own.logs.some((l) => l.message === "first request is not connect (×19 more)")).toBe(
      true,
    );
  });
});

test("an upgrade without the key is answered, not crashed on", async () => {
  const socket = connect(rig.gateway.port, "127.0.0.1");
  socket.write(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1:${rig.gateway.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
  );
  const answer = await new Promise<string>((resolve) =>
    socket.once("data", (d) => resolve(String(d))),
  );
  expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  socket.destroy();
});
