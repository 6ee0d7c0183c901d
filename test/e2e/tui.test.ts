/** The terminal UI of the compiled binary, in a pseudo-terminal with a screen, against a real gateway. */
import { afterEach, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { emptyHome, runCli, startGatewayProcess } from "./binary.ts";
import { freePort } from "./child.ts";
import { openRig, type Rig } from "./tui-rig.ts";
import { openTui, type Tui } from "./tui.ts";

const rigs: Rig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.close();
});
async function start(): Promise<Rig> {
  const rig = await openRig();
  rigs.push(rig);
  return rig;
}
const times = (text: string, what: string) => text.split(what).length - 1;
/** Nothing is being answered or waits to be sent. */
const idle = (tui: Tui) =>
  tui.until("the end of the answer", () => !/Esc stops|^… /m.test(tui.screen.lines().join("\n")));
/** The terminal is as it was before. */
function expectClean({ screen }: Tui) {
  expect([...screen.modes].sort()).toEqual([25, 7]);
  expect(screen.keyboard).toBe(0);
  expect(screen.strange).toEqual([]);
  expect(screen.column).toBe(0);
}

test("a message is answered, Markdown looks like text, and everything stands there once", async () => {
  const rig = await start();
  rig.answers.set("hello", {
    text: "# Title\n\nSome **bold** words.\n\n- one\n- two\n\n```js\nconst a = 1;\n```\n\nThe end.",
  });
  const tui = rig.open();
  await tui.shows("connected");
  tui.type("hello there\r");
  await tui.sees("The end.");
  await idle(tui);
  const all = tui.screen.all();
  for (const once of [
    "› hello there",
    "# Title",
    "Some **bold** words.",
    "• one",
    "  const a = 1;",
  ])
    expect([once, times(all, once)]).toEqual([once, 1]);
  expect(all).not.toContain("```");
  expect(tui.screen.lines().join("\n")).toContain("main · main · anthropic/claude-sonnet-4-5 · ");
  tui.type("\u0004");
  expect(await tui.exited).toBe(0);
  expect(times(tui.screen.all(), "The end.")).toBe(1);
  // Without colours there is not one style.
  expect(tui.screen.styles).toBe(0);
  expectClean(tui);
});

test("text appears while it is written, a tool is one line, and Escape stops", async () => {
  const rig = await start();
  const more = Promise.withResolvers<void>();
  rig.answers.set("slowly", {
    text: "The first half of it and the second half.",
    until: more.promise,
  });
  rig.answers.set("tool", { toolCalls: [{ name: "exec", args: { command: "echo abc" } }] });
  const never = new Promise<void>(() => undefined);
  rig.answers.set("forever", { text: "Beginning of a text without end.", until: never });
  const tui = rig.open();
  await tui.shows("connected");
  tui.type("slowly\r");
  await tui.shows("The first half");
  expect(tui.screen.all()).not.toContain("second half.");
  await tui.shows("Esc stops");
  more.resolve();
  await tui.shows("second half.");
  await idle(tui);
  tui.type("tool\r");
  await tui.sees("✓ exec  echo abc · 1 line");
  await tui.sees("The tool is done.");
  await idle(tui);
  tui.type("forever\r");
  await tui.shows("Beginning of");
  tui.type("\u001b");
  await tui.sees("· Stopped by you.");
  await idle(tui);
  tui.type("\u000f");
  await tui.shows("  abc");
});

test("what waits behind a running answer comes back by Escape, and what the model's provider says is told", async () => {
  const rig = await start();
  const never = new Promise<void>(() => undefined);
  rig.answers.set("forever", { text: "Beginning of a text without end.", until: never });
  const tui = rig.open();
  await tui.shows("connected");
  tui.type("forever\r");
  await tui.shows("Beginning of");
  tui.type("a second thought\r");
  await tui.shows("› a second thought");
  tui.type("\u001b");
  await tui.sees("Stopped by you.");
  await tui.until(
    "the text in the editor",
    () => tui.screen.lines().at(tui.screen.row) === "› a second thought",
  );
  expect(times(tui.screen.all(), "a second thought")).toBe(1);
  expect(rig.model.requests).toHaveLength(1);
  tui.type("\u0015");
  rig.answers.set("refused", { status: 401, message: "invalid x-api-key" });
  tui.type("refused by it\r");
  await tui.sees("✗ ");
  await tui.sees("Check the API key");
  await idle(tui);
  rig.answers.delete("refused");
  rig.answers.set("and on", { text: "Onward." });
  tui.type("and on\r");
  await tui.sees("Onward.");
});

