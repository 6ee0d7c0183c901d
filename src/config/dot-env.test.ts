import { expect, test } from "bun:test";
import { chmodSync, statSync } from "node:fs";
import { join } from "node:path";

import { makeHome } from "../../test/config-home.ts";
import { setDotEnv } from "./dot-env.ts";
import { readDotEnv } from "./load.ts";

test("a key is set for this user only, and every other line stays", async () => {
  using home = makeHome();
  const { stateDir } = home.paths;
  const path = await setDotEnv(stateDir, "A_KEY", "sk-1");
  expect(path).toBe(join(stateDir, ".env"));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  home.write("# mine\nOTHER=x\nexport A_KEY='old'\nNOT_A_KEY=y", ".env");
  chmodSync(path, 0o644);
  await setDotEnv(stateDir, "A_KEY", "sk-2");
  expect(home.read(".env")).toBe("# mine\nOTHER=x\nNOT_A_KEY=y\nA_KEY=sk-2\n");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await setDotEnv(stateDir, "A_KEY", "sk-2");
  expect((await readDotEnv(stateDir)).vars).toMatchObject({ A_KEY: "sk-2", NOT_A_KEY: "y" });
});

test("a value that could be more than a value is refused, and nothing is made", async () => {
  using home = makeHome();
  home.write("A_KEY=sk-1\n", ".env");
  for (const value of [
    "sk\nPATH=/evil",
    "sk\rPATH=/evil",
    "sk #x",
    "'sk",
    'sk"',
    "$HOME",
    "`id`",
    "a\\nb",
    "sk\0",
    "",
    "x".repeat(4_097),
  ])
    await expect(setDotEnv(home.paths.stateDir, "A_KEY", value)).rejects.toThrow(
      "characters that no key has",
    );
  expect(home.read(".env")).toBe("A_KEY=sk-1\n");
});
