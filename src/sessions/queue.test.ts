import { expect, test } from "bun:test";

import type { Trust } from "../flow.ts";
import { batchSize, place, queueMode, steerSize } from "./queue.ts";

const to = (chatId: string, trust: Trust = "owner") => ({
  reply: { channel: "x", account: "a", chatId },
  trust,
});

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

test("messages of senders with different rights are answered apart", () => {
  expect(batchSize("collect", [to("1"), to("1", "guest")])).toBe(1);
  expect(batchSize("collect", [to("1", "guest"), to("1", "guest"), to("1")])).toBe(2);
});

test("only what the running turn's answer reaches, with its rights, is put into it", () => {
  expect(steerSize(to("1"), [to("1"), to("1"), to("2")])).toBe(2);
  expect(steerSize(to("1"), [to("2"), to("1")])).toBe(0);
  expect(steerSize(to("1"), [to("1", "guest"), to("1")])).toBe(0);
  expect(steerSize(to("1"), [])).toBe(0);
});
