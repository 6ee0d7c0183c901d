/**
 * Makes node_modules what the lockfile says, before every script of package.json, so that one command is enough on a fresh machine.
 * `pnpm install` (the published guides) has done it already, in a layout of its own that Bun's install would only mix with its own.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
if (!existsSync(join(root, "node_modules/.modules.yaml")))
  process.exitCode = Bun.spawnSync([process.execPath, "install", "--frozen-lockfile", "--silent"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  }).exitCode;
