/** The words after `bun run release`, checked before anything is built. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";

import { type Target, TARGETS } from "../targets.ts";
import { Problem } from "./problem.ts";

export const HELP = `Builds a release: executables, npm packages, image archives, checksums, signature and manifest.

  bun run release [options]
  bun run release verify <folder> [--key <file>] [--json]
  bun run release keygen <file> [--json]

Options
  --out <folder>        Root of the release files, a mirror of <base> in install.sh. Default: dist/release.
  --targets <names>     Comma-separated: ${TARGETS.map((t) => t.id).join(", ")}. Default: all.
  --channel <name>      stable (default) or beta: which latest.txt is written.
  --key <file>          Ed25519 private key (PEM). Default: the file in CLAWDBOT_SIGNING_KEY.
  --unsigned            Make the release without a signature, for a trial.
  --allow-dirty         Release although files differ from the commit.
  --skip-image          No image archives.
  --write-nix           Also write nix/release.json, which flake.nix reads.
  --dry-run             Say what would be made, and make nothing.
  --json                One JSON object on standard output; progress stays on standard error.

Examples
  bun run release keygen ~/clawdbot-release.pem
  bun run release --key ~/clawdbot-release.pem --write-nix
  bun run release --targets linux-x64 --unsigned --out /tmp/trial
  bun run release verify dist/release --key ~/clawdbot-release.pem
`;

export type Options = {
  command: "make" | "verify" | "keygen" | "help";
  /** The folder or file of verify and keygen. */
  path: string;
  out: string;
  targets: Target[];
  channel: "stable" | "beta";
  key: string | undefined;
  unsigned: boolean;
  allowDirty: boolean;
  skipImage: boolean;
  writeNix: boolean;
  dryRun: boolean;
  json: boolean;
};

const usage = (message: string): Problem => new Problem(message, "See: bun run release --help", 2);

/** @param env of this process: CLAWDBOT_SIGNING_KEY. @throws Problem with exit 2 for words that are not understood */
export function parseOptions(words: string[], env: Record<string, string | undefined>): Options {
  const { values, positionals } = parse(words);
  const [command = "make", path, ...more] = positionals;
  if (command !== "make" && command !== "verify" && command !== "keygen")
    throw usage(`There is no "${command}".`);
  if (more.length > 0) throw usage(`"${more[0]}" is too much.`);
  if (command !== "make" && !path && !values.help)
    throw usage(`${command} needs a ${command === "verify" ? "folder" : "file"}.`);
  if (command === "make" && path !== undefined) throw usage(`"${path}" is too much.`);
  const channel = values.channel ?? "stable";
  if (channel !== "stable" && channel !== "beta")
    throw usage(`There is no channel "${channel}"; there are stable and beta.`);
  const key = values.key ?? (env["CLAWDBOT_SIGNING_KEY"] || undefined);
  return {
    command: values.help ? "help" : command,
    path: resolve(path ?? "."),
    out: resolve(values.out ?? "dist/release"),
    targets: readTargets(values.targets ?? []),
    channel,
    key: values.unsigned ? undefined : key && resolve(key),
    unsigned: values.unsigned ?? false,
    allowDirty: values["allow-dirty"] ?? false,
    skipImage: values["skip-image"] ?? false,
    writeNix: values["write-nix"] ?? false,
    dryRun: values["dry-run"] ?? false,
    json: values.json ?? false,
  };
}

function parse(words: string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        out: text,
        targets: { type: "string", multiple: true },
        channel: text,
        key: text,
        unsigned: flag,
        "allow-dirty": flag,
        "skip-image": flag,
        "write-nix": flag,
        "dry-run": flag,
        json: flag,
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (cause) {
    throw usage(cause instanceof Error ? cause.message.split(/\. |\n/)[0]! : String(cause));
  }
}

/** In the order of the table, each once, however they were named. */
function readTargets(lists: string[]): Target[] {
  const names = lists.flatMap((list) => list.split(",")).map((name) => name.trim());
  const wrong = names.find((name) => !TARGETS.some((t) => t.id === name));
  if (wrong !== undefined)
    throw usage(`There is no target "${wrong}"; there are ${TARGETS.map((t) => t.id).join(", ")}.`);
  return names.length === 0 ? TARGETS : TARGETS.filter((t) => names.includes(t.id));
}
