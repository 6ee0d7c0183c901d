/** `connect`: version, secret, device, pairing, in this order. Decides who a connection is; says no with the original's words. */
import type { ErrorShape, Protocol } from "../../protocol/frames.ts";
import type { Connection, Identity } from "../connection.ts";
import { describeIssues } from "../validation.ts";
import type { AuthReason, Guard, Verdict } from "./auth.ts";
import { ConnectParams } from "./connect-params.ts";
import { checkDevice, type DeviceFault } from "./device.ts";
import type { Devices } from "./devices.ts";

export type Refusal = { error: ErrorShape; code: number; reason: string; log: string };
export type Welcome = { identity: Identity; method: string };

export type HandshakeRules = {
  guard: Guard;
  devices: Devices;
  /** `gateway.controlUi.requirePairing`. */
  requirePairing(): boolean;
  now(): number;
};

/** All that exist; anything else that a client asks for is left out. `talk` and the like came later and lie within these. */
const OPERATOR_SCOPES = new Set([
  "operator.admin",
  "operator.read",
  "operator.write",
  "operator.approvals",
  "operator.pairing",
  "operator.sessions.read",
  "operator.sessions.write",
  "operator.questions",
  "operator.talk",
  "operator.talk.secrets",
]);

const refusal = (
  message: string,
  details: Record<string, unknown>,
  more: {
    wire?: string;
    code?: number;
    reason?: string;
    retryAfterMs?: number;
    /** For the log, when the wire has words that old clients match. */
    log?: string;
  } = {},
): Refusal => ({
  error: {
    code: more.wire ?? "INVALID_REQUEST",
    message,
    details,
    ...(more.retryAfterMs === undefined
      ? {}
      : { retryable: true, retryAfterMs: Math.ceil(more.retryAfterMs) }),
  },
  code: more.code ?? 1008,
  reason: more.reason ?? message,
  log: more.log ?? message,
});

/** The highest version that both know, or undefined. */
export function negotiate(min: number, max: number): Protocol | undefined {
  if (min <= 4 && max >= 4) return 4;
  return min <= 3 && max >= 3 ? 3 : undefined;
}

/** Ours ∩ asked for. Old clients that ask for nothing are operators in full; that is how their generation worked. */
export function grantScopes(asked: readonly string[], protocol: Protocol): Set<string> {
  if (!asked.length && protocol === 3) return new Set(["operator.admin"]);
  return new Set(asked.filter((scope) => OPERATOR_SCOPES.has(scope)));
}

const isControlUi = (id: string): boolean => id.endsWith("control-ui") || id.startsWith("webchat");

/** Where the reader of the message finds the field; changes words only, never a decision. */
function hintFor(reason: AuthReason, client: ConnectParams["client"]): string {
  const ui = isControlUi(client.id);
  if (reason.startsWith("password")) {
    if (client.id === "cli") return "set gateway.remote.password to match gateway.auth.password";
    return ui ? "enter the password in Control UI settings" : "provide gateway auth password";
  }
  if (client.id === "cli") return "set gateway.remote.token to match gateway.auth.token";
  if (ui) return "open a tokenized dashboard URL or paste token in Control UI settings";
  return "provide gateway auth token";
}

function unauthorized(
  verdict: Extract<Verdict, { ok: false }>,
  client: ConnectParams["client"],
): Refusal {
  const { reason } = verdict;
  if (reason === "rate_limited") {
    const seconds = Math.ceil((verdict.retryAfterMs ?? 0) / 1000);
    return refusal(
      `unauthorized: too many failed sign-ins; try again in ${seconds} s`,
      {
        code: "AUTH_RATE_LIMITED",
        authReason: reason,
        recommendedNextStep: "wait_then_retry",
        hint: `Wait ${seconds} seconds, then sign in with the right secret.`,
      },
      {
        wire: "UNAVAILABLE",
        reason: "unauthorized: rate limited",
        retryAfterMs: verdict.retryAfterMs ?? 0,
      },
    );
  }
  const [what, kind] = [reason.split("_")[0]!, reason.slice(reason.indexOf("_") + 1)];
  const setting = `set gateway.auth.${what}`;
  const texts: Record<string, string> = {
    missing: `gateway ${what} missing (${hintFor(reason, client)})`,
    mismatch: `gateway ${what} mismatch (${hintFor(reason, client)})`,
    missing_config: `gateway ${what} not configured on gateway (${setting})`,
  };
  const codes: Record<string, string> = {
    missing: "MISSING",
    mismatch: "MISMATCH",
    missing_config: "NOT_CONFIGURED",
  };
  const fix =
    kind === "missing_config"
      ? setting
      : `sign in with the ${what}, or a link from \`clawdbot dashboard\``;
  return refusal(
    `unauthorized: ${texts[kind]}`,
    {
      code: `AUTH_${what.toUpperCase()}_${codes[kind]}`,
      authReason: reason,
      canRetryWithDeviceToken: false,
      recommendedNextStep:
        kind === "missing_config" ? "review_auth_configuration" : "update_auth_credentials",
      hint: `Give the gateway's ${what}. On its machine \`clawdbot config get gateway.auth.${what}\` says where it is set.`,
    },
    { log: `unauthorized: ${texts[kind]!.replace(/ \(.*/, "")} (${fix})` },
  );
}

