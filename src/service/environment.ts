/** What a service's process has in its environment: harmless things in the service's file, secrets in `<state>/gateway.env`. */
import { existsSync } from "node:fs";
import { join } from "node:path";

import { envLine, fitsEnvLine, parseEnvFile, serviceEnvPath } from "../base/env-file.ts";
import { type Env, envName, PLAIN, PREFIXED, type PrefixedName, spellings } from "../base/env.ts";
import { AppError, errnoOf } from "../base/errors.ts";
import { atomicWrite, ensureDir, ownCommand, readTextIfThere, removeIfThere } from "../base/fs.ts";
import type { Paths } from "../base/paths.ts";

/** Where the programs of the agent's tools are, in the home folder; only those that exist. */
const HOME_PATHS = [
  ".local/bin",
  "bin",
  ".npm-global/bin",
  ".bun/bin",
  ".local/share/pnpm",
  "Library/pnpm",
  ".cargo/bin",
  "go/bin",
  ".nix-profile/bin",
];
const SYSTEM_PATHS: Partial<Record<NodeJS.Platform, string[]>> = {
  linux: ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"],
  darwin: ["/opt/homebrew/bin", "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"],
};
/** Where they are on systems that are laid out differently; only those that exist. */
const OTHER_PATHS: Partial<Record<NodeJS.Platform, string[]>> = {
  linux: ["/home/linuxbrew/.linuxbrew/bin", "/snap/bin", "/run/current-system/sw/bin"],
  darwin: ["/opt/local/bin", "/run/current-system/sw/bin"],
};

/** Folders that every service's PATH must have. */
export const requiredPaths = (platform: NodeJS.Platform): string[] =>
  SYSTEM_PATHS[platform]?.filter((dir) => /^\/(?:usr\/)?(?:local\/)?bin$/.test(dir)) ?? [];

function pathFor(home: string, platform: NodeJS.Platform): string {
  const there = (dir: string) => existsSync(dir);
  return [
    ...HOME_PATHS.map((dir) => join(home, dir)).filter(there),
    ...(SYSTEM_PATHS[platform] ?? []),
    ...(OTHER_PATHS[platform] ?? []).filter(there),
  ]
    .filter((dir) => !dir.includes(":"))
    .join(":");
}

/** Settings without secrets that count only when they were set on purpose. */
const KEPT = ["STATE_DIR", "CONFIG_PATH", "WORKSPACE_DIR", "GATEWAY_BIND"] as const;

/** @param marker the supervisor's name, so that the gateway knows that it is started again when it ends */
export function serviceEnvironment(
  { env, paths }: { env: Env; paths: Paths },
  marker: string,
  platform: NodeJS.Platform = process.platform,
): Record<string, string> {
  const values: Record<(typeof KEPT)[number], string | undefined> = {
    STATE_DIR: env.stateDir && paths.stateDir,
    CONFIG_PATH: env.configPath && paths.configPath,
    WORKSPACE_DIR: env.workspaceDir && paths.workspaceDefault,
    GATEWAY_BIND: env.gatewayBind,
  };
  const own: [PrefixedName, string | undefined][] = [
    ["PROFILE", paths.profile],
    ...KEPT.map((name): [PrefixedName, string | undefined] => [name, values[name]]),
    ["SERVICE_MARKER", marker],
  ];
  return {
    ...(platform !== "win32" && { HOME: paths.home, PATH: pathFor(paths.home, platform) }),
    ...Object.fromEntries(own.flatMap(([name, value]) => (value ? [[envName(name), value]] : []))),
  };
}

const PLAIN_WANTED = /(?:API_KEY|TOKEN|ACCESS_KEY(?:_ID)?|BEDROCK|SESSION_KEY|COOKIE|BASE_URL)$/;
const ALSO = ["OLLAMA_HOST", "AWS_PROFILE"];

/**
 * The variables of `vars` that the gateway needs and a service would not have: its own secrets, keys and addresses of providers,
 * tokens of channels. `elsewhere` are names that it finds by itself (`.env`). The gateway's own come under today's name.
 */
