import { afterAll, beforeEach, expect, test } from "bun:test";
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { errnoOf } from "./errors.ts";
import {
  atomicWrite,
  ensureDir,
  ensurePrivateDir,
  lastLines,
  readTextIfThere,
  realPathOf,
  removeStaleTemps,
  writeCommand,
} from "./fs.ts";

const root = await mkdtemp(join(tmpdir(), "clawdbot-fs-"));
afterAll(() => rm(root, { recursive: true, force: true }));
let count = 0;
let dir = root;
beforeEach(async () => {
  dir = join(root, String(count++));
  await mkdir(dir);
});
const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

test("a write replaces the whole file with the asked mode and leaves nothing else behind", async () => {
  const path = join(dir, "a.json");
  await writeFile(path, "old and longer", { mode: 0o644 });
  await atomicWrite(path, "new");
  expect(await readFile(path, "utf8")).toBe("new");
  expect(await modeOf(path)).toBe("600");
  await atomicWrite(path, new Uint8Array([65]), { mode: 0o640 });
  expect(await modeOf(path)).toBe("640");
  expect(await readdir(dir)).toEqual(["a.json"]);
});

test.skipIf(process.getuid?.() !== 0)(
  "what root writes in somebody's folder is that person's; what was there keeps its owner",
  async () => {
    const path = join(dir, "a");
    const ownerOf = async () => (await stat(path)).uid;
    await atomicWrite(path, "x");
    expect(await ownerOf()).toBe(0);
    await Bun.$`chown 1234:1234 ${dir}`.quiet();
    await atomicWrite(path, "y");
    expect(await ownerOf()).toBe(0);
    await rm(path);
    await atomicWrite(path, "z");
    expect(await ownerOf()).toBe(1234);
    await Bun.$`chown 0:0 ${dir}`.quiet();
    await atomicWrite(path, "w");
    expect(await ownerOf()).toBe(1234);
  },
);

test("a link stays a link and its target gets the content, also when there was none", async () => {
  await mkdir(join(dir, "real"));
  const link = join(dir, "link.json");
  await symlink("real/target.json", link);
  await atomicWrite(link, "1");
  expect(await readlink(link)).toBe("real/target.json");
  expect(await readFile(join(dir, "real/target.json"), "utf8")).toBe("1");
  await atomicWrite(link, "2");
  expect(await readFile(join(dir, "real/target.json"), "utf8")).toBe("2");
});

test("a write that fails leaves the old file and no temporary one", async () => {
  await mkdir(join(dir, "taken"));
  await expect(atomicWrite(join(dir, "taken"), "x")).rejects.toThrow();
  await expect(atomicWrite(join(dir, "missing/x.json"), "x")).rejects.toThrow(/ENOENT/);
  expect(await readdir(dir)).toEqual(["taken"]);
});

test("a file that is a mount of its own is overwritten in place", async () => {
  const path = join(dir, "a.json");
  await writeFile(path, "old and longer", { mode: 0o644 });
  const { ino } = await stat(path);
  const busy = () => Promise.reject(Object.assign(new Error("busy"), { code: "EBUSY" }));
  await atomicWrite(path, "new", { move: busy });
  expect(await readFile(path, "utf8")).toBe("new");
  expect(await modeOf(path)).toBe("600");
  expect((await stat(path)).ino).toBe(ino);
  expect(await readdir(dir)).toEqual(["a.json"]);
  const denied = () => Promise.reject(Object.assign(new Error("no"), { code: "EACCES" }));
  await expect(atomicWrite(path, "x", { move: denied })).rejects.toThrow("no");
  expect(await readFile(path, "utf8")).toBe("new");
  expect(await readdir(dir)).toEqual(["a.json"]);
});

test("many writers at once leave one whole content", async () => {
  const path = join(dir, "a.json");
  const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(5000));
  await Promise.all(texts.map((text) => atomicWrite(path, text)));
  expect(texts).toContain(await readFile(path, "utf8"));
  expect(await readdir(dir)).toEqual(["a.json"]);
});

