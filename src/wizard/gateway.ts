import { isIP } from "node:net";

/** The step about the gateway: where it listens, and how people sign in. Only where the answer can be used before the gateway starts. */
import { AppError } from "../base/errors.ts";
import type { Change } from "../config/edit.ts";
import type { Config } from "../config/schema.ts";
import { GATEWAY_PORT, newSecret, secretProblem } from "../gateway/config.ts";
import type { Bench } from "./bench.ts";
import type { Guide } from "./guide.ts";

type Gateway = Config["gateway"];
export type Bind = Gateway["bind"];
export const BINDS = ["loopback", "lan", "tailnet", "auto", "custom"] as const satisfies Bind[];
export const TAILSCALE = ["off", "serve", "funnel"] as const;
export type SignIn = "token" | "password";

/** What flags say of the gateway. */
export type GatewayWishes = {
  port?: number | undefined;
  bind?: Bind | undefined;
  auth?: SignIn | undefined;
  token?: string | undefined;
  password?: string | undefined;
  tailscale?: (typeof TAILSCALE)[number] | undefined;
  resetOnExit?: boolean;
};

export type GatewayAnswer = {
  port?: number;
  bind?: Bind;
  customBindHost?: string;
  /** `secret` is absent when the one that is known stays. */
  auth?: { mode: SignIn; secret: string | undefined };
  tailscale?: { mode: (typeof TAILSCALE)[number]; resetOnExit: boolean };
};

/** Whether only this machine can reach it. */
const isNear = (bind: Bind): boolean => bind === "loopback" || bind === "auto";

/** By the secret that was given. */
const signInOf = ({ token, password }: GatewayWishes): SignIn | undefined =>
  password ? "password" : token ? "token" : undefined;

/** As the gateway would have it: a password only when that is all there is, or the config says so. */
function signInNow(bench: Bench): SignIn {
  const { auth } = bench.config().gateway;
  const { gatewayToken, gatewayPassword } = bench.env();
  if (auth.mode !== undefined) return auth.mode === "password" ? "password" : "token";
  const token = gatewayToken ?? auth.token;
  return !token && (gatewayPassword ?? auth.password) ? "password" : "token";
}

/** Checks what was wished against what is there. Throws usage. */
export function gatewayAnswer(wishes: GatewayWishes, bench: Bench): GatewayAnswer {
  const { gateway } = bench.config();
  const env = bench.env();
  const { port, tailscale = "off", resetOnExit = false } = wishes;
  const published = tailscale !== "off";
  if (published && wishes.bind && !isNear(wishes.bind))
    throw new AppError("usage", `--tailscale ${tailscale} needs --gateway-bind loopback.`);
  const bind = published ? "loopback" : wishes.bind;
  const funnel = tailscale === "funnel";
  if (funnel && wishes.auth === "token")
    throw new AppError("usage", "--tailscale funnel needs --gateway-auth password.");
  const wished = funnel ? "password" : (wishes.auth ?? signInOf(wishes));
  const mode = wished ?? signInNow(bench);
  const given = mode === "password" ? wishes.password : wishes.token;
  const inEnv = mode === "password" ? env.gatewayPassword : env.gatewayToken;
  const open = !isNear(bind ?? gateway.bind) || published;
  if (given && open && secretProblem(given))
    throw new AppError("usage", `The ${mode} is too easy for a gateway that others can reach.`, {
      hint: `Leave --gateway-${mode} out, and a good one is made.`,
    });
  const known = given ?? inEnv ?? gateway.auth[mode];
  if (wished === "password" && !known)
    throw new AppError(
      "usage",
      "Missing --gateway-password (or CLAWDBOT_GATEWAY_PASSWORD in env).",
    );
  // What the environment has stays there: secrets of a hosting platform are not copied to a disk.
  const secret = given !== inEnv ? given : undefined;
  const make = open && !known ? newSecret() : undefined;
  return {
    ...(port && { port }),
    ...(bind && { bind }),
    ...((wishes.auth || funnel || secret || make) && { auth: { mode, secret: secret ?? make } }),
    ...(wishes.tailscale && { tailscale: { mode: tailscale, resetOnExit } }),
  };
}

const BIND_OPTIONS = [
  { value: "loopback", label: "This machine only" },
  { value: "lan", label: "Every network of this machine", hint: "a secret is made" },
  { value: "tailnet", label: "The Tailscale address", hint: "a secret is made" },
  { value: "custom", label: "One address" },
] as const;

const portProblem = (text: string): string | undefined =>
  /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535
    ? undefined
    : "A port is a number from 1 to 65535.";

