/** Frames of the terminal UI on a screen: whatever changes from one to the next, what is seen is what was meant. */
import { expect, test } from "bun:test";

import fc from "fast-check";

import { type Frame, Painter } from "../../src/cli/tui/screen/frame.ts";
import { Screen } from "../e2e/screen.ts";

const COLUMNS = 12;
const ROWS = 6;
const line = fc.constantFrom(
  "",
  "a",
  "bc",
  "你好",
  "👩‍👩‍👧 x",
  "full width !",
  "\u001b[1mbold\u001b[22m",
);
const frames = fc.array(
  fc.record({
    done: fc.array(line, { maxLength: 9 }),
    live: fc.array(line, { minLength: 1, maxLength: ROWS }),
    cursor: fc.option(fc.record({ row: fc.nat(ROWS), column: fc.nat(COLUMNS - 1) }), {
      nil: undefined,
    }),
  }),
  { minLength: 1, maxLength: 12 },
);
const bytes = (text: string) => new TextEncoder().encode(text);
const shown = (text: string) => Bun.stripANSI(text).trimEnd();
const inside = ({ done, live, cursor }: Frame): Frame => ({
  done,
  live,
  cursor: cursor && { ...cursor, row: Math.min(cursor.row, live.length - 1) },
});

test("finished lines stand above the live ones, in order and once each, and the cursor is where it should be", () => {
  fc.assert(
    fc.property(frames, fc.nat(ROWS), (made, used) => {
      const screen = new Screen(COLUMNS, ROWS);
      // What the shell printed before stays.
      const shell = Array.from({ length: used }, (_, i) => `$ ${i}`);
      screen.write(bytes(shell.map((text) => `${text}\r\n`).join("")));
      const painter = new Painter();
      const above = [...shell];
      for (const frame of made.map(inside)) {
        screen.write(bytes(painter.paint(frame)));
        above.push(...frame.done.map(shown));
        const expected = [...above, ...frame.live.map(shown)];
        const seen = [...screen.scrolled, ...screen.lines()].slice(0, expected.length);
        expect(seen).toEqual(expected);
        const rest = [...screen.scrolled, ...screen.lines()].slice(expected.length);
        expect(rest.every((text) => text === "")).toBe(true);
        if (frame.cursor) {
          const at = above.length + frame.cursor.row - screen.scrolled.length;
          expect([screen.row, screen.column]).toEqual([at, frame.cursor.column]);
        }
        expect(screen.modes.has(25)).toBe(frame.cursor !== undefined);
        expect([screen.modes.has(7), screen.modes.has(2026)]).toEqual([true, false]);
      }
      screen.write(bytes(painter.leave()));
      expect([...screen.scrolled, ...screen.lines()].filter((_, i) => i < above.length)).toEqual(
        above,
      );
      expect(screen.column).toBe(0);
      expect(screen.strange).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test("the same frame again writes nothing, and one more letter only its row", () => {
  const painter = new Painter();
  const live = ["one", "two", "three"];
  painter.paint({ done: [], live, cursor: { row: 2, column: 0 } });
  expect(painter.paint({ done: [], live, cursor: { row: 2, column: 0 } })).toBe("");
  const next = painter.paint({ done: [], live: ["one", "twos", "three"], cursor: undefined });
  expect(next).toContain("twos");
  expect(next).not.toContain("one");
  expect(next).not.toContain("three");
});
