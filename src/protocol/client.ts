/** The client of the gateway's WebSocket: one for the Control UI, the CLI and the tests. Runs in browsers and in Bun. */
import type { ErrorShape, EventFrame, Frame, ResponseFrame, Scope } from "./frames.ts";

/** The shape every method table has, seen from outside: enough to type a call, nothing to run. */
export type MethodTypes = Record<string, { readonly types?: { params: unknown; result: unknown } }>;
type Params<M extends MethodTypes, K extends keyof M> = NonNullable<M[K]["types"]>["params"];
type Result<M extends MethodTypes, K extends keyof M> = NonNullable<M[K]["types"]>["result"];

/** What `connect` says of the client. The server never derives authority from it. */
export type ClientInfo = {
  id: string;
  version: string;
  platform: string;
  mode: string;
  displayName?: string;
  instanceId?: string;
};

/** The parts of hello-ok that our own clients read. */
export type Hello = {
  protocol: number;
  server: { version: string; connId: string; host?: string; bootId?: string };
  features: { methods: string[]; events: string[] };
  snapshot: {
    /** Nix makes the config; it is read-only. */
    nixMode?: boolean;
    presence: unknown[];
    health: Record<string, unknown>;
    uptimeMs: number;
    sessionDefaults: {
      defaultAgentId: string;
      mainKey: string;
      mainSessionKey: string;
      scope: string;
    };
  };
  auth?: { role: string; scopes: string[]; deviceToken?: string };
  policy: { maxPayload: number; tickIntervalMs: number };
};

/** `retryInMs` is set while a reconnect is being waited for; `error` is what the last attempt ended with. */
export type ClientState =
  | { kind: "connecting"; attempt: number }
  | { kind: "connected"; hello: Hello }
  | { kind: "waiting"; attempt: number; retryInMs: number; error: ErrorShape }
  | { kind: "refused"; error: ErrorShape }
  | { kind: "stopped" };

export type ClientOptions = {
  /** `ws://…`, `wss://…`, or in Bun `ws+unix:///path/to.sock:/`. */
  url: string;
  client: ClientInfo;
  scopes?: Scope[];
  /** Read at every attempt, so that a changed secret is used. */
  auth?: () => { token?: string; password?: string } | undefined;
  /** False: one attempt, then `stopped` (CLI). True: reconnect for ever with back-off (browser). */
  reconnect: boolean;
  onEvent?(event: EventFrame): void;
  onState?(state: ClientState): void;
  /** Extra headers of the upgrade; Bun only, for tests. */
  headers?: Record<string, string>;
};

/** A failed call or connection, with the server's code, message and hint. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  constructor(readonly shape: ErrorShape) {
    super(shape.message);
  }
  /** Our own code (base/errors.ts), when the server sent it. */
  get code(): string {
    const details = this.shape.details as { code?: string } | undefined;
    return details?.code ?? this.shape.code;
  }
  get hint(): string | undefined {
    return (this.shape.details as { hint?: string } | undefined)?.hint;
  }
}

type Waiting = {
  resolve(payload: unknown): void;
  reject(error: RpcError): void;
  /** Skip the first answer of a method that answers twice (`agent`). */
  final: boolean;
  /** Characters of the request: a large one is on its way for a while. */
  size: number;
  timer?: ReturnType<typeof setTimeout>;
};

/** How long a call may be unanswered, without any other frame, before the line is tested; and then how long the test may take. In ms. */
const QUIET_MS = 5000;
/** From the first packet to hello-ok, in ms. */
const HANDSHAKE_MS = 15_000;
/** The close code of a connection that was dropped because nothing came any more. */
const SILENT = 4000;
/** The slowest line that a large request is given time for, in characters per ms. */
const SLOWEST = 50;

const lost = (message: string): RpcError =>
  new RpcError({ code: "UNAVAILABLE", message, retryable: true });

export class RpcClient<M extends MethodTypes> {
  private socket: WebSocket | undefined;
  private next = 1;
  private attempt = 0;
  private current: ClientState = { kind: "stopped" };
  private readonly waiting = new Map<string, Waiting>();
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private watchdog: ReturnType<typeof setTimeout> | undefined;
  private hello: { resolve(h: Hello): void; reject(e: RpcError): void } | undefined;

