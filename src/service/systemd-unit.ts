/**
 * The text of a systemd unit, written and read. Facts that cost others hours: `%` is special everywhere and doubled; `$` only in the
 * arguments of ExecStart; the program itself may not contain quotes or backslashes in any spelling (systemd refuses the unit);
 * WorkingDirectory= and EnvironmentFile= take the rest of the line as it is, the latter as a pattern; a backslash at the end of a line
 * joins it with the next one.
 */
import { AppError } from "../base/errors.ts";
import type { Definition, Wanted } from "./service.ts";

/**
 * Longer than a stop of the gateway may take (5 s, src/cli/signals.ts), so that systemd never kills what is still writing; in
 * seconds.
 */
export const STOP_SECONDS = 30;
/** Exit code of a start that cannot succeed by trying again: a damaged config, another gateway (src/base/errors.ts). */
export const NO_RESTART = 78;

// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Throws usage for a value with a line end: it would be read as another setting. */
function checked(value: string, what: string): string {
  if (!CONTROL.test(value)) return value;
  throw new AppError("usage", `${what} contains a line end or another control character.`, {
    hint: "A service cannot be made with it. Use a folder with an ordinary name.",
  });
}

const percent = (value: string): string => value.replaceAll("%", "%%");
/** One word as Environment= takes it, in double quotes when it needs them. */
const quoted = (value: string): string =>
  /^[\w@:,./+=%-]+$/.test(value) ? percent(value) : `"${percent(value).replace(/["\\]/g, "\\$&")}"`;
/** The same for ExecStart=, where `$NAME` would be replaced. */
const argument = (value: string): string => quoted(value).replaceAll("$", "$$$$");
/** A path that is the whole rest of the line. Blanks and a backslash at its end would be lost. */
const bare = (path: string): string => percent(/[\\\s]$/.test(path) ? `${path}/` : path);
/** EnvironmentFile= is a pattern for file names. */
const pattern = (path: string): string => bare(path.replace(/[*?[\]\\]/g, "\\$&"));

/** systemd takes no program with these in its path; a shell, which gets it as an argument, does. */
const VIA_SHELL = ["/bin/sh", "-c", 'exec "$0" "$@"'];

