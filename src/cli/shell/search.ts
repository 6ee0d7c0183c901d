/** Finds the sections of the documentation that a question is about. Pure: pages in, sections out. */

export type Section = {
  /** Path below docs/. */
  page: string;
  title: string;
  /** Of the section; the page's title for what stands before the first one. */
  heading: string;
  text: string;
};
export type Hit = Section & { score: number; snippet: string };

/** Longest snippet, in characters. */
const SNIPPET = 240;

/** A page at its headings. Lines of code that begin with `#` are no headings. */
export function sectionsOf(page: string, text: string): Section[] {
  const title = /^# (.+)$/m.exec(text)?.[1] ?? page;
  const sections: Section[] = [];
  let heading = title;
  let lines: string[] = [];
  let code = false;
  const close = () => {
    const body = lines.join("\n").trim();
    if (body) sections.push({ page, title, heading, text: body });
    lines = [];
  };
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) code = !code;
    const found = code ? null : /^#{1,4} (.+)$/.exec(line);
    if (!found) lines.push(line);
    else {
      close();
      heading = found[1]!;
    }
  }
  close();
  return sections;
}

const termsOf = (query: string): string[] => [
  ...new Set(query.toLowerCase().match(/[\p{L}\p{N}_.-]+/gu) ?? []),
];

/** Best first. A section with all words comes before one with some; headings count more than text, guides more than tables. */
export function search(sections: readonly Section[], query: string, limit: number): Hit[] {
  const terms = termsOf(query);
  if (terms.length === 0) return [];
  const hits = sections.flatMap((section): Hit[] => {
    const score = scoreOf(section, terms);
    return score > 0 ? [{ ...section, score, snippet: snippetOf(section.text, terms) }] : [];
  });
  return hits.sort((a, b) => b.score - a.score || a.page.localeCompare(b.page)).slice(0, limit);
}

function scoreOf({ page, title, heading, text }: Section, terms: string[]): number {
  const [head, top, body] = [heading.toLowerCase(), title.toLowerCase(), text.toLowerCase()];
  let score = 0;
  let found = 0;
  for (const term of terms) {
    const times = Math.min(5, body.split(term).length - 1);
    const of = (head.includes(term) ? 8 : 0) + (top.includes(term) ? 4 : 0) + times;
    if (of > 0) found++;
    score += of;
  }
  if (found === terms.length) score += 20 * terms.length;
  // Reference pages have every word somewhere; a guide says what to do.
  return page.startsWith("reference/") ? score / 2 : score;
}

/** The line with the most of the words, as plain text. */
function snippetOf(text: string, terms: string[]): string {
  const lines = text
    .split("\n")
    .filter(
      (line) =>
        /[\p{L}\p{N}]/u.test(line) && !line.startsWith("<!--") && !/^\|[\s|:-]+\|$/.test(line),
    );
  const hits = (line: string) => terms.filter((term) => line.toLowerCase().includes(term)).length;
  const best = lines.reduce((a, b) => (hits(b) > hits(a) ? b : a), lines[0] ?? "");
  const plain = best
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^[\s|>*-]+|[\s|]+$/g, "")
    .replaceAll("\\|", "|")
    .trim();
  return plain.length > SNIPPET ? `${plain.slice(0, SNIPPET - 1).trimEnd()}…` : plain;
}
