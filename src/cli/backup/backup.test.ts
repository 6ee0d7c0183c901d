import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { makeHome } from "../../../test/config-home.ts";
import { VERSION } from "../../base/brand.ts";
import { acquireLock } from "../../base/lock.ts";
import { Connection } from "../../store/sqlite/database.ts";
import { migrate } from "../../store/sqlite/migrations.ts";
import type { Cli } from "../command.ts";
import { Out } from "../out.ts";
import { createBackup } from "./create.ts";
import { putInPlace, putInside, systemExchange } from "./exchange.ts";
import { MANIFEST, ORIGIN, placeIn } from "./format.ts";
import { planRestore, restoreBackup } from "./restore.ts";
import { type Entry, headerOf, paddingOf, tarEnd } from "./tar.ts";
import { readBackup } from "./verify.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "clawdbot-backup-"));
  file = join(folder, "backup.tar.gz");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Home = ReturnType<typeof makeHome>;
const cliOf = ({ env, paths }: Home): Cli => ({
  name: "clawdbot",
  profileFlag: "",
  env,
  paths,
  out: new Out({ json: true }),
});
const { signal } = new AbortController();
const create = (home: Home, wish: Partial<Parameters<typeof createBackup>[1]> = {}) =>
  createBackup(
    cliOf(home),
    { output: file, dryRun: false, onlyConfig: false, workspaces: true, ...wish },
    signal,
  );
const verify = (home: Home) => readBackup(cliOf(home), file, "", signal);
const restore = async (home: Home) => {
  const cli = cliOf(home);
  return restoreBackup(cli, file, await planRestore(cli, file, signal), signal);
};

