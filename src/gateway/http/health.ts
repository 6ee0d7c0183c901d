/** Liveness, readiness, start-up: constant bodies for monitors, details only for who is on this machine. Never needs a secret. */
import { Hono } from "hono";

import type { Peer } from "../access/origin.ts";

export type HealthSource = {
  ready(): { ready: boolean; failing: string[] };
  /** False from the moment a stop began. */
  running(): boolean;
  /** Why new messages cannot be stored; undefined while they can. */
  disk?(): string | undefined;
};

const LIVE = JSON.stringify({ ok: true, status: "live" });
const json = (body: string, status: 200 | 503) =>
  new Response(body, {
    status,
    headers: { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" },
  });

/** The six routes; `/health` and `/healthz` and so on are the same. */
export function healthRoutes(source: HealthSource): Hono<{ Bindings: { peer: Peer } }> {
  const app = new Hono<{ Bindings: { peer: Peer } }>();
  const ready = (peer: Peer): Response => {
    const state = source.ready();
    const full = source.disk?.() !== undefined;
    const ok = state.ready && source.running() && !full;
    const failing = [
      ...(source.running() ? [] : ["stopping"]),
      ...state.failing,
      ...(full ? ["disk"] : []),
    ];
    const body = { ready: ok, ...(peer.local ? { failing } : {}) };
    return json(JSON.stringify(body), ok ? 200 : 503);
  };
  for (const path of ["/health", "/healthz"]) app.get(path, () => json(LIVE, 200));
  for (const path of ["/ready", "/readyz"]) app.get(path, (c) => ready(c.env.peer));
  for (const path of ["/startup", "/startupz"])
    app.get(path, () => {
      const started = source.ready().ready && source.running();
      return json(JSON.stringify({ started }), started ? 200 : 503);
    });
  return app;
}
