/** The nearest known word to a mistyped one: for tools that models misname, config keys, commands. */

/** Longer words are compared by their start: the typed one may come from anybody. */
const COMPARED = 80;

/** The known word that `typed` was probably meant to be, or undefined when none is near. The case does not matter. */
export function nearest(typed: string, known: readonly string[]): string | undefined {
  const word = typed.slice(0, COMPARED).toLowerCase();
  let best: { word: string; far: number } | undefined;
  for (const each of known) {
    const far = distance(word, each.slice(0, COMPARED).toLowerCase());
    if (far <= Math.max(2, Math.floor(each.length / 3)) && (!best || far < best.far))
      best = { word: each, far };
  }
  return best?.word;
}

/** Edits (insert, delete, change) from one word to the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(
        row[j]! + 1,
        next[j - 1]! + 1,
        row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    row = next;
  }
  return row[b.length]!;
}
