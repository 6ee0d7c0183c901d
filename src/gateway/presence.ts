import { hostname, networkInterfaces } from "node:os";

import type { Connection } from "./connection.ts";

/** How long a client that left stays in the list, in ms. */
const TTL_MS = 300_000;
const MAX_ENTRIES = 200;

export type PresenceEntry = {
  host?: string;
  ip?: string;
  version?: string;
  platform?: string;
  deviceFamily?: string;
  modelIdentifier?: string;
  mode?: string;
  reason: string;
  text: string;
  ts: number;
  deviceId?: string;
  roles?: string[];
  scopes?: string[];
  instanceId?: string;
};

/** Who is connected, the gateway itself included. A client that left is shown as such for five minutes. */
export class Presence {
  private readonly entries = new Map<string, PresenceEntry & { conns: Set<string> }>();
  version = 1;

  constructor(
    private readonly appVersion: string,
    private readonly now: () => number,
  ) {}

  /** True when the list changed: a command line comes and goes too often to be shown. */
  joined(connection: Connection): boolean {
    const id = connection.identity;
    const key = keyOf(connection);
    if (!id || !key) return false;
    const { client } = id;
    const host = client.displayName ?? client.id;
    const conns = this.entries.get(key)?.conns ?? new Set<string>();
    conns.add(connection.id);
    this.entries.delete(key);
    this.entries.set(key, {
      host,
      ip: connection.peer.ip,
      version: client.version,
      platform: client.platform,
      ...(client.deviceFamily ? { deviceFamily: client.deviceFamily } : {}),
      ...(client.modelIdentifier ? { modelIdentifier: client.modelIdentifier } : {}),
      mode: client.mode,
      reason: "connect",
      text: `Node: ${host} (${connection.peer.ip}) · app ${client.version} · mode ${client.mode} · reason connect`,
      ts: this.now(),
      ...(id.deviceId ? { deviceId: id.deviceId } : {}),
      ...(client.instanceId ? { instanceId: client.instanceId } : {}),
      roles: [id.role],
      scopes: [...id.scopes].slice(0, 32),
      conns,
    });
    this.version++;
    this.prune();
    return true;
  }

  left(connection: Connection): boolean {
    const key = keyOf(connection);
    const entry = key ? this.entries.get(key) : undefined;
    if (!entry?.conns.delete(connection.id) || entry.conns.size) return false;
    entry.reason = "disconnect";
    entry.text = entry.text.replace(/reason \w+$/, "reason disconnect");
    entry.ts = this.now();
    this.version++;
    return true;
  }

  /** Newest first; the gateway itself is always there. */
  list(): PresenceEntry[] {
    this.prune();
    const clients = [...this.entries.values()].map(({ conns: _, ...entry }) => entry);
    return [this.self(), ...clients].sort((a, b) => b.ts - a.ts);
  }

  private self(): PresenceEntry {
    const host = hostname();
    const ip = Object.values(networkInterfaces())
      .flat()
      .find((address) => address?.family === "IPv4" && !address.internal)?.address;
    return {
      host,
      ...(ip ? { ip } : {}),
      version: this.appVersion,
      platform: process.platform,
      mode: "gateway",
      reason: "self",
      text: `Gateway: ${host}${ip ? ` (${ip})` : ""} · app ${this.appVersion} · mode gateway · reason self`,
      ts: this.now(),
    };
  }

  private prune(): void {
    const oldest = this.now() - TTL_MS;
    for (const [key, entry] of this.entries)
      if (!entry.conns.size && entry.ts < oldest) this.entries.delete(key);
    for (const key of this.entries.keys()) {
      if (this.entries.size <= MAX_ENTRIES) return;
      this.entries.delete(key);
    }
  }
}

function keyOf({ id, identity }: Connection): string | undefined {
  if (!identity || identity.client.id === "cli" || identity.client.mode === "cli") return undefined;
  return (identity.deviceId ?? identity.client.instanceId ?? id).toLowerCase();
}
