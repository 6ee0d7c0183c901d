import { describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "../../src/base/time.ts";
import type { SocketData } from "../../src/gateway/connection.ts";
import {
  ALONE,
  hostsFor,
  listenTcp,
  listenUnix,
  type OpenServer,
} from "../../src/gateway/listen.ts";
import { portOwners } from "../../src/gateway/port-owner.ts";
import { keepLog } from "../config-home.ts";
import { dial } from "./dial.ts";
import { openRig } from "./rig.ts";

describe("ports", () => {
  test("a taken port names the process that holds it", async () => {
    await using first = await openRig();
    const failed = openRig({ port: first.gateway.port, portRetries: 0 });
    const error = await failed.then(undefined, (cause) => cause);
    expect(error.code).toBe("port_taken");
    expect(error.message).toContain(
      `Port ${first.gateway.port} on 127.0.0.1 is taken by process ${process.pid}`,
    );
    // This test is no gateway.
    expect(error.message).not.toContain("gateway instance");
    expect(error.hint).toContain("--port");
  });

  test("a port that another gateway has is said to be so, and --force is not advised", async () => {
    const dir = mkdtempSync(join(tmpdir(), "gw-"));
    const script = join(dir, "clawdbot.ts");
    writeFileSync(
      script,
      `console.log(Bun.serve({hostname:"127.0.0.1",port:0,fetch:()=>new Response()}).port)`,
    );
    const child = Bun.spawn([process.execPath, script, "gateway"], { stdout: "pipe" });
    const { value } = await child.stdout.getReader().read();
    const port = Number(new TextDecoder().decode(value));
    const error = await openRig({ port, portRetries: 0 }).then(undefined, (cause) => cause);
    child.kill();
    await child.exited;
    rmSync(dir, { recursive: true });
    expect(error.message).toContain(
      `another gateway instance is already listening on ws://127.0.0.1:${port}`,
    );
    expect(error.hint).toContain("--port");
    expect(error.hint).not.toContain("--force");
  });

  test("a port that becomes free while it is retried is taken", async () => {
    const first = await openRig();
    const second = openRig({ port: first.gateway.port, portRetries: 10 });
    await first.close();
    await (await second).close();
  });

  test("the owner of a port is found by its socket, on both families", async () => {
    for (const hostname of ["127.0.0.1", "::1"]) {
      const server = Bun.serve({ hostname, port: 0, fetch: () => new Response() });
      const owners = await portOwners(server.port!);
      expect(owners.map((o) => o.pid)).toContain(process.pid);
      await server.stop(true);
    }
    expect(await portOwners(1)).toEqual([]);
  });

  test("an address that is not ours is a refusal with a hint, not a stack", async () => {
    const error = await openRig({ hosts: ["203.0.113.77"] }).then(undefined, (cause) => cause);
    expect(error.code).toBe("start_refused");
    expect(error.hint).toContain("gateway.bind");
  });

  test("an alias that cannot be bound costs a warning", async () => {
    await using rig = await openRig({ hosts: ["127.0.0.1", "203.0.113.77"] });
    expect(rig.gateway.urls).toEqual([`ws://127.0.0.1:${rig.gateway.port}`]);
    expect(rig.logs.some((l) => l.message === "failed to bind loopback alias")).toBe(true);
  });

  test("loopback is both families on one port", async () => {
    await using rig = await openRig({ hosts: hostsFor({ bind: "loopback" }) });
    const { port, urls } = rig.gateway;
    expect(urls).toEqual([`ws://127.0.0.1:${port}`, `ws://[::1]:${port}`]);
    expect((await fetch(`http://[::1]:${port}/healthz`)).status).toBe(200);
    const client = await dial(`ws://[::1]:${port}/`, { origin: `http://[::1]:${port}` });
    expect((await client.connect()).ok).toBe(true);
    client.socket.close();
  });

  test("lan listens for IPv4 too", async () => {
    await using rig = await openRig({ hosts: hostsFor({ bind: "lan" }) });
    expect((await fetch(`http://127.0.0.1:${rig.gateway.port}/healthz`)).status).toBe(200);
  });

  test("custom and tailnet without an address fall back to this machine", () => {
    expect(hostsFor({ bind: "custom", customBindHost: "10.1.2.3" })).toEqual(["10.1.2.3"]);
    expect(hostsFor({ bind: "auto" })).toEqual(["127.0.0.1", "::1"]);
    expect(hostsFor({ bind: "custom" })).toEqual(["127.0.0.1", "::1"]);
  });

  test("a kernel without IPv6 gets every interface of IPv4 instead", async () => {
    const asked: string[] = [];
    const open: OpenServer = (at) => {
      if ("unix" in at) throw new Error("not asked for");
      asked.push(at.hostname);
      if (at.hostname === "::")
        throw Object.assign(new Error("no such family"), { code: "EAFNOSUPPORT" });
      return Bun.serve<SocketData>({
        ...at,
        fetch: () => new Response("v4"),
        websocket: { message: () => undefined },
        ...ALONE,
      });
    };
    const hosts = hostsFor({ bind: "lan" });
    const [first] = await listenTcp(open, hosts, 0, { log: keepLog().log, clock: systemClock });
    expect({ asked, host: first!.host }).toEqual({ asked: ["::", "0.0.0.0"], host: "0.0.0.0" });
    expect(await (await fetch(`http://127.0.0.1:${first!.server.port}/`)).text()).toBe("v4");
    await first!.server.stop(true);
  });
});

describe("the local socket", () => {
  test("is for its owner only and goes away with the gateway", async () => {
    const rig = await openRig({ unix: true });
    const path = rig.gateway.socketPath!;
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await rig.gateway.stop();
    expect(() => statSync(path)).toThrow();
    await rig.close();
  });

  test("is for its owner only from the very first moment, and nothing else is made so", async () => {
    const dir = mkdtempSync(join(tmpdir(), "gw-umask-"));
    const before = process.umask();
    const seen: number[] = [];
    const open: OpenServer = (at) => {
      seen.push(process.umask());
      return Bun.serve<SocketData>({ ...(at as { unix: string }), fetch: () => new Response() });
    };
    const server = await listenUnix(open, join(dir, "s"), keepLog().log);
    expect(seen).toEqual([0o177]);
    expect(process.umask()).toBe(before);
    await server!.stop(true);
    const broken: OpenServer = () => {
      throw Object.assign(new Error("no"), { code: "EPERM" });
    };
    expect(await listenUnix(broken, join(dir, "t"), keepLog().log)).toBeUndefined();
    expect(process.umask()).toBe(before);
    rmSync(dir, { recursive: true });
  });

  test("a file that a killed gateway left is replaced", async () => {
    const dir = mkdtempSync(join(tmpdir(), "sock-"));
    const socketPath = join(dir, "s.sock");
    const child = Bun.spawn(
      [
        process.execPath,
        "-e",
        `Bun.serve({unix:${JSON.stringify(socketPath)},fetch:()=>new Response()});console.log("up")`,
      ],
      { stdout: "pipe" },
    );
    await child.stdout.getReader().read();
    child.kill("SIGKILL");
    await child.exited;
    expect(statSync(socketPath).isSocket()).toBe(true);
    await using rig = await openRig({ socketPath });
    expect(rig.gateway.socketPath).toBe(socketPath);
    const client = await dial(`ws+unix://${socketPath}:/`);
    expect((await client.connect({ auth: undefined })).ok).toBe(true);
    client.socket.close();
    rmSync(dir, { recursive: true });
  });

  test("a socket that answers stops the start, and nothing stays open", async () => {
    await using first = await openRig({ unix: true });
    const error = await openRig({ socketPath: first.gateway.socketPath! }).then(
      undefined,
      (cause) => cause,
    );
    expect(error.code).toBe("gateway_running");
  });

  test("is made again when its file is deleted, and open connections stay", async () => {
    await using rig = await openRig({ unix: true });
    const path = rig.gateway.socketPath!;
    const before = await dial(`ws+unix://${path}:/`);
    expect((await before.connect({ auth: undefined })).ok).toBe(true);
    await rig.gateway.keepSocket();
    rmSync(path);
    await rig.gateway.keepSocket();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const after = await dial(`ws+unix://${path}:/`);
    expect((await after.connect({ auth: undefined })).ok).toBe(true);
    expect((await before.call("health")).ok).toBe(true);
    before.socket.close();
    after.socket.close();
    await rig.gateway.stop();
    expect(() => statSync(path)).toThrow();
  });

  test("a file that is no socket is not deleted", async () => {
    const dir = mkdtempSync(join(tmpdir(), "sock-"));
    const socketPath = join(dir, "precious");
    writeFileSync(socketPath, "keep me");
    const error = await openRig({ socketPath }).then(undefined, (cause) => cause);
    expect(error.code).toBe("start_refused");
    expect(await Bun.file(socketPath).text()).toBe("keep me");
    rmSync(dir, { recursive: true });
  });

  test("a path that is too long, or a folder that cannot be written, costs a warning", async () => {
    await using long = await openRig({ socketPath: join(tmpdir(), "x".repeat(120)) });
    expect(long.gateway.socketPath).toBeUndefined();
    expect(long.logs.some((l) => l.message.startsWith("no local socket"))).toBe(true);
    const dir = mkdtempSync(join(tmpdir(), "sock-"));
    await using missing = await openRig({ socketPath: join(dir, "no", "such", "s.sock") });
    expect(missing.gateway.socketPath).toBeUndefined();
    chmodSync(dir, 0o700);
    rmSync(dir, { recursive: true });
  });
});
