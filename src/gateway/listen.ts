import { chmod, lstat, unlink } from "node:fs/promises";
import { networkInterfaces } from "node:os";
/** Opening the sockets: the addresses of a bind mode, the retries on a taken port, the Unix socket. */
import { join } from "node:path";

import type { Server } from "bun";

import { NAMES } from "../base/brand.ts";
import { AppError, errnoOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { type Clock, systemClock } from "../base/time.ts";
import { inList } from "./access/ip.ts";
import type { GatewayConfig } from "./config.ts";
import type { SocketData } from "./connection.ts";
import { portOwners } from "./port-owner.ts";

export type HttpServer = Server<SocketData>;
/** Opens one server; the caller knows the handlers. Throws the system error. */
export type OpenServer = (at: { hostname: string; port: number } | { unix: string }) => HttpServer;

/** How often, and in which distance, a taken port is tried again: the last gateway may be on its way out. */
const RETRIES = 6;
const RETRY_MS = 500;
/** Longest path of a Unix socket that all systems take, in bytes. */
const MAX_SOCKET_PATH = 103;

/** Every interface: one socket for both families. Where the machine has no IPv6 it is ANY_V4. */
const ANY = "::";
const ANY_V4 = "0.0.0.0";

/**
 * The addresses of a bind mode; the first is required, the others are aliases that may fail. Addresses of the machine may come
 * after the start (a network at boot), so `lan` does not ask which there are.
 */
export function hostsFor({
  bind,
  customBindHost,
}: Pick<GatewayConfig, "bind" | "customBindHost">): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const tailnet = addresses.find(
    (a) => a.family === "IPv4" && inList(a.address, ["100.64.0.0/10"]),
  );
  const loopback = ["127.0.0.1", "::1"];
  if (bind === "lan") return [ANY];
  if (bind === "tailnet" && tailnet) return [tailnet.address, "127.0.0.1"];
  if (bind === "custom" && customBindHost) return [customBindHost];
  return loopback;
}

/** Where a person on this machine opens the Control UI; `urls` are those of the running gateway. */
export function pageUrl(urls: string[], basePath: string): string {
  const page = urls[0]!.replace(/^ws/, "http").replace("0.0.0.0", "127.0.0.1");
  return page + join("/", basePath, "/");
}

/** Why the gateway does not listen where the config says, in one sentence; undefined when it does. */
export function bindProblem(
  { bind, customBindHost }: Pick<GatewayConfig, "bind" | "customBindHost">,
  hosts: string[],
): string | undefined {
  if (bind === "custom" && !customBindHost)
    return "gateway.bind is custom, but gateway.customBindHost is not set; only this machine can connect";
  if (bind === "tailnet" && hosts[0] === "127.0.0.1")
    return "gateway.bind is tailnet, but this machine has no Tailscale address; only this machine can connect";
  return undefined;
}

const isTaken = (cause: unknown): boolean => errnoOf(cause) === "EADDRINUSE";

/** The command line of a gateway, under any name that the product has had. */
const GATEWAY = new RegExp(`(?:${NAMES.join("|")}|main\\.ts)(?:\\b.*\\sgateway\\b|$)`);

async function portTaken(host: string, port: number, cause: unknown): Promise<AppError> {
  const owners = await portOwners(port);
  const who = owners.map(
    ({ pid, command }) => `process ${pid} (${command.slice(0, 200) || "unknown"})`,
  );
  const taken = `Port ${port} on ${host} is taken${who.length ? ` by ${who.join(" and ")}` : " by another program"}`;
  const details = { port, host, owners };
  if (!owners.some(({ command }) => GATEWAY.test(command)))
    return new AppError("port_taken", `${taken}.`, { cause, details });
  return new AppError(
    "port_taken",
    `${taken}; another gateway instance is already listening on ws://${host}:${port}.`,
    { cause, details, hint: "Choose another port with --port, or set gateway.port." },
  );
}

