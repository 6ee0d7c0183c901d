import { expect, setDefaultTimeout, test } from "bun:test";

import type { Page } from "playwright-core";

import { MAIN } from "../fakes/gateway.ts";
import { account, trace } from "../fakes/networks.ts";
import { box, conversation, DESK, noChromium, PHONE, send, useBrowser } from "./browser.ts";

setDefaultTimeout(60_000);
const it = test.skipIf(noChromium);
const b = useBrowser();
const check = (name: string, run: () => Promise<void>) => it(name, () => b.shown(name, run));

function talk(key: string, question: string, answer = "An answer."): void {
  const session = b.gateway.session(key);
  session.add({ role: "user", content: [{ type: "text", text: question }] });
  session.add({ role: "assistant", content: [{ type: "text", text: answer }] });
}
const list = (page: Page) => page.getByRole("main");

/** Networks with everything that can be said of them, and `words` wherever a stranger chose them. */
function crowd(words: string): void {
  const { networks } = b.gateway;
  networks.accounts = {
    telegram: [
      account({ self: { id: "1", handle: words }, reconnectAttempts: 2 }),
      account({ accountId: "off", enabled: false, name: words }),
    ],
    whatsapp: [account({ linked: false, connected: false, lastError: words })],
  };
  networks.warnings = [
    { channel: "telegram", accountId: "default", kind: "privacy", message: words, fix: words },
  ];
  networks.knock({ id: words, code: "AAAAAAA2", meta: { name: words } });
  networks.allowed = [{ channel: "telegram", accountId: "default", id: words, addedAt: 1 }];
  const error = { code: "x", message: words, hint: words };
  const decision = { kind: "drop" as const, reason: "not_paired", what: words, remedy: words };
  networks.messages = [
    trace({
      id: "bad",
      text: words,
      sender: { id: words, name: words },
      chatId: words,
      tools: [{ name: words, at: 1, failed: true }],
      run: { id: "r-bad", state: "failed", attempts: 2, error },
      answered: false,
    }),
    trace({ id: "drop", text: words, run: undefined, outbox: [], answered: false, decision }),
  ];
}
const CROWDED = ["channels", "messages", "messages/r-bad", "messages/drop", "messages/nothing"];

check("conversations are listed newest first, searched, renamed, and paged", async () => {
  for (let i = 1; i <= 60; i++) {
    talk(`agent:main:chat-${i}`, `Topic ${i}`);
    b.gateway.session(`agent:main:chat-${i}`).updatedAt = Date.now() - (61 - i) * 60_000;
  }
  const page = await b.open("sessions");
  const links = list(page).getByRole("link", { name: /^Topic/ });
  await links.first().waitFor();
  expect(await links.first().textContent()).toStartWith("Topic 60");
  expect(await links.count()).toBe(50);
  await page.getByRole("button", { name: "Show more" }).click();
  await list(page)
    .getByRole("link", { name: /^Topic 1 ?An/ })
    .waitFor();
  expect(await links.count()).toBe(60);
  await page.getByRole("searchbox", { name: "Search conversations" }).fill("topic 42");
  await list(page)
    .getByRole("link", { name: /^Topic 41/ })
    .waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Rename: Topic 42" }).click();
  await page.getByRole("textbox", { name: /^Name/ }).fill("The answer");
  await page.keyboard.press("Enter");
  await b.gateway.until(() => b.gateway.session("agent:main:chat-42").label === "The answer");
  await page.getByRole("searchbox", { name: "Search conversations" }).fill("answer");
  await list(page)
    .getByRole("link", { name: /^The answer/ })
    .click();
  await conversation(page).getByText("Topic 42").waitFor();
  expect(new URL(page.url()).pathname).toBe("/chat/agent:main:chat-42");
  await page.goBack();
  await page.getByRole("heading", { name: "Conversations" }).waitFor();
  expect(page.problems).toEqual([]);
});

