import { expect, setDefaultTimeout, test } from "bun:test";

import { MAIN } from "../fakes/gateway.ts";
import { box, conversation, noChromium, send, useBrowser } from "./browser.ts";

setDefaultTimeout(60_000);
const it = test.skipIf(noChromium);
const b = useBrowser();
const check = (name: string, run: () => Promise<void>) => it(name, () => b.shown(name, run));

check("a message is typed, its answer streams in, and a tool card opens", async () => {
  const page = await b.open();
  expect(await box(page).evaluate((el) => el === document.activeElement)).toBe(true);
  await send(page, "Which folders are large?");
  const run = await b.gateway.nextRun();
  await conversation(page).getByText("Which folders are large?").waitFor();
  run.think("I shall look.").say("Let me **look");
  await conversation(page).getByText("Let me").waitFor();
  run.say("**.").tool("t1", "exec", { command: "du -sh *" });
  const card = page.getByRole("button", { name: /Tool exec, du -sh \*, running/ });
  await card.waitFor();
  run.toolUpdate("t1", "12M photos");
  await page.getByText("12M photos").waitFor();
  run.toolEnd("t1", "340M build", { ms: 1240 }).say("The folder *build*.");
  run.end();
  await page.getByRole("button", { name: /Tool exec, du -sh \*, 1\.2 s/ }).click();
  await conversation(page).getByText("340M build").waitFor();
  await conversation(page).getByText("The folder build.").waitFor();
  expect(await page.getByText("Let me look.", { exact: true }).count()).toBe(1);
  await page.getByRole("button", { name: "Thoughts" }).click();
  await conversation(page).getByText("I shall look.").waitFor();
  expect(page.problems).toEqual([]);
});

check("a reload in the middle of a turn shows it going on", async () => {
  const page = await b.open();
  await send(page, "Count");
  const run = await b.gateway.nextRun();
  run.say("one ").tool("t1", "exec", { command: "seq 3" }).toolEnd("t1", "1 2 3").say("two ");
  await conversation(page).getByText("two").waitFor();
  await page.reload();
  await conversation(page).getByText("two").waitFor();
  await page.getByRole("button", { name: "Stop" }).waitFor();
  run.say("three");
  await conversation(page).getByText("two three").waitFor();
  run.end();
  await page.getByRole("button", { name: "Copy answer" }).first().waitFor();
  for (const text of ["Count", "one", "two three"])
    expect(await conversation(page).getByText(text, { exact: true }).count()).toBe(1);
  expect(await page.getByRole("button", { name: /Tool exec/ }).count()).toBe(1);
  expect(page.problems).toEqual([]);
});

check("a gateway that is killed and comes back loses nothing and doubles nothing", async () => {
  const page = await b.open();
  await send(page, "Write a poem");
  const first = await b.gateway.nextRun();
  first.say("Roses ").tool("t1", "read", { path: "roses.md" });
  await page.getByRole("button", { name: /Tool read/ }).waitFor();
  await b.gateway.stop();
  await page
    .getByText(/Reconnecting/)
    .first()
    .waitFor();
  await send(page, "And one about the sea");
  await page.getByText("Waits for the connection").waitFor();
  await b.gateway.start();
  await page.getByRole("button", { name: "Try now" }).first().click();
  await page.getByText("Connected").first().waitFor();
  await b.gateway.until(() => b.gateway.sends.length === 2);
  first.say("are red.");
  await conversation(page).getByText("are red.").waitFor();
  first.end();
  const second = await b.gateway.nextRun();
  second.say("Waves.").end();
  await conversation(page).getByText("Waves.").waitFor();
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
  for (const text of ["Write a poem", "Roses", "are red.", "And one about the sea", "Waves."])
    expect(await conversation(page).getByText(text, { exact: true }).count()).toBe(1);
  expect(new Set(b.gateway.sends.map((s) => s.key)).size).toBe(2);
  expect(page.problems).toEqual([]);
});

