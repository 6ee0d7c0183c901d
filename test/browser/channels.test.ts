/** The page "Channels": how each account is, linking a phone, and the people who knock. */
import { expect, setDefaultTimeout, test } from "bun:test";

import type { Page } from "playwright-core";

import { account } from "../fakes/networks.ts";
import { noChromium, PHONE, shownText, useBrowser } from "./browser.ts";

setDefaultTimeout(60_000);
const it = test.skipIf(noChromium);
const b = useBrowser();
const check = (name: string, run: () => Promise<void>) => it(name, () => b.shown(name, run));

const main = (page: Page) => page.getByRole("main");
const card = (page: Page, name: string) => main(page).getByRole("region", { name, exact: true });
const dialog = (page: Page) => page.getByRole("dialog");
const called = (method: string) => b.gateway.calls.filter((call) => call.method === method);

/** With a clock that can be put forward. */
async function opened(path: string) {
  const page = await b.open(path);
  await page.clock.install();
  await page.reload();
  return page;
}

check(
  "each account says how it is, who it is there, and when something last happened",
  async () => {
    const now = Date.now();
    b.gateway.networks.accounts = {
      telegram: [
        account({ self: { id: "1", handle: "kims_bot" }, lastInboundAt: now - 180_000 }),
        account({
          accountId: "work",
          configured: false,
          running: false,
          connected: false,
          lastError: "The token was refused. Set channels.telegram.accounts.work.botToken.",
        }),
      ],
      discord: [account({ lastEventAt: now - 20 * 60_000, lastOutboundAt: null })],
    };
    b.gateway.networks.warnings = [
      {
        channel: "telegram",
        accountId: "default",
        kind: "privacy",
        message: "Telegram: everybody can use it.",
        fix: "clawdbot config set channels.telegram.dmPolicy pairing",
      },
    ];
    const page = await opened("channels");
    const good = card(page, "Telegram");
    await good.getByText("Connected as @kims_bot").waitFor();
    expect(await good.innerText()).toMatch(/Last message in\s+3m ago/);
    expect(await good.innerText()).toMatch(/Round trip\s+84 ms/);
    await good.getByText("Everybody can use it.").waitFor();
    await good.getByText("clawdbot config set channels.telegram.dmPolicy pairing").waitFor();
    const bad = card(page, "Telegram · work");
    await bad.getByText("Needs a setting").waitFor();
    await bad.getByText("channels.telegram.accounts.work.botToken", { exact: true }).waitFor();
    expect(await bad.getByRole("button", { name: /Test/ }).count()).toBe(0);
    const silent = card(page, "Discord");
    await silent.getByText("Connected, but nothing was heard for 20 min").waitFor();
    expect(await silent.innerText()).toMatch(/Last message out\s+never/);
    // It goes on by itself.
    Object.assign(b.gateway.networks.accounts.discord![0]!, { connected: false, running: false });
    b.gateway.networks.accounts.discord![0]!.lastError = "The token was reset.";
    await page.clock.runFor(5_000);
    await silent.getByText("Not running").waitFor();
    await silent.getByText("The token was reset.").waitFor();
    expect(page.problems).toEqual([]);
  },
);

check("a test makes a round trip and tells what came of it", async () => {
  const one = account({ probe: { ok: true, elapsedMs: 123, detail: "@kims_bot" } });
  b.gateway.networks.accounts = { telegram: [one] };
  const page = await b.open("channels");
  const test = page.getByRole("button", { name: "Test the connection: Telegram" });
  await test.click();
  await shownText(page, "Telegram: the platform answered in 123 ms.").waitFor();
  expect(await card(page, "Telegram").innerText()).toMatch(/Round trip\s+123 ms/);
  expect(called("channels.status").some(({ params }) => params.probe === true)).toBe(true);
  one.probe = { ok: false, elapsedMs: 9, detail: "The token was refused." };
  await test.click();
  await shownText(page, "Telegram: the test failed. The token was refused.").waitFor();
  expect(page.problems).toEqual([]);
});

check("a network that is not there yet says how to add it, with the command to copy", async () => {
  const page = await opened("channels");
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByText("How to add Telegram").waitFor();
  const step = page.getByText("clawdbot channels add --channel telegram --token <token>");
  await step.waitFor();
  await page.getByRole("button", { name: "Copy code" }).filter({ visible: true }).first().click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
    "clawdbot channels add --channel telegram --token <token>",
  );
  await page.getByText("How to add WhatsApp").click();
  await page.getByText("clawdbot channels add --channel whatsapp").waitFor();
  await page.getByText("docs/channels/whatsapp.md").waitFor();
  b.gateway.networks.accounts = { telegram: [account()] };
  await page.clock.runFor(5_000);
  await card(page, "Telegram").waitFor();
  await page.getByText("How to add Telegram").waitFor({ state: "detached" });
});

