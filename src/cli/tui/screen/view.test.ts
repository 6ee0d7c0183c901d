import { expect, test } from "bun:test";

import fc from "fast-check";

import type { ClientState, Hello } from "../../../protocol/client.ts";
import { Menu } from "../input/complete.ts";
import { Editor } from "../input/editor.ts";
import { Picker } from "../input/picker.ts";
import { blocksOf } from "./blocks.ts";
import { themeOf, widthOf } from "./text.ts";
import { liveView, statusLine, type ViewState } from "./view.ts";

const connected: ClientState = { kind: "connected", hello: {} as Hello };
const away: ClientState = {
  kind: "waiting",
  attempt: 1,
  retryInMs: 1,
  error: { code: "UNAVAILABLE", message: "away" },
};
const words = fc.constantFrom(
  "",
  "hi",
  "你好世界".repeat(30),
  "👩‍👩‍👧 x",
  "a\nb\n\nc",
  "word ".repeat(80),
  "/mod",
);
const COMMANDS = Array.from({ length: 20 }, (_, i) => ({
  name: `model${i}`,
  doc: "A 你 doc. ".repeat(9),
}));

const states = fc
  .record({
    typed: words,
    said: words,
    waiting: fc.array(words, { maxLength: 5 }),
    tools: fc.array(words, { maxLength: 6 }),
    notice: fc.option(words, { nil: undefined }),
    list: fc.boolean(),
    offline: fc.boolean(),
  })
  .map(({ typed, said, waiting, tools, notice, list, offline }): ViewState => {
    const editor = new Editor();
    editor.insert(typed);
    const menu = new Menu();
    menu.update(typed, COMMANDS);
    const choices = COMMANDS.map(({ name, doc }) => ({ value: name, label: doc, note: doc }));
    const block = blocksOf(said).at(-1);
    return {
      key: "agent:main:main",
      info: { model: `provider/${said}`, tokens: 123_456, window: 200_000, label: typed },
      connection: offline ? away : connected,
      now: {
        runId: "r",
        startedAt: 0,
        open: block && { block, start: true },
        thinking: false,
        tools: tools.map((output, i) => ({
          item: { kind: "tool", id: String(i), name: "exec", args: { command: output } },
          output,
        })),
      },
      pending: waiting.map((text, i) => ({
        key: String(i),
        sessionKey: "k",
        text,
        state: "waiting",
      })),
      editor,
      menu,
      picker: list ? new Picker("List", choices) : undefined,
      notice,
      time: 5000,
    };
  });

test("whatever is going on, it fits: no row is too wide, there are not too many, and the cursor is on one", () => {
  fc.assert(
    fc.property(
      states,
      fc.integer({ min: 10, max: 120 }),
      fc.integer({ min: 4, max: 50 }),
      fc.boolean(),
      (state, width, height, colour) => {
        const { live, cursor } = liveView(state, height, {
          width,
          theme: themeOf(colour),
          unfolded: false,
        });
        expect(live.length).toBeLessThanOrEqual(height);
        for (const line of live) {
          expect(line).not.toContain("\n");
          expect([line, widthOf(line)]).toEqual([line, Math.min(width, widthOf(line))]);
        }
        expect(cursor!.row).toBeLessThan(live.length);
        expect(cursor!.column).toBeLessThan(width);
        expect(live.at(-1)).toContain(state.connection === connected ? "●" : "○");
      },
    ),
    { numRuns: 400 },
  );
});

test("the line of state drops what matters least", () => {
  const state = {
    key: "agent:main:main",
    info: { model: "demo/demo", tokens: 1234, window: 200_000 },
    connection: connected,
  };
  const plain = themeOf(false);
  const at = (width: number) => statusLine(state, width, plain);
  expect(at(80)).toBe("● main · main · demo/demo · 1.2k/200k tokens · connected");
  expect(at(45)).toBe("● main · main · demo/demo · connected");
  expect(at(32)).toBe("● main · demo/demo · connected");
  expect(at(20)).toBe("● main · connected");
  expect(at(12)).toBe("● connected");
});
