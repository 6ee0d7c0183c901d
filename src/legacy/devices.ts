/** Devices that an older gateway had approved, into the list of ours and back. */
import type { DeviceRecord } from "../gateway/access/devices.ts";
import { isRecord, type Json, numberIn, textIn } from "./diff.ts";
import type { Tree } from "./files.ts";

/** Where the gateway keeps its list (gateway/access/devices.ts). */
export const DEVICES = { scope: "devices", key: "all" } as const;
/** Name of the mark of one device. */
export const deviceMark = (deviceId: string): string => `device/${deviceId}`;

/** What an older gateway knew of a device, and the record that was made of it. */
export type OlderDevice = { entry: Json; record: DeviceRecord };

export async function readDevices(tree: Tree): Promise<OlderDevice[]> {
  const file = (await tree.has("devices/paired.json"))
    ? await tree.object("devices/paired.json")
    : undefined;
  return Object.entries(file ?? {}).flatMap(([deviceId, entry]) => {
    const record = isRecord(entry) && recordOf(deviceId, entry);
    return record ? [{ entry: entry as Json, record }] : [];
  });
}

/** Undefined for what has no key. A device whose every token was revoked stays refused. */
function recordOf(deviceId: string, entry: Json): DeviceRecord | undefined {
  const publicKey = textIn(entry["publicKey"]);
  if (!publicKey || !/^[0-9a-f]{64}$/.test(deviceId)) return undefined;
  const createdAtMs = numberIn(entry["createdAtMs"]) ?? 0;
  const approvedAtMs = numberIn(entry["approvedAtMs"]) ?? createdAtMs;
  const tokens = isRecord(entry["tokens"]) ? Object.values(entry["tokens"]).filter(isRecord) : [];
  const revoked = tokens.map((token) => numberIn(token["revokedAtMs"]));
  const times = [approvedAtMs, ...tokens.map((token) => numberIn(token["lastUsedAtMs"]) ?? 0)];
  const scopes = Array.isArray(entry["scopes"]) ? entry["scopes"] : [];
  const record: DeviceRecord = {
    deviceId,
    publicKey,
    role: textIn(entry["role"]) ?? "operator",
    scopes: scopes.filter((scope) => typeof scope === "string").slice(0, 32),
    createdAtMs,
    lastSeenAtMs: Math.max(...times),
    approvedAtMs,
  };
  for (const key of ["displayName", "platform", "clientId", "clientMode", "remoteIp"] as const) {
    const value = textIn(entry[key]);
    if (value) record[key] = value;
  }
  if (tokens.length > 0 && revoked.every((at) => at !== undefined))
    record.revokedAtMs = Math.max(...revoked);
  return record;
}

/** `devices/paired.json` with those that were approved; what changed since they came stands in it. */
export function devicesFile(
  records: DeviceRecord[],
  older: (deviceId: string) => OlderDevice | undefined,
): Json {
  const paired = records.filter((record) => record.approvedAtMs !== undefined);
  return Object.fromEntries(
    paired.map((record) => {
      const before = older(record.deviceId);
      const revoked = record.revokedAtMs !== undefined && before?.record.revokedAtMs === undefined;
      if (before && !revoked) return [record.deviceId, before.entry];
      const entry = before?.entry ?? fieldsOf(record);
      return [record.deviceId, revoked ? withoutTokens(entry, record.revokedAtMs!) : entry];
    }),
  );
}

function fieldsOf(record: DeviceRecord): Json {
  const { lastSeenAtMs: _, revokedAtMs: __, requestId: ___, ...fields } = record;
  return fields;
}

/** A device that was turned away here must not come in there. */
function withoutTokens(entry: Json, at: number): Json {
  const tokens = isRecord(entry["tokens"]) ? entry["tokens"] : {};
  return {
    ...entry,
    tokens: Object.fromEntries(
      Object.entries(tokens).map(([role, token]) => [
        role,
        isRecord(token) ? { ...token, revokedAtMs: token["revokedAtMs"] ?? at } : token,
      ]),
    ),
  };
}
