/** The guides' way from the source: git, pnpm and their own Dockerfile, in clean copies of the project. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  watch,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import pkg from "../../../package.json";
import { freePort } from "../../e2e/child.ts";
import { missing, run } from "../lab.ts";
import { copyTree } from "../tree.ts";
import { fetchPnpm, PNPM_NEWEST, startChild } from "./tools.ts";

const scratch = mkdtempSync(join(tmpdir(), "clawdbot-source-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }), 60_000);

const pnpm = fetchPnpm(PNPM_NEWEST);
const noGit = missing({ git: "git" });
const LAB = join(tmpdir(), "clawdbot-lab");

/** Settings of this machine's network stay; those of clawdbot and of the Git repository around this test do not. */
const machine = Object.fromEntries(
  Object.entries(process.env as Record<string, string>).filter(
    ([name]) =>
      !/^(CLAWDBOT|MOLTBOT|OPENCLAW|GIT)_|^npm_(?!config_(.*proxy|cafile|registry))/.test(name),
  ),
);

/** A user with an empty home. What was fetched once is kept for the next run. */
const env = (path: string[]) => ({
  ...machine,
  HOME: join(scratch, "home"),
  TMPDIR: tmpdir(),
  PATH: [...path, "/usr/local/bin", "/usr/bin", "/bin"].join(":"),
  NO_COLOR: "1",
  CI: "1",
  npm_config_store_dir: join(LAB, "pnpm-store"),
  pnpm_config_store_dir: join(LAB, "pnpm-store"),
  BUN_INSTALL_CACHE_DIR: process.env["BUN_INSTALL_CACHE_DIR"] ?? join(LAB, "bun-cache"),
  COREPACK_HOME: join(LAB, "corepack"),
  // The address of the guides leads to a repository made of this tree.
  GIT_CONFIG_COUNT: "1",
  GIT_CONFIG_KEY_0: `url.file://${join(scratch, "repository")}.insteadOf`,
  GIT_CONFIG_VALUE_0: "https://github.com/clawdbot/clawdbot.git",
});

const sh = (script: string, cwd: string, vars: Record<string, string>) =>
  run(["bash", "-ec", script], { cwd, env: vars });

/** All but the last line are the guide's own; the last one is interactive there, and has tests of its own. */
const FROM_SOURCE = `
# Clonar repositorio
git clone https://github.com/clawdbot/clawdbot.git
cd clawdbot
# Instalar dependencias
pnpm install
pnpm ui:build
pnpm build
pnpm clawdbot --version
`;

describe.skipIf("why" in pnpm || noGit !== undefined)("from source", () => {
  const vars = env(["why" in pnpm ? "" : pnpm.folder]);
  const checkout = join(scratch, "clawdbot");

  beforeAll(() => {
    mkdirSync(vars.HOME);
    const repository = copyTree(join(scratch, "repository"));
    const git =
      "git -c user.name=t -c user.email=t@localhost -c init.defaultBranch=main -c commit.gpgsign=false";
    const made = sh(`git init -q; git add -A; ${git} commit -qm tree`, repository, {
      PATH: "/usr/bin:/bin",
      HOME: vars.HOME,
    });
    if (made.code !== 0) throw new Error(made.stderr);
  }, 60_000);

  test("deploy-008 the guide's block builds and runs with pnpm alone", () => {
    const { code, stdout, stderr } = sh(FROM_SOURCE, scratch, vars);
    expect({ code, stderr: code === 0 ? "" : stderr + stdout }).toEqual({ code: 0, stderr: "" });
    expect(stdout.trimEnd().split("\n").at(-1)).toBe(pkg.version);
    // Bun's own install would have put the packages of packages beside pnpm's.
    expect(existsSync(join(checkout, "node_modules/undici-types"))).toBe(false);
    expect(sh("git status --porcelain", checkout, vars).stdout).toBe("");
    for (const name of ["moltbot", "openclaw"])
      expect(sh(`pnpm ${name} --version`, checkout, vars).stdout).toEndWith(`${pkg.version}\n`);
  }, 180_000);

  test("deploy-009 the line for WSL builds in a second run too", () => {
    const { code, stdout, stderr } = run(
      ["bash", "-c", "pnpm install && pnpm ui:build && pnpm build"],
      { cwd: checkout, env: vars },
    );
    expect({ code, stderr: code === 0 ? "" : stderr + stdout }).toEqual({ code: 0, stderr: "" });
    expect(run([join(checkout, "dist/clawdbot"), "--version"]).stdout).toBe(`${pkg.version}\n`);
  }, 180_000);

  test("deploy-010 pnpm gateway:watch starts the gateway anew when a file changes", async () => {
    await watcherFree(checkout);
    await using child = startChild(["pnpm", "gateway:watch"], {
      cwd: checkout,
      env: { ...vars, CLAWDBOT_GATEWAY_PORT: String(freePort()), CLAWDBOT_SKIP_CHANNELS: "1" },
    });
    await child.seen(/listening on ws:\/\/127/);
    expect(child.log().match(/listening on ws:\/\/127/g)).toHaveLength(1);
    appendFileSync(join(checkout, "src/gateway/start.ts"), "// Somebody works on this.\n");
    await child.seen(/listening on ws:\/\/127/, 2);
  }, 60_000);
});

