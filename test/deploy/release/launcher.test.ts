/** scripts/npm/index.js, the launcher of the npm packages and dist/index.js of the sources, under every Node that it may meet. */
import { afterAll, describe, expect, test } from "bun:test";
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import pkg from "../../../package.json";
import { BINARY } from "../../e2e/binary.ts";
import { listening } from "../../e2e/child.ts";
import { run } from "../lab.ts";
import { fetchNode, NODE_22, startChild } from "./tools.ts";

const scratch = mkdtempSync(join(tmpdir(), "clawdbot-launcher-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }), 60_000);

const LAUNCHER = join(import.meta.dir, "../../../scripts/npm/index.js");
const node22 = fetchNode(NODE_22);
const systemNode = Bun.which("node");
const NODES: [title: string, node: string | undefined][] = [
  // It becomes the program (process.execve).
  [`Node ${NODE_22}`, "why" in node22 ? undefined : join(node22.folder, "node")],
  // Before Node 22.15 the program is a child, and its signals and its end are passed on.
  ["a Node without process.execve", nodeWithoutExecve()],
  ["Bun", process.execPath],
];

/** The machine's own, when it is old enough; else the newer one, told to forget. */
function nodeWithoutExecve(): string | undefined {
  const node = systemNode ?? ("why" in node22 ? undefined : join(node22.folder, "node"));
  if (node === undefined) return undefined;
  const wrapper = join(scratch, "old-node");
  writeFileSync(join(scratch, "forget.cjs"), "process.execve = undefined;\n");
  writeFileSync(wrapper, `#!/bin/sh\nexec '${node}' -r '${join(scratch, "forget.cjs")}' "$@"\n`, {
    mode: 0o755,
  });
  return wrapper;
}

/** A folder like dist/ after a build, inside a package of one or the other kind of module. */
function makeDist(name: string, type?: "module" | "commonjs"): string {
  const root = join(scratch, name);
  mkdirSync(join(root, "dist"), { recursive: true });
  if (type) writeFileSync(join(root, "package.json"), JSON.stringify({ name: "x", type }));
  copyFileSync(LAUNCHER, join(root, "dist/index.js"));
  place(BINARY, join(root, "dist/clawdbot"));
  return root;
}

/** A hundred megabytes need not be copied where a second name does. */
function place(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

const env = { PATH: "/usr/bin:/bin", HOME: scratch, NO_COLOR: "1" };
const root = makeDist("app");

for (const [title, node] of NODES) {
  if (node === undefined) process.stdout.write(`skipped: ${title} cannot be had\n`);
  describe.skipIf(node === undefined)(title, () => {
    test("deploy-091 node dist/index.js runs the executable beside it, as CommonJS and as a module", () => {
      for (const place of [
        root,
        makeDist(`${title} m`, "module"),
        makeDist(`${title} c`, "commonjs"),
      ])
        expect(run([node!, "dist/index.js", "--version"], { cwd: place, env })).toEqual({
          code: 0,
          stdout: `${pkg.version}\n`,
          stderr: "",
        });
    });

    test("words, output and the exit code go through as they are", () => {
      const bad = run([node!, "dist/index.js", "config", "get", "no such key"], { cwd: root, env });
      const own = run([BINARY, "config", "get", "no such key"], { cwd: root, env });
      expect(bad).toEqual(own);
      expect(bad.code).not.toBe(0);
    });

    /** A gateway that says that it listens. */
    const gateway = async (wrapper: string[] = []) => {
      const state = mkdtempSync(join(scratch, "state-"));
      const words = ["dist/index.js", "gateway", "--allow-unconfigured", "--port", "0"];
      const child = startChild([...wrapper, node!, ...words], {
        cwd: root,
        env: { ...env, CLAWDBOT_STATE_DIR: state },
      });
      await listening(child);
      return child;
    };

    for (const signal of ["SIGTERM", "SIGINT"] as const)
      test(`deploy-091 ${signal} ends the gateway in good order`, async () => {
        await using child = await gateway();
        process.kill(child.pid, signal);
        expect(await child.exited).toEqual({ code: 0, signal: null });
      }, 20_000);

    test("a program that is killed ends the launcher by the same signal", async () => {
      await using child = await gateway();
      process.kill(Number(/\(PID (\d+)\)/.exec(child.log())![1]), "SIGKILL");
      expect(await child.exited).toEqual({ code: null, signal: "SIGKILL" });
    }, 20_000);

    test.skipIf(process.platform !== "linux" || process.getuid?.() !== 0)(
      "deploy-091 as PID 1 of a container it stops on SIGTERM",
      async () => {
        const wrapper = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
        await using child = await gateway(wrapper);
        const first = run(["pgrep", "-P", String(child.pid)]).stdout.trim();
        process.kill(Number(first), "SIGTERM");
        expect(await child.exited).toEqual({ code: 0, signal: null });
      },
      20_000,
    );
  });
}

const anyNode = systemNode ?? process.execPath;

test("before a build it names the command that builds", () => {
  const folder = join(scratch, "unbuilt");
  mkdirSync(folder);
  copyFileSync(LAUNCHER, join(folder, "index.js"));
  const { code, stderr } = run([anyNode, join(folder, "index.js"), "--version"], { env });
  expect(code).toBe(1);
  expect(stderr).toContain("has not been built yet.\nRun: pnpm build");
});

test("on a system without a build it says which there are", () => {
  const folder = join(scratch, "foreign");
  mkdirSync(folder);
  copyFileSync(LAUNCHER, join(folder, "index.js"));
  const meta = {
    name: "clawdbot",
    version: "1.2.3",
    optionalDependencies: { "@clawdbot/s390": "1" },
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify(meta));
  const { code, stderr } = run([anyNode, join(folder, "index.js")], { env });
  expect(code).toBe(1);
  expect(stderr).toContain(`there is no build for ${process.platform}-${process.arch}.`);
  expect(stderr).toContain("There are builds for: s390.");
});

test.skipIf(process.platform === "win32")(
  "an executable bit that a package store dropped is put back",
  () => {
    const folder = join(scratch, "bare");
    mkdirSync(folder);
    copyFileSync(LAUNCHER, join(folder, "index.js"));
    copyFileSync(BINARY, join(folder, "clawdbot"));
    run(["chmod", "644", join(folder, "clawdbot")]);
    const done = run([anyNode, join(folder, "index.js"), "--version"], { env });
    expect(done).toEqual({ code: 0, stdout: `${pkg.version}\n`, stderr: "" });
  },
);