/** Asks for what the flags leave open. Throws usage for flags that cannot be. */
export async function askGateway(
  bench: Bench,
  wishes: GatewayWishes,
  guide: Guide,
): Promise<GatewayAnswer> {
  gatewayAnswer(wishes, bench);
  const { gateway } = bench.config();
  const port =
    wishes.port ??
    Number(
      await guide.text({
        message: "Port of the gateway",
        initial: String(gateway.port ?? GATEWAY_PORT),
        check: portProblem,
      }),
    );
  const tailscale = wishes.tailscale ?? (await askTailscale(guide, gateway));
  const bind = tailscale === "off" ? (wishes.bind ?? (await askBind(guide, gateway))) : "loopback";
  const host = bind === "custom" ? await askHost(guide, gateway) : undefined;
  const auth =
    tailscale === "funnel" ? "password" : (wishes.auth ?? (await askSignIn(guide, gateway)));
  const open = !isNear(bind) || tailscale !== "off";
  const secret = wishes[auth] ?? (await askSecret(bench, guide, auth, open));
  if (secret) bench.learn(secret);
  const whole = { ...wishes, port, bind, tailscale, auth, [auth]: secret };
  return { ...gatewayAnswer(whole, bench), ...(host && { customBindHost: host }) };
}

const askTailscale = async (guide: Guide, { tailscale }: Gateway) => {
  const value = await guide.select({
    message: "Publish it through Tailscale?",
    options: [
      { value: "off", label: "No" },
      { value: "serve", label: "To the devices of your tailnet" },
      { value: "funnel", label: "To the whole internet", hint: "needs a password" },
    ],
    initial: tailscale.mode,
  });
  return TAILSCALE.find((mode) => mode === value)!;
};

const askBind = async (guide: Guide, { bind }: Gateway): Promise<Bind> => {
  const value = await guide.select({
    message: "Who can reach the gateway?",
    options: BIND_OPTIONS,
    initial: bind === "auto" ? "loopback" : bind,
  });
  return BINDS.find((mode) => mode === value)!;
};

const askHost = (guide: Guide, { customBindHost }: Gateway): Promise<string> =>
  guide.text({
    message: "The address to listen on",
    initial: customBindHost,
    placeholder: "192.168.1.10",
    check: (text) => (isIP(text) ? undefined : "That is no IP address."),
  });

const askSignIn = async (guide: Guide, { auth }: Gateway): Promise<SignIn> => {
  const value = await guide.select({
    message: "How do people sign in?",
    options: [
      { value: "token", label: "With a token", hint: "one is made when there is none" },
      { value: "password", label: "With a password" },
    ],
    initial: auth.mode === "password" ? "password" : "token",
  });
  return value === "password" ? "password" : "token";
};

/** Undefined: what is known stays, or one is made. */
async function askSecret(
  bench: Bench,
  guide: Guide,
  mode: SignIn,
  open: boolean,
): Promise<string | undefined> {
  const env = bench.env();
  const inEnv = mode === "password" ? env.gatewayPassword : env.gatewayToken;
  const known = inEnv ?? bench.config().gateway.auth[mode];
  if (mode === "token") return undefined;
  const text = await guide.secret({
    message: known ? `A new ${mode}, or nothing to keep the present one` : `A ${mode}`,
    check: (value) => {
      if (value === "") return known ? undefined : "Without one nobody could sign in.";
      return open && secretProblem(value)
        ? "It is too easy for a gateway that others can reach: take at least 24 characters."
        : undefined;
    },
  });
  return text || undefined;
}

/** What has to be written into the config, only where it differs. The secret is not part of it. */
export function gatewayChanges(
  { gateway }: Config,
  { port, bind, customBindHost, auth, tailscale }: GatewayAnswer,
): Change[] {
  const wanted: [path: string[], now: unknown, next: unknown][] = [
    [["mode"], gateway.mode, "local"],
    [["port"], gateway.port, port],
    [["bind"], gateway.bind, bind],
    [["customBindHost"], gateway.customBindHost, customBindHost],
    [["auth", "mode"], gateway.auth.mode ?? "token", auth?.mode],
    [["tailscale", "mode"], gateway.tailscale.mode, tailscale?.mode],
    [["tailscale", "resetOnExit"], gateway.tailscale.resetOnExit, tailscale?.resetOnExit],
  ];
  return wanted
    .filter(([, now, next]) => next !== undefined && next !== now)
    .map(([path, , value]) => ({ kind: "set", path: ["gateway", ...path], value }));
}
