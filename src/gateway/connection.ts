/** One WebSocket client: what the server knows of it and how something is sent to it. */
import type { ServerWebSocket } from "bun";

import {
  type ErrorShape,
  MAX_BUFFERED,
  type Protocol,
  type ResponseFrame,
  type Scope,
} from "../protocol/frames.ts";
import type { ConnectParams } from "./access/connect-params.ts";
import type { Peer } from "./access/origin.ts";

/** More than this waiting when an answer is due: the client asks and never reads. */
const MAX_BUFFERED_ANSWERS = 16 * 1024 * 1024;
/** How long a closed socket may take to say goodbye before it is cut, in ms. */
const LINGER_MS = 1_000;
/** Requests that a remote client may send at once, and how many it regains per second. */
const BURST = 2_000;
const REFILL_PER_SECOND = 200;

export type SocketData = { peer: Peer; connection?: Connection };
export type Socket = ServerWebSocket<SocketData>;

/** Who a connection is after the handshake; computed by the server from the credential it verified. */
export type Identity = {
  protocol: Protocol;
  role: "operator" | "node";
  scopes: ReadonlySet<string>;
  client: ConnectParams["client"];
  caps: ReadonlySet<string>;
  /** Digest of the secret it came in with. */
  grant: string;
  deviceId?: string;
};

export class Connection {
  readonly id = crypto.randomUUID();
  readonly nonce = crypto.randomUUID();
  readonly openedAt = Date.now();
  identity: Identity | undefined;
  /** No complete frame has arrived yet; the first to go when there are too many. */
  silent = true;
  /** `connect` has been received; a second one before the answer is refused. */
  greeting = false;
  closed = false;
  /** Last event number that it was given. */
  seq = 0;
  /** Absolute position in the hub's queue up to which it has been served. */
  cursor = 0;
  handshakeTimer: ReturnType<typeof setTimeout> | undefined;
  /** How this client spells a session key when it is not the canonical spelling. */
  private readonly spellings = new Map<string, string>();
  private tokens = BURST;
  private refilledAt = 0;

  constructor(
    readonly socket: Socket,
    readonly peer: Peer,
  ) {}

  /** Waiting in our memory for the client to read, in bytes. */
  get buffered(): number {
    return this.closed ? 0 : this.socket.getBufferedAmount();
  }

  get slow(): boolean {
    return this.buffered > MAX_BUFFERED;
  }

  hasScope(scope: Scope): boolean {
    const scopes = this.identity?.scopes;
    if (!scopes || this.identity?.role !== "operator") return false;
    if (scopes.has("operator.admin") || scopes.has(scope)) return true;
    return scope === "operator.read" && scopes.has("operator.write");
  }

  /** One frame, already text. False when the socket is gone. */
  send(text: string): boolean {
    if (this.closed) return false;
    this.socket.sendText(text);
    return true;
  }

  /** Gives the number of characters that were sent. */
  respond(frame: ResponseFrame): number {
    if (this.buffered > MAX_BUFFERED_ANSWERS) {
      this.close(1008, "slow consumer");
      return 0;
    }
    const text = JSON.stringify(frame);
    return this.send(text) ? text.length : 0;
  }

  /** The error first, then the close: clients show the error's text. */
  refuse(id: string, error: ErrorShape, code: number, reason: string): void {
    this.respond({ type: "res", id, ok: false, error });
    this.close(code, reason);
  }

  /** Says why, and cuts the line when the peer does not answer. Does nothing the second time. */
  close(code: number, reason: string): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.handshakeTimer);
    this.socket.close(code, cutBytes(reason, 120));
    setTimeout(() => this.socket.terminate(), LINGER_MS).unref();
  }

  spell(canonical: string, spelled: string): void {
    const spelling = spelled.trim().toLowerCase();
    if (spelling === canonical) this.spellings.delete(canonical);
    else this.spellings.set(canonical, spelling);
    if (this.spellings.size > 200) this.spellings.delete(this.spellings.keys().next().value!);
  }

  spellingOf(canonical: string): string | undefined {
    return this.spellings.get(canonical);
  }

  /** Takes one request from the budget; gives the wait in ms when it is used up. */
  spend(now: number): number {
    if (this.peer.trusted) return 0;
    const gained = ((now - this.refilledAt) / 1000) * REFILL_PER_SECOND;
    this.tokens = Math.min(BURST, this.tokens + gained);
    this.refilledAt = now;
    if (this.tokens < 1) return Math.ceil(((1 - this.tokens) / REFILL_PER_SECOND) * 1000);
    this.tokens--;
    return 0;
  }
}

/** At most `max` bytes of UTF-8 without half a character. A close reason has room for 123. */
export function cutBytes(text: string, max: number): string {
  if (Buffer.byteLength(text) <= max) return text;
  return new TextDecoder().decode(Buffer.from(text).subarray(0, max)).replace(/\uFFFD+$/, "");
}
