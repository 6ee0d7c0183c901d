/** Words that strangers chose, made harmless for the eye: text only, nothing that hides, reorders or piles up. Pure. */

/**
 * What has no shape of its own: control characters, direction marks, zero-width ones, private use, lone surrogates. A joiner stays
 * where scripts need it: inside an emoji, and between letters that are written joined.
 */
const SHAPELESS = /(?!\n)[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u3164\u115f\u1160\uffa0]/gu;
const JOINERS =
  /(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d(?=\p{Extended_Pictographic})|(?<=[\p{Script=Arabic}\p{Script=Devanagari}\p{Script=Bengali}\p{M}])[\u200c\u200d](?=[\p{Script=Arabic}\p{Script=Devanagari}\p{Script=Bengali}])/gu;
/** More marks than this on one letter are a tower. */
const TOWER = /(\p{M}{3})\p{M}+/gu;

const SPACE = /[\p{Zs}\p{Zl}\p{Zp}\t\v\f\r]/gu;

function visible(text: string): string {
  const kept = new Set([...text.matchAll(JOINERS)].map((found) => found.index));
  return text
    .replace(SHAPELESS, (char, at: number) => (kept.has(at) || char === "\t" ? char : ""))
    .replace(TOWER, "$1");
}

/** One line of at most `max` characters; an empty string when nothing is left. */
export function plainName(text: unknown, max = 80): string {
  if (typeof text !== "string") return "";
  const line = text
    .slice(0, max * 20)
    .replace(SPACE, " ")
    .replace(/\n/g, " ");
  const clean = visible(line).replace(/ {2,}/g, " ").trim();
  const letters = [...clean];
  return letters.length > max ? `${letters.slice(0, max - 1).join("")}…` : clean;
}

/** A whole message with its lines. */
export const plainText = (text: string): string =>
  visible(text.replace(/\r\n?/g, "\n").replace(/[\u2028\u2029]/g, "\n")).trim();

/** The names in `meta` of a pairing request: what to call them, and the handle, if they have one. */
export function personOf(meta: Record<string, string>): { name: string; handle: string } {
  const full = [meta.firstName, meta.lastName].map((part) => plainName(part)).filter(Boolean);
  const handle = plainName(meta.username ?? meta.tag ?? meta.handle).replace(/^@/, "");
  return {
    name: plainName(full.join(" ") || meta.name || meta.displayName) || handle,
    handle: handle && `@${handle}`,
  };
}
