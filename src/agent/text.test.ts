import { describe, expect, test } from "bun:test";

import { headAndTail, isSilent, parseReply } from "./text.ts";

describe("a reply is silent", () => {
  test.each([
    "NO_REPLY",
    "  NO_REPLY\n",
    "NO_REPLY.",
    "NO_REPLY: nothing to add",
    "Done. NO_REPLY",
    "ok\nNO_REPLY\n",
  ])("when the token opens or ends it: %j", (reply) => expect(isSilent(reply)).toBe(true));
  test.each(["", "NO_REPLYING", "I answer NO_REPLY when I must", "XNO_REPLY", "no_reply"])(
    "not otherwise: %j",
    (reply) => expect(isSilent(reply)).toBe(false),
  );
});

describe("reply tags", () => {
  test("are taken out and name the message to reply to", () => {
    expect(parseReply("[[reply_to_current]] hi")).toEqual({ text: "hi", replyTo: "current" });
    expect(parseReply("[[ reply_to: 42:7 ]]\nhi")).toEqual({ text: "hi", replyTo: "42:7" });
    expect(parseReply("a [[reply_to_current]]b [[reply_to:9]]c")).toEqual({
      text: "a b c",
      replyTo: "current",
    });
  });
  test("stay in code, and other brackets stay anywhere", () => {
    const text = "Write `[[reply_to_current]]` or\n```\n[[reply_to:1]]\n```\n[[wiki]]";
    expect(parseReply(text)).toEqual({ text });
  });
});

describe("a long text", () => {
  test("keeps 70 % from its start and 20 % from its end", () => {
    const cut = headAndTail("a".repeat(700) + "b".repeat(700), 1000, (left) => `<${left}>`);
    expect(cut).toBe(`${"a".repeat(700)}\n<500>\n${"b".repeat(200)}`);
    expect(headAndTail("short", 5, () => "!")).toBe("short");
  });
  test("is never left with half a character", () => {
    expect(headAndTail("😀".repeat(1001), 1001, () => "|").isWellFormed()).toBe(true);
  });
});
