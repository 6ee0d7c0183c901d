import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";

/**
 * The gateway: HTTP and WebSocket on one port, and the same on a Unix socket for programs of this machine.
 * app.ts starts it with everything it may touch; what it must not do is know how a message is answered.
 */
import { remoteText } from "../base/log-lines.ts";
import type { Logger } from "../base/log.ts";
import { background } from "../base/task.ts";
import { systemClock } from "../base/time.ts";
import type { SessionKey } from "../flow.ts";
import { TICK_MS } from "../protocol/frames.ts";
import { Guard } from "./access/auth.ts";
import { Devices } from "./access/devices.ts";
import { type HostRules, type Peer, peerOf, UNIX_PEER } from "./access/origin.ts";
import { Tickets } from "./access/tickets.ts";
import type { Connection } from "./connection.ts";
import { RunFeed } from "./events.ts";
import { Health, HEALTH_MS } from "./health.ts";
import { helloFor } from "./hello.ts";
import { httpApp } from "./http/app.ts";
import type { UiSource } from "./http/assets.ts";
import { refuseUpgrade } from "./http/upgrade.ts";
import { Hub } from "./hub.ts";
import {
  ALONE,
  type HttpServer,
  listenTcp,
  listenUnix,
  type OpenServer,
  pageUrl,
} from "./listen.ts";
import { RepeatLog } from "./log/repeat-log.ts";
import { TrafficLog, type WsLog } from "./log/traffic-log.ts";
import type { GatewaySide, MethodContext, MethodTable } from "./method.ts";
import { identityOf } from "./methods/agent.ts";
import { methods } from "./methods/index.ts";
import type { ConfigPort, GatewayAuth, GatewayBus, GatewayPorts } from "./ports.ts";
import { Presence } from "./presence.ts";
import { HANDSHAKE_MS, WsServer } from "./ws.ts";

/** Largest HTTP body, in bytes; routes have smaller limits of their own. */
const MAX_BODY = 1024 * 1024;
/** Seconds without a byte after which a half-sent request is cut. */
const IDLE_SECONDS = 10;
/** How long a stop waits for clients to say goodbye, in ms. */
const GOODBYE_MS = 250;

export type GatewayOptions = {
  ports: GatewayPorts;
  config: ConfigPort;
  /** Read at every check, so that a rotated secret counts at once. */
  auth(): GatewayAuth;
  bus: GatewayBus;
  log: Logger;
  /** The first is required; `hostsFor` makes the list. */
  hosts: string[];
  /** 0 takes a free one. */
  port: number;
  socketPath?: string;
  /** Absent: no Control UI. */
  ui?: UiSource;
  /** Public names of this gateway that stand in no config; read at every check, because some are found out later. */
  platformHosts?(): string[];
  /** Absent: `auto`. */
  wsLog?: WsLog;
  /** For tests: another table, shorter times. */
  methods?: MethodTable;
  handshakeMs?: number;
  portRetries?: number;
  /** Called when the sockets are open, before `startGateway` resolves. */
  onListening?(gateway: { port: number; urls: string[] }): void;
};

export type RunningGateway = {
  port: number;
  /** `ws://host:port` of every address. */
  urls: string[];
  /** Path of the Unix socket, when there is one. */
  socketPath: string | undefined;
  /** Fragment of a one-time sign-in link: `#ticket=…`. */
  createTicket(): string;
  /** Appends a message of the assistant without a run and shows it to everybody. Gives its id; undefined when there is no such session. */
  say(key: SessionKey, text: string): Promise<string | undefined>;
  /** Ends the sessions whose secret is no longer valid. Also done by itself before every event. */
  recheckAuth(): void;
  /** Makes the file of the Unix socket again when somebody deleted it. Also done by itself every 30 s. */
  keepSocket(): Promise<void>;
  /** Tells the clients, says goodbye and closes; bounded, never throws. */
  stop(why?: { reason: string; restartExpectedMs: number | null }): Promise<void>;
};