/** Without development mode Bun shares a taken port with its holder instead of failing. */
export const ALONE = { development: false, reusePort: false } as const;

/** Throws port_taken or start_refused when a gateway could not listen there now. Port 0 asks for the address alone. */
export async function tryListen(host: string, port: number, log: Logger): Promise<void> {
  const fetch = () => new Response();
  const websocket = { message: () => undefined };
  const open: OpenServer = (at) =>
    Bun.serve<SocketData>(
      "unix" in at ? { ...at, fetch, websocket } : { ...at, fetch, websocket, ...ALONE },
    );
  const [opened] = await listenTcp(open, [host], port, { log, clock: systemClock, retries: 0 });
  await opened!.server.stop(true);
}

/** Opens the first address with retries, then the aliases on the same port. Throws port_taken or start_refused. */
export async function listenTcp(
  open: OpenServer,
  hosts: string[],
  port: number,
  { log, clock, retries = RETRIES }: { log: Logger; clock: Clock; retries?: number },
): Promise<{ server: HttpServer; host: string }[]> {
  const [first = "127.0.0.1", ...aliases] = hosts;
  const opened = await openPatiently(open, first, port, { clock, retries });
  const { server } = opened;
  const open_ = [opened];
  for (const host of aliases) {
    try {
      open_.push({ server: open({ hostname: host, port: server.port! }), host });
    } catch (cause) {
      // An alias is a convenience; a machine without IPv6 has none.
      log.warn("failed to bind loopback alias", { host, port: server.port, code: errnoOf(cause) });
    }
  }
  return open_;
}

async function openPatiently(
  open: OpenServer,
  host: string,
  port: number,
  { clock, retries }: { clock: Clock; retries: number },
): Promise<{ server: HttpServer; host: string }> {
  for (let attempt = 0; ; attempt++) {
    try {
      return { server: open({ hostname: host, port }), host };
    } catch (cause) {
      if (host === ANY && !isTaken(cause))
        // A kernel without IPv6.
        return openPatiently(open, ANY_V4, port, { clock, retries });
      if (!isTaken(cause))
        throw new AppError("start_refused", `The gateway cannot listen on ${host}:${port}.`, {
          cause,
          hint: "Check gateway.bind and gateway.port: is the address one of this machine, and may you use the port?",
        });
      if (attempt >= retries || port === 0) throw await portTaken(host, port, cause);
      await clock.sleep(RETRY_MS);
    }
  }
}

/** Whether somebody answers on the socket file. */
const alive = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = process.getBuiltinModule("node:net").connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });

/**
 * The socket for programs on this machine; only the owner of the state directory can open it. A file that a killed gateway left
 * behind is replaced. A path that is too long, or a file system without sockets, costs a warning, not the start.
 */
export async function listenUnix(
  open: OpenServer,
  path: string,
  log: Logger,
): Promise<HttpServer | undefined> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    log.warn("no local socket: its path is too long", { path, max: MAX_SOCKET_PATH });
    return undefined;
  }
  try {
    await clearStale(path);
    const before = process.umask(0o177);
    let server: HttpServer;
    try {
      server = open({ unix: path });
    } finally {
      process.umask(before);
    }
    await chmod(path, 0o600);
    return server;
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    log.warn("no local socket; the command line will use TCP and needs the token", {
      path,
      code: errnoOf(cause),
    });
    return undefined;
  }
}

async function clearStale(path: string): Promise<void> {
  const found = await lstat(path).then(
    (stats) => stats,
    (cause: unknown) => {
      if (errnoOf(cause) === "ENOENT") return undefined;
      throw cause;
    },
  );
  if (!found) return;
  if (!found.isSocket())
    throw new AppError("start_refused", `${path} is in the way: it is not a socket.`, {
      hint: "Move the file away and start again.",
    });
  if (await alive(path))
    throw new AppError("gateway_running", `Another gateway answers on ${path}.`);
  await unlink(path);
}
