/** What kind of address a text is. node:net could tell, but takes 5 ms to load, and the first request asks. */

const PART = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const V4 = new RegExp(String.raw`^${PART}(?:\.${PART}){3}$`);
const V6_WORD = /^[\da-f]{1,4}$/i;

/** 4, 6, or 0 for anything else. The same as `isIP` of node:net, but for an address with a zone (`fe80::1%eth0`), which is 0 here. */
export function ipFamily(text: string): 0 | 4 | 6 {
  if (V4.test(text)) return 4;
  return text.includes(":") && isV6(text) ? 6 : 0;
}

function isV6(text: string): boolean {
  // `::` once stands for one or more words of zero.
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const words = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const dotted = V4.test(words.at(-1) ?? "") && halves.at(-1) !== "";
  if (dotted) words.pop();
  const count = words.length + (dotted ? 2 : 0);
  return (
    words.every((word) => V6_WORD.test(word)) && (halves.length === 2 ? count < 8 : count === 8)
  );
}
