/**
 * The service as a unit of systemd: of the user (`systemctl --user`), which needs lingering to outlive the session, or of the whole
 * machine (`--system`), which root installs for one user.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

import { PRODUCT } from "../base/brand.ts";
import { AppError } from "../base/errors.ts";
import { waitUntil } from "../base/time.ts";
import { failure, noSystemd, unreachableManager } from "./obstacles.ts";
import { must, type Ran, type Tool, toolRunner } from "./run-tool.ts";
import { moveAside, readService, readText, removeService, replaceService } from "./service-file.ts";
import type {
  Definition,
  Finding,
  OlderService,
  ServiceManager,
  ServiceState,
  Surroundings,
  Wanted,
} from "./service.ts";
import { identifierOf, NO_RESTART, readUnit, STOP_SECONDS, writeUnit } from "./systemd-unit.ts";

/** What older versions of the program called the service, newest first. */
const OLDER_NAMES = ["openclaw-gateway", "moltbot-gateway"];
/** How long a user's systemd may take to come up, in ms. */
const MANAGER_MS = 10_000;
/** Longest wait for an answer that needs no work, in ms: a broken bus must not hang `gateway status`. */
const ANSWER_MS = 10_000;

const suffixed = (name: string, profile: string | undefined): string =>
  `${name}${profile ? `-${profile}` : ""}.service`;