check("a message sent while offline survives a reload and is sent once", async () => {
  const context = await b.profile();
  const page = await b.tab(context);
  await page.goto(`${b.gateway.url}#token=${b.gateway.token}`);
  await box(page).waitFor();
  // The page's own files are loaded from here, but nothing is answered on the socket.
  await page.routeWebSocket(/\/ws$/, (socket) => socket.close({ code: 1001 }));
  await b.gateway.stop();
  await page
    .getByText(/Reconnecting/)
    .first()
    .waitFor();
  await b.gateway.start();
  await send(page, "Remember the milk");
  await page.getByText("Waits for the connection").waitFor();
  expect(b.gateway.sends).toEqual([]);
  await page.close();
  const again = await b.tab(context);
  await again.goto(`${b.gateway.url}#token=${b.gateway.token}`);
  const run = await b.gateway.nextRun();
  expect(run.question).toBe("Remember the milk");
  run.say("Done.").end();
  await conversation(again).getByText("Done.").waitFor();
  await again.reload();
  await conversation(again).getByText("Done.").waitFor();
  expect(b.gateway.sends.length).toBe(1);
  expect(await conversation(again).getByText("Remember the milk").count()).toBe(1);
});

check("a message whose receipt got lost on the way is not sent twice", async () => {
  const page = await b.open();
  b.gateway.cutAfter = "chat.send";
  await send(page, "Only once");
  const run = await b.gateway.nextRun();
  await b.gateway.until(() => b.gateway.sends.length === 2);
  run.say("Yes.").end();
  await conversation(page).getByText("Yes.").waitFor();
  expect(new Set(b.gateway.sends.map((s) => s.key)).size).toBe(1);
  expect(await conversation(page).getByText("Only once").count()).toBe(1);
});

check("a gateway that is busy is asked again with the same key", async () => {
  const page = await b.open();
  const sent = () => b.gateway.calls.filter((call) => call.method === "chat.send");
  b.gateway.failures.set("chat.send", { code: "UNAVAILABLE", message: "busy", retryAfterMs: 1 });
  await send(page, "Patience");
  await b.gateway.until(() => sent().length > 1);
  b.gateway.failures.clear();
  (await b.gateway.nextRun()).say("Thanks.").end();
  await conversation(page).getByText("Thanks.").waitFor();
  expect(new Set(sent().map((call) => call.params.idempotencyKey)).size).toBe(1);
});

check("a message typed while an answer is written waits visibly and is taken in", async () => {
  const page = await b.open();
  await send(page, "Long task");
  const run = await b.gateway.nextRun();
  run.say("Working on it").tool("t1", "exec", { command: "sleep 9" });
  await page.getByRole("button", { name: /Tool exec/ }).waitFor();
  await send(page, "Use the other disk");
  await page.getByText("Waits: it is read after the current step").waitFor();
  run.toolEnd("t1", "done").steer();
  await page.getByText("Waits: it is read after the current step").waitFor({ state: "detached" });
  run.say("On the other disk.").end();
  await conversation(page).getByText("On the other disk.").waitFor();
  expect(await conversation(page).getByText("Use the other disk").count()).toBe(1);
});

check("two windows show the same conversation, each message once", async () => {
  const context = await b.profile();
  const one = await b.tab(context);
  await one.goto(`${b.gateway.url}#token=${b.gateway.token}`);
  await box(one).waitFor();
  const two = await b.open();
  await send(one, "From the first window");
  const run = await b.gateway.nextRun();
  run.say("Half of");
  await conversation(two).getByText("Half of").waitFor();
  await send(two, "From the second window");
  await conversation(one).getByText("From the second window").waitFor({ state: "detached" });
  run.say(" it.").end();
  const next = await b.gateway.nextRun();
  next.say("And the rest.").end();
  for (const page of [one, two]) {
    await conversation(page).getByText("And the rest.").waitFor();
    await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
    for (const text of [
      "From the first window",
      "Half of it.",
      "From the second window",
      "And the rest.",
    ])
      expect(await conversation(page).getByText(text, { exact: true }).count()).toBe(1);
    expect(page.problems).toEqual([]);
  }
});

