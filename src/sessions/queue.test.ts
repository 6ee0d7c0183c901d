import { expect, test } from "bun:test";

import { batchSize, place, queueMode } from "./queue.ts";

const to = (chatId: string) => ({ reply: { channel: "x", account: "a", chatId } });

test.each([
  ["steer", "steer"],
  ["queue", "steer"],
  ["steer+backlog", "steer"],
  ["steer-backlog", "steer"],
  ["collect", "collect"],
  ["followup", "followup"],
  ["interrupt", "interrupt"],
] as const)("the mode %p is read as %p", (text, mode) => {
  expect(queueMode(text)).toBe(mode);
});

test("an idle session starts whatever the mode", () => {
  for (const mode of ["steer", "followup", "collect", "interrupt"] as const)
    expect(place(mode, false)).toBe("start");
});

test("a busy session steers, queues or is interrupted by its mode", () => {
  expect(place("steer", true)).toBe("steer");
  expect(place("collect", true)).toBe("queue");
  expect(place("followup", true)).toBe("queue");
  expect(place("interrupt", true)).toBe("interrupt");
});

test("messages of one chat are answered together, of two chats apart", () => {
  expect(batchSize("collect", [to("1"), to("1"), to("2"), to("1")])).toBe(2);
  expect(batchSize("steer", [to("1"), to("1")])).toBe(2);
  expect(batchSize("followup", [to("1"), to("1")])).toBe(1);
  expect(batchSize("followup", [])).toBe(0);
  expect(batchSize("collect", [])).toBe(0);
});
