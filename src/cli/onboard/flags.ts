/** The flags of `onboard`, `setup` and `configure`, and what they wish for. */
import { AppError } from "../../base/errors.ts";
import { CUSTOM, KEY_CHOICES, SKIP } from "../../wizard/choices.ts";
import { type CustomWishes, PROTOCOLS } from "../../wizard/custom.ts";
import { type Bind, BINDS, type GatewayWishes, TAILSCALE } from "../../wizard/gateway.ts";
import { RISK, type Wishes } from "../../wizard/onboarding.ts";
import { wholeNumber } from "../arguments.ts";
import type { ArgSpecs } from "../command.ts";

const keyFlags: ArgSpecs = Object.fromEntries(
  KEY_CHOICES.filter(({ flag }) => flag !== "token").map(({ flag, label }) => [
    flag,
    { type: "string" as const, hint: "key", description: `${label.replace(/,.*/, "")} key.` },
  ]),
);
const ignored = (hint?: string) =>
  hint
    ? ({ type: "string", hint, description: "Kept for scripts; has no effect." } as const)
    : ({ type: "boolean", description: "Kept for scripts; has no effect." } as const);

const REMOTE = {
  "remote-url": {
    type: "string",
    hint: "ws-url",
    description: "The gateway on another machine, with --mode remote.",
  },
  "remote-token": { type: "string", hint: "token", description: "Its token." },
} as const satisfies ArgSpecs;

const MODE = {
  type: "enum",
  options: ["local", "remote"],
  description: "Whether the gateway is on this machine or on another one.",
} as const;

export const SETUP_ARGS = {
  workspace: { type: "string", hint: "dir", description: "Where the agent works." },
  wizard: { type: "boolean", description: "Ask everything: the same as `onboard`." },
  "non-interactive": { type: "boolean", description: "Ask nothing; needs --accept-risk." },
  "accept-risk": { type: "boolean", description: RISK },
  mode: MODE,
  ...REMOTE,
} as const satisfies ArgSpecs;

export const ONBOARD_ARGS: ArgSpecs = {
  workspace: SETUP_ARGS.workspace,
  reset: {
    type: "boolean",
    description: "Begin anew: what is there is put aside first, nothing is deleted.",
  },
  "non-interactive": SETUP_ARGS["non-interactive"],
  "accept-risk": SETUP_ARGS["accept-risk"],
  flow: {
    type: "enum",
    options: ["quickstart", "advanced", "manual"],
    description: "How much is asked: the least, or also about workspace and gateway.",
  },
  mode: MODE,
  "auth-choice": {
    type: "string",
    hint: "choice",
    description: `Whose key to use: ${[...KEY_CHOICES.map(({ choice }) => choice), CUSTOM, SKIP].join(", ")}.`,
  },
  "token-provider": {
    type: "string",
    hint: "name",
    description: "Whose token it is, with --auth-choice token; only anthropic.",
  },
  token: {
    type: "string",
    hint: "token",
    description: "What `claude setup-token` prints, with --auth-choice token.",
  },
  "token-profile-id": ignored("id"),
  "token-expires-in": ignored("time"),
  ...keyFlags,
  "custom-base-url": {
    type: "string",
    hint: "address",
    description: "An endpoint of your own, as https://host/v1.",
  },
  "custom-model-id": { type: "string", hint: "name", description: "Its model." },
  "custom-api-key": { type: "string", hint: "key", description: "Its key, if it wants one." },
  "custom-provider-id": {
    type: "string",
    hint: "id",
    description: "What the config calls it; `custom` when left out.",
  },
  "custom-compatibility": {
    type: "enum",
    options: Object.keys(PROTOCOLS),
    description: "The protocol that it speaks; `openai` when left out.",
  },
  "gateway-port": { type: "string", hint: "n", description: "Port of the gateway." },
  "gateway-bind": {
    type: "enum",
    options: BINDS,
    description: "Who can reach it; `loopback` is this machine only.",
  },
  "gateway-auth": {
    type: "enum",
    options: ["token", "password"],
    description: "How people sign in.",
  },
  "gateway-token": { type: "string", hint: "token", description: "A token of your own." },
  "gateway-password": { type: "string", hint: "password", description: "A password." },
  ...REMOTE,
  "remote-password": { type: "string", hint: "password", description: "Its password." },
  tailscale: {
    type: "enum",
    options: TAILSCALE,
    description: "Publish it to your tailnet, or to the whole internet.",
  },
  "tailscale-reset-on-exit": { type: "boolean", description: "Take that back at the end." },
  "install-daemon": { type: "boolean", description: "Run it in the background from now on." },
  "no-install-daemon": { type: "boolean", description: "Do not, and do not ask." },
  "skip-daemon": { type: "boolean", description: "The same as --no-install-daemon." },
  "daemon-runtime": {
    type: "enum",
    options: ["node", "bun"],
    description: "Kept for scripts; has no effect, because the program needs none.",
  },
  "skip-channels": { type: "boolean", description: "Do not ask about chat apps." },
  "skip-skills": ignored(),
  "skip-health": { type: "boolean", description: "Do not look whether the gateway runs." },
  "skip-ui": { type: "boolean", description: "Do not print the link of the Control UI." },
  "node-manager": {
    type: "enum",
    options: ["npm", "pnpm", "bun"],
    description: "Kept for scripts; has no effect.",
  },
};

