/** The packages of every system carry the licences of what is in their executable. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";

import { systemPackage } from "../../../scripts/release/packages.ts";
import { TARGETS } from "../../../scripts/targets.ts";

const FOREIGN = readdirSync("LICENSES").sort();

test("there are those of libsignal and of glibc, and our own", () => {
  expect(FOREIGN).toEqual(["GPL-3.0.txt", "LGPL-2.1.txt", "README.md"]);
});

test.each(TARGETS)("the package of $id has all of them, whole", async (target) => {
  const { name, tar } = systemPackage(target, new Uint8Array([1]), "1.2.3", 0);
  expect(name).toBe(`clawdbot-${target.id}-1.2.3.tgz`);
  const files = await new Bun.Archive(tar).files();
  for (const file of FOREIGN)
    expect(await files.get(`package/LICENSES/${file}`)?.text()).toBe(
      readFileSync(`LICENSES/${file}`, "utf8"),
    );
  expect(await files.get("package/LICENSE")?.text()).toBe(readFileSync("LICENSE", "utf8"));
});
