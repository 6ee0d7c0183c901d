import { expect, test } from "bun:test";

import fc from "fast-check";

import { describeChange } from "../../src/tools/diff.ts";
import { replaceOnce } from "../../src/tools/edit.ts";
import { findMatches } from "../../src/tools/match.ts";

const piece = fc.constantFrom(
  ..."a b c \t x - ' \" “ ” ’ – \u00a0 \u202f é e\u0301 ﬁ Ａ 한 ᄒ 😀 \ufeff".split(" "),
  " ",
  "  ",
);
const line = fc.array(piece, { maxLength: 8 }).map((parts) => parts.join(""));
const text = (ending: string) =>
  fc.array(line, { maxLength: 12 }).map((lines) => lines.join(ending));
const someText = fc.constantFrom("\n", "\r\n").chain(text);
/** A text and a passage of it that is not empty and does not cut a line end in two. */
const passage = someText
  .filter((all) => all.length > 0)
  .chain((all) =>
    fc
      .tuple(fc.nat(all.length - 1), fc.integer({ min: 1, max: 40 }))
      .map(([start, length]) => ({ all, start, quoted: all.slice(start, start + length) })),
  )
  .filter(
    ({ all, start, quoted }) =>
      ![start, start + quoted.length].some((at) => all[at - 1] === "\r" && all[at] === "\n"),
  );
const attempt = (work: () => string): string | undefined => {
  try {
    return work();
  } catch {
    return undefined;
  }
};

test("an edit that is taken back gives the same file", () => {
  fc.assert(
    fc.property(passage, ({ all, quoted }) => {
      const after = attempt(() => replaceOnce(all, quoted, "<NEW>", "f"));
      if (after === undefined) return;
      expect(replaceOnce(after, "<NEW>", quoted, "f").replaceAll("\r\n", "\n")).toBe(
        all.replaceAll("\r\n", "\n"),
      );
    }),
    { numRuns: 500 },
  );
});

test("an exact quotation that is there once is replaced exactly there", () => {
  fc.assert(
    fc.property(passage, ({ all, start, quoted }) => {
      if (all.indexOf(quoted) !== start || all.indexOf(quoted, start + 1) >= 0) return;
      expect(replaceOnce(all, quoted, "<N>", "f")).toBe(
        `${all.slice(0, start)}<N>${all.slice(start + quoted.length)}`,
      );
    }),
    { numRuns: 500 },
  );
});

test("everything outside the replaced passage stays byte for byte, however loosely it was found", () => {
  fc.assert(
    fc.property(someText, line, fc.boolean(), (all, quoted, plain) => {
      if (!quoted) return;
      const wanted = plain ? quoted.normalize("NFKC").replace(/[“”]/g, '"') : quoted;
      const [match, second] = findMatches(all, wanted);
      const after = attempt(() => replaceOnce(all, wanted, "<N>", "f"));
      expect(after !== undefined).toBe(
        match !== undefined && second === undefined && wanted !== "<N>",
      );
      if (after !== undefined)
        expect(after).toBe(`${all.slice(0, match!.start)}<N>${all.slice(match!.end)}`);
    }),
    { numRuns: 1000 },
  );
});

test("a file keeps its line ends: CRLF in, CRLF out, byte order mark first", () => {
  fc.assert(
    fc.property(text("\r\n"), line, line, (all, one, two) => {
      const before = `\ufeffhead\r\n${all}\r\nMARK\r\n`;
      const after = replaceOnce(before, "head\n", `${one}\n${two}\n`, "f");
      expect(after.startsWith("\ufeff")).toBe(true);
      expect(/(^|[^\r])\n/.test(after)).toBe(false);
    }),
    { numRuns: 300 },
  );
});

test("the first changed line of a diff is the first line that differs", () => {
  fc.assert(
    fc.property(someText, someText, (before, after) => {
      if (before === after) return;
      const { firstChangedLine, diff } = describeChange(before, after);
      const [old, now] = [before.split(/\r?\n/), after.split(/\r?\n/)];
      expect(old.slice(0, firstChangedLine - 1)).toEqual(now.slice(0, firstChangedLine - 1));
      const removed = diff.split("\n").filter((l) => l.startsWith("-")).length;
      const added = diff.split("\n").filter((l) => l.startsWith("+")).length;
      expect(now.length - old.length).toBe(added - removed);
    }),
    { numRuns: 300 },
  );
});
