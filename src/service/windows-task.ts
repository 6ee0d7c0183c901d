/**
 * The service as a scheduled task of Windows that starts at logon. A task cannot set variables, so it runs a small batch file in the
 * state folder, which does.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

import { AppError } from "../base/errors.ts";
import { waitUntil } from "../base/time.ts";
import { failure } from "./obstacles.ts";
import { must, NOT_FOUND, toolRunner } from "./run-tool.ts";
import { readService, readText, removeService, replaceService } from "./service-file.ts";
import type { Definition, OlderService, ServiceManager, Surroundings, Wanted } from "./service.ts";

/** Names of older versions of the program, newest first. */
const OLDER_NAMES = ["OpenClaw Gateway", "Moltbot Gateway"];
/** How long an ended task may take until its gateway is gone, in ms. */
const STOP_MS = 10_000;
/** `schtasks /Query /V /FO CSV`: the column with the last result. Titles are translated, places are not. */
const RESULT_COLUMN = 6;

const named = (name: string, profile: string | undefined) =>
  profile ? `${name} (${profile})` : name;

export function windowsTask(around: Surroundings): ServiceManager {
  const { profile, stateDir, running } = around;
  const tool = toolRunner(around.vars);
  const name = named("Clawdbot Gateway", profile);
  const script = join(stateDir, "gateway.cmd");
  const task = (...words: string[]) => tool(["schtasks", ...words]);
  const change = async (doing: string, ...words: string[]) =>
    must(await task(...words), doing, `To see why: schtasks /Query /TN "${name}" /V /FO LIST`);
  const known = async (which: string) => (await task("/Query", "/TN", which)).code === 0;

  async function obstacle() {
    const ran = await tool(["schtasks", "/Query", "/?"]);
    if (ran.code !== NOT_FOUND) return undefined;
    return {
      message: "schtasks is not there, so there is no service to install.",
      hint: "Put C:\\Windows\\System32 on the PATH and repeat.",
    };
  }

  async function stop(): Promise<void> {
    // Fails when the task does not run.
    await task("/End", "/TN", name);
    const pid = running();
    if (pid === undefined) return;
    // Ending a task ends the shell that runs the batch file, not always what that has started.
    await tool(["taskkill", "/PID", String(pid), "/T", "/F"]);
    if (await waitUntil(() => running() === undefined, STOP_MS)) return;
    throw new AppError("service_failed", `The gateway does not end (PID ${pid}).`, {
      hint: "End it in the Task Manager, then repeat.",
    });
  }

  const read = () => readService(script, (text) => readScript(text, script));

  return {
    marker: "schtasks",
    label: "Scheduled Task",
    words: { loaded: "registered", notLoaded: "missing" },
    name,
    source: script,
    advice: {
      state: `schtasks /Query /TN "${name}" /V /FO LIST`,
      log: "clawdbot logs",
    },
    obstacle,
    async prepare() {
      const problem = await obstacle();
      if (problem) throw failure(problem);
      return [];
    },
    async read() {
      return (await known(name)) ? read() : undefined;
    },
    upToDate: async (wanted) => (await readText(script)) === writeScript(wanted),
    async install(wanted) {
      const file = join(stateDir, "gateway.task.xml");
      const take = async () => {
        // The task scheduler takes nothing but UTF-16 with its mark.
        const xml = Buffer.from(`\ufeff${writeTask(script, stateDir)}`, "utf16le");
        await Bun.write(file, xml);
        try {
          const words = ["/Create", "/F", "/TN", name, "/XML", file];
          await change("Registering the task", ...words);
        } finally {
          await removeService(file);
        }
      };
      await replaceService(script, writeScript(wanted), 0o600, take, async () => undefined);
    },
    async uninstall() {
      const there = await known(name);
      if (!there && !existsSync(script)) return false;
      if (there) {
        await stop();
        await change("Removing the task", "/Delete", "/F", "/TN", name);
      }
      await removeService(script);
      return true;
    },
    async start() {
      await change("Starting the task", "/Run", "/TN", name);
    },
    stop,
    async restart() {
      await stop();
      await change("Starting the task", "/Run", "/TN", name);
    },
    async state() {
      const problem = await obstacle();
      const none = { installed: false, enabled: false, running: false };
      if (problem) return { ...none, detail: "unknown", obstacle: problem };
      const { code, out } = await task("/Query", "/TN", name, "/V", "/FO", "CSV", "/NH");
      if (code !== 0) return { ...none, detail: "missing" };
      const pid = running();
      const last = Number(out.split('","')[RESULT_COLUMN]);
      return {
        installed: true,
        enabled: true,
        running: pid !== undefined,
        detail: pid === undefined ? "ready" : "running",
        ...(pid !== undefined && { pid }),
        ...(Number.isInteger(last) && { lastExit: { code: last } }),
      };
    },
    audit: () => [],
    async older() {
      const found: OlderService[] = [];
      for (const each of OLDER_NAMES) {
        const which = named(each, profile);
        if (await known(which)) found.push({ name: which });
      }
      return found;
    },
    async retire({ name: which }, into) {
      const { code, out } = await task("/Query", "/TN", which, "/XML");
      await task("/End", "/TN", which);
      await change(`Removing the task ${which}`, "/Delete", "/F", "/TN", which);
      if (code !== 0) return undefined;
      const copy = join(into, `${which}.xml`);
      await Bun.write(copy, out);
      return copy;
    },
    logs: async () => [],
  };
}

