/** The promise of the product for chat networks: no message is lost, none is answered out of turn, none more than twice. */
import { expect, test } from "bun:test";

import { soak } from "./soak.ts";

const LIMIT_MS = 280_000;

test(
  "2,000 messages over three networks with faults, two SIGKILLs and a reconnect storm",
  async () => {
    const result = await soak({
      seed: 20_261_120,
      messages: 2_000,
      kills: [0.35, 0.7],
      storms: [0.5],
      silences: [0.15],
      limitMs: LIMIT_MS - 30_000,
    });
    process.stdout.write(report(result));
    const { lost, oftener, disordered, strays, left, exit } = result;
    for (const trace of result.traces) process.stdout.write(`${trace}\n`);
    if (result.traces.length) process.stdout.write(result.log);
    expect({ lost, oftener, disordered, strays, left, exit }).toEqual({
      ...{ lost: [], oftener: [], disordered: [], strays: [] },
      left: { turns: 0, outbox: [] },
      exit: 0,
    });
    expect(result.problems).toEqual([]);
    expect(result.kills).toBe(2);
    expect(result.once + result.twice).toBe(2_000);
  },
  LIMIT_MS,
);

function report(result: Awaited<ReturnType<typeof soak>>): string {
  const { messages, once, twice, faults, kills, seconds, memory, problems } = result;
  const total = [...faults.values()].reduce((sum, n) => sum + n, 0);
  const lines = [
    `${messages} messages, ${kills} SIGKILLs, answered once ${once}, twice ${twice}`,
    `${total} faults in ${seconds.toFixed(0)} s; memory ${memory.now.toFixed(0)} MB, at most ${memory.most.toFixed(0)} MB`,
    ...problems.map((text) => `refused by the platform: ${text}`),
    ...[...faults].sort().map(([name, count]) => `  ${name}: ${count}`),
  ];
  return lines.map((line) => `      ${line}\n`).join("");
}
