/** `devices …`: browsers, apps and command lines that have signed in. Works while the gateway is down. */
import { AppError } from "../../base/errors.ts";
import { formatAge } from "../../base/time.ts";
import { type DeviceRecord, Devices } from "../../gateway/access/devices.ts";
import { peekValue } from "../../store/sqlite/peek.ts";
import { eitherWay, withStore } from "../channels/reach.ts";
import { command, GATEWAY_ARGS } from "../command.ts";
import { group } from "../group.ts";

export const devices = group("devices", {
  doc: "Devices that signed in: look at them, let them in, turn them away, shut them out.",
  notes:
    "A device is a browser, an app or a command line with a key of its own. With the gateway's token or password each may sign in; with `gateway.controlUi.requirePairing` it also waits for approval. The key of a revoked device is refused until it is approved again.",
  examples: [
    ["devices list", "who signed in, and who waits"],
    ["devices approve --latest", "let the newest one in"],
    ["devices revoke --device <id>", "shut one out"],
  ],
});

type Listed = { pending: DeviceRecord[]; paired: DeviceRecord[] };

export const list = command({
  doc: "Who signed in, and who waits for approval. Works while the gateway is down.",
  args: GATEWAY_ARGS,
  examples: [
    ["devices list", "for people"],
    ["devices list --json", "for scripts"],
  ],
  async run(args, cli) {
    const found = await eitherWay(
      cli,
      args,
      async ({ client, timeoutMs }) =>
        (await client.call("device.pair.list", {}, { timeoutMs })) as Listed,
      async (): Promise<Listed> => {
        const all = Object.values(
          peekValue<Record<string, DeviceRecord>>(cli.paths.databasePath, "devices", "all") ?? {},
        );
        return {
          pending: all.filter(({ requestId }) => requestId !== undefined),
          paired: all.filter(({ requestId }) => requestId === undefined),
        };
      },
    );
    const { out } = cli;
    if (args.json) return out.data(found);
    const { pending, paired } = found;
    if (pending.length + paired.length === 0) return out.line("No device has signed in.");
    const now = Date.now();
    if (pending.length > 0) {
      out.line(out.paint("bold", `Pending (${pending.length})`));
      out.table(
        ["Request", "Device", "Client", "Role", "From", "Age"].map((title) => ({ title })),
        newest(pending).map((each) => [
          each.requestId!,
          nameOf(each),
          each.clientId ?? "-",
          each.role,
          each.remoteIp ?? "-",
          `${formatAge(now - each.lastSeenAtMs)} ago`,
        ]),
      );
    }
    if (pending.length > 0 && paired.length > 0) out.line();
    if (paired.length > 0) {
      out.line(out.paint("bold", `Paired (${paired.length})`));
      out.table(
        ["Device", "Name", "Client", "Role", "Seen", "State"].map((title) => ({ title })),
        newest(paired).map((each) => [
          each.deviceId,
          each.displayName ?? "-",
          [each.clientId, each.platform].filter(Boolean).join(" on ") || "-",
          each.role,
          `${formatAge(now - each.lastSeenAtMs)} ago`,
          each.revokedAtMs === undefined ? "ok" : "revoked",
        ]),
      );
    }
  },
});

const newest = (rows: DeviceRecord[]): DeviceRecord[] =>
  [...rows].sort((a, b) => b.lastSeenAtMs - a.lastSeenAtMs);
const nameOf = ({ displayName, deviceId }: DeviceRecord): string =>
  displayName ?? deviceId.slice(0, 12);

const REQUEST = {
  request: {
    type: "positional",
    required: false,
    description: "The request, as in `devices list`; or the id of a revoked device.",
  },
} as const;