function execStart(command: string[]): string {
  const [program = "", ...args] = command.map((word) => checked(word, "The command"));
  const words = /["'\\]/.test(program) ? [...VIA_SHELL, program, ...args] : [program, ...args];
  // The program's own path is not searched for variables, so a `$` in it stays single.
  return [quoted(words[0]!), ...words.slice(1).map(argument)].join(" ");
}

/**
 * The name of its lines in the journal. By the unit alone the last words of a process that ends at once are often not found: it is
 * gone before the journal has looked where it belongs.
 */
export const identifierOf = (profile: string | undefined): string =>
  `clawdbot-gateway${profile ? `-${profile}` : ""}`;

/** @param system for the machine's systemd instead of the user's. Throws usage for values that no unit can hold. */
export function writeUnit(wanted: Wanted, { system = false }: { system?: boolean } = {}): string {
  const { profile, user } = wanted;
  const environment = Object.entries(wanted.environment).map(
    ([name, value]) => `Environment=${quoted(checked(`${name}=${value}`, name))}`,
  );
  const folder = bare(checked(wanted.workingDirectory, "The state folder"));
  return [
    "# Made by `clawdbot gateway install`, which replaces it. Settings of your own go to `systemctl edit`.",
    "[Unit]",
    `Description=Clawdbot gateway${profile ? ` (profile ${profile})` : ""}`,
    "Documentation=https://github.com/clawdbot/clawdbot",
    // A user's systemd has no such target.
    ...(system ? ["After=network-online.target", "Wants=network-online.target"] : []),
    "StartLimitIntervalSec=60",
    "StartLimitBurst=10",
    "",
    "[Service]",
    // Like `simple`, but a program that is not there fails the start and not only the service.
    "Type=exec",
    ...(user ? [`User=${checked(user, "The user")}`] : []),
    `ExecStart=${execStart(wanted.command)}`,
    `SyslogIdentifier=${identifierOf(profile)}`,
    `WorkingDirectory=-${folder}`,
    ...environment,
    // The machine's systemd would read it as root, wherever a link of the user leads; the gateway reads it by itself.
    ...(system
      ? []
      : [`EnvironmentFile=-${pattern(checked(wanted.environmentFile, "The state folder"))}`]),
    "Restart=always",
    "RestartSec=5",
    `RestartPreventExitStatus=${NO_RESTART}`,
    "SuccessExitStatus=143",
    // First the gateway alone, so that it can end its own children; what is left of them is killed after it.
    "KillMode=mixed",
    `TimeoutStopSec=${STOP_SECONDS}`,
    "UMask=0077",
    "OOMScoreAdjust=200",
    // A command of the agent that takes too much memory is killed alone.
    "OOMPolicy=continue",
    // The agent of a person may use sudo, ping and rootless containers, which need more privileges than they begin with.
    ...(system ? ["NoNewPrivileges=yes"] : []),
    "",
    "[Install]",
    `WantedBy=${system ? "multi-user.target" : "default.target"}`,
    "",
  ].join("\n");
}

/**
 * Reads any unit: ours, an older one, one that was changed by hand. Never throws. Blanks are those of systemd, space and tab: the
 * others that Unicode has may be part of a path. @param home for `%h`
 */
export function readUnit(text: string, source: string, home: string): Definition {
  const expand = (value: string) =>
    value.replace(/%([%h])/g, (_, c: string) => (c === "h" ? home : "%"));
  const found: Definition = { command: [], environment: {}, source, settings: {} };
  let section = "";
  for (const line of text.replace(/\\\r?\n/g, " ").split(/\r?\n/)) {
    const header = /^[ \t]*\[(.+)\][ \t]*$/.exec(line);
    if (header) section = header[1]!;
    const [, key, value] = /^[ \t]*([A-Za-z]\w*)[ \t]*=[ \t]*([^]*?)[ \t]*$/.exec(line) ?? [];
    if (key === undefined || value === undefined) continue;
    if (key === "Environment")
      for (const pair of splitWords(value).map(expand)) {
        const at = pair.indexOf("=");
        if (at > 0) found.environment[pair.slice(0, at)] = pair.slice(at + 1);
      }
    else if (key === "ExecStart" && value !== "") found.command = commandOf(value).map(expand);
    else if (key === "WorkingDirectory") found.workingDirectory = expand(value.replace(/^-/, ""));
    // `After=` may stand several times, and all of them count.
    const list = section === "Unit" ? found.settings[key] : undefined;
    found.settings[key] = list ? `${list} ${value}` : value;
  }
  return found;
}

function commandOf(value: string): string[] {
  const words = splitWords(value);
  const program = (words[0] ?? "").replace(/^[@\-:+!]+/, "");
  const args = words.slice(1).map((word) => word.replaceAll("$$", "$"));
  if (program === VIA_SHELL[0] && args[0] === VIA_SHELL[1] && args[1] === VIA_SHELL[2])
    return args.slice(2);
  return [program, ...args];
}

/** Words with systemd's quotes and backslashes taken out. */
function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === "\\") {
      const [whole, value] = unescape(text.slice(i));
      word = (word ?? "") + value;
      i += whole.length - 1;
    } else if (quote) {
      if (c === quote) quote = "";
      else word += c;
    } else if (c === '"' || c === "'") {
      quote = c;
      word ??= "";
    } else if (c === " " || c === "\t") {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + c;
  }
  if (word !== undefined) words.push(word);
  return words;
}

const NAMED: Record<string, string> = { n: "\n", t: "\t", r: "\r", s: " ", a: "\u0007" };

function unescape(text: string): [whole: string, value: string] {
  const hex = /^\\x([0-9a-fA-F]{2})/.exec(text);
  if (hex) return [hex[0], String.fromCharCode(Number.parseInt(hex[1]!, 16))];
  const next = text[1] ?? "";
  return [text.slice(0, 2), NAMED[next] ?? next];
}
