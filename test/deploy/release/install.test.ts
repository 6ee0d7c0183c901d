/** `npm install -g`, `pnpm add -g` and `bun add -g` as the guides write them, from a registry on loopback with this build's packages. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import pkg from "../../../package.json";
import { BINARY } from "../../e2e/binary.ts";
import { listening } from "../../e2e/child.ts";
import { run } from "../lab.ts";
import { HERE, packAll, startRegistry } from "./registry.ts";
import { closedEnv, fetchPnpm, PNPM_NEWEST, PNPM_PINNED, startChild } from "./tools.ts";

const VERSION = pkg.version;
const NAMES = ["clawdbot", "moltbot", "openclaw"];
const scratch = realpathSync(mkdtempSync(join(tmpdir(), "clawdbot-install-")));
const packages = packAll(VERSION);
const registry = startRegistry(packages);
const home = join(scratch, "home");
mkdirSync(home);
writeFileSync(join(home, ".npmrc"), `registry=${registry.url}\n`);
const noNpm = Bun.which("npm") === null;
if (noNpm) process.stdout.write("skipped: there is no npm\n");

afterAll(async () => {
  await registry.stop();
  rmSync(scratch, { recursive: true, force: true });
}, 60_000);

/** Runs what a guide says in a shell. The registry is in this process, so the child must not block it. */
async function sh(line: string, env: Record<string, string>) {
  const child = startChild(["sh", "-ec", line], { cwd: scratch, env });
  const { code } = await child.exited;
  return { code, said: child.log() };
}

const npmEnv = (name: string) =>
  closedEnv(home, [join(scratch, name, "bin")], {
    npm_config_prefix: join(scratch, name),
    // Empty each time: `--offline` must find in the files all that it needs.
    npm_config_cache: join(scratch, name, "cache"),
  });

/** Every package as a file, as it lies in a release folder. */
function writePackages(): Record<string, string> {
  const folder = join(scratch, "files");
  mkdirSync(folder, { recursive: true });
  return Object.fromEntries(
    packages.map(({ name, file, tgz }) => {
      writeFileSync(join(folder, file), tgz);
      return [name, join(folder, file)];
    }),
  );
}

/** Starts the installed gateway, and ends it as a supervisor would. */
async function startsAndStops(command: string, env: Record<string, string>): Promise<void> {
  const state = mkdtempSync(join(scratch, "state-"));
  await using gateway = startChild([command, "gateway", "--allow-unconfigured", "--port", "0"], {
    env: { ...env, CLAWDBOT_STATE_DIR: state },
  });
  await listening(gateway);
  process.kill(gateway.pid, "SIGTERM");
  expect(await gateway.exited).toEqual({ code: 0, signal: null });
}

describe.skipIf(noNpm)("npm", () => {
  test("deploy-001 npm install -g clawdbot@latest gives the command under its three names", async () => {
    const env = npmEnv("npm-1");
    expect(await sh("npm install -g clawdbot@latest", env)).toMatchObject({ code: 0 });
    for (const name of NAMES)
      expect(await sh(`${name} --version`, env)).toEqual({ code: 0, said: `${VERSION}\n` });
    const installed = registry.asked.filter((path) => path.endsWith(".tgz"));
    expect(new Set(installed)).toEqual(
      new Set([`-/clawdbot-${VERSION}.tgz`, `-/clawdbot-${HERE.id}-${VERSION}.tgz`]),
    );
    await startsAndStops(join(scratch, "npm-1/bin/clawdbot"), env);
  }, 60_000);

  test("deploy-001 the packages install without a network, and without install scripts", async () => {
    const files = writePackages();
    const both = `${files["clawdbot"]} ${files[`@clawdbot/${HERE.id}`]}`;
    for (const flags of ["", "--ignore-scripts"]) {
      const env = npmEnv(`npm-2${flags}`);
      const done = await sh(`npm install -g --offline ${flags} ${both}`, env);
      expect(done).toMatchObject({ code: 0 });
      expect(await sh("clawdbot --version", env)).toEqual({ code: 0, said: `${VERSION}\n` });
    }
    for (const { json } of packages) expect(json).not.toHaveProperty("scripts");
  }, 60_000);

  test("deploy-001 without the package of this system it says so, and the command it gives mends it", async () => {
    const env = npmEnv("npm-3");
    const files = writePackages();
    const done = await sh(`npm install -g --offline --omit=optional ${files["clawdbot"]}`, env);
    expect(done).toMatchObject({ code: 0 });
    const { code, said } = await sh("clawdbot --version", env);
    expect(code).toBe(1);
    expect(said).toContain(`the package for this system, @clawdbot/${HERE.id}, is not installed`);
    const command = /^Run: (.+)$/m.exec(said)![1]!;
    expect(command).toBe(`npm install -g clawdbot@${VERSION} --include=optional`);
    expect(await sh(command, env)).toMatchObject({ code: 0 });
    expect(await sh("clawdbot --version", env)).toEqual({ code: 0, said: `${VERSION}\n` });
  }, 60_000);

  test("deploy-102 npm i -g clawdbot@latest; clawdbot --version", async () => {
    const env = npmEnv("npm-4");
    const { code, said } = await sh("npm i -g clawdbot@latest; clawdbot --version", env);
    expect(code).toBe(0);
    expect(said.trimEnd().split("\n").at(-1)).toBe(VERSION);
  }, 60_000);
});

