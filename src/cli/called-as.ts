/**
 * The name that the program is called by, and what the words after it ask for. In an image it also stands in for `node`, because the
 * published files call `node dist/index.js …`; under that name it says what Node would where it can, and else why it is not Node.
 */
import { basename } from "node:path";

import { NAMES, PRODUCT } from "../base/brand.ts";
import type { Env } from "../base/env.ts";
import { COMMANDS } from "./commands.ts";
import { type Out, safeText } from "./out.ts";

/** What `node -v` prints: the published guides ask for 22.12 or newer. */
const NODE_VERSION = "v22.21.0";
/** A shell's code for a command that is not there. */
const NO_SUCH_COMMAND = 127;

/** Files of the original that are the program, called by Node. */
const ENTRY = new RegExp(
  String.raw`(?:^|[\\/])(?:dist[\\/](?:index|entry)\.m?js|(?:${NAMES.join("|")})\.mjs)$`,
);
/** Options of Node that take the next word as their value. */
const WITH_VALUE = /^(?:-r|--require|--import|--loader|--experimental-loader|-C|--conditions)$/;
/** Programs that come with Node. */
const COMPANIONS = ["npm", "npx", "pnpm", "pnpx", "yarn", "corepack"];

export type Call =
  /** A command of ours. @property name as it stands in help and hints */
  | { kind: "own"; name: string; words: string[] }
  /** Something that only the real program of that name can do. */
  | { kind: "foreign"; tool: string; words: string[] };

/** @param argv what the program was called by, then the words after it */
export function readCall([called = "", ...words]: string[]): Call {
  const tool = basename(called.replaceAll("\\", "/")).replace(/\.exe$/i, "");
  if (COMPANIONS.includes(tool)) return { kind: "foreign", tool, words };
  if (tool !== "node")
    return { kind: "own", name: NAMES.find((name) => name === tool) ?? PRODUCT, words: own(words) };
  const entry = entryAt(words);
  if (entry >= 0) return { kind: "own", name: PRODUCT, words: words.slice(entry + 1) };
  const [first = ""] = words;
  const known = first in COMMANDS || first === "help";
  return known ? { kind: "own", name: PRODUCT, words } : { kind: "foreign", tool, words };
}

/** A wrapper or an ENTRYPOINT may leave `dist/index.js`, or `node dist/index.js`, in place. */
function own(words: string[]): string[] {
  const at = basename(words[0] ?? "") === "node" ? 1 : 0;
  return ENTRY.test(words[at] ?? "") ? words.slice(at + 1) : words;
}

/** Where the entry file stands, after options of Node; -1 when the first word that is no option is another. */
function entryAt(words: string[]): number {
  for (let i = 0; i < words.length; i++) {
    if (ENTRY.test(words[i]!)) return i;
    if (!words[i]!.startsWith("-") || /^-[epvih]/.test(words[i]!)) return -1;
    if (WITH_VALUE.test(words[i]!)) i++;
  }
  return -1;
}

/**
 * Does what can be done of it: `node -v`, and with CLAWDBOT_NODE_COMPAT=1 everything that Bun can run. Else it explains itself.
 * @returns the exit code; does not come back when a script is run
 */
export function standIn(tool: string, words: string[], env: Env, out: Out): number {
  if (tool === "node" && /^(?:-v|--version)$/.test(words[0] ?? "")) {
    out.line(NODE_VERSION);
    return 0;
  }
  if (tool === "node" && env.nodeCompat && words.length > 0) becomeBun(words, env);
  const what = safeText([tool, ...words].join(" ")).slice(0, 200);
  const remedy =
    tool === "node"
      ? "For a command use `clawdbot <command>`; to run scripts set CLAWDBOT_NODE_COMPAT=1, or put a real Node into your image."
      : "Nothing has to be installed to run it; for other programs put a real Node into your image.";
  out.error(
    `\`${what}\` was not run: there is no ${tool} here. ${PRODUCT} is one program that needs no Node, and \`node\` is a second name of it.\n${remedy}`,
  );
  return NO_SUCH_COMMAND;
}

/**
 * Removes the variable that makes Bun of this program, so that a `clawdbot` called by the script is itself again. In base64,
 * because Bun 1.4.4 runs no other `data:` address before a script.
 */
const FORGET = `data:text/javascript;base64,${btoa('delete process["env"].BUN_BE_BUN')}`;

/**
 * Bun runs the `preload` of a bunfig.toml, and takes over the .env, of the folder it is started in. Node does neither, and whoever
 * runs `node tool.js` in a cloned repository does not expect it.
 */
const NOTHING_FROM_HERE = ["--no-env-file", "--config=/dev/null"];

/** The engine inside this program, in place of it: same process, terminal and exit code. Only of the compiled program on a Unix. */
function becomeBun(words: string[], env: Env): void {
  if (!Bun.isStandaloneExecutable || process.platform === "win32") return;
  const vars: Record<string, string> = {};
  for (const [name, value] of Object.entries(env.vars))
    if (value !== undefined && !/^(?:BUN_|NODE_OPTIONS$)/.test(name)) vars[name] = value;
  process.execve?.(process.execPath, ["bun", ...NOTHING_FROM_HERE, "--preload", FORGET, ...words], {
    ...vars,
    BUN_BE_BUN: "1",
  });
}