/** A home with settings, a database, a workspace, and what does not belong into a backup. */
function fill(home: Home): void {
  home.write('{ gateway: { mode: "local" } } // mine');
  home.write("TOKEN=secret", ".env");
  home.write("{}", "credentials/whatsapp/creds.json");
  home.write("old", "backups/clawdbot-1.sqlite");
  home.write("log", "logs/gateway.log");
  home.write("x", "clawdbot.sqlite.reserve");
  const { workspaceDefault, databasePath } = home.paths;
  mkdirSync(join(workspaceDefault, "memory/empty"), { recursive: true });
  writeFileSync(join(workspaceDefault, "SOUL.md"), "kind");
  writeFileSync(join(workspaceDefault, "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
  symlinkSync("/etc/passwd", join(workspaceDefault, "link"));
  const db = Connection.open(databasePath);
  migrate(db);
  db.run("INSERT INTO kv (scope, key, value) VALUES ('test', 'a', '1')");
  db.close();
}

test("what is backed up comes back elsewhere, byte for byte, and nothing else", async () => {
  using one = makeHome();
  using other = makeHome();
  fill(one);
  const made = await create(one);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(made.skipped).toEqual([
    { path: join(one.paths.workspaceDefault, "link"), reason: "a link" },
  ]);
  expect(await verify(one)).toMatchObject({
    files: made.files,
    origin: { version: VERSION, schema: 2 },
  });
  expect(one.list().filter((name) => name.startsWith(".backup-"))).toEqual([]);

  const restored = await restore(other);
  expect(restored.map(({ root, before }) => [root, before])).toEqual([
    ["workspace/main", null],
    ["state", null],
  ]);
  expect(other.list()).toEqual([".env", "clawdbot.json", "clawdbot.sqlite", "credentials"]);
  for (const name of [".env", "clawdbot.json", "credentials/whatsapp/creds.json"]) {
    expect(other.read(name)).toBe(one.read(name));
    expect(statSync(join(other.paths.stateDir, name)).mode & 0o777).toBe(0o600);
  }
  const { workspaceDefault } = other.paths;
  expect(readdirSync(workspaceDefault).sort()).toEqual(["SOUL.md", "memory", "run.sh"]);
  expect(readdirSync(join(workspaceDefault, "memory"))).toEqual(["empty"]);
  expect(statSync(join(workspaceDefault, "run.sh")).mode & 0o111).toBe(0o111);
  const db = Connection.open(other.paths.databasePath);
  expect(db.get<{ value: string }>("SELECT value FROM kv")?.value).toBe("1");
  db.close();
});

test("what was there before is kept aside, whole", async () => {
  using home = makeHome();
  fill(home);
  await create(home);
  home.write("{ changed: true }");
  home.write("new", "new-file");
  const restored = await restore(home);
  expect(home.read()).toContain("// mine");
  expect(existsSync(join(home.paths.stateDir, "new-file"))).toBe(false);
  const { before } = restored.find(({ root }) => root === "state")!;
  expect(readFileSync(join(before!, "clawdbot.json"), "utf8")).toBe("{ changed: true }");
  expect(readFileSync(join(before!, "new-file"), "utf8")).toBe("new");
});

test("a workspace inside of the state folder comes back there; one that is not in the backup stays", async () => {
  using home = makeHome();
  rmSync(home.paths.stateDir, { recursive: true, force: true });
  home.write("{ agents: { defaults: { workspace: 'work' } } }");
  home.write("kind", "work/SOUL.md");
  home.write("mine", "work/deep/file");
  const whole = await create(home);
  expect(whole.roots.map(({ name }) => name)).toEqual(["state", "workspace/main"]);
  home.write("worse", "work/SOUL.md");
  home.write("new", "work/new");
  await restore(home);
  expect(home.read("work/SOUL.md")).toBe("kind");
  expect(home.read("work/deep/file")).toBe("mine");
  expect(existsSync(join(home.paths.stateDir, "work/new"))).toBe(false);

  rmSync(file);
  await create(home, { workspaces: false });
  home.write("better", "work/SOUL.md");
  home.write("{}");
  home.write("{ agents: { defaults: { workspace: 'work' } } } // now");
  await restore(home);
  expect(home.read()).not.toContain("// now");
  expect(home.read("work/SOUL.md")).toBe("better");
});

test("--only-config, --no-include-workspace and --dry-run", async () => {
  using home = makeHome();
  fill(home);
  const dry = await create(home, { dryRun: true });
  expect(dry).toMatchObject({ dryRun: true, archiveBytes: null });
  expect(existsSync(file)).toBe(false);
  const whole = dry.files;
  expect((await create(home, { workspaces: false })).files).toBe(whole - 2);
  rmSync(file);
  expect(await create(home, { onlyConfig: true })).toMatchObject({ files: 1, onlyConfig: true });
  home.write("{ changed: true }");
  expect(await restore(home)).toMatchObject([{ root: "config", path: home.paths.configPath }]);
  expect(home.read()).toContain("// mine");
  expect(home.read(".env")).toBe("TOKEN=secret");
});

test("it never writes over a file, and leaves nothing when it fails", async () => {
  using home = makeHome();
  expect(create(home)).rejects.toThrow("nothing to back up");
  fill(home);
  writeFileSync(file, "mine");
  expect(create(home)).rejects.toThrow("is there already");
  expect(readFileSync(file, "utf8")).toBe("mine");
  rmSync(file);
  const stop = new AbortController();
  stop.abort(new Error("stopped"));
  const wish = { output: file, dryRun: false, onlyConfig: false, workspaces: true };
  await expect(createBackup(cliOf(home), wish, stop.signal)).rejects.toThrow("stopped");
  expect(readdirSync(folder)).toEqual([]);
  expect(home.list().filter((name) => name.startsWith(".backup-"))).toEqual([]);
});

test("a gateway that runs, and a backup of a newer version, stop a restore", async () => {
  using home = makeHome();
  fill(home);
  await create(home);
  const lock = acquireLock(home.paths.lockPath, {
    pid: 1,
    bootId: "b",
    version: "v",
    startedAt: 1,
  });
  expect(restore(home)).rejects.toThrow("A gateway runs");
  if ("release" in lock) lock.release();
  let newer = entry(ORIGIN, origin({ version: "2099.1.1" }));
  write([newer, manifestOf([], newer)]);
  expect(restore(home)).rejects.toThrow("made by version 2099.1.1");
  newer = entry(ORIGIN, origin({ schema: 99 }));
  write([newer, manifestOf([], newer)]);
  expect(restore(home)).rejects.toThrow("may not understand it");
  expect(home.read()).toContain("// mine");
});

type Part = Entry & { content: Buffer };
const entry = (path: string, content: string): Part => ({
  path,
  type: "file",
  size: Buffer.byteLength(content),
  mode: 0o600,
  mtime: 0,
  content: Buffer.from(content),
});
const origin = (more: Record<string, unknown> = {}): string =>
  JSON.stringify({
    format: 1,
    version: VERSION,
    createdAt: "2026-01-01T00:00:00Z",
    schema: 0,
    onlyConfig: false,
    roots: [{ name: "state", path: "/x" }],
    ...more,
  });
const hash = (content: Buffer) => new Bun.CryptoHasher("sha256").update(content).digest("hex");
function manifestOf(parts: Part[], first = entry(ORIGIN, origin())): Part {
  const files = Object.fromEntries(
    [first, ...parts].map(({ path, size, content }) => [path, { size, sha256: hash(content) }]),
  );
  return entry(MANIFEST, JSON.stringify({ files, folders: 0, skipped: [] }));
}
function write(parts: Part[]): void {
  const bytes = parts.flatMap((part) => [headerOf(part), part.content, paddingOf(part.size)]);
  writeFileSync(file, Bun.gzipSync(new Uint8Array(Buffer.concat([...bytes, tarEnd()]))));
}

test("a backup that leads out of its place, lies, or is damaged is refused before anything is changed", async () => {
  using home = makeHome();
  fill(home);
  const before = home.list();
  const good = entry("clawdbot-backup/state/a", "a");
  const first = entry(ORIGIN, origin());
  write([first, good, manifestOf([good])]);
  expect((await verify(home)).files).toBe(1);
  const cases: [Part[], string][] = [
    ...[
      "../evil",
      "clawdbot-backup/../evil",
      "clawdbot-backup/state/../../evil",
      "/etc/evil",
      "clawdbot-backup/state//evil",
      "clawdbot-backup/state/a\\b",
      "other/state/a",
    ].map((path): [Part[], string] => {
      const evil = entry(path, "evil");
      return [[first, evil, manifestOf([evil])], "leads elsewhere"];
    }),
    [[first, good, good, manifestOf([good])], "twice"],
    [[first, good, manifestOf([])], "does not list"],
    [[first, manifestOf([good])], "lacks"],
    [[first, entry(good.path, "b"), manifestOf([good])], "is damaged"],
    [[first, good], "is cut off"],
    [[good, first, manifestOf([good])], "not one of clawdbot"],
    [[first, good, manifestOf([good]), good], "goes on after its end"],
    [[entry(ORIGIN, origin({ format: 2 })), manifestOf([])], "backup.json"],
    [[entry(ORIGIN, "no json"), manifestOf([])], "cannot be read"],
    [
      [
        entry(ORIGIN, origin({ roots: [{ name: "workspace/../../x", path: "/" }] })),
        manifestOf([]),
      ],
      "backup.json",
    ],
    [[first, entry("clawdbot-backup/workspace/other/x", "x"), manifestOf([])], "belongs nowhere"],
  ];
  for (const [parts, why] of cases) {
    write(parts);
    await expect(restore(home)).rejects.toThrow(why);
  }
  for (const bytes of ["", "no archive", Bun.gzipSync(Buffer.from("no tar".repeat(200)))]) {
    writeFileSync(file, bytes);
    await expect(restore(home)).rejects.toThrow("The backup");
  }
  rmSync(file);
  await expect(restore(home)).rejects.toThrow("There is no backup");
  expect(home.list()).toEqual(before);
});

test("the archive does not choose what is replaced: a workspace nobody knows goes where nothing is", async () => {
  using home = makeHome();
  fill(home);
  for (const [path, place] of [
    [join(home.home, ".ssh"), "clawd-other"],
    [join(home.home, "a/.config/x"), "clawd-other"],
    ["/etc/cron.d", "clawd-other"],
    [join(home.home, "clawd"), "clawd-other"],
    [join(home.home, "../elsewhere"), "clawd-other"],
    [join(home.home, "work/other"), "work/other"],
  ]) {
    const first = entry(ORIGIN, origin({ roots: [{ name: "workspace/other", path }] }));
    const part = entry("clawdbot-backup/workspace/other/x", "x");
    write([first, part, manifestOf([part], first)]);
    const [move] = (await planRestore(cliOf(home), file, signal)).moves;
    expect(move?.target).toBe(join(home.home, place!));
  }
});

test("two entries for one place are refused before anything is changed", async () => {
  using home = makeHome();
  fill(home);
  const [one, two] = ["a", "a/b"].map((path) => entry(`clawdbot-backup/state/${path}`, path));
  write([entry(ORIGIN, origin()), one!, two!, manifestOf([one!, two!])]);
  await expect(restore(home)).rejects.toThrow("in it twice");
  expect(home.read()).toContain("// mine");
  expect(readdirSync(home.home).filter((name) => name.includes("restor"))).toEqual([]);
});

test("a cut at any place is found", async () => {
  using home = makeHome();
  fill(home);
  await create(home);
  const whole = readFileSync(file);
  for (let at = 1; at < whole.length; at += Math.ceil(whole.length / 40)) {
    writeFileSync(file, whole.subarray(0, at));
    await expect(verify(home)).rejects.toThrow("The backup");
  }
});

test("paths of an archive", () => {
  expect(placeIn("clawdbot-backup/state/a/b")).toEqual({ root: "state", below: "a/b" });
  expect(placeIn("clawdbot-backup/workspace/main/a")).toEqual({
    root: "workspace/main",
    below: "a",
  });
});

test("folders are exchanged in one step where the system can, in two where not, and inside of a mount", () => {
  const make = (name: string, text: string) => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "which"), text);
    return join(folder, name);
  };
  const which = (name: string) => readFileSync(join(folder, name, "which"), "utf8");
  if (process.platform === "linux") expect(systemExchange()).toBeDefined();
  for (const [n, exchange] of [systemExchange(), () => false].entries()) {
    const target = make(`target${n}`, "old");
    putInPlace(make(`made${n}`, "new"), target, join(folder, `aside${n}`), exchange);
    expect([which(`target${n}`), which(`aside${n}`)]).toEqual(["new", "old"]);
    expect(existsSync(join(folder, `made${n}`))).toBe(false);
  }
  const target = make("mount", "old");
  const made = join(target, ".restoring");
  mkdirSync(made);
  writeFileSync(join(made, "which"), "new");
  putInside(made, target, join(target, "before"));
  expect(readdirSync(target).sort()).toEqual(["before", "which"]);
  expect([which("mount"), which("mount/before")]).toEqual(["new", "old"]);
});
