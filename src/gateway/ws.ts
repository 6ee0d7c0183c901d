import type { WebSocketHandler } from "bun";

import { toAppError } from "../base/errors.ts";
/** The WebSocket side: from the upgrade to the last frame. Who may come in is decided in handshake.ts, what is answered in method.ts. */
import { remoteText } from "../base/log-lines.ts";
import type { Logger } from "../base/log.ts";
import { background } from "../base/task.ts";
import { MAX_PAYLOAD, MAX_PAYLOAD_BEFORE_CONNECT, RequestFrame } from "../protocol/frames.ts";
import { greet, type HandshakeRules } from "./access/handshake.ts";
import { WaitingRoom } from "./access/waiting-room.ts";
import { Connection, type Socket, type SocketData } from "./connection.ts";
import type { Hub } from "./hub.ts";
import { parseJson } from "./json.ts";
import { type RepeatLog } from "./log/repeat-log.ts";
import type { TrafficLog } from "./log/traffic-log.ts";
import {
  dispatch,
  type LateAnswer,
  type MethodContext,
  type MethodTable,
  wireError,
} from "./method.ts";
import { describeIssues } from "./validation.ts";

export const HANDSHAKE_MS = 10_000;
/** Answers that a single connection may have in the making. */
const MAX_OPEN_CALLS = 2_000;

export type WsOptions = {
  hub: Hub;
  methods: MethodTable;
  rules: HandshakeRules;
  log: Logger;
  abuse: RepeatLog;
  traffic: TrafficLog;
  handshakeMs: number;
  /** Everything a method may touch, for one call of one connection. */
  context(connection: Connection, answerLater: MethodContext["answerLater"]): MethodContext;
  hello(connection: Connection, method: string): Record<string, unknown>;
  joined(connection: Connection): void;
  left(connection: Connection): void;
};

export class WsServer {
  private readonly room: WaitingRoom;
  private readonly all = new Set<Connection>();
  private readonly openCalls = new WeakMap<Connection, number>();

  constructor(private readonly options: WsOptions) {
    this.room = new WaitingRoom(
      () => Date.now(),
      ({ peer: { ip } }, why) =>
        options.abuse.warn(
          why === "memory"
            ? "memory grew while sockets were not signed in; silent ones were dropped"
            : "too many sockets that have not signed in; the oldest silent one was dropped",
          { ip },
        ),
    );
  }

  /** Sockets that have not signed in. */
  get waiting(): number {
    return this.room.size;
  }

  readonly handler: WebSocketHandler<SocketData> = {
    data: {} as SocketData,
    maxPayloadLength: MAX_PAYLOAD,
    perMessageDeflate: false,
    // Clients and our own ticks keep a connection busy; Bun pings a quiet one and cuts a dead one.
    idleTimeout: 120,
    backpressureLimit: 64 * 1024 * 1024,
    closeOnBackpressureLimit: true,
    open: (socket) => this.open(socket),
    message: (socket, message) => {
      const { connection } = socket.data;
      if (connection && !connection.closed) this.take(connection, message);
    },
    close: (socket, code, reason) => this.gone(socket, code, reason),
  };

  /** Ends every connection with the same words. */
  closeAll(code: number, reason: string): void {
    for (const connection of this.all) connection.close(code, reason);
  }

  /** Cuts what did not answer the close. */
  terminateAll(): void {
    for (const connection of this.all) {
      clearTimeout(connection.handshakeTimer);
      connection.socket.terminate();
    }
  }

  get size(): number {
    return this.all.size;
  }

  private open(socket: Socket): void {
    const connection = new Connection(socket, socket.data.peer);
    socket.data.connection = connection;
    this.all.add(connection);
    if (!connection.peer.trusted) this.room.enter(connection);
    connection.handshakeTimer = setTimeout(() => {
      this.options.abuse.warn("handshake timeout", { ip: connection.peer.ip });
      connection.close(1000, "");
    }, this.options.handshakeMs);
    const payload = { nonce: connection.nonce, ts: Date.now() };
    connection.send(JSON.stringify({ type: "event", event: "connect.challenge", payload }));
  }

