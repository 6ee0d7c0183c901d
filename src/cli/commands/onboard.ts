/** `onboard`: from nothing to an assistant that answers, with as few questions as possible. */
import { runCommand } from "citty";

import { AppError } from "../../base/errors.ts";
import { refuseInNixMode } from "../../base/nix.ts";
import { NETWORK_IDS, NETWORKS } from "../../channels/registry.ts";
import { noManager } from "../../service/registry.ts";
import type { Obstacle } from "../../service/service.ts";
import { canAsk, openAsk } from "../ask.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";
import { type Answers, collect, type Flags, RISK } from "../onboard/answers.ts";
import { type Applied, apply } from "../onboard/apply.ts";
import { KEY_CHOICES, SKIP } from "../onboard/choices.ts";
import { withGateway } from "../rpc.ts";
import { openService } from "../service/service.ts";
import { loadSettings } from "../settings.ts";
import { install } from "./service.ts";

const keyFlags = Object.fromEntries(
  KEY_CHOICES.map(({ flag, label }) => [
    flag,
    { type: "string" as const, hint: "key", description: `${label} key.` },
  ]),
);
const IGNORED = { type: "boolean", description: "Kept for scripts; has no effect." } as const;

export const onboard = command({
  doc: "Set everything up: a model, the workspace, the config and, if you like, the background service.",
  args: {
    workspace: { type: "string", hint: "dir", description: "Where the agent works." },
    "non-interactive": { type: "boolean", description: "Ask nothing; needs --accept-risk." },
    "accept-risk": { type: "boolean", description: RISK },
    flow: {
      type: "enum",
      options: ["quickstart", "advanced", "manual"],
      description: "Kept for scripts; there is one way, with at most three questions.",
    },
    mode: { type: "enum", options: ["local"], description: "The gateway is on this machine." },
    "auth-choice": {
      type: "enum",
      options: [...KEY_CHOICES.map(({ choice }) => choice), SKIP],
      description: "Whose key to use.",
    },
    ...keyFlags,
    "gateway-port": { type: "string", hint: "n", description: "Port of the gateway." },
    "gateway-bind": {
      type: "enum",
      options: ["loopback", "lan", "tailnet", "auto", "custom"],
      description: "Who can reach it; `loopback` is this machine only.",
    },
    "gateway-auth": {
      type: "enum",
      options: ["token", "password"],
      description: "How people sign in.",
    },
    "gateway-token": { type: "string", hint: "token", description: "A token of your own." },
    "gateway-password": { type: "string", hint: "password", description: "A password." },
    "install-daemon": { type: "boolean", description: "Run it in the background from now on." },
    "no-install-daemon": { type: "boolean", description: "Do not, and do not ask." },
    "skip-daemon": { type: "boolean", description: "The same as --no-install-daemon." },
    "skip-health": { type: "boolean", description: "Do not look whether the gateway runs." },
    "skip-channels": IGNORED,
    "skip-skills": IGNORED,
    "skip-ui": { type: "boolean", description: "Do not print the link of the Control UI." },
  },
  notes:
    "What is there already is kept: it can run again at any time. Keys go to .env in the state folder, never into the config.",
  examples: [
    ["onboard --install-daemon", "set up, and run in the background from now on"],
    [
      "onboard --non-interactive --accept-risk --auth-choice skip",
      "for scripts: no questions, no key yet",
    ],
    [
      "onboard --non-interactive --accept-risk --anthropic-api-key <key> --json",
      "with a key that is tried with one call",
    ],
  ],
  async run(args, cli) {
    const flags = args as unknown as Flags;
    const quiet = args["non-interactive"];
    refuseInNixMode(cli.env, "config");
    if (quiet && !args["accept-risk"])
      throw new AppError("usage", `--non-interactive needs --accept-risk. ${RISK}`);
    if (!quiet && !canAsk())
      throw new AppError("usage", "There is no terminal to ask questions on.", {
        hint: `Say the answers with flags, as in: ${cli.name}${cli.profileFlag} onboard --non-interactive --accept-risk --auth-choice skip. All of them: ${cli.name} onboard --help`,
      });
    const settings = await loadSettings(cli.env, cli.paths);
    refuseInNixMode(settings.env, "config");
    if (!settings.config)
      throw new AppError("config_invalid", `The config cannot be used. ${settings.problems[0]}`, {
        hint: `To see how to mend it: ${cli.name}${cli.profileFlag} doctor`,
      });
    const obstacle = await serviceObstacle(cli);
    const ask = quiet ? undefined : openAsk(cli.out);
    let answers: Answers | undefined;
    try {
      answers = await collect(cli, flags, settings, { ask, service: !obstacle });
    } finally {
      ask?.close();
    }
    if (!answers) {
      cli.out.note("Nothing was changed.");
      return 0;
    }
    const applied = await apply(cli, settings.config, answers);
    for (const line of applied.lines) cli.out.note(line);
    const installed = answers.daemon ? await installService(cli, obstacle !== undefined) : 0;
    if (args.json) cli.out.data(summary(answers, applied, flags));
    else await sayNext(cli, answers, applied, flags);
    return installed;
  },
});

