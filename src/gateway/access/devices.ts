import type { Store } from "../../store/store.ts";
import type { ConnectParams } from "./connect-params.ts";

/** A device that proved its key. `approvedAt` counts only with `gateway.controlUi.requirePairing`. */
export type DeviceRecord = {
  deviceId: string;
  publicKey: string;
  displayName?: string;
  platform?: string;
  clientId?: string;
  clientMode?: string;
  role: string;
  scopes: string[];
  remoteIp?: string;
  createdAtMs: number;
  lastSeenAtMs: number;
  approvedAtMs?: number;
  revokedAtMs?: number;
  /** Set while the device waits for approval. */
  requestId?: string;
};

const SCOPE = "devices";
const KEY = "all";
/** Devices that never were approved make room for new ones beyond this. */
const MAX_DEVICES = 500;

/** The list of known devices, one value in the store. Changes run one after another, so none is lost. */
export class Devices {
  private tail: Promise<unknown> = Promise.resolve();

  constructor(private readonly kv: Store["kv"]) {}

  async list(): Promise<DeviceRecord[]> {
    return Object.values(await this.read());
  }

  /** Notes that a device was here. Gives its record: the caller decides whether it may stay. */
  seen(
    device: { deviceId: string; publicKey: string },
    params: ConnectParams,
    at: { now: number; ip: string; approve: boolean },
  ): Promise<DeviceRecord> {
    return this.change((all) => {
      const known = all[device.deviceId];
      const { client } = params;
      const approved = known?.approvedAtMs ?? (at.approve ? at.now : undefined);
      const record: DeviceRecord = {
        ...known,
        ...device,
        ...(client.displayName ? { displayName: client.displayName } : {}),
        platform: client.platform,
        clientId: client.id,
        clientMode: client.mode,
        role: params.role ?? "operator",
        scopes: (params.scopes ?? []).slice(0, 32),
        remoteIp: at.ip,
        createdAtMs: known?.createdAtMs ?? at.now,
        lastSeenAtMs: at.now,
      };
      if (approved !== undefined) {
        record.approvedAtMs = approved;
        delete record.requestId;
      } else record.requestId = known?.requestId ?? crypto.randomUUID();
      all[device.deviceId] = record;
      prune(all);
      return record;
    });
  }

  /**
   * Answers a waiting request. Gives the device, or undefined when nothing waits under this id. With the id of a revoked device an
   * approval lets that one in again; turned away, a revoked device stays revoked.
   */
  decide(id: string, approve: boolean, now: number): Promise<DeviceRecord | undefined> {
    return this.change((all) => {
      const revoked = approve && all[id]?.revokedAtMs !== undefined ? all[id] : undefined;
      const record = Object.values(all).find((r) => r.requestId === id) ?? revoked;
      if (!record) return undefined;
      delete record.requestId;
      if (approve) {
        delete record.revokedAtMs;
        record.approvedAtMs = now;
      } else if (record.revokedAtMs === undefined) delete all[record.deviceId];
      return record;
    });
  }

  /** A revoked device is refused until it is approved again by hand. Gives it as it is now, or undefined for one that is not known. */
  revoke(deviceId: string, now: number): Promise<DeviceRecord | undefined> {
    return this.change((all) => {
      const record = all[deviceId];
      if (!record) return undefined;
      record.revokedAtMs = now;
      delete record.requestId;
      return record;
    });
  }

  private async read(): Promise<Record<string, DeviceRecord>> {
    return (await this.kv.get<Record<string, DeviceRecord>>(SCOPE, KEY)) ?? {};
  }

  private change<T>(edit: (all: Record<string, DeviceRecord>) => T): Promise<T> {
    const work = this.tail.then(async () => {
      const all = await this.read();
      const result = edit(all);
      await this.kv.set(SCOPE, KEY, all);
      return result;
    });
    const settled = () => undefined;
    this.tail = work.then(settled, settled);
    return work;
  }
}

function prune(all: Record<string, DeviceRecord>): void {
  const excess = Object.keys(all).length - MAX_DEVICES;
  if (excess <= 0) return;
  const oldest = Object.values(all)
    .filter((r) => r.approvedAtMs === undefined && r.revokedAtMs === undefined)
    .sort((a, b) => a.lastSeenAtMs - b.lastSeenAtMs);
  for (const record of oldest.slice(0, excess)) delete all[record.deviceId];
}
