/** What `bun run release` refuses, and what it says then. Nothing is built here. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import pkg from "../../../package.json";
import { run } from "../lab.ts";
import { copyTree } from "../tree.ts";
import { HERE } from "./registry.ts";

const scratch = mkdtempSync(join(tmpdir(), "clawdbot-refused-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }), 60_000);

const tree = join(scratch, "tree");
const env = {
  ...(process.env as Record<string, string>),
  SOURCE_DATE_EPOCH: "1763596800",
  CLAWDBOT_SIGNING_KEY: "",
};
const release = (folder: string, words: string[], vars: Record<string, string> = {}) =>
  run([process.execPath, "scripts/release/run.ts", ...words], {
    cwd: folder,
    env: { ...env, ...vars },
  });

/** Not a checkout, so it is never dirty; with the packages of this one. */
function makeTree(name: string): string {
  const tree = copyTree(join(scratch, name));
  mkdirSync(join(tree, "node_modules"));
  for (const entry of readdirSync("node_modules"))
    symlinkSync(resolve("node_modules", entry), join(tree, "node_modules", entry));
  return tree;
}

beforeAll(() => void makeTree("tree"), 60_000);

const refused = (words: string[], vars: Record<string, string> = {}, folder = tree) => {
  const { code, stdout, stderr } = release(folder, words, vars);
  expect(stdout).toBe("");
  return { code, said: stderr };
};

test("an unknown word is a usage error", () => {
  for (const words of [
    ["--bogus"],
    ["--targets", "amiga"],
    ["--targets", ""],
    ["--channel", "nightly"],
    ["verify"],
    ["keygen"],
    ["make", "x"],
    ["publish"],
    ["verify", "a", "b"],
  ]) {
    const { code, said } = refused(words);
    expect({ words, code }).toEqual({ words, code: 2 });
    expect(said).toEndWith("See: bun run release --help\n");
  }
});

test("a key is needed, and must be a private one that nobody else reads", () => {
  expect(refused([]).said).toContain("There is no key to sign with.\nPass --key <file>");
  const file = join(scratch, "bad.pem");
  expect(refused(["--key", file]).said).toContain(`Make one: bun run release keygen ${file}`);
  writeFileSync(file, "not a key", { mode: 0o600 });
  const bad = refused([], { CLAWDBOT_SIGNING_KEY: file });
  expect(bad).toMatchObject({ code: 1 });
  expect(bad.said).toContain("is not a private Ed25519 key");
  if (process.platform !== "win32") {
    chmodSync(file, 0o644);
    expect(refused(["--key", file]).said).toContain(`Run: chmod 600 ${file}`);
  }
  rmSync(file);
  const made = release(tree, ["keygen", file]);
  expect(made.stdout).toMatch(/^[A-Za-z0-9+/]{59}=\n$/);
  if (process.platform !== "win32") expect(statSync(file).mode & 0o777).toBe(0o600);
  const before = readFileSync(file, "utf8");
  expect(refused(["keygen", file]).said).toContain("is there already.");
  expect(readFileSync(file, "utf8")).toBe(before);
});

test("a source without a date is no release", () => {
  const dated = (SOURCE_DATE_EPOCH: string) => refused(["--unsigned"], { SOURCE_DATE_EPOCH }).said;
  expect(dated("")).toContain("SOURCE_DATE_EPOCH=$(date +%s)");
  expect(dated("soon")).toContain('is "soon"');
});

test("an install.sh without a place for the key, and packages of pnpm's, make no release", () => {
  const other = makeTree("other");
  const script = join(other, "install.sh");
  const text = readFileSync(script, "utf8");
  writeFileSync(script, text.replace('="@RELEASE_KEY@"', '="abc"'));
  const noPlace = refused(["--unsigned", "--dry-run"], {}, other);
  expect(noPlace).toMatchObject({ code: 1 });
  expect(noPlace.said).toContain("install.sh has no place for the key");

  writeFileSync(script, text);
  expect(release(other, ["--unsigned", "--dry-run"]).code).toBe(0);
  writeFileSync(join(other, "node_modules/.modules.yaml"), "");
  const pnpm = refused(["--unsigned", "--dry-run"], {}, other);
  expect(pnpm).toMatchObject({ code: 1 });
  expect(pnpm.said).toContain("Run: rm -r node_modules && bun install --frozen-lockfile");
}, 30_000);

test.skipIf(!Bun.which("git"))(
  "a checkout with changes is no release",
  () => {
    const checkout = makeTree("checkout");
    const git = "git -c user.name=t -c user.email=t@localhost -c commit.gpgsign=false";
    const script = `git init -q; git add -A; ${git} commit -qm tree`;
    expect(run(["sh", "-ec", script], { cwd: checkout }).code).toBe(0);
    const words = ["--unsigned", "--dry-run", "--targets", HERE.id];
    expect(release(checkout, words).code).toBe(0);
    appendFileSync(join(checkout, "README.md"), "x");
    expect(refused(words, {}, checkout).said).toContain("--allow-dirty");
    expect(release(checkout, [...words, "--allow-dirty"]).code).toBe(0);
  },
  30_000,
);

test("--dry-run names the files of every target, and makes none", () => {
  const out = join(scratch, "dry");
  const words = ["--unsigned", "--dry-run", "--json", "--skip-image", "--out", out];
  const { stdout, code } = release(tree, words);
  expect(code).toBe(0);
  const { folder, files } = JSON.parse(stdout) as { folder: string; files: string[] };
  expect(folder).toBe(join(out, "download", `v${pkg.version}`));
  // Five executables, packed and as packages; the launcher; install.sh, latest.txt, manifest.json, nix-release.json, SHA256SUMS.
  expect(files).toHaveLength(5 * 3 + 1 + 5);
  expect(existsSync(out)).toBe(false);
});

test("verify refuses a folder without a release", () => {
  const { code, said } = refused(["verify", scratch]);
  expect(code).toBe(1);
  expect(said).toContain(`There is no release in ${scratch}.`);
});
