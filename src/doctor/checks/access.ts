/** From where the gateway can be reached, and which secret stands before it. */
import { GATEWAY_PORT, newSecret, SECRET_MIN, secretProblem } from "../../gateway/config.ts";
import { peekGeneratedToken, secretFor, startProblems } from "../../gateway/secret.ts";
import type { Check, Finding, Fix, Scene } from "../check.ts";

const TITLES = {
  "gateway.bind_no_auth": "The gateway is open to the network",
  "gateway.token_placeholder": "The secret is a placeholder",
  "gateway.token_too_short": "The secret is short",
} as const;

/** Writes a new token into the config. */
export const tokenFix = (kind: Fix["kind"] = "safe"): Fix => ({
  kind,
  label: "Make a new token and write it into the config",
  done: "gateway.auth.token is new; it is in the config, and `clawdbot dashboard` signs browsers in.",
  changes: [
    { kind: "set", path: ["gateway", "auth", "mode"], value: "token" },
    { kind: "set", path: ["gateway", "auth", "token"], value: newSecret() },
  ],
});

/** What the start itself refuses is told here before it is tried. */
export const secretCheck: Check = {
  id: "gateway-secret",
  title: "Sign-in",
  async run(scene) {
    const { config, env } = scene.loaded;
    if (!config) return [];
    const bind = env.gatewayBind ?? config.gateway.bind;
    const refused = startProblems(config, { bind, allowUnconfigured: true }, env);
    const auth = secretFor(config, { bind }, env, peekGeneratedToken(scene.paths.stateDir));
    const secret = auth.mode === "password" ? auth.password : auth.token;
    const weak = secret === undefined ? undefined : secretProblem(secret);
    const beyond = !["loopback", "auto"].includes(bind) || config.gateway.tailscale.mode !== "off";
    if (refused) {
      const id = weak === "placeholder" || weak === "too_short" ? NAMES[weak] : OPEN;
      // A variable wins over the config, so a new token there would change nothing.
      const mend = auth.mode === "token" && !env.gatewayToken && (!secret || weak !== undefined);
      return [
        {
          severity: "critical",
          message: `${refused.message} The gateway does not start like this.`,
          ...(refused.hint && { fixHint: refused.hint }),
          path: "gateway.auth",
          audit: { id, title: TITLES[id] },
          ...(mend && { fix: tokenFix() }),
        },
      ];
    }
    return [
      ...withoutSecret(scene, beyond),
      ...(weak && secret ? weakSecret(weak, scene) : []),
      ...reach(scene, bind),
    ];
  },
};

const OPEN = "gateway.bind_no_auth";
const NAMES = {
  placeholder: "gateway.token_placeholder",
  too_short: "gateway.token_too_short",
} as const;

function withoutSecret({ loaded, command }: Scene, beyond: boolean): Finding[] {
  if (loaded.config?.gateway.auth.mode !== "none") return [];
  return [
    {
      severity: beyond ? "critical" : "warning",
      message: `gateway.auth.mode is none: every program ${beyond ? "that reaches this machine" : "on this machine"}, and every web page that gets past the browser's own rules, can use the assistant.`,
      fixHint: `${command} config set gateway.auth.mode token`,
      path: "gateway.auth.mode",
      audit: { id: "gateway.loopback_no_auth", title: "The gateway asks for no secret" },
      fix: tokenFix("choice"),
    },
  ];
}

/** On loopback it is accepted, but anybody of this machine may guess it. */
function weakSecret(weak: "empty" | "placeholder" | "too_short", { loaded }: Scene): Finding[] {
  if (weak === "empty") return [];
  const placeholder = weak === "placeholder";
  const id = NAMES[weak];
  return [
    {
      severity: placeholder ? "critical" : "warning",
      message: placeholder
        ? "The gateway's secret is a placeholder that everybody knows, so every program on this machine can use the assistant."
        : `The gateway's secret has fewer than ${SECRET_MIN} characters; other programs of this machine can guess it.`,
      fixHint: 'clawdbot config set gateway.auth.token "$(clawdbot token generate)"',
      path: "gateway.auth",
      audit: { id, title: TITLES[id] },
      ...(!loaded.env.gatewayToken &&
        !loaded.env.gatewayPassword &&
        loaded.config?.gateway.auth.mode !== "password" && { fix: tokenFix("choice") }),
    },
  ];
}

/** So many a minute are no limit. */
const MANY_ATTEMPTS = 1_000;

/** Open to others, with a secret before it: allowed, and worth knowing. */
function reach({ loaded, command }: Scene, bind: string): Finding[] {
  const { gateway } = loaded.config!;
  const found: Finding[] = [];
  const port = loaded.env.gatewayPort ?? gateway.port ?? GATEWAY_PORT;
  if (!["loopback", "auto"].includes(bind))
    found.push({
      severity: "info",
      message: `The gateway listens beyond this machine (${bind}, port ${port}), protected by its secret. On the open internet put HTTPS in front.`,
      path: "gateway.bind",
      audit: {
        id: "gateway.bind_exposed",
        title: "The gateway can be reached from other machines",
      },
    });
  if (gateway.tailscale.mode === "funnel")
    found.push({
      severity: "warning",
      message:
        "Tailscale Funnel shows the gateway to the whole internet; only its password stands between.",
      fixHint: `${command} config set gateway.tailscale.mode serve`,
      path: "gateway.tailscale.mode",
      audit: { id: "gateway.tailscale_funnel", title: "The gateway is on the internet" },
    });
  if (gateway.tailscale.mode === "serve")
    found.push({
      severity: "info",
      message: "Tailscale Serve shows the gateway to all devices of your tailnet.",
      path: "gateway.tailscale.mode",
      audit: { id: "gateway.tailscale_serve", title: "The gateway is in the tailnet" },
    });
  const { lockoutMs, maxAttempts } = gateway.auth.rateLimit;
  if (!["loopback", "auto"].includes(bind) && (lockoutMs === 0 || maxAttempts > MANY_ATTEMPTS))
    found.push({
      severity: "warning",
      message:
        "Nobody is locked out after wrong secrets (gateway.auth.rateLimit), so other machines may try as many as they like.",
      fixHint: `${command} config unset gateway.auth.rateLimit`,
      path: "gateway.auth.rateLimit",
      audit: { id: "gateway.auth_no_rate_limit", title: "Wrong secrets are not counted" },
    });
  if (gateway.controlUi.allowedOrigins.includes("*"))
    found.push({
      severity: "warning",
      message:
        "gateway.controlUi.allowedOrigins has `*`: every web page may try to connect from your browser.",
      fixHint: `${command} config unset gateway.controlUi.allowedOrigins`,
      path: "gateway.controlUi.allowedOrigins",
      audit: {
        id: "gateway.control_ui.allowed_origins_wildcard",
        title: "Every web page may connect",
      },
    });
  return found;
}