/** Why there can be no background service here, as in most containers. */
async function serviceObstacle(cli: Cli): Promise<Obstacle | undefined> {
  const { manager } = openService(cli, {});
  return manager ? manager.obstacle() : noManager(process.platform);
}

/**
 * The same as `gateway install`, which may mend what is in the way. Where there can be no service (`optional`) that is a note and no
 * failure: everything else is set up.
 */
async function installService(cli: Cli, optional: boolean): Promise<number> {
  try {
    const { result } = await runCommand(install.citty, { rawArgs: [], data: cli });
    return typeof result === "number" ? result : 0;
  } catch (cause) {
    if (!optional || !(cause instanceof AppError) || cause.code !== "service_failed") throw cause;
    cli.out.note(`Not in the background: ${cause.message} ${cause.hint ?? ""}`);
    return 0;
  }
}

function summary(answers: Answers, { workspace, config }: Applied, flags: Flags) {
  return {
    mode: "local",
    workspace,
    authChoice: answers.authChoice,
    gateway: {
      port: config.gateway.port,
      bind: config.gateway.bind,
      authMode: config.gateway.auth.mode ?? "token",
      tailscaleMode: config.gateway.tailscale.mode,
    },
    installDaemon: answers.daemon,
    skipHealth: flags["skip-health"],
  };
}

async function sayNext(
  cli: Cli,
  { model }: Answers,
  { config }: Applied,
  flags: Flags,
): Promise<void> {
  const { out } = cli;
  out.line(`Model: ${model}`);
  const link = flags["skip-health"] ? undefined : await signInLink(cli);
  if (link && !flags["skip-ui"]) out.line(`Open ${link} (signs you in once, within 10 minutes)`);
  else if (link) out.line("The gateway is running.");
  else {
    out.line(`Start it: ${cli.name}${cli.profileFlag} gateway`);
    out.line(
      `Then, in a second terminal: ${cli.name}${cli.profileFlag} dashboard (prints a link to the page on port ${config.gateway.port})`,
    );
  }
  if (NETWORK_IDS.every((id) => config.channels[id] === undefined)) {
    const names = NETWORK_IDS.map((id) => NETWORKS[id].label).join(", ");
    out.line(`Chats (${names}): ${cli.name}${cli.profileFlag} channels add`);
  }
}

/** Undefined while no gateway runs. */
async function signInLink(cli: Cli): Promise<string | undefined> {
  try {
    const call = withGateway(cli, {}, ({ client }) => client.call("dashboard.link", {}, {}));
    return (await call).url;
  } catch (cause) {
    if (cause instanceof AppError && cause.code === "gateway_unreachable") return undefined;
    throw cause;
  }
}
