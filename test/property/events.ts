/** Random transcripts: plausible runs, then damaged in every way that a crash, a bug or a hostile model can. */
import fc from "fast-check";

import type { Block, Message } from "../../src/flow.ts";
import type { EntryBody } from "../../src/store/store.ts";

const text = fc.oneof(
  fc.constantFrom("", " \n", "hello", "NO_REPLY", "é漢字😀", "half \ud83d pair", "\ude00"),
  fc.string({ maxLength: 12 }),
);
const id = fc.constantFrom(
  "call_0",
  "call_0",
  "call_1",
  "call_2",
  "",
  "a.b",
  "x".repeat(300),
  "call_0_2",
);
const name = fc.constantFrom("read", "exec", "", "no such.tool", "n".repeat(90));
const args = fc.oneof(
  fc.constantFrom(null, "", "{cut", 3, [1], {}),
  fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
);
const PIXEL = "iVBORw0KGgo=";
const image = fc.record({
  mime: fc.constantFrom("image/png", "image/tiff", ""),
  data: fc.constantFrom(PIXEL, "", "not base64!"),
});
export const block: fc.Arbitrary<Block> = fc.oneof(
  fc.record({ type: fc.constant("text" as const), text }),
  fc.record({ type: fc.constant("thinking" as const), text }),
  fc.record({
    type: fc.constant("thinking" as const),
    text,
    signature: fc.constantFrom("", "anthropic/claude:abc", "openai-reasoning/gpt:{}", "junk"),
  }),
  image.map((each) => ({ type: "image" as const, ...each })),
  fc.record({ type: fc.constant("tool_call" as const), id, name, args }),
  fc.record({
    type: fc.constant("tool_result" as const),
    id,
    name,
    text,
    isError: fc.option(fc.boolean(), { nil: undefined }),
    images: fc.option(fc.array(image, { maxLength: 2 }), { nil: undefined }),
  }),
);
const at = fc.integer({ min: 0, max: 2_000_000_000_000 });
export const message: fc.Arbitrary<Message> = fc.record({
  role: fc.constantFrom("user", "assistant", "tool"),
  blocks: fc.array(block, { maxLength: 4 }),
  at,
});
const partial = fc.option(fc.constant(true as const), { nil: undefined });
const garbage: fc.Arbitrary<EntryBody> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("message" as const), message, partial }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("context" as const), text }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("note" as const),
      level: fc.constant("info" as const),
      text,
    }),
  },
);

const said = (role: Message["role"], blocks: Block[]): EntryBody => ({
  kind: "message",
  message: { role, blocks, at: 1 },
});
/** One turn as the loop stores it: message, context, steps of calls and results, an answer. */
const turn: fc.Arbitrary<EntryBody[]> = fc
  .record({
    said: text,
    steps: fc.array(fc.record({ ids: fc.array(id, { minLength: 1, maxLength: 3 }), text }), {
      maxLength: 3,
    }),
    steered: fc.boolean(),
    answer: text,
  })
  .map((t) => [
    said("user", [{ type: "text", text: t.said }]),
    { kind: "context", text: "[context] now" },
    ...t.steps.flatMap((step) => [
      said("assistant", [
        { type: "text", text: step.text },
        ...step.ids.map((each): Block => ({ type: "tool_call", id: each, name: "read", args: {} })),
      ]),
      said(
        "tool",
        step.ids.map((each): Block => ({
          type: "tool_result",
          id: each,
          name: "read",
          text: step.text,
        })),
      ),
      ...(t.steered ? [said("user", [{ type: "text", text: "and this" }])] : []),
    ]),
    said("assistant", [{ type: "text", text: `${t.answer}.` }]),
  ]);

type Damage = { kind: "drop" | "double" | "swap" | "cut" | "tail"; at: number; to: number };
const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom("drop", "double", "swap", "cut", "tail"),
  at: fc.nat(),
  to: fc.nat(),
});
function hurt(events: EntryBody[], { kind, at: from, to }: Damage): EntryBody[] {
  const size = events.length || 1;
  const [a, b] = [from % size, to % size];
  if (kind === "drop") return events.filter((_, index) => index !== a);
  if (kind === "double")
    return events.flatMap((each, index) => (index === a ? [each, each] : [each]));
  if (kind === "cut") return events.slice(0, a);
  if (kind === "tail") return events.slice(a);
  const copy = [...events];
  if (events.length) [copy[a], copy[b]] = [copy[b]!, copy[a]!];
  return copy;
}

/** Turns as they are stored by a healthy run. */
export const healthy = fc.array(turn, { maxLength: 4 }).map((turns) => turns.flat());
/** Anything. */
export const events: fc.Arbitrary<EntryBody[]> = fc
  .tuple(healthy, fc.array(damage, { maxLength: 5 }), fc.array(garbage, { maxLength: 6 }), fc.nat())
  .map(([turns, damages, extra, where]) => {
    const all = damages.reduce(hurt, turns);
    const place = where % (all.length + 1);
    return [...all.slice(0, place), ...extra, ...all.slice(place)];
  });