export function carriedVariables(env: Env, elsewhere: Iterable<string>): Record<string, string> {
  const known = new Set(elsewhere);
  const found: Record<string, string> = {};
  for (const name of Object.keys(PLAIN)) {
    const value = (PLAIN_WANTED.test(name) || ALSO.includes(name)) && env.raw(name);
    if (value && !known.has(name)) found[name] = value;
  }
  const own = { GATEWAY_TOKEN: env.gatewayToken, GATEWAY_PASSWORD: env.gatewayPassword };
  for (const [key, value] of Object.entries(own)) {
    const name = key as keyof typeof own;
    if (value && !spellings(name).some((each) => known.has(each))) found[envName(name)] = value;
  }
  return found;
}

const SECRETS = Object.entries(PREFIXED).flatMap(([name, row]) =>
  row.secret ? [name as PrefixedName] : [],
);

/** The same out of the environment that an older service's file has in it. */
export function carriedFromFile(environment: Record<string, string>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    const own = SECRETS.find((secret) => spellings(secret).includes(name));
    if (own && value) found[envName(own)] = value;
    else if (name in PLAIN && PLAIN_WANTED.test(name) && value) found[name] = value;
  }
  return found;
}

const BEGIN = "# >>> clawdbot gateway install: copied from the environment, replaced by it >>>";
const END = "# <<< clawdbot gateway install <<<";

type Split = { before: string; ours: Record<string, string>; after: string };

function split(text: string): Split {
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END);
  if (from < 0 || to < from) return { before: text, ours: {}, after: "" };
  return {
    before: text.slice(0, from),
    ours: parseEnvFile(text.slice(from, to)),
    after: text.slice(to + END.length).replace(/^\n/, ""),
  };
}

export type Carried = {
  path: string;
  /** Names whose value is new. */
  changed: string[];
  /** Names that could not be kept: their value has a line end. */
  refused: string[];
};

/**
 * Puts variables into `gateway.env` (0600). Those that are there and not given stay, so that an update from a bare shell loses
 * nothing; lines that a person wrote stay and win. Nothing is written when nothing changes.
 */
export async function carry(stateDir: string, vars: Record<string, string>): Promise<Carried> {
  const path = serviceEnvPath(stateDir);
  const { before, ours, after } = split(await readTextIfThere(path));
  const theirs = parseEnvFile(before + after);
  const entries = Object.entries(vars).filter(([name]) => !(name in theirs));
  const fitting = entries.filter(([, value]) => fitsEnvLine(value));
  const changed = fitting.filter(([name, value]) => ours[name] !== value).map(([name]) => name);
  const refused = entries.filter(([, value]) => !fitsEnvLine(value)).map(([name]) => name);
  if (changed.length > 0) {
    const lines = Object.entries({ ...ours, ...Object.fromEntries(fitting) })
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => envLine(name, value));
    const gap = before === "" || before.endsWith("\n") ? "" : "\n";
    await writeEnv(stateDir, `${before}${gap}${[BEGIN, ...lines, END].join("\n")}\n${after}`);
  }
  return { path, changed, refused };
}

/** Takes out again what `carry` has put there; the file goes when nothing else is in it. */
export async function dropCarried(stateDir: string): Promise<void> {
  const path = serviceEnvPath(stateDir);
  const text = await readTextIfThere(path);
  if (!text.includes(BEGIN)) return;
  const { before, after } = split(text);
  if (`${before}${after}`.trim() === "") await removeIfThere(path);
  else await writeEnv(stateDir, before + after);
}

async function writeEnv(stateDir: string, text: string): Promise<void> {
  const path = serviceEnvPath(stateDir);
  try {
    await ensureDir(stateDir);
    await atomicWrite(path, text, { mode: 0o600 });
  } catch (cause) {
    const code = errnoOf(cause) ?? "";
    if (!["EACCES", "EPERM", "EROFS", "EISDIR"].includes(code)) throw cause;
    throw new AppError("service_failed", `${path} cannot be written (${code}).`, {
      cause,
      hint: `Make ${stateDir} yours: sudo ${ownCommand(stateDir, true)}`,
    });
  }
}