/** @param root stands for `/` where tests have a folder of their own: the units of the machine, and the sign that systemd runs. */
export function systemd(
  around: Surroundings,
  { system = false, root = "/" }: { system?: boolean; root?: string } = {},
): ServiceManager {
  const { home, profile, uid = 0 } = around;
  // Sessions by `su` and `sudo` lack it, although the folder is there.
  const runtime = around.vars["XDG_RUNTIME_DIR"] ?? `/run/user/${uid}`;
  const tool: Tool = toolRunner({ ...around.vars, XDG_RUNTIME_DIR: runtime });
  const name = `${identifierOf(profile)}.service`;
  const folder = system ? join(root, "etc/systemd/system") : join(home, ".config/systemd/user");
  const source = join(folder, name);
  const flags = system ? [] : ["--user"];
  const shown = ["systemctl", ...flags].join(" ");
  const ask = (...words: string[]) =>
    tool(["systemctl", ...flags, ...words], { timeoutMs: ANSWER_MS });
  // A machine's unit waits for the network, which may take minutes; nobody should wait with it in silence.
  const atOnce = system ? ["--no-block"] : [];
  const wordsOf = (ran: Ran) => `${ran.err} ${ran.out}`;

  /** Changes something. A machine's systemd wants root, which `sudo` may give without a question. */
  async function change(doing: string, ...words: string[]): Promise<Ran> {
    let ran = await tool(["systemctl", ...flags, ...words]);
    if (ran.code !== 0 && system && uid !== 0 && REFUSED.test(wordsOf(ran)))
      ran = await tool(["sudo", "-n", "systemctl", ...words]);
    const command = `${system ? "sudo " : ""}${shown} ${words.filter((word) => !atOnce.includes(word)).join(" ")}`;
    return must(ran, doing, `To see why: ${shown} status ${name}. By hand: ${command}`);
  }

  async function obstacle() {
    if (!existsSync(join(root, "run/systemd/system")) || !Bun.which("systemctl", pathOf(around)))
      return noSystemd(around.vars, root);
    const ran = await ask("show", "--property=Version");
    if (ran.code === 0) return undefined;
    return system
      ? { message: `systemd does not answer: ${ran.err}`, hint: "Is the machine shutting down?" }
      : unreachableManager(ran.err, around.vars);
  }

  async function lingers(): Promise<boolean> {
    const ran = await tool(["loginctl", "show-user", String(uid), "--property=Linger", "--value"]);
    // It fails for a user who is not logged in and does not linger.
    return ran.code === 0 && ran.out === "yes";
  }

  /** Has the user's systemd run from boot on. Gives a line for the person. */
  async function startLingering(): Promise<string[]> {
    if (await lingers()) return [];
    const user = (await tool(["id", "-un"])).out || String(uid);
    for (const sudo of [[], ["sudo", "-n"]])
      if ((await tool([...sudo, "loginctl", "enable-linger", user])).code === 0)
        return [
          `Lingering is on for ${user} now: the gateway runs from boot on, and after you log out.`,
        ];
    return [
      `The gateway ends when you log out, because lingering is off and could not be turned on. To turn it on: sudo loginctl enable-linger ${user}`,
    ];
  }

  async function prepare(): Promise<string[]> {
    if (system && uid !== 0)
      throw new AppError("service_failed", "Only root can install a service of the machine.", {
        hint: `sudo "$(command -v ${PRODUCT})" gateway install --system`,
      });
    const first = await obstacle();
    if (first && (system || !existsSync(join(root, "run/systemd/system")))) throw failure(first);
    if (system) return [];
    const lines = await startLingering();
    // Only lingering brings it up; when that was refused there is nothing to wait for.
    await waitUntil(async () => !(await obstacle()) || !(await lingers()), MANAGER_MS);
    const last = await obstacle();
    if (last) throw failure(last);
    return lines;
  }

  async function state(): Promise<ServiceState> {
    const installed = existsSync(source);
    const problem = await obstacle();
    if (problem)
      return { installed, enabled: false, running: false, detail: "unknown", obstacle: problem };
    const { out } = await ask("show", name, `--property=${PROPERTIES.join(",")}`);
    const facts = Object.fromEntries(
      out.split("\n").map((line) => [line.split("=")[0], line.slice(line.indexOf("=") + 1)]),
    );
    const { ActiveState = "unknown", SubState = "", MainPID = "0", NRestarts = "0" } = facts;
    const running = ActiveState === "active" && MainPID !== "0";
    return {
      installed,
      enabled: facts["UnitFileState"] === "enabled",
      running,
      detail: `${ActiveState} (${SubState})`,
      ...(running && { pid: Number(MainPID) }),
      restarts: Number(NRestarts),
      ...exitOf(facts),
      ...(!system && { linger: await lingers() }),
    };
  }

  return {
    marker: "systemd",
    label: "systemd",
    words: { loaded: "enabled", notLoaded: "disabled" },
    name,
    source,
    advice: {
      state: `${shown} status ${name}`,
      log: `journalctl ${system ? "-u" : "--user -u"} ${name} -e`,
    },
    obstacle,
    prepare,
    read: () => readService(source, (text) => readUnit(text, source, home)),
    async install(wanted: Wanted) {
      const text = writeUnit(wanted, { system });
      const take = async () => {
        await change("Reading the new unit", "daemon-reload");
        const { out } = await ask("show", name, "--property=LoadState", "--value");
        if (out !== "loaded")
          throw new AppError("service_failed", `systemd does not take the unit ${source}: ${out}`, {
            hint: `To see why: systemd-analyze ${flags.join(" ")} verify '${source}'. Is HOME the home folder of this user?`,
          });
        await change("Having the service start by itself", "enable", name);
      };
      await replaceService(source, text, 0o644, take, () => ask("daemon-reload"));
    },
    upToDate: async (wanted) => (await readText(source)) === writeUnit(wanted, { system }),
    async uninstall() {
      if (!existsSync(source)) return false;
      await change("Stopping the service", "disable", "--now", name);
      await removeService(source);
      await change("Reading the units", "daemon-reload");
      // Fails for a unit that never failed; the state is gone either way.
      await ask("reset-failed", name);
      return true;
    },
    async start() {
      // After ten failures in a minute systemd would refuse also what a person asks for.
      await ask("reset-failed", name);
      await change("Starting the service", ...atOnce, "start", name);
    },
    async stop() {
      await change("Stopping the service", "stop", name);
    },
    async restart() {
      await ask("reset-failed", name);
      await change("Restarting the service", ...atOnce, "restart", name);
    },
    state,
    audit: (definition) => auditUnit(definition, system),
    async older() {
      const found: OlderService[] = [];
      for (const each of OLDER_NAMES) {
        const unit = suffixed(each, profile);
        const path = join(folder, unit);
        const definition = await readService(path, (text) => readUnit(text, path, home));
        if (definition) found.push({ name: unit, definition });
      }
      return found;
    },
    async retire({ name: unit, definition }, into) {
      await change(`Stopping ${unit}`, "disable", "--now", unit);
      const moved = definition && (await moveAside(definition.source, into));
      await change("Reading the units", "daemon-reload");
      return moved;
    },
    async logs(count) {
      const ran = await tool([
        ...["journalctl", ...flags, "-n", String(count), "--no-pager", "-o", "cat"],
        ...[
          `SYSLOG_IDENTIFIER=${identifierOf(profile)}`,
          "+",
          `${system ? "" : "USER_"}UNIT=${name}`,
        ],
      ]);
      if (ran.code !== 0 || ran.out.startsWith("-- ")) return [];
      const lines = ran.out.split("\n");
      // What was before the last start explains nothing.
      const start = lines.findLastIndex((line) => line.startsWith("Starting "));
      return lines.slice(Math.max(0, start));
    },
  };
}