test("a hundred pasted lines are one message, and are sent only by Enter", async () => {
  const rig = await start();
  rig.answers.set("line 100", { text: "All of them." });
  const tui = rig.open(["tui"], { rows: 30 });
  await tui.shows("connected");
  const lines = Array.from({ length: 100 }, (_, i) => `line ${i + 1}`);
  tui.type(`\u001b[200~${lines.join("\r")}\u001b[201~`);
  await tui.shows("line 100");
  expect(rig.model.requests).toHaveLength(0);
  tui.type("\r");
  await tui.sees("All of them.");
  await idle(tui);
  for (const line of ["› line 1\n", "  line 57\n", "  line 100\n"])
    expect([line, times(tui.screen.all(), line)]).toEqual([line, 1]);
  expect(JSON.stringify(rig.model.requests[0]!.body)).toContain(lines.join("\\n"));
});

test("several lines, what was sent before, and a command that Tab completes", async () => {
  const rig = await start();
  const tui = rig.open();
  await tui.shows("connected");
  tui.type("one\\\rtwo\u001b\rthree\nfour");
  await tui.shows("  four");
  tui.type("\r");
  await tui.sees("You said one");
  await idle(tui);
  expect(JSON.stringify(rig.model.requests[0]!.body)).toContain("one\\ntwo\\nthree\\nfour");
  tui.type("\u001b[A");
  await tui.until("the text again", () => times(tui.screen.all(), "  three") === 2);
  tui.type("\u0003/stat");
  await tui.shows(/❯ \/status/);
  tui.type("\t\r");
  await tui.sees("› /status");
  await tui.sees("Model:");
  // Enter takes the beginning of a command for the whole one.
  tui.type("/whoa\r");
  await tui.sees("› /whoami");
  tui.type("/new\r");
  await tui.sees("a new conversation");
  await tui.sees("› /new");
  tui.type("/help\r");
  await tui.sees("a new line");
});

test("answers that try to steer the terminal are only text", async () => {
  const rig = await start();
  const evil = [
    "\u001b[2J\u001b[H\u001b[31mred",
    "\u001b]0;owned\u0007",
    "\u001b]52;c;ZXZpbA==\u001b\\",
    "\u001b[?1049h",
    "&#27;[2J&#x9b;2J",
    "\u009b2J",
    "a\rb\bc\u0007",
  ].join(" x ");
  rig.answers.set("evil", {
    text: `${evil}\n\n\`${evil}\`\n\n\`\`\`\n${evil}\n\`\`\`\n\nend of evil`,
  });
  const tui = rig.open();
  await tui.shows("connected");
  tui.type("evil\r");
  await tui.sees("end of evil");
  await idle(tui);
  expect(tui.screen.strange).toEqual([]);
  expect(tui.screen.all()).toContain("/help has the keys");
  tui.type("\u0004");
  expect(await tui.exited).toBe(0);
  expectClean(tui);
});

