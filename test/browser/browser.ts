/** One Chromium for the browser tests of a file, and pages that watch themselves: errors, policy violations, foreign requests. */
import { afterAll, afterEach, beforeEach } from "bun:test";
import { existsSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

import { type FakeGateway, startFakeGateway, TOKEN } from "../fakes/gateway.ts";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = PATHS.find(existsSync);
export const noChromium = executablePath === undefined;
export const SCREENSHOTS = join(tmpdir(), "clawdbot-browser-tests");
const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** How long a page may take to show what is waited for, in ms. */
const PATIENCE = 15_000;

export const PHONE = { width: 360, height: 740 };
export const DESK = { width: 1280, height: 800 };

export type Tab = Page & { problems: string[] };
type Options = { viewport?: { width: number; height: number }; colorScheme?: "light" | "dark" };

/** Per test: a gateway of its own and pages with a fresh profile. A failed test leaves its pages' pictures in `SCREENSHOTS`. */
export function useBrowser() {
  const shared: { browser?: Promise<Browser> } = {};
  const now = {} as { gateway: FakeGateway; contexts: BrowserContext[]; tabs: Tab[] };

  beforeEach(async () => {
    now.gateway = await startFakeGateway();
    now.contexts = [];
    now.tabs = [];
  });
  afterEach(async () => {
    await Promise.all(now.contexts.map((context) => context.close()));
    await now.gateway.stop();
  });
  afterAll(async () => {
    await (await shared.browser)?.close();
  });

  const profile = async (options: Options = {}): Promise<BrowserContext> => {
    shared.browser ??= chromium.launch({ executablePath, args: ARGS });
    const context = await (await shared.browser).newContext({ viewport: DESK, ...options });
    context.setDefaultTimeout(PATIENCE);
    now.contexts.push(context);
    return context;
  };
  const tab = async (context: BrowserContext, port = now.gateway.port): Promise<Tab> => {
    const page = Object.assign(await context.newPage(), { problems: [] as string[] });
    now.tabs.push(page);
    page.on("pageerror", (error) => page.problems.push(error.message));
    page.on("console", (message) => {
      // A connection that the test itself cuts is reported by the browser; that is no problem of the page.
      if (message.type() !== "error" || /WebSocket|ERR_CONNECTION|401|404/.test(message.text()))
        return;
      page.problems.push(message.text());
    });
    page.on("request", (request) => {
      const url = new URL(request.url());
      const own = url.port === String(port) && url.hostname === "127.0.0.1";
      if (!own && !/^(data|blob|about):/.test(url.protocol))
        page.problems.push(`request to ${url}`);
    });
    return page;
  };

  return {
    get gateway(): FakeGateway {
      return now.gateway;
    },
    profile,
    tab,
    /** A fresh profile at this path, signed in by a link, ready to type (or on the given page). */
    async open(path = "", options: Options = {}): Promise<Tab> {
      const page = await tab(await profile(options));
      await page.goto(`${now.gateway.url}${path}#token=${TOKEN}`);
      await page.getByRole("main").waitFor();
      await shownText(page, "Connected").waitFor();
      return page;
    },
    /** Runs a test; when it fails, its pages are photographed and the place is said. */
    async shown(name: string, run: () => Promise<void>): Promise<void> {
      try {
        await run();
      } catch (cause) {
        mkdirSync(SCREENSHOTS, { recursive: true });
        for (const [i, page] of now.tabs.entries()) {
          const path = join(SCREENSHOTS, `${name.replace(/\W+/g, "-").slice(0, 80)}-${i}.png`);
          await page.screenshot({ path }).then(
            () => process.stderr.write(`screenshot: ${path}\n`),
            () => process.stderr.write("no screenshot: the page is gone\n"),
          );
          if (page.problems.length) process.stderr.write(`problems: ${page.problems.join("\n")}\n`);
        }
        throw cause;
      }
    },
  };
}

export const box = (page: Page) => page.getByRole("textbox", { name: "Message" });
export const conversation = (page: Page) => page.getByRole("region", { name: "Conversation" });

/** The first of the places that say this and can be seen. */
export const shownText = (page: Page, text: string | RegExp) =>
  page.getByText(text).filter({ visible: true }).first();

/** Types a message and sends it with Enter. */
export async function send(page: Page, text: string): Promise<void> {
  await box(page).fill(text);
  await box(page).press("Enter");
}
