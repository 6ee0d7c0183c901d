/** One connection to WhatsApp: the library's socket with our settings, and where it connects to. */
import makeWASocket, {
  type BinaryNode,
  DEFAULT_CONNECTION_CONFIG,
  getCodeFromWSError,
  getErrorCodeFromStreamError,
  type GroupMetadata,
  type proto,
  type SignalRepositoryWithLIDStore,
  WA_CERT_DETAILS,
  type WAMessageKey,
  type WASocket,
  type WAVersion,
} from "@whiskeysockets/baileys";

import { NAMES, VERSION as PRODUCT_VERSION } from "../../base/brand.ts";
import { AppError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { libraryLogger, muteSignal } from "./logger.ts";
import { type Ending, endingOf } from "./reasons.ts";
import type { Vault } from "./vault.ts";

/**
 * The version of WhatsApp Web that we say we are. Fixed, because asking for the newest one is a request to a third server at every
 * connect. Source: `lib/Defaults/index.js` of Baileys 7.0.0-rc14. An old one works until WhatsApp answers 405.
 */
const VERSION: WAVersion = [2, 3000, 1043857760];
const PUBLIC_URL = "wss://web.whatsapp.com/ws/chat";
const CONNECT_MS = 20_000;
const QUERY_MS = 30_000;
/** As the library's own default; a connection without a frame for twice as long is dead. */
const KEEP_ALIVE_MS = 30_000;

/** Where WhatsApp is. `mediaRoot` is set where files are not at the public hosts either: in tests. */
export type Place = { url: string; mediaRoot?: string };

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

/** Throws `channel_misconfigured` for an address that is not on this machine: whoever is there would get the link. */
export function placeOf(env: (name: string) => string | undefined): Place {
  const read = (suffix: string): [name: string, value: string] | undefined => {
    const names = NAMES.map((product) => `${product.toUpperCase()}_${suffix}`);
    const name = names.find((each) => env(each));
    return name ? [name, env(name)!] : undefined;
  };
  const whatsappWebSocketUrl = read("WHATSAPP_WEB_SOCKET_URL");
  if (!whatsappWebSocketUrl) return { url: PUBLIC_URL };
  const [name, text] = whatsappWebSocketUrl;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^wss?:$/.test(url.protocol) || !LOOPBACK.test(url.hostname))
    throw new AppError("channel_misconfigured", `${name} is no ws:// address of this machine.`, {
      hint: "Take the variable away; it is for tests (see `clawdbot channels status`).",
    });
  const whatsappTestRootKey = read("WHATSAPP_TEST_ROOT_KEY")?.[1];
  // A test server cannot have WhatsApp's certificate, so it brings a root of its own; never with a server elsewhere.
  if (whatsappTestRootKey && /^[0-9a-f]{64}$/i.test(whatsappTestRootKey))
    WA_CERT_DETAILS.PUBLIC_KEY.set(Buffer.from(whatsappTestRootKey, "hex"));
  return {
    url: url.href,
    mediaRoot: `http${url.protocol === "wss:" ? "s" : ""}://${url.host}`,
  };
}

export type SocketPorts = {
  vault: Vault;
  log: Logger;
  place: Place;
  /** In ms; shorter than the default only where the heartbeat is. */
  keepAliveMs: number;
  /** What we sent earlier, for a recipient who could not decrypt it. */
  sent(key: WAMessageKey): Promise<proto.IMessage | undefined>;
  group(jid: string): GroupMetadata | undefined;
};

export type Connection = {
  sock: WASocket;
  /** Decrypts; its changes of keys are collected by the vault. */
  receiving: SignalRepositoryWithLIDStore;
  /** Why it ended, as soon as anybody knows. */
  ended: Promise<Ending>;
  /** Ends without waiting for the other side, which may be gone. */
  drop(): void;
};

export const keepAliveFor = (heartbeatSeconds: number): number =>
  Math.min(KEEP_ALIVE_MS, heartbeatSeconds * 500);

