/**
 * Nix for tests: a store of its own in the temp dir, no network, no sandbox, and the stand-ins for nixpkgs and Home Manager of stub/,
 * which evaluate our modules and really build our packages with this machine's own commands.
 */
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { missing, run } from "../lab.ts";
import { ROOT } from "../tree.ts";

export const STUB = join(import.meta.dir, "stub");

/** The system of this machine, on which things can really be built. */
export const HERE = process.arch === "arm64" ? "aarch64-linux" : "x86_64-linux";

/** Why these tests cannot run; undefined when they can. */
export const noNix =
  process.platform === "linux"
    ? missing({
        nix: "nix-bin",
        "nix-instantiate": "nix-bin",
        patchelf: "patchelf",
        strip: "binutils",
      })
    : "not Linux";

export type Nix = {
  dir: string;
  /** Runs a program of Nix to its end. */
  run(...command: string[]): { code: number; stdout: string; stderr: string };
  /** The value of an expression, which may use `lib`, `pkgs` and `root`. Throws what Nix says. */
  value(expression: string, system?: string): unknown;
  /** Builds an expression that gives a derivation. The path, or what Nix says. */
  build(expression: string): { path?: string; stderr: string };
  [Symbol.dispose](): void;
};

export function openNix(): Nix {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-nix-"));
  for (const name of ["conf", "home"]) mkdirSync(join(dir, name));
  const env = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: join(dir, "home"),
    TMPDIR: dir,
    NIX_STORE_DIR: join(dir, "store"),
    NIX_STATE_DIR: join(dir, "state"),
    NIX_LOG_DIR: join(dir, "log"),
    NIX_CONF_DIR: join(dir, "conf"),
    NIX_CONFIG:
      "experimental-features = nix-command flakes\nbuild-users-group =\nsandbox = false\nsubstitute = false\nflake-registry = ",
  };
  const nix = (...command: string[]) => run(command, { env, cwd: dir });
  const scope = (expression: string, system: string) => {
    const file = join(dir, `${crypto.randomUUID()}.nix`);
    writeFileSync(
      file,
      `let
  root = ${ROOT};
  stub = ${STUB};
  lib = import ${STUB}/nixpkgs/lib.nix;
  pkgs = import ${STUB}/nixpkgs/packages.nix { system = "${system}"; };
in
${expression}
`,
    );
    return file;
  };
  return {
    dir,
    run: nix,
    value(expression, system = "x86_64-linux") {
      const file = scope(expression, system);
      const done = nix("nix-instantiate", "--eval", "--strict", "--json", "--show-trace", file);
      if (done.code !== 0) throw new Error(done.stderr);
      return JSON.parse(done.stdout);
    },
    build(expression) {
      const file = scope(expression, HERE);
      const done = nix("nix-build", "--no-out-link", file);
      const path = done.stdout.trim();
      return { ...(done.code === 0 && { path }), stderr: done.stderr };
    },
    [Symbol.dispose]() {
      // Everything in a store is read-only, also for the one who made it.
      run(["chmod", "-R", "u+w", dir]);
      run(["rm", "-rf", dir]);
    },
  };
}

/** What belongs to the flake, without the rest of the working tree: `path:` copies a folder whole. */
export function copyFlake(target: string): string {
  for (const name of ["flake.nix", "nix", "templates", "package.json", "bun.lock"])
    cpSync(join(ROOT, name), join(target, name), { recursive: true });
  return `path:${target}`;
}

export type Unit = Record<"Unit" | "Service" | "Install", Record<string, unknown>>;
export type Made = {
  /** Messages of the assertions that do not hold. */
  wrong: string[];
  units: Record<string, Unit>;
  agents: Record<string, { config: Record<string, unknown> }>;
  /** By their paths below the home folder: their text, or where they come from. */
  files: Record<string, string>;
  /** The config as it is written, before the check. */
  config: Record<string, unknown>;
  activation: Record<string, { data: string }>;
  packages: string[];
};

const HOME: Record<string, string> = { linux: "/home/ada", darwin: "/Users/ada" };
export const homeOf = (system: string): string => HOME[system.split("-")[1]!]!;

/** What the Home Manager module makes of `settings`, Nix code for the option set of `programs.clawdbot`. */
export const homeManager = (
  settings: string,
  system = "x86_64-linux",
  option = "clawdbot",
): string => `
let
  result = (lib.evalModules {
    specialArgs = { inherit lib pkgs; };
    modules = [
      (stub + "/home-manager/modules.nix")
      (root + "/nix/module/home-manager.nix")
      {
        home = { username = "ada"; homeDirectory = "${homeOf(system)}"; stateVersion = "25.05"; };
        programs.${option} = { checkConfig = false; package = pkgs.git; } // ${settings};
      }
    ];
  }).config;
in
{
  wrong = map (a: a.message) (builtins.filter (a: !a.assertion) result.assertions);
  units = result.systemd.user.services;
  agents = result.launchd.agents;
  files = builtins.mapAttrs (_: f: f.text or (toString f.source)) result.home.file;
  config = builtins.fromJSON (result.home.file.".clawdbot/clawdbot.json" or { source.text = "{}"; }).source.text;
  activation = result.home.activation;
  packages = map (p: p.name) result.home.packages;
}`;
