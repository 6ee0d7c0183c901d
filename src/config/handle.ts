/**
 * The open config of a running process: what is in force now, changes to the file, and changes of the file.
 * One handle per process; everything that needs the config is given it, or its section, by app.ts.
 */
import { existsSync } from "node:fs";
import { basename } from "node:path";

import { VERSION } from "../base/brand.ts";
import type { Env } from "../base/env.ts";
import { type AppError, errnoOf } from "../base/errors.ts";
import { removeStaleTemps } from "../base/fs.ts";
import type { Logger } from "../base/log.ts";
import { nixFix, refuseInNixMode } from "../base/nix.ts";
import { otherConfigs, type Paths } from "../base/paths.ts";
import { type Clock, systemClock } from "../base/time.ts";
import { type Change, editText } from "./edit.ts";
import { differences, keepLastGood, loadLastGood, setAside } from "./last-good.ts";
import { loadConfig, type Loaded, type LoadOptions } from "./load.ts";
import { formatPath } from "./path.ts";
import { configInvalid, describe } from "./problem.ts";
import { planReload, type ReloadPlan } from "./reload.ts";
import type { Config } from "./schema.ts";
import { type ConfigSnapshot, snapshotOf } from "./snapshot.ts";
import { watchFiles } from "./watch.ts";
import { loadOrMake, writeConfig } from "./write.ts";

export type OpenOptions = {
  env: Env;
  paths: Paths;
  log: Logger;
  clock?: Clock;
  /**
   * A config that cannot be used is replaced by the last one that worked (decision 9). Without it such a config is refused; so it is
   * in Nix mode, where what runs is what Nix made, and Nix itself can go back.
   */
  useLastGood?: boolean;
  /** A missing file is made, with the least that a later start needs. Not in Nix mode, and not where nothing can be written. */
  make?: boolean;
  /** The caller says with `proven()` that it could start with the config; until then it does not count as a good one. */
  unproven?: boolean;
  /** Used in place of what the file says: a restart with the file failed, and this is what ran before. */
  instead?: InForce;
};

/** A config together with the environment that belongs to it. */
export type InForce = { config: Config; env: Env };

/** Why a changed config that needs a restart must not be used; undefined when it may be. */
export type RestartCheck = (next: InForce) => Promise<AppError | undefined>;

/** Said once at start when the last good config had to be used. */
export type Recovered = {
  /** What is wrong with the file, one line. */
  problem: string;
  /** Copy of the file as it was found, when one could be made. */
  setAside?: string;
  /** When the config in use was saved, epoch ms. */
  savedAt: number;
  /** Keys that differ between the two; empty when the file cannot be read at all. */
  lost: string[];
};

export interface ConfigHandle {
  readonly path: string;
  /** What is in force. A new object after every change; do not keep it. */
  current(): Config;
  /** The process environment with `<state>/.env` and the config's `env` section; what children and providers get. */
  env(): Env;
  /** The state of the file, for `config.get`; secrets are masked. */
  snapshot(): ConfigSnapshot;
  /** As it was last read from the file. */
  loaded(): Loaded;
  /** Set when the file could not be used at start. */
  readonly recovered?: Recovered;
  /** Keeps a copy of what was opened as the last good config. Called once the start has succeeded. */
  proven(): Promise<void>;
  /** The config is made by Nix: nothing here writes it, and clients show it read-only. */
  readonly nixMode: boolean;
  /**
   * Changes the file (comments and everything else in it stay) and takes the result into use. Gives the changed paths; none when all
   * values were so already. Edits of one process happen one after the other. Throws as `editText` and `writeConfig` do.
   */
  edit(changes: readonly Change[]): Promise<{ changed: string[] }>;
  /** Reads the file again. Undefined when nothing changed or when the new file cannot be used (then the running config stays). */
  reload(): Promise<ReloadPlan | undefined>;
  /**
   * Follows the file as `gateway.reload` says. Several listeners may watch; the result stops one. A change that needs a restart
   * and that some `check` objects to is one error in the log; the running config stays, and the listeners hear nothing.
   */
  watch(onChange: (plan: ReloadPlan) => void, check?: RestartCheck): () => void;
}

