/** `backup create`, `verify` and `restore`: everything in one file, and back. */
import { resolve } from "node:path";

import { PRODUCT } from "../../base/brand.ts";
import { AppError } from "../../base/errors.ts";
import { canAsk, openAsk } from "../ask.ts";
import { type Cli, command } from "../command.ts";
import { formatBytes } from "../progress.ts";
import { createBackup, type Created } from "./create.ts";
import { type Plan, planRestore, restoreBackup } from "./restore.ts";
import { readBackup } from "./verify.ts";

export const backup = command({
  doc: "Backups of state, config and workspaces, each one file.",
  args: {},
  json: false,
  examples: [
    ["backup create", "make one"],
    ["backup verify backup.tar.gz", "check one"],
    ["backup restore backup.tar.gz", "go back to one"],
  ],
  async run() {
    throw new AppError("usage", "Say what to do: create, verify or restore.", {
      hint: `To see how: ${PRODUCT} backup --help`,
    });
  },
});

export const create = command({
  doc: "Put state, config and workspaces into one file, while the gateway goes on.",
  args: {
    output: {
      type: "string",
      hint: "path",
      description: "File or folder to write to; else the present folder.",
    },
    "dry-run": { type: "boolean", description: "Say what would be in it, and write nothing." },
    "only-config": { type: "boolean", description: "Only the config file." },
    "include-workspace": {
      type: "boolean",
      default: true,
      description: "Leave the agents' workspaces out.",
    },
    verify: { type: "boolean", description: "Read it again at the end, and check it." },
  },
  notes:
    "The database is copied as it is at one moment. The file has your keys, tokens and conversations in it: it is readable for you alone, so keep it so. Logs, older backups of the database and what is made anew at a start are left out, and so are links.",
  examples: [
    ["backup create", "into the present folder"],
    ["backup create --output /mnt/disk/ --verify", "elsewhere, and checked"],
    ["backup create --no-include-workspace", "without what the assistant wrote"],
    ["backup create --dry-run --json", "what would be in it"],
  ],
  run: (args, cli) =>
    stoppable(async (signal) => {
      const created = await createBackup(
        cli,
        {
          output: args.output,
          dryRun: args["dry-run"],
          onlyConfig: args["only-config"],
          workspaces: args["include-workspace"],
        },
        signal,
      );
      const check = args.verify && !created.dryRun;
      if (check) await readBackup(cli, created.archivePath, "Checking", signal);
      if (args.json) cli.out.data({ ...created, verified: check });
      else tellCreated(cli, created, check);
    }),
});

function tellCreated({ out, name, profileFlag }: Cli, made: Created, verified: boolean): void {
  const { archivePath, files, bytes, archiveBytes, skipped, dryRun } = made;
  for (const { name: root, path } of made.roots) out.note(`  ${root.padEnd(16)} ${path}`);
  for (const { path, reason } of skipped.slice(0, 20)) out.note(`  left out: ${path} (${reason})`);
  if (skipped.length > 20) out.note(`  and ${skipped.length - 20} more were left out`);
  if (dryRun) {
    out.line(`Would write ${files} files (${formatBytes(bytes)}) to ${archivePath}.`);
    out.line("Nothing was written (--dry-run).");
    return;
  }
  out.line(
    `${archivePath}: ${files} files, ${formatBytes(bytes)}, packed ${formatBytes(archiveBytes ?? 0)}${verified ? ", checked" : ""}.`,
  );
  out.line("It has your keys and conversations in it: keep it where nobody else can read it.");
  out.line(`To go back to it: ${name}${profileFlag} backup restore '${archivePath}'`);
}

const FILE = {
  file: { type: "positional", required: true, description: "A file that `backup create` made." },
} as const;

