import { expect, test } from "bun:test";

import { readEnv } from "./env.ts";
import {
  hintInNixMode,
  missingCommandHint,
  missingCommandIn,
  nixFix,
  refuseInNixMode,
} from "./nix.ts";

const nix = readEnv({ OPENCLAW_NIX_MODE: "1" });
const plain = readEnv({});

test("deploy-041 what Nix owns is refused with the option to change instead", () => {
  expect(() => refuseInNixMode(nix, "config")).toThrow("made by Nix");
  for (const [what, option] of [
    ["config", "programs.clawdbot.config"],
    ["service", "programs.clawdbot.enable"],
  ] as const) {
    expect(() => refuseInNixMode(plain, what)).not.toThrow();
    expect(nixFix(nix, what)).toContain(option);
    expect(nixFix(plain, what)).toBeUndefined();
    try {
      refuseInNixMode(nix, what);
    } catch (cause) {
      expect(cause).toMatchObject({ code: "forbidden", hint: expect.stringContaining(option) });
    }
  }
});

test("deploy-041 a hint with a command that is refused says what to do instead", () => {
  const hint = "Run `clawdbot config set gateway.mode local`.";
  expect(hintInNixMode(plain, hint)).toBe(hint);
  expect(hintInNixMode(nix, hint)).toStartWith(hint);
  expect(hintInNixMode(nix, hint)).toContain("`programs.clawdbot.config`");
  expect(hintInNixMode(nix, "clawdbot --profile work onboard")).toBe(nixFix(nix, "config"));
  expect(hintInNixMode(nix, "clawdbot gateway install --force")).toBe(nixFix(nix, "service"));
  expect(hintInNixMode(nix, "clawdbot gateway restart")).toBe("clawdbot gateway restart");
  expect(hintInNixMode(nix, "Try again.")).toBe("Try again.");
  expect(hintInNixMode(nix, undefined)).toBeUndefined();
});

test("deploy-042 the command that a shell did not find is recognised by its words", () => {
  const cases: [string, string | undefined][] = [
    ["sh: 1: ffmpeg: not found", "ffmpeg"],
    ["/bin/sh: line 1: yt-dlp: not found", "yt-dlp"],
    ["bash: line 3: g++: command not found", "g++"],
    ["some output\nbash: rg: command not found\n", "rg"],
    ["zsh:1: command not found: jq", "jq"],
    ["cat: notes.md: No such file or directory", undefined],
    ["", undefined],
  ];
  for (const [output, command] of cases) expect(missingCommandIn(output)).toBe(command);
  expect(missingCommandHint(nix, "ffmpeg")).toContain("nix search nixpkgs ffmpeg");
  expect(missingCommandHint(plain, "ffmpeg")).toBeUndefined();
});
