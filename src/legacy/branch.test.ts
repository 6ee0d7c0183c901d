import { expect, test } from "bun:test";

import { planOf } from "./branch.ts";
import type { Line, Lines } from "./lines.ts";

/** Lines in memory; a text stays as it is, everything else is written as JSON. */
function source(rows: unknown[]): Lines {
  const texts = rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row)));
  const walk = async function* (list: string[]): AsyncGenerator<Line> {
    for (const [i, text] of list.entries()) yield { number: i + 1, text, offset: 0 };
  };
  return {
    name: "memory",
    size: 0,
    fingerprint: async () => "x",
    forward: () => walk(texts),
    backward: () => walk(texts.toReversed()),
  };
}
const row = (id: string, parentId: string | null, more: object = {}) => ({
  type: "message",
  id,
  parentId,
  ...more,
});
const HEAD = { type: "session", id: "s" };

/** The numbers of the lines that the conversation goes through. */
async function live(rows: unknown[]): Promise<number[]> {
  const plan = await planOf(source(rows));
  expect(plan.lines).toBe(rows.length);
  return rows.map((_, i) => i + 1).filter((line) => plan.isLive(line));
}

test("the way goes from the last line back to the first, past a branch that was left", async () => {
  expect(await live([HEAD, row("a", null), row("b", "a"), row("x", "a"), row("c", "b")])).toEqual([
    2, 3, 5,
  ]);
});

test("files without ids are one line after the other", async () => {
  const plain = { type: "message" };
  expect(await live([HEAD, plain, plain, plain])).toEqual([2, 3, 4]);
});

test("a broken line does not cut the conversation off from its beginning", async () => {
  expect(await live([HEAD, row("a", null), "{not json", row("c", "b")])).toEqual([2, 4]);
  expect(await live([HEAD, row("a", null), "\u0000\u0000", row("c", "b"), "{cut"])).toEqual([2, 4]);
});

test("where the line before is not in the file at all, everything before counts", async () => {
  expect(await live([HEAD, row("a", null), row("b", "a"), row("c", "gone")])).toEqual([1, 2, 3, 4]);
});

test("an entry on the side is no end, and a leaf says where the end is", async () => {
  const side = row("s", "a", { appendMode: "side" });
  expect(await live([HEAD, row("a", null), row("b", "a"), side])).toEqual([2, 3]);
  const leaf = { type: "leaf", id: "l", targetId: "a" };
  expect(await live([HEAD, row("a", null), row("b", "a"), leaf])).toEqual([2]);
  const lost = { type: "leaf", id: "l", targetId: null };
  expect(await live([HEAD, row("a", null), row("b", "a"), lost])).toEqual([2, 3]);
});

test("empty lines and a line end of Windows change nothing", async () => {
  const text = `${JSON.stringify(row("a", null))}\r`;
  expect(await live([HEAD, text, "", row("b", "a")])).toEqual([2, 4]);
});

test("the last summary on the way stands for what is before the first line that it kept", async () => {
  const sum = (id: string, parent: string, keeps: object) =>
    row(id, parent, { type: "compaction", summary: `sum ${id}`, ...keeps });
  const rows = [
    HEAD,
    row("a", null),
    sum("b", "a", { firstKeptEntryId: "a" }),
    row("c", "b"),
    sum("d", "c", { firstKeptEntryId: "c" }),
    row("e", "d"),
  ];
  expect((await planOf(source(rows))).summary).toEqual({ text: "sum d", from: 4 });
});

test("a summary that keeps nothing that is there stands where it was made", async () => {
  const sum = { type: "compaction", id: "b", parentId: "a", summary: "sum", firstKeptEntryId: "?" };
  const rows = [HEAD, row("a", null), sum, row("c", "b")];
  expect((await planOf(source(rows))).summary).toEqual({ text: "sum", from: 3 });
});

test("the first version counts lines instead of naming them", async () => {
  const sum = { type: "compaction", summary: "sum", firstKeptEntryIndex: 2 };
  const rows = [HEAD, { type: "message" }, { type: "message" }, sum, { type: "message" }];
  expect((await planOf(source(rows))).summary).toEqual({ text: "sum", from: 3 });
  const wild = [HEAD, { type: "message" }, { ...sum, firstKeptEntryIndex: 99 }];
  expect((await planOf(source(wild))).summary).toEqual({ text: "sum", from: 3 });
});
