/** Sentences of the gateway, with what has to be typed exactly set apart. */

export type Piece = { text: string; code?: true };
/** In backticks, a key of the config, a variable of the environment. */
const CODE =
  /`([^`\n]{1,200})`|\b(?:channels|gateway|agents|messages|session|commands|bindings)(?:\.[\w-]+)+|\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g;

/** Pure. */
export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const found of text.matchAll(CODE)) {
    if (found.index > at) pieces.push({ text: text.slice(at, found.index) });
    pieces.push({ text: found[1] ?? found[0], code: true });
    at = found.index + found[0].length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at) });
  return pieces;
}

export const Told = ({ text }: { text: string }) => (
  <>
    {piecesOf(text).map((piece, i) =>
      piece.code ? (
        <code key={i} dir="ltr">
          {piece.text}
        </code>
      ) : (
        piece.text
      ),
    )}
  </>
);
