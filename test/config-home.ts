/** A home folder of its own for tests of the config: nothing of the developer's is read or touched. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { readEnv } from "../src/base/env.ts";
import type { Logger } from "../src/base/log.ts";
import { findPaths } from "../src/base/paths.ts";
import type { GatewayFlags } from "../src/gateway/flags.ts";

export type Home = ReturnType<typeof makeHome>;

/** `using home = makeHome()` removes it at the end of the test. */
export function makeHome(vars: Record<string, string> = {}) {
  const home = mkdtempSync(join(tmpdir(), "clawdbot-home-"));
  const env = readEnv({ HOME: home, ...vars });
  const paths = findPaths(env, home);
  return {
    home,
    env,
    paths,
    where: { env, paths },
    /** Writes a file below the state dir, by default the config. */
    write(text: string | Uint8Array, name = "clawdbot.json"): string {
      const path = join(paths.stateDir, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      return path;
    },
    read: (name = "clawdbot.json") => readFileSync(join(paths.stateDir, name), "utf8"),
    list: () => readdirSync(paths.stateDir).sort(),
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  };
}

/** `clawdbot gateway` without any flag. */
export const NO_FLAGS: GatewayFlags = {
  tailscaleResetOnExit: false,
  allowUnconfigured: false,
  dev: false,
  reset: false,
  force: false,
  verbose: false,
  claudeCliLogs: false,
  wsLog: "auto",
  rawStream: false,
};

export type Line = { level: string; message: string; data?: Record<string, unknown> };

/** A logger that keeps its lines. */
export function keepLog(): { log: Logger; lines: Line[]; text(): string } {
  const lines: Line[] = [];
  const at = (level: string) => (message: string, data?: Record<string, unknown>) => {
    lines.push({ level, message, ...(data && { data }) });
  };
  const log: Logger = {
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: at("debug"),
    child: () => log,
  };
  return { log, lines, text: () => JSON.stringify(lines) };
}
