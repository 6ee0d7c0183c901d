/** The help texts, made from the table of commands and from each command's own arguments. */
import type { ArgSpec, Command } from "./command.ts";
import type { CommandRow } from "./commands.ts";
import type { Out } from "./out.ts";

type Row = [left: string, right: string];

export function showProgramHelp(out: Out, name: string, rows: Record<string, CommandRow>): void {
  out.line(`${out.paint("bold", name)}: a personal AI assistant on your own machine.`);
  out.line();
  out.line(`Usage: ${name} [options] <command> [command options]`);
  section(out, "Commands", commandRows(rows));
  section(out, "Options", [
    ["--profile <name>", "Use a separate state folder and config (~/.clawdbot-<name>)."],
    ["--dev", "The profile `dev`: its own state, gateway port 19001."],
    ["--no-color", "No colours."],
    ["--update", "The same as the command `update`."],
    ["-V, -v, --version", "Print the version."],
    ["-h, --help", "Print help."],
  ]);
  section(out, "Examples", [
    [`${name} gateway`, "start the gateway and the Control UI"],
    [`${name} agent --agent main -m "Hello"`, "one answer in the terminal"],
    [`${name} <command> --help`, "all about one command"],
  ]);
}

export function showCommandHelp(
  out: Out,
  name: string,
  path: string,
  command: Command,
  below: Record<string, CommandRow>,
): void {
  const specs = Object.entries(command.args);
  const positional = specs.flatMap(([arg, spec]) =>
    spec.type === "positional" ? [spec.required ? `<${arg}>` : `[${arg}]`] : [],
  );
  out.line(command.doc);
  out.line();
  out.line(`Usage: ${[name, path, ...positional, "[options]"].join(" ")}`);
  section(out, "Commands", commandRows(below));
  section(
    out,
    "Arguments",
    specs.flatMap(([arg, spec]): Row[] =>
      spec.type === "positional" ? [[arg, spec.description]] : [],
    ),
  );
  section(out, "Options", [
    ...specs.flatMap(([arg, spec]) => flagRow(arg, spec)),
    ["-h, --help", "Print this help."],
  ]);
  if (command.notes) out.line(`\n${command.notes}`);
  section(
    out,
    "Examples",
    command.examples.map(([line, what]) => [`${name} ${line}`, what]),
  );
}

const commandRows = (rows: Record<string, CommandRow>): Row[] =>
  Object.entries(rows).map(([path, row]) => [path, row.doc]);

/** A flag as the help spells it, with its value, and what it does. Empty for a positional word. */
export function flagRow(name: string, spec: ArgSpec): Row[] {
  if (spec.type === "positional") return [];
  const flag = spec.alias ? `-${spec.alias}, --${name}` : `--${name}`;
  const negatable = spec.type === "boolean" && spec.default === true;
  const left = {
    boolean: negatable ? `--no-${name}` : flag,
    string: `${flag} <${"hint" in spec ? spec.hint : ""}>`,
    list: `${flag} <${"hint" in spec ? spec.hint : ""}>`,
    enum: `${flag} <${"options" in spec ? spec.options.join("|") : ""}>`,
  }[spec.type];
  const standard =
    "default" in spec && typeof spec.default === "string" && spec.default
      ? ` (default: ${spec.default})`
      : "";
  return [[left, spec.description + standard]];
}

/** Room for what stands on the right, in columns; with less of it the right side goes below the left. */
const READABLE = 24;

function section(out: Out, title: string, rows: Row[]): void {
  if (rows.length === 0) return;
  out.line(`\n${out.paint("bold", `${title}:`)}`);
  const width = Math.min(34, Math.max(...rows.map(([left]) => left.length)));
  const narrow = width + READABLE > out.columns;
  for (const [left, right] of rows)
    if (narrow) out.line(`  ${left}\n    ${right}`);
    else if (left.length > width) out.line(`  ${left}\n  ${" ".repeat(width)}  ${right}`);
    else out.line(`  ${left.padEnd(width)}  ${right}`);
}
