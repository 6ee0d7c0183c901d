import { expect, test } from "bun:test";

import fc from "fast-check";

import { parsePath, pathOf } from "./router.ts";

test("every page has its path", () => {
  expect(parsePath("")).toEqual({ page: "chat", sessionKey: undefined });
  expect(parsePath("sessions/")).toEqual({ page: "sessions" });
  expect(parsePath("system")).toEqual({ page: "system" });
  expect(parsePath("channels")).toEqual({ page: "channels" });
  expect(parsePath("messages")).toEqual({ page: "messages", id: undefined });
  expect(parsePath("messages/-100:42")).toEqual({ page: "messages", id: "-100:42" });
  expect(parsePath("chat/agent:main:trip")).toEqual({
    page: "chat",
    sessionKey: "agent:main:trip",
  });
});

test("old addresses lead to the new ones", () => {
  expect(parsePath("overview")).toEqual({ redirect: "system" });
  expect(parsePath("logs")).toEqual({ redirect: "system" });
  expect(parsePath("chat")).toEqual({ redirect: "" });
  expect(parsePath("chat", "?session=agent:main:a")).toEqual({ redirect: "chat/agent:main:a" });
  expect(parsePath("", "?session=main")).toEqual({ redirect: "chat/main" });
});

test("nonsense is no page", () => {
  for (const path of [
    "nope",
    "chat/a/b",
    "system/x",
    "channels/x",
    "messages/a/b",
    "messages/%E0%A4%A",
    "/example.com/",
    "chat/%E0%A4%A",
    "__proto__",
    "constructor",
  ])
    expect(parsePath(path), path).toMatchObject({ page: "missing" });
});

test("the path of any id of a message leads back to it", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 80, unit: "grapheme" }), (id) => {
      expect(parsePath(pathOf({ page: "messages", id }))).toEqual({ page: "messages", id });
    }),
  );
});

test("the path of any session key leads back to it", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 80, unit: "grapheme" }), (sessionKey) => {
      expect(parsePath(pathOf({ page: "chat", sessionKey }))).toEqual({ page: "chat", sessionKey });
    }),
  );
});
