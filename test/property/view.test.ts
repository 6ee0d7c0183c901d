import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { modelView, viewOfMessages } from "../../src/agent/view.ts";
import { events, healthy, message } from "./events.ts";
import { bytes, problems, sent } from "./messages.ts";

const RUNS = { numRuns: 1500 };

const isMissing = (b: unknown) =>
  JSON.stringify(b).includes("The run was interrupted before this call");

describe("the view of any transcript", () => {
  test("is valid", () => {
    fc.assert(
      fc.property(events, (h) => {
        expect(problems(modelView(h))).toEqual([]);
      }),
      RUNS,
    );
  });

  test("viewed again is the same", () => {
    fc.assert(
      fc.property(events, (h) => {
        const view = modelView(h);
        expect(sent(viewOfMessages(view))).toEqual(sent(view));
      }),
      RUNS,
    );
  });

  test("does not depend on when it is made, and leaves its input alone", () => {
    fc.assert(
      fc.property(events, (h) => {
        const before = bytes(h);
        expect(bytes(modelView(h))).toBe(bytes(modelView(structuredClone(h))));
        expect(bytes(h)).toBe(before);
      }),
      RUNS,
    );
  });

  test("survives being stored as JSON", () => {
    fc.assert(
      fc.property(events, (h) => {
        expect(bytes(modelView(JSON.parse(bytes(h))))).toBe(bytes(modelView(h)));
      }),
      RUNS,
    );
  });

  test("that could be sent stays a prefix when the transcript grows; only its last message may get more", () => {
    fc.assert(
      fc.property(events, events, (h, more) => {
        const v = sent(modelView(h));
        const last = v.at(-1);
        if (!last || last.role === "assistant") return;
        const w = sent(modelView([...h, ...more]));
        expect(bytes(w.slice(0, v.length - 1))).toBe(bytes(v.slice(0, -1)));
        const same = w[v.length - 1]!;
        expect(same.role).toBe(last.role);
        for (const [index, b] of last.blocks.entries())
          if (last.role === "user" || !isMissing(b)) expect(same.blocks[index]).toEqual(b);
        if (last.role === "tool") expect(same.blocks.length).toBe(last.blocks.length);
      }),
      RUNS,
    );
  });

  test("says that a call without a result may have happened", () => {
    const h = healthyCall();
    const tool = modelView(h)[2]!;
    expect(tool.role).toBe("tool");
    expect(tool.blocks).toMatchObject([{ id: "c", isError: true }]);
    expect(isMissing(tool.blocks[0])).toBe(true);
  });
});

const healthyCall = () => [
  {
    kind: "message" as const,
    message: { role: "user" as const, blocks: [{ type: "text" as const, text: "go" }], at: 1 },
  },
  {
    kind: "message" as const,
    message: {
      role: "assistant" as const,
      blocks: [{ type: "tool_call" as const, id: "c", name: "exec", args: {} }],
      at: 2,
    },
  },
];

test("going on from a view is the same as going on from the store", () => {
  fc.assert(
    fc.property(healthy, fc.array(message, { maxLength: 6 }), (h, more) => {
      const next = more.map((each) => ({ kind: "message" as const, message: each }));
      const direct = modelView([...h, ...next]);
      const resumed = viewOfMessages([...modelView(h), ...more]);
      expect(bytes(sent(resumed))).toBe(bytes(sent(direct)));
    }),
    RUNS,
  );
});

test("a healthy transcript loses nothing", () => {
  fc.assert(
    fc.property(healthy, (h) => {
      const words = (all: unknown) => bytes(all).split("and this").length;
      expect(words(modelView(h))).toBe(words(h));
      expect(bytes(modelView(h))).not.toContain("The run was interrupted");
    }),
    RUNS,
  );
});
