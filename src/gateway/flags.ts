/**
 * What `clawdbot gateway` was asked for on its command line. Absent means: not given, so the environment or the config decides.
 * The command line parses and checks the values; app.ts applies them.
 */
export type GatewayFlags = {
  port?: number;
  bind?: "loopback" | "lan" | "tailnet" | "auto" | "custom";
  token?: string;
  auth?: "none" | "token" | "password";
  password?: string;
  tailscale?: "off" | "serve" | "funnel";
  tailscaleResetOnExit: boolean;
  /** Start although the config file is missing or `gateway.mode` is not `local`. */
  allowUnconfigured: boolean;
  /** Make a development config and workspace when they are missing. */
  dev: boolean;
  /** With `dev`: begin with a fresh config, workspace and sessions. */
  reset: boolean;
  /** End whatever else listens on the port. Already done when app.ts starts. */
  force: boolean;
  /** Console level `debug`. */
  verbose: boolean;
  claudeCliLogs: boolean;
  wsLog: "auto" | "full" | "compact";
  rawStream: boolean;
  rawStreamPath?: string;
};
