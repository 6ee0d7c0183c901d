import { expect, test } from "bun:test";

import type { Guide } from "./guide.ts";
import { WizardSession } from "./session.ts";

const OPTIONS = [
  { value: "a", label: "A" },
  { value: "b", label: "B" },
];

/** A program that asks one of each and tells what it was answered. */
function everything() {
  const heard: unknown[] = [];
  const session = new WizardSession(async (guide) => {
    await guide.note("read this", "Title");
    heard.push(await guide.confirm({ message: "sure?", about: "think", initial: true }));
    heard.push(await guide.select({ message: "which?", options: OPTIONS, initial: "b" }));
    heard.push(await guide.multiselect({ message: "some?", options: OPTIONS, initial: [] }));
    heard.push(await guide.text({ message: "name", initial: "kim" }));
    heard.push(
      await guide.secret({
        message: "key",
        check: (text) => (text.length > 3 ? undefined : "too short"),
      }),
    );
    return true;
  });
  return { session, heard };
}

test("every kind of step is shown and answered, in order", async () => {
  const { session, heard } = everything();
  let told = await session.look();
  const seen: unknown[] = [];
  for (const value of [undefined, false, "b", ["b", "a"], "  ", " long secret "]) {
    const { id, ...step } = told.step!;
    seen.push(step);
    told = await session.next({ stepId: id, value });
  }
  expect(told).toEqual({ done: true, status: "done" });
  expect(heard).toEqual([false, "b", ["a", "b"], "kim", "long secret"]);
  expect(seen).toEqual([
    { type: "note", message: "read this", title: "Title" },
    { type: "confirm", title: "sure?", message: "think", initialValue: true },
    { type: "select", message: "which?", options: OPTIONS, initialValue: "b" },
    { type: "multiselect", message: "some?", options: OPTIONS, initialValue: [] },
    { type: "text", message: "name", initialValue: "kim" },
    { type: "text", message: "key", sensitive: true },
  ]);
});

test.each([
  [1, "yes", "true or false"],
  [2, "c", "one of the options"],
  [2, "constructor", "one of the options"],
  [3, ["a", "c"], "from the options"],
  [4, { length: 1 }, "A text is wanted"],
  [4, "x".repeat(8_193), "too long"],
  [5, "abc", "too short"],
])("at step %p a value like %p is refused, and the step stays", async (at, value, text) => {
  const { session } = everything();
  let told = await session.look();
  const good = [undefined, true, "a", [], "x", "long secret"];
  for (let n = 0; n < at; n++) told = await session.next({ stepId: told.step!.id, value: good[n] });
  const { id } = told.step!;
  await expect(session.next({ stepId: id, value })).rejects.toThrow(text);
  expect((await session.look()).step!.id).toBe(id);
  const after = await session.next({ stepId: id, value: good[at] });
  expect(after.step?.id).not.toBe(id);
});

test("an answer that comes twice is taken once, and one to no step is refused", async () => {
  const { session, heard } = everything();
  const first = (await session.look()).step!.id;
  const second = await session.next({ stepId: first });
  await session.next({ stepId: second.step!.id, value: true });
  const again = await session.next({ stepId: second.step!.id, value: false });
  expect(again.step!.type).toBe("select");
  expect(heard).toEqual([true]);
  await expect(session.next({ stepId: "nothing", value: 1 })).rejects.toThrow("unknown step");
});

test("a progress is told as it goes on, to whoever has seen the last of it", async () => {
  const news = Promise.withResolvers<void>();
  const end = Promise.withResolvers<string>();
  const session = new WizardSession(async (guide) => {
    const words = await guide.progress("working", async (show) => {
      await news.promise;
      show({ message: "scan", qr: "picture" });
      return end.promise;
    });
    await guide.note(words);
    return true;
  });
  const first = await session.look();
  expect(first.step).toMatchObject({ type: "progress", message: "working", executor: "gateway" });
  // A page that was loaded again is shown the same at once.
  expect(await session.look()).toEqual(first);
  const next = session.next({ stepId: first.step!.id });
  news.resolve();
  const second = await next;
  expect(second.step).toMatchObject({ type: "progress", message: "scan", qr: "picture" });
  const last = session.next({ stepId: second.step!.id });
  end.resolve("linked");
  expect((await last).step).toMatchObject({ type: "note", message: "linked" });
});

test.each(["question", "work"] as const)(
  "leaving in the middle of a %s ends the program and everything that waits",
  async (where) => {
    let ended = "";
    const program = async (guide: Guide) => {
      try {
        if (where === "question") await guide.text({ message: "name" });
        else await guide.progress("working", () => new Promise<void>(() => undefined));
      } catch (cause) {
        ended = String(cause);
        throw cause;
      }
      return true;
    };
    const session = new WizardSession(program);
    await session.look();
    await session.cancel();
    expect(ended).toContain("left");
    expect(session.status).toBe("cancelled");
    expect(session.told().step).toBeUndefined();
    // A second time, and an answer that was under way.
    await session.cancel();
    expect(await session.next({ stepId: "any" })).toMatchObject({ done: true });
  },
);

test("a program that fails says why", async () => {
  const session = new WizardSession(async () => {
    throw new RangeError("broken");
  });
  await session.over;
  expect(session.told()).toEqual({
    done: true,
    status: "error",
    error: { message: "broken", hint: expect.any(String) },
  });
});
