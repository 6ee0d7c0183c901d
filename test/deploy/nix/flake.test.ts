/** The flake as a user's Nix sees it, and the template that the guides begin with. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "../tree.ts";
import { copyFlake, type Nix, noNix, openNix, STUB } from "./nix.ts";

setDefaultTimeout(120_000);
const SYSTEMS = ["aarch64-darwin", "aarch64-linux", "x86_64-darwin", "x86_64-linux"];

const nixFiles = (dir: string): string[] =>
  readdirSync(join(ROOT, dir), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".nix"))
    .map((name) => join(ROOT, dir, name));

describe.skipIf(noNix !== undefined)("flake", () => {
  let nix: Nix;
  let flake: string;
  let options: string[];
  beforeAll(() => {
    nix = openNix();
    const copy = join(nix.dir, "flake");
    mkdirSync(copy);
    flake = copyFlake(copy);
    options = ["--no-write-lock-file", "--override-input", "nixpkgs", `path:${STUB}/nixpkgs`];
  });
  afterAll(() => nix[Symbol.dispose]());

  test("deploy-036 every file is Nix", () => {
    const files = [join(ROOT, "flake.nix"), ...nixFiles("nix"), ...nixFiles("templates")];
    expect(files.length).toBeGreaterThan(10);
    for (const file of files)
      expect(nix.run("nix-instantiate", "--parse", file)).toMatchObject({ code: 0 });
  });

  test("deploy-036 the flake has packages for four systems, modules, an overlay and the template", () => {
    const shown = nix.run("nix", "--offline", "flake", "show", ...options, "--json", flake);
    expect(shown.stderr).not.toContain("error:");
    const outputs = JSON.parse(shown.stdout) as Record<string, Record<string, unknown>>;
    expect(Object.keys(outputs["packages"]!)).toEqual(SYSTEMS);
    for (const system of SYSTEMS)
      expect(Object.keys(outputs["packages"]![system] as object)).toEqual([
        "clawdbot",
        "clawdbot-from-source",
        "default",
      ]);
    expect(Object.keys(outputs["overlays"]!)).toEqual(["default"]);
    expect(Object.keys(outputs["nixosModules"]!)).toEqual(["clawdbot", "default", "openclaw"]);
    expect(Object.keys(outputs["templates"]!)).toEqual(["agent-first", "default"]);
    const names = nix.run(
      "nix",
      "--offline",
      "eval",
      ...options,
      "--json",
      `${flake}#homeManagerModules`,
      "--apply",
      "builtins.attrNames",
    );
    expect(JSON.parse(names.stdout)).toEqual(["clawdbot", "default", "openclaw"]);
    const inputs = nix.run("nix", "--offline", "flake", "metadata", ...options, "--json", flake);
    const { nodes } = JSON.parse(inputs.stdout).locks;
    expect(Object.keys(nodes)).toEqual(["nixpkgs", "root"]);
  });

  test("deploy-036 `nix flake check` has no errors", () => {
    const checked = nix.run("nix", "--offline", "flake", "check", ...options, "--no-build", flake);
    expect(checked.stderr).not.toContain("error:");
    expect(checked.code).toBe(0);
  });

  test("deploy-036 the overlay adds the program under both names", () => {
    const names = nix.value(`
      let final = pkgs // import (root + "/nix/overlay.nix") final pkgs; in
      [ final.clawdbot.name final.openclaw.name (final.clawdbot == final.openclaw) ]`);
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    expect(names).toEqual([`clawdbot-${version}`, `clawdbot-${version}`, true]);
  });

  describe("the template", () => {
    const text = readFileSync(join(ROOT, "templates/agent-first/flake.nix"), "utf8");
    const filled = (system: string, home: string) =>
      Object.entries({
        "<system>": system,
        "<user>": "ada",
        "<homeDir>": home,
        "<tokenPath>": `${home}/.secrets/telegram-bot-token`,
        "<allowFrom>": "12345678",
      }).reduce((all, [placeholder, value]) => all.replaceAll(placeholder, value), text);

    test("deploy-037 has the five placeholders of the guides, and documents beside it", () => {
      const code = text.replaceAll(/^\s*#.*$/gm, "");
      expect([...new Set(code.match(/<\w+>/g))].sort()).toEqual([
        "<allowFrom>",
        "<homeDir>",
        "<system>",
        "<tokenPath>",
        "<user>",
      ]);
      expect(readdirSync(join(ROOT, "templates/agent-first/documents")).sort()).toEqual([
        "AGENTS.md",
        "SOUL.md",
        "TOOLS.md",
      ]);
    });

    test.each([
      ["x86_64-linux", "/home/ada"],
      ["aarch64-darwin", "/Users/ada"],
    ])("deploy-037 filled in for %s it evaluates, and no assertion fails", (system, home) => {
      const dir = join(nix.dir, `template-${system}`);
      cpSync(join(ROOT, "templates/agent-first"), dir, { recursive: true });
      writeFileSync(join(dir, "flake.nix"), filled(system, home));
      const evaluated = nix.run(
        "nix",
        "--offline",
        "eval",
        "--json",
        "--no-write-lock-file",
        "--override-input",
        "nixpkgs",
        `path:${STUB}/nixpkgs`,
        "--override-input",
        "home-manager",
        `path:${STUB}/home-manager`,
        "--override-input",
        "clawdbot",
        flake,
        `path:${dir}#homeConfigurations.ada.config`,
        "--apply",
        `c: {
          wrong = map (a: a.message) (builtins.filter (a: !a.assertion) c.assertions);
          files = builtins.attrNames c.home.file;
          services = builtins.attrNames c.systemd.user.services ++ builtins.attrNames c.launchd.agents;
          tools = c.home.file."clawd/TOOLS.md".text;
        }`,
      );
      expect(evaluated.stderr).not.toContain("error:");
      const made = JSON.parse(evaluated.stdout) as Record<string, string[]> & { tools: string };
      expect(made["wrong"]).toEqual([]);
      expect(made["files"]).toEqual([
        ".clawdbot/clawdbot.json",
        "clawd/AGENTS.md",
        "clawd/SOUL.md",
        "clawd/TOOLS.md",
      ]);
      expect(made["services"]).toEqual([
        system.endsWith("linux") ? "clawdbot-gateway" : "com.clawdbot.gateway",
      ]);
      expect(made.tools).toStartWith("# Notes on tools");
      expect(made.tools).toMatch(
        /<!-- BEGIN NIX-REPORT -->[^]*- ripgrep[^]*<!-- END NIX-REPORT -->/,
      );
    });
  });
});
