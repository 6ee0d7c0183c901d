/**
 * The portable executable starts where nothing is: an empty root file system with /proc and /dev, and one with busybox and musl.
 * Everything that asks the C library for something is tried there: names, threads, children, the database, re-executing.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { needsOf, plainOf } from "../../../scripts/portable/carry.ts";
import { BINARY, startGatewayProcess } from "../../e2e/binary.ts";
import { run } from "../lab.ts";
import {
  asRuntime,
  gatewayOf,
  inRoot,
  insideEnv,
  isPortable,
  makeRoot,
  MAPS,
  noMounts,
  workFolder,
} from "./rig.ts";

setDefaultTimeout(60_000);
const why = noMounts();
const work = workFolder();
afterAll(work.remove);
const VERSION = /^\d{4}\.\d+\.\d+\S*\n$/;

/** Prints one line of JSON, and then replaces itself by the same executable. */
const PROBE = `
const fs = require("node:fs");
const { Database } = require("bun:sqlite");
const db = new Database("/probe.sqlite");
db.run("create virtual table notes using fts5(text)");
db.run("insert into notes values ('a needle in hay')");
const worker = new Worker(URL.createObjectURL(new Blob(["postMessage(6 * 7)"])));
const thread = await new Promise((done) => { worker.onmessage = (e) => done(e.data); });
worker.terminate();
const child = Bun.spawnSync([process.execPath, "-e", "console.log(process.execPath)"], { env: { BUN_BE_BUN: "1" } });

const server = require("node:dgram").createSocket("udp4");
server.on("message", (query, from) => {
  const question = query.subarray(12, query.indexOf(0, 12) + 5);
  const wanted = question.readUInt16BE(question.length - 4) === 1;
  const head = Buffer.from(query.subarray(0, 12));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(wanted ? 1 : 0, 6);
  head.fill(0, 8);
  const answer = wanted ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 2, 3]) : Buffer.alloc(0);
  server.send(Buffer.concat([head, question, answer]), from.port, from.address);
});
await new Promise((done) => server.bind(53, "127.0.0.1", done));
fs.mkdirSync("/etc", { recursive: true });
fs.writeFileSync("/etc/resolv.conf", "nameserver 127.0.0.1\\n");
const [name] = await Bun.dns.lookup("carried.test", { backend: "libc" });

console.log(JSON.stringify({
  found: db.query("select * from notes where notes match 'needle'").all().length,
  thread,
  execPath: process.execPath,
  child: child.stdout.toString().trim(),
  zone: new Intl.DateTimeFormat("de", { timeZone: "Europe/Berlin", timeStyle: "short" }).format(0),
  flock: typeof require("bun:ffi").dlopen("libc.so.6", { flock: { args: ["i32", "i32"], returns: "i32" } }).symbols.flock,
  name: name.address,
}));
process.execve(process.execPath, ["again", "-e", "console.log('again', process.execPath)"], { BUN_BE_BUN: "1" });
`;

/** What is open in a process, by its descriptor. Read from outside, so that reading does not show up. */
const openIn = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      // Closed meanwhile.
      return "";
    }
  });

test.skipIf(why !== undefined)("the built executable is the portable one", () => {
  expect(isPortable(BINARY)).toBe(true);
});

