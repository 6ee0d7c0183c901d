import { expect, test } from "bun:test";

import { Editor, editorRows } from "./editor.ts";

/** Text with `|` for the cursor, after these keys. */
function after(text: string, ...keys: string[]): string {
  const editor = new Editor();
  const [before = "", behind = ""] = text.split("|");
  editor.insert(before + behind);
  editor.move(before.length);
  for (const key of keys) editor.press(key);
  const at = editor.beforeCursor.length;
  return `${editor.text.slice(0, at)}|${editor.text.slice(at)}`;
}

test("the cursor moves by characters as people see them", () => {
  expect(after("a👩‍👩‍👧b|", "left", "left")).toBe("a|👩‍👩‍👧b");
  expect(after("|👍🏽x", "right")).toBe("👍🏽|x");
  expect(after("e\u0301|", "backspace")).toBe("|");
  expect(after("|你好", "delete")).toBe("|好");
  expect(after("|", "left", "backspace", "delete", "right")).toBe("|");
});

test("words, lines and the ends", () => {
  expect(after("one two-three|", "alt+b")).toBe("one two-|three");
  expect(after("one| two", "alt+f")).toBe("one two|");
  expect(after("one two-three |", "ctrl+w")).toBe("one |");
  expect(after("ab\ncd|ef\ngh", "ctrl+a")).toBe("ab\n|cdef\ngh");
  expect(after("ab\ncd|ef\ngh", "ctrl+e")).toBe("ab\ncdef|\ngh");
  expect(after("ab\ncd|ef\ngh", "ctrl+u")).toBe("ab\n|ef\ngh");
  expect(after("ab\ncd|ef\ngh", "ctrl+k")).toBe("ab\ncd|\ngh");
  expect(after("one two|", "alt+backspace", "ctrl+y", "ctrl+y")).toBe("one twotwo|");
  expect(after("one two|", "ctrl+w", "ctrl+z")).toBe("one two|");
});

test("up and down keep the column, also past wide characters", () => {
  expect(after("你好吗\nabcdef|", "up")).toBe("你好吗|\nabcdef");
  expect(after("你好吗\nabc|def", "up")).toBe("你|好吗\nabcdef");
  expect(after("abcd\nx\nab|cd", "up")).toBe("abcd\nx|\nabcd");
  expect(after("|abcd\nx", "down")).toBe("abcd\n|x");
});

test("what was sent before comes back, and the unfinished text after it", () => {
  const editor = new Editor();
  for (const text of ["first", "second"]) {
    editor.insert(text);
    editor.take();
  }
  editor.insert("draft");
  editor.press("up");
  expect(editor.text).toBe("second");
  editor.press("up");
  editor.press("up");
  expect(editor.text).toBe("first");
  editor.press("down");
  editor.press("down");
  expect(editor.text).toBe("draft");
});

test("nothing that is pasted can steer the terminal, and lines stay lines", () => {
  const editor = new Editor();
  editor.insert("a\u001b[2Jb\u0007\r\nc\td\u202ee");
  expect(editor.text).toBe("ab\nc    de");
});

test("rows break at the edge, and the cursor is where the text is", () => {
  expect(editorRows("abcdef", 6, 3)).toEqual({ rows: ["abc", "def", ""], row: 2, column: 0 });
  expect(editorRows("你好吗", 2, 5)).toEqual({ rows: ["你好", "吗"], row: 1, column: 0 });
  expect(editorRows("ab\n\ncd", 3, 10)).toEqual({ rows: ["ab", "", "cd"], row: 1, column: 0 });
  expect(editorRows("", 0, 10)).toEqual({ rows: [""], row: 0, column: 0 });
  expect(editorRows("ab", 1, 10)).toEqual({ rows: ["ab"], row: 0, column: 1 });
});

test("a text of a megabyte is taken and can be edited", () => {
  const editor = new Editor();
  editor.insert("word ".repeat(400_000));
  expect(editor.text.length).toBe(1_000_000);
  editor.press("backspace");
  editor.press("left");
  expect(editor.text.length).toBe(999_999);
});
