/** `update` and `update rollback`: find, check, try, put in place, hand over. Until the file is in its place nothing is changed. */
import { existsSync } from "node:fs";

import { PRODUCT, VERSION } from "../../base/brand.ts";
import { AppError } from "../../base/errors.ts";
import { type Journal, writeJournal } from "../../service/update/journal.ts";
import { notOurs } from "../../service/update/managed.ts";
import {
  checkWritable,
  claim,
  swapIn,
  swapWithPrevious,
  updateReceipt,
} from "../../service/update/place.ts";
import { RELEASE_KEY } from "../../service/update/release-key.ts";
import {
  type Channel,
  isOlder,
  isVersion,
  newestVersion,
  readRelease,
  type Release,
  targetOf,
} from "../../service/update/release.ts";
import type { Source } from "../../service/update/source.ts";
import { tryVersion } from "../../service/update/trial.ts";
import { latest, MIGRATIONS } from "../../store/sqlite/migrations.ts";
import { canAsk, openAsk } from "../ask.ts";
import type { Cli } from "../command.ts";
import { formatBytes } from "../progress.ts";
import { checkRoom, fetchProgram } from "./fetch.ts";
import { versionOf } from "./look.ts";
import { type Outcome, Report } from "./report.ts";
import { clearLeftovers, openScene, type Scene, sourceOf } from "./scene.ts";
import { takeOver } from "./takeover.ts";

export type UpdateWish = {
  channel?: Channel | undefined;
  /** A version, with or without a `v` before it. */
  tag?: string | undefined;
  yes: boolean;
  restart: boolean;
  dryRun: boolean;
  json: boolean;
  /** Longest wait for the network, in ms. */
  timeoutMs: number;
};

/** @returns the exit code. Throws AppError; with --json everything is said as JSON instead. */
export async function runUpdate(cli: Cli, wish: UpdateWish): Promise<number> {
  const scene = openScene(cli, wish.channel);
  const report = new Report(cli, scene.root, scene.managed?.by);
  return report.tell(wish.json, () =>
    withSignals(wish.timeoutMs, (signal) => update(cli, wish, scene, report, signal)),
  );
}

async function update(
  cli: Cli,
  wish: UpdateWish,
  scene: Scene,
  report: Report,
  signal: AbortSignal,
): Promise<Outcome> {
  const { place, managed } = scene;
  if (managed || !RELEASE_KEY) throw notOurs(managed!);
  checkWritable(place);
  if (!wish.dryRun) await clearLeftovers(cli.paths, place);
  const source = sourceOf(cli, scene);
  const key = RELEASE_KEY;
  const version = await report.step("find", `${source.base} (${wish.tag ?? scene.channel})`, () =>
    wish.tag ? tagVersion(wish.tag) : newestVersion(source, scene.channel, signal),
  );
  const older = isOlder(version, VERSION);
  if (version === VERSION)
    return skipped("already-newest", `${PRODUCT} ${VERSION} is the newest version already.`, wish);
  if (older && !wish.tag)
    return skipped(
      "newest-is-older",
      `${PRODUCT} ${VERSION} is installed; the newest at ${source.base} is ${version}, which is older. To go back on purpose: --tag ${version}`,
      wish,
    );
  const release = await report.step("verify", "signature of SHA256SUMS", () =>
    readRelease(source, version, { key, signal }),
  );
  checkRoom(place, cli.paths, release);
  if (wish.dryRun) return plan(scene, source, release, wish);
  if (older) await confirm(cli, wish, `Go back from ${VERSION} to ${version}?`);
  const giveUp = claim(place);
  try {
    const candidate = await report.step("download", `${source.base}/${release.path}`, () =>
      fetchProgram({ cli, source, release, place, signal }),
    );
    return await install(
      { cli, wish, scene, report, signal },
      { candidate, version, swap: () => swapIn(place, candidate) },
      { channel: scene.channel, source: source.base, sha256: release.programSum },
    );
  } finally {
    giveUp();
  }
}

/** @returns the exit code. Goes back to the file that the last update kept. */
export async function runRollback(
  cli: Cli,
  wish: Pick<UpdateWish, "yes" | "restart" | "json">,
): Promise<number> {
  const scene = openScene(cli);
  const { place, managed } = scene;
  const report = new Report(cli, scene.root, managed?.by);
  const whole: UpdateWish = { ...wish, dryRun: false, timeoutMs: 600_000 };
  return report.tell(wish.json, () =>
    withSignals(whole.timeoutMs, async (signal) => {
      if (managed) throw notOurs(managed);
      if (!existsSync(place.previous))
        throw new AppError("not_found", "There is no version to go back to.", {
          hint: `An update keeps one as ${place.previous}. To take an older release: ${cli.name} update --tag <version>`,
          details: { reason: "no-previous" },
        });
      checkWritable(place);
      const version = await versionOf(place.previous);
      if (!version)
        throw new AppError("update_failed", `${place.previous} does not start.`, {
          details: { reason: "does-not-start" },
        });
      await confirm(cli, whole, `Go back from ${VERSION} to ${version}?`);
      await clearLeftovers(cli.paths, place);
      const giveUp = claim(place);
      try {
        return await install(
          { cli, wish: whole, scene, report, signal },
          { candidate: place.previous, version, swap: () => swapWithPrevious(place) },
          {},
        );
      } finally {
        giveUp();
      }
    }),
  );
}