describe.skipIf(why !== undefined)("in a root file system that holds this one file", () => {
  const root = () => makeRoot(join(work.dir, "empty"), { clawdbot: BINARY });

  test("it starts", () => {
    expect(run(inRoot(root(), ["/clawdbot", "--version"]))).toEqual({
      code: 0,
      stdout: expect.stringMatching(VERSION),
      stderr: "",
    });
  });

  test("database with full text search, thread, child, name lookup, time zone and re-executing work", () => {
    const at = root();
    writeFileSync(join(at, "probe.mjs"), PROBE);
    const command = inRoot(at, ["/clawdbot", "/probe.mjs"]);
    const alone = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
    const { stdout, stderr } = run([...alone, ...command], { env: asRuntime });
    const [seen, again] = stdout.split("\n");
    expect({ stderr, again }).toEqual({ stderr: "", again: "again /clawdbot" });
    expect(JSON.parse(seen!)).toEqual({
      found: 1,
      thread: 42,
      execPath: "/clawdbot",
      child: "/clawdbot",
      zone: "01:00",
      flock: "function",
      name: "10.1.2.3",
    });
  });

  test("the gateway answers /healthz, keeps its state, and holds nothing of what was carried open", async () => {
    const at = root();
    const gateway = await gatewayOf(inRoot(at, ["/clawdbot"]));
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/healthz`);
    expect(await answer.json()).toMatchObject({ ok: true });
    const state = readdirSync(join(at, "home/me/.clawdbot"));
    expect(state.filter((name) => name.endsWith(".sqlite"))).not.toEqual([]);
    const maps = readFileSync(`/proc/${gateway.pid}/maps`, "utf8");
    expect(maps).toContain("memfd:libc.so.6");
    expect(maps).not.toMatch(/ \/(?:usr\/)?lib/);
    expect(openIn(gateway.pid).filter((path) => path.includes("memfd"))).toEqual([]);
    // The lock is the kernel's, as with every other build, so that two kinds of executable exclude each other.
    const lock = state.find((name) => /^gateway\.\w+\.lock$/.test(name))!;
    expect(run(["flock", "-n", join(at, "home/me/.clawdbot", lock), "true"]).code).toBe(1);
    expect(await gateway.stop()).toBe(0);
  });

  test("without /proc it says what to do", () => {
    expect(run(inRoot(root(), ["/clawdbot", "--version"], "dev"))).toEqual({
      code: 127,
      stdout: "",
      stderr:
        "clawdbot: /proc is not mounted here. Mount it (mount -t proc proc /proc) and start again.\n",
    });
  });
});

describe.skipIf(why !== undefined)("in a root file system with busybox and musl", () => {
  const root = () => {
    const { dir } = work;
    const packages = join(dir, "packages");
    const at = makeRoot(join(dir, "musl"), {
      clawdbot: BINARY,
      "bin/busybox": Bun.which("busybox")!,
    });
    mkdirSync(packages, { recursive: true });
    const fetched = run([
      "sh",
      "-c",
      'cd "$1" && apt-get -q download musl && dpkg-deb -x musl_*.deb "$2"',
      "sh",
      packages,
      at,
    ]);
    if (fetched.code !== 0) throw new Error(fetched.stderr);
    for (const name of ["sh", "ls", "cat", "echo"]) symlinkSync("busybox", join(at, "bin", name));
    return at;
  };
  const at = why === undefined ? root() : "";

  test("musl's loader is there and runs, glibc's is not there", () => {
    const musl = readdirSync(join(at, "lib")).find((name) => name.startsWith("ld-musl-"))!;
    expect(run(inRoot(at, [`/lib/${musl}`])).stderr).toContain("musl libc");
    expect(readdirSync(at)).not.toContain("lib64");
  });

  test("it starts, also from a shell of that system and where musl stands in for glibc's loader", () => {
    const started = run(inRoot(at, ["/bin/sh", "-c", "/clawdbot --version"]));
    expect(started).toEqual({ code: 0, stdout: expect.stringMatching(VERSION), stderr: "" });
    // As Alpine's package gcompat does it.
    const musl = readdirSync(join(at, "lib")).find((name) => name.startsWith("ld-musl-"))!;
    const { loader } = needsOf(plainOf(readFileSync(BINARY), BINARY));
    mkdirSync(join(at, dirname(loader)), { recursive: true });
    symlinkSync(`/lib/${musl}`, join(at, loader));
    expect(run(inRoot(at, ["/clawdbot", "--version"])).stdout).toMatch(VERSION);
  });

  test("the exec tool runs that system's programs, and they inherit no descriptor of ours", async () => {
    const gateway = await gatewayOf(inRoot(at, ["/clawdbot"]));
    const words = ["agent", "--json", "--message", "run: ls -l /proc/self/fd; echo done"];
    const { stdout, stderr } = run(inRoot(at, ["/clawdbot", ...words]), { env: insideEnv });
    expect(await gateway.stop()).toBe(0);
    expect(`${stdout}${stderr}`).toContain("done");
    const listed = [...stdout.matchAll(/ \d+ -> ([^\s"\\]+)/g)].map((match) => match[1]!);
    expect(listed.length).toBeGreaterThanOrEqual(3);
    expect(listed.filter((path) => /memfd|clawdbot|sqlite/.test(path))).toEqual([]);
  });
});

describe.skipIf(why !== undefined)("on this machine", () => {
  test("it uses the machine's own glibc, as the plain executable does", () => {
    const { stdout } = run([BINARY, ...MAPS], { env: asRuntime });
    expect(stdout).toMatch(/ \/\S*\/libc\.so\.6\n/);
    expect(stdout).not.toContain("memfd");
  });

  test("a re-executed command (a secret on the command line) keeps its path and works", async () => {
    const home = workFolder();
    const state = { dir: home.dir, state: join(home.dir, ".clawdbot"), remove: home.remove };
    const token = "0123456789abcdef0123456789abcdef";
    const gateway = await startGatewayProcess(state, { args: ["--token", token] });
    try {
      expect(readFileSync(`/proc/${gateway.pid}/cmdline`, "utf8")).not.toContain(token);
      expect(readlinkSync(`/proc/${gateway.pid}/exe`)).toBe(BINARY);
      expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
    } finally {
      await gateway.kill();
      home.remove();
    }
  });
});