/** The values of ONBOARD_ARGS. */
export type Flags = {
  mode: "local" | "remote" | undefined;
  flow: "quickstart" | "advanced" | "manual" | undefined;
  "auth-choice": string | undefined;
  "token-provider": string | undefined;
  "gateway-port": string | undefined;
  "gateway-bind": Bind | undefined;
  "gateway-auth": "token" | "password" | undefined;
  "gateway-token": string | undefined;
  "gateway-password": string | undefined;
  "remote-url": string | undefined;
  "remote-token": string | undefined;
  "remote-password": string | undefined;
  tailscale: GatewayWishes["tailscale"];
  "custom-compatibility": CustomWishes["compatibility"];
  workspace: string | undefined;
} & Partial<Record<Switch, boolean>> & { [flag: string]: string | boolean | undefined };
type Switch =
  | "reset"
  | "json"
  | "non-interactive"
  | "accept-risk"
  | "install-daemon"
  | "no-install-daemon"
  | "skip-daemon"
  | "skip-channels"
  | "skip-skills"
  | "skip-health"
  | "skip-ui"
  | "tailscale-reset-on-exit";

const text = (value: string | boolean | undefined): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

/** Throws usage for a value that cannot be. */
export function wishesOf(flags: Flags): Wishes & { gateway: GatewayWishes } {
  const port = wholeNumber("gateway-port", flags["gateway-port"], { min: 1, max: 65_535 });
  const daemon = flags["install-daemon"]
    ? true
    : flags["no-install-daemon"] || flags["skip-daemon"]
      ? false
      : undefined;
  if (daemon && (flags["no-install-daemon"] || flags["skip-daemon"]))
    throw new AppError("usage", "Use either --install-daemon or --no-install-daemon, not both.");
  return {
    riskAccepted: flags["accept-risk"] === true,
    flow: flags.flow === undefined || flags.flow === "quickstart" ? "quickstart" : "advanced",
    workspace: flags.workspace,
    model: {
      authChoice: flags["auth-choice"],
      keys: Object.fromEntries(KEY_CHOICES.map(({ flag }) => [flag, text(flags[flag])])),
      tokenProvider: flags["token-provider"],
      custom: {
        baseUrl: text(flags["custom-base-url"]),
        modelId: text(flags["custom-model-id"]),
        key: text(flags["custom-api-key"]),
        providerId: text(flags["custom-provider-id"]),
        compatibility: flags["custom-compatibility"],
      },
    },
    gateway: {
      port,
      bind: flags["gateway-bind"],
      auth: flags["gateway-auth"],
      token: flags["gateway-token"],
      password: flags["gateway-password"],
      tailscale: flags.tailscale,
      resetOnExit: flags["tailscale-reset-on-exit"] === true,
    },
    skipChannels: flags["skip-channels"] === true,
    daemon,
  };
}
