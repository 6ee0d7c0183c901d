/** The part that puts a run together, with the real store, workspace and tools; only the model is scripted. */
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Conversations } from "../../src/agent/conversation.ts";
import type { AgentRequest, AnswerEvent } from "../../src/agent/loop.ts";
import { readEnv } from "../../src/base/env.ts";
import { AppError } from "../../src/base/errors.ts";
import { findPaths } from "../../src/base/paths.ts";
import { systemClock } from "../../src/base/time.ts";
import { ConfigSchema } from "../../src/config/schema.ts";
import type { ModelEvent } from "../../src/flow.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import { openJobs } from "../../src/tools/jobs.ts";
import { type House, inbound, noUsage, openHouse, quiet } from "./house.ts";

type Script = (request: AgentRequest, n: number) => ModelEvent[];
const cleanUp: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

const answer = (text: string): ModelEvent => ({
  type: "end",
  stop: "end",
  usage: noUsage,
  message: { role: "assistant", blocks: [{ type: "text", text }], at: 1 },
});
const tooLong: ModelEvent = {
  type: "error",
  error: new AppError("provider_context", "The prompt is too long."),
};

async function open(script: Script, config: object = {}) {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-conversation-"));
  const env = readEnv({ HOME: dir, PATH: process.env["PATH"] });
  const paths = findPaths(env, dir);
  const store = await openSqlite({ path: ":memory:", log: quiet });
  const jobs = openJobs({ clock: systemClock, log: quiet, cleanupMs: 60_000 });
  const requests: AgentRequest[] = [];
  const parsed = ConfigSchema.parse(config);
  const conversations = new Conversations({
    store,
    clock: systemClock,
    log: quiet,
    paths,
    env: () => env,
    config: () => parsed,
    jobs,
    model: async () => ({
      info: {
        ref: "test/model",
        provider: "test",
        id: "model",
        name: "Model",
        contextWindow: 200_000,
        maxTokens: 8000,
        reasoning: false,
        input: ["text"],
      },
      async *stream(request): AsyncIterable<AnswerEvent> {
        requests.push(structuredClone(request));
        yield* script(request, requests.length);
      },
    }),
  });
  const house: House = await openHouse({
    store,
    agent: (turn, row) => conversations.run(turn, row),
    deps: { entries: (turns, resumed) => conversations.entries(turns, resumed) },
  });
  cleanUp.push(async () => {
    await house.close();
    await jobs.stop(0);
    rmSync(dir, { recursive: true, force: true });
  });
  let asked = 0;
  const ask = async (text: string) => {
    await house.pipeline.receive(inbound(text));
    await house.ends(++asked);
  };
  return { house, conversations, requests, ask, workspace: join(dir, "clawd") };
}

const words = (request: AgentRequest) => JSON.stringify(request.messages);

test("what was sent in one turn is, byte for byte, the beginning of what is sent in the next", async () => {
  const { requests, ask, workspace } = await open((_, n) => [answer(`answer ${n}`)]);
  await ask("first question");
  await ask("second question");
  writeFileSync(join(workspace, "USER.md"), "Her name is Ada.");
  await ask("third question");
  for (const [before, after] of [
    [requests[0]!, requests[1]!],
    [requests[1]!, requests[2]!],
  ] as const) {
    expect(JSON.stringify(after.system)).toBe(JSON.stringify(before.system));
    expect(JSON.stringify(after.tools)).toBe(JSON.stringify(before.tools));
    expect(words(after).startsWith(words(before).slice(0, -1))).toBe(true);
  }
});

test("a workspace file that changed is named to the model once, and the prompt stays as it was", async () => {
  const { requests, ask, workspace } = await open((_, n) => [answer(`answer ${n}`)]);
  await ask("one");
  writeFileSync(join(workspace, "USER.md"), "Her name is Ada.");
  await ask("two");
  await ask("three");
  const named = requests.map((r) => words(r).split("USER.md").length - 1);
  expect(named).toEqual([0, 1, 1]);
  expect(JSON.stringify(requests[2]!.system)).not.toContain("Ada");
});

test("a history that the provider finds too long is cut to half, and the question is answered", async () => {
  const { house, requests, ask } = await open((request, n) =>
    n <= 6
      ? [answer("x".repeat(3000))]
      : words(request).length > 15_000
        ? [tooLong]
        : [answer("short again")],
  );
  for (let i = 0; i < 6; i++) await ask(`question ${i}`);
  await ask("and now?");
  const [full, cut] = requests.slice(-2).map(words);
  expect(cut!.length).toBeLessThan(full!.length * 0.7);
  expect(cut).toContain("and now?");
  expect(house.events.at(-1)!.event).toMatchObject({ type: "end", status: "ok" });
  expect(house.events.filter((e) => e.event.type === "end")).toHaveLength(7);
});

test("a workspace that cannot be used is the answer to the first message, not a message that never ends", async () => {
  const { house, requests, ask, workspace } = await open(() => [answer("fine")]);
  writeFileSync(workspace, "a file where the folder should be");
  await ask("hello?");
  expect(requests).toEqual([]);
  expect(house.events.at(-1)!.event).toMatchObject({
    type: "end",
    status: "error",
    error: { code: "workspace_failed" },
  });
  rmSync(workspace);
  await ask("better?");
  expect(house.events.at(-1)!.event).toMatchObject({ type: "end", status: "ok" });
});

test("a question that is too long by itself ends with the error, once", async () => {
  const { house, requests, ask } = await open(() => [tooLong]);
  await ask("an endless question");
  expect(requests.length).toBe(2);
  expect(house.events.at(-1)!.event).toMatchObject({
    type: "end",
    status: "error",
    error: { code: "provider_context" },
  });
});

test("a background command that ended is told with the next message, once", async () => {
  const { conversations, requests, ask } = await open((_, n) => [answer(`answer ${n}`)]);
  await ask("start it");
  conversations.commandEnded({
    id: "quiet-otter",
    agentId: "main",
    sessionKey: "agent:main:main",
    command: "make",
    status: "failed",
    exitCode: 2,
    durationMs: 5,
    tail: "missing separator",
  });
  await ask("and?");
  await ask("more?");
  expect(words(requests[0]!)).not.toContain("quiet-otter");
  expect(words(requests[1]!)).toContain("quiet-otter (make) ended: failed, exit code 2");
  expect(words(requests[2]!).split("quiet-otter").length).toBe(2);
});
