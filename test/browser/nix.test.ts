import { expect, setDefaultTimeout, test } from "bun:test";

import { DESK, noChromium, PHONE, type Tab, useBrowser } from "./browser.ts";

setDefaultTimeout(60_000);
const it = test.skipIf(noChromium);
const b = useBrowser();
const bar = (page: Tab) => page.getByRole("complementary", { name: "The config is made by Nix" });

it("deploy-043 every page says in one line that Nix makes the config, and how to change it", () =>
  b.shown("nix-line", async () => {
    b.gateway.nixMode = true;
    const page = await b.open();
    for (const path of ["", "sessions", "channels", "messages", "system"]) {
      await page.goto(`${b.gateway.url}${path}`);
      await bar(page).getByText("Read-only: Nix makes the config of this gateway.").waitFor();
    }
    await bar(page).getByRole("button", { name: "How to change it" }).click();
    const dialog = page.getByRole("dialog", { name: "The config is made by Nix" });
    await dialog.getByText("programs.clawdbot.config = {").waitFor();
    await dialog.getByText("home-manager switch", { exact: true }).waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    // Back to where one was.
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("How to change it");
    expect(page.problems).toEqual([]);
  }));

it("deploy-043 with Nix no command is offered that would be refused", () =>
  b.shown("nix-advice", async () => {
    b.gateway.nixMode = true;
    const page = await b.open("system");
    await page.getByRole("button", { name: "Add a model" }).click();
    const dialog = page.getByRole("dialog", { name: "Add a model" });
    await dialog.getByText("programs.clawdbot.secretFiles = {").waitFor();
    expect(await dialog.textContent()).not.toContain("clawdbot config set");
    expect(page.problems).toEqual([]);
  }));

it("deploy-043 without Nix there is neither the line nor the advice", () =>
  b.shown("no-nix", async () => {
    const page = await b.open("system");
    expect(await bar(page).count()).toBe(0);
    await page.getByRole("button", { name: "Add a model" }).click();
    const dialog = page.getByRole("dialog", { name: "Add a model" });
    await dialog.getByText("clawdbot config set env.ANTHROPIC_API_KEY").waitFor();
    expect(await dialog.textContent()).not.toContain("Nix");
  }));

it("deploy-043 the line takes no more than its height, on a phone too, and hides nothing", () =>
  b.shown("nix-height", async () => {
    b.gateway.nixMode = true;
    for (const [viewport, colorScheme] of [
      [DESK, "light"],
      [PHONE, "dark"],
    ] as const) {
      const page = await b.open("", { viewport, colorScheme });
      const line = (await bar(page).boundingBox())!;
      expect(line.height).toBeLessThanOrEqual(viewport === PHONE ? 56 : 40);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(
        true,
      );
      const composer = (await page.getByRole("textbox", { name: "Message" }).boundingBox())!;
      expect(composer.y + composer.height).toBeLessThanOrEqual(viewport.height);
      expect(composer.y).toBeGreaterThan(line.y + line.height);
      expect(page.problems).toEqual([]);
    }
  }));
