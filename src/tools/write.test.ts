import { expect, test } from "bun:test";
import { chmod, link, mkdir, readdir, readFile, stat, symlink } from "node:fs/promises";
import { join } from "node:path";

import { type Bench, openBench } from "../../test/contract/tool-context.ts";
import { runTool } from "./tool.ts";
import { write } from "./write.ts";

const put = (bench: Bench, path: string, content: string) =>
  runTool(write, { path, content }, bench.ctx);
const at = (bench: Bench, name: string) => join(bench.ctx.workspace, name);

test("a file is written with its parents, and the bytes are counted", async () => {
  await using bench = await openBench();
  const result = await put(bench, "a/b/c.txt", "grüße\r\n");
  expect(await readFile(at(bench, "a/b/c.txt"), "utf8")).toBe("grüße\r\n");
  expect(result).toMatchObject({
    text: `Wrote 9 bytes to ${at(bench, "a/b/c.txt")}.`,
    details: { bytes: 9 },
  });
});

test("an existing file is replaced as a whole and keeps its mode; nothing is left beside it", async () => {
  await using bench = await openBench();
  await put(bench, "run.sh", "a long first version");
  await chmod(at(bench, "run.sh"), 0o750);
  await put(bench, "run.sh", "short");
  expect(await readFile(at(bench, "run.sh"), "utf8")).toBe("short");
  expect((await stat(at(bench, "run.sh"))).mode & 0o777).toBe(0o750);
  expect(await readdir(bench.ctx.workspace)).toEqual(["run.sh"]);
});

test("a link stays a link; what it leads to is written", async () => {
  await using bench = await openBench();
  await put(bench, "real", "old");
  await symlink("real", at(bench, "link"));
  await put(bench, "link", "new");
  expect(await readFile(at(bench, "real"), "utf8")).toBe("new");
});

test("another name of the same file does not see the change", async () => {
  await using bench = await openBench();
  await put(bench, "one", "old");
  await link(at(bench, "one"), at(bench, "two"));
  await put(bench, "one", "new");
  expect(await readFile(at(bench, "two"), "utf8")).toBe("old");
});

test("a directory and a file used as a directory are errors in words", async () => {
  await using bench = await openBench();
  await mkdir(at(bench, "dir"));
  await put(bench, "file", "x");
  expect((await put(bench, "dir", "x")).text).toBe("dir is a directory.");
  expect((await put(bench, "file/x", "x")).text).toContain("is a file, not a directory");
  expect((await put(bench, "y".repeat(300), "x")).text).toContain("longer than the file system");
  expect((await readdir(bench.ctx.workspace)).sort()).toEqual(["dir", "file"]);
});

test("a full disk leaves the old file and says so", async () => {
  await using bench = await openBench();
  const result = await put(bench, "old", "kept");
  expect(result.isError).toBeUndefined();
  // RLIMIT_FSIZE cannot be set in here, so the size is one that no file system has.
  const limited = Bun.spawnSync(
    [
      "sh",
      "-c",
      'ulimit -f 8; trap "" XFSZ; exec "$0" -e "$1"',
      process.execPath,
      `
      import { runTool } from ${JSON.stringify(join(import.meta.dir, "tool.ts"))};
      import { write } from ${JSON.stringify(join(import.meta.dir, "write.ts"))};
      const ctx = { workspace: ${JSON.stringify(bench.ctx.workspace)}, denied: [], env: {}, signal: new AbortController().signal, log: { error() {} } };
      console.log(JSON.stringify(await runTool(write, { path: "old", content: "x".repeat(1e6) }, ctx)));
    `,
    ],
    { stderr: "pipe" },
  );
  expect(JSON.parse(limited.stdout.toString())).toMatchObject({ isError: true });
  expect(await readFile(at(bench, "old"), "utf8")).toBe("kept");
  expect(await readdir(bench.ctx.workspace)).toEqual(["old"]);
});

test("hundreds of writers at once lose nothing and leave nothing", async () => {
  await using bench = await openBench();
  await Promise.all(
    Array.from({ length: 300 }, (_, i) => put(bench, `d${i % 7}/f${i % 20}`, `content ${i}`)),
  );
  const files = await Array.fromAsync(
    new Bun.Glob("**/*").scan({ cwd: bench.ctx.workspace, dot: true }),
  );
  expect(files.length).toBe(140);
  for (const file of files.slice(0, 50))
    expect(await readFile(at(bench, file), "utf8")).toMatch(/^content \d+$/);
});
