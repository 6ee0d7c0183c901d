import { expect, setDefaultTimeout, test } from "bun:test";

import { CSP, TOKEN } from "../fakes/gateway.ts";
import { box, conversation, noChromium, send, shownText, useBrowser } from "./browser.ts";

setDefaultTimeout(60_000);
const it = test.skipIf(noChromium);
const b = useBrowser();
const check = (name: string, run: () => Promise<void>) => it(name, () => b.shown(name, run));

check("the token is pasted, a wrong one is said to be wrong in plain words", async () => {
  const page = await b.tab(await b.profile());
  await page.goto(b.gateway.url);
  const field = page.getByLabel("Token or password");
  await field.fill("not the token");
  await field.press("Enter");
  await page.getByRole("alert").getByText("That token is not right").waitFor();
  expect(await page.getByText(/1008|INVALID_REQUEST|unauthorized/).count()).toBe(0);
  expect(await field.inputValue()).toBe("not the token");
  await field.fill(`  ${TOKEN} `);
  await page.getByRole("button", { name: "Sign in" }).click();
  await box(page).waitFor();
  await page.reload();
  await box(page).waitFor();
  expect(page.problems).toEqual([]);
});

check("without 'stay signed in' the token lives in this tab only", async () => {
  const context = await b.profile();
  const page = await b.tab(context);
  await page.goto(b.gateway.url);
  await page.getByLabel("Token or password").fill(TOKEN);
  await page.getByLabel("Stay signed in on this device").uncheck();
  await page.getByRole("button", { name: "Sign in" }).click();
  await box(page).waitFor();
  await page.reload();
  await box(page).waitFor();
  const other = await b.tab(context);
  await other.goto(b.gateway.url);
  await other.getByLabel("Token or password").waitFor();
  expect(await other.evaluate(() => JSON.stringify(localStorage))).not.toContain(TOKEN);
});

check("signing out forgets the token", async () => {
  const page = await b.open("system");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token or password").waitFor();
  await page.reload();
  await page.getByLabel("Token or password").waitFor();
  const kept = () =>
    page.evaluate(() => JSON.stringify(localStorage) + JSON.stringify(sessionStorage));
  expect(await kept()).not.toContain(TOKEN);
});

check("too many attempts are explained with the time that is left", async () => {
  b.gateway.refusal = {
    code: "UNAVAILABLE",
    message: "unauthorized: too many failed authentication attempts (retry later)",
    details: { code: "AUTH_RATE_LIMITED" },
    retryable: true,
    retryAfterMs: 150_000,
  };
  const page = await b.tab(await b.profile());
  await page.goto(b.gateway.url);
  const alert = page.getByRole("alert");
  await alert.getByText("Too many attempts").waitFor();
  await alert.getByText(/possible again in 2 min \d+ s/).waitFor();
  expect(await page.getByRole("button", { name: "Sign in" }).isDisabled()).toBe(true);
});

