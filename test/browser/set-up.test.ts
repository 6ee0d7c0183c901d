/** The set-up in the browser: a compiled gateway without any config, and somebody who has nothing but its page. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Browser, chromium, type Page } from "playwright-core";

import { muteSignal } from "../../src/channels/whatsapp/logger.ts";
import { emptyHome, type Home, type Running, startGatewayProcess } from "../e2e/binary.ts";
import { startAnthropic } from "../fakes/anthropic.ts";
import { startWhatsApp } from "../fakes/whatsapp/index.ts";
import { PHONE } from "./browser.ts";

setDefaultTimeout(60_000);
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
const ARGS =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
const PATIENCE = 20_000;
const KEY = "sk-ant-api03-a-key-that-nobody-may-see";
const pictures = join(tmpdir(), "clawdbot-browser-tests");

const shared = {} as { browser: Browser };
beforeAll(async () => {
  mkdirSync(pictures, { recursive: true });
  if (executablePath)
    shared.browser = await chromium.launch({ executablePath, args: ARGS.split(" ") });
});
afterAll(() => shared.browser?.close());
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

type Place = { page: Page; home: Home; gateway: Running; frames: string[]; env: object };

/** A phone in the dark, signed in to a gateway that was never set up. `frames`: all that the gateway has said. */
async function place(more: Record<string, string> = {}): Promise<Place> {
  const home = emptyHome();
  open.push(home.remove);
  const fake = await startAnthropic({
    key: KEY,
    script: () => ({ text: "Hello from the new model." }),
  });
  open.push(() => fake.stop());
  const env = { ANTHROPIC_BASE_URL: fake.url, ...more };
  const gateway = await startGatewayProcess(home, { env });
  open.push(() => gateway.kill());
  const context = await shared.browser.newContext({ viewport: PHONE, colorScheme: "dark" });
  open.push(() => context.close());
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const frames: string[] = [];
  page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => void frames.push(String(payload))),
  );
  await page.goto(/open (http:\/\/\S+#ticket=\S+)/.exec(gateway.log())![1]!);
  await page.getByRole("textbox", { name: "Message" }).waitFor();
  return { page, home, gateway, frames, env };
}

const dialog = (page: Page) => page.getByRole("dialog", { name: "Set up" });
const question = (page: Page, name: string | RegExp) =>
  dialog(page).getByRole("heading", { name, level: 3 });
const press = (page: Page, name: string) =>
  dialog(page).getByRole("button", { name, exact: true }).click();
const field = (page: Page) => dialog(page).locator("input[type=password]");
const wide = (page: Page) =>
  page.evaluate(() => ({
    page: document.documentElement.scrollWidth - innerWidth,
    dialog: [...document.querySelectorAll("dialog[open] *")].filter(
      (each) => each.getBoundingClientRect().right > innerWidth + 1,
    ).length,
  }));

test.skipIf(!executablePath)(
  "from the demo model to an answer of a real one, on a phone, and the key is shown nowhere",
  async () => {
    const { page, home, gateway, frames } = await place();
    await page.getByRole("button", { name: "Set up" }).first().click();
    await question(page, "Go on?").waitFor();
    expect(await wide(page)).toEqual({ page: 0, dialog: 0 });
    await page.screenshot({ path: join(pictures, "set-up-risk.png") });
    await press(page, "Yes");

    await question(page, "Key of a model provider, or nothing for now").waitFor();
    expect(await field(page).evaluate((each) => each === document.activeElement)).toBe(true);
    expect(await field(page).getAttribute("autocomplete")).toBe("off");
    await dialog(page).getByRole("button", { name: "Continue without" }).waitFor();
    await field(page).fill("two words");
    await page.keyboard.press("Enter");
    await dialog(page).getByRole("alert").getByText("no key has").waitFor();
    await page.screenshot({ path: join(pictures, "set-up-key.png") });
    expect(await wide(page)).toEqual({ page: 0, dialog: 0 });

    // A page that is loaded again goes on where it was.
    await page.reload();
    await page.getByRole("textbox", { name: "Message" }).waitFor();
    await page.getByRole("button", { name: "Set up" }).first().click();
    await question(page, "Key of a model provider, or nothing for now").waitFor();
    expect(await field(page).inputValue()).toBe("");
    await field(page).fill(KEY);
    await press(page, "Continue");

    await question(page, "Which chat app shall reach the assistant?").waitFor();
    expect(await dialog(page).getByRole("radio").count()).toBe(4);
    expect(await wide(page)).toEqual({ page: 0, dialog: 0 });
    await page.screenshot({ path: join(pictures, "set-up-chat.png") });
    await press(page, "Continue");
    await question(page, "Ready").waitFor();
    await dialog(page).getByText("answers now.").waitFor();
    await press(page, "Continue");
    await dialog(page).getByText("Everything is set up.").waitFor();
    await dialog(page).locator(".form-foot").getByRole("button", { name: "Close" }).click();

    // The words about the demo model are gone, and the new one answers.
    await page.getByText("This is the demo model").waitFor({ state: "detached" });
    await page.getByRole("textbox", { name: "Message" }).fill("Hello");
    await page.keyboard.press("Enter");
    await page
      .getByRole("region", { name: "Conversation" })
      .getByText("Hello from the new model.")
      .first()
      .waitFor();
    expect(readFileSync(join(home.state, ".env"), "utf8")).toBe(`ANTHROPIC_API_KEY=${KEY}\n`);
    expect(frames.length).toBeGreaterThan(10);
    expect(frames.filter((each) => each.includes(KEY))).toEqual([]);
    expect(gateway.log()).not.toContain(KEY);
    const kept = await page.evaluate(() =>
      JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href]),
    );
    expect(kept).not.toContain(KEY);
  },
);

