/** `gateway`: runs the gateway in this terminal until a signal or a failure ends it. */
import { VERSION } from "../../base/brand.ts";
import { AppError } from "../../base/errors.ts";
import { realPathOf } from "../../base/fs.ts";
import type { Logger } from "../../base/log.ts";
import { platformPort } from "../../base/platform.ts";
import { background } from "../../base/task.ts";
import { GATEWAY_PORT } from "../../gateway/config.ts";
import type { GatewayFlags } from "../../gateway/flags.ts";
import { hasJournal, readJournal } from "../../service/update/journal.ts";
import { wholeNumber } from "../arguments.ts";
import type { ArgValues, Cli } from "../command.ts";
import { command } from "../command.ts";
import { PARTS } from "../commands.ts";
import { dropRoot } from "../drop-root.ts";
import { hideSecrets } from "../hide-secret.ts";
import { freePort } from "../port-force.ts";
import { runUntilStopped } from "../signals.ts";
import { catchStray } from "../stray.ts";

const ARGS = {
  port: {
    type: "string",
    hint: "n",
    description: "Port; also CLAWDBOT_GATEWAY_PORT or gateway.port; else 18789.",
  },
  bind: {
    type: "enum",
    options: ["loopback", "lan", "tailnet", "auto", "custom"],
    description: "Who can reach it: this machine (loopback), or others too. Others need a token.",
  },
  token: { type: "string", hint: "token", description: "Shared secret of the clients." },
  auth: {
    type: "enum",
    options: ["none", "token", "password"],
    description: "How clients sign in.",
  },
  password: { type: "string", hint: "password", description: "Shared secret of --auth password." },
  tailscale: {
    type: "enum",
    options: ["off", "serve", "funnel"],
    description: "Publish through Tailscale.",
  },
  "tailscale-reset-on-exit": { type: "boolean", description: "Stop publishing on exit." },
  "allow-unconfigured": {
    type: "boolean",
    description: "Start without a config file, or when gateway.mode is not local.",
  },
  dev: { type: "boolean", description: "Make a development config and workspace if missing." },
  reset: { type: "boolean", description: "With --dev: move it all away and start fresh." },
  force: { type: "boolean", description: "End whatever listens on the port." },
  verbose: { type: "boolean", description: "Log every step." },
  "claude-cli-logs": { type: "boolean", description: "Has no effect: there is no CLI backend." },
  "ws-log": {
    type: "enum",
    options: ["auto", "full", "compact"],
    description: "Log failed and slow requests (auto), all (compact), sizes and events too (full).",
  },
  compact: { type: "boolean", description: "The same as --ws-log compact." },
  "raw-stream": { type: "boolean", description: "Write what models stream to a file." },
  "raw-stream-path": {
    type: "string",
    hint: "path",
    description: "That file; else logs/raw-stream.jsonl in the state folder.",
  },
} as const;

