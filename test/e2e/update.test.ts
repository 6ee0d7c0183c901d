/** `update` with real programs, real releases on loopback and a running gateway: what goes well, what goes wrong, and the way back. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { schemaOf } from "../../src/store/sqlite/rescue/snapshot.ts";
import { caseTests } from "./update-cases.ts";
import { killTests } from "./update-kills.ts";
import { poll, run, send } from "./update-rig.ts";
import { HANGS, NEW, OLD, Stage } from "./update-stage.ts";

const PRESENT_SCHEMA = 2;

const stage = await Stage.open();
const { rig } = stage;
beforeAll(() => stage.build(), 240_000);
afterEach(() => stage.clear());
afterAll(() => stage.close(), 60_000);

describe("a good version", () => {
  test("is taken over by the running gateway, and given back with every message", async () => {
    stage.fresh();
    rig.publish(NEW, { path: stage.programs[NEW]! });
    const gateway = await stage.start();
    const { pid } = gateway;
    await send(gateway, "before");

    const dry = await stage.update("--dry-run");
    expect(dry.json).toMatchObject({
      status: "skipped",
      reason: "dry-run",
      plan: { version: NEW },
    });
    stage.noLeftovers();

    const done = await stage.update();
    expect({ code: done.code, ...done.json }).toMatchObject({
      code: 0,
      status: "ok",
      mode: "binary",
      root: join(stage.home.dir, "bin"),
      reason: null,
      before: { version: OLD },
      after: { version: NEW },
      gateway: "restarted",
    });
    expect(done.json["steps"].map((step: { name: string }) => step.name)).toEqual(
      "find verify download try swap restart".split(" "),
    );
    expect(await stage.versionOf()).toBe(NEW);
    expect(await stage.versionOf(`${stage.program}.prev`)).toBe(OLD);
    expect(
      JSON.parse(readFileSync(join(stage.home.dir, "bin/.clawdbot-install.json"), "utf8")),
    ).toMatchObject({ version: NEW, source: rig.url, links: ["moltbot"], signature: "verified" });
    expect(await gateway.facts()).toMatchObject({ pid, version: NEW });
    await send(gateway, "between");
    expect(schemaOf(stage.database)).toBe(99);
    stage.noLeftovers();

    const again = await stage.update();
    expect(again.json).toMatchObject({ status: "skipped", reason: "already-newest" });
    const status = await run(stage.program, ["update", "status", "--json"], stage.home);
    expect(JSON.parse(status.stdout)).toMatchObject({
      version: NEW,
      mode: "binary",
      newest: NEW,
      available: false,
      previous: { version: OLD },
      pending: null,
      gateway: { pid, version: NEW },
    });

    const back = await run(stage.program, ["update", "rollback", "--yes", "--json"], stage.home);
    expect({ code: back.code, ...JSON.parse(back.stdout) }).toMatchObject({
      code: 0,
      status: "ok",
      before: { version: NEW },
      after: { version: OLD },
      gateway: "restarted",
    });
    expect(await gateway.facts()).toMatchObject({ pid, version: OLD });
    expect(schemaOf(stage.database)).toBe(PRESENT_SCHEMA);
    await send(gateway, "after");
    expect(await gateway.answers()).toEqual(["before", "between", "after"]);
    expect(readdirSync(stage.home.state).some((name) => name.includes(".sqlite.newer-"))).toBe(
      true,
    );
    stage.noLeftovers();
  }, 120_000);

  test("comes in through a connection that is cut once", async () => {
    stage.fresh();
    rig.publish(NEW, { path: stage.programs[NEW]! });
    rig.fault = "cut";
    rig.requests.length = 0;
    const { code, json } = await stage.update();
    expect({ code, status: json["status"], gateway: json["gateway"] }).toEqual({
      code: 0,
      status: "ok",
      gateway: "not-running",
    });
    const parts = rig.requests.filter((line) => /^clawdbot-/.test(line));
    expect(parts.length).toBe(2);
    expect(parts[1]).not.toEndWith(" 0");
    expect(await stage.versionOf()).toBe(NEW);
  }, 60_000);
});

describe("a version that is not ready in its place", () => {
  test("goes by itself, with the gateway down for less than 15 s and every message answered", async () => {
    stage.fresh();
    rig.publish(HANGS, { path: stage.programs[HANGS]! });
    const gateway = await stage.start();
    const { pid } = gateway;
    const polled = poll(gateway);
    const sent: string[] = [];
    let over = false;
    const sending = (async () => {
      for (let n = 0; !over; n++) {
        await send(gateway, `n${n}`);
        sent.push(`n${n}`);
        // A person's pace: the conversation has to fit into one page of the history.
        await Bun.sleep(50);
      }
    })();
    const { code, json } = await stage.update();
    over = true;
    await sending;
    const downMs = await polled.end();
    expect({ code, ...json }).toMatchObject({
      code: 1,
      status: "error",
      reason: "not-ready",
      after: { version: OLD },
      error: { code: "update_failed" },
    });
    expect(json["error"].message).toContain("recovery");
    expect(await gateway.facts()).toMatchObject({ pid, version: OLD });
    expect(await stage.versionOf()).toBe(OLD);
    expect(schemaOf(stage.database)).toBe(PRESENT_SCHEMA);
    expect(sent.length).toBeGreaterThan(10);
    for (const name of sent) await gateway.answered(name);
    expect((await gateway.answers()).sort()).toEqual(sent.sort());
    process.stdout.write(`      down for ${Math.round(downMs)} ms, ${sent.length} messages\n`);
    expect(downMs).toBeLessThan(15_000);
    stage.noLeftovers();
  }, 120_000);

  // In a trial it is the real program; in its place it is what the line says.
  const inPlace = (line: string) =>
    `#!/bin/sh\nif [ -n "$CLAWDBOT_UPDATE_TRIAL" ] || [ "$1" = --version ]; then exec '${stage.programs[NEW]}' "$@"; fi\n${line}\n`;
  for (const [what, line, limitMs] of [
    ["that hangs without a word and ignores signals", "trap '' TERM INT; exec sleep 600", 15_000],
    ["that crashes at its start", "echo boom >&2; exit 3", 5_000],
  ] as const)
    test(`so does one ${what}`, async () => {
      stage.fresh();
      rig.publish(NEW, { script: inPlace(line) });
      const gateway = await stage.start();
      const { pid } = gateway;
      await send(gateway, "before");
      const polled = poll(gateway);
      const { code, json } = await stage.update();
      const downMs = await polled.end();
      expect({ code, reason: json["reason"] }).toEqual({ code: 1, reason: "not-ready" });
      expect(await gateway.facts()).toMatchObject({ pid, version: OLD });
      expect(downMs).toBeLessThan(limitMs);
      await send(gateway, "after");
      expect(await gateway.answers()).toEqual(["before", "after"]);
      expect(await stage.versionOf()).toBe(OLD);
      stage.noLeftovers();
    }, 60_000);
});

caseTests(stage);
killTests(stage);
