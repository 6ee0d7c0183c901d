import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readEnv } from "../../base/env.ts";
import { managedBy, RECEIPT_NAME } from "./managed.ts";

const folder = mkdtempSync(join(tmpdir(), "clawdbot-managed-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const program = join(folder, "clawdbot");

const by = (given: Partial<Parameters<typeof managedBy>[0]>) =>
  managedBy({ env: readEnv({}), program, standalone: true, key: "key", imaged: false, ...given });

test("a single file with the releases' key is ours", () => {
  expect(by({})).toBeUndefined();
});

test("what somebody else put there is theirs, with the command that updates it", () => {
  const cases: [Partial<Parameters<typeof managedBy>[0]>, string, string][] = [
    [{ env: readEnv({ MOLTBOT_NIX_MODE: "1" }) }, "nix", "nix flake update"],
    [{ program: "/nix/store/abc-clawdbot/bin/clawdbot" }, "nix", "home-manager switch"],
    [
      { program: "/usr/lib/node_modules/clawdbot/node_modules/@clawdbot/linux-x64/bin/clawdbot" },
      "npm",
      "npm install -g clawdbot@latest",
    ],
    [
      {
        program:
          "/home/x/.local/share/pnpm/global/5/.pnpm/c/node_modules/@clawdbot/linux-x64/bin/clawdbot",
      },
      "pnpm",
      "pnpm add -g",
    ],
    [
      { program: "/home/x/.bun/install/global/node_modules/@clawdbot/linux-x64/bin/clawdbot" },
      "bun",
      "bun add -g",
    ],
    [{ standalone: false }, "source", "git pull"],
    [{ key: undefined }, "source", "bun run build"],
    [{ imaged: true }, "docker", "docker-setup.sh"],
    [{ imaged: true, env: readEnv({ FLY_APP_NAME: "x" }) }, "docker", "fly deploy"],
  ];
  for (const [given, manager, command] of cases) {
    const managed = by(given);
    expect(managed?.by).toBe(manager as never);
    expect(managed?.hint).toContain(command);
  }
});

test("install.sh inside of a container makes it a machine", () => {
  writeFileSync(join(folder, RECEIPT_NAME), "{}");
  expect(by({ imaged: true })).toBeUndefined();
});