  private gone(socket: Socket, code: number, reason: string): void {
    const { connection } = socket.data;
    if (!connection) return;
    connection.closed = true;
    clearTimeout(connection.handshakeTimer);
    this.all.delete(connection);
    this.room.leave(connection);
    this.options.hub.leave(connection);
    if (connection.identity) {
      this.options.left(connection);
      return this.logWebchat("webchat disconnected", connection, {
        code,
        reason: remoteText(reason),
      });
    }
    if (code === 1009 || code === 1006 || code === 1007)
      this.options.abuse.warn("closed before connect", {
        ip: connection.peer.ip,
        code,
        reason: remoteText(reason),
      });
  }

  private logWebchat(message: string, { id, identity, peer }: Connection, data: object): void {
    const client = identity!.client;
    if (client.mode !== "webchat" && !client.id.startsWith("webchat")) return;
    this.options.log.info(message, {
      conn: id,
      remote: peer.ip,
      client: client.id,
      version: remoteText(client.version),
      ...data,
    });
  }

  private take(connection: Connection, message: string | Buffer): void {
    const bytes = typeof message === "string" ? message.length : message.byteLength;
    if (!connection.identity && bytes > MAX_PAYLOAD_BEFORE_CONNECT) {
      this.options.abuse.warn("first frame too large", { ip: connection.peer.ip, bytes });
      return connection.close(1009, "first frame too large");
    }
    connection.silent = false;
    const text = typeof message === "string" ? message : new TextDecoder().decode(message);
    if (connection.identity) this.request(connection, text);
    else this.first(connection, text);
  }

  /** Anything before hello. Every failure ends the connection. */
  private first(connection: Connection, text: string): void {
    const { abuse } = this.options;
    const { ip } = connection.peer;
    let raw: unknown;
    try {
      raw = parseJson(text);
    } catch {
      // The original closes without a word when the first frame is no JSON.
      abuse.warn("first frame is no JSON", { ip });
      return connection.close(1000, "");
    }
    const frame = RequestFrame.safeParse(raw);
    if (!frame.success) {
      abuse.warn("first frame is no request", { ip });
      return connection.close(1008, "invalid request frame");
    }
    const { id, method } = frame.data;
    if (method !== "connect") {
      const text = "invalid handshake: first request must be connect";
      abuse.warn("first request is not connect", { ip, method: remoteText(method) });
      return connection.refuse(id, { code: "INVALID_REQUEST", message: text }, 1008, text);
    }
    if (connection.greeting) return connection.close(1008, "invalid request frame");
    connection.greeting = true;
    background("sign-in", this.greet(connection, frame.data, text.length), this.options.log);
  }

  private async greet(
    connection: Connection,
    { id, method, params }: RequestFrame,
    received: number,
  ): Promise<void> {
    const { rules, abuse, hub, traffic } = this.options;
    const started = performance.now();
    let outcome;
    try {
      outcome = await greet(params, connection, rules);
    } catch (cause) {
      const error = toAppError(cause);
      this.options.log.error("sign-in failed", { code: error.code, stack: error.stack });
      return connection.refuse(id, wireError(error, 3), 1008, "unavailable");
    }
    if (connection.closed) return;
    if ("error" in outcome) {
      const data = {
        conn: connection.id,
        ip: connection.peer.ip,
        reason: remoteText(outcome.log),
        ...(connection.peer.unknownProxy
          ? { hint: "A proxy stands in between that gateway.trustedProxies does not name." }
          : {}),
      };
      // A page asks once without a secret to learn which one is wanted; that is no attack.
      if (/ (?:token|password) missing /.test(outcome.log))
        this.options.log.debug("unauthorized", data);
      else abuse.warn(logLine(outcome.log), data);
      return connection.refuse(id, outcome.error, outcome.code, outcome.reason);
    }
    clearTimeout(connection.handshakeTimer);
    this.room.leave(connection);
    connection.identity = outcome.identity;
    this.options.joined(connection);
    const payload = this.options.hello(connection, outcome.method);
    const response = { type: "res" as const, id, ok: true, payload };
    const sent = connection.respond(response);
    hub.join(connection);
    const ms = performance.now() - started;
    traffic.answered({ conn: connection.id, method, ms, received, response, sent });
    this.logWebchat("webchat connected", connection, {});
  }