export const verify = command({
  doc: "Check that a backup is whole, without unpacking it.",
  args: FILE,
  examples: [["backup verify backup.tar.gz", "every file in it is compared with its checksum"]],
  run: (args, cli) =>
    stoppable(async (signal) => {
      const file = resolve(args.file);
      const { origin, files, bytes, skipped } = await readBackup(cli, file, "Checking", signal);
      const { version, createdAt, onlyConfig, roots } = origin;
      if (args.json)
        cli.out.data({
          ok: true,
          archivePath: file,
          ...{ version, createdAt, onlyConfig, roots, files, bytes, skipped },
        });
      else
        cli.out.line(
          `${file} is whole: ${files} files, ${formatBytes(bytes)}, made by ${PRODUCT} ${version} at ${createdAt}.`,
        );
    }),
});

export const restore = command({
  doc: "Put the content of a backup in the place of what is there, which is kept.",
  args: {
    ...FILE,
    yes: { type: "boolean", alias: "y", description: "Do not ask." },
    "dry-run": { type: "boolean", description: "Say what would go where, and do none of it." },
  },
  notes:
    "The gateway has to be stopped. The backup is checked as a whole, unpacked beside the state folder, and exchanged with it in one step; the folder of before stays beside it, named `.before-restore-…`. A backup of a newer version is refused.",
  examples: [
    ["backup restore backup.tar.gz", "asks before it replaces anything"],
    ["backup restore backup.tar.gz --dry-run", "what would go where"],
    ["backup restore backup.tar.gz --yes --json", "for scripts"],
  ],
  run: (args, cli) =>
    stoppable(async (signal) => {
      const file = resolve(args.file);
      const plan = await planRestore(cli, file, signal);
      const { origin, files, bytes } = plan.checked;
      const facts = { archivePath: file, version: origin.version, createdAt: origin.createdAt };
      const dryRun = args["dry-run"];
      if (dryRun) {
        if (args.json) {
          const restored = plan.moves.map(({ root, target }) => ({ root, path: target }));
          return cli.out.data({ ok: true, dryRun, ...facts, files, bytes, restored });
        }
        return tellPlan(cli, plan);
      }
      if (plan.existing.length > 0 && !args.yes) await confirm(cli, plan.existing, args.json);
      const restored = await restoreBackup(cli, file, plan, signal);
      if (args.json) return cli.out.data({ ok: true, dryRun, ...facts, files, bytes, restored });
      cli.out.line(`The backup of ${origin.createdAt} is restored: ${files} files.`);
      for (const { path, before } of restored)
        cli.out.line(before ? `  ${path}   (before: ${before})` : `  ${path}`);
      cli.out.line(`Start the gateway again: ${cli.name}${cli.profileFlag} gateway start`);
    }),
});

function tellPlan({ out }: Cli, { checked, moves, existing }: Plan): void {
  const { origin, files, bytes } = checked;
  out.line(`Would restore ${files} files (${formatBytes(bytes)}) of ${origin.createdAt}:`);
  for (const { root, target, aside } of moves)
    out.line(
      `  ${root.padEnd(16)} ${target}${existing.includes(target) ? `   (what is there goes to ${aside})` : ""}`,
    );
  out.line("Nothing was changed (--dry-run).");
}

async function confirm(cli: Cli, existing: string[], json: boolean): Promise<void> {
  const there = existing.join(", ");
  if (json || !canAsk())
    throw new AppError("usage", `There is something already: ${there}.`, {
      hint: "Add --yes: it is moved aside, not deleted.",
    });
  const ask = openAsk(cli.out);
  try {
    if (await ask.yes(`Move ${there} aside, and put the backup there?`, false)) return;
  } finally {
    ask.close();
  }
  throw new AppError("aborted", "Stopped; nothing was changed.");
}

/** Ctrl-C stops the work, and what it has made is taken away. */
async function stoppable(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const abort = () => stop.abort(new AppError("aborted", "Stopped; nothing was changed."));
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, abort);
  try {
    await work(stop.signal);
  } finally {
    for (const signal of signals) process.off(signal, abort);
  }
}
