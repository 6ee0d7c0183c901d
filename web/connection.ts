/** The one connection to the gateway that served this page. It can go nowhere else: the address is the page's own origin. */
import { computed, signal } from "@preact/signals";

import { version } from "../package.json";
import type { Methods } from "../src/gateway/methods/index.ts";
import { type ClientState, RpcClient, RpcError } from "../src/protocol/client.ts";
import type { EventFrame } from "../src/protocol/frames.ts";
import { keep } from "./keep.ts";
import { basePath } from "./router.ts";

export const connection = signal<ClientState>({ kind: "stopped" });
/** Epoch ms of the next attempt while one is waited for. */
export const retryAt = signal<number | undefined>(undefined);
/** The last hello, kept while a reconnect is under way, so that the page stays as it is. */
export const hello = signal<Extract<ClientState, { kind: "connected" }>["hello"] | undefined>(
  undefined,
);
export const connected = computed(() => connection.value.kind === "connected");

/** Sign-in: what is presented, and whether it is kept beyond this tab. */
const presented: { secret?: string; remember: boolean; fresh: boolean } = {
  remember: false,
  fresh: false,
};

/** An id that needs no secure context (`crypto.randomUUID` is missing on plain http to another machine). */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const watchers = { event: new Set<(event: EventFrame) => void>(), hello: new Set<() => void>() };
export const onEvent = (watch: (event: EventFrame) => void): void => void watchers.event.add(watch);
/** Called after every hello, the first and those after a reconnect. */
export const onHello = (watch: () => void): void => void watchers.hello.add(watch);