const unlinked = () =>
  account({ linked: false, running: false, connected: false, lastError: "not linked" });

check("a phone is linked with the picture, which changes, until it is linked", async () => {
  const one = unlinked();
  b.gateway.networks.accounts = { whatsapp: [one] };
  const page = await b.open("channels");
  await card(page, "WhatsApp").getByText("Not linked").waitFor();
  await page.getByRole("button", { name: "Link a phone: WhatsApp" }).click();
  const picture = dialog(page).getByRole("img", { name: "The picture to scan with the phone" });
  await picture.waitFor();
  expect((await picture.boundingBox())!.width).toBeGreaterThan(240);
  const second = "data:image/png;base64,iVBORw0KGgo=";
  b.gateway.networks.step({ qrDataUrl: second });
  await page.waitForFunction(
    (source) => document.querySelector("dialog img")?.getAttribute("src") === source,
    second,
  );
  b.gateway.networks.step({ message: "Scanned, signing in" });
  await dialog(page).getByText("Scanned, signing in").waitFor();
  Object.assign(one, { linked: true, running: true, connected: true });
  b.gateway.networks.step({ connected: true, over: true, message: "Linked." });
  await dialog(page).getByText("The phone is linked.").waitFor();
  await dialog(page).getByRole("button", { name: "Close" }).last().click();
  await card(page, "WhatsApp").getByText("Connected").waitFor();
  expect(called("web.login.wait").every(({ params }) => params.next === true)).toBe(true);
  expect(called("web.login.wait")).toHaveLength(3);
});

check("a phone is linked with a code, by keyboard, and a failure can be tried again", async () => {
  b.gateway.networks.accounts = { whatsapp: [unlinked()] };
  const page = await b.open("channels", { viewport: PHONE });
  await page.getByRole("button", { name: "Link a phone: WhatsApp" }).focus();
  await page.keyboard.press("Enter");
  await dialog(page).getByRole("button", { name: "Link with the phone number instead" }).focus();
  await page.keyboard.press("Enter");
  await dialog(page)
    .getByRole("textbox", { name: /^Phone number/ })
    .focus();
  await page.keyboard.type("+1 (555) 0100-22");
  await page.keyboard.press("Enter");
  await dialog(page).getByText("ABCD-2345").waitFor();
  expect(await dialog(page).locator("strong").getAttribute("aria-label")).toBe("A B C D 2 3 4 5");
  expect(called("web.login.start").at(-1)!.params).toMatchObject({
    channel: "whatsapp",
    accountId: "default",
    phone: "+1555010022",
  });
  // The first wait was that of the picture, which nobody looks at any more.
  b.gateway.networks.step({ message: "unseen" });
  b.gateway.networks.step({ over: true, message: "The code has expired." });
  await dialog(page).getByText("It was not linked").waitFor();
  await dialog(page).getByText("The code has expired.").waitFor();
  expect(called("web.login.wait")).toHaveLength(2);
  await dialog(page).getByRole("button", { name: "Start again" }).click();
  await dialog(page).getByRole("img").waitFor();
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "detached" });
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Link a phone");
  expect(page.problems).toEqual([]);
});

check("a sign-in that is refused, and one whose gateway goes away, both end in words", async () => {
  b.gateway.networks.accounts = { whatsapp: [unlinked()] };
  const page = await b.open("channels");
  b.gateway.failures.set("web.login.start", {
    code: "UNAVAILABLE",
    message: "WhatsApp does not answer.",
    details: { code: "channel_unreachable", hint: "Check the network." },
  });
  const open = () => page.getByRole("button", { name: "Link a phone: WhatsApp" }).click();
  await open();
  await dialog(page).getByText("WhatsApp does not answer. Check the network.").waitFor();
  b.gateway.failures.clear();
  await dialog(page).getByRole("button", { name: "Start again" }).click();
  await dialog(page).getByRole("img").waitFor();
  await b.gateway.stop();
  await dialog(page).getByText("The connection to the gateway was lost meanwhile.").waitFor();
  await page.keyboard.press("Escape");
  await main(page).getByText("this is what was known before").waitFor();
  await b.gateway.start();
});

check("logging out asks first, and says what is gone", async () => {
  b.gateway.networks.accounts = { whatsapp: [account({ linked: true })] };
  const page = await b.open("channels");
  const leave = page.getByRole("button", { name: "Log out: WhatsApp" });
  await leave.click();
  await dialog(page).getByText("Conversations stay.").waitFor();
  await dialog(page).getByRole("button", { name: "Cancel" }).click();
  expect(called("channels.logout")).toHaveLength(0);
  await leave.click();
  await dialog(page).getByRole("button", { name: "Log out" }).click();
  await shownText(page, "WhatsApp is logged out.").waitFor();
  await card(page, "WhatsApp").getByText("Not linked").waitFor();
  expect(called("channels.logout")[0]!.params).toEqual({
    channel: "whatsapp",
    accountId: "default",
  });
});

