/** The page "Messages": why did I get no answer? */
import { expect, setDefaultTimeout, test } from "bun:test";

import type { Page } from "playwright-core";

import { trace } from "../fakes/networks.ts";
import { noChromium, useBrowser } from "./browser.ts";

setDefaultTimeout(60_000);
const it = test.skipIf(noChromium);
const b = useBrowser();
const check = (name: string, run: () => Promise<void>) => it(name, () => b.shown(name, run));

const main = (page: Page) => page.getByRole("main");
const list = (page: Page) => main(page).getByRole("list", { name: "Messages" });
const steps = (page: Page) => main(page).getByRole("list", { name: "What became of it" });
const unsent = { run: undefined, outbox: [], answered: false };

const dropped = () =>
  trace({
    ...unsent,
    id: "-100:42",
    text: "hi, who is this?",
    sender: { id: "99120", name: "Mallory" },
    decision: {
      kind: "drop",
      reason: "not_paired",
      what: "Its sender has not been let in yet.",
      remedy: "Let them in with `clawdbot pairing approve`.",
    },
    outcome: "Not answered.",
  });

/** With a clock that can be put forward. */
async function opened(path: string) {
  const page = await b.open(path);
  await page.clock.install();
  await page.reload();
  return page;
}

check("every message says what became of it, and its story is one click away", async () => {
  b.gateway.networks.messages = [dropped(), trace({ id: "7", text: "What time is it?" })];
  const page = await b.open("messages");
  const rows = list(page).getByRole("link");
  await rows.first().waitFor();
  expect(await rows.nth(0).innerText()).toMatch(
    /1m ago[\s\S]*Telegram[\s\S]*Mallory[\s\S]*hi, who is this\?[\s\S]*has not been let in/,
  );
  expect(await rows.nth(1).innerText()).toMatch(/Ada[\s\S]*What time is it\?[\s\S]*Answered\./);
  await rows.nth(0).click();
  const story = steps(page);
  await story.getByRole("heading", { name: /^Decided/ }).waitFor();
  expect(await story.getByRole("heading").allInnerTexts()).toEqual([
    expect.stringMatching(/^Received/),
    expect.stringMatching(/^Decided/),
  ]);
  await story.getByText("clawdbot pairing approve", { exact: true }).waitFor();
  expect(new URL(page.url()).pathname).toBe("/messages/-100%3A42");
  await page.reload();
  await steps(page).getByText("Its sender has not been let in yet.").waitFor();
  await main(page).getByRole("link", { name: "All messages" }).click();
  await rows.nth(1).click();
  const whole = steps(page);
  await whole.getByText("The platform has confirmed it.").waitFor();
  for (const title of ["Received", "Decided", "Queued", "Run", "Sent"])
    await whole.getByRole("heading", { name: new RegExp(`^${title}`) }).waitFor();
  await whole.getByText("9001").waitFor();
  await main(page).getByRole("link", { name: "Open the conversation" }).click();
  await page.getByRole("textbox", { name: "Message" }).waitFor();
  await page.goBack();
  await whole.waitFor();
  expect(page.problems).toEqual([]);
});

check("the story goes on while one looks: queued, running, sent", async () => {
  const one = trace({ ...unsent, id: "7", run: { id: "r7", state: "queued", attempts: 0 } });
  one.outcome = "It waits for its turn.";
  b.gateway.networks.messages = [one];
  const page = await opened("messages/r7");
  await steps(page).getByText("It waits for its turn.").waitFor();
  Object.assign(one, trace({ id: "7", run: { ...trace({ id: "7" }).run!, id: "r7" } }));
  await page.clock.runFor(2_000);
  await steps(page).getByText("The platform has confirmed it.").waitFor();
  await main(page).getByRole("status").getByText("Answered.").waitFor();
});

check("a failed run shows the model's error, its tools, and what to do", async () => {
  const at = Date.now() - 60_000;
  b.gateway.networks.messages = [
    trace({
      ...unsent,
      id: "8",
      tools: [{ name: "exec", at, failed: true }],
      run: {
        id: "r8",
        state: "failed",
        attempts: 2,
        startedAt: at,
        endedAt: at + 3_000,
        error: { code: "provider_auth", message: "The key was refused.", hint: "Check the key." },
      },
      outcome: "The run failed: The key was refused.",
    }),
  ];
  const page = await b.open("messages/8");
  const story = steps(page);
  await story.getByText("The key was refused.").waitFor();
  await story.getByText("Check the key.").waitFor();
  await story.getByText("It was begun 2 times").waitFor();
  await story.getByText(/exec.*failed/).waitFor();
});