test("40 columns, wide characters, and another size in the middle", async () => {
  const rig = await start();
  const wide = "你好世界 👩‍👩‍👧 ".repeat(12);
  rig.answers.set("wide", {
    text: `${wide}\n\n| a | b |\n|---|---|\n| ${"x".repeat(30)} | ${"y".repeat(30)} |\n\nend of wide`,
  });
  const shell = "$ ls\r\nnotes.txt\r\n$ clawdbot tui\r\n";
  const tui = rig.open(["tui"], { columns: 40, rows: 12, shell });
  await tui.shows("connected");
  tui.type(`wide ${"字".repeat(30)}`);
  await tui.until("the whole text", () => times(tui.screen.lines().join(""), "字") === 30);
  tui.type("\r");
  await tui.sees("end of wide");
  await idle(tui);
  for (const line of tui.screen.all().split("\n"))
    expect(Bun.stringWidth(line)).toBeLessThanOrEqual(40);
  expect(times(tui.screen.all().replaceAll("\n", ""), "你好世界")).toBe(12);
  for (const [columns, rows] of [
    [100, 30],
    [25, 8],
    [80, 60],
    [90, 20],
  ] as const) {
    tui.resize(columns, rows);
    await tui.until(`a drawing at ${columns}`, () =>
      tui.screen.lines().some((line) => line.startsWith("──") && Bun.stringWidth(line) === columns),
    );
    await tui.shows("end of wide");
    for (const once of ["end of wide", "● ", "› wide"])
      expect([columns, once, times(tui.screen.lines().join("\n"), once)]).toEqual([
        columns,
        once,
        once === "› wide" && columns < 80 ? 0 : 1,
      ]);
    // What the shell printed is not ours to remove.
    expect(tui.screen.all()).toStartWith("$ ls\nnotes.txt\n$ clawdbot tui\n");
  }
  tui.type("still here\r");
  await tui.sees("You said still here");
});

test("10,000 lines in 5,000 pieces: each once, and little more is written than read", async () => {
  const rig = await start();
  const lines = Array.from({ length: 10_000 }, (_, i) => `line number ${i}`);
  const text = `\`\`\`\n${lines.join("\n")}\n\`\`\`\n\nend of lines`;
  rig.answers.set("many", { text, chunks: 5000 });
  const tui = rig.open();
  await tui.shows("connected");
  tui.type("many\r");
  await tui.sees("end of lines");
  await idle(tui);
  const client = rig.gateway.client();
  await client.connect();
  const { messages } = await client.call("chat.history", { sessionKey: "main" });
  client.close();
  expect(JSON.stringify(messages.at(-1)!.content).length).toBe(
    JSON.stringify([{ type: "text", text }]).length,
  );
  const seen = tui.screen
    .all()
    .split("\n")
    .filter((line) => /^ {2}line number \d+$/.test(line));
  expect(seen.map((line) => line.trim())).toEqual(lines);
  expect(tui.screen.bytes).toBeLessThan(text.length * 6);
}, 60_000);

test("sessions, agents and models are chosen from lists", async () => {
  const rig = await start();
  const tui = rig.open();
  await tui.shows("connected");
  tui.type("first words\r");
  await tui.sees("You said first words");
  await idle(tui);
  tui.type("/session work\r");
  await tui.shows("main · work");
  tui.type("other words\r");
  await tui.sees("You said other words");
  await idle(tui);
  tui.type("\u0010");
  await tui.shows("Session:");
  tui.type("main");
  await tui.shows(/❯ main/);
  tui.type("\r");
  await tui.shows("main · main");
  await tui.until("the old words again", () => times(tui.screen.all(), "› first words") === 2);
  tui.type("\u0007");
  await tui.shows("Agent:");
  tui.type("second\r");
  await tui.shows("second · main");
  tui.type("\u000c");
  await tui.shows("Model:");
  tui.type("\u001b");
  await tui.until("the editor again", () => !tui.screen.lines().join("\n").includes("Model:"));
  tui.type("/session \u0001\u000b/session agent:::\r");
  await tui.sees("is no session");
});

test("the gateway is killed in the middle and comes back: nothing is lost, nothing twice, and it is said", async () => {
  const rig = await start();
  const never = new Promise<void>(() => undefined);
  rig.answers.set("question one", {
    text: "A text that is cut in the middle by a kill.",
    until: never,
  });
  const tui = rig.open();
  await tui.shows("connected");
  tui.type("question one\r");
  await tui.shows("A text that");
  await rig.gateway.kill("SIGKILL");
  await tui.shows("The gateway is away");
  await tui.shows("offline");
  rig.answers.set("question one", { text: "A whole answer now." });
  tui.type("question two\r");
  await tui.shows("… question two");
  tui.type("a draft");
  await rig.restart();
  await tui.shows("connected");
  await tui.sees("A whole answer now.");
  await tui.sees("question two");
  await idle(tui);
  const all = tui.screen.all();
  for (const once of ["› question one", "› question two", "A whole answer now."])
    expect([once, times(all, once)]).toEqual([once, 1]);
  expect(tui.screen.lines().join("\n")).toContain("› a draft");
  expect(tui.screen.lines().join("\n")).not.toContain("away");
}, 60_000);

