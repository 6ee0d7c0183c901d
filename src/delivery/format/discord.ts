/** Discord reads Markdown itself. What it does not know is put into what it does; nothing gets longer by that. */
import { linesOf } from "../fences.ts";

/** The lengths are bounded so that a line of brackets costs no more than its length. */
const IMAGE = /!(\[[^\]\n]{1,300}\]\([^)\s]{1,2000}\))/g;
const DEEP_HEADING = /^#{4,6}[ \t]+(.*?)[ \t#]*$/;

export function discord(markdown: string): string {
  const out: string[] = [];
  for (const { line, code } of linesOf(markdown)) out.push(code ? line : known(line));
  return out.join("\n").trimEnd();
}

function known(line: string): string {
  const heading = line.length < 500 ? DEEP_HEADING.exec(line)?.[1] : undefined;
  const text = heading ? `**${heading.replaceAll("**", "")}**` : line;
  return text.includes("![") ? text.replace(IMAGE, "$1") : text;
}
