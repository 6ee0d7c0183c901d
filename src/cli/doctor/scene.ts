/** Reads all that the checks of `doctor` and `security audit` look at: files, the running gateway, the background service. */
import { AppError } from "../../base/errors.ts";
import { readLock } from "../../base/lock.ts";
import { loadConfig } from "../../config/load.ts";
import type { Running, Scene } from "../../doctor/check.ts";
import type { Cli } from "../command.ts";
import { runInstall, runStart } from "../commands/service.ts";
import { tcpTarget, type Wish, withGateway } from "../rpc.ts";
import { lookAtService } from "../service/look.ts";
import { openService, type Service } from "../service/service.ts";
import { settingsOf } from "../settings.ts";

export type Wanted = {
  /** Also what takes long. */
  deep?: boolean;
  /** Tips about the workspace. */
  suggestions?: boolean;
  /** What is known of the running gateway already, so that it is not asked again. */
  known?: { running: Running | undefined };
};

/** How long the gateway has to answer, in ms; with the networks asked too, longer. */
const PATIENCE_MS = 2000;
const DEEP_MS = 15_000;

/** Looks; changes nothing. Never throws because of what it finds. */
export async function lookAround(
  cli: Cli,
  { deep = false, suggestions = true, known }: Wanted = {},
): Promise<Scene> {
  const { env, paths } = cli;
  const service = openService(cli, {});
  const loaded = await loadConfig({ env, paths, strictVariables: false });
  const [running, look] = await Promise.all([
    known ? known.running : runningGateway(cli, deep),
    lookAtService(service, settingsOf(loaded, paths)),
  ]);
  return {
    env,
    paths,
    loaded,
    command: cli.name + cli.profileFlag,
    now: Date.now(),
    deep,
    suggestions,
    running,
    service: { ...look, ...(service.manager && !env.nixMode && verbs(service)) },
  };
}

/** What the checks may offer to do with the service. */
const verbs = (service: Service): Pick<Scene["service"], "reinstall" | "start"> => ({
  reinstall: () => done(runInstall({ force: true }, service)),
  start: () => done(runStart(service)),
});

/** Throws service_failed when the goal was not reached. */
async function done(told: Promise<{ message: string; code?: number }>): Promise<void> {
  const { message, code } = await told;
  if (code) throw new AppError("service_failed", message);
}

async function runningGateway(cli: Cli, deep: boolean): Promise<Running | undefined> {
  const wish = { timeout: String(deep ? DEEP_MS : PATIENCE_MS) };
  const running = await unlessDown(() =>
    withGateway(cli, wish, async ({ hello, client, timeoutMs }): Promise<Running> => {
      const { version } = hello.server;
      const { ts } = await client.call("health", {}, { timeoutMs });
      const seen = { version, aheadMs: ts - Date.now() };
      // An older gateway has no such method; its channels are then judged by the config alone.
      if (!hello.features.methods.includes("channels.status")) return seen;
      const { warnings } = await client.call("channels.status", { probe: deep }, { timeoutMs });
      return { ...seen, channelWarnings: warnings };
    }),
  );
  if (!running) return undefined;
  const takesSecret = await secretTaken(cli, wish);
  return { ...running, ...(takesSecret !== undefined && { takesSecret }) };
}

/** Whether the secret in the files opens the running gateway of this state folder. Undefined when that cannot be tried. */
async function secretTaken(cli: Cli, wish: Wish): Promise<boolean | undefined> {
  const { held, body } = readLock(cli.paths.lockPath);
  if (!held || !body?.port || cli.env.gatewayUrl) return undefined;
  const place = { ...wish, port: String(body.port) };
  const { auth } = await tcpTarget(cli, place);
  if (!auth.token && !auth.password) return undefined;
  try {
    return await withGateway(cli, place, async () => true);
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    // The protocol's own word. Anything else says nothing about the secret: it may listen on another address only.
    return /^unauthorized\b/.test(cause.message) ? false : undefined;
  }
}

async function unlessDown<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof AppError) return undefined;
    throw cause;
  }
}