const REFUSED = /access denied|authentication|not permitted|permission denied/i;
const PROPERTIES = [
  "ActiveState",
  "SubState",
  "UnitFileState",
  "MainPID",
  "NRestarts",
  "ExecMainCode",
  "ExecMainStatus",
  "ExecMainExitTimestamp",
];

const pathOf = ({ vars }: Surroundings) => ({ PATH: vars["PATH"] ?? "" });

/** `ExecMainCode` is the kernel's si_code: 1 for an exit, 2 and 3 for a signal. */
function exitOf(facts: Record<string, string>): Pick<ServiceState, "lastExit"> {
  const at = facts["ExecMainExitTimestamp"];
  const status = Number(facts["ExecMainStatus"]);
  if (!at) return {};
  return facts["ExecMainCode"] === "1"
    ? { lastExit: { code: status, at } }
    : { lastExit: { signal: String(status), at } };
}

function auditUnit({ settings }: Definition, system: boolean): Finding[] {
  const found: Finding[] = [];
  const say = (wrong: boolean, code: string, message: string) => {
    if (wrong) found.push({ code, message });
  };
  const { RestartSec = "", RestartPreventExitStatus = "", TimeoutStopSec = "" } = settings;
  say(
    settings["Restart"] !== "always",
    "systemd-restart",
    "systemd does not start the gateway again when it ends (Restart=always is missing).",
  );
  say(
    !/^5s?$/.test(RestartSec),
    "systemd-restart-sec",
    `systemd waits ${RestartSec || "100ms"} before it starts the gateway again, instead of 5 s (RestartSec).`,
  );
  say(
    !RestartPreventExitStatus.split(/\s+/).includes(String(NO_RESTART)),
    "systemd-restart-loop",
    `A start that cannot succeed is tried for ever (RestartPreventExitStatus=${NO_RESTART} is missing).`,
  );
  say(
    settings["KillMode"] !== "mixed",
    "systemd-kill-mode",
    "What the gateway has started may outlive it, or is ended before it (KillMode=mixed is missing).",
  );
  say(
    TimeoutStopSec !== "" && secondsOf(TimeoutStopSec) < STOP_SECONDS / 2,
    "systemd-stop-timeout",
    `systemd kills the gateway ${TimeoutStopSec} after it asked it to stop, before it may be done (TimeoutStopSec).`,
  );
  for (const [key, code] of [
    ["After", "systemd-after-network-online"],
    ["Wants", "systemd-wants-network-online"],
  ] as const)
    say(
      system && !(settings[key] ?? "").includes("network-online.target"),
      code,
      `The gateway may start before the network is up (${key}=network-online.target is missing).`,
    );
  return found;
}

/** `30`, `30s`, `1min 30s`; anything else counts as long. */
function secondsOf(text: string): number {
  const parts = [...text.matchAll(/(\d+)\s*(min|ms|s|)/g)];
  if (parts.length === 0) return Number.POSITIVE_INFINITY;
  const unit: Record<string, number> = { min: 60, ms: 0.001 };
  return parts.reduce((sum, [, n, name = ""]) => sum + Number(n) * (unit[name] ?? 1), 0);
}
