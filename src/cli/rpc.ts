/**
 * How a command reaches the gateway: over the Unix socket in the state folder, which needs no token, else over TCP with the
 * token. The config file is only read when the socket is not there: a healthy gateway answers within milliseconds.
 */
import { existsSync } from "node:fs";

import { VERSION } from "../base/brand.ts";
import type { ErrorCode } from "../base/errors.ts";
import { AppError, ERRORS } from "../base/errors.ts";
import { readLock } from "../base/lock.ts";
import { platformPort } from "../base/platform.ts";
import { inList, parseIp } from "../gateway/access/ip.ts";
import type { Methods } from "../gateway/methods/index.ts";
import type { Hello } from "../protocol/client.ts";
import { RpcClient, RpcError } from "../protocol/client.ts";
import type { EventFrame } from "../protocol/frames.ts";
import { wholeNumber } from "./arguments.ts";
import type { Cli } from "./command.ts";
import { PARTS } from "./commands.ts";

/** The values of GATEWAY_ARGS. */
export type Wish = {
  url?: string | undefined;
  port?: string | undefined;
  token?: string | undefined;
  password?: string | undefined;
  timeout?: string | undefined;
  /** True: failures say where the address came from. `agent` has another meaning for the word, which is no boolean. */
  verbose?: boolean | string | undefined;
};

type Secrets = { token?: string; password?: string };
export type Target = {
  url: string;
  /** How the address was found, for the text of a failure. */
  source: string;
  bind: string;
  auth: Secrets;
};

export type Gateway = {
  client: RpcClient<Methods>;
  hello: Hello;
  target: Target;
  /** How long the connection took, in ms. */
  connectMs: number;
  timeoutMs: number;
};

const DEFAULT_PORT = 18789;

/** Connects, lets `use` talk, and closes whatever happens. Throws AppError; `gateway_unreachable` says where it looked. */
export async function withGateway<T>(
  cli: Cli,
  wish: Wish,
  use: (gateway: Gateway) => Promise<T>,
  onEvent?: (event: EventFrame) => void,
): Promise<T> {
  const gateway = await connect(cli, wish, onEvent);
  try {
    return await use(gateway);
  } catch (cause) {
    if (cause instanceof RpcError)
      throw answerError(cause, gateway.target, cli, wish.verbose === true);
    throw cause;
  } finally {
    gateway.client.close();
  }
}

async function connect(
  cli: Cli,
  wish: Wish,
  onEvent: ((event: EventFrame) => void) | undefined,
): Promise<Gateway> {
  const timeoutMs = timeoutOf(wish);
  if (!wish.url && !wish.port && !wish.token && !wish.password) {
    const socket = socketTarget(cli);
    const gateway = socket && (await tryConnect(socket, timeoutMs, onEvent));
    if (gateway && "client" in gateway) return gateway;
  }
  const target = await tcpTarget(cli, wish);
  const gateway = await tryConnect(target, timeoutMs, onEvent);
  if ("client" in gateway) return gateway;
  if (closeCodeOf(gateway) === NO_CLOSE_FRAME && !(await answers(target.url)))
    throw notRunning(target, cli, wish.verbose === true);
  throw answerError(gateway, target, cli, true);
}

/** Whether anything at all takes connections there. A WebSocket that could not be opened does not say. */
async function answers(url: string): Promise<boolean> {
  const { hostname, port, protocol } = new URL(url);
  const socket = await Bun.connect({
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || (protocol === "wss:" ? 443 : 80)),
    socket: { data: () => undefined, error: () => undefined },
  }).then(undefined, () => undefined);
  socket?.end();
  return socket !== undefined;
}

/** Throws bad_request for parameters that the gateway would end the connection for. */
export function checkSize({ hello }: Pick<Gateway, "hello">, params: unknown): void {
  const bytes = Buffer.byteLength(JSON.stringify(params));
  const { maxPayload } = hello.policy;
  // The frame around them is small; 1 kB is more than it needs.
  if (bytes + 1024 <= maxPayload) return;
  const mb = (n: number) => Math.floor(n / 1_000_000);
  throw new AppError(
    "bad_request",
    `The message is too large (${mb(bytes)} MB; the gateway takes ${mb(maxPayload)} MB).`,
  );
}

