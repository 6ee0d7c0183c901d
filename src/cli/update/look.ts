/** `update status`: what is installed, what there is, and what the way back is. Changes nothing. */
import { existsSync } from "node:fs";

import { PRODUCT, VERSION } from "../../base/brand.ts";
import { toAppError } from "../../base/errors.ts";
import { lockOwner } from "../../base/lock.ts";
import { readJournal } from "../../service/update/journal.ts";
import { isOlder, newestVersion } from "../../service/update/release.ts";
import type { Cli } from "../command.ts";
import { safeText } from "../out.ts";
import { openScene, type Scene, sourceOf } from "./scene.ts";

const START_MS = 5000;

/** What a program says of itself; undefined when it does not start. */
export async function versionOf(program: string): Promise<string | undefined> {
  const child = Bun.spawn([program, "--version"], {
    stdio: ["ignore", "pipe", "ignore"],
    timeout: START_MS,
    killSignal: "SIGKILL",
  });
  const said = (await new Response(child.stdout).text()).trim();
  return (await child.exited) === 0 && said ? said.split("\n")[0] : undefined;
}

export async function runStatus(
  cli: Cli,
  { json, timeoutMs }: { json: boolean; timeoutMs: number },
): Promise<void> {
  const scene = openScene(cli);
  const { place, managed, channel } = scene;
  const [newest, previous] = await Promise.all([
    askNewest(cli, scene, timeoutMs),
    existsSync(place.previous) ? versionOf(place.previous) : undefined,
  ]);
  const journal = readJournal(cli.paths.stateDir);
  const owner = lockOwner(cli.paths.lockPath);
  const available = newest.version !== undefined && isOlder(VERSION, newest.version);
  if (json)
    return cli.out.data({
      version: VERSION,
      program: place.program,
      mode: managed?.by ?? "binary",
      managed: managed ?? null,
      channel,
      source: newest.source ?? null,
      newest: newest.version ?? null,
      problem: newest.problem ?? null,
      available,
      previous: previous ? { version: previous, path: place.previous } : null,
      pending: journal && journal.phase !== "done" ? journal : null,
      gateway: owner ? { pid: owner.pid, version: owner.version } : null,
    });
  const rows: [string, string][] = [
    ["Installed", `${PRODUCT} ${VERSION} (${place.program})`],
    ["Channel", channel],
    ["Newest", newest.version ?? `unknown: ${newest.problem}`],
    ["Gateway", owner ? `runs ${owner.version || "an unknown version"}` : "does not run"],
    ["Before", previous ? `${previous} (${place.previous})` : "none is kept"],
  ];
  if (journal && journal.phase !== "done")
    rows.push(["Pending", `${journal.from} to ${journal.to}: ${journal.phase}`]);
  cli.out.pairs(rows);
  const command = `${cli.name}${cli.profileFlag}`;
  if (managed) cli.out.line(`${managed.message}\n${safeText(managed.hint)}`);
  else if (available) cli.out.line(`To update: ${command} update`);
  else if (newest.version) cli.out.line("This is the newest version.");
  if (previous && !managed) cli.out.line(`To go back: ${command} update rollback`);
}

type Newest = { version?: string; source?: string; problem?: string };

/** Without a network the rest is worth telling all the same. */
async function askNewest(cli: Cli, scene: Scene, timeoutMs: number): Promise<Newest> {
  // With Nix nothing is looked for: what there is, the Nix configuration decides.
  if (scene.managed?.by === "nix") return { problem: "not asked in Nix mode" };
  try {
    const source = sourceOf(cli, scene);
    const signal = AbortSignal.timeout(timeoutMs);
    const version = await newestVersion(source, scene.channel, signal);
    return { version, source: source.base };
  } catch (cause) {
    const late = cause instanceof Error && cause.name === "TimeoutError";
    return { problem: late ? `no answer within ${timeoutMs / 1000} s` : toAppError(cause).message };
  }
}
