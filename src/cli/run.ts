/** From the words on the command line to an exit code: global options, which command, and what a failure looks like. */
import { PRODUCT, VERSION } from "../base/brand.ts";
import { type Env, envName, readEnv, setPrefixed } from "../base/env.ts";
import { AppError, ERRORS, toAppError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { hintInNixMode } from "../base/nix.ts";
import { isTerminal } from "../base/terminal.ts";
import { readCall, standIn } from "./called-as.ts";
import { commandsBelow, PARTS, pathIn } from "./commands.ts";
import { withNixDefault } from "./nix-default.ts";
import { Out, safeText } from "./out.ts";

const PROFILE = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
/** The original's exit code for a bad global option. */
const BAD_GLOBAL = 2;
const DEV_PORT = "19001";

type Globals = {
  words: string[];
  profile?: string;
  noColour: boolean;
  version: boolean;
  help: boolean;
  problem?: string;
};

/**
 * The outermost edge of the command line: never throws; every failure is printed here and becomes an exit code.
 * @param argv what the program was called by, then the words after it
 */
export async function runCli(argv: string[], env: Env): Promise<number> {
  const call = readCall(argv);
  const globals = readGlobals(call.kind === "own" ? call.words : []);
  const out = new Out({ json: globals.words.includes("--json"), ...colourWish(globals, env) });
  if (call.kind === "foreign") return standIn(call.tool, call.words, env, out);
  if (globals.problem) {
    out.error(`[${PRODUCT}] ${globals.problem}`);
    return BAD_GLOBAL;
  }
  if (globals.version) {
    out.line(VERSION);
    return 0;
  }
  let effective = env;
  try {
    effective = withNixDefault(withProfile(env, globals));
    return await dispatch(call.name, globals, effective, out);
  } catch (cause) {
    const error = toAppError(cause);
    showError(out, error, effective);
    return ERRORS[error.code].exit;
  }
}

async function dispatch(name: string, globals: Globals, env: Env, out: Out): Promise<number> {
  const [first, ...rest] = globals.words;
  if (first === "help" && rest.length > 0)
    return dispatch(name, { ...globals, words: [...rest, "--help"] }, env, out);
  if (first === undefined && !globals.help && isTerminal(0) && isTerminal(1)) {
    const { bareCommand } = await PARTS.bare();
    const words = [await bareCommand(env)];
    return dispatch(name, { ...globals, words }, env, out);
  }
  if (first === undefined || first === "help" || globals.help) {
    (await PARTS.help()).showProgramHelp(out, name, commandsBelow(""));
    return 0;
  }
  const path = findCommand(globals.words);
  const { invoke } = await PARTS.invoke();
  const words = globals.words.slice(path.split(" ").length);
  return invoke({ name, path, words, env, out, profile: globals.profile });
}

/** The longest path that the first words name. A wrong next word of a command with subcommands is an unknown command too. */
function findCommand(words: string[]): string {
  const path = pathIn(words);
  const depth = path ? path.split(" ").length : 0;
  const next = words[depth] ?? "";
  const below = Object.keys(commandsBelow(path)).flatMap((each) => each.split(" ")[depth] ?? []);
  if (path && (below.length === 0 || next === "" || next.startsWith("-"))) return path;
  const near = nearest(next, path ? below : [...below, "help"]);
  const like = [PRODUCT, ...(path ? [path] : [])].join(" ");
  throw new AppError("usage", `unknown command '${safeText(next)}'`, {
    hint: near ? `Did you mean ${near}?` : `To see them all: ${like} --help`,
  });
}

/**
 * Takes out the global options. `--profile` and `--no-color` count anywhere, because nothing else is called so; `--dev`,
 * `--update`, `--version` and `--help` only before the command, which may have its own.
 */
function readGlobals(all: string[]): Globals {
  const globals: Globals = { words: [], noColour: false, version: false, help: false };
  let dev = false;
  for (let i = 0; i < all.length; i++) {
    const word = all[i]!;
    const before = globals.words.length === 0;
    if (word === "--") {
      globals.words.push(...all.slice(i));
      break;
    }
    if (word === "--no-color") globals.noColour = true;
    else if (word === "--profile") globals.profile = all[++i] ?? "";
    else if (word.startsWith("--profile=")) globals.profile = word.slice("--profile=".length);
    else if (before && word === "--dev") dev = true;
    else if (before && word === "--update") globals.words.push("update");
    else if (before && /^(?:-V|-v|--version)$/.test(word)) globals.version = true;
    else if (before && /^(?:-h|--help)$/.test(word)) globals.help = true;
    else globals.words.push(word);
  }
  if (dev && globals.profile !== undefined)
    globals.problem = "Use either --dev or --profile, not both.";
  else if (globals.profile !== undefined && !PROFILE.test(globals.profile))
    globals.problem = 'Invalid --profile (use letters, numbers, "_", "-" only)';
  if (dev) globals.profile = "dev";
  return globals;
}

function colourWish(globals: Globals, env: Env): { colour?: boolean } {
  if (globals.noColour || env.raw("NO_COLOR") || env.raw("TERM") === "dumb")
    return { colour: false };
  const force = env.raw("FORCE_COLOR");
  return force ? { colour: force !== "0" && force !== "false" } : {};
}

/** A profile on the command line wins over one in the environment, by whichever name that is set. */
function withProfile(env: Env, { profile, noColour }: Globals): Env {
  if (!profile && !noColour) return env;
  const vars = { ...env.vars };
  if (noColour) vars.NO_COLOR = "1";
  if (profile) {
    setPrefixed(vars, "PROFILE", profile);
    if (profile === "dev" && env.gatewayPort === undefined)
      vars[envName("GATEWAY_PORT")] = DEV_PORT;
  }
  return readEnv(vars);
}

function showError(out: Out, error: AppError, env: Env): void {
  const { code, message } = error;
  const hint = hintInNixMode(env, error.hint);
  if (out.json) {
    out.data({ ok: false, error: { type: "cli_error", message, code, ...(hint && { hint }) } });
    return;
  }
  const prefix = code === "usage" ? "error: " : "";
  out.error(out.paint("red", safeText(prefix + message)));
  if (hint) out.error(safeText(hint));
}
