/** What one replacement did to a text: a unified diff for people, and hints for a model whose quotation was not found. */

const CONTEXT = 3;
/** A longer diff is cut; it is for looking at, not for applying. */
const MAX_LINES = 300;
const MAX_LINE = 500;

const splitLines = (text: string) => text.split(/\r?\n/);
const cut = (line: string) => (line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}...` : line);

export type Change = { diff: string; firstChangedLine: number };

/** The difference of two texts that were the same but for one stretch. Line numbers are 1-based. */
export function describeChange(before: string, after: string): Change {
  const [old, now] = [splitLines(before), splitLines(after)];
  let first = 0;
  while (first < old.length && first < now.length && old[first] === now[first]) first++;
  let [oldEnd, newEnd] = [old.length, now.length];
  while (oldEnd > first && newEnd > first && old[oldEnd - 1] === now[newEnd - 1]) {
    oldEnd--;
    newEnd--;
  }
  const from = Math.max(0, first - CONTEXT);
  const after_ = now.slice(newEnd, newEnd + CONTEXT);
  const lines = [
    ...old.slice(from, first).map((line) => ` ${line}`),
    ...old.slice(first, oldEnd).map((line) => `-${line}`),
    ...now.slice(first, newEnd).map((line) => `+${line}`),
    ...after_.map((line) => ` ${line}`),
  ];
  const more = lines.length - MAX_LINES;
  const head = `@@ -${from + 1},${oldEnd - from + after_.length} +${from + 1},${newEnd - from + after_.length} @@`;
  const shown = lines.slice(0, MAX_LINES).map(cut);
  if (more > 0) shown.push(`... ${more} more lines`);
  return { diff: [head, ...shown].join("\n"), firstChangedLine: first + 1 };
}

/** The 1-based line that holds `offset`. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line++;
  return line;
}

/** Lines looked at for a hint; a longer file gets none from its end. */
const SEARCHED = 20_000;

/** A sentence that points to the place the model most likely meant, or undefined. */
export function nearestPlace(text: string, wanted: string): string | undefined {
  const lines = splitLines(text).slice(0, SEARCHED);
  const quoted = splitLines(wanted);
  const start = quoted.findIndex((line) => line.trim());
  if (start < 0) return undefined;
  const head = quoted[start]!.trim();
  const show = (line: string | undefined) => JSON.stringify(cut(line ?? "(end of file)"));

  const same = lines.findIndex((line) => line.trim() === head);
  if (same >= 0) {
    const rest = quoted.slice(start);
    const differs = rest.findIndex((line, i) => lines[same + i] !== line);
    if (differs < 0) return `Line ${same + 1} begins the text; what stands before it differs.`;
    return `Line ${same + 1 + differs} is ${show(lines[same + differs])}, but oldText has ${show(rest[differs])}.`;
  }
  let best = { score: 0.4, index: -1 };
  const wantedPairs = pairs(head);
  lines.forEach((line, index) => {
    const score = likeness(wantedPairs, line.trim());
    if (score > best.score) best = { score, index };
  });
  return best.index < 0
    ? undefined
    : `The closest line is ${best.index + 1}: ${show(lines[best.index])}.`;
}

function pairs(text: string): Set<string> {
  const found = new Set<string>();
  const short = text.slice(0, MAX_LINE).toLowerCase();
  for (let i = 0; i + 1 < short.length; i++) found.add(short.slice(i, i + 2));
  return found;
}

/** Share of common letter pairs, 0 to 1 (Dice). */
function likeness(wanted: Set<string>, line: string): number {
  if (line.length < 2 || line.length > 4 * wanted.size + 20) return 0;
  const other = pairs(line);
  let common = 0;
  for (const pair of other) if (wanted.has(pair)) common++;
  return (2 * common) / (wanted.size + other.size);
}
