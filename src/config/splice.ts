/**
 * Changes one value in a JSON5 text and leaves every other character where it is: comments, order, quotes, line ends.
 * Knows text only; what may be changed is edit.ts's business.
 */
import { type Member, type Node, skipSpace } from "./document.ts";

type Cut = { from: number; to: number; text: string };
type Group = Extract<Node, { kind: "object" }>;
type List = Extract<Node, { kind: "array" }>;

const apply = (text: string, cuts: Cut[]): string =>
  cuts
    .toSorted((a, b) => b.from - a.from)
    .reduce((out, cut) => out.slice(0, cut.from) + cut.text + out.slice(cut.to), text);

/** What a line begins with, up to its first character that is no blank. */
function indentAt(text: string, offset: number): string {
  const begin =
    Math.max(text.lastIndexOf("\n", offset - 1), text.lastIndexOf("\r", offset - 1)) + 1;
  return /^[ \t]*/.exec(text.slice(begin, offset))![0];
}

const newlineOf = (text: string) => (text.includes("\r\n") ? "\r\n" : "\n");

/** One step of indentation, as the file does it. */
function unitOf(text: string): string {
  const first = /[\r\n]([ \t]+)[^\s/*]/.exec(text)?.[1];
  return first === undefined ? "  " : first.startsWith("\t") ? "\t" : first.slice(0, 8);
}

/** JSON, laid out to stand at a line that is indented by `indent`. */
function render(text: string, value: unknown, indent: string): string {
  const lines = JSON.stringify(value, null, unitOf(text)).split("\n");
  return lines.join(newlineOf(text) + indent);
}

/** Quoted, unless every other key of the group does without and this one can. */
function renderKey(key: string, group: Group, text: string): string {
  const bareStyle =
    group.members.length > 0 && group.members.every((m) => !/["']/.test(text[m.start]!));
  return bareStyle && /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key);
}

export function replaceValue(text: string, node: Node, value: unknown): string {
  const rendered = render(text, value, indentAt(text, node.start));
  return apply(text, [{ from: node.start, to: node.end, text: rendered }]);
}

export const insertMember = (text: string, group: Group, key: string, value: unknown): string =>
  insert(text, group, group.members.map(span), (indent) => {
    return `${renderKey(key, group, text)}: ${render(text, value, indent)}`;
  });

/** Behind the last item. */
export const appendItem = (text: string, list: List, value: unknown): string =>
  insert(text, list, list.items, (indent) => render(text, value, indent));

const span = (member: Member): Span => ({ start: member.start, end: member.value.end });
type Span = { start: number; end: number };

function insert(
  text: string,
  container: Node,
  entries: Span[],
  write: (indent: string) => string,
): string {
  const nl = newlineOf(text);
  const base = indentAt(text, container.start);
  const last = entries.at(-1);
  if (!last) {
    const indent = base + unitOf(text);
    const inside = text.slice(container.start + 1, container.end - 1);
    const tail = /[\r\n][ \t]*$/.test(inside) ? inside : `${inside.trimEnd()}${nl}${base}`;
    const whole = `${nl}${indent}${write(indent)}${tail}`;
    return apply(text, [{ from: container.start + 1, to: container.end - 1, text: whole }]);
  }
  const comma = commaAfter(text, last.end);
  const first = entries[0]!;
  const spread = /[\r\n]/.test(text.slice(container.start, first.start));
  const cuts: Cut[] = [];
  if (comma === undefined) cuts.push({ from: last.end, to: last.end, text: "," });
  const after = comma === undefined ? last.end : comma + 1;
  if (!spread) {
    cuts.push({ from: after, to: after, text: ` ${write(base)}` });
    return apply(text, merge(cuts));
  }
  const indent = indentAt(text, first.start);
  const at = endOfLine(text, after);
  const added = `${nl}${indent}${write(indent)}${comma === undefined ? "" : ","}`;
  cuts.push({ from: at, to: at, text: added });
  return apply(text, merge(cuts));
}

/** Two insertions at one offset in the order in which they were made. */
function merge(cuts: Cut[]): Cut[] {
  const [a, b] = cuts;
  if (a && b && a.from === b.from && a.to === b.to) return [{ ...a, text: a.text + b.text }];
  return cuts;
}

/** The offset of the comma that follows, comments aside. */
function commaAfter(text: string, from: number): number | undefined {
  const at = skipSpace(text, from);
  return at !== undefined && text[at] === "," ? at : undefined;
}

/** Behind the comments that still belong to this line. */
function endOfLine(text: string, from: number): number {
  const rest = /^(?:[ \t]*(?:\/\/[^\r\n]*|\/\*(?:(?!\*\/)[^\r\n])*\*\/))*/.exec(
    text.slice(from),
  )![0];
  return from + rest.length;
}

/** Takes one member or item out, with its comma. Comments around it stay. */
export function removeEntry(text: string, container: Group | List, index: number): string {
  const entries = container.kind === "object" ? container.members.map(span) : container.items;
  const entry = entries[index]!;
  const comma = commaAfter(text, entry.end);
  const cuts: Cut[] = [{ from: entry.start, to: entry.end, text: "" }];
  if (comma !== undefined) cuts.push({ from: comma, to: comma + 1, text: "" });
  else if (index > 0) {
    const before = commaAfter(text, entries[index - 1]!.end);
    if (before !== undefined) cuts.push({ from: before, to: before + 1, text: "" });
  }
  return apply(text, tidy(text, cuts));
}

/** Widens cuts so that no empty line, and no doubled blank, is left where something stood. */
function tidy(text: string, cuts: Cut[]): Cut[] {
  const sorted = cuts.toSorted((a, b) => a.from - b.from);
  const joined: Cut[] = [];
  for (const cut of sorted) {
    const previous = joined.at(-1);
    if (previous && /^[ \t]*$/.test(text.slice(previous.to, cut.from))) previous.to = cut.to;
    else joined.push({ ...cut });
  }
  return joined.map((cut) => {
    const before = /[ \t]*$/.exec(text.slice(0, cut.from))![0].length;
    const after = /^[ \t]*/.exec(text.slice(cut.to))![0].length;
    const begin = cut.from - before;
    const end = cut.to + after;
    const opens = begin === 0 || /[\r\n]/.test(text[begin - 1]!);
    const closing = /^(?:\r\n|\n|\r)/.exec(text.slice(end))?.[0];
    if (opens && closing !== undefined) return { ...cut, from: begin, to: end + closing.length };
    return !opens && /[\]},]/.test(text[end] ?? "") ? cut : { ...cut, to: end };
  });
}
