/** The composition root: opens everything once, hands each part what it may touch, and closes it again. The only place where parts meet. */
import { hostname } from "node:os";

import { Conversations } from "./agent/conversation.ts";
import { openModels, readSignIns } from "./agent/models.ts";
import { openRawStream } from "./agent/raw-stream.ts";
import { defaultAgentId } from "./agent/settings.ts";
import { prepareDefaultWorkspace } from "./agent/workspace.ts";
import { VERSION } from "./base/brand.ts";
import { Bus } from "./base/bus.ts";
import { Closers } from "./base/closers.ts";
import { type Env, secretsOf } from "./base/env.ts";
import { toAppError } from "./base/errors.ts";
import type { Logger } from "./base/log.ts";
import { createLogging, type Logging } from "./base/logging.ts";
import { giveBackMemory } from "./base/memory.ts";
import type { Paths } from "./base/paths.ts";
import { platformHosts } from "./base/platform.ts";
import { createRedactor } from "./base/redact.ts";
import { takeState } from "./base/state-dir.ts";
import { background } from "./base/task.ts";
import { isTerminal } from "./base/terminal.ts";
import { systemClock } from "./base/time.ts";
import { prepareDev, refuseReset } from "./config/dev.ts";
import { type ConfigHandle, type InForce, openConfig } from "./config/handle.ts";
import { secretsIn } from "./config/snapshot.ts";
import { type Ending, endings, type Takeover } from "./gateway/ending.ts";
import type { GatewayFlags } from "./gateway/flags.ts";
import { embeddedUi } from "./gateway/http/ui.ts";
import type { GatewayEvents } from "./gateway/ports.ts";
import { runsOf } from "./gateway/runs.ts";
import { startGateway } from "./gateway/server.ts";
import { authFor, placeOf, restartProblem, sayStarted } from "./gateway/start.ts";
import { Tailscale } from "./gateway/tailscale.ts";
import { takeOverOnce } from "./legacy/start.ts";
import { openMedia } from "./media/open.ts";
import { type Messaging, openMessaging } from "./messaging/open.ts";
import { Waits } from "./sessions/waits.ts";
import { openSqlite, type SqliteStore } from "./store/sqlite/index.ts";
import { keepBackups } from "./store/upkeep.ts";
import { childEnv } from "./tools/environment.ts";
import { openJobs } from "./tools/jobs.ts";
import { lazyWizard } from "./wizard/registry.ts";

export type AppOptions = { env: Env; paths: Paths; flags: GatewayFlags } & Takeover;

export type RunningApp = {
  /** Ends it in an orderly way; `done` resolves with 0. A second call changes nothing. */
  stop(reason: string): Promise<void>;
  /** Ends it and starts it anew in the same process, if the config has `commands.restart`; else one warning. For SIGUSR1. */
  restart(reason: string): void;
  /** Reads the config file again. For SIGHUP. */
  reload(): void;
  /** Of the part `gateway`. */
  readonly log: Logger;
  /** The exit code, when everything is closed. */
  done: Promise<number>;
};

type Instance = Ending & {
  log: Logger;
  config: ConfigHandle;
  /** What it was started with and has taken over since; a restart that fails goes back to it. */
  good(): InForce;
};

/** Starts the gateway, and starts it anew when a config change or a signal asks for it. Throws when the first start fails. */
export async function startApp(options: AppOptions): Promise<RunningApp> {
  if (options.flags.reset) refuseReset(options.paths);
  let current = await start(options);
  let stopping: string | undefined;
  const leaving = new AbortController();
  const run = async (): Promise<number> => {
    for (;;) {
      const then = await current.ended;
      if (then === "stop" || stopping !== undefined) return 0;
      const { logging } = current.good().config;
      if (then === "replace" && (await options.handOver?.(logging, leaving.signal)) !== "again")
        return 0;
      current = await startAgain(options, current.good());
      // The stop came while nothing was there to be stopped.
      if (stopping !== undefined) await current.stop(stopping);
    }
  };
  const done = run();
  return {
    done,
    get log() {
      return current.log;
    },
    async stop(reason) {
      stopping = reason;
      leaving.abort();
      await current.stop(reason);
      await done;
    },
    restart(reason) {
      const { config, log, restart } = current;
      if (config.current().commands.restart) return background("restart", restart(reason), log);
      log.warn(
        `${reason} restart ignored (not authorized; enable commands.restart or use gateway tool).`,
      );
    },
    reload() {
      const { config, log } = current;
      log.info("reading the config again");
      background("config reload", config.reload(), log);
    },
  };
}

/** With what the file says now, or else with what ran before. Throws when that fails too. */
async function startAgain(options: AppOptions, good: InForce): Promise<Instance> {
  try {
    return await start(options, {});
  } catch {
    // `start` has logged why. The process lives on with what is known to work.
    return start(options, { instead: good });
  }
}

/** Absent for the first start; `instead` is used in place of the config file. */
type Again = { instead?: InForce };