check(
  "a token that was changed while the page was open leads to the sign-in, and back to the same place",
  async () => {
    const page = await b.open("chat/agent:main:trip");
    await box(page).fill("unsent words");
    b.gateway.token = "another-token-that-is-long-enough";
    await b.gateway.stop();
    await b.gateway.start();
    await page.getByText("The saved token is no longer valid").waitFor();
    await page.getByLabel("Token or password").fill(b.gateway.token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await box(page).waitFor();
    expect(await box(page).inputValue()).toBe("unsent words");
    expect(new URL(page.url()).pathname).toBe("/chat/agent:main:trip");
  },
);

check(
  "a gateway that is gone is said to be gone, and the page goes on when it is back",
  async () => {
    const page = await b.tab(await b.profile());
    const refuse = { on: true };
    await page.routeWebSocket(/\/ws$/, (socket) =>
      refuse.on ? void socket.close({ code: 1006 }) : void socket.connectToServer(),
    );
    await page.goto(`${b.gateway.url}#token=${TOKEN}`);
    await page.getByText("The live connection does not come through").waitFor();
    await b.gateway.stop();
    await page.getByRole("button", { name: "Try now" }).click();
    await page.getByText("The gateway does not answer").waitFor();
    await b.gateway.start();
    refuse.on = false;
    const retry = page.getByRole("button", { name: "Try now" });
    // The page tries by itself too, and may be faster; then there is no button any more.
    await retry.click({ timeout: 2000 }).then(undefined, () => undefined);
    await box(page).waitFor();
  },
);

check("a one-time link signs in once; used again it says so", async () => {
  const ticket = "t".repeat(43);
  b.gateway.tickets.add(ticket);
  const page = await b.tab(await b.profile());
  await page.goto(`${b.gateway.url}#ticket=${ticket}`);
  await box(page).waitFor();
  expect(page.url()).toBe(b.gateway.url);
  const second = await b.tab(await b.profile());
  await second.goto(`${b.gateway.url}#ticket=${ticket}`);
  await second.getByText("This sign-in link does not work any more").waitFor();
});

check("a link that is pasted into the open sign-in page signs in too", async () => {
  const ticket = "u".repeat(43);
  b.gateway.tickets.add(ticket);
  const page = await b.tab(await b.profile());
  await page.goto(b.gateway.url);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.goto(`${b.gateway.url}#ticket=${ticket}`);
  await box(page).waitFor();
  expect(page.url()).toBe(b.gateway.url);
});

for (const where of ["?token=", "#token=", "chat/agent:main:x?token="])
  check(`a token in the address (${where}) is used and taken out of it`, async () => {
    const page = await b.tab(await b.profile());
    await page.goto(`${b.gateway.url}${where}${TOKEN}`);
    await box(page).waitFor();
    expect(page.url()).not.toContain(TOKEN);
    await page.goBack();
    expect(page.url()).not.toContain(TOKEN);
    // Only the very first request of the old form carries it; what follows does not, not even in a Referer.
    const leaks = b.gateway.requests.filter((path) => path.includes(TOKEN));
    expect(leaks.length).toBe(where.includes("?") ? 1 : 0);
  });

check("an address cannot send the page, or its token, to another gateway", async () => {
  const seen: string[] = [];
  const evil = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      seen.push(request.url);
      return new Response("hello");
    },
  });
  try {
    const context = await b.profile();
    const page = await b.tab(context);
    await page.goto(`${b.gateway.url}#token=${TOKEN}`);
    await box(page).waitFor();
    const target = `ws://127.0.0.1:${evil.port}/`;
    for (const attack of [
      `?gatewayUrl=${encodeURIComponent(target)}`,
      `#gatewayUrl=${encodeURIComponent(target)}`,
      `?GatewayURL=${encodeURIComponent(target)}`,
      `?gatewayUrl=x&gatewayUrl=${encodeURIComponent(target)}`,
      "?gatewayUrl=javascript:alert(1)",
      `?gatewayurl=${encodeURIComponent(target)}&token=${TOKEN}`,
      `#ticket=${"x".repeat(30)}&gatewayUrl=${encodeURIComponent(target)}`,
      `//127.0.0.1:${evil.port}/`,
      `chat/${encodeURIComponent(target)}`,
    ]) {
      await page.goto("about:blank");
      await page.goto(b.gateway.url + attack);
      await shownText(page, "Connected").waitFor();
      expect(page.url().toLowerCase()).not.toContain("gatewayurl");
    }
    expect(seen).toEqual([]);
    expect(page.problems).toEqual([]);
  } finally {
    await evil.stop(true);
  }
});

const ATTACKS = [
  '<img src=x onerror="window.hacked=1">',
  "<script>window.hacked=1</script>",
  "</script><script>window.hacked=1</script>",
  "<svg/onload=window.hacked=1>",
  '<iframe srcdoc="<script>parent.hacked=1</script>"></iframe>',
  "[click me](javascript:window.hacked=1)",
  "[click me](JaVaScRiPt:window.hacked=1)",
  "[click me](&#106;avascript:window.hacked=1)",
  "[click me](java\tscript:window.hacked=1)",
  "[click me](data:text/html,<script>window.hacked=1</script>)",
  "[click me](vbscript:x)",
  "[click me](//127.0.0.1:1/x)",
  "![spy](http://127.0.0.1:1/pixel.png)",
  "![svg](data:image/svg+xml,<svg onload=window.hacked=1>)",
  "<javascript:window.hacked=1>",
  '<a href="javascript:window.hacked=1">click me</a>',
  "`<img src=x onerror=window.hacked=1>`",
  "```html\n<img src=x onerror=window.hacked=1>\n```",
  "| <img src=x onerror=window.hacked=1> |\n| - |\n| <script>window.hacked=1</script> |",
  "\u202Egnp.exe <b>reversed</b>",
  "[ref]: javascript:window.hacked=1\n[ref]",
];

