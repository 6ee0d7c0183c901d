/** The main job as a person does it: the compiled binary, a real browser, a model that can be held back in the middle of an answer. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Browser, chromium, type Page } from "playwright-core";

import { emptyHome, type Running, startGatewayProcess } from "../e2e/binary.ts";
import { startAnthropic } from "../fakes/anthropic.ts";

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
const ARGS =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
const PATIENCE = 20_000;

const home = emptyHome();
const pictures = join(tmpdir(), "clawdbot-browser-tests");
const parts = {} as {
  fake: Awaited<ReturnType<typeof startAnthropic>>;
  gateway: Running;
  browser: Browser;
};

function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: () => resolve() };
}

async function signedIn(page: Page): Promise<void> {
  const link = /open (http:\/\/\S+#ticket=\S+)/.exec(parts.gateway.log())![1]!;
  await page.goto(link);
  await page.getByRole("textbox", { name: "Message" }).waitFor();
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.keyboard.press("Enter");
}

const shot = (page: Page, name: string) => page.screenshot({ path: join(pictures, `${name}.png`) });
/** The conversation itself; the same words are also announced to screen readers elsewhere. */
const talk = (page: Page) => page.getByRole("region", { name: "Conversation" });
const times = async (page: Page, text: string): Promise<number> =>
  (await talk(page).innerText()).split(text).length - 1;

beforeAll(async () => {
  if (!executablePath) return;
  mkdirSync(home.state, { recursive: true });
  mkdirSync(pictures, { recursive: true });
  parts.fake = await startAnthropic({});
  writeFileSync(
    join(home.state, "clawdbot.json"),
    JSON.stringify({
      gateway: { mode: "local" },
      agents: { defaults: { model: "anthropic/claude-sonnet-4-5" } },
      models: { providers: { anthropic: { baseUrl: parts.fake.url, apiKey: "sk-ant-test-key" } } },
    }),
  );
  parts.gateway = await startGatewayProcess(home);
  parts.browser = await chromium.launch({ executablePath, args: ARGS.split(" ") });
}, 60_000);

afterAll(async () => {
  await parts.browser?.close();
  await parts.gateway?.kill();
  await parts.fake?.stop();
  home.remove();
});

test.skipIf(!executablePath)(
  "a message is answered with streamed text and a tool card; a reload and a restart in the middle lose nothing",
  async () => {
    const { fake, browser } = parts;
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (m) => {
      if (m.type() === "error" && !/WebSocket|ERR_CONNECTION/.test(m.text()))
        problems.push(m.text());
    });
    await signedIn(page);
    expect(page.url()).not.toContain("ticket");

    // 1. Streamed text, half of it first, then a tool and its card.
    const rest = gate();
    fake.reply({
      text: "I look at the files first, then I tell you.",
      chunks: 8,
      until: rest.opened,
      toolCalls: [{ name: "exec", args: { command: "echo from-the-tool" } }],
    });
    fake.reply({ text: "There is **one** file.", chunks: 3 });
    await say(page, "What is in my folder?");
    await talk(page).getByText("I look at the").waitFor();
    expect(await talk(page).innerText()).not.toContain("then I tell you.");
    await page.getByRole("button", { name: "Stop" }).waitFor();
    rest.open();
    await talk(page).getByText("There is one file.").waitFor();
    const card = talk(page).getByText("echo from-the-tool").first();
    await card.click();
    await talk(page).getByText("from-the-tool", { exact: true }).first().waitFor();
    await shot(page, "main-1-tool-card");

    // 2. A reload in the middle of an answer shows it going on.
    const second = gate();
    fake.reply({ text: "Alpha beta gamma delta epsilon.", chunks: 5, until: second.opened });
    await say(page, "Count in Greek");
    await talk(page).getByText("Alpha").waitFor();
    await page.reload();
    await talk(page).getByText("Alpha").waitFor();
    await page.getByRole("button", { name: "Stop" }).waitFor();
    await shot(page, "main-2-reloaded");
    second.open();
    await talk(page).getByText("Alpha beta gamma delta epsilon.").waitFor();

    // 3. The gateway is killed in the middle of another one and comes back on the same port; the turn goes on by itself.
    const third = gate();
    fake.reply({ text: "Firstpart of an answer that is cut.", until: third.opened });
    fake.reply({ text: "Here is the whole answer after the restart.", chunks: 4 });
    await say(page, "Survive a restart");
    await talk(page).getByText("Firstpart").waitFor();
    const { port } = parts.gateway;
    await parts.gateway.kill("SIGKILL");
    third.open();
    await page.getByText("Reconnecting").or(page.getByText("Connecting")).first().waitFor();
    await shot(page, "main-3-reconnecting");
    parts.gateway = await startGatewayProcess(home, { port });
    await talk(page).getByText("Here is the whole answer after the restart.").waitFor();
    await page.getByText("Connected", { exact: true }).first().waitFor();
    await shot(page, "main-4-restarted");

    // 4. Everything is there once, also after another reload and in another browser.
    const complete = async (view: Page) => {
      await talk(view).getByText("Here is the whole answer after the restart.").waitFor();
      for (const text of [
        "What is in my folder?",
        "There is one file.",
        "Count in Greek",
        "Alpha beta gamma delta epsilon.",
        "Survive a restart",
        "Here is the whole answer after the restart.",
      ])
        expect({ text, times: await times(view, text) }).toEqual({ text, times: 1 });
    };
    await complete(page);
    await page.reload();
    await complete(page);
    const other = await (
      await browser.newContext({ viewport: { width: 360, height: 740 }, colorScheme: "dark" })
    ).newPage();
    await signedIn(other);
    await complete(other);
    await shot(other, "main-5-phone-dark");
    const wide = await other.evaluate("document.documentElement.scrollWidth");
    expect(wide).toBeLessThanOrEqual(360);

    expect(problems).toEqual([]);
    expect(readFileSync(join(home.state, "gateway-token"), "utf8").length).toBeGreaterThan(30);
  },
  120_000,
);
