/**
 * The `gateway` section: where the gateway listens, who may come in, and how a client finds it.
 * Only the schema and pure checks on secrets live here; the network code is in the rest of this folder.
 */
import { z } from "zod";

import "../base/schema.ts";

export const GATEWAY_PORT = 18789;

const RateLimit = z
  .looseObject({
    maxAttempts: z.int().min(1).default(10).meta({
      title: "Attempts",
      description: "Failed sign-ins from one address before it is locked out.",
    }),
    windowMs: z.int().min(1000).default(60_000).meta({
      title: "Window",
      description: "Attempts are counted over this time, in ms.",
    }),
    lockoutMs: z.int().min(0).default(300_000).meta({
      title: "Lockout",
      description: "How long an address is locked out, in ms.",
    }),
    exemptLoopback: z.boolean().default(true).meta({
      title: "Never lock out this machine",
    }),
  })
  .prefault({})
  .meta({ title: "Sign-in rate limit", advanced: true });

const Auth = z
  .looseObject({
    mode: z.enum(["none", "token", "password", "trusted-proxy"]).optional().meta({
      title: "Authentication",
      description:
        "How a client proves that it may come in. Unset: password when only a password is set, else token. `trusted-proxy` is not there yet and counts as unset.",
    }),
    token: z.string().optional().meta({
      title: "Token",
      description:
        "The shared secret that clients send. At least 24 characters when the gateway listens beyond this machine.",
      sensitive: true,
    }),
    password: z.string().optional().meta({
      title: "Password",
      description: "The shared secret of the mode `password`.",
      sensitive: true,
    }),
    allowTailscale: z.boolean().optional().meta({
      title: "Trust Tailscale identity",
      description: "Accept users whom Tailscale Serve has signed in.",
      advanced: true,
    }),
    rateLimit: RateLimit,
  })
  .prefault({})
  .meta({ title: "Sign-in" });

const ControlUi = z
  .looseObject({
    enabled: z.boolean().default(true).meta({ title: "Serve the Control UI" }),
    basePath: z.string().default("/").meta({
      title: "Base path",
      description: "The path under which the Control UI is served, for example `/clawdbot`.",
      advanced: true,
    }),
    allowedOrigins: z.array(z.string()).default([]).meta({
      title: "More allowed origins",
      description:
        "Origins (`https://host`) besides the gateway's own from which a page may connect.",
      advanced: true,
    }),
    requirePairing: z.boolean().default(false).meta({
      title: "Approve new browsers",
      description: "A browser with the right secret still waits for an operator's approval.",
    }),
    allowInsecureAuth: z.boolean().default(false).meta({
      title: "Allow sign-in without a device identity",
      description: "Kept for older set-ups; the secret alone is enough here anyway.",
      advanced: true,
    }),
    dangerouslyDisableDeviceAuth: z.boolean().default(false).meta({
      title: "Ignore device identities",
      advanced: true,
    }),
  })
  .prefault({})
  .meta({ title: "Control UI" });

const Remote = z
  .looseObject({
    url: z.string().optional().meta({
      title: "Address",
      description: "The WebSocket address of the gateway that the CLI talks to in mode `remote`.",
      placeholder: "wss://gateway.example.net",
    }),
    transport: z.enum(["ssh", "direct"]).optional().meta({ title: "Transport", advanced: true }),
    token: z.string().optional().meta({ title: "Token", sensitive: true }),
    password: z.string().optional().meta({ title: "Password", sensitive: true }),
    tlsFingerprint: z.string().optional().meta({ title: "TLS fingerprint", advanced: true }),
    sshTarget: z.string().optional().meta({ title: "SSH target", advanced: true }),
    sshIdentity: z.string().optional().meta({ title: "SSH identity", advanced: true }),
  })
  .prefault({})
  .meta({ title: "Remote gateway" });

