import { expect, test } from "bun:test";

import fc from "fast-check";

import type { Block, Message } from "../flow.ts";
import { argsObject, CallIds, commonId, paired, parseArgs } from "./calls.ts";
import { seal, unseal } from "./sealed.ts";

test("arguments that are no JSON stay text, and go back as an object all the same", () => {
  expect(parseArgs('{"a":1}')).toEqual({ a: 1 });
  expect(parseArgs("  ")).toEqual({});
  expect(parseArgs('{"a":')).toBe('{"a":');
  expect(argsObject('{"a":')).toEqual({ arguments: '{"a":' });
  expect(argsObject([1])).toEqual({ arguments: [1] });
  expect(argsObject({ a: 1 })).toEqual({ a: 1 });
});

test("ids fit every platform, stay apart, and are the same for a call and its result", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (ids) => {
      const shaped = new CallIds(commonId);
      const names = ids.map((id) => shaped.of(id));
      for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_-]{1,40}$/);
      expect(new Set(names).size).toBe(new Set(ids).size);
      expect(ids.map((id) => shaped.of(id))).toEqual(names);
    }),
  );
});

test("whatever is sealed is unsealed the same, and nothing else is", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (model, data) => {
      const sealed = { dialect: "anthropic-redacted", model, data };
      expect(unseal(seal(sealed))).toEqual(sealed);
    }),
  );
  for (const foreign of [undefined, "", "EqQBCkYIBBgC=", "Anthropic/x:y"])
    expect(unseal(foreign)).toBeUndefined();
});

const call = (id: string): Block => ({ type: "tool_call", id, name: "exec", args: {} });
const result = (id: string): Block => ({ type: "tool_result", id, name: "exec", text: "out" });
const message = (role: Message["role"], ...blocks: Block[]): Message => ({ role, blocks, at: 1 });
const shape = (messages: Message[]) =>
  messages.map((m) => [m.role, ...m.blocks.map((b) => ("id" in b ? b.id : b.type))]);

test("a call without a result gets one that says so, a result without a call goes", () => {
  const mended = paired([
    message("user", { type: "text", text: "go" }),
    message("assistant", call("a"), call("b"), call("a")),
    message("tool", result("b"), result("nobody")),
    message("assistant", call("c")),
    message("user", { type: "text", text: "still there?" }),
    message("tool", result("c")),
  ]);
  expect(shape(mended)).toEqual([
    ["user", "text"],
    ["assistant", "a", "b"],
    ["tool", "b", "a"],
    ["assistant", "c"],
    ["tool", "c"],
    ["user", "text"],
  ]);
  expect(mended[2]!.blocks[1]).toMatchObject({ isError: true });
});
