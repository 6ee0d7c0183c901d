/** What onboarding has to know, from flags, from what is there already, and, where a person sits at the terminal, from questions. */
import { AppError } from "../../base/errors.ts";
import { checkPlain } from "../../config/dot-env.ts";
import type { Config } from "../../config/schema.ts";
import { newSecret, secretProblem } from "../../gateway/config.ts";
import { wholeNumber } from "../arguments.ts";
import type { Ask } from "../ask.ts";
import type { Cli } from "../command.ts";
import type { Settings } from "../settings.ts";
import { KEY_CHOICES, type KeyChoice, SKIP } from "./choices.ts";
import { tryKey } from "./try-key.ts";

/** The flags of the command, as far as they are answers. */
export type Flags = {
  "auth-choice": string | undefined;
  "gateway-port": string | undefined;
  "gateway-bind": Bind | undefined;
  "gateway-auth": "token" | "password" | undefined;
  "gateway-token": string | undefined;
  "gateway-password": string | undefined;
  workspace: string | undefined;
  "accept-risk": boolean;
  "install-daemon": boolean;
  "no-install-daemon": boolean;
  "skip-daemon": boolean;
  "skip-health": boolean;
} & Record<string, string | boolean | undefined>;
type Bind = Config["gateway"]["bind"];

export type Answers = {
  /** A key to keep; absent when none was given or it is there already. */
  key?: { choice: KeyChoice; value: string };
  /** What the original calls it; for the summary. */
  authChoice: string;
  /** One sentence about the model, for the summary. */
  model: string;
  workspace?: string;
  port?: number;
  bind?: Bind;
  auth?: { mode: "token" | "password"; secret: string | undefined };
  daemon: boolean;
};

export const RISK =
  "The assistant can run commands and read files as you. Whoever can write to it can make it do so. Let nobody else write to it.";

/**
 * Undefined when the person does not want to go on. Asks nothing when `ask` is undefined, and not about a `service` where there can
 * be none. Throws usage for flags that cannot be, provider errors for a key that does not work.
 */
export async function collect(
  cli: Cli,
  flags: Flags,
  settings: Settings,
  { ask, service }: { ask: Ask | undefined; service: boolean },
): Promise<Answers | undefined> {
  const gateway = gatewayAnswers(flags, settings);
  if (ask && !flags["accept-risk"]) {
    cli.out.note(RISK);
    if (!(await ask.yes("Go on?", true))) return undefined;
  }
  const model = await modelAnswer(cli, flags, settings, ask);
  const daemon = await daemonAnswer(flags, service ? ask : undefined);
  const { workspace } = flags;
  return { ...gateway, ...model, daemon, ...(workspace && { workspace }) };
}

function gatewayAnswers(flags: Flags, { config, env }: Settings) {
  const port = wholeNumber("gateway-port", flags["gateway-port"], { min: 1, max: 65_535 });
  const bind = flags["gateway-bind"];
  const mode = flags["gateway-auth"] ?? (flags["gateway-password"] ? "password" : "token");
  const given = mode === "password" ? flags["gateway-password"] : flags["gateway-token"];
  const inEnv = mode === "password" ? env.gatewayPassword : env.gatewayToken;
  const open = !["loopback", "auto"].includes(bind ?? config?.gateway.bind ?? "loopback");
  if (given && open && secretProblem(given))
    throw new AppError("usage", `The ${mode} is too easy for a gateway that others can reach.`, {
      hint: `Leave --gateway-${mode} out, and a good one is made.`,
    });
  const known = given ?? inEnv ?? config?.gateway.auth[mode];
  if (mode === "password" && !known)
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
    ...((flags["gateway-auth"] || secret || make) && { auth: { mode, secret: secret ?? make } }),
  };
}

type ModelAnswer = Pick<Answers, "key" | "authChoice" | "model">;

async function modelAnswer(
  cli: Cli,
  flags: Flags,
  settings: Settings,
  ask: Ask | undefined,
): Promise<ModelAnswer> {
  const wanted = flags["auth-choice"];
  const byFlag = KEY_CHOICES.find((each) => flags[each.flag]);
  const named = KEY_CHOICES.find((each) => each.choice === wanted) ?? byFlag;
  if (named) return useKey(cli, settings, named, String(flags[named.flag] ?? ""), ask);
  const set = KEY_CHOICES.find((each) => settings.env.raw(each.env));
  if (wanted === SKIP || (!ask && !set)) return none;
  if (set) return { authChoice: set.choice, model: `${set.label}, by ${set.env}` };
  const choice = await ask!.choose("Which model shall answer?", [
    ...KEY_CHOICES.map((each) => ({ value: each.choice, label: `${each.label}: I have a key` })),
    { value: SKIP, label: "None yet: a local Ollama when there is one, else the built-in demo" },
  ]);
  const chosen = KEY_CHOICES.find((each) => each.choice === choice);
  return chosen ? useKey(cli, settings, chosen, "", ask) : none;
}

const none: ModelAnswer = { authChoice: SKIP, model: "a local one, or the built-in demo" };

/** A key from the flag, the environment or the person, tried before it is kept. */
async function useKey(
  cli: Cli,
  { config, env }: Settings,
  choice: KeyChoice,
  flag: string,
  ask: Ask | undefined,
): Promise<ModelAnswer> {
  const there = env.raw(choice.env);
  let value = flag || there || "";
  for (;;) {
    if (!value && ask) value = await ask.secret(`${choice.label} key (it is not shown):`);
    if (!value && ask) return none;
    if (!value) throw new AppError("usage", `Missing --${choice.flag} (or ${choice.env} in env).`);
    checkPlain(choice.env, value);
    cli.out.note(`Asking ${choice.label} for one word, to try the key ...`);
    const tried = await tryKey(config!, choice, value);
    const answer: ModelAnswer = {
      authChoice: choice.choice,
      model: tried.model,
      ...(value !== there && { key: { choice, value } }),
    };
    if (!tried.error) {
      cli.out.note(`${tried.model} answered.`);
      return answer;
    }
    const { code, message } = tried.error;
    // Without a network the key may still be right; a refusal is a refusal.
    if (code === "provider_timeout" || code === "provider_overloaded") {
      cli.out.note(`${choice.label} could not be asked (${message}). The key is kept untried.`);
      return answer;
    }
    if (!ask) throw tried.error;
    cli.out.note(`It did not work: ${message.replace(/\.?$/, ".")}`);
    if (!(await ask.yes("Try another key?", true))) return none;
    value = "";
  }
}

async function daemonAnswer(flags: Flags, ask: Ask | undefined): Promise<boolean> {
  if (flags["no-install-daemon"] || flags["skip-daemon"]) return false;
  if (flags["install-daemon"]) return true;
  return ask ? ask.yes("Run it in the background from now on, also after a restart?", true) : false;
}
