/** What the page says when something does not go as wished: a dead line, a full disk, a stop, a picture that is none. */
import { expect, setDefaultTimeout, test } from "bun:test";

import { box, conversation, noChromium, send, shownText, type Tab, useBrowser } from "./browser.ts";

setDefaultTimeout(60_000);
const it = test.skipIf(noChromium);
const b = useBrowser();
const check = (name: string, run: () => Promise<void>) => it(name, () => b.shown(name, run));

check(
  "a gateway that answers nothing any more is noticed in ten seconds and found again",
  async () => {
    const page = await b.open();
    await page.clock.install();
    b.gateway.frozen = true;
    await send(page, "Are you there?");
    await page.clock.runFor(3500);
    await page.getByText("Waits for the connection").waitFor();
    expect(await shownText(page, "Connected").count()).toBe(1);
    await page.clock.runFor(7000);
    await shownText(page, /Reconnecting|Connecting/).waitFor();
    b.gateway.frozen = false;
    // Past the handshake that began while nothing was answered.
    await page.clock.runFor(20_000);
    await shownText(page, "Connected").waitFor();
    (await b.gateway.nextRun()).say("Yes.").end();
    await page.clock.runFor(1000);
    await conversation(page).getByText("Yes.").waitFor();
    expect(b.gateway.sends.length).toBe(1);
  },
);

check("a page that wakes up with a dead connection makes a new one", async () => {
  const page = await b.open();
  await page.clock.install();
  b.gateway.frozen = true;
  await page.evaluate(() => void dispatchEvent(new Event("focus")));
  await page.clock.runFor(5500);
  await shownText(page, /Reconnecting|Connecting/).waitFor();
});

check(
  "a message that the gateway cannot keep yet says why, and is tried more and more rarely",
  async () => {
    const page = await b.open();
    await page.clock.install();
    const sent = () => b.gateway.calls.filter((call) => call.method === "chat.send").length;
    b.gateway.failures.set("chat.send", {
      code: "UNAVAILABLE",
      message: "The disk is full.",
      details: { code: "disk_full", hint: "Free some disk space." },
      retryable: true,
    });
    await send(page, "Keep this");
    await page.getByText("Not sent yet: The disk is full. Free some disk space.").waitFor();
    for (let n = 2; n <= 4; n++) {
      await page.clock.runFor(2000 * 2 ** (n - 2));
      await b.gateway.until(() => sent() === n);
      // The pause begins when the answer is here, which was sent before this one.
      await page.evaluate(() => 0);
    }
    await page.clock.runFor(8000);
    expect(sent()).toBe(4);
    b.gateway.failures.clear();
    await page.clock.runFor(30_000);
    (await b.gateway.nextRun()).say("Kept.").end();
    await page.clock.runFor(1000);
    await conversation(page).getByText("Kept.").waitFor();
    expect(await page.getByText("Not sent yet").count()).toBe(0);
  },
);

check(
  "a stopped answer ends with one quiet line, and its tool is stopped, not failed",
  async () => {
    const page = await b.open();
    await send(page, "Count to a million");
    const first = await b.gateway.nextRun();
    first.say("one two");
    await conversation(page).getByText("one two").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await conversation(page).getByText("Stopped", { exact: true }).waitFor();
    await page.reload();
    await conversation(page).getByText("Stopped", { exact: true }).waitFor();
    expect(await conversation(page).getByText("Stopped", { exact: true }).count()).toBe(1);

    await send(page, "Sleep");
    const second = await b.gateway.nextRun();
    second.tool("t1", "exec", { command: "sleep 99" });
    await page.getByRole("button", { name: /Tool exec, sleep 99, running/ }).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: /Tool exec, sleep 99, stopped/ }).waitFor();
    await conversation(page).getByText("Stopped", { exact: true }).nth(1).waitFor();
    expect(await page.locator(".tool.failed").count()).toBe(0);
    expect(page.problems).toEqual([]);
  },
);

check("starting again says what happens to the messages and can be undone", async () => {
  b.gateway.session().add({ role: "user", content: [{ type: "text", text: "Hello there" }] });
  const page = await b.open();
  const button = page.getByRole("main").getByRole("button", { name: /^Start again/ });
  expect(await button.locator("svg.icon-fresh").count()).toBe(1);
  await button.click();
  await page.getByText("Its messages are removed from this page.").waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await conversation(page).getByText("Hello there").waitFor();
});

const attach = (page: Tab, name: string, buffer: Buffer, mimeType = "image/png") =>
  page.locator("input[type=file]").setInputFiles({ name, mimeType, buffer });

check("what is no picture is refused at once, a wide one is made smaller", async () => {
  const page = await b.open();
  for (const [name, bytes] of [
    ["notes.png", "these are words"],
    ["empty.png", ""],
  ] as const) {
    await attach(page, name, Buffer.from(bytes));
    await page.getByText(`${name} is not a picture that can be sent.`).waitFor();
  }
  const wide = await page.evaluate(() => {
    const canvas = document.createElement("canvas");
    canvas.width = 3000;
    canvas.height = 300;
    return canvas.toDataURL("image/png").split(",")[1]!;
  });
  await attach(page, "wide.png", Buffer.from(wide, "base64"));
  const preview = page.getByRole("img", { name: "wide.png" });
  await preview.waitFor();
  const size = await preview.evaluate(async (img: HTMLImageElement) => {
    await img.decode();
    return [img.naturalWidth, img.naturalHeight, img.src.slice(0, 15)];
  });
  expect(size).toEqual([2048, 205, "data:image/jpeg"]);
  expect(page.problems).toEqual([]);
});

check("what is too large for one message is said before it is sent", async () => {
  b.gateway.maxPayload = 20_000;
  const page = await b.open();
  await box(page).fill("x".repeat(1_000_001));
  await page.getByText(/one message takes 1,000,000/).waitFor();
  expect(await page.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
  await box(page).press("Enter");
  await box(page).fill("short");
  await page.getByText(/one message takes 1,000,000/).waitFor({ state: "detached" });
  const noise = await page.evaluate(() => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 100;
    const pen = canvas.getContext("2d")!;
    const data = pen.createImageData(100, 100);
    crypto.getRandomValues(data.data);
    for (let i = 3; i < data.data.length; i += 4) data.data[i] = 255;
    pen.putImageData(data, 0, 0);
    return canvas.toDataURL("image/png").split(",")[1]!;
  });
  await attach(page, "noise.png", Buffer.from(noise, "base64"));
  await page.getByText(/Text and pictures are .* Remove a picture\./).waitFor();
  await page.getByRole("button", { name: "Remove noise.png" }).click();
  await box(page).press("Enter");
  expect((await b.gateway.nextRun()).question).toBe("short");
  expect(b.gateway.sends.length).toBe(1);
});

check("a failed answer can be tried again with one button", async () => {
  const page = await b.open();
  await send(page, "Say hello");
  (await b.gateway.nextRun()).fail("The key was refused.", "Check the key.");
  await page.getByRole("button", { name: "Try again" }).click();
  const again = await b.gateway.nextRun();
  expect(again.question).toBe("Say hello");
  again.say("Hello.").end();
  await conversation(page).getByText("Hello.").waitFor();
  expect(await page.getByRole("button", { name: "Try again" }).count()).toBe(0);
  expect(new Set(b.gateway.sends.map((each) => each.key)).size).toBe(2);
});