check(
  "what a model or a stranger writes never runs, loads or links anything dangerous",
  async () => {
    const session = b.gateway.session("agent:main:evil");
    session.label = ATTACKS[0]!;
    for (const attack of ATTACKS) {
      session.add({ role: "user", content: [{ type: "text", text: attack }] });
      session.add({
        role: "assistant",
        content: [
          { type: "thinking", thinking: attack },
          { type: "text", text: attack },
          {
            type: "toolCall",
            id: `t${session.messages.length}`,
            name: attack,
            arguments: { path: attack },
          },
        ],
      });
      session.add({
        role: "system",
        level: "error",
        content: [{ type: "text", text: attack }],
        hint: attack,
      });
    }
    session.add({
      role: "user",
      content: [
        { type: "image", mimeType: "image/svg+xml", data: btoa("<svg onload='window.hacked=1'/>") },
        { type: "image", mimeType: 'image/png" onerror="window.hacked=1', data: "x" },
        { type: "image", source: { type: "url", url: "http://127.0.0.1:1/x.png" } },
        { type: "text", text: "last one" },
      ],
    });
    b.gateway.logLines = ATTACKS;
    const page = await b.open("chat/agent:main:evil");
    await conversation(page).getByText("last one").waitFor();
    await conversation(page).getByRole("heading", { level: 1 }).count();
    for (const fold of await page.getByRole("button", { name: "Thoughts" }).all())
      await fold.click();
    for (const fold of await page.getByRole("button", { name: /^Tool/ }).all()) await fold.click();
    const found = await page.evaluate(() => ({
      elements: document.querySelectorAll(
        "#app :is(script, iframe, object, embed, form[action], svg[onload])",
      ).length,
      handlers: [...document.querySelectorAll("#app *")].filter((el) =>
        el.getAttributeNames().some((name) => name.startsWith("on")),
      ).length,
      images: document.querySelectorAll(".column img").length,
      links: [...document.querySelectorAll<HTMLAnchorElement>(".column a")].map((a) => ({
        protocol: a.protocol,
        rel: a.rel,
        target: a.target,
      })),
    }));
    expect(found.elements).toBe(0);
    expect(found.handlers).toBe(0);
    expect(found.images).toBe(0);
    for (const link of found.links)
      expect(link).toEqual({ protocol: "http:", rel: "noopener noreferrer", target: "_blank" });
    for (const path of ["sessions", "system"]) {
      await page.goto(b.gateway.url + path);
      await page.getByRole("heading", { level: 1 }).waitFor();
    }
    expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    expect(page.problems).toEqual([]);
  },
);

check("a megabyte in one line, or in one answer, is shown and the page stays usable", async () => {
  const session = b.gateway.session("agent:main:big");
  const big = { oneLine: "a".repeat(1_000_000), list: "- item **bold**\n".repeat(62_500) };
  for (const text of [
    big.oneLine,
    big.list,
    `\`\`\`\n${"x = 1\n".repeat(160_000)}\`\`\``,
    "[".repeat(1_000_000),
  ])
    session.add({ role: "assistant", content: [{ type: "text", text }] });
  const page = await b.open("chat/agent:main:big");
  await page
    .getByRole("button", { name: /Show the rest/ })
    .first()
    .waitFor();
  await send(page, "Still here?");
  const run = await b.gateway.nextRun();
  for (let i = 0; i < 20; i++) run.say("word ".repeat(10_000) + "\n\n");
  run.say("and the end.");
  await conversation(page).getByText("and the end.").waitFor();
  run.end();
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
  await page
    .getByRole("button", { name: /Show the rest/ })
    .first()
    .click();
  await send(page, "And now?");
  (await b.gateway.nextRun()).say("Yes.").end();
  await conversation(page).getByText("Yes.").waitFor();
});

check(
  "the page needs nothing but its own origin, under the strict policy, and little of it before the first paint",
  async () => {
    const page = await b.tab(await b.profile());
    const sizes = new Map<string, number>();
    page.on("response", async (response) => {
      const length = Number(response.headers()["content-length"] ?? 0);
      sizes.set(new URL(response.url()).pathname, length);
    });
    const answer = await page.goto(b.gateway.url);
    expect(answer!.headers()["content-security-policy"]).toBe(CSP);
    await page.getByLabel("Token or password").waitFor();
    const html = await answer!.text();
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/);
    const needed = [...html.matchAll(/(?:src|href)="([^"]+\.(?:js|css|svg))"/g)].map((m) => m[1]!);
    const total = ["/", ...needed].reduce((sum, path) => sum + (sizes.get(path) ?? 0), 0);
    expect(total).toBeGreaterThan(10_000);
    expect(total).toBeLessThan(45_000);
    expect(page.problems).toEqual([]);
  },
);
