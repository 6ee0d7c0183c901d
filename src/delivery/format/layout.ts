/** Puts the tree of a text into lines; how bold, code and links look is the style's. */
import { isInline, type Mark, type Node, parse, plainText, type Run, runsOf } from "./markdown.ts";

export type Style = {
  /** Makes characters harmless that the markup would take for its own. */
  escape(text: string): string;
  marks: Record<Mark, [open: string, close: string]>;
  /** Code stands alone: marks are closed before it and opened again behind it. */
  codeAlone?: true;
  /** Marks do not reach over the end of a line. */
  marksPerLine?: true;
  code(text: string): string;
  block(text: string, language: string | undefined): string;
  /** What goes around a link's text, or undefined where there are no links: then the address stands behind it. */
  link?(href: string): [open: string, close: string] | undefined;
  heading: Mark | undefined;
  bullet: string;
};

/** Lists and quotes inside of each other; deeper ones are shown as their text. */
const DEEPEST = 24;
const INDENT = "  ";

export const layout = (markdown: string, style: Style): string =>
  joined(blocks(parse(markdown), { style, depth: 0, indent: "" })).trimEnd();

/** `indent`: what the lines of a text begin with, but its first; code keeps its own. */
type Place = { style: Style; depth: number; indent: string };

type Part = { text: string; code: boolean };
const joined = (parts: Part[]): string => parts.map(({ text }) => text).join("\n\n");

/** The text of each block; inline nodes that stand beside blocks are a paragraph. */
function blocks(nodes: readonly Node[], place: Place): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < nodes.length;) {
    const node = nodes[at]!;
    let next = at + 1;
    if (isInline(node)) while (next < nodes.length && isInline(nodes[next]!)) next++;
    const text = isInline(node) ? lines(nodes.slice(at, next), place) : block(node, place);
    if (text.trim()) parts.push({ text, code: node.type === "code" });
    at = next;
  }
  return parts;
}

const lines = (nodes: readonly Node[], { style, indent }: Place): string =>
  inline(nodes, style).replaceAll("\n", `\n${indent}`);

function block(node: Node, place: Place): string {
  const { style, depth } = place;
  if (depth > DEEPEST) return style.escape(plainText([node]).trim());
  const inside = { ...place, depth: depth + 1 };
  switch (node.type) {
    case "code":
      return node.text.trim() ? style.block(node.text, node.language) : "";
    case "quote":
    case "item":
      return joined(blocks(node.children, inside));
    case "list":
      return list(node, inside);
    case "heading":
      return lines(
        style.heading ? [{ type: style.heading, children: node.children }] : node.children,
        place,
      );
    case "rule":
      return "———";
    default:
      return lines("children" in node ? node.children : [node], place);
  }
}

function list({ start, children }: Extract<Node, { type: "list" }>, place: Place): string {
  const { style, indent } = place;
  const below = { ...place, indent: indent + INDENT };
  const items = children.map((child, i) => {
    const checked = child.type === "item" ? child.checked : undefined;
    const bullet = start === undefined ? style.bullet : `${start + i}. `;
    const mark = checked === undefined ? bullet : checked ? "☑ " : "☐ ";
    return mark + itemText("children" in child ? child.children : [child], below);
  });
  const loose = children.some(
    (child) => child.type === "item" && child.children.some(({ type }) => type === "paragraph"),
  );
  return items.join(loose ? `\n\n${indent}` : `\n${indent}`);
}

/** What is said first stands beside the item's mark, the rest below it and further in. */
const itemText = (nodes: readonly Node[], place: Place): string =>
  blocks(nodes, place)
    .map(({ text, code }, i) => (i === 0 || code ? text : place.indent + text))
    .join("\n");

/** Runs as text with marks that are always closed in the right order and never surround white space. */
function inline(nodes: readonly Node[], style: Style): string {
  let out = "";
  let waiting = "";
  const open: { name: string; close: string }[] = [];
  const closeTo = (wanted: readonly string[]) => {
    const keep = open.findIndex(({ name }, i) => wanted[i] !== name);
    if (keep >= 0) for (const each of open.splice(keep).reverse()) out += each.close;
  };
  for (const run of split(runsOf(nodes), style)) {
    const [, lead = "", text = "", trail = ""] = parts(run);
    if (!text) {
      waiting += lead;
      if (style.marksPerLine && lead.includes("\n")) closeTo([]);
      continue;
    }
    const around = wrapsOf(run, style);
    closeTo(around.map(({ name }) => name));
    out += waiting + lead;
    waiting = trail;
    for (const wrap of around.slice(open.length)) {
      out += wrap.open;
      open.push(wrap);
    }
    out += run.code ? style.code(text) : style.escape(text);
    out += addressBehind(run, style);
  }
  closeTo([]);
  return (out + waiting).trim();
}

/** White space around, and what is between; without backtracking over long white space. */
function parts({ text, code }: Run): string[] {
  if (code && text.trim()) return ["", "", text, ""];
  const core = text.trim();
  if (!core) return ["", text, "", ""];
  const at = text.indexOf(core);
  return ["", text.slice(0, at), core, text.slice(at + core.length)];
}

const split = (runs: Run[], style: Style): Run[] =>
  style.marksPerLine
    ? runs.flatMap((run) =>
        run.marks.length && !run.code
          ? run.text.split(/(\n+)/).map((text) => ({ ...run, text }))
          : [run],
      )
    : runs;

type Wrap = { name: string; open: string; close: string };

function wrapsOf(run: Run, style: Style): Wrap[] {
  if (run.code && style.codeAlone) return [];
  const wraps = run.marks.map((name): Wrap => {
    const [open, close] = style.marks[name];
    return { name, open, close };
  });
  const link = run.href === undefined ? undefined : style.link?.(run.href);
  // The link is outermost, so that a change of form inside of it does not end it.
  if (link && run.text.trim() !== run.href)
    wraps.unshift({ name: `link ${run.href}`, open: link[0], close: link[1] });
  return wraps.filter(({ open }) => open);
}

/** ` (address)`, where the style has no links of its own and the address is one that a person may need. */
function addressBehind({ href, text }: Run, style: Style): string {
  if (href === undefined || style.link?.(href) || !isAddress(href)) return "";
  const shown = text.trim();
  return shown === href || `mailto:${shown}` === href ? "" : ` (${style.escape(href)})`;
}

/** Not of a kind that does something when it is opened: `javascript:`, `data:`, `file:`. */
const isAddress = (href: string): boolean =>
  /^(?:https?|mailto|tel|tg):/i.test(href) || !/^[a-z][a-z0-9+.-]*:/i.test(href);