type Doing = {
  cli: Cli;
  wish: UpdateWish;
  scene: Scene;
  report: Report;
  signal: AbortSignal;
};
type Next = { candidate: string; version: string; swap(): void };

/** Tries the file, puts it into its place, and has the gateway take it over. */
async function install(
  { cli, wish, scene, report, signal }: Doing,
  { candidate, version, swap }: Next,
  facts: { channel?: string; source?: string; sha256?: string },
): Promise<Outcome> {
  const { place } = scene;
  const { paths, env, out } = cli;
  out.note(`Trying ${PRODUCT} ${version} with a copy of your state …`);
  const trial = await report.step("try", `${candidate} gateway`, () =>
    tryVersion({ candidate, version, env, paths, signal }),
  );
  signal.throwIfAborted();
  const known = latest(MIGRATIONS);
  const journal: Journal = {
    schema: 1,
    kind: trial.schema > 0 && trial.schema < known ? "rollback" : "update",
    program: place.program,
    previous: place.previous,
    from: VERSION,
    to: version,
    schemaFrom: known,
    schemaTo: trial.schema,
    phase: "swapped",
    starts: 0,
    updater: process.pid,
    at: Date.now(),
  };
  await report.step("swap", `${candidate} -> ${place.program}`, async () => {
    await writeJournal(paths.stateDir, journal);
    swap();
  });
  const done = (lines: string[], gateway: string): Outcome => ({
    status: "ok",
    reason: null,
    after: version,
    lines: [`${PRODUCT} ${version} is installed (${VERSION} before).`, ...lines],
    extra: { previous: place.previous, gateway },
  });
  const back = `To go back: ${cli.name}${cli.profileFlag} update rollback`;
  const taken = wish.restart
    ? await report.step("restart", "gateway.replace.request", () => takeOver(cli, journal))
    : undefined;
  await updateReceipt(place, { version, ...facts });
  if (taken?.kind === "restarted") return done(["The gateway runs it.", back], "restarted");
  if (taken?.kind === "idle") return done(["No gateway runs.", back], "not-running");
  const restart = `${cli.name}${cli.profileFlag} gateway restart`;
  return done(
    taken
      ? [`The running gateway was left alone: ${taken.why}. Then: ${restart}`, back]
      : [`A running gateway goes on with ${VERSION}. To have the new one: ${restart}`, back],
    "left",
  );
}

function tagVersion(tag: string): string {
  const version = tag.replace(/^v/, "");
  if (isVersion(version)) return version;
  throw new AppError("usage", `"${tag.slice(0, 80)}" is not a version.`, {
    hint: "One looks like 2026.11.20 or 2026.11.20-beta.1.",
  });
}

const skipped = (reason: string, line: string, { dryRun }: UpdateWish): Outcome => ({
  status: "skipped",
  reason,
  after: VERSION,
  lines: [line],
  ...(dryRun && { extra: { dryRun } }),
});

function plan(
  { place, channel }: Scene,
  source: Source,
  release: Release,
  { tag, restart }: UpdateWish,
): Outcome {
  const { version, name, size } = release;
  const bytes = size === undefined ? "" : ` (${formatBytes(size)})`;
  return {
    status: "skipped",
    reason: "dry-run",
    after: VERSION,
    lines: [
      `Would install ${PRODUCT} ${version} for ${targetOf()} in the place of ${VERSION}.`,
      `  from    ${source.base}/${release.path}${bytes}, signed`,
      `  to      ${place.program}`,
      `  keep    the present one as ${place.previous}`,
      `  try     it with a copy of the state before`,
      ...(restart
        ? ["  then    the running gateway takes it over, or the present one comes back"]
        : []),
      "Nothing was changed (--dry-run).",
    ],
    extra: {
      dryRun: true,
      plan: {
        version,
        channel: tag ? null : channel,
        file: name,
        bytes: size ?? null,
        source: source.base,
        program: place.program,
        previous: place.previous,
        restart,
      },
    },
  };
}

/** Going back may lose what only the newer version knows, so a person says so, or --yes. */
async function confirm(cli: Cli, { yes, json }: UpdateWish, question: string): Promise<void> {
  if (yes) return;
  const declined = (message: string, hint: string) =>
    new AppError("usage", message, { hint, details: { reason: "not-confirmed" } });
  if (json || !canAsk())
    throw declined("Going back to an older version has to be confirmed.", "Add --yes.");
  const ask = openAsk(cli.out);
  try {
    if (!(await ask.yes(question, false)))
      throw declined("Nothing was changed.", "Add --yes to do it without a question.");
  } finally {
    ask.close();
  }
}

/** Ctrl-C stops what can be stopped, and what was made on the way is cleared away. */
async function withSignals<T>(
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const aborted = () => stop.abort(new AppError("aborted", "Stopped; nothing was changed."));
  const late = () =>
    stop.abort(
      new AppError("update_failed", `The update took longer than ${timeoutMs / 1000} s.`, {
        hint: "Nothing was changed. Give it more time with --timeout <seconds>.",
        details: { reason: "timeout" },
      }),
    );
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const timer = setTimeout(late, timeoutMs);
  for (const signal of signals) process.on(signal, aborted);
  try {
    return await work(stop.signal);
  } finally {
    clearTimeout(timer);
    for (const signal of signals) process.off(signal, aborted);
  }
}
