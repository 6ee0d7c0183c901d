/** The arm64 executable, run by qemu's user emulation on this x64 machine: the stub, the carried glibc, the gateway. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { readCarried } from "../../../scripts/portable/carry.ts";
import { missing, run } from "../lab.ts";
import { build, gatewayOf, inRoot, insideEnv, makeRoot, noMounts, workFolder } from "./rig.ts";

// Bun fetches its arm64 runtime and apt the arm64 glibc, once.
setDefaultTimeout(300_000);
const QEMU = "qemu-aarch64-static";
const why =
  noMounts() ??
  (process.arch === "x64"
    ? missing({ [QEMU]: "qemu-user-static" })
    : "arm64 is emulated on x64 only");
const work = workFolder();
afterAll(work.remove);

describe.skipIf(why !== undefined)("the arm64 executable", () => {
  const binary = join(work.dir, "clawdbot-linux-arm64");
  let root = "";
  beforeAll(() => {
    const { code, stderr } = build(work.dir, "--target", "linux-arm64");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    root = makeRoot(join(work.dir, "root"), { clawdbot: binary });
    copyFileSync(Bun.which(QEMU)!, join(root, "qemu"));
  });

  test("carries an arm64 glibc", () => {
    const { note } = readCarried(readFileSync(binary), binary)!;
    expect(note.machine).toBe("arm64");
    expect(note.glibc).toMatch(/^2\.\d+ \(.+\)$/);
    expect(note.files.map(({ name }) => name)).toContain("ld-linux-aarch64.so.1");
  });

  test("starts in a root file system that holds nothing else", () => {
    const { stdout, stderr } = run(inRoot(root, ["/qemu", "/clawdbot", "--version"]));
    expect({ stdout, stderr }).toEqual({
      stdout: expect.stringMatching(/^\d{4}\.\d+\.\d+/),
      stderr: "",
    });
  });

  test("its gateway answers /healthz and stops in order", async () => {
    const gateway = await gatewayOf(inRoot(root, ["/qemu", "/clawdbot"]), insideEnv);
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/healthz`);
    expect(await answer.json()).toMatchObject({ ok: true });
    expect(await gateway.stop()).toBe(0);
  });

  test("database, threads and the own path work", () => {
    const script = `
      const { Database } = require("bun:sqlite");
      const db = new Database(":memory:");
      db.run("create virtual table notes using fts5(text)");
      const worker = new Worker(URL.createObjectURL(new Blob(["postMessage(42)"])));
      worker.onmessage = ({ data }) => { console.log(process.arch, process.execPath, data); process.exit(0); };`;
    writeFileSync(join(root, "probe.cjs"), script);
    const { stdout, stderr } = run(inRoot(root, ["/qemu", "/clawdbot", "/probe.cjs"]), {
      env: { ...insideEnv, BUN_BE_BUN: "1" },
    });
    expect({ stdout, stderr }).toEqual({ stdout: "arm64 /clawdbot 42\n", stderr: "" });
  });

  test("cut short it says so", () => {
    const path = join(root, "cut");
    writeFileSync(path, readFileSync(binary).subarray(0, 50_000_000), { mode: 0o755 });
    expect(run(inRoot(root, ["/qemu", "/cut", "--version"]))).toMatchObject({
      code: 127,
      stderr: "clawdbot: this executable is cut short. Download it again.\n",
    });
  });
});
