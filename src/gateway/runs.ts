/** What the gateway may do with runs, on the pipeline. */
import type { Pipeline } from "../pipeline.ts";
import { stopTurns } from "../sessions/desk.ts";
import type { Waits } from "../sessions/waits.ts";
import type { Store } from "../store/store.ts";
import type { Runs } from "./ports.ts";

export function runsOf(pipeline: Pipeline, store: Store, waits: Waits): Runs {
  const { desk } = pipeline;
  return {
    submit: (inbound) => pipeline.receive(inbound),
    async abort(key, runId) {
      const waiting = desk.waiting(key).map((turn) => turn.id);
      const at = Date.now();
      const stopped = await stopTurns(desk, store, at, key, runId);
      for (const id of stopped) if (waiting.includes(id)) waits.withdrawn(id, at);
      return stopped;
    },
    wait: (runId, timeoutMs) => waits.wait(runId, timeoutMs),
    live(key) {
      const run = desk.running(key);
      if (!run) return [];
      const { turn, startedAt, text, thinking } = run;
      return [
        {
          runId: turn.id,
          sessionKey: key,
          startedAt,
          text,
          thinking,
          tools: [...run.tools.values()],
        },
      ];
    },
    queued: (key) =>
      desk
        .waiting(key)
        .map(({ id, inbound, acceptedAt }) => ({ runId: id, text: inbound.text, at: acceptedAt })),
  };
}