check("a deleted conversation can be taken back for five seconds, then it is gone", async () => {
  talk("agent:main:chat-a", "Keep this");
  talk("agent:main:chat-b", "Drop this");
  const page = await b.open("sessions");
  await page.clock.install();
  await page.getByRole("button", { name: "Delete: Keep this" }).click();
  await list(page)
    .getByRole("link", { name: /Keep this/ })
    .waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Undo" }).click();
  await list(page)
    .getByRole("link", { name: /Keep this/ })
    .waitFor();
  await page.getByRole("button", { name: "Delete: Drop this" }).click();
  await list(page)
    .getByRole("link", { name: /Drop this/ })
    .waitFor({ state: "detached" });
  expect(b.gateway.calls.some((call) => call.method === "sessions.delete")).toBe(false);
  await page.clock.runFor(5_100);
  await b.gateway.until(() => !b.gateway.sessions.has("agent:main:chat-b"));
  expect(b.gateway.sessions.has("agent:main:chat-a")).toBe(true);
});

check(
  "the system page shows health, connection, models and the log, and survives a restart",
  async () => {
    const line = (text: string, level: string) =>
      JSON.stringify({
        0: '{"subsystem":"gateway"}',
        1: text,
        _meta: { logLevelName: level },
        time: new Date(),
      });
    b.gateway.logLines = [line("listening", "INFO"), line("all lost", "ERROR"), "not json"];
    const page = await b.open("system");
    await page.getByText("Healthy").waitFor();
    await list(page).getByText("2026.11.20").waitFor();
    await list(page).getByText("demo/demo").first().waitFor();
    const log = page.getByRole("region", { name: "Log" }).last();
    await log.getByText("not json").waitFor();
    await page.getByLabel("Lowest level").selectOption("error");
    await log.getByText("listening").waitFor({ state: "detached" });
    await log.getByText("all lost").waitFor();
    await b.gateway.stop();
    await list(page)
      .getByText(/Reconnecting/)
      .waitFor();
    await b.gateway.start();
    await list(page).getByRole("button", { name: "Try now" }).click();
    await page.getByText("Healthy").waitFor();
    expect(page.problems).toEqual([]);
  },
);

check(
  "every page has an address, old ones lead to the new, back works, nonsense is said to be so",
  async () => {
    talk("agent:main:chat-a", "Deep link");
    const page = await b.open("chat/agent:main:chat-a");
    await conversation(page).getByText("Deep link").waitFor();
    const links = page.getByRole("navigation", { name: "Main" });
    await links.getByRole("link", { name: "System" }).click();
    await page.getByRole("heading", { name: "System" }).waitFor();
    await links.getByRole("link", { name: "Conversations" }).click();
    await page.getByRole("heading", { name: "Conversations" }).waitFor();
    await page.goBack();
    await page.goBack();
    await conversation(page).getByText("Deep link").waitFor();
    for (const old of ["overview", "logs", "debug"]) {
      await page.goto(b.gateway.url + old);
      await page.getByRole("heading", { name: "System" }).waitFor();
      expect(new URL(page.url()).pathname).toBe("/system");
    }
    await page.goto(`${b.gateway.url}chat?session=agent:main:chat-a`);
    await conversation(page).getByText("Deep link").waitFor();
    expect(new URL(page.url()).pathname).toBe("/chat/agent:main:chat-a");
    await page.goto(`${b.gateway.url}no/such/page`);
    await page.getByRole("link", { name: "Go to the chat" }).click();
    await box(page).waitFor();
  },
);