const Reload = z
  .looseObject({
    mode: z.enum(["off", "restart", "hot", "hybrid"]).default("hybrid").meta({
      title: "When the file changes",
      description:
        "`hybrid` takes over what can be changed while running and restarts for the rest; `hot` never restarts; `restart` always does.",
    }),
    debounceMs: z.int().min(0).max(60_000).default(300).meta({
      title: "Debounce",
      description: "Quiet time after the last change before it is read, in ms.",
      advanced: true,
    }),
  })
  .prefault({})
  .meta({ title: "Config reload" });

const Tailscale = z
  .looseObject({
    mode: z.enum(["off", "serve", "funnel"]).default("off").meta({
      title: "Publish through Tailscale",
      description:
        "`serve` to the devices of your tailnet, `funnel` to the whole internet (needs auth.mode `password`). Both need bind `loopback`.",
    }),
    resetOnExit: z.boolean().default(false).meta({
      title: "Take it back at the end",
      description: "Removes all that this machine serves through Tailscale when the gateway stops.",
    }),
  })
  .prefault({})
  .meta({ title: "Tailscale", advanced: true });

export const GatewayConfig = z
  .looseObject({
    mode: z.enum(["local", "remote"]).optional().meta({
      title: "Mode",
      description: "`local` runs the gateway on this machine, `remote` uses one elsewhere.",
    }),
    port: z.int().min(1).max(65_535).default(GATEWAY_PORT).meta({
      title: "Port",
      description: "TCP port of HTTP and WebSocket.",
    }),
    bind: z.enum(["auto", "lan", "loopback", "custom", "tailnet"]).default("loopback").meta({
      title: "Listen on",
      description:
        "`loopback` this machine only; `lan` every interface; `tailnet` the Tailscale address, when there is one; `custom` the address in customBindHost; `auto` is the same as `loopback`.",
    }),
    customBindHost: z.string().optional().meta({
      title: "Custom address",
      description: "The address to listen on with bind `custom`.",
      placeholder: "192.168.1.10",
      advanced: true,
    }),
    auth: Auth,
    controlUi: ControlUi,
    allowedHosts: z.array(z.string()).default([]).meta({
      title: "Allowed host names",
      description:
        "Host names under which the gateway may be reached, besides its own addresses; protects against DNS rebinding.",
      advanced: true,
    }),
    trustedProxies: z.array(z.string()).default([]).meta({
      title: "Trusted proxies",
      description:
        "Addresses or networks (`10.0.0.0/8`) of reverse proxies whose X-Forwarded headers are believed.",
      advanced: true,
    }),
    tailscale: Tailscale,
    reload: Reload,
    remote: Remote,
  })
  .prefault({})
  .meta({ title: "Gateway", group: "gateway", order: 30 });
export type GatewayConfig = z.output<typeof GatewayConfig>;

/** Shortest secret that is accepted when other machines can reach the gateway, in characters. */
export const SECRET_MIN = 24;

/** What the published guides and templates print where the user shall put a secret of his own. */
const PLACEHOLDER =
  /^(?:change[-_ ]?me(?:[-_ ]?(?:now|please))?|your[-_ ]?(?:gateway[-_ ]?)?(?:token|password|secret)(?:[-_ ]?here)?|(?:my|a|the)?[-_ ]?(?:token|password|secret)|replace[-_ ]?(?:me|this)|example|test|xxx+|<.*>|\$\{.*\})$/i;

/**
 * What is wrong with a shared secret on a gateway that others can reach, or undefined when nothing is.
 * A placeholder is wrong however long it is. Callers on loopback use it for a warning only.
 */
export function secretProblem(secret: string): "empty" | "placeholder" | "too_short" | undefined {
  const text = secret.trim();
  if (text === "") return "empty";
  if (PLACEHOLDER.test(text) || /^(.)\1*$/.test(text)) return "placeholder";
  return text.length < SECRET_MIN ? "too_short" : undefined;
}

/** A new shared secret, as `openssl rand -hex 32` prints one: 32 random bytes in 64 hexadecimal digits. */
export const newSecret = (): string => crypto.getRandomValues(new Uint8Array(32)).toHex();
