import { expect, test } from "bun:test";

import { Closers } from "../../src/base/closers.ts";
import { endings } from "../../src/gateway/ending.ts";
import { keepLog } from "../config-home.ts";
import { type Agent, ended, inbound, openHouse, said } from "./house.ts";

/** A turn that runs until the test lets it go or it is aborted. */
async function busy() {
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const agent: Agent = async function* (turn) {
    begun.resolve();
    const aborted = new Promise<void>((done) =>
      turn.signal.addEventListener("abort", () => done()),
    );
    await Promise.race([go.promise, aborted]);
    if (!turn.signal.aborted) yield said("done");
    yield ended(turn.signal.aborted ? "aborted" : "ok");
  };
  const slept: number[] = [];
  const over = Promise.withResolvers<void>();
  const clock = {
    now: () => Date.now(),
    sleep: (ms: number) => (slept.push(ms), over.promise),
  };
  const house = await openHouse({ agent, deps: { clock } });
  const message = inbound("hello");
  await house.pipeline.receive(message);
  await begun.promise;
  const { log, lines } = keepLog();
  const gateway = { stop: async () => undefined } as never;
  const ending = endings({ closers: new Closers(), log, gateway, pipeline: house.pipeline });
  const state = async () => (await house.store.turns.get(message.id))!.state;
  return { house, go, over, slept, lines, ending, state };
}

test("a restart because of a config change waits a minute for running turns and says so", async () => {
  const { house, go, slept, lines, ending, state } = await busy();
  const restarting = ending.restartPatiently();
  expect(slept).toEqual([60_000]);
  expect(lines.map((line) => line.message)).toEqual([
    "restarting when running turns are answered, in 60 s at most",
  ]);
  go.resolve();
  await restarting;
  expect(await ending.ended).toBe("restart");
  expect(await state()).toBe("done");
  await house.close();
});

test("a stop during that wait does not wait with it", async () => {
  const { house, over, slept, ending, state } = await busy();
  const restarting = ending.restartPatiently();
  const stopping = ending.stop("received SIGTERM");
  expect(slept).toEqual([60_000, 2000]);
  over.resolve();
  await Promise.all([restarting, stopping]);
  expect(await ending.ended).toBe("stop");
  expect(await state()).toBe("running");
  await house.close();
});
