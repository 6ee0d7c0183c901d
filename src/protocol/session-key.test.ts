import { expect, test } from "bun:test";

import { canonicalKey, kindOfKey, parseKey, plainId, sessionKey } from "./session-key.ts";

const defaults = { agentId: "main", mainKey: "main" };

test.each([
  ["main", "agent:main:main"],
  ["MAIN", "agent:main:main"],
  ["  Agent:Work:Telegram:Group:-100 ", "agent:work:telegram:group:-100"],
  ["project-x", "agent:main:project-x"],
  ["cron:job-1", "agent:main:cron:job-1"],
])("%p is the session %p", (text, key) => {
  expect(canonicalKey(text, defaults)).toBe(
    sessionKey(parseKey(key)!.agentId, parseKey(key)!.rest),
  );
  expect(canonicalKey(text, defaults) as string).toBe(key);
});

test.each(["", "   ", "a".repeat(257), "a\u0000b", "agent:", "agent:main:", "agent::x"])(
  "%p names no session",
  (text) => {
    expect(canonicalKey(text, defaults)).toBeUndefined();
  },
);

test("ids are lower case and never leave their alphabet", () => {
  expect(plainId("  My Agent!/..", "main")).toBe("my-agent-");
  expect(plainId("../../etc", "main")).toBe("etc");
  expect(plainId("💥", "main")).toBe("main");
  expect(plainId("x".repeat(90), "main")).toHaveLength(64);
});

test.each([
  ["agent:main:main", "direct"],
  ["agent:main:telegram:group:-1", "group"],
  ["agent:main:discord:channel:9:thread:1", "group"],
  ["agent:main:dm:1", "direct"],
  ["global", "global"],
])("%p is a %p session", (key, kind) => {
  expect(kindOfKey(key) as string).toBe(kind);
});
