/** docs/reference/commands.md: what every command's `--help` says. */
import type { Command } from "../../src/cli/command.ts";
import { COMMANDS, commandsBelow } from "../../src/cli/commands.ts";
import { flagRow, showProgramHelp } from "../../src/cli/help.ts";
import { Out } from "../../src/cli/out.ts";
import { code, page, prose, table } from "./markdown.ts";

/** Takes what a command would show instead of showing it. */
class Capture extends Out {
  text = "";
  override raw(text: string): void {
    this.text += text;
  }
}

const block = (kind: string, text: string): string => `\`\`\`${kind}\n${text.trimEnd()}\n\`\`\``;

function programHelp(): string {
  const out = new Capture({ json: false, colour: false });
  showProgramHelp(out, "clawdbot", commandsBelow(""));
  return block("text", out.text);
}

function section(path: string, { doc, args, notes, examples }: Command): string {
  const specs = Object.entries(args);
  const words = specs.flatMap(([name, spec]) =>
    spec.type === "positional"
      ? [{ usage: spec.required ? `<${name}>` : `[${name}]`, what: spec.description }]
      : [],
  );
  const rows = [
    ...words.map(({ usage, what }) => [code(usage), prose(what)]),
    ...specs
      .flatMap(([name, spec]) => flagRow(name, spec))
      .map(([flag, what]) => [code(flag), prose(what)]),
  ];
  const width = Math.max(...examples.map(([line]) => line.length));
  const usage = ["clawdbot", path, ...words.map((w) => w.usage), "[options]"].join(" ");
  return [
    `## clawdbot ${path}`,
    prose(doc),
    block("text", usage),
    table(["argument or option", "what it does"], rows),
    prose(notes ?? "").replaceAll("\n", "  \n"),
    block("sh", examples.map(([l, what]) => `clawdbot ${l.padEnd(width)}  # ${what}`).join("\n")),
  ]
    .filter(Boolean)
    .join("\n\n");
}

export async function commandsPage(): Promise<string> {
  const parts: string[] = [];
  for (const [path, row] of Object.entries(COMMANDS)) {
    const command = await row.load();
    const twin = Object.keys(COMMANDS).find(
      (other) => other !== path && row.doc === `The same as \`${other}\`.`,
    );
    parts.push(twin ? `## clawdbot ${path}\n\n${row.doc}` : section(path, command));
  }
  return page("Commands", "src/cli/commands.ts", programHelp(), ...parts);
}
