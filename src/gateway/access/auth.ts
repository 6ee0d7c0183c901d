/** The one place that decides whether a secret is right. Everything that lets somebody in goes through `Guard.check`. */

import type { Clock } from "../../base/time.ts";
import type { GatewayAuth } from "../ports.ts";
import { isLoopback, limitKey } from "./ip.ts";
import { Limiter, type LimiterSettings } from "./limiter.ts";
import type { Peer } from "./origin.ts";

export const sha256 = (text: string): Buffer =>
  new Bun.CryptoHasher("sha256").update(text).digest();

/** Compares digests, so neither the length nor the content of the secret shows in the time it takes. */
const same = (sent: string, secret: string): boolean =>
  crypto.timingSafeEqual(sha256(sent), sha256(secret));

/** What a client presented. Every field is a candidate: a page that puts the token in both must pass in both modes. */
export type Presented = {
  token?: string;
  password?: string;
  deviceToken?: string;
  bootstrapToken?: string;
};

export type AuthReason =
  | "token_missing"
  | "token_mismatch"
  | "token_missing_config"
  | "password_missing"
  | "password_mismatch"
  | "password_missing_config"
  | "rate_limited";

export type Verdict =
  | {
      ok: true;
      method: "none" | "token" | "password" | "local";
      /** Digest of the secret that was used; a session ends when the gateway's secret no longer has it. */
      grant: string;
    }
  | { ok: false; reason: AuthReason; retryAfterMs?: number };

const LOCAL_GRANT = "local";

/** The secret that the mode asks for; an empty string is no secret. */
const secretOf = (auth: GatewayAuth): string | undefined =>
  (auth.mode === "password" ? auth.password : auth.token) || undefined;

/** Pure: is one of the candidates the secret? All are compared, whatever the first ones gave. */
export function verify(auth: GatewayAuth, sent: Presented): Verdict {
  if (auth.mode === "none") return { ok: true, method: "none", grant: grantOf(auth) };
  const secret = secretOf(auth);
  if (!secret) return { ok: false, reason: `${auth.mode}_missing_config` };
  const candidates = [sent.token, sent.password].filter((c): c is string => !!c);
  const matches = candidates.filter((candidate) => same(candidate, secret));
  if (matches.length) return { ok: true, method: auth.mode, grant: grantOf(auth) };
  return {
    ok: false,
    reason: candidates.length ? `${auth.mode}_mismatch` : `${auth.mode}_missing`,
  };
}

/** Names the current secret without revealing it. Changes when the mode or the secret changes. */
export function grantOf(auth: GatewayAuth): string {
  return sha256(`${auth.mode}\0${secretOf(auth) ?? ""}`).toString("hex");
}

/** Guesses through one unknown proxy, as a multiple of what one client may make. */
const PROXY_FACTOR = 20;

/** Verification plus the rate limit around it: there is no way to have one without the other. */
export class Guard {
  private readonly limiter: Limiter;
  private readonly proxyLimiter: Limiter;
  private last: { auth: GatewayAuth; grant: string } | undefined;

  constructor(
    private readonly auth: () => GatewayAuth,
    clock: Pick<Clock, "now">,
    limits: () => LimiterSettings,
  ) {
    this.limiter = new Limiter(clock, limits);
    this.proxyLimiter = new Limiter(clock, () => {
      const settings = limits();
      return { ...settings, maxAttempts: settings.maxAttempts * PROXY_FACTOR };
    });
  }

  check(peer: Peer, sent: Presented): Verdict {
    if (peer.trusted) return { ok: true, method: "local", grant: LOCAL_GRANT };
    const locked = this.lockedFor(peer);
    if (locked > 0) return { ok: false, reason: "rate_limited", retryAfterMs: locked };
    const verdict = verify(this.auth(), sent);
    if (verdict.ok) this.forgive(peer);
    // A forgotten secret is no guess; counting it would lock out a page that merely has not been signed in yet.
    else if (verdict.reason.endsWith("_mismatch") || sent.deviceToken || sent.bootstrapToken)
      this.guessed(peer);
    return verdict;
  }

  /** How long a peer must not even try, in ms; 0 when it may. */
  lockedFor(peer: Peer): number {
    const { client, proxy } = bucketsOf(peer);
    return Math.max(
      client === undefined ? 0 : this.limiter.lockedFor(client),
      proxy === undefined ? 0 : this.proxyLimiter.lockedFor(proxy),
    );
  }

  /** One wrong guess, of the secret or of a sign-in ticket. */
  guessed(peer: Peer): void {
    const { client, proxy } = bucketsOf(peer);
    if (client !== undefined) this.limiter.fail(client);
    if (proxy !== undefined) this.proxyLimiter.fail(proxy);
  }

  /** Who has shown a right secret or ticket is let try again at once. */
  forgive(peer: Peer): void {
    const { client } = bucketsOf(peer);
    if (client !== undefined) this.limiter.succeed(client);
  }

  /** False for a session whose secret was replaced since. */
  stillValid(grant: string): boolean {
    return grant === LOCAL_GRANT || grant === this.currentGrant();
  }

  mode(): GatewayAuth["mode"] {
    return this.auth().mode;
  }

  /** What a redeemed ticket is exchanged for. */
  secret(): { token?: string; password?: string } {
    const auth = this.auth();
    const secret = secretOf(auth);
    if (!secret || auth.mode === "none") return {};
    return auth.mode === "password" ? { password: secret } : { token: secret };
  }

  private currentGrant(): string {
    const auth = this.auth();
    const seen = this.last?.auth;
    const unchanged =
      seen?.mode === auth.mode && seen.token === auth.token && seen.password === auth.password;
    if (!this.last || !unchanged) this.last = { auth: { ...auth }, grant: grantOf(auth) };
    return this.last.grant;
  }
}

/**
 * Whose guesses count together. A page in a browser on this machine comes from 127.0.0.1 whatever site it is of, so its origin
 * is the key and it is never exempt; a program on this machine is. Behind a proxy that nobody named, the client is whom the
 * proxy says: that can be made up, so all clients of the proxy also share one, wider, limit. Everybody else is an address.
 */
function bucketsOf(peer: Peer): { client?: string; proxy?: string } {
  if (peer.trusted) return {};
  const address = limitKey(peer.ip);
  if (peer.unknownProxy)
    return { client: `${address} for ${limitKey(peer.claimedIp ?? "")}`, proxy: address };
  if (!isLoopback(peer.ip)) return { client: address };
  if (peer.origin === undefined) return {};
  return { client: `origin:${peer.origin.slice(0, 200)}` };
}
