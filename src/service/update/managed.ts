/** Whose affair updating is: ours for a single file, else that of whatever put the program there. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

import type { Env } from "../../base/env.ts";
import { AppError } from "../../base/errors.ts";
import { inContainer, onRootFileSystem, platformOf } from "../../base/platform.ts";
import { RELEASE_KEY } from "./release-key.ts";

/** What install.sh leaves beside the program. */
export const RECEIPT_NAME = ".clawdbot-install.json";

export type Manager = "nix" | "docker" | "pnpm" | "bun" | "npm" | "source";
export type Managed = {
  by: Manager;
  /** Why the program does not update itself. */
  message: string;
  /** The command that does it. */
  hint: string;
};

export type Installation = {
  env: Pick<Env, "nixMode" | "raw">;
  /** The real path of the program. */
  program: string;
  /** False when the sources run in Bun. */
  standalone?: boolean;
  /** The key inside it. */
  key?: string | undefined;
  /** Whether it lies in a container's own file system. */
  imaged?: boolean;
};

/** Undefined for a single file that may replace itself. */
export function managedBy({
  env,
  program,
  standalone = Bun.isStandaloneExecutable,
  key = RELEASE_KEY,
  imaged = existsSync(program) && inContainer(env) && onRootFileSystem(program),
}: Installation): Managed | undefined {
  if (env.nixMode || /^\/nix\/store\//.test(program))
    return {
      by: "nix",
      message: "This clawdbot comes from Nix, so it does not update itself.",
      hint: "Run `nix flake update clawdbot` in the folder of your flake, then `home-manager switch` (on NixOS `sudo nixos-rebuild switch`). `home-manager switch --rollback` goes back.",
    };
  const package_ = packageManager(program);
  if (package_) return package_;
  if (!standalone)
    return {
      by: "source",
      message: "This clawdbot runs from its sources, so it does not update itself.",
      hint: "Run `git pull` there, and start it again.",
    };
  // Somebody ran install.sh inside of a container, which then is a machine to them.
  if (imaged && !existsSync(join(dirname(program), RECEIPT_NAME)))
    return {
      by: "docker",
      message:
        "This clawdbot is part of an image: an update here would be gone with the container.",
      hint:
        platformOf(env) === "Fly.io"
          ? "In the folder with fly.toml: `git pull`, then `fly deploy`."
          : "On the host, in the folder with docker-compose.yml: `git pull`, then `./docker-setup.sh`; or pull the newer image, and make the container anew.",
    };
  if (!key)
    return {
      by: "source",
      message:
        "This clawdbot was built from the sources. It has no key of the releases inside, so it could not tell whose file it gets.",
      hint: "Run `git pull` and `bun run build` there, and put the new file in its place; or take a release: curl -fsSL https://github.com/clawdbot/clawdbot/releases/latest/download/install.sh | sh",
    };
  return undefined;
}

function packageManager(program: string): Managed | undefined {
  if (!/[\\/]node_modules[\\/]/.test(program)) return undefined;
  const by: Manager = /[\\/]install[\\/]global[\\/]/.test(program)
    ? "bun"
    : /[\\/]\.?pnpm[\\/]/.test(program)
      ? "pnpm"
      : "npm";
  const command = {
    npm: "npm install -g clawdbot@latest",
    pnpm: "pnpm add -g clawdbot@latest",
    bun: "bun add -g clawdbot@latest",
  }[by];
  return {
    by,
    message: `This clawdbot was installed with ${by}, which keeps track of its files; so ${by} has to update it.`,
    hint: `Run: ${command} && clawdbot gateway restart`,
  };
}

/** The error of an update that somebody else has to do. */
export const notOurs = ({ by, message, hint }: Managed): AppError =>
  new AppError("update_refused", message, { hint, details: { reason: `managed-by-${by}` } });
