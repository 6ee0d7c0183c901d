import { expect, test } from "bun:test";

import { readLine } from "./log-lines.ts";

test("a line of the log is read with its time, level and unit", () => {
  const line = JSON.stringify({
    "0": '{"subsystem":"gateway/ws"}',
    "1": "connected",
    "2": { client: "cli" },
    _meta: { logLevelName: "WARN", date: "2026-11-20T09:00:00.000Z" },
    time: "2026-11-20T09:00:00.000Z",
  });
  expect(readLine(line, 3)).toEqual({
    key: 3,
    at: Date.parse("2026-11-20T09:00:00.000Z"),
    level: "warn",
    unit: "gateway/ws",
    text: 'connected {"client":"cli"}',
  });
});

test("what is no log record is shown as it is", () => {
  for (const text of ["plain text", "{broken", "[1,2]", "null", '"x"'])
    expect(readLine(text, 1)).toMatchObject({ text, level: "info", unit: "" });
});

test("a record without unit, time or a known level is still a line", () => {
  expect(readLine(JSON.stringify({ "0": "hello", _meta: { logLevelName: "FATAL" } }), 1)).toEqual({
    key: 1,
    at: undefined,
    level: "error",
    unit: "",
    text: "hello",
  });
});
