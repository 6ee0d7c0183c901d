/** The part that puts a run together, with the real store, workspace and tools; only the model is scripted. */
import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Conversations } from "../../src/agent/conversation.ts";
import type { AgentRequest, AnswerEvent } from "../../src/agent/loop.ts";
import { hasImages } from "../../src/agent/pictures.ts";
import { readEnv } from "../../src/base/env.ts";
import { AppError, type ErrorCode } from "../../src/base/errors.ts";
import { findPaths } from "../../src/base/paths.ts";
import { systemClock } from "../../src/base/time.ts";
import { ConfigSchema } from "../../src/config/schema.ts";
import type { MediaRef, ModelEvent } from "../../src/flow.ts";
import { MediaStore } from "../../src/media/store.ts";
import { stopTurns } from "../../src/sessions/desk.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import { openJobs } from "../../src/tools/jobs.ts";
import { until } from "../contract/provider.ts";
import { type House, inbound, noUsage, openHouse, quiet } from "./house.ts";

type Script = (
  request: AgentRequest,
  n: number,
  signal: AbortSignal,
) => Iterable<ModelEvent> | AsyncIterable<ModelEvent>;
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

async function open(
  script: Script,
  config: object = {},
  input: ("text" | "image")[] = ["text"],
  vars: Record<string, string> = {},
) {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-conversation-"));
  const env = readEnv({ HOME: dir, PATH: process.env["PATH"], ...vars });
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
    media: new MediaStore(join(dir, "media")),
    picture: async ({ mime, data = "" }) => ({ mime, data }),
    setting: () => ({ guest: false }),
    model: async () => ({
      info: {
        ref: "test/model",
        provider: "test",
        id: "model",
        name: "Model",
        contextWindow: 200_000,
        maxTokens: 8000,
        reasoning: false,
        input,
      },
      async *stream(request, signal): AsyncIterable<AnswerEvent> {
        requests.push(structuredClone(request));
        yield* script(request, requests.length, signal);
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
  const ask = async (text: string, media: MediaRef[] = []) => {
    await house.pipeline.receive(inbound(text, { media }));
    await house.ends(++asked);
  };
  return { house, conversations, requests, ask, paths, workspace: join(dir, "clawd") };
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

const PICTURE: MediaRef & { data: string } = {
  kind: "image",
  mime: "image/png",
  data: "iVBORw0KGgoAAAANSUhEUgAA",
};
const refusedWith = (details: object, code: ErrorCode = "provider_rejected"): ModelEvent => ({
  type: "error",
  error: new AppError(code, "Could not process image", { details }),
});
const shows = (request: AgentRequest) => words(request).includes(PICTURE.data);
const notes = (house: House) =>
  house.events.flatMap(({ event }) => (event.type === "model" && event.note ? [event.note] : []));

for (const [what, refusal] of [
  ["says so", refusedWith({ image: true })],
  ["only says 400", refusedWith({ status: 400 })],
  ["calls the request too large", refusedWith({ status: 413 }, "provider_context")],
] as const)
  test(`a picture that the model refuses is left out, at once and for good, when the refusal ${what}`, async () => {
    const { house, requests, ask } = await open(
      (request) => (shows(request) ? [refusal] : [answer("fine")]),
      {},
      ["text", "image"],
    );
    await ask("look at this", [PICTURE]);
    expect(house.events.at(-1)!.event).toMatchObject({ type: "end", status: "ok" });
    expect(house.events.filter((e) => e.event.type === "start")).toHaveLength(1);
    expect(words(requests.at(-1)!)).toContain("the model refused it");
    expect(notes(house)).toEqual(["The model refused a picture; it was left out."]);
    const asked = requests.length;
    await ask("and now?");
    expect(requests).toHaveLength(asked + 1);
    expect(house.events.at(-1)!.event).toMatchObject({ type: "end", status: "ok" });
    expect(notes(house)).toHaveLength(1);
    const stored = await house.store.transcript.from(house.events[0]!.run.sessionId, 0);
    const kinds = stored.map(({ body }) => (body.kind === "note" ? body.text : body.kind));
    expect(kinds).toContain("The model refused a picture; it was left out.");
    expect(JSON.stringify(stored)).toContain(PICTURE.data);
  });

test("a later picture is shown again after one was refused", async () => {
  const { requests, ask } = await open(
    (_, n) => (n === 1 ? [refusedWith({ image: true })] : [answer("fine")]),
    {},
    ["text", "image"],
  );
  await ask("look", [PICTURE]);
  await ask("and this one?", [{ ...PICTURE, data: "AAAABBBB" }]);
  expect(requests).toHaveLength(3);
  expect(shows(requests[2]!)).toBe(false);
  expect(words(requests[2]!)).toContain("AAAABBBB");
});

test("a picture that a tool found in the middle of a run is left out, and the run goes on", async () => {
  const { house, requests, ask, workspace } = await open(
    (request, n) =>
      n === 1
        ? [
            {
              type: "end",
              stop: "tool",
              usage: { ...noUsage, output: 7 },
              message: {
                role: "assistant",
                blocks: [{ type: "tool_call", id: "c1", name: "read", args: { path: "a.png" } }],
                at: 1,
              },
            },
          ]
        : hasImages(request.messages)
          ? [refusedWith({ image: true })]
          : [answer("fine")],
    { agents: { defaults: { skipBootstrap: true } } },
    ["text", "image"],
  );
  mkdirSync(workspace, { recursive: true });
  writeFileSync(
    join(workspace, "a.png"),
    Buffer.from(
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
      "base64",
    ),
  );
  await ask("look at a.png");
  expect(requests.map((r) => hasImages(r.messages))).toEqual([false, true, false]);
  expect(house.events.filter((e) => e.event.type === "tool_end")).toHaveLength(1);
  expect(house.events.at(-1)!.event).toMatchObject({
    type: "end",
    status: "ok",
    usage: { output: 7 },
  });
});

test("a refusal that is not about the pictures is told, and the pictures stay for the next message", async () => {
  const { house, requests, ask } = await open(
    (_, n) => (n <= 2 ? [refusedWith({ status: 400 })] : [answer("fine")]),
    {},
    ["text", "image"],
  );
  await ask("look", [PICTURE]);
  expect(house.events.at(-1)!.event).toMatchObject({ status: "error" });
  expect(notes(house)).toEqual([]);
  await ask("again");
  expect(requests.map(shows)).toEqual([true, false, true]);
});

test("a rejected request without a picture is not asked again", async () => {
  const { requests, ask } = await open(() => [refusedWith({ status: 400 })], {}, ["text", "image"]);
  await ask("no picture here");
  expect(requests).toHaveLength(1);
});

test("a stop leaves what was said and a note in the transcript", async () => {
  const { house } = await open(async function* (_request, _n, signal) {
    yield { type: "text", delta: "so far " };
    await new Promise((done) => signal.addEventListener("abort", done));
    yield { type: "error", error: new AppError("aborted", "The answer was stopped.") };
  });
  const { pipeline, store, events } = house;
  await pipeline.receive(inbound("tell me a lot"));
  await until(() => events.some(({ event }) => event.type === "text"));
  const { run } = events[0]!;
  await stopTurns(pipeline.desk, store, Date.now(), run.turn.sessionKey);
  await house.ends(1);
  const stored = await store.transcript.from(run.sessionId, 0);
  expect(stored.slice(-2).map(({ body }) => body)).toMatchObject([
    { kind: "message", partial: true, message: { blocks: [{ text: "so far " }] } },
    { kind: "note", level: "info", text: "Stopped by you.", code: "aborted" },
  ]);
});

/** One call of a tool per step, and then an answer. Gives what the model got back for each. */
async function tries(
  calls: { name: string; args: object }[],
  config: object = {},
  vars: Record<string, string> = {},
) {
  const opened = await open(
    (_, n) => {
      const call = calls[n - 1];
      if (!call) return [answer("done")];
      const blocks = [{ type: "tool_call" as const, id: `c${n}`, ...call }];
      return [
        {
          type: "end",
          stop: "tool",
          usage: noUsage,
          message: { role: "assistant", blocks, at: 1 },
        },
      ];
    },
    { agents: { defaults: { skipBootstrap: true } }, ...config },
    ["text"],
    vars,
  );
  const { paths, workspace } = opened;
  for (const dir of [paths.stateDir, workspace]) mkdirSync(dir, { recursive: true });
  writeFileSync(join(paths.stateDir, "gateway-token"), "sekret-token");
  return opened;
}
const results = (house: House) =>
  house.events.flatMap(({ event }) => (event.type === "tool_end" ? [event.result] : []));

test("a model that is turned against its owner gets neither the state folder nor the gateway's keys", async () => {
  const { house, ask, requests, paths } = await tries(
    [
      { name: "read", args: { path: "~/.clawdbot/gateway-token" } },
      { name: "write", args: { path: "~/.clawdbot/gateway.env", content: "CLAWDBOT_X=1" } },
      { name: "exec", args: { command: "env" } },
    ],
    {},
    { ANTHROPIC_API_KEY: "sekret-key", CLAWDBOT_GATEWAY_TOKEN: "sekret-own", LD_X: "sekret-ld" },
  );
  await ask("go on");
  const [read, write, env] = results(house);
  for (const closed of [read, write])
    expect([closed!.isError, closed!.text]).toEqual([
      true,
      expect.stringContaining("is closed to tools"),
    ]);
  expect(env!.text).toContain(`HOME=${paths.home}`);
  expect(JSON.stringify(requests)).not.toContain("sekret");
  expect(existsSync(join(paths.stateDir, "gateway.env"))).toBe(false);
});

test("a config file outside of the state folder is closed too", async () => {
  const place = mkdtempSync(join(tmpdir(), "clawdbot-config-"));
  cleanUp.push(() => rmSync(place, { recursive: true, force: true }));
  const file = join(place, "my.json");
  writeFileSync(file, '{ "sekret": 1 }');
  const { house, ask } = await tries(
    [{ name: "read", args: { path: file } }],
    {},
    {
      CLAWDBOT_CONFIG_PATH: file,
    },
  );
  await ask("go on");
  expect(results(house)[0]!.text).toContain("is closed to tools");
});

test("a tool that the config denies is neither offered nor run when it is called nevertheless", async () => {
  const { house, ask, requests, workspace } = await tries(
    [{ name: "exec", args: { command: "touch ran" } }],
    { tools: { deny: ["exec"] } },
  );
  await ask("go on");
  expect(requests[0]!.tools.map((tool) => tool.name)).not.toContain("exec");
  expect(results(house)[0]!.isError).toBe(true);
  expect(existsSync(join(workspace, "ran"))).toBe(false);
});

test("commands are off when the config says so, whatever the call asks for", async () => {
  const { house, ask, workspace } = await tries(
    [{ name: "exec", args: { command: "touch ran", security: "full", ask: "off" } }],
    { tools: { exec: { security: "deny" } } },
  );
  await ask("go on");
  expect(results(house)[0]).toMatchObject({ isError: true });
  expect(results(house)[0]!.text).toContain("switched off");
  expect(existsSync(join(workspace, "ran"))).toBe(false);
});

test("a workspace file that is a link into the state folder is not shown to the model", async () => {
  const { ask, requests, paths, workspace } = await tries([]);
  symlinkSync(join(paths.stateDir, "gateway-token"), join(workspace, "TOOLS.md"));
  writeFileSync(join(workspace, "SOUL.md"), "be kind");
  await ask("hello");
  expect(JSON.stringify(requests)).toContain("be kind");
  expect(JSON.stringify(requests)).not.toContain("sekret");
});