for (const version of [PNPM_NEWEST, PNPM_PINNED]) {
  const pnpm = fetchPnpm(version);
  describe.skipIf("why" in pnpm)(`pnpm ${version}`, () => {
    // Its default is ~/.local/share/pnpm: the launcher knows pnpm by that name.
    const pnpmEnv = (name: string) => {
      const place = join(scratch, version, name, "pnpm");
      mkdirSync(join(place, "bin"), { recursive: true });
      return closedEnv(home, ["why" in pnpm ? "" : pnpm.folder, join(place, "bin"), place], {
        PNPM_HOME: place,
      });
    };

    test("deploy-002 pnpm add -g clawdbot@latest gives the command under its three names", async () => {
      const env = pnpmEnv("whole");
      expect(await sh("pnpm add -g clawdbot@latest", env)).toMatchObject({ code: 0 });
      for (const name of NAMES)
        expect(await sh(`${name} --version`, env)).toEqual({ code: 0, said: `${VERSION}\n` });
    }, 60_000);

    test("deploy-002 without optional packages it says so, and the command it gives mends it", async () => {
      const env = pnpmEnv("cut");
      await sh("pnpm add -g --no-optional clawdbot@latest", env);
      const { code, said } = await sh("clawdbot --version", env);
      expect(code).toBe(1);
      expect(said).toContain(`@clawdbot/${HERE.id}, is not installed`);
      const command = /^Run: (.+)$/m.exec(said)![1]!;
      expect(command).toStartWith("pnpm add -g ");
      expect(await sh(command, env)).toMatchObject({ code: 0 });
      expect(await sh("clawdbot --version", env)).toEqual({ code: 0, said: `${VERSION}\n` });
    }, 60_000);
  });
}

describe("bun", () => {
  const place = join(scratch, "bun");
  const bin = join(scratch, "bun-itself");
  const env = closedEnv(home, [join(place, "bin"), bin], {
    BUN_INSTALL: place,
    BUN_CONFIG_REGISTRY: registry.url,
  });
  mkdirSync(bin);
  run(["ln", "-s", process.execPath, join(bin, "bun")]);

  test.skipIf(Bun.which("node") === null)(
    "deploy-003 bun add -g clawdbot@latest gives the command under its three names",
    async () => {
      expect(await sh("bun add -g clawdbot@latest", env)).toMatchObject({ code: 0 });
      for (const name of NAMES)
        expect(await sh(`${name} --version`, env)).toEqual({ code: 0, said: `${VERSION}\n` });
    },
    60_000,
  );

  test.skipIf(Bun.which("node") === null)(
    "deploy-003 without optional packages it says so, and the command it gives mends it",
    async () => {
      await sh("bun remove -g clawdbot; bun add -g --omit=optional clawdbot@latest", env);
      const { code, said } = await sh("clawdbot --version", env);
      expect(code).toBe(1);
      const command = /^Run: (.+)$/m.exec(said)![1]!;
      expect(command).toContain("bun add -g ");
      expect(await sh(command, env)).toMatchObject({ code: 0 });
      expect(await sh("clawdbot --version", env)).toEqual({ code: 0, said: `${VERSION}\n` });
    },
    60_000,
  );

  test("deploy-003 the launcher runs in Bun too, where there is no Node", async () => {
    await sh("bun add -g clawdbot@latest", env);
    const launcher = join(place, "install/global/node_modules/clawdbot/index.js");
    const done = run([process.execPath, launcher, "--version"], { env: { HOME: home } });
    expect(done).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: "" });
  }, 60_000);
});

test("what is tested is the executable under test", () => {
  const done = run([BINARY, "--version"], { env: { HOME: home } });
  expect(done.stdout).toBe(`${VERSION}\n`);
});
