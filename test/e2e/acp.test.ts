/** The bridge for editors, as an editor starts it: the compiled binary, JSON lines on its standard input and output. */
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { BINARY, plainEnv, runCli } from "./binary.ts";
import { openRig, type Rig } from "./tui-rig.ts";

const close: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of close.splice(0).reverse()) await one();
});
async function start(): Promise<Rig> {
  const rig = await openRig();
  close.push(() => rig.close());
  return rig;
}

type Update = { sessionUpdate: string; content?: { text?: string } } & Record<string, unknown>;
type Message = {
  jsonrpc: string;
  id?: number | string | null;
  result?: Record<string, unknown> | null;
  error?: { code: number; message: string };
  method?: string;
  params?: { sessionId: string; update: Update };
};

/** An editor: writes lines, reads lines, and fails on anything that is no JSON-RPC. */
function openEditor(rig: Rig, args: string[] = []) {
  const child = Bun.spawn([BINARY, "acp", ...args], {
    cwd: rig.home.dir,
    env: plainEnv(rig.home),
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const messages: Message[] = [];
  const waiting = new Set<() => void>();
  let over = false;
  const look = () => {
    for (const one of [...waiting]) one();
  };
  const reading = (async () => {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const line of lines) messages.push(JSON.parse(line) as Message);
      look();
    }
    over = true;
    look();
    expect(rest).toBe("");
  })();
  let notes = "";
  const listening = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) {
      notes += decoder.decode(chunk, { stream: true });
      look();
    }
  })();
  const until = <T>(what: string, find: () => T | undefined) =>
    new Promise<T>((done, fail) => {
      const one = () => {
        const found = find();
        if (found === undefined && !over) return;
        waiting.delete(one);
        if (found === undefined) fail(new Error(`ended without ${what}`));
        else done(found);
      };
      waiting.add(one);
      one();
    });
  let next = 0;
  const write = (line: string | Uint8Array) => {
    child.stdin.write(line);
    child.stdin.flush();
  };
  const ask = async (method: string, params?: unknown): Promise<Message> => {
    const id = ++next;
    write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    return until(`an answer to ${method}`, () => messages.find((m) => m.id === id));
  };
  const editor = {
    messages,
    write,
    ask,
    until,
    notify: (method: string, params: unknown) =>
      write(`${JSON.stringify({ jsonrpc: "2.0", method, params })}\n`),
    /** Resolves when it has said this so often on stderr. */
    notes: (what: string, count: number) =>
      until(what, () => (notes.split(what).length > count ? true : undefined)),
    updates: (sessionId: string) =>
      messages.flatMap(({ params }) => (params?.sessionId === sessionId ? [params.update] : [])),
    /** What the assistant said in this session so far. */
    said: (sessionId: string) =>
      editor
        .updates(sessionId)
        .filter(({ sessionUpdate }) => sessionUpdate === "agent_message_chunk")
        .map(({ content }) => content?.text)
        .join(""),
    open: async (more: object = {}) => {
      await ask("initialize", { protocolVersion: 1, clientCapabilities: {} });
      const { result, error } = await ask("session/new", { cwd: "/tmp", mcpServers: [], ...more });
      expect(error).toBeUndefined();
      return result!["sessionId"] as string;
    },
    prompt: (sessionId: string, text: string) =>
      ask("session/prompt", { sessionId, prompt: [{ type: "text", text }] }),
    end: async () => {
      child.stdin.end();
      await Promise.all([reading, listening]);
      return child.exited;
    },
  };
  close.push(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  return editor;
}

test("a prompt from the first word to its end: text in pieces, a tool, the reason why it stopped", async () => {
  const rig = await start();
  rig.answers.set("use it", {
    text: "I look.",
    toolCalls: [{ name: "exec", args: { command: "echo abc" } }],
  });
  const editor = openEditor(rig);
  const hello = await editor.ask("initialize", { protocolVersion: 7, clientCapabilities: {} });
  expect(hello.result).toMatchObject({
    protocolVersion: 1,
    agentCapabilities: { loadSession: true, promptCapabilities: { image: true, audio: false } },
    authMethods: [],
  });
  const sessionId = await editor.open();
  expect(sessionId).toMatch(/^agent:main:acp:[0-9a-f-]{36}$/);
  const { result } = await editor.prompt(sessionId, "use it");
  expect(result).toEqual({ stopReason: "end_turn" });
  expect(editor.said(sessionId)).toBe("I look.The tool is done.");
  const steps = editor.updates(sessionId).filter((update) => "toolCallId" in update);
  expect(steps[0]).toMatchObject({
    sessionUpdate: "tool_call",
    title: "exec: echo abc",
    kind: "execute",
    rawInput: { command: "echo abc" },
  });
  expect(steps.at(-1)).toMatchObject({ sessionUpdate: "tool_call_update", status: "completed" });
  expect(JSON.stringify(steps.at(-1))).toContain("abc");
  await editor.until("the commands", () =>
    editor.updates(sessionId).find((u) => u.sessionUpdate === "available_commands_update"),
  );
  // The model knows where the editor works.
  expect(JSON.stringify(rig.model.requests[0]!.body)).toContain("[Working directory: /tmp]");
  expect(await editor.end()).toBe(0);
});

