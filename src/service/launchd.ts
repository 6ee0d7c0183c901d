/**
 * The service as a launch agent of macOS: it runs while the user is logged in. launchd writes what the gateway says to a file that
 * grows for ever, so the gateway itself keeps that file small (launchd-log.ts); its own log rotates.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";

import { PRODUCT } from "../base/brand.ts";
import { AppError } from "../base/errors.ts";
import { lastLines } from "../base/fs.ts";
import { waitUntil } from "../base/time.ts";
import { LAUNCHD_MARKER, launchdLogPath } from "./launchd-log.ts";
import { failure } from "./obstacles.ts";
import { type PlistValue, readPlist, writePlist } from "./plist.ts";
import { must, NOT_FOUND, type Ran, toolRunner } from "./run-tool.ts";
import { moveAside, readService, readText, removeService, replaceService } from "./service-file.ts";
import type {
  Definition,
  Finding,
  OlderService,
  ServiceManager,
  Surroundings,
  Wanted,
} from "./service.ts";

/** launchd lets go of an agent some time after `bootout` has returned; how long to wait, in ms. */
const GONE_MS = 10_000;
/** Between two starts of an agent that ends at once, in seconds. */
const THROTTLE_SECONDS = 10;

/** Labels of older versions of the program, newest first. A profile called `gateway` had the label of the default one. */
const olderLabels = (profile: string | undefined): string[] =>
  profile === "gateway"
    ? []
    : profile
      ? [`ai.openclaw.${profile}`, `bot.molt.${profile}`, `com.${PRODUCT}.${profile}`]
      : ["ai.openclaw.gateway", "bot.molt.gateway", "com.steipete.clawdbot.gateway"];

export function launchd(around: Surroundings): ServiceManager {
  const { home, profile, stateDir, uid = 0 } = around;
  const tool = toolRunner(around.vars);
  const label = `com.${PRODUCT}.gateway${profile ? `.${profile}` : ""}`;
  const folder = join(home, "Library/LaunchAgents");
  const pathOf = (name: string) => join(folder, `${name}.plist`);
  const source = pathOf(label);
  const domain = `gui/${uid}`;
  const errors = launchdLogPath(stateDir);
  const target = (name: string) => `${domain}/${name}`;
  const loaded = async (name: string): Promise<Ran | undefined> => {
    const ran = await tool(["launchctl", "print", target(name)]);
    return ran.code === 0 ? ran : undefined;
  };
  const hint = `To see why: launchctl print ${target(label)}`;
  const change = async (doing: string, ...words: string[]) =>
    must(await tool(["launchctl", ...words]), doing, hint);

  async function unload(name: string): Promise<void> {
    if (!(await loaded(name))) return;
    await change(`Stopping ${name}`, "bootout", target(name));
    if (await waitUntil(async () => !(await loaded(name)), GONE_MS)) return;
    throw new AppError("service_failed", `launchd does not let go of ${name}.`, {
      hint: `By hand: launchctl bootout ${target(name)}`,
    });
  }

  async function load(): Promise<void> {
    // An agent that was turned off once would be refused.
    await change("Turning the service on", "enable", target(label));
    await change("Starting the service", "bootstrap", domain, source);
  }

  async function obstacle() {
    const ran = await tool(["launchctl", "print", domain]);
    if (ran.code === 0) return undefined;
    if (ran.code === NOT_FOUND)
      return { message: "launchctl is not there.", hint: "Put /bin on the PATH and repeat." };
    return {
      message: `launchd has no session of this user (${domain}): ${ran.err.split("\n")[0]}`,
      hint: "Log in on the Mac's screen (or by screen sharing) once; an ssh session alone has no launch agents.",
    };
  }

  const define = (text: string, at: string): Definition => definitionOf(readPlist(text), at);
  const textFor = (wanted: Wanted) => writePlist(agentOf(wanted, label, errors));

  return {
    marker: LAUNCHD_MARKER,
    label: "LaunchAgent",
    words: { loaded: "loaded", notLoaded: "not loaded" },
    name: label,
    source,
    advice: { state: `launchctl print ${target(label)}`, log: `tail -n 50 '${errors}'` },
    obstacle,
    async prepare() {
      const problem = await obstacle();
      if (problem) throw failure(problem);
      return [];
    },
    read: () => readService(source, (text) => define(text, source)),
    upToDate: async (wanted) => (await readText(source)) === textFor(wanted),
    async install(wanted) {
      const text = textFor(wanted);
      await mkdir(dirname(errors), { recursive: true, mode: 0o700 });
      const wasLoaded = (await loaded(label)) !== undefined;
      const take = async () => {
        // What launchd has in memory is the former file.
        await unload(label);
        await load();
      };
      const retell = async () => {
        if (wasLoaded) await tool(["launchctl", "bootstrap", domain, source]);
      };
      await replaceService(source, text, 0o644, take, retell);
    },
    async uninstall() {
      const there = existsSync(source);
      if (!there && !(await loaded(label))) return false;
      await unload(label);
      if (there && existsSync(join(home, ".Trash"))) await moveAside(source, join(home, ".Trash"));
      else await removeService(source);
      await removeService(errors);
      return true;
    },
    async start() {
      if (await loaded(label)) await change("Starting the service", "kickstart", target(label));
      else await load();
    },
    // It comes back at the next login; as long as launchd knows it, it would be started again at once.
    stop: () => unload(label),
    async restart() {
      if (await loaded(label))
        await change("Restarting the service", "kickstart", "-k", target(label));
      else await load();
    },
    async state() {
      const installed = existsSync(source);
      const problem = await obstacle();
      if (problem)
        return { installed, enabled: false, running: false, detail: "unknown", obstacle: problem };
      const out = (await loaded(label))?.out;
      const fact = (name: string) => new RegExp(`^\\s*${name} = (.+)$`, "m").exec(out ?? "")?.[1];
      const pid = Number(fact("pid") ?? 0);
      const code = Number(fact("last exit code"));
      const runs = Number(fact("runs"));
      return {
        installed,
        enabled: installed && out !== undefined,
        running: pid > 0,
        detail: out === undefined ? "not loaded" : (fact("state") ?? "loaded"),
        ...(pid > 0 && { pid }),
        ...(runs > 1 && { restarts: runs - 1 }),
        ...(Number.isInteger(code) && { lastExit: { code } }),
      };
    },
    audit: auditAgent,
    async older() {
      const found: OlderService[] = [];
      for (const name of olderLabels(profile)) {
        const path = pathOf(name);
        const definition = await readService(path, (text) => define(text, path));
        if (definition) found.push({ name, definition });
        else if (await loaded(name)) found.push({ name });
      }
      return found;
    },
    async retire({ name, definition }, into) {
      await unload(name);
      return definition && moveAside(definition.source, into);
    },
    logs: (count) => lastLines(errors, count),
  };
}