test("what was said before is there, page by page, and what others say appears", async () => {
  const rig = await start();
  const first = rig.open();
  await first.shows("connected");
  for (const n of [1, 2, 3]) {
    first.type(`word-${n}\r`);
    await first.sees(`You said word-${n}`);
    await idle(first);
  }
  const second = rig.open(["chat", "--history-limit", "3"]);
  await second.sees("› word-3");
  expect(second.screen.all()).not.toContain("› word-2");
  second.type("/older\r");
  await second.sees("› word-2");
  first.type("for both\r");
  await second.sees("You said for both");
  expect(times(second.screen.all(), "› for both")).toBe(1);
  const third = rig.open(["tui", "-m", "from the command line", "--session", "work"]);
  await third.sees("You said from the command line");
});

test("however it ends, the terminal is given back", async () => {
  const rig = await start();
  const never = new Promise<void>(() => undefined);
  rig.answers.set("forever", { text: "Beginning of a text without end.", until: never });
  const open = async () => {
    const tui = rig.open();
    await tui.shows("connected");
    return tui;
  };
  const twice = await open();
  twice.type("text\u0003");
  await twice.until("an empty line", () => /^›$/m.test(twice.screen.lines().join("\n")));
  twice.type("\u0003");
  await twice.shows("once more to leave");
  twice.type("\u0003");
  expect(await twice.exited).toBe(0);
  expectClean(twice);
  const killed = await open();
  killed.type("forever\r");
  await killed.shows("Beginning of");
  killed.kill("SIGTERM");
  expect(await killed.exited).toBe(143);
  expectClean(killed);
  const interrupted = await open();
  interrupted.kill("SIGINT");
  expect(await interrupted.exited).toBe(130);
  expectClean(interrupted);
  const closed = await open();
  closed.hangUp();
  expect(await closed.exited).toBe(129);
});

test("a gateway that comes back with another token ends it with a line that says so", async () => {
  const rig = await start();
  await rig.gateway.kill();
  const port = freePort();
  const withToken = (token: string) =>
    startGatewayProcess(rig.home, { port, args: ["--token", token] });
  rig.gateway = await withToken("a-first-token-of-good-length");
  const tui = rig.open([
    "tui",
    ...["--port", String(port), "--token", "a-first-token-of-good-length"],
  ]);
  await tui.shows("connected");
  const words = Bun.spawnSync(["ps", "-o", "args=", "-p", String(tui.pid)]).stdout.toString();
  expect(words).toContain("tui");
  expect(words).not.toContain("a-first-token");
  tui.type("text that is not sent");
  await tui.shows("not sent");
  await rig.gateway.kill();
  rig.gateway = await withToken("another-token-of-good-length");
  expect(await tui.exited).toBe(1);
  expect(tui.screen.all()).toMatch(/token/i);
  expectClean(tui);
});

test("an error that nobody caught gives the terminal back too", async () => {
  const home = emptyHome();
  const tui = openTui(["run", join(import.meta.dir, "tui-broken.ts")], home, {
    program: process.execPath,
  });
  await tui.shows("drawn");
  expect(tui.screen.modes.has(2004)).toBe(true);
  tui.type("x");
  expect(await tui.exited).toBe(3);
  expect(tui.screen.all()).toContain("It broke.");
  expectClean(tui);
  tui.close();
  home.remove();
});