check("Esc stops the answer; what waited behind it can be sent again", async () => {
  const page = await b.open();
  await send(page, "Long task");
  const run = await b.gateway.nextRun();
  run.say("I begin");
  await conversation(page).getByText("I begin").waitFor();
  await send(page, "Next task");
  await page.getByText("Waits: it is read after the current step").waitFor();
  await box(page).press("Escape");
  await page.getByText("Stopped before it was read").waitFor();
  await page.getByRole("button", { name: "Send again" }).click();
  const next = await b.gateway.nextRun();
  expect(next.question).toBe("Next task");
  next.say("Fine.").end();
  await conversation(page).getByText("Fine.").waitFor();
  await conversation(page).getByText("I begin").waitFor();
});

check("a failed turn says what happened, what to do, and gives the details", async () => {
  const page = await b.open();
  await send(page, "Hello");
  const run = await b.gateway.nextRun();
  run.fail("The provider refused the key.", "Check the API key of this provider.");
  const problem = page.getByRole("group", { name: "The provider refused the key." });
  await problem.getByText("Check the API key of this provider.").waitFor();
  await problem.getByRole("button", { name: "Copy details" }).click();
  await problem.getByText("Copied").waitFor();
});

check("a refused message keeps its text and says why", async () => {
  const page = await b.open();
  b.gateway.failures.set("chat.send", { code: "INVALID_REQUEST", message: "The disk is full." });
  await send(page, "Keep me");
  await page.getByText("The disk is full.").waitFor();
  b.gateway.failures.clear();
  await page.getByRole("button", { name: "Send again" }).click();
  (await b.gateway.nextRun()).say("Kept.").end();
  await conversation(page).getByText("Kept.").waitFor();
  expect(await conversation(page).getByText("Keep me").count()).toBe(1);
});

check("a draft survives a reload, per conversation", async () => {
  const page = await b.open();
  await box(page).fill("half a thought");
  await page.reload();
  await box(page).waitFor();
  expect(await box(page).inputValue()).toBe("half a thought");
  await page.goto(`${b.gateway.url}chat/agent:main:other`);
  await box(page).waitFor();
  expect(await box(page).inputValue()).toBe("");
  await page.goBack();
  await box(page).waitFor();
  expect(await box(page).inputValue()).toBe("half a thought");
});

check(
  "Enter that ends an input method's word does not send; Shift+Enter makes a line",
  async () => {
    const page = await b.open();
    await box(page).fill("あ");
    await box(page).dispatchEvent("keydown", { key: "Enter", isComposing: true });
    await box(page).press("Shift+Enter");
    await box(page).pressSequentially("い");
    expect(await box(page).inputValue()).toBe("あ\nい");
    expect(b.gateway.sends).toEqual([]);
    await box(page).press("Enter");
    expect((await b.gateway.nextRun()).question).toBe("あ\nい");
  },
);

check("the reader stays where the reader is, and is told of what is new", async () => {
  const session = b.gateway.session(MAIN);
  for (let i = 0; i < 60; i++)
    session.add({
      role: i % 2 ? "assistant" : "user",
      content: [{ type: "text", text: `Line ${i}` }],
    });
  const page = await b.open();
  await conversation(page).getByText("Line 59", { exact: true }).waitFor();
  await send(page, "More");
  const run = await b.gateway.nextRun();
  run.say("begun");
  await conversation(page).getByText("begun").waitFor();
  await conversation(page).getByText("Line 0", { exact: true }).scrollIntoViewIfNeeded();
  const top = () => conversation(page).evaluate((el) => el.scrollTop);
  await page.getByRole("button", { name: "Go to the newest message" }).waitFor();
  const before = await top();
  run.say("\n\nand more\n\n".repeat(20)).tool("t9", "exec", { command: "true" });
  await page.getByText("New messages").waitFor();
  expect(await top()).toBe(before);
  await page.getByRole("button", { name: "Go to the newest message" }).click();
  await page.getByText("New messages").waitFor({ state: "detached" });
  expect(await top()).toBeGreaterThan(before);
});

