import { afterAll, expect, test } from "bun:test";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { isOlder, isVersion, newestVersion, readRelease } from "./release.ts";
import { openSource } from "./source.ts";

const folder = mkdtempSync(join(tmpdir(), "clawdbot-release-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const source = openSource(`file://${folder}`);
const { signal } = new AbortController();
const pair = generateKeyPairSync("ed25519");
const key = pair.publicKey.export({ type: "spki", format: "der" }).toString("base64");

function write(sums: string, signature = sign(null, Buffer.from(sums), pair.privateKey)) {
  const files = join(folder, "download/v2026.1.2");
  mkdirSync(files, { recursive: true });
  writeFileSync(join(files, "SHA256SUMS"), sums);
  writeFileSync(join(files, "SHA256SUMS.sig"), `${signature.toString("base64")}\n`);
}
const read = () => readRelease(source, "2026.1.2", { key, target: "linux-x64", signal });
const sum = (digit: string) => digit.repeat(64);

test("versions are what the release makes, and nothing that could be a path", () => {
  for (const good of ["2026.11.20", "2026.1.1-beta.1", "1.0.0-rc-1"])
    expect(isVersion(good)).toBe(true);
  for (const bad of [
    "",
    "latest",
    "2026.1",
    "../../x",
    "2026.1.1/..",
    "2026.1.1-",
    "2026.1.1-..",
    "v2026.1.1",
  ])
    expect(isVersion(bad)).toBe(false);
  expect(isOlder("2026.1.1-beta.1", "2026.1.1")).toBe(true);
  expect(isOlder("2026.2.1", "2026.11.1")).toBe(true);
  expect(isOlder("2026.1.1", "2026.1.1")).toBe(false);
});

test("the newest is what latest.txt of the channel says; a sign-in page is no version", async () => {
  mkdirSync(join(folder, "latest/download"), { recursive: true });
  mkdirSync(join(folder, "download/beta"), { recursive: true });
  writeFileSync(join(folder, "latest/download/latest.txt"), "2026.1.2\r\n");
  writeFileSync(join(folder, "download/beta/latest.txt"), "<!DOCTYPE html><p>Please sign in");
  expect(await newestVersion(source, "stable", signal)).toBe("2026.1.2");
  expect(newestVersion(source, "beta", signal)).rejects.toThrow("is not the name of a version");
});

test("a list that is signed tells which file is taken", async () => {
  write(`${sum("a")}  clawdbot-linux-x64\n${sum("b")}  clawdbot-linux-x64.gz\n`);
  expect(await read()).toMatchObject({
    name: "clawdbot-linux-x64.gz",
    packed: true,
    sum: sum("b"),
    programSum: sum("a"),
  });
  write(`${sum("a")}  clawdbot-linux-x64\n`);
  expect(await read()).toMatchObject({ name: "clawdbot-linux-x64", packed: false, sum: sum("a") });
});

test("a signature that is another's, cut, empty or over another list is wrong", async () => {
  const sums = `${sum("a")}  clawdbot-linux-x64\n`;
  const other = generateKeyPairSync("ed25519").privateKey;
  const good = sign(null, Buffer.from(sums), pair.privateKey);
  for (const bad of [
    sign(null, Buffer.from(sums), other),
    good.subarray(0, 63),
    Buffer.alloc(0),
    sign(null, Buffer.from(`${sums} `), pair.privateKey),
  ]) {
    write(sums, bad);
    expect(read()).rejects.toThrow("signature of version 2026.1.2 is wrong");
  }
});

test("a file that is not listed, or twice with different sums, is not taken", async () => {
  write(`${sum("a")}  clawdbot-linux-arm64\n`);
  expect(read()).rejects.toThrow("has no clawdbot for linux-x64");
  write(`${sum("a")}  clawdbot-linux-x64\n${sum("b")}  clawdbot-linux-x64\n`);
  expect(read()).rejects.toThrow("has no clawdbot for linux-x64");
});

test("the manifest gives the lengths, and belongs to the version", async () => {
  const hash = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("hex");
  const list = (text: string) => `${sum("a")}  clawdbot-linux-x64\n${hash(text)}  manifest.json\n`;
  const manifest = (version: string) =>
    JSON.stringify({ schema: 1, version, files: [{ name: "clawdbot-linux-x64", size: 42 }] });
  const put = (text: string, listed = text) => {
    write(list(listed));
    writeFileSync(join(folder, "download/v2026.1.2/manifest.json"), text);
  };
  put(manifest("2026.1.2"));
  expect(await read()).toMatchObject({ size: 42, programSize: 42 });
  put(manifest("2026.1.1"));
  expect(read()).rejects.toThrow("is that of version 2026.1.1");
  put(manifest("2026.1.2"), "another");
  expect(read()).rejects.toThrow("is not the file that was published");
  // One of a later form: what is downloaded has its checksum all the same.
  put(JSON.stringify({ schema: 2 }));
  expect(await read()).toMatchObject({ size: undefined });
});