test("a token that is wrong, a gateway that is down, and no terminal are said in a line", async () => {
  const rig = await start();
  const wrong = rig.open([
    "tui",
    "--url",
    `ws://127.0.0.1:${rig.gateway.port}`,
    "--token",
    "wrong",
  ]);
  expect(await wrong.exited).toBe(1);
  expect(wrong.screen.all()).toMatch(/token/i);
  expectClean(wrong);
  const session = rig.open(["tui", "--session", "agent:::"]);
  expect(await session.exited).toBe(1);
  expect(session.screen.all()).toContain("is no session");
  expectClean(session);
  expect(await runCli(["tui"], { home: rig.home })).toEqual({
    code: 1,
    stdout: "",
    stderr:
      'error: This needs a terminal: input and output are not one.\nFor one answer in a script: clawdbot agent --agent main -m "Hello"\n',
  });
  await rig.gateway.kill();
  const down = rig.open();
  await down.shows("Start it for as long as this conversation lasts? [Y/n]");
  down.type("n\r");
  expect(await down.exited).toBe(1);
  expect(down.screen.all()).toContain("Start it with `clawdbot gateway`.");
  expectClean(down);
  const port = rig.open(["tui", "--port", "1"]);
  expect(await port.exited).toBe(1);
  expect(port.screen.all()).toContain("nothing answers at ws://127.0.0.1:1");
});

test("where no gateway runs, one is started for the conversation and ends with it", async () => {
  const rig = await start();
  await rig.gateway.kill();
  const config = JSON.parse(readFileSync(join(rig.home.state, "clawdbot.json"), "utf8"));
  const withPort = (port: number) =>
    writeFileSync(
      join(rig.home.state, "clawdbot.json"),
      JSON.stringify({ ...config, gateway: { ...config.gateway, port } }),
    );
  withPort(freePort());
  const tui = rig.open();
  await tui.shows("[Y/n]");
  tui.type("\r");
  await tui.shows("connected");
  tui.type("hello\r");
  await tui.sees("You said hello");
  await idle(tui);
  expect((await runCli(["health"], { home: rig.home })).code).toBe(0);
  tui.type("\u0004");
  expect(await tui.exited).toBe(0);
  expectClean(tui);
  expect((await runCli(["health"], { home: rig.home })).code).toBe(1);
  writeFileSync(join(rig.home.state, "clawdbot.json"), "{ gateway: 5 }");
  const refused = rig.open(["tui"], { env: { CLAWDBOT_GATEWAY_PORT: String(freePort()) } });
  await refused.shows("[Y/n]");
  refused.type("\r");
  expect(await refused.exited).toBe(1);
  expect(refused.screen.all()).toContain("The gateway did not start.");
  expect(refused.screen.all()).toContain("config validate");
  expectClean(refused);
});

test("a terminal that cannot move its cursor gets lines, and not one escape sequence", async () => {
  const rig = await start();
  rig.answers.set("hello", { text: "Some **words**.\n\nThe end." });
  const tui = rig.open(["tui"], { env: { TERM: "dumb" } });
  await tui.sees("/quit");
  tui.type("hello\n");
  await tui.sees("The end.");
  tui.type("/quit\n");
  expect(await tui.exited).toBe(0);
  expect(tui.screen.escapes).toBe(0);
  expect(times(tui.screen.all(), "hello")).toBe(1);
});

test("without a word: it sets up what is not set up, else it talks", async () => {
  const rig = await start();
  const talks = rig.open([]);
  await talks.shows("connected");
  await rig.gateway.kill();
  const down = rig.open([]);
  await down.shows("[Y/n]");
  down.type("\u0003");
  expect(await down.exited).toBe(130);
  writeFileSync(join(rig.home.state, "clawdbot.json"), "{ gateway: 5 }");
  const broken = rig.open([]);
  expect(await broken.exited).toBe(78);
  expect(broken.screen.all()).toContain("clawdbot doctor");
  const home = emptyHome();
  const fresh = openTui([], home);
  await fresh.sees(/\[y\/N\]|\[Y\/n\]|Choose|risk/i);
  fresh.type("\u0003");
  await fresh.exited;
  fresh.close();
  home.remove();
});