check("a message has an address of its own, however far back it is", async () => {
  const session = b.gateway.session(MAIN);
  for (let i = 1; i <= 400; i++)
    session.add({
      role: i % 2 ? "user" : "assistant",
      content: [{ type: "text", text: `Line ${i}` }],
    });
  const page = await b.open();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await conversation(page).getByText("Line 400", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Copy a link to this" }).last().click();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  expect(link).toBe(`${b.gateway.url}chat/agent:main:main#m400`);
  await page.goto("about:blank");
  await page.goto(link.replace("#m400", "#m22"));
  await page.waitForFunction(() => {
    const box = document.getElementById("m22")?.getBoundingClientRect();
    return box && box.top > 0 && box.bottom < innerHeight;
  });
});

check("a new conversation begins with its first message and is in the list after it", async () => {
  talk(MAIN, "Main talk");
  const page = await b.open();
  await conversation(page).getByText("Main talk").waitFor();
  await page.getByRole("button", { name: "New conversation" }).first().click();
  await page.getByText("What can I do for you?").waitFor();
  expect(b.gateway.sessions.size).toBe(1);
  await send(page, "Something else");
  const run = await b.gateway.nextRun();
  expect(run.session.key).toStartWith("agent:main:chat-");
  run.say("Sure.").end();
  const recent = page.getByRole("navigation", { name: "Main" });
  await recent.getByRole("link", { name: "Something else" }).waitFor();
  await recent.getByRole("link", { name: "Main talk" }).click();
  await conversation(page).getByText("Main talk").waitFor();
  expect(await conversation(page).getByText("Something else").count()).toBe(0);
});

check("the whole page works by keyboard alone", async () => {
  talk("agent:main:chat-a", "Find me");
  const page = await b.open();
  await box(page).waitFor();
  await page.keyboard.type("Hello");
  await page.keyboard.press("Enter");
  const run = await b.gateway.nextRun();
  run.tool("t1", "read", { path: "a.md" }).toolEnd("t1", "inside a.md").say("Hi.").end();
  await conversation(page).getByText("Hi.").waitFor();
  // Every stop of the Tab key has a name and shows that it has the focus.
  const names: string[] = [];
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const el = document.activeElement as HTMLElement;
      if (!el || el === document.body) return undefined;
      const style = getComputedStyle(el);
      const ring = style.outlineStyle !== "none" || el.matches("textarea, label input");
      const label = el.getAttribute("aria-label") ?? el.textContent ?? "";
      return {
        name: `${el.tagName} ${label.trim()}`,
        ring,
        size: el.getBoundingClientRect().height,
      };
    });
    if (!stop) continue;
    expect(stop.ring, stop.name).toBe(true);
    expect(stop.name.length, stop.name).toBeGreaterThan(4);
    names.push(stop.name);
  }
  for (const wanted of [
    "Chat",
    "Conversations",
    "Channels",
    "Messages",
    "System",
    "New conversation",
    "Message",
    "Tool read",
  ])
    expect(
      names.some((name) => name.includes(wanted)),
      wanted,
    ).toBe(true);
  await page.getByRole("button", { name: /Tool read/ }).focus();
  await page.keyboard.press("Enter");
  await conversation(page).getByText("inside a.md").waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Type a command" }).waitFor();
  await page.keyboard.type("find me");
  await page.getByRole("option", { name: "Find me" }).waitFor();
  await page.keyboard.press("Enter");
  await conversation(page).getByText("Find me").waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Type a command" }).waitFor();
  await page.keyboard.type("system");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "System" }).waitFor();
  expect(page.problems).toEqual([]);
});

for (const colorScheme of ["light", "dark"] as const)
  check(`all text holds WCAG AA contrast, ${colorScheme}`, async () => {
    talk(
      "agent:main:chat-a",
      "Contrast",
      "Some `code`, a [link](https://example.com) and\n\n> a quote\n\n```sh\nls\n```",
    );
    b.gateway.logLines = [
      "plain line",
      JSON.stringify({ 0: "bad", _meta: { logLevelName: "ERROR" } }),
    ];
    const page = await b.open("chat/agent:main:chat-a", { colorScheme });
    await conversation(page).getByText("a quote").waitFor();
    await send(page, "Fail");
    const run = await b.gateway.nextRun();
    run.tool("t1", "exec", { command: "ls" }).toolEnd("t1", "no", { isError: true });
    run.fail("It failed.", "Try again.");
    await page.getByRole("group", { name: "It failed." }).waitFor();
    await page.getByRole("button", { name: /Tool exec/ }).click();
    expect(await lowContrast(page)).toEqual([]);
    crowd("Set channels.telegram.botToken");
    for (const path of ["sessions", "system", ...CROWDED]) {
      await page.goto(b.gateway.url + path);
      await page.getByRole("heading", { level: 1 }).waitFor();
      if (path === "system") await page.getByText("plain line").waitFor();
      if (path === "channels") await page.getByRole("button", { name: /^Remove/ }).waitFor();
      expect(await lowContrast(page)).toEqual([]);
    }
    const stranger = await b.tab(await b.profile({ colorScheme }));
    await stranger.goto(b.gateway.url);
    await stranger.getByLabel("Token or password").fill("wrong");
    await stranger.getByRole("button", { name: "Sign in" }).click();
    await stranger.getByRole("alert").waitFor();
    expect(await lowContrast(stranger)).toEqual([]);
  });

