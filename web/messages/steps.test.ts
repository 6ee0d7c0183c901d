import { expect, test } from "bun:test";

import { trace } from "../../test/fakes/networks.ts";
import { mergeRows } from "./merge.ts";
import { addressOf, firstWords, isOpen, senderOf, sentenceOf, stepsOf, toneOf } from "./steps.ts";

const at = 1_800_000_000_000;
const good = trace({ id: "1", acceptedAt: at });
const unsent = { run: undefined, outbox: [], answered: false };
const drop = (reason: string, remedy?: string) =>
  trace({
    ...unsent,
    id: "2",
    decision: { kind: "drop", reason, what: `Because ${reason}.`, remedy },
    outcome: "Not answered.",
  });
const titles = (of: Parameters<typeof stepsOf>[0]) => stepsOf(of).map(({ title }) => title);

test("an answered message went all the way, and ends with the platform's id", () => {
  const steps = stepsOf(good);
  expect(steps.map(({ title }) => title)).toEqual(["Received", "Decided", "Queued", "Run", "Sent"]);
  expect(steps.every(({ tone }) => tone === "good")).toBe(true);
  expect(steps.at(-1)!.ids).toEqual([{ name: "Platform ids", id: "9001" }]);
  expect(steps.map((step) => step.at)).toEqual([at, at, at, at + 40, at + 4_500]);
  expect([toneOf(good), sentenceOf(good), isOpen(good)]).toEqual(["good", "Answered.", false]);
});

test("a dropped message ends with the reason and what to do; what is as it should be is no alarm", () => {
  const stranger = drop("not_paired", "Approve them.");
  expect(titles(stranger)).toEqual(["Received", "Decided"]);
  expect(stepsOf(stranger)[1]).toMatchObject({ tone: "warn", remedy: "Approve them." });
  expect(sentenceOf(stranger)).toBe("Because not_paired.");
  expect(toneOf(stranger)).toBe("warn");
  for (const reason of ["own", "duplicate", "not_mentioned"])
    expect(toneOf(drop(reason)), reason).toBe("calm");
});

test("a failed run says what went wrong and how often it was begun", () => {
  const failed = trace({
    ...unsent,
    id: "3",
    run: {
      id: "r3",
      state: "failed",
      attempts: 3,
      startedAt: at,
      endedAt: at + 2_000,
      error: { code: "provider_auth", message: "The key was refused.", hint: "Check it." },
    },
    tools: [{ name: "exec", at, failed: true }],
  });
  const [, , , run, tools] = stepsOf(failed);
  expect(run).toMatchObject({ tone: "bad", remedy: "Check it." });
  expect(run!.lines.join(" ")).toMatch(/failed.*2\.0 s.*3 times.*The key was refused\./);
  expect(tools).toMatchObject({ title: "Tools", tone: "warn" });
  expect(toneOf(failed)).toBe("bad");
});

test("one that waits says so, and its story goes on", () => {
  const queued = trace({ ...unsent, id: "4", run: { id: "r4", state: "queued", attempts: 0 } });
  expect(titles(queued)).toEqual(["Received", "Decided", "Queued"]);
  expect(stepsOf(queued).at(-1)).toMatchObject({ tone: "busy", lines: ["It waits for its turn."] });
  expect([toneOf(queued), isOpen(queued)]).toEqual(["busy", true]);
  const run = { ...good.run!, id: "r5", answeredWith: "r1" };
  const merged = trace({ id: "5", acceptedAt: at, run });
  expect(stepsOf(merged)[2]).toMatchObject({
    other: "r1",
    lines: ["It was answered together with another message."],
  });
});

test("what could not be sent is told with tries and reason; a pending one with its next try", () => {
  const [row] = good.outbox;
  const dead = { ...row!, state: "dead", attempts: 4, ids: [], error: "blocked" };
  const lost = trace({ id: "6", answered: false, outbox: [row!, dead] });
  expect(titles(lost).filter((title) => title === "Sent")).toHaveLength(2);
  expect(stepsOf(lost).at(-1)!.lines).toEqual([
    "It could not be delivered, and will not be tried again.",
    "Tries: 4",
    "blocked",
  ]);
  expect(toneOf(lost)).toBe("bad");
  const later = { ...row!, state: "pending", attempts: 1, ids: [], error: "Too many requests" };
  const waits = trace({ id: "7", answered: false, outbox: [later] });
  expect(stepsOf(waits).at(-1)!.lines.at(-1)).toMatch(/^Next try /);
  expect([toneOf(waits), isOpen(waits)]).toEqual(["warn", true]);
  const silent = trace({ id: "8", answered: false, outbox: [] });
  expect(titles(silent).at(-1)).toBe("Nothing was sent");
});

test("words of strangers are one harmless line", () => {
  const odd = trace({
    id: "9",
    sender: { id: "77", name: "\u202e\u200b" },
    text: "one\ntwo \u202ethree",
    media: 2,
  });
  expect(senderOf(odd)).toBe("77");
  expect(firstWords(odd)).toBe("one two three [2 files]");
  expect(firstWords(trace({ id: "10", text: " ", media: 0 }))).toBe("[no text]");
  expect(stepsOf(odd)[0]!.lines[0]).toBe("From \u206877\u2069");
});

test("its address is its run, or its own id when it never had one", () => {
  expect(addressOf(good)).toBe("run-1");
  expect(addressOf(drop("own"))).toBe("2");
});

test("a fresh page takes the place of what it covers, older rows stay, and there is never a hole", () => {
  const row = (n: number) => trace({ id: `${n}`, text: `text ${n}` });
  const rows = (...ns: number[]) => ns.map(row);
  const ids = (merged: { rows: { id: string }[] }) => merged.rows.map(({ id }) => Number(id));
  const over = mergeRows(rows(5, 4, 3, 2, 1), rows(7, 6, 5, 4), true);
  expect([ids(over), over.kept]).toEqual([[7, 6, 5, 4, 3, 2, 1], true]);
  const far = mergeRows(rows(5, 4), rows(9, 8), true);
  expect([ids(far), far.kept]).toEqual([[9, 8], false]);
  const all = mergeRows(rows(5, 4, 3), rows(5, 3), false);
  expect([ids(all), all.kept]).toEqual([[5, 3], false]);
  expect(mergeRows(rows(1), [], false).rows).toEqual([]);
});
