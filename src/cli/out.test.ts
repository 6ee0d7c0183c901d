import { afterEach, beforeEach, expect, test } from "bun:test";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { OutOptions } from "./out.ts";
import { Out, safeText } from "./out.ts";

let dir = "";
let stdout = 0;
let stderr = 0;
const open = (options: Partial<OutOptions> = {}) =>
  new Out({ json: false, stdout, stderr, ...options });
const written = (name: "out" | "err") => fs.readFileSync(join(dir, name), "utf8");

beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), "out-"));
  stdout = fs.openSync(join(dir, "out"), "w");
  stderr = fs.openSync(join(dir, "err"), "w");
});
afterEach(() => {
  fs.closeSync(stdout);
  fs.closeSync(stderr);
  fs.rmSync(dir, { recursive: true, force: true });
});

test("a table is aligned by what the terminal shows, also for wide characters", () => {
  open().table(
    [{ title: "Key" }, { title: "Age", align: "right" }],
    [
      ["a", "1s"],
      ["日本", "12m"],
    ],
  );
  expect(written("out")).toBe("Key   Age\na      1s\n日本  12m\n");
});

test("with --json notes are left out and errors stay", () => {
  const out = open({ json: true });
  out.note("progress");
  out.error("failed");
  out.data({ a: 1 });
  expect(written("err")).toBe("failed\n");
  expect(written("out")).toBe('{\n  "a": 1\n}\n');
});

test("colours are off where stdout is no terminal, and on when they are asked for", () => {
  expect(open().paint("red", "x")).toBe("x");
  expect(open({ colour: true }).paint("red", "x")).toBe("\u001b[31mx\u001b[0m");
});

test("text from elsewhere cannot steer the terminal", () => {
  expect(safeText("a\u001b[2Jb\u001b]0;title\u0007c\u0000d\r\n\te\u009b1m")).toBe("abcd\n\te");
});

test("a reader that went away ends the output without an error", async () => {
  const child = Bun.spawn(
    [
      process.execPath,
      "-e",
      `import { Out } from ${JSON.stringify(join(import.meta.dir, "out.ts"))};
       const out = new Out({ json: false });
       while (!out.closed) out.line("x".repeat(1000));
       out.error("closed");`,
    ],
    { stdout: "pipe", stderr: "pipe" },
  );
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  expect(await new Response(child.stderr).text()).toBe("closed\n");
  expect(await child.exited).toBe(0);
});

const TABLE = [
  [{ title: "Session" }, { title: "Age", align: "right" as const }, { title: "Flags" }],
  [
    ["agent:main:telegram:group:-1001234567890", "3m", "aborted"],
    ["agent:main:main", "2d", ""],
  ],
] as const;
const table = (out: Out) =>
  out.table(
    [...TABLE[0]],
    TABLE[1].map((row) => [...row]),
  );

test("a table that is too wide for the terminal folds, one value a line, and cuts nothing", () => {
  table(open({ columns: 40 }));
  expect(written("out")).toBe(
    "agent:main:telegram:group:-1001234567890\n  Age: 3m\n  Flags: aborted\nagent:main:main\n  Age: 2d\n",
  );
});

test("a value that is longer than the line begins on one of its own", () => {
  const id = "x".repeat(38);
  open({ columns: 40 }).table([{ title: "A" }, { title: "Id" }], [["a", id]]);
  open({ columns: 40 }).pairs([["Config", id]]);
  expect(written("out")).toBe(`a\n  Id:\n    ${id}\nConfig:\n  ${id}\n`);
});

test("where it just fits, and in a file or a pipe, it stays a table", () => {
  table(open({ columns: 54 }));
  const wide = written("out");
  expect(wide.split("\n")[0]).toBe(`Session${" ".repeat(35)}Age  Flags`);
  table(open());
  expect(written("out")).toBe(wide + wide);
  open().table([{ title: "A" }, { title: "B" }], [["a".repeat(60), "b".repeat(60)]]);
  expect(written("out")).toEndWith(`${"a".repeat(60)}  ${"b".repeat(60)}\n`);
});