check(
  "nothing is wider than a 360 px screen, whatever is in it, and targets are large enough",
  async () => {
    const wide = "x".repeat(500);
    talk(
      MAIN,
      `${wide} ${"https://example.com/".repeat(30)}`,
      `# ${wide}\n\n| ${"a very wide cell | ".repeat(12)}\n|${" - |".repeat(12)}\n| ${"1234567890 | ".repeat(12)}\n\n\`\`\`\n${wide}\n\`\`\`\n\n- ${wide}`,
    );
    const page = await b.open("", { viewport: PHONE });
    await send(page, "And a tool");
    const run = await b.gateway.nextRun();
    run.tool("t1", "exec", { command: wide }).toolEnd("t1", wide).fail(wide, wide);
    await page.getByRole("button", { name: /Tool exec/ }).click();
    await page.getByRole("button", { name: "Copy details" }).waitFor();
    crowd(wide);
    for (const path of ["", "sessions", "system", "nowhere", ...CROWDED]) {
      if (path) await page.goto(b.gateway.url + path);
      await page.getByRole("heading", { level: 1 }).waitFor();
      if (path === "channels") await page.getByRole("button", { name: /^Remove/ }).waitFor();
      const found = await page.evaluate(() => ({
        overflow: document.documentElement.scrollWidth - innerWidth,
        tall: document.documentElement.scrollHeight - innerHeight,
        boxes: [...document.querySelectorAll(".scroll, .page-view, .main")]
          .filter((el) => el.scrollWidth > el.clientWidth + 1)
          .map((el) => el.className),
        small: [...document.querySelectorAll("button, a[href], select, input, summary")]
          .map((el) => ({ el, box: el.getBoundingClientRect() }))
          // Links inside a sentence are exempt.
          .filter(
            ({ el, box: r }) =>
              r.width > 2 && (r.width < 24 || r.height < 24) && !el.closest(".md"),
          )
          .filter(({ el }) => !el.matches("input[type=checkbox], input[type=radio]"))
          .map(({ el }) => el.outerHTML.slice(0, 80)),
      }));
      expect(found, path).toEqual({ overflow: 0, tall: 0, boxes: [], small: [] });
    }
  },
);

check("the theme can be chosen, and is remembered", async () => {
  const page = await b.open("system", { viewport: DESK, colorScheme: "light" });
  const background = () =>
    page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await background();
  await page.getByRole("radio", { name: "Dark" }).check({ force: true });
  const dark = await background();
  expect(dark).not.toBe(light);
  await page.reload();
  await page.getByRole("heading", { name: "System" }).waitFor();
  expect(await background()).toBe(dark);
});

/** Texts whose colour is too near to what is painted behind them: WCAG 2.2, 4.5:1, or 3:1 from 24 px (18.7 px bold). */
async function lowContrast(page: Page): Promise<string[]> {
  // Fading in is not being hard to read.
  await page.evaluate(() =>
    // One that is taken off the page meanwhile never finishes.
    Promise.allSettled(
      document
        .getAnimations()
        .filter((a) => a.effect?.getTiming().iterations !== Number.POSITIVE_INFINITY)
        .map((a) => a.finished),
    ),
  );
  return page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
    const rgba = (color: string): [number, number, number, number] => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, bl, a] = canvas.getImageData(0, 0, 1, 1).data;
      return [r!, g!, bl!, a! / 255];
    };
    const over = (top: number[], under: number[], alpha: number) =>
      [0, 1, 2].map((i) => top[i]! * alpha + under[i]! * (1 - alpha));
    const behind = (el: Element | null): number[] => {
      if (!el) return [255, 255, 255];
      const [r, g, bl, a] = rgba(getComputedStyle(el).backgroundColor);
      return a === 1 ? [r, g, bl] : over([r, g, bl], behind(el.parentElement), a);
    };
    const luminance = (color: number[]) => {
      const [r, g, bl] = color.map((v) => {
        const c = v / 255;
        return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * bl!;
    };
    const bad: string[] = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      const el = node.parentElement!;
      if (
        !node.nodeValue?.trim() ||
        !el.checkVisibility({ opacityProperty: true, visibilityProperty: true })
      )
        continue;
      if (el.closest(".sr-only, :disabled, option, noscript")) continue;
      const style = getComputedStyle(el);
      const under = behind(el);
      const [r, g, bl, a] = rgba(style.color);
      const ink = over([r, g, bl], under, a);
      const [one, two] = [luminance(ink), luminance(under)];
      const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
      const size = Number.parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5))
        bad.push(`${ratio.toFixed(2)} ${node.nodeValue.trim().slice(0, 40)}`);
    }
    return bad;
  });
}
