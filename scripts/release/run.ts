/** `bun run release`: reads the words, runs one of its three commands, and says in the end what was made or what to do. */
import { makeKey } from "./key.ts";
import { makeRelease, plannedFiles, planRelease } from "./make.ts";
import { HELP, type Options, parseOptions } from "./options.ts";
import { asProblem, Problem } from "./problem.ts";
import { verifyRelease } from "./verify.ts";

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function make(options: Options, signal: AbortSignal): Promise<void> {
  const plan = planRelease(options, process.env);
  if (options.dryRun) {
    const files = plannedFiles(plan);
    if (options.json) return print(JSON.stringify({ folder: plan.folder, files }));
    return print(`${plan.folder} would hold:\n${files.map((name) => `  ${name}`).join("\n")}`);
  }
  if (!plan.key) say("Not signed: install.sh will check sums only.");
  const made = await makeRelease(plan, say, signal);
  if (options.json) return print(JSON.stringify(made));
  print(
    [
      `Made ${made.folder}.`,
      `Check it:   bun run release verify '${made.folder}'${options.key ? ` --key '${options.key}'` : ""}`,
      `Publish it: upload the folder's files to the release v${made.manifest.version}, or all of ${options.out} to a mirror;`,
      `            then run npm publish for each .tgz, clawdbot-${made.manifest.version}.tgz last.`,
    ].join("\n"),
  );
}

function verify(options: Options): void {
  const verdicts = verifyRelease(options.path, options.key);
  if (options.json) return print(JSON.stringify(verdicts));
  for (const { folder, files, signature, trusted } of verdicts) {
    const how =
      signature === "none"
        ? "not signed"
        : trusted
          ? "signature good"
          : "signature good by the key inside install.sh; pass --key to check with your own";
    print(`${folder}: ${files} files as released, ${how}.`);
  }
}

function keygen(options: Options): void {
  const publicKey = makeKey(options.path);
  if (options.json) return print(JSON.stringify({ file: options.path, publicKey }));
  say(`Wrote the private key to ${options.path}. Keep it off this repository, and keep a copy.`);
  say("The public key, which every release carries:");
  print(publicKey);
}

async function main(): Promise<number> {
  const stop = new AbortController();
  const stopped = { by: "" };
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)
    process.on(signal, () => {
      stopped.by = signal;
      process.exitCode = code;
      stop.abort();
    });
  try {
    const options = parseOptions(process.argv.slice(2), process.env);
    if (options.command === "help") process.stdout.write(HELP);
    else if (options.command === "keygen") keygen(options);
    else if (options.command === "verify") verify(options);
    else await make(options, stop.signal);
    return 0;
  } catch (thrown) {
    if (stopped.by) {
      say(`Stopped by ${stopped.by}. Nothing was released.`);
      return Number(process.exitCode);
    }
    const cause = asProblem(thrown);
    if (!(cause instanceof Problem)) throw cause;
    say(`${cause.message}\n${cause.hint}`);
    return cause.exit;
  }
}

process.exit(await main());
