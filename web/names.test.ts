import { expect, test } from "bun:test";

import fc from "fast-check";

import { personOf, plainName, plainText } from "./names.ts";

test("names lose what hides or reorders, and keep what they are made of", () => {
  expect(plainName("  Ada\u0000 \u202eecalevoL\u202c\n")).toBe("Ada ecalevoL");
  expect(plainName("pay\u200bpal\ufeff\u2066x\u2069")).toBe("paypalx");
  expect(plainName("\u200f\u200e\u061c\u3164")).toBe("");
  expect(plainName("نرگس\u200cخانم")).toBe("نرگس\u200cخانم");
  expect(plainName("Zoë 👩🏽\u200d🚀 ‍")).toBe("Zoë 👩🏽\u200d🚀");
  expect(plainName(`Z${"\u0301".repeat(50)}`)).toBe(`Z${"\u0301".repeat(3)}`);
  expect(plainName("א".repeat(500))).toHaveLength(80);
  expect(plainName("\ud83d half")).toBe("half");
  for (const odd of [undefined, null, 7, {}]) expect(plainName(odd)).toBe("");
});

test("a message keeps its lines", () => {
  expect(plainText("one\r\n\ttwo\u2028\u202ethree\u0007 ")).toBe("one\n\ttwo\nthree");
});

test("whatever a stranger calls themselves is one short line without anything shapeless", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      const name = plainName(text);
      expect([...name].length).toBeLessThanOrEqual(80);
      expect(name).not.toMatch(
        /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\ufeff]/,
      );
      expect(plainName(name)).toBe(name);
    }),
    { numRuns: 2000 },
  );
});

test("a person has the best name that the platform gave", () => {
  expect(personOf({ firstName: "Ada", lastName: "Lovelace", username: "ada" })).toEqual({
    name: "Ada Lovelace",
    handle: "@ada",
  });
  expect(personOf({ tag: "grace" })).toEqual({ name: "grace", handle: "@grace" });
  expect(personOf({ name: "Alan" })).toEqual({ name: "Alan", handle: "" });
  expect(personOf({ name: "\u202e" })).toEqual({ name: "", handle: "" });
});