/** Never throws: what it does not understand in the file is left out. */
function readScript(text: string, source: string): Definition {
  const found: Definition = { command: [], environment: {}, source, settings: {} };
  for (const line of text.split(/\r?\n/)) {
    const [, variable, value] = /^set "(\w+)=(.*)"$/.exec(line) ?? [];
    if (variable) found.environment[variable] = value!.replaceAll("%%", "%");
    else if (line.startsWith('"'))
      found.command = [...line.matchAll(/"([^"]*)"/g)].map((m) => m[1]!.replaceAll("%%", "%"));
    else if (line.startsWith("cd /d "))
      found.workingDirectory = line.slice(7, -1).replaceAll("%%", "%");
  }
  return found;
}

/** One value between double quotes of a batch file. Throws usage for what cannot stand there. */
function inBatch(value: string): string {
  // oxlint-disable-next-line no-control-regex
  if (/["\u0000-\u001f]/.test(value))
    throw new AppError("usage", `${value} cannot stand in a batch file.`, {
      hint: "A service cannot be made with it. Use a folder with an ordinary name.",
    });
  return value.replaceAll("%", "%%");
}

function writeScript(wanted: Wanted): string {
  return [
    "@echo off",
    "rem Made by clawdbot gateway install, which replaces it.",
    "chcp 65001 >nul",
    `cd /d "${inBatch(wanted.workingDirectory)}"`,
    ...Object.entries(wanted.environment).map(([name, value]) => `set "${name}=${inBatch(value)}"`),
    wanted.command.map((word) => `"${inBatch(word)}"`).join(" "),
    "",
  ].join("\r\n");
}

/** The task itself. Without the settings Windows would end it after three days, and on battery not start it at all. */
function writeTask(script: string, folder: string): string {
  const xml = Bun.XML.stringify({
    Task: {
      "@version": "1.2",
      "@xmlns": "http://schemas.microsoft.com/windows/2004/02/mit/task",
      RegistrationInfo: { Description: "Clawdbot gateway" },
      Triggers: { LogonTrigger: { Enabled: "true" } },
      Principals: {
        Principal: { "@id": "Author", LogonType: "InteractiveToken", RunLevel: "LeastPrivilege" },
      },
      Settings: {
        MultipleInstancesPolicy: "IgnoreNew",
        DisallowStartIfOnBatteries: "false",
        StopIfGoingOnBatteries: "false",
        StartWhenAvailable: "true",
        ExecutionTimeLimit: "PT0S",
        RestartOnFailure: { Interval: "PT1M", Count: "999" },
      },
      Actions: {
        "@Context": "Author",
        Exec: { Command: script, WorkingDirectory: folder },
      },
    },
  });
  return `<?xml version="1.0" encoding="UTF-16"?>\n${xml}`;
}
