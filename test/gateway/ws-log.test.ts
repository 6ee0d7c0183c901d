/** What the log says of a real client's requests, by `--ws-log`. */
import { expect, test } from "bun:test";

import { signedIn } from "./dial.ts";
import { openRig, TOKEN } from "./rig.ts";

const MESSAGES = new Set(["request", "request failed", "slow request", "event"]);

for (const wsLog of ["auto", "compact", "full"] as const)
  test(`${wsLog}: requests, failures and events of one client`, async () => {
    await using rig = await openRig({ wsLog });
    const client = await signedIn(rig.url);
    await client.call("health");
    await client.request("no.such.method", { token: TOKEN });
    rig.runs.say("run-1", "a payload");
    await client.event("agent");
    await client.call("health");
    const lines = rig.logs.filter((line) => MESSAGES.has(line.message));
    const methods = lines.flatMap((line) =>
      line.message === "event" ? [] : [line.data?.["method"]],
    );
    const failures = lines.filter((line) => line.message === "request failed");
    expect(failures).toMatchObject([
      { level: "info", data: { method: "no.such.method", ok: false, code: "bad_request" } },
    ]);
    const all = ["connect", "health", "no.such.method", "health"];
    if (wsLog === "auto") expect(methods).toContain("no.such.method");
    else expect(methods).toEqual(all);
    const events = lines.filter((line) => line.message === "event").map((l) => l.data?.["event"]);
    if (wsLog === "full") expect(events).toContain("agent");
    else expect(events).toEqual([]);
    expect(lines.some((line) => Number(line.data?.["sent"]) > 0)).toBe(wsLog === "full");
    expect(JSON.stringify(lines)).not.toContain(TOKEN);
    expect(JSON.stringify(lines)).not.toContain("a payload");
  });
