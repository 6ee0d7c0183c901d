import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readEnv } from "../base/env.ts";
import { AppError } from "../base/errors.ts";
import { findPaths } from "../base/paths.ts";
import type { Change } from "../config/edit.ts";
import type { Fix } from "./check.ts";
import { fixable, mend } from "./mend.ts";

const open: string[] = [];
afterEach(() => {
  for (const dir of open.splice(0)) rmSync(dir, { recursive: true, force: true });
});

/** A state folder with this config. */
function place(text: string) {
  const home = mkdtempSync(join(tmpdir(), "clawdbot-mend-"));
  open.push(home);
  const state = join(home, ".clawdbot");
  mkdirSync(state, { mode: 0o700 });
  const file = join(state, "clawdbot.json");
  writeFileSync(file, text);
  const env = readEnv({ HOME: home });
  return { where: { env, paths: findPaths(env, home), now: 5 }, file, state };
}
const finding = (fix: Fix) => ({
  checkId: "c",
  title: "t",
  severity: "warning" as const,
  message: "m",
  fix,
});
const edit = (...changes: Change[]) =>
  finding({ kind: "safe", label: "l", done: changes[0]!.path.join("."), changes });
const set = (path: string, value: unknown): Change => ({
  kind: "set",
  path: path === "" ? [] : path.split("."),
  value,
});

test("all edits are one write, so the one backup has everything as it was", async () => {
  const before = "{\n  // mine\n  gateway: { port: 1234 },\n}\n";
  const { where, file } = place(before);
  const mended = await mend(
    [edit(set("gateway.mode", "local")), edit(set("session.dmScope", "per-peer"))],
    where,
  );
  expect(mended).toEqual([
    { checkId: "c", done: "gateway.mode" },
    { checkId: "c", done: "session.dmScope" },
  ]);
  const text = readFileSync(file, "utf8");
  expect(text).toContain("// mine");
  expect(text).toContain("local");
  expect(text).toContain("per-peer");
  expect(readFileSync(`${file}.bak`, "utf8")).toBe(before);
});

test("a change of the whole file does not undo the others", async () => {
  const { where, file } = place('{ "gateway": { "port": 1234 }, "older": 1 }');
  await mend(
    [edit(set("gateway.mode", "local")), edit(set("", { gateway: { port: 1234 } }))],
    where,
  );
  const value = JSON.parse(readFileSync(file, "utf8"));
  expect(value.gateway).toEqual({ port: 1234, mode: "local" });
  expect(value.older).toBeUndefined();
});

test("an edit that cannot be is told and keeps no other back", async () => {
  const { where, file } = place("{}");
  const mended = await mend(
    [edit(set("gateway.port", "no port")), edit(set("gateway.mode", "local"))],
    where,
  );
  expect(mended).toEqual([
    { checkId: "c", error: expect.any(AppError) },
    { checkId: "c", done: "gateway.mode" },
  ]);
  expect(JSON.parse(readFileSync(file, "utf8")).gateway).toEqual({ mode: "local" });
});

test("a fix that fails half way leaves the file as it was, and nothing beside it", async () => {
  const { where, file, state } = place("{ gateway: { port: 'x' } }");
  const before = readdirSync(state);
  const [only] = await mend([edit(set("gateway.port", 0))], where);
  expect(only).toMatchObject({ error: { code: "config_invalid" } });
  expect(readFileSync(file, "utf8")).toBe("{ gateway: { port: 'x' } }");
  expect(readdirSync(state)).toEqual(before);
});

test("a step that throws becomes what is told, and those after it are done", async () => {
  const { where } = place("{}");
  const did: string[] = [];
  const step = (name: string, run: () => Promise<void>) =>
    finding({ kind: "safe", label: name, done: name, run });
  const mended = await mend(
    [
      step("one", () => Promise.reject(new AppError("forbidden", "no"))),
      step("two", async () => void did.push("two")),
    ],
    where,
  );
  expect(mended).toEqual([
    { checkId: "c", error: expect.objectContaining({ message: "no" }) },
    { checkId: "c", done: "two" },
  ]);
  expect(did).toEqual(["two"]);
});

test("only findings with a fix are fixable", () => {
  const { fix: _, ...plain } = edit(set("a", 1));
  expect(fixable([plain, edit(set("a", 1))])).toHaveLength(1);
});
