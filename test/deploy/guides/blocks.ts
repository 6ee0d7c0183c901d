/**
 * The command blocks of docs/guides, so that tests run the very text that people copy. Each `sh` block stands below a comment:
 * `<!-- run: docker -->` (a test runs it, in the place of that name) or `<!-- not run: <reason> -->`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = "docs/guides";

export type Block = {
  /** File and line, for messages. */
  at: string;
  guide: string;
  /** Where a test runs it; undefined when it cannot be run. */
  place: string | undefined;
  /** Why it is not run. */
  reason: string | undefined;
  text: string;
};

/** All `sh` blocks of one guide (`docker`), or of all. */
export function blocksOf(guide?: string): Block[] {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".md"));
  return files
    .filter((name) => guide === undefined || name === `${guide}.md`)
    .sort()
    .flatMap((name) => parse(name, readFileSync(join(FOLDER, name), "utf8")));
}

function parse(name: string, text: string): Block[] {
  const blocks: Block[] = [];
  const fence = /^(?:<!-- (not run|run): (.+?) -->\n)?```sh\n([\s\S]*?)^```/gm;
  for (const match of text.matchAll(fence)) {
    const [, kind, words, body] = match;
    const line = text.slice(0, match.index).split("\n").length;
    blocks.push({
      at: `${FOLDER}/${name}:${line}`,
      guide: name.replace(/\.md$/, ""),
      place: kind === "run" ? words : undefined,
      reason: kind === "not run" ? words : undefined,
      text: body!,
    });
  }
  return blocks;
}

/** The blocks of a guide that run in one place, in their order. Throws when there is none: a test of nothing. */
export function scriptOf(guide: string, place: string): Block[] {
  const found = blocksOf(guide).filter((block) => block.place === place);
  if (found.length === 0) throw new Error(`docs/guides/${guide}.md has no block for "${place}".`);
  return found;
}