check("ten thousand messages page upwards to the first", async () => {
  const session = b.gateway.session(MAIN);
  for (let i = 1; i <= 10_000; i++)
    session.add({
      role: i % 2 ? "user" : "assistant",
      content: [{ type: "text", text: `Message number ${i}` }],
    });
  const page = await b.open();
  await conversation(page).getByText("Message number 10000", { exact: true }).waitFor();
  // Nobody scrolled: the older pages are not fetched on suspicion.
  expect(b.gateway.calls.filter((c) => c.params.before !== undefined).length).toBeLessThan(3);
  await page.waitForFunction(
    () => {
      const scroller = document.querySelector('[role="region"][aria-label="Conversation"]')!;
      scroller.scrollTop = 0;
      return scroller.textContent.includes("The beginning of this conversation");
    },
    undefined,
    { timeout: 50_000 },
  );
  await conversation(page).getByText("Message number 1", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Go to the newest message" }).click();
  await send(page, "Still there?");
  (await b.gateway.nextRun()).say("Still here.").end();
  await conversation(page).getByText("Still here.").waitFor();
  expect(
    await conversation(page)
      .getByText(/^Message number/)
      .count(),
  ).toBe(10_000);
});

check(
  "an image is attached, seen before and after it is sent, and what is none is refused",
  async () => {
    const page = await b.open();
    const png =
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    const picker = page.locator("input[type=file]");
    await picker.setInputFiles({
      name: "dot.png",
      mimeType: "image/png",
      buffer: Buffer.from(png, "base64"),
    });
    await page.getByRole("img", { name: "dot.png" }).waitFor();
    await picker.setInputFiles({
      name: "big.png",
      mimeType: "image/png",
      buffer: Buffer.alloc(5_000_001),
    });
    await page.getByText("big.png is not a picture that can be sent.").waitFor();
    await send(page, "What is this?");
    const run = await b.gateway.nextRun();
    expect(run.content[1]).toEqual({ type: "image", data: png, mimeType: "image/png" });
    run.say("A dot.").end();
    await conversation(page).getByText("A dot.").waitFor();
    await conversation(page).getByRole("img", { name: "Attached image" }).waitFor();
    expect(page.problems).toEqual([]);
  },
);

check("the demo model is named as such, and the page says how to add a real one", async () => {
  const page = await b.open();
  await page.getByText("This is the demo model").waitFor();
  await page.getByRole("button", { name: "Add a model" }).click();
  await page
    .getByRole("dialog", { name: "Add a model" })
    .getByText("env.ANTHROPIC_API_KEY")
    .waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByLabel("Model").selectOption("anthropic/sonnet");
  await b.gateway.until(() => b.gateway.session(MAIN).model === "anthropic/sonnet");
  await page.getByText("This is the demo model").waitFor({ state: "detached" });
});

check("/new starts again and can be undone; /stop stops", async () => {
  const session = b.gateway.session(MAIN);
  session.add({ role: "user", content: [{ type: "text", text: "Old talk" }] });
  const page = await b.open();
  await conversation(page).getByText("Old talk").waitFor();
  await box(page).fill("/n");
  await page.getByRole("option", { name: /\/new/ }).waitFor();
  await box(page).press("Enter");
  await conversation(page).getByText("Old talk").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Undo" }).click();
  await conversation(page).getByText("Old talk").waitFor();
  await box(page).fill("/new");
  await box(page).press("Enter");
  // A message into the emptied conversation makes the reset final at once.
  await send(page, "Fresh start");
  (await b.gateway.nextRun()).say("Hello.").end();
  await conversation(page).getByText("Hello.").waitFor();
  expect(b.gateway.calls.some((c) => c.method === "sessions.reset")).toBe(true);
  expect(await conversation(page).getByText("Old talk").count()).toBe(0);
});
