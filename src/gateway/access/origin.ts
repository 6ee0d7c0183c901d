/** Who is asking: the real address behind proxies, and whether the names in Host and Origin may be believed. */
import { hostname } from "node:os";

import { inList, isLoopback, parseIp, plainIp } from "./ip.ts";

/** What one request says of where it comes from. Computed once, by the server. */
export type Peer = {
  /** Address of the client, behind trusted proxies; `unix` on the Unix socket. */
  ip: string;
  /** On the same machine without any proxy in between, asking by a loopback name; or on the Unix socket. */
  local: boolean;
  /** On the Unix socket, which only the owner of the state directory can open. */
  trusted: boolean;
  /** A proxy stands in between that `gateway.trustedProxies` does not name, so the address is the proxy's. */
  unknownProxy: boolean;
  /** Whom that proxy says it asks for. Anybody could have written it, so it only ever narrows a limit. */
  claimedIp?: string;
  /** The Origin header; only browsers send it on an upgrade. */
  origin?: string;
};

export const UNIX_PEER: Peer = { ip: "unix", local: true, trusted: true, unknownProxy: false };

/** Any of these says that somebody forwarded the request, so the sender is not the peer of the socket. */
const FORWARDED = /^(?:forwarded|x-forwarded-.*|x-real-ip|via|cf-.*|tailscale-.*|fly-.*)$/;
const LOOPBACK_NAMES = new Set(["localhost", "127.0.0.1", "::1"]);
/** Longest chain of X-Forwarded-For that is looked at. */
const MAX_HOPS = 32;

/** `name` without brackets, lower case; undefined when the header is not exactly one host with an optional port. */
export function parseHost(header: string | null): { name: string; port: string } | undefined {
  if (!header || header.length > 255) return undefined;
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9._-]+))(?::(\d{1,5}))?$/.exec(header);
  if (!match) return undefined;
  return { name: (match[1] ?? match[2]!).toLowerCase(), port: match[3] ?? "" };
}

const withoutPort = (entry: string): string =>
  entry
    .trim()
    .replace(/^\[(.*)\](?::\d+)?$/, "$1")
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1");

/** The client behind `peer`: from the right, the first address of X-Forwarded-For that is not a trusted proxy. */
export function peerOf(headers: Headers, peer: string, trustedProxies: readonly string[]): Peer {
  const origin = headers.get("origin") ?? undefined;
  const forwarded = [...headers.keys()].some((name) => FORWARDED.test(name));
  const host = parseHost(headers.get("host"));
  const local =
    isLoopback(peer) && !forwarded && !!host && LOOPBACK_NAMES.has(plainName(host.name));
  const base = { trusted: false, ...(origin === undefined ? {} : { origin }) };
  if (!forwarded) return { ...base, ip: plainIp(peer), local, unknownProxy: false };
  const hops = (headers.get("x-forwarded-for") ?? "").split(",").slice(-MAX_HOPS).map(withoutPort);
  if (!inList(peer, trustedProxies)) {
    const claimedIp = plainIp(hops.at(-1) ?? "").slice(0, 64);
    return { ...base, ip: plainIp(peer), local: false, unknownProxy: true, claimedIp };
  }
  const client = hops.findLast((hop) => !inList(hop, trustedProxies));
  const ip = client && parseIp(client) ? plainIp(client) : plainIp(peer);
  return { ...base, ip, local: false, unknownProxy: false };
}

const plainName = (name: string): string =>
  (parseIp(name) ? plainIp(name) : name).replace(/^0:0:0:0:0:0:0:1$/, "::1");

export type HostRules = {
  /** `gateway.allowedHosts`. */
  allowedHosts: readonly string[];
  /** `gateway.controlUi.allowedOrigins`; their hosts are public names of this gateway too. */
  allowedOrigins: readonly string[];
  /** Names that the platform gave us in the environment, for example `<app>.fly.dev`. */
  platformHosts: readonly string[];
};

/**
 * Whether a Host header may name this gateway. DNS rebinding needs a *name* of the attacker, so an address is always fine
 * (in a container the address that a browser uses is not even one of ours); a name must be one that we know.
 */
export function hostAllowed(header: string | null, rules: HostRules): boolean {
  const host = parseHost(header);
  if (!host) return false;
  if (host.name === "localhost" || parseIp(host.name)) return true;
  const own = hostname().toLowerCase();
  const known = [
    own,
    `${own}.local`,
    ...rules.allowedHosts,
    ...rules.platformHosts,
    ...rules.allowedOrigins.map((origin) => hostOfOrigin(origin)?.name ?? ""),
  ].map((name) => name.trim().toLowerCase());
  return known.some(
    (name) =>
      name !== "" &&
      (name === host.name || (name.startsWith("*.") && host.name.endsWith(name.slice(1)))),
  );
}

function hostOfOrigin(origin: string): { name: string; port: string; scheme: string } | undefined {
  const match = /^(https?):\/\/([^/@?#\\]+)$/.exec(origin);
  const host = match ? parseHost(match[2]!) : undefined;
  if (!match || !host) return undefined;
  return { ...host, scheme: match[1]! };
}

/**
 * Whether a page of `origin` may talk to us: the same host and port as the Host header (behind a TLS proxy the scheme differs
 * from ours, so the port that the scheme implies counts), or listed. `null`, user info, paths and upper case are refused:
 * no browser sends them for an honest page.
 */
export function originAllowed(
  origin: string,
  hostHeader: string | null,
  rules: HostRules,
): boolean {
  if (rules.allowedOrigins.some((o) => o === "*" || o.toLowerCase().replace(/\/$/, "") === origin))
    return true;
  const from = hostOfOrigin(origin);
  const host = parseHost(hostHeader);
  if (!from || !host || origin !== origin.toLowerCase()) return false;
  const implied = from.scheme === "https" ? "443" : "80";
  const [a, b] = [from.port || implied, host.port || implied];
  return from.name === host.name && a === b;
}
