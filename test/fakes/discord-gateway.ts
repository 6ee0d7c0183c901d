import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/**
 * The gateway of the fake Discord: hello, identify, heartbeats, resume with replay. In front of it is a plain TCP relay, so that a
 * connection can be cut or fall silent without a word, as the real network does it.
 */
import type { ServerWebSocket } from "bun";

import type { Json, World } from "./discord-world.ts";

export type Link = { session?: Session; alive: boolean; identified: boolean; url: string };
type Packet = { op: 0; t: string; s: number; d: Json };
type Session = {
  id: string;
  seq: number;
  /** What was dispatched, for a resume. */
  log: Packet[];
  intents: number;
  socket?: ServerWebSocket<Link>;
};

const INTENT = {
  GUILDS: 1,
  MEMBERS: 1 << 1,
  PRESENCES: 1 << 8,
  MESSAGES: 1 << 9,
  REACTIONS: 1 << 10,
  DMS: 1 << 12,
  DM_REACTIONS: 1 << 13,
  CONTENT: 1 << 15,
} as const;
const KNOWN_INTENTS = (1 << 26) - 1;
/** Bits of the application's flags that switch a privileged intent on: limited or approved. */
const PORTAL: [intent: number, flags: number][] = [
  [INTENT.PRESENCES, (1 << 12) | (1 << 13)],
  [INTENT.MEMBERS, (1 << 14) | (1 << 15)],
  [INTENT.CONTENT, (1 << 18) | (1 << 19)],
];

export type GatewayOptions = { heartbeatMs: number; token: () => string };

export class FakeGateway {
  readonly sessions = new Set<Session>();
  readonly sockets = new Set<ServerWebSocket<Link>>();
  /** Payloads of the client, newest last. */
  readonly received: { op: number; d: unknown }[] = [];
  /** How often a client identified or resumed. */
  identifies = 0;
  resumes = 0;
  sessionsLeft = 1000;
  /** Close codes with which the next identifies or resumes are answered. */
  refusals: number[] = [];
  /** False: heartbeats are not acknowledged any more, and nothing is dispatched. */
  answering = true;
  private relay: Server | undefined;
  private readonly relayed = new Set<[Socket, Socket]>();
  private inner = 0;
  private readonly waiting = new Set<() => void>();

  constructor(
    private readonly world: World,
    private readonly options: GatewayOptions,
  ) {}

  async open(inner: number): Promise<number> {
    this.inner = inner;
    this.relay = createServer((near) => {
      const far = connect(this.inner, "127.0.0.1");
      const pair: [Socket, Socket] = [near, far];
      this.relayed.add(pair);
      const end = () => {
        this.relayed.delete(pair);
        near.destroy();
        far.destroy();
      };
      for (const each of pair) each.on("close", end).on("error", end);
      near.pipe(far);
      far.pipe(near);
    });
    await new Promise<void>((done) => this.relay!.listen(0, "127.0.0.1", done));
    return (this.relay!.address() as AddressInfo).port;
  }

  close(): void {
    this.relay?.close();
    this.cut();
  }

  /** Every connection is gone, without a close frame. */
  cut(): void {
    for (const [near, far] of this.relayed) {
      near.destroy();
      far.destroy();
    }
    this.relayed.clear();
  }

  /** Nothing passes any more, in either direction, and nobody is told: a dead NAT entry, a machine that is gone. */
  freeze(): void {
    for (const [near, far] of this.relayed) {
      near.unpipe(far);
      far.unpipe(near);
      near.resume();
      far.resume();
    }
  }

  /** The server forgets every session, so none can be resumed. */
  forget(): void {
    this.sessions.clear();
  }

  /** Resolves when a client has a session; also one whose connection is cut and that may still resume. */
  ready(): Promise<void> {
    return this.until(() => this.sessions.size > 0);
  }

  until(test: () => boolean): Promise<void> {
    return new Promise((done) => {
      const look = () => {
        if (!test()) return;
        this.waiting.delete(look);
        done();
      };
      this.waiting.add(look);
      look();
    });
  }

  send(op: number, d: unknown): void {
    for (const socket of this.sockets) socket.send(JSON.stringify({ op, d, s: null, t: null }));
  }

  closeAll(code: number): void {
    for (const socket of this.sockets) socket.close(code, "");
  }

  /** To every session whose intents cover it, now or at its resume. */
  dispatch(t: string, d: Json): void {
    for (const session of this.sessions) {
      const shown = this.shownTo(session, t, d);
      if (!shown) continue;
      const packet: Packet = { op: 0, t, s: ++session.seq, d: shown };
      session.log.push(packet);
      if (this.answering) session.socket?.send(JSON.stringify(packet));
    }
  }

