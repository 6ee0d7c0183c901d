import { afterEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readEnv } from "../../base/env.ts";
import {
  addBlock,
  dropBlock,
  filesWithBlock,
  rcFile,
  SHELLS,
  withBlock,
  withoutBlock,
} from "./rc.ts";

const made: string[] = [];
afterEach(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true });
});
function newHome(): string {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-rc-"));
  made.push(dir);
  return dir;
}
const env = readEnv({});

test("what was there before comes back byte for byte, whatever its end", () => {
  for (const before of ["", "a", "a\n", "a\n\n\n", "a\r\n", "\n", "# >>> other >>>\nx\n"])
    for (const shell of SHELLS) {
      const after = withBlock(before, shell);
      expect(after).not.toBe(before);
      expect(withoutBlock(after)).toBe(before);
      expect(withBlock(after, shell)).toBe(after);
    }
});

test("lines that were added below it stay, on lines of their own", () => {
  expect(withoutBlock(`${withBlock("a", "bash")}b\n`)).toBe("a\nb\n");
  expect(withoutBlock(`${withBlock("a\n", "bash")}b`)).toBe("a\nb");
  expect(withoutBlock(`${withBlock("", "bash")}b`)).toBe("b");
});

test("of a block that was cut only the first line goes", () => {
  const whole = withBlock("a\n", "zsh");
  const cut = whole.slice(0, whole.indexOf("# <<<"));
  expect(withoutBlock(cut)).toStartWith("a\n");
  expect(withoutBlock(cut)).not.toContain("# >>> clawdbot completion >>>");
});

test("a file that was there keeps its mode, and stays when it was empty", async () => {
  const home = newHome();
  const file = rcFile("bash", home, env);
  writeFileSync(file, "");
  chmodSync(file, 0o640);
  expect(await addBlock("bash", file)).toBe(true);
  expect(await addBlock("bash", file)).toBe(false);
  expect(await filesWithBlock(home, env)).toEqual([file]);
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(await dropBlock(file)).toBe(true);
  expect(await dropBlock(file)).toBe(false);
  expect(readFileSync(file, "utf8")).toBe("");
});

test("a file that was made for it goes again, with the folders that were made and nothing more", async () => {
  const home = newHome();
  mkdirSync(join(home, ".config"));
  const file = rcFile("fish", home, env);
  await addBlock("fish", file);
  expect(existsSync(file)).toBe(true);
  await dropBlock(file);
  expect(existsSync(join(home, ".config"))).toBe(true);
  expect(existsSync(join(home, ".config/fish"))).toBe(false);

  await addBlock("fish", file);
  writeFileSync(join(home, ".config/fish/mine"), "x");
  await dropBlock(file);
  expect(existsSync(join(home, ".config/fish/conf.d"))).toBe(false);
  expect(existsSync(join(home, ".config/fish/mine"))).toBe(true);
});

test("a link to a file of one's own is followed and stays a link; one into a store is refused", async () => {
  const home = newHome();
  writeFileSync(join(home, "dotfiles"), "mine\n");
  symlinkSync("dotfiles", join(home, ".zshrc"));
  await addBlock("zsh", rcFile("zsh", home, env));
  expect(readFileSync(join(home, "dotfiles"), "utf8")).toContain("completion -s zsh");
  symlinkSync("/nix/store/x-zshrc", join(home, ".bashrc"));
  await expect(addBlock("bash", rcFile("bash", home, env))).rejects.toMatchObject({
    code: "forbidden",
  });
});

test("where the shells' own variables say so, the files are elsewhere", () => {
  const other = readEnv({ ZDOTDIR: "/z", XDG_CONFIG_HOME: "/c" });
  expect(rcFile("zsh", "/home/me", other)).toBe("/z/.zshrc");
  expect(rcFile("fish", "/home/me", other)).toBe("/c/fish/conf.d/clawdbot-completion.fish");
});