const DEVICE_CODES: Record<DeviceFault, string> = {
  "device identity mismatch": "DEVICE_AUTH_DEVICE_ID_MISMATCH",
  "device signature expired": "DEVICE_AUTH_SIGNATURE_EXPIRED",
  "device nonce required": "DEVICE_AUTH_NONCE_REQUIRED",
  "device nonce mismatch": "DEVICE_AUTH_NONCE_MISMATCH",
  "device signature invalid": "DEVICE_AUTH_SIGNATURE_INVALID",
  "device public key invalid": "DEVICE_AUTH_PUBLIC_KEY_INVALID",
};

/** Checks the parameters of `connect`. The secret comes before everything that costs work or touches the store. */
export async function greet(
  raw: unknown,
  connection: Connection,
  rules: HandshakeRules,
): Promise<Refusal | Welcome> {
  const parsed = ConnectParams.safeParse(raw ?? {}, { reportInput: true });
  if (!parsed.success)
    return refusal(`invalid connect params: ${describeIssues(parsed.error)}`, {
      code: "bad_request",
    });
  const params = parsed.data;
  const { client } = params;
  const protocol = negotiate(params.minProtocol, params.maxProtocol);
  if (!protocol)
    return refusal(
      "protocol mismatch",
      {
        code: "PROTOCOL_MISMATCH",
        clientMinProtocol: params.minProtocol,
        clientMaxProtocol: params.maxProtocol,
        expectedProtocol: 4,
        minimumProbeProtocol: 3,
      },
      { code: 1002 },
    );
  const role = params.role ?? "operator";
  if (role !== "operator" && role !== "node")
    return refusal("invalid role", { code: "bad_request" });

  const verdict = rules.guard.check(connection.peer, params.auth ?? {});
  if (!verdict.ok) return unauthorized(verdict, client);
  const device = await knownDevice(params, connection, rules);
  if ("error" in device) return device;
  const identity: Identity = {
    protocol,
    role,
    scopes: role === "operator" ? grantScopes(params.scopes ?? [], protocol) : new Set(),
    client,
    caps: new Set(params.caps ?? []),
    grant: verdict.grant,
    ...device,
  };
  return { identity, method: verdict.method };
}

async function knownDevice(
  params: ConnectParams,
  { nonce, peer }: Connection,
  rules: HandshakeRules,
): Promise<Refusal | { deviceId?: string }> {
  const now = rules.now();
  const pairing = rules.requirePairing() && !peer.local;
  if (!params.device) {
    if (!pairing) return {};
    return refusal(
      "device identity required",
      { code: "DEVICE_IDENTITY_REQUIRED" },
      { wire: "NOT_PAIRED" },
    );
  }
  // Nothing silent for a page: what a browser opens on this machine may be anybody's page.
  const silent = peer.local && peer.origin === undefined;
  const checked = checkDevice(params, { nonce, now, local: silent });
  if ("fault" in checked) return refusal(checked.fault, { code: DEVICE_CODES[checked.fault] });
  const approve = silent || !rules.requirePairing();
  const record = await rules.devices.seen(checked, params, { now, ip: peer.ip, approve });
  if (record.revokedAtMs !== undefined)
    return refusal(
      "device revoked",
      { code: "PAIRING_REQUIRED", hint: "An operator revoked this device." },
      { wire: "NOT_PAIRED" },
    );
  if (pairing && record.approvedAtMs === undefined)
    return refusal(
      "pairing required",
      {
        code: "PAIRING_REQUIRED",
        requestId: record.requestId,
        hint: "Approve this device from a session that is signed in.",
      },
      { wire: "NOT_PAIRED" },
    );
  return { deviceId: checked.deviceId };
}