function agentOf(wanted: Wanted, label: string, errors: string): PlistValue {
  return {
    Label: label,
    Comment: `Clawdbot gateway${wanted.profile ? ` (profile ${wanted.profile})` : ""}, made by clawdbot gateway install`,
    ProgramArguments: wanted.command,
    WorkingDirectory: wanted.workingDirectory,
    EnvironmentVariables: wanted.environment,
    RunAtLoad: true,
    KeepAlive: true,
    ThrottleInterval: THROTTLE_SECONDS,
    // Longer than a stop of the gateway may take (5 s), then it is killed.
    ExitTimeOut: 30,
    ProcessType: "Background",
    Umask: 0o77,
    StandardOutPath: "/dev/null",
    StandardErrorPath: errors,
  };
}

const textOf = (value: PlistValue | undefined): string =>
  typeof value === "object" ? "set" : String(value ?? "");

function definitionOf(value: PlistValue, source: string): Definition {
  const agent = typeof value === "object" && !Array.isArray(value) ? value : {};
  const words = agent["ProgramArguments"];
  const vars = agent["EnvironmentVariables"];
  const folder = agent["WorkingDirectory"];
  return {
    command: Array.isArray(words) ? words.map(textOf) : [],
    environment:
      typeof vars === "object" && !Array.isArray(vars)
        ? Object.fromEntries(Object.entries(vars).map(([name, each]) => [name, textOf(each)]))
        : {},
    ...(typeof folder === "string" && { workingDirectory: folder }),
    source,
    settings: Object.fromEntries(Object.entries(agent).map(([key, each]) => [key, textOf(each)])),
  };
}

function auditAgent({ settings }: Definition): Finding[] {
  const found: Finding[] = [];
  // A dictionary of conditions counts: somebody thought about it.
  if (!["true", "set"].includes(settings["KeepAlive"] ?? ""))
    found.push({
      code: "launchd-keep-alive",
      message: "launchd does not start the gateway again when it ends (KeepAlive is missing).",
    });
  if (settings["RunAtLoad"] !== "true")
    found.push({
      code: "launchd-run-at-load",
      message: "The gateway does not start at login (RunAtLoad is missing).",
    });
  return found;
}
