/**
 * The promise of the product: the gateway is killed with SIGKILL at random points of 200 turns and started again, and
 * no accepted message is lost, none is answered more than twice.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { startAnthropic } from "../fakes/anthropic.ts";
import { emptyHome, type Running, startGatewayProcess } from "./binary.ts";

const TURNS = 200;
const SESSIONS = 8;

const home = emptyHome();
/** Answers `answer <n>` to `question <n>`, every third time through a tool call first, in several chunks. */
const fake = await startAnthropic({
  script: (request) => {
    const messages = JSON.stringify(request.body.messages);
    const numbers = (pattern: RegExp) => [...messages.matchAll(pattern)].map((m) => m[1]!);
    const answered = new Set(numbers(/answer (\d+)\./g));
    const open = [...new Set(numbers(/question (\d+)/g))].filter((n) => !answered.has(n));
    const afterTool = JSON.stringify(request.body.messages.at(-1)).includes("tool_result");
    if (open.length && Number(open[0]) % 3 === 0 && !afterTool)
      return { toolCalls: [{ name: "exec", args: { command: "true" } }], delayMs: 2 };
    const text = open.map((n) => `answer ${n}.`).join(" ") || "nothing is open.";
    return { text, chunks: 4, delayMs: 4 };
  },
});
afterAll(async () => {
  await fake.stop();
  home.remove();
});

/** Random but repeatable. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

test(`no accepted message is lost or answered more than twice over ${TURNS} turns and SIGKILLs`, async () => {
  mkdirSync(home.state, { recursive: true });
  writeFileSync(
    join(home.state, "clawdbot.json"),
    JSON.stringify({
      gateway: { mode: "local" },
      agents: { defaults: { model: "anthropic/claude-sonnet-4-5", maxConcurrent: 8 } },
      models: { providers: { anthropic: { baseUrl: fake.url, apiKey: "sk-ant-test-key" } } },
    }),
  );
  const random = dice(20_261_120);
  const accepted = new Set<number>();
  let kills = 0;
  let next = 0;
  let gateway: Running = await startGatewayProcess(home);
  while (next < TURNS) {
    const client = gateway.client();
    await client.connect();
    let quiet = false;
    const dies = (async () => {
      await Bun.sleep(20 + random() * 400);
      // A turn that dies three times is given up, and says so; on a slow machine that would be chance, so every third
      // time the gateway dies when nothing is open.
      if (kills % 3 === 2) {
        quiet = true;
        for (let open = 1; open > 0; await Bun.sleep(10))
          ({ unfinishedTurns: open = 0 } = (await client.call("status", {})) as {
            unfinishedTurns?: number;
          });
      }
      await gateway.kill("SIGKILL");
      kills++;
    })();
    try {
      while (next < TURNS) {
        if (quiet) break;
        const n = next;
        const sent = await client.call("chat.send", {
          sessionKey: `kill-${n % SESSIONS}`,
          message: `question ${n}`,
          idempotencyKey: `run-${n}`,
        });
        expect(sent.runId).toBe(`run-${n}`);
        accepted.add(n);
        next++;
        await Bun.sleep(random() * 25);
      }
    } catch {
      // The gateway died under the call: the message was not acknowledged, so it is sent again with the same key.
    }
    await dies;
    client.close();
    gateway = await startGatewayProcess(home);
  }
  expect(accepted.size).toBe(TURNS);

  const client = gateway.client();
  await client.connect();
  for (let n = 0; n < TURNS; n++) {
    const end = await client.call(
      "agent.wait",
      { runId: `run-${n}`, timeoutMs: 60_000 },
      { timeoutMs: 70_000 },
    );
    expect({ n, status: end.status }).toEqual({ n, status: "ok" });
  }
  const counts = { asked: new Map<number, number>(), answered: new Map<number, number>() };
  const count = (map: Map<number, number>, n: number) => map.set(n, (map.get(n) ?? 0) + 1);
  for (let s = 0; s < SESSIONS; s++) {
    const { messages } = await client.call("chat.history", {
      sessionKey: `kill-${s}`,
      limit: 1000,
    });
    for (const message of messages) {
      const text = JSON.stringify(message.content);
      if (message.role === "user")
        for (const m of text.matchAll(/question (\d+)/g)) count(counts.asked, Number(m[1]));
      if (message.role === "assistant")
        for (const m of text.matchAll(/answer (\d+)\./g)) count(counts.answered, Number(m[1]));
    }
  }
  client.close();
  expect(await gateway.kill("SIGTERM")).toBe(0);

  const all = [...Array(TURNS).keys()];
  process.stdout.write(
    `      ${TURNS} turns, ${kills} SIGKILLs, answered once ${all.filter((n) => counts.answered.get(n) === 1).length}, ` +
      `twice ${all.filter((n) => counts.answered.get(n) === 2).length}\n`,
  );
  expect(kills).toBeGreaterThan(10);
  expect(all.filter((n) => counts.asked.get(n) !== 1)).toEqual([]);
  expect(all.filter((n) => !counts.answered.has(n))).toEqual([]);
  expect(all.filter((n) => counts.answered.get(n)! > 2)).toEqual([]);
}, 300_000);