test.skipIf(!executablePath)(
  "it can be left, and a gateway that goes away in the middle is told",
  async () => {
    const { page, home, gateway, env } = await place();
    await page.getByRole("button", { name: "Set up" }).first().click();
    await question(page, "Go on?").waitFor();
    await press(page, "Cancel set-up");
    await dialog(page).getByText("Nothing more was changed.").waitFor();
    await press(page, "Begin again");
    await question(page, "Go on?").waitFor();
    await press(page, "No");
    await dialog(page).getByText("Nothing more was changed.").waitFor();
    await press(page, "Begin again");
    await question(page, "Go on?").waitFor();
    await gateway.kill("SIGKILL");
    const second = await startGatewayProcess(home, {
      env: env as Record<string, string>,
      port: gateway.port,
    });
    open.push(() => second.kill());
    await dialog(page).getByText("The connection to the gateway was lost.").waitFor();
    await press(page, "Begin again");
    await question(page, "Go on?").waitFor();
    // Esc closes the dialog; the words about doing it by hand are one click away.
    await press(page, "By hand");
    await page.getByRole("dialog", { name: "Add a model" }).waitFor();
    expect(existsSync(join(home.state, ".env"))).toBe(false);
  },
);

test.skipIf(!executablePath)("a phone is linked with the picture in the dialog", async () => {
  muteSignal();
  const whatsapp = startWhatsApp({ prekeys: 0 });
  open.push(() => whatsapp.close());
  const { page, frames } = await place(whatsapp.env);
  await page.getByRole("button", { name: "Set up" }).first().click();
  await question(page, "Go on?").waitFor();
  await press(page, "Yes");
  await press(page, "Continue without");
  await question(page, "Which chat app shall reach the assistant?").waitFor();
  await dialog(page)
    .getByRole("radio", { name: /^WhatsApp/ })
    .check();
  await press(page, "Continue");
  const picture = dialog(page).getByRole("img", { name: "The picture to scan with the phone" });
  await picture.waitFor();
  expect(await picture.getAttribute("src")).toStartWith("data:image/png;base64,");
  expect(await wide(page)).toEqual({ page: 0, dialog: 0 });
  await page.screenshot({ path: join(pictures, "set-up-picture.png") });
  const shown = frames.map((each) => /"qr":"([^"]+)"/.exec(each)?.[1]).findLast(Boolean)!;
  whatsapp.world.asking!.scan(shown);
  await question(page, "Ready").waitFor();
  await dialog(page).getByText(`WhatsApp: Linked as ${whatsapp.owner.id}.`).waitFor();
});