const client = new RpcClient<Methods>({
  url: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${basePath()}ws`,
  client: {
    id: "clawdbot-control-ui",
    version,
    platform: "web",
    mode: "ui",
    instanceId: newId(),
  },
  // The gateway looks at the one that its mode asks for, so nobody has to know which it is.
  auth: () =>
    presented.secret ? { token: presented.secret, password: presented.secret } : undefined,
  reconnect: true,
  onEvent: (event) => {
    for (const watch of watchers.event) watch(event);
  },
  onState(state) {
    connection.value = state;
    retryAt.value = state.kind === "waiting" ? Date.now() + state.retryInMs : undefined;
    if (state.kind === "waiting" && !hello.value) void lookBehind();
    if (state.kind !== "connected") return;
    hello.value = state.hello;
    if (presented.fresh) keep.setSecret(presented.secret, presented.remember);
    presented.fresh = false;
    // The client enters this state before it takes calls; what the watchers ask goes out right after.
    queueMicrotask(() => {
      for (const watch of watchers.hello) watch();
    });
  },
});

export const call: typeof client.call = (method, params, options) =>
  client.call(method, params, options);

/** Starts the connection with what is kept; called once. */
export function connect(): void {
  presented.secret ??= keep.secret();
  open();
  addEventListener("online", retryNow);
  document.addEventListener("visibilitychange", () => {
    // A phone that wakes up shall not wait for a back-off that began in its sleep.
    if (document.visibilityState === "visible") awake();
  });
  // A page that comes back from the browser's cache, or a computer from its sleep.
  addEventListener("pageshow", awake);
  addEventListener("focus", awake);
}

function open(): void {
  const over = () => undefined;
  // Success and refusal both arrive as states.
  void client.connect().then(over, over);
}

function awake(): void {
  retryNow();
  client.probe();
}

/** Tries again at once, unless the server has said no. */
export function retryNow(): void {
  const why = obstacle.value?.kind;
  if (connection.value.kind === "waiting" ? why !== "locked" : why === "pairing") client.retryNow();
}

/** Presents another secret and connects with it. It is kept when it was right. */
export function signIn(secret: string, remember: boolean): void {
  Object.assign(presented, { secret, remember, fresh: true });
  const { kind } = connection.value;
  if (kind === "refused" || kind === "waiting") client.retryNow();
  else if (kind === "stopped") open();
}

/** Forgets the secret and disconnects. */
export function signOut(): void {
  keep.setSecret(undefined, false);
  Object.assign(presented, { secret: undefined, remember: false, fresh: false });
  client.close();
  hello.value = undefined;
  open();
}

/**
 * A secret from a sign-in link: `#token=`, `#ticket=` (one-time, exchanged with the gateway), or the old `?token=`.
 * Taken out of the address at once, so that it is in no bookmark, history entry or Referer. Nothing else of the address is
 * used: a `gatewayUrl` is dropped like any unknown text.
 */
export async function takeLink(): Promise<void> {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const query = new URLSearchParams(location.search);
  const token = fragment.get("token") ?? query.get("token") ?? query.get("password");
  const ticket = fragment.get("ticket");
  for (const name of [...query.keys()])
    if (/^(token|password|gatewayurl)$/i.test(name)) query.delete(name);
  const secretInHash = ["token", "ticket", "gatewayUrl"].some((name) => fragment.has(name));
  const search = query.size ? `?${query}` : "";
  // With the origin: a path like `//host/` alone would be an address on another server.
  const here = location.origin + location.pathname + search;
  history.replaceState(null, "", here + (secretInHash ? "" : location.hash));
  if (token) Object.assign(presented, { secret: token.trim(), remember: false, fresh: true });
  if (ticket) await redeem(ticket);
}

/** A link that was pasted into the address of the open page: only the part behind `#` changes, so nothing is loaded again. */
export async function followLink(): Promise<void> {
  await takeLink();
  const { secret, remember, fresh } = presented;
  if (fresh && secret !== undefined) signIn(secret, remember);
}

/** The server answers, but the WebSocket does not come through: a proxy, or an origin that is not allowed. */
export const socketBlocked = signal(false);

async function lookBehind(): Promise<void> {
  try {
    const answer = await fetch(basePath(), { method: "HEAD", cache: "no-store" });
    socketBlocked.value = answer.ok;
  } catch (cause) {
    // The network's own error: nothing answers at all.
    if (!(cause instanceof TypeError)) throw cause;
    socketBlocked.value = false;
  }
}

/** Why the one-time link did not work, for the sign-in page. */
export const linkFailed = signal(false);

async function redeem(ticket: string): Promise<void> {
  try {
    const answer = await fetch(`${basePath()}api/sign-in`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ticket }),
      signal: AbortSignal.timeout(10_000),
    });
    const body = answer.ok ? ((await answer.json()) as Record<string, unknown>) : {};
    const secret = body.token ?? body.password;
    linkFailed.value = !answer.ok;
    if (typeof secret === "string")
      Object.assign(presented, { secret, remember: true, fresh: true });
  } catch (cause) {
    // The network, the timeout, or a body that is no JSON: the form asks for the token instead.
    const named = [TypeError, SyntaxError, DOMException].some((kind) => cause instanceof kind);
    if (!named) throw cause;
    linkFailed.value = true;
  }
}

const codeOf = (details: unknown): string =>
  ((details as { code?: string } | undefined)?.code ?? "").toUpperCase();

/** What stands between the person and the gateway, or undefined when nothing does. */
export const obstacle = computed(() => {
  const state = connection.value;
  if (state.kind !== "refused" && state.kind !== "waiting") return undefined;
  const { error } = state;
  const code = codeOf(error.details);
  if (/RATE_LIMITED/.test(code)) return { kind: "locked" as const, error };
  if (/(TOKEN|PASSWORD)_MISSING$|AUTH_REQUIRED/.test(code))
    return { kind: "missing" as const, error };
  if (/MISMATCH|UNAUTHORIZED/.test(code) && /AUTH/.test(code))
    return { kind: "wrong" as const, error };
  if (/unauthorized/i.test(error.message)) {
    const kind = /missing/i.test(error.message) ? ("missing" as const) : ("wrong" as const);
    return { kind, error };
  }
  if (/PAIR/.test(code) || error.code === "NOT_PAIRED") return { kind: "pairing" as const, error };
  return state.kind === "refused"
    ? { kind: "refused" as const, error }
    : { kind: "unreachable" as const, error };
});

/** True for errors that mean "later", not "no". */
export const isTransient = (error: RpcError): boolean =>
  error.shape.retryable === true || error.shape.retryAfterMs !== undefined;
export { RpcError };
