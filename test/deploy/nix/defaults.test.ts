/** The switch of the macOS app, with a stand-in for `defaults`. */
import { afterEach, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readEnv } from "../../../src/base/env.ts";
import { withNixDefault } from "../../../src/cli/nix-default.ts";

const dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

/** A `defaults` of macOS that writes down what it was asked for and answers with `script`. */
function machine(script: string, env: Record<string, string> = {}) {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-defaults-"));
  dirs.push(dir);
  const asked = join(dir, "asked");
  writeFileSync(join(dir, "defaults"), `#!/bin/sh\necho "$@" >> '${asked}'\n${script}\n`);
  chmodSync(join(dir, "defaults"), 0o755);
  const found = readEnv({ PATH: `${dir}:/usr/bin:/bin`, HOME: dir, KEPT: "yes", ...env });
  return {
    env: found,
    asked: () => (existsSync(asked) ? readFileSync(asked, "utf8") : ""),
  };
}

test("deploy-044 on macOS the switch of the app turns Nix mode on where no variable decides", () => {
  const { env, asked } = machine("echo 1");
  const found = withNixDefault(env, "darwin");
  expect(found.nixMode).toBe(true);
  expect(found.raw("KEPT")).toBe("yes");
  // Children of this process, and the CLI that the agent calls, hear of it too.
  expect(found.raw("CLAWDBOT_NIX_MODE")).toBe("1");
  expect(asked()).toBe("read com.clawdbot.mac clawdbot.nixMode\n");
});

test("deploy-044 a switch that is off or was never set changes nothing", () => {
  for (const script of [
    "echo 0",
    "echo 'does not exist' >&2; exit 1",
    "echo 1; exit 1",
    "kill -9 $$",
    "echo",
  ]) {
    const { env } = machine(script);
    expect(withNixDefault(env, "darwin")).toBe(env);
  }
});

test("deploy-044 a variable of any name wins over the switch, which is then not looked at", () => {
  for (const name of ["CLAWDBOT_NIX_MODE", "MOLTBOT_NIX_MODE", "OPENCLAW_NIX_MODE"])
    for (const value of ["0", "1"]) {
      const { env, asked } = machine("echo 1", { [name]: value });
      expect(withNixDefault(env, "darwin").nixMode).toBe(value === "1");
      expect(asked()).toBe("");
    }
});

test("deploy-044 elsewhere nothing is started, and a Mac without `defaults` is fine", () => {
  const { env, asked } = machine("echo 1");
  for (const platform of ["linux", "win32"] as const)
    expect(withNixDefault(env, platform)).toBe(env);
  expect(asked()).toBe("");
  const bare = readEnv({ PATH: "/nowhere" });
  expect(withNixDefault(bare, "darwin")).toBe(bare);
});