/** Reads the config. Throws config_invalid when it cannot be used and the last good one may not be, or there is none. */
export async function openConfig(options: OpenOptions): Promise<ConfigHandle> {
  const { paths, log, clock = systemClock } = options;
  const first = await loadOrMake(options);
  const open = options.instead
    ? { loaded: { ...first, ...options.instead } }
    : first.config
      ? { loaded: first }
      : await recover(options, first, clock.now());
  const recovered = "recovered" in open ? open.recovered : undefined;
  let file = first;
  /** Made when it is asked for; the greeting of every client asks for its hash. */
  let shown: { of: Loaded; view: ConfigSnapshot } | undefined;
  let active: InForce = { config: open.loaded.config!, env: open.loaded.env };
  tell(log, first);
  tellOthers(paths, log);
  if (!first.env.nixMode) await tolerate(log, removeStaleTemps(paths.configPath, clock.now()));
  let proof: Promise<void> | undefined;
  /** Once: by the second call a newer config may be the good one. */
  const proven = (): Promise<void> =>
    (proof ??= recovered || options.instead ? Promise.resolve() : keep(log, paths, first));
  if (!options.unproven) await proven();

  let queue: Promise<unknown> = Promise.resolve();
  /** One edit or reload after the other, also after one that failed. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = queue.then(work, work);
    queue = next;
    return next;
  };
  const take = async (loaded: Loaded): Promise<ReloadPlan | undefined> => {
    file = loaded;
    if (!loaded.config) return undefined;
    const plan = planReload(active.config, loaded.config, active.config.gateway.reload.mode);
    const next = { config: plan.config, env: loaded.env };
    if (plan.action === "restart")
      for (const check of checks) {
        const problem = await check(next);
        if (!problem) continue;
        log.error(`the changed config is not used: ${problem.message}`, {
          keys: plan.needRestart.join(", "),
          ...(problem.hint && { hint: problem.hint }),
        });
        return undefined;
      }
    active = next;
    // What needs a restart is good when the restart has succeeded.
    proof = Promise.resolve();
    if (plan.action !== "restart") await keep(log, paths, loaded);
    return plan.changed.length > 0 ? plan : undefined;
  };
  const listeners = new Set<(plan: ReloadPlan) => void>();
  const checks = new Set<RestartCheck>();
  const announce = (plan: ReloadPlan | undefined) => {
    if (!plan) return;
    if (plan.needRestart.length > 0 && plan.action !== "restart")
      log.warn("config changes wait for a restart", { paths: plan.needRestart.join(", ") });
    log.info("config changed", { action: plan.action, paths: plan.changed.join(", ") });
    for (const listener of listeners) listener(plan);
  };
  const reload = () =>
    inTurn(async () => {
      const loaded = await loadConfig(options);
      if (loaded.hash === file.hash && loaded.files.length === 0 && file.files.length === 0)
        return undefined;
      const moved = loaded.path !== file.path;
      // Also when one of an older name lies beneath: it is hardly meant to take over while the other one is being replaced.
      const gone = file.path;
      if (file.exists && (moved ? !existsSync(file.path) : !loaded.exists)) {
        file = loaded;
        log.warn("the config file is gone; the running config stays", {
          file: gone,
          hint: "Put it back, or restart the gateway to go on without one.",
        });
        return undefined;
      }
      if (!loaded.config) {
        file = loaded;
        log.warn("the changed config cannot be used; the running one stays", {
          problem: loaded.errors.map(describe).join(" "),
        });
        return undefined;
      }
      tell(log, loaded);
      if (moved) tellOthers(paths, log);
      const plan = await take(loaded);
      announce(plan);
      return plan;
    });

  return {
    get path() {
      return paths.configPath;
    },
    current: () => active.config,
    env: () => active.env,
    snapshot() {
      if (shown?.of !== file) shown = { of: file, view: snapshotOf(file) };
      return shown.view;
    },
    loaded: () => file,
    ...(recovered && { recovered }),
    proven,
    get nixMode() {
      return active.env.nixMode;
    },
    edit: (changes) =>
      inTurn(async () => {
        const { loaded, changed } = await editFile(
          { ...options, strictVariables: true, now: clock.now() },
          changes,
        );
        if (changed.length > 0) announce(await take(loaded));
        return { changed };
      }),
    reload,
    watch(onChange, check) {
      listeners.add(onChange);
      if (check) checks.add(check);
      const leave = () => {
        listeners.delete(onChange);
        if (check) checks.delete(check);
      };
      if (active.config.gateway.reload.mode === "off") return leave;
      const stop = watchFiles({
        files: () => [...new Set([paths.configPath, file.path, ...file.files])],
        debounceMs: () => active.config.gateway.reload.debounceMs,
        onChange: async () => {
          await reload();
        },
        clock,
        log,
      });
      return () => {
        leave();
        stop();
      };
    },
  };
}

/** Reads, changes and writes the file once; what `edit` and `clawdbot config set` share. */
export async function editFile(
  { now, ...options }: Omit<LoadOptions, "text"> & { now: number },
  changes: readonly Change[],
): Promise<{ loaded: Loaded; changed: string[] }> {
  const base = await loadConfig(options);
  refuseInNixMode(base.env, "config");
  const { changed } = editText(base, changes);
  if (changed.length === 0) return { loaded: base, changed: [] };
  const { text } = editText(base, [...changes, ...stamp(base, now)]);
  const loaded = await writeConfig({ ...options, base, text });
  return { loaded, changed: changed.map(formatPath) };
}

/** Who wrote it last. Left out where `meta` comes from an included file. */
function stamp(base: Loaded, now: number): Change[] {
  const meta = base.tree?.kind === "object" && base.tree.members.find((m) => m.key === "meta");
  if (meta && meta.value.doc.name !== base.path) return [];
  return [
    { kind: "set", path: ["meta", "lastTouchedVersion"], value: VERSION },
    { kind: "set", path: ["meta", "lastTouchedAt"], value: new Date(now).toISOString() },
  ];
}

/** In Nix mode no copy is kept, because none is ever used. */
async function keep(log: Logger, paths: Paths, loaded: Loaded): Promise<void> {
  if (!loaded.env.nixMode) await tolerate(log, keepLastGood(paths, loaded));
}

/** Keeping house around the config must not keep the gateway from running on a full or read-only disk. */
async function tolerate(log: Logger, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (cause) {
    const code = errnoOf(cause) ?? "";
    if (!["EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EISDIR"].includes(code)) throw cause;
    log.warn("no copy of the working config could be kept", { code });
  }
}

async function recover(
  options: OpenOptions,
  broken: Loaded,
  now: number,
): Promise<{ loaded: Loaded; recovered: Recovered }> {
  const good = options.useLastGood && !broken.env.nixMode ? await loadLastGood(options) : undefined;
  if (!good) throw configInvalid(broken.path, broken.errors, { fix: nixFix(broken.env, "config") });
  const copy = await setAside(broken, now);
  const problem = broken.errors.map(describe).join(" ");
  const lost = broken.parsed === undefined ? [] : differences(good.loaded.parsed, broken.parsed);
  options.log.error("the config cannot be used; the last good one is", {
    problem,
    file: broken.path,
    setAside: copy ?? "nowhere",
    savedAt: new Date(good.savedAt).toISOString(),
    notInForce: lost.length > 0 ? lost.join(", ") : "everything changed since then",
  });
  return {
    loaded: good.loaded,
    recovered: { problem, ...(copy && { setAside: copy }), savedAt: good.savedAt, lost },
  };
}

/** Warnings, one line each; older spellings and inactive parts, one line for all of them. */
function tell(log: Logger, loaded: Loaded): void {
  for (const warning of loaded.env.warnings) log.warn(warning);
  for (const warning of loaded.warnings.slice(0, 20))
    log.warn(describe(warning), { ...(warning.hint && { hint: warning.hint }) });
  if (loaded.warnings.length > 20)
    log.warn("more config warnings", { count: loaded.warnings.length - 20 });
  if (loaded.moved.length > 0)
    log.info("older config keys are read under their new names", {
      keys: loaded.moved
        .map(({ from, to }) => `${formatPath(from)} → ${formatPath(to)}`)
        .join(", "),
    });
  if (loaded.inactive.length > 0)
    log.info("not active yet, kept in the config", { keys: loaded.inactive.join(", ") });
}

/** One warning about config files of other names beside the one in use. */
function tellOthers(paths: Paths, log: Logger): void {
  const others = otherConfigs(paths).map((path) => basename(path));
  if (others.length === 0 || !existsSync(paths.configPath)) return;
  log.warn(`${basename(paths.configPath)} is used, not ${others.join(" or ")} beside it`, {
    file: paths.configPath,
    hint: "Put everything into one of them and remove the other.",
  });
}