  private request(connection: Connection, text: string): void {
    const { abuse } = this.options;
    let raw: unknown;
    try {
      raw = parseJson(text);
    } catch (cause) {
      // The original only logs what is no JSON; an answer with an id nobody waits for harms no one and helps a developer.
      abuse.warn("frame is no JSON", { ip: connection.peer.ip, conn: connection.id });
      return this.invalid(connection, undefined, toAppError(cause).message);
    }
    const frame = RequestFrame.safeParse(raw, { reportInput: true });
    if (!frame.success) return this.invalid(connection, raw, describeIssues(frame.error));
    const { id, method } = frame.data;
    if (!this.options.rules.guard.stillValid(connection.identity!.grant))
      return connection.close(1008, "auth changed");
    const error = (message: string, more: object = {}): void => {
      this.answer(connection, {
        type: "res",
        id,
        ok: false,
        error: { code: "INVALID_REQUEST", message, ...more },
      });
    };
    if (method === "connect") return error("connect is only valid as the first request");
    const wait = connection.spend(Date.now());
    const open = this.openCalls.get(connection) ?? 0;
    if (wait > 0 || open >= MAX_OPEN_CALLS) {
      abuse.warn("too many requests", { ip: connection.peer.ip, conn: connection.id });
      return error("too many requests; slow down", {
        code: "UNAVAILABLE",
        retryable: true,
        retryAfterMs: wait || 100,
      });
    }
    this.openCalls.set(connection, open + 1);
    background("request", this.call(connection, frame.data, text.length), this.options.log);
  }

  private async call(connection: Connection, frame: RequestFrame, received: number): Promise<void> {
    const { method } = frame;
    const started = performance.now();
    const later: Promise<LateAnswer>[] = [];
    const ctx = this.options.context(connection, (answer) => later.push(answer));
    const response = await dispatch(this.options.methods, frame, ctx);
    this.openCalls.set(connection, (this.openCalls.get(connection) ?? 1) - 1);
    const sent = this.answer(connection, response);
    const ms = performance.now() - started;
    this.options.traffic.answered({ conn: connection.id, method, ms, received, response, sent });
    for (const answer of later) {
      const { id } = frame;
      const end = await answer;
      if (end.ok) this.answer(connection, { type: "res", id, ok: true, payload: end.payload });
      else {
        const error = wireError(end.error, connection.identity!.protocol);
        this.answer(connection, { type: "res", id, ok: false, payload: end.payload, error });
      }
    }
  }

  private invalid(connection: Connection, raw: unknown, why: string): void {
    const sent = typeof raw === "object" && raw !== null && "id" in raw ? raw.id : undefined;
    const id = typeof sent === "string" && sent ? sent.slice(0, 256) : "invalid";
    this.answer(connection, {
      type: "res",
      id,
      ok: false,
      error: { code: "INVALID_REQUEST", message: `invalid request frame: ${why}` },
    });
  }

  private answer(connection: Connection, response: Parameters<Connection["respond"]>[0]): number {
    this.options.hub.catchUp(connection);
    return connection.respond(response);
  }
}

/** A small fixed set of kinds, so that a flood of one kind is one line. */
function logLine(reason: string): string {
  if (reason.startsWith("unauthorized")) return "unauthorized";
  if (reason.startsWith("invalid connect params")) return "invalid connect params";
  return reason;
}