/** `--timeout` in ms. */
export const timeoutOf = (wish: Wish): number =>
  wholeNumber("timeout", wish.timeout, { min: 1, max: 86_400_000 }) ?? 10_000;

const socketTarget = ({ paths }: Cli): Target | undefined =>
  existsSync(paths.socketPath)
    ? { url: `ws+unix://${paths.socketPath}:/`, source: "local socket", bind: "local", auth: {} }
    : undefined;

/** Where the gateway should listen, in the order: --url, CLAWDBOT_GATEWAY_URL, remote mode, --port, the running one's lock, environment, config, platform. */
export async function tcpTarget(cli: Cli, wish: Wish): Promise<Target> {
  const own: Secrets = {
    ...(wish.token && { token: wish.token }),
    ...(wish.password && { password: wish.password }),
  };
  // An address that was typed gets no secret that was not typed with it: it may be anybody's.
  if (wish.url) return { url: socketUrl(wish.url), source: "--url", bind: "unknown", auth: own };
  // The container of the command line and that of the gateway have an environment in common, with the secret in it.
  if (cli.env.gatewayUrl && !wish.port)
    return {
      url: socketUrl(cli.env.gatewayUrl, "CLAWDBOT_GATEWAY_URL"),
      source: "CLAWDBOT_GATEWAY_URL",
      bind: "remote",
      auth: { ...pick(cli.env.gatewayToken, cli.env.gatewayPassword), ...own },
    };
  const { loadSettings } = await PARTS.settings();
  const { config, env, generatedToken } = await loadSettings(cli.env, cli.paths);
  const gateway = config?.gateway;
  const remote = gateway?.mode === "remote" ? gateway.remote : undefined;
  if (remote?.url && !wish.port)
    return {
      url: socketUrl(remote.url, "gateway.remote.url"),
      source: "config gateway.remote.url",
      bind: "remote",
      auth: { ...pick(remote.token, remote.password), ...own },
    };
  const running = readLock(cli.paths.lockPath);
  const typed = wholeNumber("port", wish.port, { min: 1, max: 65_535 });
  const found: [number | undefined, string][] = [
    [typed, "--port"],
    [running.held ? running.body?.port : undefined, "running gateway"],
    [cli.env.gatewayPort, "environment"],
    [gateway?.port === DEFAULT_PORT ? undefined : gateway?.port, "config gateway.port"],
    [platformPort(cli.env), "PORT"],
    [DEFAULT_PORT, "default"],
  ];
  const [port, source] = found.find(([value]) => value !== undefined)!;
  const known = pick(
    env.gatewayToken ?? gateway?.auth.token,
    env.gatewayPassword ?? gateway?.auth.password,
  );
  // The generated token is only for the gateway that made it; a port may be another user's program.
  const ours = running.held && running.body?.port === port;
  const made = ours && !known.token && !known.password ? generatedToken() : undefined;
  return {
    url: `ws://127.0.0.1:${port}`,
    source: `local (${source})`,
    bind: (running.held && running.body?.bind) || gateway?.bind || "loopback",
    auth: { ...known, ...(made && !own.password && { token: made }), ...own },
  };
}

const pick = (token: string | undefined, password: string | undefined): Secrets => ({
  ...(token && { token }),
  ...(password && { password }),
});

/** Networks where nobody between here and there is a stranger: this machine, a home's or a company's, Tailscale's. */
const NEARBY = [
  ...["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"],
  ...["100.64.0.0/10", "::1/128", "fc00::/7", "fe80::/10"],
];
/** A name without a dot is one of the local network, as in Compose. */
const isNearby = (host: string): boolean =>
  parseIp(host)
    ? inList(host, NEARBY)
    : !host.includes(".") || /\.(?:localhost|local|lan|internal|home\.arpa|ts\.net)$/.test(host);

/** People paste the address of the page. Throws usage for what is no address, and for a public one without TLS. */
export function socketUrl(url: string, source = "--url"): string {
  const address = URL.parse(url.replace(/^http/i, "ws"));
  if (address?.protocol === "ws:" && !isNearby(address.hostname))
    throw new AppError("usage", `${source} would send your token over the internet unprotected.`, {
      hint: `Use wss://${address.host}, or an SSH tunnel to the gateway's port and ws://127.0.0.1.`,
    });
  if (address && /^wss?:$/.test(address.protocol)) return address.href;
  throw new AppError("usage", `Invalid ${source} "${url}"`, {
    hint: "It looks like ws://host:18789 or wss://host.",
  });
}

