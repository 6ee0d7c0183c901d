/** `config …`: the config file, read and edited in place. */
import { readLock } from "../../base/lock.ts";
import { jsonSchema } from "../../base/schema.ts";
import { REDACTED } from "../../config/edit.ts";
import type { EditResult } from "../../config/ops.ts";
import { getAll, getValue, setValue, unsetValue, validateFile } from "../../config/ops.ts";
import { describe, type Problem } from "../../config/problem.ts";
import { ConfigSchema } from "../../config/schema.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";

/** How a path is written; for the help of every command that takes one. */
export const PATH_NOTE =
  'A path is keys with dots, [n] for list items and ["…"] around a key with dots: agents.list[0].name';

export const get = command({
  doc: "Print one value of the config, with defaults; without a path all of it. Secrets in groups are masked.",
  args: {
    path: { type: "positional", required: false, description: "Path of the value." },
  },
  notes: PATH_NOTE,
  examples: [
    ["config get gateway.port", "a bare value"],
    ["config get agents --json", "a group as JSON"],
    ["config get", "everything"],
  ],
  async run(args, { env, paths, out }) {
    const value = args.path
      ? await getValue({ env, paths }, args.path)
      : await getAll({ env, paths });
    if (args.json) out.data(value);
    else if (typeof value === "object") out.data(forPeople(value));
    else out.line(String(value));
  },
});

/** The mark of a secret is for programs, which may give it back in an edit; people get a word. */
const forPeople = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replaceAll(REDACTED, "(hidden)"));

export const set = command({
  doc: "Change one value of the config. Comments and everything else in the file stay.",
  args: {
    path: { type: "positional", required: true, description: "Path of the value." },
    value: { type: "positional", required: true, description: "JSON5, else plain text." },
    "strict-json": { type: "boolean", description: "Refuse a value that is not JSON." },
  },
  notes: `${PATH_NOTE}\nWith --json a value that is not JSON is refused, and the result is printed as JSON.`,
  examples: [
    ["config set gateway.port 19001", "a number"],
    ["config set agents.defaults.model.primary anthropic/claude-opus-4-5", "plain text"],
    [`config set gateway.trustedProxies '["10.0.0.1"]'`, "a list"],
  ],
  async run(args, cli) {
    const { env, paths } = cli;
    const json = args.json || args["strict-json"];
    const result = await setValue({ env, paths }, args.path, args.value, { json });
    printEdit(cli, "Updated", args.path, result);
  },
});

export const unset = command({
  doc: "Remove one value, so that its default counts; of a list the rest moves up.",
  args: {
    path: { type: "positional", required: true, description: "Path of the value." },
  },
  notes: PATH_NOTE,
  examples: [["config unset gateway.customBindHost", "back to the default"]],
  async run(args, cli) {
    const { env, paths } = cli;
    printEdit(cli, "Removed", args.path, await unsetValue({ env, paths }, args.path));
  },
});

export const validate = command({
  doc: "Check the config file. Exit code 78 when the gateway could not use it.",
  args: {
    strict: { type: "boolean", description: "Warnings count as errors." },
  },
  examples: [
    ["config validate", "for people"],
    ["config validate --json", "for scripts"],
  ],
  async run(args, { env, paths, out }) {
    const report = await validateFile({ env, paths }, { strict: args.strict });
    if (args.json) out.data(report);
    else {
      const lines = (mark: string, problems: Problem[]) => {
        for (const problem of problems) {
          out.line(`${mark} ${describe(problem)}`);
          if (problem.hint) out.line(`  ${out.paint("dim", problem.hint)}`);
        }
      };
      lines(out.paint("red", "✗"), report.errors);
      lines(out.paint("yellow", "!"), report.warnings);
      for (const { from, to } of report.moved) out.line(`! ${from} is read as ${to}.`);
      const state = report.exists
        ? report.valid
          ? "valid"
          : "invalid"
        : "not there (that is fine)";
      out.line(`Config ${state}: ${report.file}`);
    }
    return report.valid ? 0 : 78;
  },
});

/** Two names: the original's, and the one that a guide's reader tries first. */
const whereIs = (name: string) =>
  command({
    doc: "Print where the config file is, whether or not there is one.",
    args: {},
    examples: [[`config ${name}`, "its path"]],
    async run(args, { paths, out }) {
      if (args.json) out.data({ path: paths.configPath });
      else out.line(paths.configPath);
    },
  });

export const file = whereIs("file");
export const path = whereIs("path");

export const schema = command({
  doc: "Print the JSON schema of the config file, for editors.",
  args: {},
  examples: [["config schema > clawdbot.schema.json", "save it"]],
  async run(_, { out }) {
    out.data(jsonSchema(ConfigSchema));
  },
});

/** Keys that only the program writes are no news to the user. */
function printEdit({ out, paths }: Cli, verb: string, path: string, result: EditResult): void {
  const changed = result.changed.filter((key) => !key.startsWith("meta."));
  if (out.json) return out.data({ ok: true, ...result, changed });
  for (const warning of result.warnings) out.note(`warning: ${warning}`);
  const running = result.needRestart.length > 0 && readLock(paths.lockPath).held;
  const restart = running ? " The running gateway restarts itself to apply it." : "";
  out.line(changed.length > 0 ? `${verb} ${path}.${restart}` : `${path} was so already.`);
}
