/**
 * Finds the place in a file that a model quoted, although models quote straight quotes for curly ones, LF for CRLF and drop
 * trailing blanks. Comparison happens on a simplified view that remembers where each of its characters came from, so that
 * everything outside the match stays byte for byte as it was.
 */

/** A view of a text. Character `i` of `text` stands for `starts[i]..ends[i]` of the original. */
type View = { text: string; starts: number[]; ends: number[] };

/** Offsets in the original; `loose` when only the simplified view matched. */
export type Match = { start: number; end: number; loose: boolean };

/** Where `wanted` is in `text`: all places, by the strictest way of comparing that finds any. */
export function findMatches(text: string, wanted: string): Match[] {
  const exact = occurrences(text, wanted)
    .map((at) => ({ start: at, end: at + wanted.length, loose: false }))
    .filter(({ start, end }) => !splitsLineEnd(text, start) && !splitsLineEnd(text, end));
  if (exact.length > 0) return exact;
  for (const simplify of [lineEndings, lookAlikes]) {
    if (simplify === lineEndings && !text.includes("\r") && !wanted.includes("\r")) continue;
    const view = simplify(text);
    const needle = simplify(wanted).text;
    if (!needle.trim()) continue;
    const found = occurrences(view.text, needle).flatMap((at) => {
      const last = at + needle.length - 1;
      // A match that begins or ends inside what one original character was written out to (the ligature fi) is none.
      const whole =
        (at === 0 || view.starts[at] !== view.starts[at - 1]) &&
        (last + 1 === view.text.length || view.starts[last + 1] !== view.starts[last]);
      const loose = simplify === lookAlikes;
      return whole ? [{ start: view.starts[at]!, end: view.ends[last]!, loose }] : [];
    });
    if (found.length > 0) return found;
  }
  return [];
}

/** Between CR and LF: half a line end would be left behind. */
const splitsLineEnd = (text: string, at: number) => text[at - 1] === "\r" && text[at] === "\n";

/** Overlapping ones count: with them the place would not be certain. Stops at 1,000. */
function occurrences(text: string, wanted: string): number[] {
  const found: number[] = [];
  for (
    let at = text.indexOf(wanted);
    at >= 0 && found.length < 1000;
    at = text.indexOf(wanted, at + 1)
  )
    found.push(at);
  return found;
}

/** Every line ends with LF. */
const lineEndings = (text: string): View =>
  viewOf(text, /\r\n|[^\r]+|\r/g, (piece) => (piece === "\r\n" ? "\n" : piece));

/**
 * Besides: compatibility forms composed (NFKC), typographic quotes, dashes and spaces plain, no blanks at line ends.
 * Pieces are a run of blanks with the line end behind it, a run of ASCII, a run of Hangul letters, one character with its marks.
 */
const lookAlikes = (text: string): View =>
  viewOf(
    text,
    /\r?\n|[^\S\r\n]+(?:\r?\n)?|[!-~]+(?!\p{M})|[\u1100-\u11ff]+|\P{M}\p{M}*|\p{M}+/gu,
    (piece, end) => {
      if (piece.endsWith("\n")) return "\n";
      if (end === text.length && !piece.trim()) return "";
      return ASCII.test(piece) ? piece : plain(piece);
    },
  );

const ASCII = /^[!-~]+$/;

const plain = (piece: string): string =>
  piece
    .normalize("NFKC")
    .replace(/[\u2018-\u201b\u2032]/g, "'")
    .replace(/[\u201c-\u201f\u2033]/g, '"')
    .replace(/[\u2010-\u2015\u2212]/g, "-")
    .replace(/[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g, " ");

/** `simplify` gets each piece and where it ends. A piece of unchanged length that is not one character maps one to one. */
function viewOf(
  text: string,
  pieces: RegExp,
  simplify: (piece: string, end: number) => string,
): View {
  const parts: string[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  for (const { 0: piece, index } of text.matchAll(pieces)) {
    const end = index + piece.length;
    const written = simplify(piece, end);
    parts.push(written);
    const oneToOne = written === piece || !piece.trim();
    for (let i = 0; i < written.length; i++) {
      const single = oneToOne && written.length === piece.length;
      starts.push(single ? index + i : index);
      ends.push(single ? index + i + 1 : end);
    }
  }
  return { text: parts.join(""), starts, ends };
}