async function start(options: AppOptions, again?: Again): Promise<Instance> {
  const { env, paths, flags } = options;
  const redact = createRedactor(secretsOf(env));
  const logging = createLogging({
    dir: paths.logDir,
    consoleLevel: flags.verbose ? "debug" : "info",
    redact,
    colour: isTerminal(2) && !env.raw("NO_COLOR"),
    consoleStyle: isTerminal(2) ? "pretty" : "compact",
  });
  const closers = new Closers();
  const log = logging.logger("gateway");
  closers.add("log", () => logging.close());
  try {
    return await open(options, again, logging, closers);
  } catch (cause) {
    if (again) {
      const { code, message, hint } = toAppError(cause);
      const then = again.instead ? "the gateway ends" : "going on with the config before it";
      log.error(`the restart failed, ${then}: ${message}`, { code, ...(hint && { hint }) });
    }
    await closers.close(log);
    throw cause;
  }
}

/** Everything that is open, in the order in which it must be opened: lock, config, store, runs, gateway. */
async function open(
  { env, paths, flags, handOver, program, onReady }: AppOptions,
  again: Again | undefined,
  logging: Logging,
  closers: Closers,
): Promise<Instance> {
  const log = logging.logger("gateway");
  const clock = systemClock;
  const startedAt = clock.now();
  const bootId = crypto.randomUUID();
  const lock = await takeState({ env, paths, log }, bootId, startedAt);
  closers.add("lock", () => lock.release());
  if (flags.dev && !again)
    await prepareDev({ env, paths, reset: flags.reset, now: startedAt, log });
  // Systemd sets NOTIFY_SOCKET for services only; INVOCATION_ID is in people's terminals too.
  const supervised = env.serviceMarker !== undefined || env.raw("NOTIFY_SOCKET") !== undefined;
  const config = await openConfig({
    env,
    paths,
    log: logging.logger("config"),
    make: flags.allowUnconfigured,
    useLastGood: flags.allowUnconfigured || supervised || !!again,
    unproven: true,
    ...again,
  });
  const applyLogging = () => {
    const { logging: wanted } = config.current();
    logging.configure({
      level: wanted.level,
      consoleLevel: flags.verbose ? "debug" : (wanted.consoleLevel ?? "info"),
      consoleStyle: wanted.consoleStyle ?? (isTerminal(2) ? "pretty" : "compact"),
    });
    const file = env.updateTrial ? undefined : wanted.file;
    const target = { file, maxBytes: wanted.maxFileBytes };
    background("changing the log file", logging.redirect(target), log);
    for (const secret of [...secretsOf(config.env()), ...secretsIn(config.current())])
      logging.redact.add(secret);
  };
  applyLogging();

  let good: InForce = { config: config.current(), env: config.env() };
  const { bind, hosts, port, problem } = placeOf(good, flags, env);
  const auth = await authFor(config, { ...flags, bind }, paths, log);
  if (flags.dev) await prepareDefaultWorkspace(config.current().agents, paths);
  const store = await openStore(paths, logging, closers);
  const older = { env, paths, config: good.config, store, log: logging.logger("legacy") };
  const foreignUntil = await takeOverOnce(older);
  const signIns = await readSignIns(store.kv);
  for (const secret of signIns.secrets) logging.redact.add(secret);
  const raw = openRawStream({ env, paths, flags, clock, log: logging.logger("agent") });
  if (raw) closers.add("raw stream", () => raw.close());
  const models = openModels({
    config,
    store,
    clock,
    log: logging.logger("models"),
    signIns,
    ...(raw && { raw }),
  });
  const jobs = openJobs({
    clock,
    log: logging.logger("tools"),
    cleanupMs: config.current().tools.exec.cleanupMs,
    onExit: (exit) => {
      if (config.current().tools.exec.notifyOnExit) conversations.commandEnded(exit);
    },
  });
  closers.add("commands", () => jobs.stop());

  const bus = new Bus<GatewayEvents>();
  const waits = new Waits(store, clock);
  const denied = [paths.stateDir, paths.configPath];
  const media = openMedia({ paths, denied, foreignUntil, clock, log });
  closers.add("media", () => media.close());
  const conversations = new Conversations({
    store,
    clock,
    log: logging.logger("agent"),
    paths,
    env: () => config.env(),
    config: () => config.current(),
    jobs,
    media: media.store,
    picture: (ref) => media.picture(ref),
    setting: (turn) => messaging.setting(turn),
    model: (settings, session, wanted) => models.forRun(settings, session, wanted),
  });
  const messaging: Messaging = openMessaging(
    {
      ...{ config, paths, store, clock, logging, models, conversations },
      media: media.store,
      outgoing: media.outgoing,
      listen: !env.skipChannels,
      say: (key, text) => gateway.say(key, text),
      restart: (reason) => background("restart", instance.restart(reason), log),
      pairing: (state, { channel, account, sender }) =>
        bus.emit(`pairing.${state}`, { channel, accountId: account, id: sender }),
      accountChanged: (channel, accountId) => bus.emit("channels", { channel, accountId }),
      watch(run, event) {
        const { turn, sessionId } = run;
        bus.emit("run", {
          runId: turn.id,
          agentId: turn.agentId,
          sessionKey: turn.sessionKey,
          sessionId,
          seq: ++run.seq,
          at: clock.now(),
          event,
        });
        if (event.type === "end") waits.settle(run, event);
      },
    },
    closers,
  );
  const { pipeline } = messaging;

  const { basePath, enabled: hasUi } = config.current().gateway.controlUi;
  const { mode, resetOnExit } = config.current().gateway.tailscale;
  const tailscale = new Tailscale({
    mode: flags.tailscale ?? mode,
    resetOnExit: flags.tailscaleResetOnExit || resetOnExit,
    basePath,
    env: childEnv(env.vars),
    log: log.child("tailscale"),
  });
  const wizard = lazyWizard({
    ...{ config, paths, log, models: models.catalog, logins: messaging.port.logins },
    learn: (secret) => logging.redact.add(secret),
  });
  closers.add("set-up", () => wizard.close());
  let recovered = false;
  if (problem) log.warn(problem);
  const gateway = await startGateway({
    ports: {
      store,
      runs: runsOf(pipeline, store, waits),
      messaging: messaging.port,
      models: models.catalog,
      info: {
        version: VERSION,
        stateDir: paths.stateDir,
        get configPath() {
          return paths.configPath;
        },
        // A new file begins at midnight.
        get logFile() {
          return logging.file;
        },
        bootId,
        startedAt,
        defaultAgentId: defaultAgentId(config.current().agents),
      },
      restart: (reason) => background("restart", instance.restart(reason), log),
      ...(handOver && {
        program,
        replace: () => background("update", instance.replace(), log),
      }),
      wizard,
      ready: () =>
        recovered ? { ready: true, failing: [] } : { ready: false, failing: ["recovery"] },
    },
    config,
    auth: auth.current,
    bus,
    log,
    hosts,
    port,
    socketPath: paths.socketPath,
    platformHosts: () => [...platformHosts(env, hostname()), ...tailscale.hosts()],
    wsLog: flags.wsLog,
    ...(hasUi && { ui: embeddedUi }),
  });
  closers.add("gateway", () => gateway.stop());
  lock.update({
    pid: process.pid,
    port: gateway.port,
    bind,
    bootId,
    version: VERSION,
    startedAt,
  });
  sayStarted(gateway, { env, log, logging, auth, basePath });
  closers.add("tailscale", () => tailscale.stop());
  background("tailscale", tailscale.publish(gateway.port), log);

  const instance = {
    ...endings({ closers, log, gateway, pipeline }),
    log,
    config,
    good: () => good,
  };
  let leaving = false;
  const stopWatching = config.watch(
    (plan) => {
      applyLogging();
      models.reload();
      messaging.apply();
      gateway.recheckAuth();
      if (plan.action === "restart" && !leaving)
        background("restart", instance.restartPatiently(), log);
      leaving ||= plan.action === "restart";
      if (!leaving) good = { config: config.current(), env: config.env() };
    },
    (next) => restartProblem(next, { hosts, port: gateway.port }, { env, flags, log }),
  );
  closers.add("config watcher", stopWatching);
  // A change between the first reading and the watch above would wait for the next one.
  background("config check", config.reload(), log);
  const upkeep = new AbortController();
  closers.add("upkeep", () => upkeep.abort());
  // Also when it is stopped before the recovery below has come to it.
  closers.add("last good config", () => config.proven());
  background("upkeep", keepBackups(store, { clock, log, signal: upkeep.signal }), log);
  background(
    "recovery",
    (async () => {
      // Its name has the local date, and the first look at one costs 3 ms.
      if (logging.file) log.info(`log file: ${logging.file}`);
      const turns = await messaging.recover();
      recovered = true;
      if (!again) onReady?.(log);
      if (turns) log.info("going on with unfinished turns", { turns });
      await messaging.started();
      // Finding the model asks other programs and other machines.
      if (env.updateTrial) return;
      const choice = await models.catalog.choose(defaultAgentId(config.current().agents));
      log.info(`agent model: ${choice.choice.ref}`, { why: choice.why });
      await models.warm(choice.choice.ref);
      await config.proven();
      const { desk } = pipeline;
      await giveBackMemory(
        clock,
        upkeep.signal,
        () => desk.begun,
        () => desk.allRunning().length > 0,
      );
    })(),
    log,
  );
  return instance;
}

async function openStore(paths: Paths, logging: Logging, closers: Closers): Promise<SqliteStore> {
  const log = logging.logger("store");
  const store = await openSqlite({ path: paths.databasePath, log });
  closers.add("store", () => store.close());
  return store;
}