export const approve = command({
  doc: "Let a waiting device in, or a revoked one in again. Works while the gateway is down.",
  args: {
    ...REQUEST,
    latest: { type: "boolean", description: "The newest request." },
    ...GATEWAY_ARGS,
  },
  examples: [
    ["devices approve 4f6c…", "by its request"],
    ["devices approve --latest", "the newest one"],
  ],
  async run(args, cli) {
    const device = await eitherWay(
      cli,
      args,
      async ({ client, timeoutMs }) => {
        const { pending } = (await client.call("device.pair.list", {}, { timeoutMs })) as Listed;
        const requestId = chosen(args, pending);
        const answer = await client.call("device.pair.approve", { requestId }, { timeoutMs });
        return answer.device as DeviceRecord;
      },
      () =>
        withStore(cli, async ({ kv }) => {
          const all = new Devices(kv);
          const pending = (await all.list()).filter(({ requestId }) => requestId !== undefined);
          return known(await all.decide(chosen(args, pending), true, Date.now()));
        }),
    );
    if (args.json) return cli.out.data({ ok: true, device });
    cli.out.line(`Approved ${device.deviceId}`);
  },
});

export const reject = command({
  doc: "Turn a waiting device away. It may ask again.",
  args: {
    request: { type: "positional", required: true, description: "The request." },
    ...GATEWAY_ARGS,
  },
  examples: [["devices reject 4f6c…", "by its request"]],
  async run(args, cli) {
    const requestId = args.request.trim();
    const deviceId = await eitherWay(
      cli,
      args,
      async ({ client, timeoutMs }) =>
        (await client.call("device.pair.reject", { requestId }, { timeoutMs })).deviceId,
      () =>
        withStore(
          cli,
          async ({ kv }) =>
            known(await new Devices(kv).decide(requestId, false, Date.now())).deviceId,
        ),
    );
    if (args.json) return cli.out.data({ ok: true, requestId, deviceId });
    cli.out.line(`Rejected ${deviceId}`);
  },
});

export const revoke = command({
  doc: "Shut a device out: its open connections end, and its key is refused. `devices approve <id>` lets it in again.",
  notes:
    "Who knows the gateway's token can come with a new key. Where that is a danger, change the token too (`token generate`), or let only approved devices in (gateway.controlUi.requirePairing).",
  args: {
    device: { type: "string", hint: "id", description: "The device, as in `devices list`." },
    role: { type: "string", hint: "role", description: "Kept for scripts: a device has one role." },
    ...GATEWAY_ARGS,
  },
  examples: [["devices revoke --device 3fa9…", "a lost phone"]],
  async run(args, cli) {
    const deviceId = args.device?.trim();
    if (!deviceId) throw new AppError("usage", "option '--device' is required");
    const result = await eitherWay(
      cli,
      args,
      ({ client, timeoutMs }) =>
        client.call(
          "device.token.revoke",
          { deviceId, ...(args.role && { role: args.role }) },
          { timeoutMs },
        ),
      () =>
        withStore(cli, async ({ kv }) => {
          const record = known(await new Devices(kv).revoke(deviceId, Date.now()), deviceId);
          return { deviceId, role: record.role, revokedAtMs: record.revokedAtMs! };
        }),
    );
    if (args.json) return cli.out.data(result);
    cli.out.line(`Revoked ${deviceId}`);
    cli.out.note(
      "If it knows the gateway's token, change that too: with a new key it would be another device.",
    );
  },
});

/** Throws usage and not_found. */
function chosen(
  { request, latest }: { request: string | undefined; latest: boolean },
  pending: DeviceRecord[],
): string {
  if (request && latest)
    throw new AppError("usage", "Give either a request or --latest, not both.");
  if (request) return request.trim();
  if (!latest) throw new AppError("usage", "missing argument <request>");
  const [first] = newest(pending);
  if (first?.requestId) return first.requestId;
  throw new AppError("not_found", "No device waits for approval.");
}

function known(record: DeviceRecord | undefined, id?: string): DeviceRecord {
  if (record) return record;
  throw new AppError("not_found", id ? `unknown deviceId: ${id}` : "unknown requestId", {
    hint: "`clawdbot devices list` has those that there are.",
  });
}