test("a conversation is loaded again with all that was said, in order, and goes on", async () => {
  const rig = await start();
  const first = openEditor(rig, ["--no-prefix-cwd"]);
  const sessionId = await first.open();
  for (const n of [1, 2, 3]) await first.prompt(sessionId, `word-${n}`);
  expect(await first.end()).toBe(0);
  expect(JSON.stringify(rig.model.requests[0]!.body)).not.toContain("Working directory");
  const second = openEditor(rig);
  await second.ask("initialize", { protocolVersion: 1 });
  const place = { cwd: "/tmp", mcpServers: [] };
  const loaded = await second.ask("session/load", { sessionId, ...place });
  expect(loaded.result).toHaveProperty("modes");
  const told = second
    .updates(sessionId)
    .map((u) => `${u.sessionUpdate} ${u.content?.text?.slice(0, 15)}`);
  expect(told.slice(0, 6)).toEqual(
    [1, 2, 3].flatMap((n) => [
      `user_message_chunk word-${n}`,
      `agent_message_chunk You said word-${n}`,
    ]),
  );
  expect((await second.prompt(sessionId, "again")).result).toEqual({ stopReason: "end_turn" });
  const missing = await second.ask("session/load", { sessionId: "agent:main:none", ...place });
  expect(missing.error).toMatchObject({ code: -32002 });
});

test("a cancelled prompt ends as cancelled, and a second one at the same time is refused", async () => {
  const rig = await start();
  const never = new Promise<void>(() => undefined);
  rig.answers.set("forever", { text: "Beginning of a text without end.", until: never });
  const editor = openEditor(rig);
  const sessionId = await editor.open();
  const running = editor.prompt(sessionId, "forever");
  await editor.until(
    "the beginning",
    () => editor.said(sessionId).includes("Beginning") || undefined,
  );
  expect((await editor.prompt(sessionId, "another")).error).toMatchObject({ code: -32600 });
  editor.notify("session/cancel", { sessionId });
  expect((await running).result).toEqual({ stopReason: "cancelled" });
  expect((await editor.prompt(sessionId, "after it")).result).toEqual({ stopReason: "end_turn" });
});

test("the gateway is killed in the middle of a prompt: the answer comes whole when it is back", async () => {
  const rig = await start();
  const never = new Promise<void>(() => undefined);
  rig.answers.set("question", { text: "A text that is cut by a kill.", until: never });
  const editor = openEditor(rig, ["-v"]);
  const sessionId = await editor.open();
  const running = editor.prompt(sessionId, "question");
  await editor.until("the beginning", () => editor.said(sessionId).includes("A text") || undefined);
  await rig.gateway.kill("SIGKILL");
  rig.answers.set("question", { text: "A text that came after all." });
  // Several attempts fail before it is back.
  await editor.notes("gateway: waiting", 3);
  await rig.restart();
  expect((await running).result).toEqual({ stopReason: "end_turn" });
  expect(editor.said(sessionId)).toEndWith("A text that came after all.");
  expect(editor.said(sessionId).split("came after all").length).toBe(2);
}, 60_000);

test("pictures, files and links are part of the prompt; a slash command is answered; a mode is how much it thinks", async () => {
  const rig = await start();
  const editor = openEditor(rig);
  const sessionId = await editor.open();
  const png =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  const { result, error } = await editor.ask("session/prompt", {
    sessionId,
    prompt: [
      { type: "text", text: "what is this" },
      { type: "image", mimeType: "image/png", data: png },
      { type: "resource", resource: { uri: "file:///a.txt", text: "text of ``` a" } },
      { type: "resource_link", uri: "file:///b.txt", name: "b" },
    ],
  });
  expect({ result, error }).toEqual({ result: { stopReason: "end_turn" }, error: undefined });
  const body = JSON.stringify(rig.model.requests[0]!.body);
  for (const part of [
    "what is this",
    "image/png",
    "[file:///a.txt]",
    "text of ``` a",
    "[b: file:///b.txt]",
  ])
    expect(body).toContain(part);
  expect((await editor.prompt(sessionId, "/status")).result).toEqual({ stopReason: "end_turn" });
  expect(editor.said(sessionId)).toContain("Model:");
  expect(rig.model.requests).toHaveLength(1);
  expect((await editor.ask("session/set_mode", { sessionId, modeId: "high" })).result).toEqual({});
  expect((await editor.ask("session/set_mode", { sessionId, modeId: "x" })).error?.code).toBe(
    -32602,
  );
});