check(
  "a stranger who knocks shows in the navigation, is approved, and can be removed",
  async () => {
    const page = await b.open();
    const nav = page.getByRole("navigation", { name: "Main" });
    await nav.getByRole("link", { name: "Channels", exact: true }).waitFor();
    b.gateway.networks.knock({
      id: "528814421",
      code: "K7QWX2MD",
      meta: { firstName: "Ada", lastName: "Love\u202elace", username: "ada_l" },
    });
    b.gateway.broadcast("pairing.requested", { channel: "telegram", code: "K7QWX2MD" });
    await nav.getByRole("link", { name: "Channels (one person waits for approval)" }).click();
    const list = page.getByRole("list", { name: "Waiting for your approval" });
    const row = list.getByRole("listitem");
    await row.getByText("Ada Lovelace", { exact: true }).waitFor();
    for (const text of ["@ada_l", "528814421", "K7QWX2MD", "asked 2m ago"])
      expect(await row.innerText()).toContain(text);
    await page.getByRole("button", { name: "Approve: Ada Lovelace" }).click();
    await shownText(page, "Ada Lovelace may write to the assistant now").waitFor();
    await list.waitFor({ state: "detached" });
    await nav.getByRole("link", { name: "Channels", exact: true }).waitFor();
    expect(called("pairing.approve")[0]!.params).toEqual({
      code: "K7QWX2MD",
      channel: "telegram",
      notify: true,
    });
    await page.getByRole("button", { name: "Remove: 528814421 (Telegram)" }).click();
    await dialog(page).getByText("This cannot be undone here").waitFor();
    await dialog(page).getByRole("button", { name: "Remove" }).click();
    await page.getByText("Nobody has been let in from here yet.").waitFor();
    expect(called("pairing.revoke")[0]!.params).toEqual({
      channel: "telegram",
      accountId: "default",
      id: "528814421",
    });
    expect(page.problems).toEqual([]);
  },
);

check("a request is dismissed after five seconds, unless it is taken back", async () => {
  b.gateway.networks.knock({ id: "1", code: "AAAAAAA2", meta: { name: "Grace" } });
  b.gateway.networks.knock({ id: "2", code: "BBBBBBB2" });
  const page = await b.open("channels");
  await page.clock.install();
  await page.getByRole("button", { name: "Dismiss: Grace" }).click();
  await page.getByRole("button", { name: "Dismiss: Grace" }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByRole("button", { name: "Dismiss: Grace" }).waitFor();
  // Somebody without a name is called by the id.
  await page.getByRole("button", { name: "Dismiss: 2" }).click();
  await page.clock.runFor(5_100);
  await b.gateway.until(() => b.gateway.networks.waiting.length === 1);
  expect(called("pairing.dismiss").map(({ params }) => params.code)).toEqual(["BBBBBBB2"]);
  await page.getByRole("button", { name: "Dismiss: Grace" }).waitFor();
});

check("a gateway that cannot answer is told of, and asked again", async () => {
  b.gateway.failures.set("channels.status", {
    code: "UNAVAILABLE",
    message: "The store is damaged.",
    details: { hint: "Run `clawdbot doctor`." },
  });
  b.gateway.failures.set("pairing.list", { code: "INVALID_REQUEST", message: "missing scope" });
  const page = await b.open("channels");
  await main(page).getByText("The channels could not be asked").waitFor();
  await main(page).getByText("clawdbot doctor", { exact: true }).waitFor();
  await main(page).getByText("The list of people could not be loaded").waitFor();
  expect(await main(page).getByText("Nobody").count()).toBe(0);
  b.gateway.failures.clear();
  await main(page).getByRole("button", { name: "Try again" }).first().click();
  await main(page).getByText("How to add Telegram").waitFor();
  expect(page.problems).toEqual([]);
});

check("a page whose later part cannot be fetched says so, and can be loaded again", async () => {
  const page = await b.open();
  const first = await page.evaluate(() =>
    [...document.querySelectorAll("script[src], link[rel=modulepreload]")].map((el) =>
      (el.getAttribute("src") ?? el.getAttribute("href"))!.replace(/^.*\//, ""),
    ),
  );
  const away = await b.tab(await b.profile());
  await away.route(/\/assets\/.*\.js$/, (route) =>
    first.some((name) => route.request().url().endsWith(name))
      ? route.continue()
      : route.fulfill({ status: 404 }),
  );
  await away.goto(`${b.gateway.url}channels#token=${b.gateway.token}`);
  await away.getByText("This page could not be loaded").waitFor();
  await away.unroute(/\/assets\/.*\.js$/);
  await away.getByRole("button", { name: "Load it again" }).click();
  await away.getByRole("heading", { name: "Channels" }).waitFor();
});