/** Opens everything. Throws port_taken, gateway_running or start_refused, and then has opened nothing. */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const { ports, config, bus, log, auth } = options;
  const now = () => Date.now();
  const table: MethodTable = options.methods ?? methods;
  const settings = () => config.current().gateway;
  let running = true;

  const abuse = new RepeatLog(log.child("ws"));
  const guard = new Guard(auth, { now }, () => settings().auth.rateLimit);
  const tickets = new Tickets({ now });
  const devices = new Devices(ports.store.kv);
  const presence = new Presence(ports.info.version, now);
  const health = new Health(ports, now);
  const traffic = new TrafficLog(options.wsLog ?? "auto", log.child("ws"));
  const hub = new Hub(
    recheckAuth,
    (connection) => {
      abuse.warn("slow consumer", { conn: connection.id, ip: connection.peer.ip });
      connection.close(1008, "slow consumer");
    },
    traffic.events ? (event, clients) => traffic.event(event, clients) : undefined,
  );
  const feed = new RunFeed(
    hub,
    bus,
    async (key) => {
      const row = await ports.store.sessions.get(key);
      const level = row?.settings.verboseLevel ?? config.current().agents.defaults.verboseDefault;
      return level !== "off";
    },
    (cause) =>
      log.warn("the verbose setting of a session could not be read", { error: String(cause) }),
  );

  const hostRules = (): HostRules => ({
    allowedHosts: settings().allowedHosts,
    allowedOrigins: settings().controlUi.allowedOrigins,
    platformHosts: options.platformHosts?.() ?? [],
  });
  const side: GatewaySide = {
    health: (fresh) => health.get(fresh),
    presence: () => presence.list(),
    devices,
    endDevice,
    spellRun: (runId, spelled) => feed.spell(runId, spelled),
    runsStopping: (key, reason, runId) => feed.stopping(key, reason, runId),
    say,
    answered,
    signInLink: () => `${pageUrl(urls, settings().controlUi.basePath)}#ticket=${tickets.create()}`,
    now,
  };
  const ws = new WsServer({
    hub,
    methods: table,
    log: log.child("ws"),
    abuse,
    traffic,
    handshakeMs: options.handshakeMs ?? HANDSHAKE_MS,
    rules: { guard, devices, requirePairing: () => settings().controlUi.requirePairing, now },
    context,
    hello: (connection, method) =>
      helloFor(connection, connection.identity!, method, {
        info: ports.info,
        config,
        presence,
        health,
        methods: Object.keys(table),
        authMode: () => guard.mode(),
        now,
      }),
    joined: (connection) => {
      if (presence.joined(connection)) presenceChanged();
      background("health", health.get(false), log);
    },
    left: (connection) => {
      if (presence.left(connection)) presenceChanged();
    },
  });
  const app = httpApp({
    health: {
      ready: ports.ready,
      running: () => running,
      disk: () => ports.store.problem?.(),
    },
    config: () => config.current(),
    hostRules,
    guard,
    tickets,
    ui: options.ui,
    identity: () => identityOf(ports.info.defaultAgentId, { config, info: ports.info }),
    version: ports.info.version,
    log,
    abuse,
  });

  function context(
    connection: Connection,
    answerLater: MethodContext["answerLater"],
  ): MethodContext {
    const { protocol, role, client } = connection.identity!;
    return {
      ...ports,
      config,
      gateway: side,
      log,
      answerLater,
      caller: {
        connId: connection.id,
        protocol,
        role,
        client,
        hasScope: (scope) => connection.hasScope(scope),
        spell: (canonical, spelled) => connection.spell(canonical, spelled),
      },
    };
  }

  function recheckAuth(): void {
    for (const connection of hub.connections())
      if (!guard.stillValid(connection.identity!.grant)) connection.close(1008, "auth changed");
  }

  function endDevice(deviceId: string): void {
    for (const connection of hub.connections())
      if (connection.identity!.deviceId === deviceId) connection.close(1008, "device revoked");
  }

  async function say(key: SessionKey, text: string): Promise<string | undefined> {
    const row = await ports.store.sessions.get(key);
    if (!row) return undefined;
    const at = now();
    const message = { role: "assistant" as const, blocks: [{ type: "text" as const, text }], at };
    const [entry] = await ports.store.transcript.append(row.sessionId, [
      { at, body: { kind: "message", message } },
    ]);
    const id = String(entry!.seq);
    feed.announce(key, `inject-${id}`, text);
    return id;
  }

  async function answered(
    { key, agentId, runId }: { key: SessionKey; agentId: string; runId: string },
    said: string,
    answer: string,
  ): Promise<void> {
    const at = now();
    const { sessionId } = await ports.store.sessions.ensure(key, agentId, at);
    const entry = (role: "user" | "assistant", text: string) => ({
      at,
      body: {
        kind: "message" as const,
        message: { role, blocks: [{ type: "text" as const, text }], at },
        runId,
      },
    });
    await ports.store.transcript.append(sessionId, [
      entry("user", said),
      entry("assistant", answer),
    ]);
    feed.announce(key, runId, answer);
  }

  const mayLetIn = (connection: Connection) =>
    connection.identity?.scopes.has("operator.pairing") === true;
  const unheard = [
    ...(["pairing.requested", "pairing.resolved"] as const).map((event) =>
      bus.on(event, (who) => hub.broadcast({ event, payload: () => who, to: mayLetIn })),
    ),
    bus.on("channels", (account) =>
      hub.broadcast({ event: "channels", payload: () => account, droppable: true }),
    ),
  ];

  const stateVersion = () => ({ presence: presence.version, health: health.version });
  function presenceChanged(): void {
    const list = { presence: presence.list() };
    hub.broadcast({ event: "presence", payload: () => list, stateVersion: stateVersion() });
  }

  function upgrade(request: Request, server: HttpServer, peer: Peer): Response | undefined {
    const refused = refuseUpgrade(request.headers, peer, hostRules(), abuse);
    if (refused) return refused;
    if (server.upgrade(request, { data: { peer } })) return undefined;
    return new Response("Upgrade Required\n", { status: 426, headers: { upgrade: "websocket" } });
  }

  const open: OpenServer = (at) => {
    const peerFor = (request: Request, server: HttpServer): Peer => {
      if ("unix" in at) return UNIX_PEER;
      const address = server.requestIP(request)?.address ?? "unknown";
      return peerOf(request.headers, address, settings().trustedProxies);
    };
    const common = {
      maxRequestBodySize: MAX_BODY,
      development: false as const,
      websocket: ws.handler,
      fetch(request: Request, server: HttpServer) {
        const peer = peerFor(request, server);
        const upgrading = request.headers.get("upgrade")?.toLowerCase() === "websocket";
        return upgrading ? upgrade(request, server, peer) : app.fetch(request, { peer });
      },
      error(cause: Error) {
        abuse.warn("an HTTP request could not be read", { error: remoteText(cause.message) });
        return new Response("Bad Request\n", { status: 400 });
      },
    };
    if ("unix" in at) return Bun.serve({ ...common, ...at });
    return Bun.serve({ ...common, ...at, idleTimeout: IDLE_SECONDS, ...ALONE });
  };

  const tcp = await listenTcp(open, options.hosts, options.port, {
    log,
    clock: systemClock,
    ...(options.portRetries === undefined ? {} : { retries: options.portRetries }),
  });
  const { socketPath } = options;
  let unix: HttpServer | undefined;
  try {
    unix = socketPath ? await listenUnix(open, socketPath, log) : undefined;
  } catch (cause) {
    await Promise.all(tcp.map(({ server }) => server.stop(true)));
    throw cause;
  }
  const port = tcp[0]!.server.port!;
  const urls = tcp.map(({ host }) => `ws://${urlHost(host)}:${port}`);

  async function keepSocket(): Promise<void> {
    if (!running || !unix || !socketPath || existsSync(socketPath)) return;
    // First the old one, because closing a server removes the file of its name. Its open connections stay.
    const old = unix;
    unix = undefined;
    background("closing the old local socket", old.stop(), log);
    const made = await listenUnix(open, socketPath, log);
    if (!made) return;
    if (!running) return void (await made.stop(true));
    unix = made;
    log.info("the local socket was deleted and is made again", { path: socketPath });
  }
  const ticks = setInterval(() => {
    background("local socket", keepSocket(), log);
    recheckAuth();
    // It logs that the disk is full, and that it is over, also while nobody asks.
    ports.store.problem?.();
    const ts = now();
    hub.broadcast({ event: "tick", payload: () => ({ ts }), droppable: true });
  }, TICK_MS);
  const pulse = setInterval(() => {
    // Nobody watches: nothing is worth looking up.
    if (hub.size) background("health", healthChanged(), log);
  }, HEALTH_MS);
  async function healthChanged(): Promise<void> {
    const summary = await health.get(true);
    hub.broadcast({ event: "health", payload: () => summary, stateVersion: stateVersion() });
  }

  // The original's words, which its users look for in the log.
  if (config.nixMode) log.info("running in Nix mode (config managed externally)");
  options.onListening?.({ port, urls });
  return {
    port,
    urls,
    socketPath: unix ? socketPath : undefined,
    createTicket: () => `#ticket=${tickets.create()}`,
    say,
    recheckAuth,
    keepSocket,
    async stop(why = { reason: "gateway stopping", restartExpectedMs: null }) {
      if (!running) return;
      running = false;
      clearInterval(ticks);
      clearInterval(pulse);
      for (const stop of unheard) stop();
      hub.broadcast({ event: "shutdown", payload: () => why });
      hub.flush();
      ws.closeAll(1012, "service restart");
      await goodbyes(ws);
      ws.terminateAll();
      feed.close();
      abuse.close();
      const servers = [...tcp.map(({ server }) => server), ...(unix ? [unix] : [])];
      await Promise.race([
        Promise.all(servers.map((server) => server.stop(true))),
        systemClock.sleep(GOODBYE_MS),
      ]);
      if (unix && socketPath) await rm(socketPath, { force: true });
    },
  };
}

/** Until every socket is closed, or the time is over. */
async function goodbyes(ws: WsServer): Promise<void> {
  const end = Date.now() + GOODBYE_MS;
  while (ws.size && Date.now() < end) await systemClock.sleep(5);
}

const urlHost = (host: string): string => {
  if (host === "::" || host === "0.0.0.0") return "0.0.0.0";
  return host.includes(":") ? `[${host}]` : host;
};