test("flags name the session; what must exist and does not is said", async () => {
  const rig = await start();
  const named = openEditor(rig, ["--session", "work"]);
  const sessionId = await named.open();
  expect(sessionId).toBe("agent:main:work");
  await named.prompt(sessionId, "remember this");
  const again = openEditor(rig, ["--session", "work", "--require-existing", "--reset-session"]);
  expect(await again.open()).toBe("agent:main:work");
  await again.prompt(sessionId, "something else");
  expect(JSON.stringify(rig.model.requests.at(-1)!.body)).not.toContain("remember this");
  const other = openEditor(rig, ["--session", "nothing", "--require-existing"]);
  await other.ask("initialize", { protocolVersion: 1 });
  const refused = await other.ask("session/new", { cwd: "/tmp", mcpServers: [] });
  expect(refused.error).toMatchObject({
    code: -32002,
    message: expect.stringContaining("nothing"),
  });
  const label = openEditor(rig, ["--session-label", "none"]);
  await label.ask("initialize", { protocolVersion: 1 });
  expect((await label.ask("session/new", { cwd: "/tmp", mcpServers: [] })).error?.code).toBe(
    -32002,
  );
});

test("what is no request, no JSON, too large or unknown is answered with its code, and work goes on", async () => {
  const rig = await start();
  const editor = openEditor(rig);
  const codes: [line: string, code: number][] = [
    ["{", -32700],
    ["null", -32600],
    ["[]", -32600],
    ['"text"', -32600],
    ['{"jsonrpc":"1.0","id":"a","method":"initialize"}', -32600],
    ['{"jsonrpc":"2.0","id":"a"}', -32600],
    ['{"jsonrpc":"2.0","id":"a","method":"no/such"}', -32601],
    ['{"jsonrpc":"2.0","id":"a","method":"__proto__"}', -32601],
    ['{"jsonrpc":"2.0","id":"a","method":"initialize","params":{"protocolVersion":"x"}}', -32602],
    [
      '{"jsonrpc":"2.0","id":"a","method":"session/prompt","params":{"sessionId":"s","prompt":[]}}',
      -32600,
    ],
    ["x".repeat(27 * 1024 * 1024), -32600],
  ];
  for (const [line, code] of codes) {
    const before = editor.messages.length;
    editor.write(`${line}\n`);
    const answer = await editor.until("an answer", () => editor.messages[before]);
    expect([line.slice(0, 80), answer.error?.code]).toEqual([line.slice(0, 80), code]);
  }
  // Answers to nothing, and notifications that nobody knows, are not answered.
  const before = editor.messages.length;
  editor.write(
    '{"jsonrpc":"2.0","id":9999,"result":{}}\n{"jsonrpc":"2.0","method":"$/nothing"}\n\n',
  );
  const sessionId = await editor.open();
  expect(editor.messages.slice(before).filter(({ error }) => error)).toEqual([]);
  for (const place of [{ cwd: "relative", mcpServers: [] }, { cwd: "/tmp" }, {}])
    expect((await editor.ask("session/new", place)).error?.code).toBe(-32602);
  for (const prompt of [
    [],
    [{ type: "audio", data: "", mimeType: "a/b" }],
    [{ type: "text" }],
    "x",
  ])
    expect((await editor.ask("session/prompt", { sessionId, prompt })).error?.code).toBe(-32602);
  expect((await editor.prompt("agent:main:unknown", "x")).error?.code).toBe(-32002);
  // A request that is cut anywhere is one all the same.
  const cut = Buffer.from(
    `${JSON.stringify({ jsonrpc: "2.0", id: "cut", method: "session/prompt", params: { sessionId, prompt: [{ type: "text", text: "né 你" }] } })}\n`,
  );
  for (const byte of cut) editor.write(Buffer.of(byte));
  const answer = await editor.until("it", () => editor.messages.find(({ id }) => id === "cut"));
  expect(answer.result).toEqual({ stopReason: "end_turn" });
  expect(editor.said(sessionId)).toContain("né 你");
  expect(await editor.end()).toBe(0);
}, 60_000);

test("without a gateway it says so on stderr, and nothing on stdout", async () => {
  const home = { dir: mkdtempSync(join(tmpdir(), "clawdbot-acp-")), state: "" };
  close.push(() => rmSync(home.dir, { recursive: true }));
  const done = await runCli(["acp"], { home: { ...home, remove: () => undefined } });
  expect(done).toMatchObject({ code: 1, stdout: "" });
  expect(done.stderr).toContain("Start it with `clawdbot gateway`.");
});
