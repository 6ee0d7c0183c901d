import { expect, test } from "bun:test";

import fc from "fast-check";

import { piecesOf } from "./told.tsx";

const codes = (text: string) => piecesOf(text).flatMap((p) => (p.code ? [p.text] : []));

test("settings, commands and variables are set apart in a sentence", () => {
  expect(codes("Set channels.telegram.accounts.work.botToken, or DISCORD_BOT_TOKEN.")).toEqual([
    "channels.telegram.accounts.work.botToken",
    "DISCORD_BOT_TOKEN",
  ]);
  expect(codes("Look with `clawdbot pairing list`.")).toEqual(["clawdbot pairing list"]);
  expect(codes("The API said NO to channels like these.")).toEqual([]);
});

test("no word of a sentence is lost", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (text) => {
      const joined = piecesOf(text).map((piece) => piece.text);
      expect(joined.join("")).toBe(text.replace(/`([^`\n]{1,200})`/g, "$1"));
    }),
  );
});
