import { expect, test } from "bun:test";

import { readEnv } from "../../base/env.ts";
import { findPaths } from "../../base/paths.ts";
import { loadConfig } from "../../config/load.ts";
import type { Scene } from "../check.ts";
import { mend } from "../mend.ts";
import { serviceCheck } from "./service.ts";

const env = readEnv({ HOME: "/nowhere" });
const paths = findPaths(env, "/nowhere");

async function look(service: Partial<Scene["service"]>, running?: Scene["running"]) {
  const scene: Scene = {
    env,
    paths,
    loaded: await loadConfig({ env, paths }),
    command: "clawdbot",
    now: 0,
    deep: false,
    suggestions: true,
    running,
    service: { findings: [], older: [], ...service },
  };
  return (await serviceCheck.run(scene)).map((finding) => ({
    ...finding,
    checkId: "service",
    title: "",
  }));
}
const state = { installed: true, enabled: true, running: true, detail: "active" };

test("no service is no finding", async () => {
  expect(await look({})).toEqual([]);
  expect(await look({ state })).toEqual([]);
});

test("drift of the file is told by its code, and one rewrite mends all of it", async () => {
  const did: string[] = [];
  const found = await look({
    state,
    findings: [
      { code: "gateway-entrypoint-mismatch", message: "It starts another program." },
      { code: "gateway-token-embedded", message: "Secrets stand in it." },
    ],
    older: ["moltbot-gateway.service"],
    reinstall: async () => void did.push("reinstall"),
  });
  expect(found.map(({ message }) => message)).toEqual([
    "It starts another program. (gateway-entrypoint-mismatch)",
    "Secrets stand in it. (gateway-token-embedded)",
    expect.stringContaining("moltbot-gateway.service"),
  ]);
  expect(found[1]!.audit?.id).toBe("unit.inline_secret");
  const fixes = found.flatMap((finding) => (finding.fix ? [{ ...finding, fix: finding.fix }] : []));
  expect(fixes.map(({ fix }) => fix.kind)).toEqual(["service"]);
  expect(await mend(fixes, { env, paths, now: 0 })).toEqual([
    { checkId: "service", done: expect.any(String) },
  ]);
  expect(did).toEqual(["reinstall"]);
});

test("an installed service that does not run can be started, one whose gateway answers need not", async () => {
  const start = () => Promise.resolve();
  const stopped = { ...state, running: false, detail: "failed" };
  const [found] = await look({ state: stopped, start });
  expect(found).toMatchObject({ severity: "error", fix: { kind: "safe" } });
  expect(found!.message).toContain("failed");
  expect(await look({ state: stopped, start }, { version: "1" })).toEqual([]);
});

test("without a supervisor to ask there is nothing to offer", async () => {
  const found = await look({ state: { ...state, running: false, linger: false } });
  expect(found.map(({ fix }) => fix)).toEqual([undefined, undefined]);
});
