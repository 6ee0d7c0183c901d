/**
 * The agent's folder: the first files of a new one, and what of it goes into the prompt.
 * The files are written by people and by the agent itself, so nothing in them is taken for granted: a missing, huge, binary or
 * unreadable file, a pipe or a link into a secret folder becomes one line of text.
 */
import { constants } from "node:fs";
import { mkdir, open, realpath, stat, unlink, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

import { AppError, errnoOf, toAppError } from "../base/errors.ts";
import type { Paths } from "../base/paths.ts";
import type { AgentsConfig } from "./config.ts";
import { agentSettings, defaultAgentId } from "./settings.ts";
import { BOOTSTRAP, TEMPLATES } from "./templates.ts";
import { headAndTail } from "./text.ts";

/**
 * Creates the folder (0700) and the files that are missing in it; a file that exists is never touched. BOOTSTRAP.md, the first
 * conversation, is only written when none of the six was there. Gives the names of the files it wrote.
 * Throws `workspace_failed` or `disk_full`.
 */
export async function prepareWorkspace(
  dir: string,
  options: { skipBootstrap: boolean },
): Promise<string[]> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    if (!(await stat(dir)).isDirectory()) throw new AppError("workspace_failed", "not a folder");
    if (options.skipBootstrap) return [];
    const names = Object.keys(TEMPLATES);
    const there = await Promise.all(names.map((name) => exists(join(dir, name))));
    const written: string[] = [];
    // First, so that a crash in between does not leave six files that look like an old workspace.
    if (!there.includes(true) && (await create(join(dir, "BOOTSTRAP.md"), BOOTSTRAP)))
      written.push("BOOTSTRAP.md");
    for (const name of names)
      if (await create(join(dir, name), TEMPLATES[name]!)) written.push(name);
    return written;
  } catch (cause) {
    const error = toAppError(cause);
    if (error.code === "disk_full") throw error;
    const why =
      errnoOf(cause) === "EEXIST" || errnoOf(cause) === "ENOTDIR" ? "not a folder" : error.message;
    throw new AppError("workspace_failed", `The workspace ${dir} cannot be used: ${why}.`, {
      cause,
    });
  }
}

const exists = async (path: string): Promise<boolean> => {
  try {
    await stat(path);
    return true;
  } catch (cause) {
    if (isMissing(cause)) return false;
    throw cause;
  }
};

const isMissing = (cause: unknown): boolean => ["ENOENT", "ENOTDIR"].includes(errnoOf(cause) ?? "");

/** False when there is something of that name already, a dangling link too. */
async function create(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: "wx", mode: 0o600 });
    return true;
  } catch (cause) {
    if (errnoOf(cause) === "EEXIST") return false;
    // Half a template would pass for the user's own words at the next start.
    if (errnoOf(cause) === "ENOSPC" || errnoOf(cause) === "EDQUOT") await unlink(path);
    throw cause;
  }
}

/**
 * What of the workspace stands in the prompt of a session, as it was when the session began. Plain JSON, stored by the caller
 * per session id. Once the model was told of changes, store `{ ...snapshot, hashes: now.hashes }`: the text stays as it was.
 */
export type WorkspaceSnapshot = {
  text: string;
  /** A short hash per file that is there; an absent file has none. */
  hashes: Record<string, string>;
};

export type SnapshotOptions = {
  /** Most characters of one file. */
  fileChars: number;
  /** Most characters of all files. */
  totalChars: number;
  /**
   * `private`: all files. `shared` (groups): without the long-term memory. `guest`: only who the assistant is and how it behaves,
   * nothing of its owner. `subagent`: rules and tool notes only.
   */
  audience: "private" | "shared" | "guest" | "subagent";
  /** Real paths that must not be read, even through a link. */
  denied: string[];
};

/** Always in the prompt: with a line that says so when they are missing. */
const REQUIRED = ["AGENTS.md", "SOUL.md", "TOOLS.md", "IDENTITY.md", "USER.md", "HEARTBEAT.md"];
const MEMORY = ["MEMORY.md", "memory.md"];
const SUBAGENT = ["AGENTS.md", "TOOLS.md"];
const GUEST = ["AGENTS.md", "SOUL.md", "IDENTITY.md"];
/** USER.md has a budget of its own: it grows by itself, and everything in it is paid for in every call. */
const FILE_CHARS: Record<string, number> = { "USER.md": 4000 };
const MAX_BYTES = 2 * 1024 * 1024;

