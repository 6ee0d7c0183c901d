import { Hono } from "hono";

import { toAppError } from "../../base/errors.ts";
/** Everything that is not a WebSocket: security headers, the rules for Host and Origin, and the routes. */
import { remoteText } from "../../base/log-lines.ts";
import type { Logger } from "../../base/log.ts";
import type { Config } from "../../config/schema.ts";
import type { Guard } from "../access/auth.ts";
import { hostAllowed, type HostRules, originAllowed, type Peer } from "../access/origin.ts";
import type { Tickets } from "../access/tickets.ts";
import { type RepeatLog } from "../log/repeat-log.ts";
import { prepareUi, serveAsset, type Ui, type UiSource } from "./assets.ts";
import { healthRoutes, type HealthSource } from "./health.ts";
import { signIn } from "./sign-in.ts";

export type HttpOptions = {
  health: HealthSource;
  config(): Config;
  hostRules(): HostRules;
  guard: Guard;
  tickets: Tickets;
  ui: UiSource | undefined;
  /** Name and avatar of the default agent. */
  identity(): { name: string; avatar: string };
  version: string;
  log: Logger;
  abuse: RepeatLog;
};

type Env = { Bindings: { peer: Peer } };

const HEADERS = {
  "content-security-policy":
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
} as const;

const HEALTH_PATH = /^\/(?:healthz?|readyz?|startupz?)$/;
const text = (body: string, status: number, headers: Record<string, string> = {}) =>
  new Response(body, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
  });
const json = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" },
  });

/** `/clawdbot/` → `/clawdbot`, `/` → empty. */
export const plainBase = (basePath: string): string => {
  const path = basePath.trim().replace(/\/+$/, "");
  return path && !path.startsWith("/") ? `/${path}` : path;
};

/** The names that pages of all generations look for, as a script of its own because inline ones are forbidden. */
function globalsScript(base: string, identity: { name: string; avatar: string }): string {
  const values = {
    CONTROL_UI_BASE_PATH: base,
    ASSISTANT_NAME: identity.name,
    ASSISTANT_AVATAR: identity.avatar,
  };
  return ["CLAWDBOT", "OPENCLAW"]
    .flatMap((product) =>
      Object.entries(values).map(
        ([name, value]) => `globalThis.__${product}_${name}__=${JSON.stringify(value)};\n`,
      ),
    )
    .join("");
}

export function httpApp(options: HttpOptions): Hono<Env> {
  const app = new Hono<Env>();
  const pages = new Map<string, Promise<Ui>>();
  const base = () => plainBase(options.config().gateway.controlUi.basePath);
  const uiOf = (path: string): Promise<Ui> => {
    const known = pages.get(path);
    if (known) return known;
    const made = prepareUi(options.ui!, path);
    pages.set(path, made);
    // A failed build is tried again by the next request.
    made.then(undefined, () => pages.delete(path));
    return made;
  };

  app.use(async (c, next) => {
    const refused = refuse(c.req.raw, options);
    if (refused) c.res = refused;
    else await next();
    for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value);
    return undefined;
  });
  app.route("/", healthRoutes(options.health));
  app.all("*", async (c) => {
    const request = c.req.raw;
    const { pathname } = new URL(request.url);
    const root = base();
    if (pathname === "/api/sign-in" || pathname === `${root}/api/sign-in`)
      return signIn(request, c.env.peer, options);
    if (/^\/api(?:\/|$)/.test(pathname)) return json({ error: { message: "Not Found" } }, 404);
    if (!options.config().gateway.controlUi.enabled || !options.ui) return text("Not Found", 404);
    if (root && pathname !== root && !pathname.startsWith(`${root}/`))
      return text("Not Found", 404);
    if (request.method !== "GET" && request.method !== "HEAD")
      return text("Method Not Allowed", 405, { allow: "GET, HEAD" });
    return page(request, pathname.slice(root.length), root);
  });
  app.onError((cause) => {
    const error = toAppError(cause);
    const reference = crypto.randomUUID().slice(0, 8);
    options.log.error("an HTTP request failed", {
      reference,
      error: error.message,
      stack: error.stack,
    });
    return text(`Internal Server Error (reference ${reference})`, 500, HEADERS);
  });
  return app;

  async function page(request: Request, path: string, root: string): Promise<Response> {
    if (path === "" && root)
      return new Response(null, {
        status: 302,
        headers: { location: `${root}/${new URL(request.url).search}` },
      });
    if (!root && /^\/ui(?:\/|$)/.test(path)) return text("Not Found", 404);
    const identity = options.identity();
    const meta = /^\/avatar\/([a-z0-9][a-z0-9_-]{0,63})$/i.exec(path);
    if (meta && new URL(request.url).searchParams.get("meta") === "1")
      return json({
        avatarUrl: /^(?:https?|data):/.test(identity.avatar) ? identity.avatar : null,
      });
    if (path.startsWith("/avatar/")) return text("Not Found", 404);
    if (path === "/control-ui-config.json" || path === "/__openclaw/control-ui-config.json")
      return json({
        basePath: root,
        assistantName: identity.name,
        assistantAvatar: identity.avatar,
        ...(options.config().ui.seamColor ? { seamColor: options.config().ui.seamColor } : {}),
        authMode: options.guard.mode(),
      });
    if (path.endsWith("/assets/globals.js"))
      return new Response(request.method === "HEAD" ? null : globalsScript(root, identity), {
        headers: { "content-type": "text/javascript; charset=utf-8", "cache-control": "no-cache" },
      });
    const ui = await uiOf(root);
    const inAssets = path.lastIndexOf("/assets/");
    if (inAssets >= 0) {
      const found = ui.assets.get(path.slice(inAssets + "/assets/".length));
      return found ? serveAsset(found, request) : text("Not Found", 404);
    }
    const file = ui.assets.get(path.slice(1));
    if (file) return serveAsset(file, request);
    // A missing script must be a clear 404, not the page.
    if (/\.[a-z0-9]{1,5}$/i.test(path) && path !== "/index.html") return text("Not Found", 404);
    return serveAsset(ui.page, request);
  }
}

/** What is refused whatever the path: foreign names, foreign pages, preflights. Health checks are exempt from the name. */
function refuse(request: Request, options: HttpOptions): Response | undefined {
  const host = request.headers.get("host");
  const { pathname } = new URL(request.url);
  const rules = options.hostRules();
  if (request.method === "OPTIONS") return text("Forbidden", 403);
  if (!HEALTH_PATH.test(pathname) && !hostAllowed(host, rules)) {
    options.abuse.warn("unknown host name", { host: remoteText(host ?? ""), hint: HOST_HINT });
    return text(
      `Misdirected Request: this gateway does not know this host name.\n${HOST_HINT}\n`,
      421,
    );
  }
  const origin = request.headers.get("origin");
  const reading = request.method === "GET" || request.method === "HEAD";
  if (origin !== null && !reading && !originAllowed(origin, host, rules)) {
    options.abuse.warn("foreign origin", { origin: remoteText(origin) });
    return text("Forbidden: pages of another site may not do this.\n", 403);
  }
  return undefined;
}

const HOST_HINT = "Add the name to gateway.allowedHosts in the config.";
