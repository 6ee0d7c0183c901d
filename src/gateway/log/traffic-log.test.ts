import { expect, test } from "bun:test";

import { keepLog } from "../../../test/config-home.ts";
import { type Exchange, SLOW_MS, TrafficLog, type WsLog } from "./traffic-log.ts";

function logged(style: WsLog, ...exchanges: Partial<Exchange>[]): string[] {
  const { log, lines } = keepLog();
  const traffic = new TrafficLog(style, log);
  for (const exchange of exchanges)
    traffic.answered({
      conn: "0123456789abcdef",
      method: "health",
      ms: 3.4,
      received: 10,
      sent: 20,
      response: { type: "res", id: "1", ok: true, payload: { secret: "hunter2" } },
      ...exchange,
    });
  traffic.event("tick", 2);
  return lines.map(({ level, message, data }) => `${level} ${message} ${JSON.stringify(data)}`);
}
const failed: Partial<Exchange> = {
  response: {
    type: "res",
    id: "1",
    ok: false,
    error: { code: "INVALID_REQUEST", message: "no: hunter2", details: { code: "bad_request" } },
  },
};

test("auto says only what failed or was slow, for everybody to see", () => {
  expect(logged("auto", {}, { ms: SLOW_MS }, { method: "agent.wait", ms: 9000 })).toEqual([]);
  expect(logged("auto", failed, { ms: SLOW_MS + 1 })).toEqual([
    'info request failed {"method":"health","ok":false,"ms":3,"conn":"01234567","code":"bad_request"}',
    'info slow request {"method":"health","ok":true,"ms":51,"conn":"01234567"}',
  ]);
});

test("compact is one line for every request, at debug unless it failed or was slow", () => {
  const lines = logged("compact", {}, failed, { ms: 60 }, { method: "agent.wait", ms: 9000 });
  expect(lines.map((line) => line.split(" {")[0])).toEqual([
    "debug request",
    "info request failed",
    "info slow request",
    "debug request",
  ]);
});

test("full adds sizes and the names of events", () => {
  expect(logged("full", {})).toEqual([
    'debug request {"method":"health","ok":true,"ms":3,"conn":"01234567","received":10,"sent":20}',
    'debug event {"event":"tick","clients":2}',
  ]);
});

test("nothing of what was sent is in a line, and a made-up method name cannot spoil it", () => {
  const method = `a\n\u001b[31m${"x".repeat(500)}`;
  for (const style of ["auto", "compact", "full"] as const) {
    const text = logged(style, {}, failed, { ...failed, method }).join("\n");
    expect(text).not.toContain("hunter2");
    expect(text).not.toContain("\u001b");
    expect(text).not.toContain("x".repeat(65));
  }
});
