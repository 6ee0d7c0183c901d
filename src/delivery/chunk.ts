/** Cuts a long answer into messages that a channel takes. */

const isHighSurrogate = (unit: string | undefined): boolean => /[\uD800-\uDBFF]/.test(unit ?? "");

/**
 * Splits at the last paragraph, line or word in the second half of the limit; a longer word is cut, but never inside a surrogate
 * pair. Nothing is lost or added: the parts joined are the text. `limit` is in UTF-16 units, at least 2.
 */
export function chunk(text: string, limit: number): string[] {
  const out: string[] = [];
  let rest = text;
  while (rest.length > limit) {
    const head = rest.slice(0, limit);
    const at =
      ["\n\n", "\n", " "]
        .map((mark) => head.lastIndexOf(mark) + mark.length)
        .find((i) => i > limit / 2) ?? limit;
    const cut = isHighSurrogate(rest[at - 1]) && at > 1 ? at - 1 : at;
    out.push(rest.slice(0, cut));
    rest = rest.slice(cut);
  }
  if (rest) out.push(rest);
  return out;
}
