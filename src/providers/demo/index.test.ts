import { expect, test } from "bun:test";

import type { Message, ModelEvent, ModelRequest } from "../../flow.ts";
import demo from "./index.ts";

const provider = demo({ id: "demo", baseUrl: "demo:", idleTimeoutMs: 1 });
const tools = ["exec", "read"].map((name) => ({
  name,
  description: name,
  inputSchema: { type: "object" },
}));
const user = (text: string): Message => ({ role: "user", blocks: [{ type: "text", text }], at: 1 });

async function ask(
  messages: Message[],
  more: Partial<ModelRequest> = {},
  signal = new AbortController().signal,
) {
  const events: ModelEvent[] = [];
  const request = {
    model: "demo",
    system: [],
    messages,
    tools,
    thinking: "off" as const,
    sessionId: "s",
    ...more,
  };
  for await (const event of provider.stream(request, signal)) events.push(event);
  const last = events.at(-1)!;
  const message = last.type === "end" ? last.message : undefined;
  return {
    events,
    last,
    message,
    text: events.flatMap((e) => (e.type === "text" ? [e.delta] : [])).join(""),
    call: message?.blocks.find((b) => b.type === "tool_call"),
  };
}

test("every answer says that it is the demo, and streams word by word", async () => {
  for (const said of ["hello", "run date", "what is the meaning of life?", "help", ""]) {
    const { events, text, message } = await ask([
      user("before"),
      { role: "assistant", blocks: [{ type: "text", text: "x" }], at: 1 },
      user(said),
    ]);
    expect(text).toContain("Demo model");
    expect(events.length).toBeGreaterThan(5);
    expect(message!.blocks[0]).toEqual({ type: "text", text });
  }
});

test("the first answer explains how to add a real model, with commands that exist", async () => {
  const { text } = await ask([user("hi")]);
  expect(text).toContain("clawdbot config set env.ANTHROPIC_API_KEY");
  expect(text).toContain("clawdbot config set agents.defaults.model.primary");
  expect(text).toContain("Ollama");
});

test("phrases become real tool calls", async () => {
  const call = async (text: string) => {
    const { call: found, last } = await ask([user(text)]);
    expect(last).toMatchObject({ stop: found ? "tool" : "end" });
    return found?.type === "tool_call" ? [found.name, found.args] : undefined;
  };
  expect(await call("list the files here")).toEqual(["exec", { command: "ls -la" }]);
  expect(await call("Please list the files in my dir.")).toBeUndefined();
  expect(await call("list files in docs")).toEqual(["exec", { command: "ls -la -- 'docs'" }]);
  expect(await call("list files in it's;rm")).toEqual([
    "exec",
    { command: "ls -la -- 'it'\\''s;rm'" },
  ]);
  expect(await call("run `uname -a`")).toEqual(["exec", { command: "uname -a" }]);
  expect(await call("[WebChat 2026-11-20 09:00] run date")).toEqual(["exec", { command: "date" }]);
  expect(await call("read README.md")).toEqual(["read", { path: "README.md" }]);
  expect(await call("List the files here")).toEqual(["exec", { command: "ls -la" }]);
  expect(await call("Which files are in your workspace?")).toEqual(["exec", { command: "ls -la" }]);
  expect(await call("Read AGENTS.md")).toEqual(["read", { path: "AGENTS.md" }]);
  expect(await call("running is fun")).toBeUndefined();
});

test("every phrase that the help suggests calls a tool, with its marks and without", async () => {
  const { text } = await ask([user("help")]);
  const phrases = [...text.matchAll(/^- `([^`]+)`$/gm)].map((match) => match[1]!);
  expect(phrases).toContain("read AGENTS.md");
  for (const phrase of phrases)
    for (const typed of [phrase, `\`${phrase}\``])
      expect((await ask([user(typed)])).call).toBeDefined();
  expect(text).toContain('"<your key>"');
  expect(text).toContain("npx -y bun@1.4.4 src/main.ts");
});

test("without the tool there is no call", async () => {
  expect((await ask([user("run date")], { tools: [] })).call).toBeUndefined();
});

test("the answer after a tool holds its result, and a fence in it closes nothing", async () => {
  const first = await ask([user("run date")]);
  const call = first.call as { id: string };
  const result = (text: string, isError = false): Message => ({
    role: "tool",
    at: 1,
    blocks: [{ type: "tool_result", id: call.id, name: "exec", text, isError }],
  });
  const history = [user("run date"), first.message!];
  expect((await ask([...history, result("Fri Nov 20")])).text).toContain("Fri Nov 20");
  expect((await ask([...history, result("```\nboo")])).text).toContain("````\n```\nboo\n````");
  expect((await ask([...history, result("no such file", true)])).text).toContain("failed");
  expect((await ask([...history, result("x".repeat(100_000))])).text.length).toBeLessThan(3000);
});

test("the same history gives the same answer", async () => {
  const strip = ({ message }: Awaited<ReturnType<typeof ask>>) => JSON.stringify(message!.blocks);
  expect(strip(await ask([user("run date")]))).toBe(strip(await ask([user("run date")])));
});

test("a stop in the middle ends it with aborted", async () => {
  const abort = new AbortController();
  const pending = ask([user("help")], {}, abort.signal);
  abort.abort();
  expect((await pending).last).toMatchObject({ type: "error", error: { code: "aborted" } });
});
