import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { moveAside, readService } from "./service-file.ts";
import { readUnit } from "./systemd-unit.ts";

const dir = mkdtempSync(join(tmpdir(), "clawdbot-service-file-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const at = (name: string) => join(dir, name);
const read = (name: string) => readService(at(name), (text) => readUnit(text, at(name), "/home"));

test("what stands in the place of a service's file gives an empty one, so that it is repaired", async () => {
  writeFileSync(at("good"), "[Service]\nExecStart=/bin/x\n");
  expect((await read("good"))!.command).toEqual(["/bin/x"]);
  expect(await read("none")).toBeUndefined();
  writeFileSync(at("huge"), `[Service]\nExecStart=/bin/x\n${"#".repeat(300_000)}`);
  mkdirSync(at("folder"));
  symlinkSync("loop", at("loop"));
  for (const name of ["huge", "folder", "loop"])
    expect([name, (await read(name))!.command]).toEqual([name, []]);
});

test("a retired file is kept under a name that is free, never over another", async () => {
  for (const name of ["old.service", "old.service.1", "old.service.2"]) {
    writeFileSync(at("old.service"), name);
    expect(await moveAside(at("old.service"), at("kept"))).toBe(join(at("kept"), name));
    expect(await Bun.file(join(at("kept"), name)).text()).toBe(name);
  }
  expect(statSync(at("kept")).mode & 0o777).toBe(0o700);
  expect(await moveAside(at("old.service"), at("kept"))).toBeUndefined();
});
