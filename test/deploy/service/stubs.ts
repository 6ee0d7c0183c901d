/**
 * Stand-ins for `launchctl`, `schtasks` and `systemctl`, each a real program on the PATH that records how it was called and keeps in
 * files what it was told. The launchctl really starts what the plist says, so a gateway can be run under it. Written without any
 * code of the program: a mistake in its plist writer must not be repeated here.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const LAUNCHCTL = `
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
const [verb, ...rest] = process.argv.slice(2);
const fail = (code, text) => { process.stderr.write(text + "\\n"); process.exit(code); };
const labelOf = (target) => target.split("/").slice(2).join("/");
const file = (label) => dir + "/loaded-" + label;
// Whoever inherits an orphan may not care that it has ended.
const alive = (pid) => { try { return !/\\) Z/.test(readFileSync("/proc/" + pid + "/stat", "utf8")); } catch { return false; } };
const begin = (plist) => {
  const read = Bun.spawnSync(["python3", "-c", "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))", plist]);
  if (read.exitCode !== 0) fail(5, "Bootstrap failed: 5: Input/output error");
  const agent = JSON.parse(read.stdout.toString());
  const child = Bun.spawn(agent.ProgramArguments, {
    cwd: existsSync(agent.WorkingDirectory) ? agent.WorkingDirectory : "/",
    env: agent.EnvironmentVariables, stdin: "ignore", stdout: "ignore",
    stderr: Bun.file(agent.StandardErrorPath),
  });
  child.unref();
  writeFileSync(file(agent.Label), JSON.stringify({ pid: child.pid, plist }));
};
const end = async (label, signal) => {
  const { pid } = JSON.parse(readFileSync(file(label), "utf8"));
  if (alive(pid)) process.kill(pid, signal);
  while (alive(pid)) await Bun.sleep(10);
};
if (verb === "print" && /^gui\\/\\d+$/.test(rest[0])) {
  if (existsSync(dir + "/no-session")) fail(113, "Bad request.\\nCould not find domain for user gui: 501");
  console.log(rest[0] + " = {\\n\\ttype = gui\\n}");
} else if (verb === "print") {
  const label = labelOf(rest[0]);
  if (!existsSync(file(label))) fail(113, 'Could not find service "' + label + '" in domain');
  const { pid } = JSON.parse(readFileSync(file(label), "utf8"));
  console.log(rest[0] + " = {\\n\\tstate = " + (alive(pid) ? "running\\n\\tpid = " + pid : "waiting\\n\\tlast exit code = 78") + "\\n\\truns = 1\\n}");
} else if (verb === "bootstrap") {
  if (existsSync(dir + "/refuse")) fail(5, "Bootstrap failed: 5: Input/output error");
  const label = rest[1].split("/").at(-1).replace(/\\.plist$/, "");
  if (existsSync(file(label))) fail(37, "Bootstrap failed: 37: Operation already in progress");
  begin(rest[1]);
} else if (verb === "bootout") {
  const label = labelOf(rest[0]);
  if (!existsSync(file(label))) fail(3, "Boot-out failed: 3: No such process");
  await end(label, "SIGTERM");
  rmSync(file(label));
} else if (verb === "kickstart") {
  const label = labelOf(rest.at(-1));
  if (!existsSync(file(label))) fail(113, "Could not find service");
  const { pid, plist } = JSON.parse(readFileSync(file(label), "utf8"));
  if (rest[0] === "-k") await end(label, "SIGKILL");
  else if (alive(pid)) process.exit(0);
  begin(plist);
} else if (verb !== "enable") fail(64, "Unrecognized subcommand: " + verb);
`;

const SCHTASKS = `
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
const words = process.argv.slice(2);
const value = (flag) => words[words.indexOf(flag) + 1];
const name = value("/TN");
const file = dir + "/task-" + name;
const running = dir + "/running";
const fail = (text) => { process.stderr.write("ERROR: " + text + "\\n"); process.exit(1); };
if (words.includes("/?")) process.exit(0);
if (words[0] === "/Create") {
  if (existsSync(dir + "/refuse")) fail("Access is denied.");
  const bytes = readFileSync(value("/XML"));
  if (bytes[0] !== 0xff || bytes[1] !== 0xfe) fail("The task XML is malformed.");
  writeFileSync(file, bytes.toString("utf16le"));
} else if (!existsSync(file)) fail("The system cannot find the file specified.");
else if (words[0] === "/Query" && words.includes("CSV"))
  console.log('"HOST","' + name + '","N/A","Bereit","Interaktiv","01.01.2026 10:00:00","267009","x"');
else if (words[0] === "/Query" && words.includes("/XML")) console.log(readFileSync(file, "utf8"));
else if (words[0] === "/Run") writeFileSync(running, "4242");
else if (words[0] === "/End") { if (!existsSync(running)) fail("not running"); rmSync(running); }
else if (words[0] === "/Delete") rmSync(file);
`;

const SYSTEMCTL = `
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
const words = process.argv.slice(2).filter((word) => word !== "--user");
const [verb, ...rest] = words;
const name = rest.find((word) => word.endsWith(".service"));
const unit = process.env.HOME + "/.config/systemd/user/" + name;
const mark = (what) => dir + "/" + what + "-" + name;
const fail = (text) => { process.stderr.write(text + "\\n"); process.exit(1); };
if (verb === "daemon-reload" && existsSync(dir + "/refuse")) fail("Failed to reload daemon: Access denied");
if (verb === "show" && !name) console.log("Version=252");
else if (verb === "show" && words.includes("--property=LoadState")) console.log(existsSync(unit) ? "loaded" : "not-found");
else if (verb === "show") {
  const on = existsSync(mark("running"));
  console.log("ActiveState=" + (on ? "active" : "inactive") + "\\nSubState=" + (on ? "running" : "dead") +
    "\\nUnitFileState=" + (existsSync(mark("enabled")) ? "enabled" : "disabled") + "\\nMainPID=" + (on ? 4242 : 0) + "\\nNRestarts=0");
} else if (verb === "enable") writeFileSync(mark("enabled"), "");
else if (verb === "disable") { rmSync(mark("enabled"), { force: true }); if (words.includes("--now")) rmSync(mark("running"), { force: true }); }
else if (verb === "start" || verb === "restart") { if (!existsSync(unit)) fail("Unit " + name + " not found."); writeFileSync(mark("running"), ""); }
else if (verb === "stop") rmSync(mark("running"), { force: true });
`;
const LOGINCTL = `console.log("yes");`;

const SOURCES = {
  launchctl: LAUNCHCTL,
  schtasks: SCHTASKS,
  systemctl: SYSTEMCTL,
  loginctl: LOGINCTL,
};

export type Stubs = {
  /** For PATH: the stand-ins, before the rest of this machine's. */
  path: string;
  /** Each call as it was: `launchctl enable gui/0/…`. */
  calls(): string[];
  /** Makes the supervisor refuse new services, or take them again. */
  refuse(on: boolean): Promise<void>;
  file(name: string): string;
  [Symbol.dispose](): void;
};

export async function makeStubs(): Promise<Stubs> {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "clawdbot-stubs-")));
  const bin = join(dir, "bin");
  mkdirSync(bin);
  const record = join(dir, "calls");
  await Bun.write(record, "");
  for (const [name, source] of Object.entries(SOURCES)) {
    const code = `import { appendFileSync } from "node:fs";\nconst dir = ${JSON.stringify(dir)};\nappendFileSync(${JSON.stringify(record)}, [${JSON.stringify(name)}, ...process.argv.slice(2)].join(" ") + "\\n");\n${source}`;
    await Bun.write(join(dir, `${name}.ts`), code);
    const start = `#!/bin/sh\nexec '${process.execPath}' '${join(dir, `${name}.ts`)}' "$@"\n`;
    await Bun.write(join(bin, name), start);
    chmodSync(join(bin, name), 0o755);
  }
  return {
    path: `${bin}:/usr/local/bin:/usr/bin:/bin`,
    calls: () => readFileSync(record, "utf8").split("\n").filter(Boolean),
    async refuse(on) {
      if (on) await Bun.write(join(dir, "refuse"), "");
      else rmSync(join(dir, "refuse"), { force: true });
    },
    file: (name) => join(dir, name),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}
