/** Addresses of the page: which view stands for which path, and the history of the browser. Base path aware. */
import { signal } from "@preact/signals";

export type Route =
  | { page: "chat"; sessionKey?: string }
  | { page: "sessions" }
  | { page: "channels" }
  /** `id` of one message: the platform's, that of its run, or of something that was sent for it. */
  | { page: "messages"; id?: string }
  | { page: "system" }
  | { page: "missing"; path: string };

/** Addresses of the original's page that now live elsewhere. */
const MOVED = new Map(
  ["overview", "instances", "logs", "debug", "health"].map((old) => [old, "system"]),
);

/** Where the page is mounted: the `<base>` that the server wrote. Ends with a slash. */
export const basePath = (): string => new URL(document.baseURI).pathname.replace(/[^/]*$/, "");

/** The route of a path below the base (no leading slash), or the path to go to instead. */
export function parsePath(path: string, search = ""): Route | { redirect: string } {
  const [first = "", ...rest] = path.replace(/\/+$/, "").split("/");
  const session = new URLSearchParams(search).get("session");
  if (first === "" || first === "chat") {
    if (rest.length > (first ? 1 : 0)) return { page: "missing", path };
    if (session) return { redirect: pathOf({ page: "chat", sessionKey: session }) };
    if (first === "chat" && !rest[0]) return { redirect: "" };
    const sessionKey = rest[0] === undefined ? undefined : decoded(rest[0]);
    if (rest[0] !== undefined && !sessionKey) return { page: "missing", path };
    return { page: "chat", sessionKey };
  }
  if (first === "messages" && rest.length < 2) {
    const id = rest[0] === undefined ? undefined : decoded(rest[0]);
    return rest[0] !== undefined && !id ? { page: "missing", path } : { page: "messages", id };
  }
  if (rest.length === 0 && (first === "sessions" || first === "channels" || first === "system"))
    return { page: first };
  const moved = rest.length === 0 ? MOVED.get(first) : undefined;
  return moved ? { redirect: moved } : { page: "missing", path };
}

/** A path below the base, without leading slash. */
export function pathOf(route: Route): string {
  if (route.page === "missing") return route.path;
  if (route.page === "messages")
    return route.id === undefined ? "messages" : `messages/${encodeURIComponent(route.id)}`;
  if (route.page !== "chat") return route.page;
  return route.sessionKey
    ? `chat/${encodeURIComponent(route.sessionKey).replaceAll("%3A", ":")}`
    : "";
}

/** What the reader looks at. */
export const route = signal<Route>({ page: "chat" });

export const hrefOf = (to: Route): string => basePath() + pathOf(to);

/** Goes to a view; `replace` when going back must not come here again. */
export function go(to: Route, { replace = false } = {}): void {
  const href = hrefOf(to);
  if (href !== location.pathname || location.search || location.hash)
    history[replace ? "replaceState" : "pushState"](null, "", href);
  route.value = to;
}

/** Reads the address bar, now and whenever the reader goes back or forward. Called once. */
export function startRouter(): void {
  const read = () => {
    const path = location.pathname.startsWith(basePath())
      ? location.pathname.slice(basePath().length)
      : location.pathname.slice(1);
    const found = parsePath(path, location.search);
    if (!("redirect" in found)) return void (route.value = found);
    history.replaceState(null, "", basePath() + found.redirect);
    const target = parsePath(found.redirect);
    if (!("redirect" in target)) route.value = target;
  };
  addEventListener("popstate", read);
  read();
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    // A cut percent escape in a pasted address is no address of ours.
    if (cause instanceof URIError) return undefined;
    throw cause;
  }
}