/** Others on this machine may hold all of its file watchers for a moment. */
async function watcherFree(folder: string): Promise<void> {
  for (;;)
    try {
      watch(folder).close();
      return;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EMFILE") throw cause;
      await Bun.sleep(100);
    }
}

const corepack = Bun.which("corepack");
if (!corepack) process.stdout.write("skipped: there is no corepack\n");

describe.skipIf(!corepack)("the guide's own Dockerfile", () => {
  test("deploy-091 its steps build the executable, with corepack's pnpm", () => {
    const tree = copyTree(join(scratch, "tree"));
    // What .dockerignore keeps out of `COPY . .`.
    for (const name of ["docs/images", "test", "bench", ".ci", ".github"])
      rmSync(join(tree, name), { recursive: true, force: true });
    const app = join(scratch, "app");
    const bin = join(scratch, "corepack-bin");
    const vars = { ...env([bin]), GIT_CONFIG_COUNT: "0" };
    for (const path of [app, bin, vars.HOME]) mkdirSync(path, { recursive: true });
    const copy = (...names: string[]) => {
      for (const name of names) cpSync(join(tree, name), join(app, name), { recursive: true });
    };
    // The Dockerfile's lines, in its order; `corepack enable` would write beside the machine's own Node.
    copy("package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", ".npmrc");
    copy("ui/package.json");
    copy("scripts");
    const step = (line: string) => {
      const { code, stdout, stderr } = sh(line, app, vars);
      expect({ line, code, said: code === 0 ? "" : stderr + stdout }).toEqual({
        line,
        code: 0,
        said: "",
      });
    };
    step(`corepack enable --install-directory '${bin}'`);
    step("pnpm install --frozen-lockfile");
    cpSync(tree, app, { recursive: true });
    for (const line of ["pnpm build", "pnpm ui:install", "pnpm ui:build"]) step(line);
    const done = sh("node dist/index.js --version", app, vars);
    expect(done).toEqual({ code: 0, stdout: `${pkg.version}\n`, stderr: "" });
    expect(sh("pnpm --version", app, vars).stdout.trim()).toBe(
      /^pnpm@([\d.]+)/.exec(pkg.packageManager)![1]!,
    );
  }, 180_000);
});

test("a fresh copy needs Bun only: its scripts install what the lockfile says", () => {
  const tree = copyTree(join(scratch, "bun-only"));
  const bin = join(scratch, "bun-bin");
  for (const path of [join(scratch, "home-2"), bin]) mkdirSync(path);
  symlinkSync(process.execPath, join(bin, "bun"));
  const { code, stderr } = run([join(bin, "bun"), "run", "build", "--outdir", "out"], {
    cwd: tree,
    env: { ...env([bin]), HOME: join(scratch, "home-2") },
  });
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  const done = run([process.execPath, join(tree, "out/index.js"), "--version"]);
  expect(done).toEqual({ code: 0, stdout: `${pkg.version}\n`, stderr: "" });
}, 120_000);