/**
 * Begins to connect. The library would decrypt, acknowledge and only then hand over what it receives; `CB:message` is therefore
 * left without its listener, and inbox.ts does these steps in the order in which nothing is lost.
 */
export function connect(ports: SocketPorts): Connection {
  muteSignal();
  const { vault, place } = ports;
  const logger = libraryLogger(ports.log);
  let receiving: SignalRepositoryWithLIDStore | undefined;
  const sock = makeWASocket({
    waWebSocketUrl: place.url,
    version: VERSION,
    browser: ["Clawdbot", "cli", PRODUCT_VERSION],
    auth: { creds: vault.creds, keys: vault.keys },
    logger,
    connectTimeoutMs: CONNECT_MS,
    defaultQueryTimeoutMs: QUERY_MS,
    keepAliveIntervalMs: ports.keepAliveMs,
    syncFullHistory: false,
    markOnlineOnConnect: false,
    emitOwnEvents: false,
    generateHighQualityLinkPreview: false,
    // A key that cannot be written must not keep a message waiting for half a minute: the outbox tries again.
    transactionOpts: { maxCommitRetries: 2, delayBetweenTriesMs: 200 },
    msgRetryCounterCache: new BoundedCache(1000),
    getMessage: ports.sent,
    cachedGroupMetadata: async (jid) => ports.group(jid),
    makeSignalRepository: (auth, itsLogger, lookUp) => {
      const make = DEFAULT_CONNECTION_CONFIG.makeSignalRepository;
      receiving = make({ ...auth, keys: vault.receiving }, itsLogger, lookUp);
      return make({ ...auth, keys: vault.sending }, itsLogger, lookUp);
    },
  });
  sock.ws.removeAllListeners("CB:message");
  sock.ev.on("creds.update", () => vault.changed());
  return {
    sock,
    receiving: receiving!,
    ended: endOf(sock),
    drop() {
      receiving?.close?.();
      const { socket } = sock.ws as unknown as { socket: { terminate?(): void } | null };
      socket?.terminate?.();
      // `end` would first take away the listeners of the questions that are under way, which then wait for half a minute.
      sock.ws.emit("close");
    },
  };
}

/**
 * The library tells that a connection has ended once the other side has closed it too, which a server that is gone never does; of
 * an answer that is no WebSocket it tells nothing at all. So all of it is listened to.
 */
function endOf(sock: WASocket): Promise<Ending> {
  return new Promise((resolve) => {
    const end = (statusCode: number): void => resolve(endingOf({ output: { statusCode } }));
    sock.ws.on("CB:stream:error", (node: BinaryNode) =>
      end(getErrorCodeFromStreamError(node).statusCode),
    );
    sock.ws.on("CB:failure", (node: BinaryNode) => end(Number(node.attrs.reason ?? 500)));
    sock.ws.on("unexpected-response", (_: unknown, answer: { statusCode?: number }) =>
      end(answer.statusCode ?? 500),
    );
    sock.ws.on("error", (cause: Error) => end(getCodeFromWSError(cause)));
    sock.ws.on("close", () => resolve(endingOf(undefined)));
    sock.ev.on("connection.update", ({ connection, lastDisconnect }) => {
      if (connection === "close") resolve(endingOf(lastDisconnect?.error));
    });
  });
}

/** What the library counts per message; the oldest is forgotten first. */
class BoundedCache {
  private readonly rows = new Map<string, unknown>();
  constructor(private readonly most: number) {}
  get<T>(key: string): T | undefined {
    return this.rows.get(key) as T | undefined;
  }
  set<T>(key: string, value: T): void {
    this.rows.delete(key);
    this.rows.set(key, value);
    if (this.rows.size > this.most) this.rows.delete(this.rows.keys().next().value!);
  }
  del(key: string): void {
    this.rows.delete(key);
  }
  flushAll(): void {
    this.rows.clear();
  }
}