  constructor(private readonly options: ClientOptions) {}

  get state(): ClientState {
    return this.current;
  }

  /** Connects. With `reconnect: false` it rejects when the first attempt fails; otherwise it waits for the first success. */
  connect(): Promise<Hello> {
    return new Promise((resolve, reject) => {
      this.hello = { resolve, reject };
      this.open();
    });
  }

  /** Ends the connection for good. Open calls are rejected. */
  close(): void {
    clearTimeout(this.retryTimer);
    clearTimeout(this.watchdog);
    this.enter({ kind: "stopped" });
    this.socket?.close(1000, "bye");
    this.socket = undefined;
    this.failAll(lost("The connection was closed."));
  }

  /**
   * Tests a connection that may be dead without anybody having closed it (the page woke up). When nothing at all comes back in
   * five seconds, it is dropped and a new one is made.
   */
  probe(): void {
    if (this.current.kind !== "connected") return;
    clearTimeout(this.watchdog);
    // Its answer is nobody's: whatever frame comes shows that the line is alive, also an error.
    this.socket?.send(JSON.stringify({ type: "req", id: "probe", method: "health", params: {} }));
    const largest = Math.max(0, ...[...this.waiting.values()].map((entry) => entry.size));
    this.watchdog = setTimeout(() => this.drop(), QUIET_MS + largest / SLOWEST);
  }

  /** Tries again at once instead of waiting for the back-off (the browser came online, a person pressed the button). */
  retryNow(): void {
    if (this.current.kind !== "waiting" && this.current.kind !== "refused") return;
    clearTimeout(this.retryTimer);
    this.attempt = 0;
    this.open();
  }

  /**
   * Calls a method. Rejects with RpcError: the server's error, a lost connection (`retryable`), or the timeout.
   * `final` waits for the second answer of `agent`. Default timeout 30 s; 0 means none.
   */
  call<K extends keyof M & string>(
    method: K,
    params: Params<M, K>,
    { timeoutMs = 30_000, final = false }: { timeoutMs?: number; final?: boolean } = {},
  ): Promise<Result<M, K>> {
    if (this.current.kind !== "connected")
      return Promise.reject(lost("Not connected to the gateway."));
    return this.request(method, params, { timeoutMs, final }) as Promise<Result<M, K>>;
  }

  private request(
    method: string,
    params: unknown,
    { timeoutMs, final }: { timeoutMs: number; final: boolean },
  ): Promise<unknown> {
    const id = String(this.next++);
    return new Promise((resolve, reject) => {
      const frame = JSON.stringify({ type: "req", id, method, params });
      const entry: Waiting = { resolve, reject, final, size: frame.length };
      if (timeoutMs > 0)
        entry.timer = setTimeout(() => {
          this.waiting.delete(id);
          reject(lost(`The gateway did not answer ${method} within ${timeoutMs} ms.`));
        }, timeoutMs);
      this.waiting.set(id, entry);
      this.socket?.send(frame);
      // The first one that is open starts the clock; the others are watched with it.
      if (this.waiting.size === 1) this.beat();
    });
  }

