/**
 * The model's Markdown as a small tree. Bun's parser does the reading (GitHub's dialect, linear time on anything); its callbacks
 * give strings only, so each of them puts a node aside and gives a mark that stands for it.
 */

import { linesOf } from "../fences.ts";

export type Node =
  | { type: "text"; text: string }
  | { type: "strong" | "emphasis" | "strike"; children: Node[] }
  | { type: "link"; href: string; children: Node[] }
  | { type: "codespan"; text: string }
  | { type: "code"; text: string; language?: string }
  | { type: "paragraph" | "heading" | "quote"; children: Node[] }
  | { type: "list"; start?: number; children: Node[] }
  | { type: "item"; checked?: boolean; children: Node[] }
  | { type: "rule" };

const OPTIONS = {
  tables: false,
  autolinks: { url: true },
  // Four spaces are a habit of people and models, not code; tags are text like any other.
  noIndentedCodeBlocks: true,
  noHtmlBlocks: true,
  noHtmlSpans: true,
};
/** Of the Unicode planes that are nobody's, so no text needs them. What a text has of them is put aside like the rest of it. */
const MARK = /\uE000(\d+)\uE001/g;
/** Would disappear, as the address of a link that is written somewhere else. */
const DEFINITION = /^([ \t>]{0,12})\[(?=[^\]\n]{1,999}\]:)/;
/** `2*3*4` is arithmetic, and nobody wants its 3 in italics. */
const TIMES = /(?<=\w)\*(?=\w)/g;

/** The blocks of a text. Tables are text here: tables.ts turns them into something else before. */
export function parse(markdown: string): Node[] {
  const nodes: (Node | undefined)[] = [];
  const put = (node: Node): string => `\uE000${nodes.push(node) - 1}\uE001`;
  /** The nodes that a callback's text stands for; each is taken once. */
  const take = (marks: string): Node[] => {
    const found: Node[] = [];
    let at = 0;
    for (const match of marks.matchAll(MARK)) {
      if (match.index > at) found.push({ type: "text", text: marks.slice(at, match.index) });
      const node = nodes[Number(match[1])];
      nodes[Number(match[1])] = undefined;
      if (node) found.push(node);
      at = match.index + match[0].length;
    }
    if (at < marks.length) found.push({ type: "text", text: marks.slice(at) });
    return found;
  };
  const inner = (type: "strong" | "emphasis" | "strike" | "paragraph" | "heading" | "quote") => {
    return (marks: string) => put({ type, children: take(marks) });
  };
  const link = (marks: string, href: string) => put({ type: "link", href, children: take(marks) });
  const rest = Bun.markdown.render(
    literal(markdown),
    {
      text: (text) => put({ type: "text", text }),
      strong: inner("strong"),
      emphasis: inner("emphasis"),
      strikethrough: inner("strike"),
      paragraph: inner("paragraph"),
      heading: inner("heading"),
      blockquote: inner("quote"),
      codespan: (marks) => put({ type: "codespan", text: plainText(take(marks)) }),
      code: (marks, meta) =>
        put({
          type: "code",
          text: plainText(take(marks)).replace(/\n$/, ""),
          ...(meta?.language && { language: meta.language }),
        }),
      link: (marks, { href }) => link(marks, href),
      image: (marks, { src }) => link(marks, src),
      list: (marks, { ordered, start }) =>
        put({ type: "list", ...(ordered && { start: start ?? 1 }), children: take(marks) }),
      listItem: (marks, meta) =>
        put({
          type: "item",
          ...(meta?.checked !== undefined && { checked: meta.checked }),
          children: take(marks),
        }),
      hr: () => put({ type: "rule" }),
    },
    OPTIONS,
  );
  return take(rest);
}

/** Takes the meaning from what is Markdown by its letters and was not meant so. Code is left as it is. */
function literal(markdown: string): string {
  if (!/\]:|\w\*\w/.test(markdown)) return markdown;
  return [...linesOf(markdown)]
    .map(({ line, code }) =>
      code
        ? line
        : line
            .replace(DEFINITION, "$1\\[")
            .split(/(`+[^`]*`+)/)
            .map((part, i) => (i % 2 ? part : part.replace(TIMES, "\\*")))
            .join(""),
    )
    .join("\n");
}

/** What is written in nodes, without any form. Not by recursion: a hostile text nests 50,000 deep. */
export function plainText(nodes: readonly Node[]): string {
  const left = nodes.toReversed();
  const out: string[] = [];
  for (let node = left.pop(); node; node = left.pop()) {
    if ("text" in node) out.push(node.text);
    else if ("children" in node) for (const child of node.children.toReversed()) left.push(child);
  }
  return out.join("");
}

/** Parts of a line of text: bold, italic and so on are marks of a run, never nested in themselves. */
export type Mark = "strong" | "emphasis" | "strike";
export type Run = { text: string; marks: readonly Mark[]; code?: true; href?: string };

const INLINE = new Set(["text", "strong", "emphasis", "strike", "link", "codespan"]);
export const isInline = (node: Node): boolean => INLINE.has(node.type);

/** The runs of inline nodes, in order; neighbours with the same form are one. */
export function runsOf(nodes: readonly Node[]): Run[] {
  type Step = { node: Node; marks: readonly Mark[]; href?: string };
  const left: Step[] = nodes.toReversed().map((node) => ({ node, marks: [] }));
  const runs: Run[] = [];
  const add = (run: Run) => {
    const last = runs.at(-1);
    if (last && sameForm(last, run)) last.text += run.text;
    else if (run.text) runs.push(run);
  };
  for (let step = left.pop(); step; step = left.pop()) {
    const { node, marks, href } = step;
    const form = href === undefined ? {} : { href };
    if (node.type === "text") add({ text: node.text, marks, ...form });
    // In a link it is the link that counts.
    else if (node.type === "codespan")
      add({ text: node.text, marks, ...(href === undefined ? { code: true } : form) });
    else if (node.type === "link") {
      const label = plainText(node.children).trim();
      if (!label) add({ text: node.href, marks, href: node.href });
      else
        for (const child of node.children.toReversed())
          left.push({ node: child, marks, href: href ?? node.href });
    } else if (node.type === "strong" || node.type === "emphasis" || node.type === "strike") {
      const more = marks.includes(node.type) ? marks : [...marks, node.type];
      for (const child of node.children.toReversed())
        left.push({ node: child, marks: more, ...form });
    } else add({ text: plainText([node]), marks, ...form });
  }
  return runs;
}

const sameForm = (a: Run, b: Run): boolean =>
  a.code === b.code &&
  a.href === b.href &&
  a.marks.length === b.marks.length &&
  a.marks.every((mark, i) => mark === b.marks[i]);