/** Reads the files that belong in the prompt. Never throws for what a single file is like; a missing folder is six missing files. */
export async function snapshotWorkspace(
  dir: string,
  options: SnapshotOptions,
): Promise<WorkspaceSnapshot> {
  const { audience } = options;
  const all = [...REQUIRED, "BOOTSTRAP.md", ...(audience === "private" ? MEMORY : [])];
  const names = audience === "subagent" ? SUBAGENT : audience === "guest" ? GUEST : all;
  const root = (await realOrUndefined(dir)) ?? dir;
  const files = await Promise.all(names.map((name) => readInjected(root, name, options.denied)));
  const hashes: Record<string, string> = {};
  const parts: string[] = [];
  const seen = new Set<string>();
  let left = options.totalChars;
  for (const [index, file] of files.entries()) {
    const name = names[index]!;
    // On a file system that ignores case MEMORY.md and memory.md are one file.
    if (file.id && seen.has(file.id)) continue;
    if (file.id) seen.add(file.id);
    if (file.hash) hashes[name] = file.hash;
    if (!file.hash && !REQUIRED.includes(name)) continue;
    const budget = Math.min(options.fileChars, FILE_CHARS[name] ?? options.fileChars, left);
    const body = file.marker ?? cut(name, file.text, budget);
    left -= Math.min(left, body.length);
    parts.push(`## ${name}\n${body}`);
  }
  return { text: intro(root, "SOUL.md" in hashes) + parts.join("\n\n"), hashes };
}

/**
 * Changes whenever one of the injected files does: a few `stat` calls instead of reading them all before every turn.
 * A missing file is part of it.
 */
export async function workspaceMark(dir: string): Promise<string> {
  const names = [...REQUIRED, "BOOTSTRAP.md", ...MEMORY];
  const marks = await Promise.all(
    names.map(async (name) => {
      try {
        const { mtimeNs, size, ino } = await stat(join(dir, name), { bigint: true });
        return `${mtimeNs}.${size}.${ino}`;
      } catch (cause) {
        // Expected: missing, a broken link, not ours to look at; what it is, the snapshot says.
        return errnoOf(cause) ?? "unreadable";
      }
    }),
  );
  return marks.join(" ");
}

/** Names of the files that were changed, added or removed between two snapshots, sorted. */
export function changedFiles(snapshot: WorkspaceSnapshot, now: WorkspaceSnapshot): string[] {
  const names = new Set([...Object.keys(snapshot.hashes), ...Object.keys(now.hashes)]);
  return [...names].filter((name) => snapshot.hashes[name] !== now.hashes[name]).sort();
}

const intro = (dir: string, soul: boolean): string =>
  `# Workspace files\nFrom ${dir}, as they were when this session began.${
    soul ? " SOUL.md says who you are: speak and act that way." : ""
  }\n\n`;

const cut = (name: string, text: string, limit: number): string => {
  if (limit < 100) return text.length <= limit ? text : `[${name} is not shown: no room left]`;
  const note = (left: number) =>
    `[... ${left} of ${text.length} characters left out; read ${name} for the rest ...]`;
  return headAndTail(text, limit, note);
};

type Injected = {
  text: string;
  /** What to show instead of the text. */
  marker?: string;
  /** Absent when there is no such file. */
  hash?: string;
  /** Device and inode. */
  id?: string;
};

const WHY: Record<string, string> = {
  EACCES: "no permission",
  EPERM: "no permission",
  ELOOP: "it is a link that leads in a circle",
};

async function readInjected(root: string, name: string, denied: string[]): Promise<Injected> {
  const path = join(root, name);
  const marked = (why: string): Injected => ({
    text: "",
    marker: `[${name} is not shown: ${why}]`,
    hash: hashOf(why),
  });
  try {
    const real = await realpath(path);
    // Links out of the workspace are common (dotfiles, Nix), links into a secret folder are not.
    if (!inside(root, real) && denied.some((secret) => inside(secret, real)))
      return marked("it is a link into a folder that may not be read");
    // Without O_NONBLOCK a pipe would be waited for.
    await using file = await open(real, constants.O_RDONLY | constants.O_NONBLOCK);
    const info = await file.stat();
    if (!info.isFile()) return marked("it is not a regular file");
    if (info.size > MAX_BYTES) return marked(`it has ${info.size} bytes`);
    const data = await file.readFile();
    if (data.includes(0)) return marked("it is not a text file");
    const text = data
      .toString("utf8")
      .replace(/^\uFEFF/, "")
      .trim();
    return {
      text,
      ...(text ? {} : { marker: "[empty]" }),
      hash: hashOf(text),
      id: `${info.dev}:${info.ino}`,
    };
  } catch (cause) {
    // Expected: the file is gone, a dangling or circular link, or not ours to read. Everything else is told apart by its name.
    if (isMissing(cause)) return { text: "", marker: `[missing: ${path}]` };
    return marked(WHY[errnoOf(cause) ?? ""] ?? toAppError(cause).message);
  }
}

const realOrUndefined = async (path: string): Promise<string | undefined> => {
  try {
    return await realpath(path);
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new AppError("workspace_failed", `The workspace ${path} cannot be read.`, { cause });
  }
};

const inside = (folder: string, path: string): boolean => {
  const way = relative(folder, path);
  return way === "" || (!way.startsWith("..") && !way.startsWith("/"));
};

const hashOf = (text: string): string =>
  new Bun.CryptoHasher("sha256").update(text).digest("hex").slice(0, 16);

/** Makes that of the default agent. With `--dev` it is there before the first message, so that a developer can look at it and change it. */
export async function prepareDefaultWorkspace(agents: AgentsConfig, paths: Paths): Promise<void> {
  const { workspace, defaults } = agentSettings(agents, defaultAgentId(agents), paths);
  await prepareWorkspace(workspace, { skipBootstrap: defaults.skipBootstrap });
}