export const run = command({
  doc: "Run the gateway in this terminal, with the Control UI on the same port.",
  args: ARGS,
  json: false,
  notes:
    "Stop it with Ctrl-C. It takes the config from the state folder; everything else has a default. `clawdbot --dev gateway --dev --reset` begins with a fresh development profile and keeps the old one in its trash folder.",
  examples: [
    ["gateway", "with the config file"],
    [
      "gateway --allow-unconfigured",
      "on a fresh machine; with the last good config when the file is damaged",
    ],
    ["gateway --port 19001 --verbose", "on another port, with every step"],
    ["gateway --bind lan --token <24 characters or more>", "for other machines too"],
    ["gateway --force", "and end what still listens on the port"],
    ["gateway --verbose --ws-log full --raw-stream", "to look for a fault"],
  ],
  async run(args, cli) {
    const flags = gatewayFlags(args);
    const { env, paths, out } = cli;
    hideSecrets(args, env);
    dropRoot(env, paths);
    if (flags.force) await freePort(await portOf(flags, cli), { say: (line) => out.error(line) });
    if (env.serviceMarker === "launchd")
      await (await PARTS.launchdLog()).keepLaunchdLogSmall(paths.stateDir);
    const words = wordsAgain(process.argv.slice(2));
    const onReady = hasJournal(paths.stateDir)
      ? await (
          await PARTS.guard()
        ).settleUpdate({ paths, env, words, version: VERSION }, (line) => out.error(line))
      : undefined;
    let next: string | undefined;
    let running: { log: Logger } | undefined;
    catchStray({
      log: () => running?.log,
      // As an end by a signal: nothing that was accepted is lost.
      giveUp: () => process.kill(process.pid, "SIGTERM"),
    });
    const code = await runUntilStopped(async () => {
      const { startApp } = await PARTS.app();
      const app = await startApp({
        env,
        paths,
        flags,
        // Elsewhere a process cannot become another program, and a service would lose sight of it.
        ...(Bun.isStandaloneExecutable &&
          process.platform !== "win32" && {
            program: realPathOf(process.execPath),
            handOver: async (logging, signal) => {
              next = readJournal(paths.stateDir)?.program;
              const { loggedHandOver } = await PARTS.handover();
              const outcome = await loggedHandOver(cli, words, logging, signal);
              if (outcome !== "ready") next = undefined;
              return outcome;
            },
          }),
        ...(onReady && { onReady }),
      });
      running = app;
      // The executable is built to start in the interpreter; from here on code runs often enough to be compiled.
      Bun.unsafe.setJITPolicy(1);
      if (env.updateTrial) background("trial", stopWithParent(), app.log);
      return app;
    });
    if (next !== undefined) (await PARTS.guard()).become(next, { words, env });
    return code;
  },
});

/** A version that is tried ends with the update that tries it, however that ends. */
async function stopWithParent(): Promise<void> {
  await Bun.stdin.text();
  process.kill(process.pid, "SIGTERM");
}

/** As it was called; but what has been done once, at its start, is not done again. */
const wordsAgain = (words: string[]): string[] =>
  words.filter((word) => word !== "--reset" && word !== "--force");

/** The flags as values. Throws `usage` for what no gateway could start with. */
export function gatewayFlags(args: ArgValues<typeof ARGS>): GatewayFlags {
  if (args.reset && !args.dev)
    throw new AppError("usage", "--reset needs --dev", {
      hint: "To start fresh with the development profile: `clawdbot --dev gateway --dev --reset`.",
    });
  const port = wholeNumber("port", args.port, { min: 0, max: 65_535 });
  return {
    ...(port !== undefined && { port }),
    ...(args.bind && { bind: args.bind }),
    ...(args.token && { token: args.token }),
    ...(args.auth && { auth: args.auth }),
    ...(args.password && { password: args.password }),
    ...(args.tailscale && { tailscale: args.tailscale }),
    tailscaleResetOnExit: args["tailscale-reset-on-exit"],
    allowUnconfigured: args["allow-unconfigured"],
    dev: args.dev,
    reset: args.reset,
    force: args.force,
    verbose: args.verbose,
    claudeCliLogs: args["claude-cli-logs"],
    wsLog: args.compact ? "compact" : (args["ws-log"] ?? "auto"),
    rawStream: args["raw-stream"],
    ...(args["raw-stream-path"] && { rawStreamPath: args["raw-stream-path"] }),
  };
}

/** The port that the gateway is going to use, as app.ts finds it. */
async function portOf(flags: GatewayFlags, { env, paths }: Cli): Promise<number> {
  const given = flags.port ?? env.gatewayPort;
  if (given !== undefined) return given;
  const { loadSettings } = await PARTS.settings();
  const own = (await loadSettings(env, paths)).config?.gateway.port ?? GATEWAY_PORT;
  return own === GATEWAY_PORT ? (platformPort(env) ?? own) : own;
}