async function tryConnect(
  target: Target,
  timeoutMs: number,
  onEvent: ((event: EventFrame) => void) | undefined,
): Promise<Gateway | RpcError> {
  const client = new RpcClient<Methods>({
    url: target.url,
    client: { id: "cli", version: VERSION, platform: process.platform, mode: "cli" },
    auth: () => target.auth,
    reconnect: false,
    ...(onEvent && { onEvent }),
  });
  const before = performance.now();
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(tooLate(timeoutMs)), timeoutMs);
  try {
    const hello = await Promise.race([client.connect(), timeout.promise]);
    return { client, hello, target, timeoutMs, connectMs: performance.now() - before };
  } catch (cause) {
    client.close();
    if (cause instanceof RpcError) return cause;
    throw cause;
  } finally {
    clearTimeout(timer);
  }
}

const tooLate = (ms: number): RpcError =>
  new RpcError({ code: "UNAVAILABLE", message: `gateway timeout after ${ms}ms` });

/** What a WebSocket ends with when nobody said goodbye. */
const NO_CLOSE_FRAME = 1006;
const CLOSE_HINT: Record<number, string> = {
  1000: "normal closure",
  [NO_CLOSE_FRAME]: "abnormal closure (no close frame)",
  1008: "policy violation",
  1012: "service restart",
  1013: "try again later",
};

const closeCodeOf = ({ shape }: RpcError): number | undefined =>
  (shape.details as { closeCode?: number } | undefined)?.closeCode;

const whereLines = (target: Target, cli: Cli): string[] => [
  `Gateway target: ${target.url}`,
  `Source: ${target.source}`,
  `Config: ${cli.paths.configPath}`,
  `Bind: ${target.bind}`,
];

function notRunning(target: Target, cli: Cli, verbose: boolean): AppError {
  const local = target.source.startsWith("local");
  const url = target.url.replace(/\/$/, "");
  const what = local
    ? `The gateway is not running: nothing answers at ${url}.`
    : `Nothing answers at ${url}.`;
  return new AppError(
    "gateway_unreachable",
    [what, ...(verbose ? whereLines(target, cli) : [])].join("\n"),
    {
      hint: local
        ? `Start it with \`${cli.name}${cli.profileFlag} gateway\`.`
        : "Check the address, and that the gateway runs there.",
      details: { target: target.url, source: target.source, ...(local && { down: true }) },
    },
  );
}

/** Whether the error says that no gateway runs on this machine. */
export const isDown = (cause: unknown): boolean =>
  cause instanceof AppError && (cause.details as { down?: boolean } | undefined)?.down === true;

/** What the gateway, or its silence, means for the person at the terminal. `where` adds how the address was found. */
function answerError(error: RpcError, target: Target, cli: Cli, where: boolean): AppError {
  const details = error.shape.details as { code?: string } | undefined;
  if (details?.code && details.code in ERRORS)
    return new AppError(details.code as ErrorCode, error.message, {
      ...(error.hint && { hint: error.hint }),
    });
  const closed = closeCodeOf(error);
  const reason = error.message === "No connection." ? "no close reason" : error.message;
  const what =
    closed === undefined
      ? error.message
      : `gateway closed (${closed} ${CLOSE_HINT[closed] ?? "closed"}): ${reason}`;
  const code = error.shape.code === "INVALID_REQUEST" ? "bad_request" : "gateway_unreachable";
  if (code === "bad_request") return new AppError(code, error.message);
  const local = target.source.startsWith("local");
  return new AppError(code, [what, ...(where ? whereLines(target, cli) : [])].join("\n"), {
    // Something takes connections there, so there may be nothing to start.
    hint: local
      ? `Is it a gateway that listens there? To find out: ${cli.name}${cli.profileFlag} doctor`
      : "Check the address, and that the gateway runs there.",
    details: { target: target.url, source: target.source },
  });
}