  private shownTo(session: Session, t: string, d: Json): Json | undefined {
    const inGuild = d["guild_id"] !== undefined;
    const needs = t.startsWith("MESSAGE_REACTION")
      ? inGuild
        ? INTENT.REACTIONS
        : INTENT.DM_REACTIONS
      : t.startsWith("MESSAGE_")
        ? inGuild
          ? INTENT.MESSAGES
          : INTENT.DMS
        : t === "INTERACTION_CREATE"
          ? 0
          : INTENT.GUILDS;
    if (needs && !(session.intents & needs)) return undefined;
    const mentions = (d["mentions"] ?? []) as { id: string }[];
    const hidden =
      /^MESSAGE_(CREATE|UPDATE)$/.test(t) &&
      inGuild &&
      !(session.intents & INTENT.CONTENT) &&
      !mentions.some(({ id }) => id === this.world.self.id) &&
      (d["author"] as { id?: string } | undefined)?.id !== this.world.self.id;
    return hidden ? { ...d, content: "", attachments: [], embeds: [], components: [] } : d;
  }

  readonly handlers = {
    open: (socket: ServerWebSocket<Link>): void => {
      this.sockets.add(socket);
      const query = new URL(socket.data.url).searchParams;
      if (query.get("v") !== "10" || query.get("encoding") !== "json")
        return socket.close(4012, "Invalid API version");
      socket.send(
        JSON.stringify({
          op: 10,
          d: { heartbeat_interval: this.options.heartbeatMs, _trace: [] },
          s: null,
          t: null,
        }),
      );
      this.look();
    },
    message: (socket: ServerWebSocket<Link>, data: string | Buffer): void => {
      const payload = parse(String(data));
      if (!payload || String(data).length > 4096) return socket.close(4002, "Decode error");
      this.received.push(payload);
      this.take(socket, payload);
      this.look();
    },
    close: (socket: ServerWebSocket<Link>): void => {
      this.sockets.delete(socket);
      const { session } = socket.data;
      if (session?.socket === socket) delete session.socket;
      this.look();
    },
  };

  private look(): void {
    for (const each of [...this.waiting]) each();
  }

  private take(socket: ServerWebSocket<Link>, { op, d }: { op: number; d: unknown }): void {
    if (op === 1) {
      if (d !== null && (typeof d !== "number" || d > (socket.data.session?.seq ?? 0)))
        return socket.close(4007, "Invalid seq");
      if (this.answering) socket.send(JSON.stringify({ op: 11, d: null, s: null, t: null }));
      return;
    }
    if (op === 2) return this.identify(socket, d as Json);
    if (op === 6) return this.resume(socket, d as Json);
    if (!socket.data.identified) return socket.close(4003, "Not authenticated");
    if (op === 3 || op === 8) return;
    socket.close(4001, "Unknown opcode");
  }

  private identify(socket: ServerWebSocket<Link>, d: Json): void {
    this.identifies++;
    if (socket.data.identified) return socket.close(4005, "Already authenticated");
    if (d["token"] !== this.options.token()) return socket.close(4004, "Authentication failed");
    const refusal = this.refusals.shift();
    if (refusal) return socket.close(refusal, "");
    const intents = d["intents"];
    if (typeof intents !== "number" || intents & ~KNOWN_INTENTS)
      return socket.close(4013, "Invalid intents");
    for (const [intent, flags] of PORTAL)
      if (intents & intent && !(this.world.application.flags & flags))
        return socket.close(4014, "Disallowed intents");
    if (typeof d["properties"] !== "object") return socket.close(4002, "Decode error");
    if (this.sessionsLeft <= 0) return void socket.send('{"op":9,"d":false,"s":null,"t":null}');
    this.sessionsLeft--;
    const session: Session = {
      id: crypto.randomUUID().replaceAll("-", ""),
      seq: 0,
      log: [],
      intents,
      socket,
    };
    this.sessions.add(session);
    socket.data.identified = true;
    socket.data.session = session;
    const guilds = [...this.world.guilds.values()];
    this.only(session, "READY", {
      v: 10,
      user: { ...this.world.self, verified: true, mfa_enabled: false, flags: 0 },
      guilds: guilds.map(({ id }) => ({ id, unavailable: true })),
      session_id: session.id,
      resume_gateway_url: new URL(socket.data.url).origin.replace("http", "ws"),
      shard: d["shard"] ?? [0, 1],
      application: this.world.application,
      private_channels: [],
    });
    for (const guild of guilds) this.only(session, "GUILD_CREATE", this.world.shownGuild(guild));
  }

  private only(session: Session, t: string, d: Json): void {
    const packet: Packet = { op: 0, t, s: ++session.seq, d };
    session.log.push(packet);
    session.socket?.send(JSON.stringify(packet));
  }

  private resume(socket: ServerWebSocket<Link>, d: Json): void {
    this.resumes++;
    if (d["token"] !== this.options.token()) return socket.close(4004, "Authentication failed");
    const refusal = this.refusals.shift();
    if (refusal) return socket.close(refusal, "");
    const session = [...this.sessions].find(({ id }) => id === d["session_id"]);
    if (!session) return void socket.send('{"op":9,"d":false,"s":null,"t":null}');
    const seq = Number(d["seq"]);
    if (seq > session.seq) return socket.close(4007, "Invalid seq");
    session.socket = socket;
    socket.data.identified = true;
    socket.data.session = session;
    for (const packet of session.log) if (packet.s > seq) socket.send(JSON.stringify(packet));
    this.only(session, "RESUMED", { _trace: [] });
  }
}

function parse(text: string): { op: number; d: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && "op" in value
      ? (value as { op: number; d: unknown })
      : undefined;
  } catch {
    return undefined;
  }
}
