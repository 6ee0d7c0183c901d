import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { makeHome } from "../../../test/config-home.ts";
import type { Cli } from "../command.ts";
import { refuseForeignLinks } from "./service.ts";

const BOT = 1000;
const canTry = process.platform === "linux" && process.getuid?.() === 0;

let machine: string;
beforeEach(() => {
  machine = mkdtempSync(join(tmpdir(), "clawdbot-machine-"));
});
afterEach(() => rmSync(machine, { recursive: true, force: true }));

test.skipIf(!canTry)("root follows no link of a user to what is not that user's", () => {
  const attacks: [name: string, to: string][] = [
    ["", machine],
    ["gateway.env", join(machine, "not-there-yet")],
    ["gateway.env", join(machine, "secret")],
    ["backups", machine],
    ["backups/services", machine],
  ];
  writeFileSync(join(machine, "secret"), "");
  for (const [name, to] of attacks) {
    using home = makeHome();
    const { stateDir } = home.paths;
    chownSync(home.home, BOT, BOT);
    if (name) mkdirSync(join(stateDir, name, ".."), { recursive: true });
    const link = join(stateDir, name);
    symlinkSync(to, link);
    lchownSync(link, BOT, BOT);
    const cli = { paths: home.paths } as Cli;
    expect(() => refuseForeignLinks({ cli, user: "bot" })).toThrow("which is not bot's");
    // Without sudo it is the caller's own affair.
    refuseForeignLinks({ cli, user: undefined });
  }
});

test.skipIf(!canTry)(
  "a state folder on another disk of the user's is fine, and so is a new one",
  () => {
    using home = makeHome();
    chownSync(home.home, BOT, BOT);
    const cli = { paths: home.paths } as Cli;
    refuseForeignLinks({ cli, user: "bot" });
    chownSync(machine, BOT, BOT);
    symlinkSync(machine, home.paths.stateDir);
    refuseForeignLinks({ cli, user: "bot" });
  },
);