check(
  "messages are paged, filtered by channel and by what is unanswered, and new ones appear",
  async () => {
    const at = Date.now() - 3_600_000;
    b.gateway.networks.messages = Array.from({ length: 120 }, (_, i) =>
      trace({
        id: `${120 - i}`,
        acceptedAt: at - i * 1000,
        text: `Text ${120 - i}.`,
        channel: i % 2 ? "discord" : "telegram",
        ...(i === 110 ? unsent : {}),
      }),
    );
    const page = await opened("messages");
    const rows = list(page).getByRole("link");
    await rows.first().waitFor();
    expect(await rows.count()).toBe(50);
    const more = page.getByRole("button", { name: "Show more" });
    await more.click();
    await list(page).getByText("Text 71.").waitFor();
    await more.click();
    await list(page).getByText("Text 1.", { exact: true }).waitFor();
    expect(await rows.count()).toBe(120);
    expect(await more.count()).toBe(0);
    // A new one comes by itself, and nothing that was loaded is lost.
    b.gateway.networks.messages.unshift(trace({ id: "121", text: "Brand new" }));
    await page.clock.runFor(5_000);
    await list(page).getByText("Brand new").waitFor();
    expect(await rows.count()).toBe(121);
    expect(await more.count()).toBe(0);
    await page.getByRole("combobox", { name: "Channel" }).selectOption("discord");
    await list(page).getByText("Brand new").waitFor({ state: "detached" });
    await list(page).getByText("Text 119.").waitFor();
    await page.getByRole("combobox", { name: "Channel" }).selectOption("");
    await page.getByRole("checkbox", { name: "Only unanswered" }).check();
    await list(page).getByText("Text 10.").waitFor();
    await page.waitForFunction(() => document.querySelectorAll("main li a").length === 1);
    await page.getByRole("combobox", { name: "Channel" }).selectOption("whatsapp");
    await page.getByText("Nothing matches the filter").waitFor();
    expect(page.problems).toEqual([]);
  },
);

check("a message is found by any of its ids, and nonsense is said to be unknown", async () => {
  b.gateway.networks.messages = [trace({ id: "7", text: "Needle" })];
  const page = await b.open("messages");
  const box = page.getByRole("searchbox", { name: "Find a message by its id" });
  await box.fill(" 9001 ");
  await page.keyboard.press("Enter");
  await steps(page).getByText("Needle").waitFor();
  await page.goBack();
  await box.fill("nothing/at all?");
  await page.getByRole("button", { name: "Find" }).click();
  await main(page).getByText("This message is not known").waitFor();
  await main(page).getByText("clawdbot message recent", { exact: true }).waitFor();
  expect(b.gateway.calls.filter(({ method }) => method === "message.trace").at(-1)!.params).toEqual(
    {
      id: "nothing/at all?",
    },
  );
});

check("no message, and a gateway that cannot answer, are told apart", async () => {
  const page = await opened("messages");
  await main(page).getByText("No message has arrived yet").waitFor();
  b.gateway.failures.set("messages.recent", { code: "UNAVAILABLE", message: "The disk is gone." });
  await page.clock.runFor(5_000);
  await main(page).getByText("The disk is gone.").waitFor();
  b.gateway.failures.clear();
  await main(page).getByRole("button", { name: "Try again" }).click();
  await main(page).getByRole("alert").waitFor({ state: "detached" });
});

check("words of strangers are text and nothing else", async () => {
  const evil = '<img src=x onerror="document.title=1"> [a](javascript:alert(1))';
  b.gateway.networks.messages = [
    trace({ id: "7", text: `${evil}\u202e tail`, sender: { id: "1", name: `\u202eB<b>ob` } }),
  ];
  const page = await b.open("messages");
  const row = list(page).getByRole("link");
  await row.waitFor();
  expect(await row.innerText()).toContain("B<b>ob");
  expect(await row.innerText()).toContain(`${evil} tail`);
  await row.click();
  await steps(page).getByText(`${evil} tail`).waitFor();
  expect(await page.locator("main img").count()).toBe(0);
  expect(page.problems).toEqual([]);
});

check("a conversation says from which network it is", async () => {
  const key = "agent:main:telegram:dm:4711";
  const session = b.gateway.session(key);
  session.channel = "telegram";
  session.add({ role: "user", content: [{ type: "text", text: "Book a table" }] });
  const here = b.gateway.session("agent:main:chat-a");
  here.channel = "webchat";
  here.add({ role: "user", content: [{ type: "text", text: "From this page" }] });
  const page = await b.open(`chat/${key}`);
  const heading = main(page)
    .locator("header")
    .filter({ has: page.getByRole("heading") });
  await heading.getByText("Telegram").waitFor();
  const nav = page.getByRole("navigation", { name: "Main" });
  await nav.getByRole("link", { name: "Book a table Telegram" }).waitFor();
  await nav.getByRole("link", { name: "From this page", exact: true }).waitFor();
  await nav.getByRole("link", { name: "Conversations" }).click();
  const row = main(page).getByRole("listitem").filter({ hasText: "Book a table" });
  await row.getByText("Telegram").waitFor();
});