  private open(): void {
    this.enter({ kind: "connecting", attempt: this.attempt });
    const { url, headers } = this.options;
    const socket = headers
      ? new WebSocket(url, { headers } as unknown as string[])
      : new WebSocket(url);
    this.socket = socket;
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => this.drop(), HANDSHAKE_MS);
    let refusal: ErrorShape | undefined;
    let challenged = false;
    socket.onmessage = (message) => {
      const frame = JSON.parse(String(message.data)) as Frame;
      if (frame.type === "event" && frame.event === "connect.challenge" && !challenged) {
        challenged = true;
        this.greet().then(
          (hello) => {
            this.attempt = 0;
            this.enter({ kind: "connected", hello });
            this.beat();
            this.hello?.resolve(hello);
            this.hello = undefined;
          },
          (error: RpcError) => {
            refusal = error.shape;
          },
        );
      } else if (frame.type === "event") this.options.onEvent?.(frame);
      else if (frame.type === "res") this.answer(frame);
      this.beat();
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.socket = undefined;
      clearTimeout(this.watchdog);
      const error = lost("The connection to the gateway was lost.");
      if (this.current.kind === "connected") {
        this.closed(event.code, event.reason, undefined);
        return this.failAll(error);
      }
      this.failAll(error);
      // The rejected `connect` promise sets `refusal` in a microtask; look at it after that.
      queueMicrotask(() => this.closed(event.code, event.reason, refusal));
    };
  }

  private greet(): Promise<Hello> {
    const { client, scopes, auth } = this.options;
    return this.request(
      "connect",
      {
        minProtocol: 3,
        maxProtocol: 4,
        client,
        role: "operator",
        scopes: scopes ?? [
          "operator.admin",
          "operator.read",
          "operator.write",
          "operator.approvals",
          "operator.pairing",
        ],
        caps: ["tool-events"],
        auth: auth?.(),
      },
      { timeoutMs: 15_000, final: false },
    ) as Promise<Hello>;
  }

  private closed(code: number, reason: string, refusal: ErrorShape | undefined): void {
    if (this.current.kind === "stopped") return;
    const error =
      refusal ??
      ({
        code: "UNAVAILABLE",
        message: reason
          ? `The gateway closed the connection: ${reason}`
          : code === SILENT
            ? "The gateway does not answer."
            : "No connection.",
        details: { closeCode: code },
      } satisfies ErrorShape);
    // 1008 with an error frame is the server's considered no: the same secret again only feeds the rate limiter.
    if (refusal && !refusal.retryable) {
      this.enter({ kind: "refused", error });
      this.hello?.reject(new RpcError(error));
      this.hello = undefined;
      return;
    }
    if (!this.options.reconnect) {
      this.enter({ kind: "stopped" });
      this.hello?.reject(new RpcError(error));
      this.hello = undefined;
      return;
    }
    this.attempt++;
    // Full jitter, so that a thousand clients do not come back in lockstep after a restart.
    const ceiling = Math.min(15_000, 250 * 2 ** Math.min(this.attempt, 6));
    const retryInMs =
      refusal?.retryAfterMs ?? Math.round(ceiling / 4 + Math.random() * ceiling * 0.75);
    this.enter({ kind: "waiting", attempt: this.attempt, retryInMs, error });
    this.retryTimer = setTimeout(() => this.open(), retryInMs);
  }

  /**
   * A frame came, or a call went out. The server ticks every 30 s: silence for twice that is a dead connection that nobody
   * closed. While an answer is due, the line is tested much earlier.
   */
  private beat(): void {
    if (this.current.kind !== "connected") return;
    clearTimeout(this.watchdog);
    const { tickIntervalMs } = this.current.hello.policy;
    this.watchdog = this.waiting.size
      ? setTimeout(() => this.probe(), QUIET_MS)
      : setTimeout(() => this.drop(), tickIntervalMs * 2);
  }

  /** Ends a dead connection at once: its closing handshake would wait for the dead. */
  private drop(): void {
    const { socket } = this;
    if (!socket) return;
    this.socket = undefined;
    socket.onmessage = socket.onclose = null;
    socket.close(SILENT, "no answer");
    // Who waits for a call hears of it when the state already says that the connection is gone.
    this.closed(SILENT, "", undefined);
    this.failAll(lost("The gateway does not answer."));
  }

  private answer(frame: ResponseFrame): void {
    const entry = this.waiting.get(frame.id);
    if (!entry) return;
    const accepted =
      frame.ok && (frame.payload as { status?: string } | undefined)?.status === "accepted";
    if (entry.final && accepted) return;
    this.waiting.delete(frame.id);
    clearTimeout(entry.timer);
    if (frame.ok) entry.resolve(frame.payload);
    else
      entry.reject(
        new RpcError(frame.error ?? { code: "UNAVAILABLE", message: "The request failed." }),
      );
  }

  private failAll(error: RpcError): void {
    const open = [...this.waiting.values()];
    this.waiting.clear();
    for (const entry of open) {
      clearTimeout(entry.timer);
      entry.reject(error);
    }
  }

  private enter(state: ClientState): void {
    this.current = state;
    this.options.onState?.(state);
  }
}