test("temporary files of dead processes are removed, those of living ones only when they are old", async () => {
  const uuid = "00000000-0000-4000-8000-000000000000";
  const dead = `a.json.4194304.${uuid}.tmp`;
  const live = `a.json.${process.pid}.${uuid}.tmp`;
  const foreign = `b.json.4194304.${uuid}.tmp`;
  for (const name of [dead, live, foreign, "a.json", "a.json.tmp"])
    await writeFile(join(dir, name), "");
  expect(await removeStaleTemps(join(dir, "a.json"))).toEqual([dead]);
  await utimes(join(dir, live), 0, 0);
  expect(await removeStaleTemps(join(dir, "a.json"))).toEqual([live]);
  expect((await readdir(dir)).sort()).toEqual(["a.json", "a.json.tmp", foreign]);
  expect(await removeStaleTemps(join(dir, "nowhere/a.json"))).toEqual([]);
});

test("a folder is made with its parents and a strict mode; a file in its place is a clear error", async () => {
  await ensureDir(join(dir, "a/b"), 0o700);
  expect(await modeOf(join(dir, "a/b"))).toBe("700");
  await ensureDir(join(dir, "a/b"), 0o700);
  await writeFile(join(dir, "file"), "");
  await expect(ensureDir(join(dir, "file"))).rejects.toThrow("is not a folder");
  await expect(ensureDir(join(dir, "file/below"))).rejects.toThrow("is not a folder");
});

test("a private folder that others can write to, or that is a link, is refused", async () => {
  const own = join(dir, "own");
  await ensurePrivateDir(own);
  expect(await modeOf(own)).toBe("700");
  const open = join(dir, "open");
  await mkdir(open);
  await Bun.$`chmod 777 ${open}`.quiet();
  await expect(ensurePrivateDir(open)).rejects.toThrow("others can write to it");
  // Somebody else's, closed to all others: root has to make one, everybody else finds one.
  const root = process.getuid?.() === 0;
  if (root) await Bun.$`install -d -m 700 -o 1234 ${join(dir, "other")}`.quiet();
  await expect(ensurePrivateDir(root ? join(dir, "other") : "/usr")).rejects.toThrow(
    "belongs to somebody else",
  );
  await symlink(own, join(dir, "link"));
  await expect(ensurePrivateDir(join(dir, "link"))).rejects.toThrow("belongs to somebody else");
});

test("the command that makes a folder writable is its owner's, else root's", async () => {
  const mine = join(dir, "my own");
  await mkdir(mine);
  expect(writeCommand(mine)).toBe(`chmod u+rwx '${mine}'`);
  // Root can make somebody else's; everybody else finds one.
  const other = process.getuid?.() === 0 ? join(dir, "other") : "/usr";
  if (other !== "/usr") await Bun.$`install -d -o 1234 ${other}`.quiet();
  expect(writeCommand(other)).toStartWith("sudo chown -R ");
});

test("the real path follows links as far as there is something, and survives a loop", async () => {
  await mkdir(join(dir, "real"));
  await symlink("real", join(dir, "link"));
  const base = realPathOf(dir);
  expect(realPathOf(join(dir, "link/not/yet"))).toBe(join(base, "real/not/yet"));
  await symlink("nowhere.txt", join(dir, "dangling"));
  expect(realPathOf(join(dir, "dangling"))).toBe(join(base, "nowhere.txt"));
  await symlink("loop", join(dir, "loop"));
  expect(realPathOf(join(dir, "loop"))).toEndWith("loop");
});

test("a text that is not there is empty, and so is the end of a log; a folder in its place is an error of the first", async () => {
  const log = join(dir, "tail.log");
  expect(await readTextIfThere(log)).toBe("");
  expect(await lastLines(log, 2)).toEqual([]);
  await Bun.write(log, `${"x".repeat(70_000)}\none\n\ntwo\nthree\n`);
  expect(await lastLines(log, 2)).toEqual(["two", "three"]);
  expect((await readTextIfThere(log)).length).toBe(70_016);
  expect(await readTextIfThere(dir).catch(errnoOf)).toBe("EISDIR");
});
