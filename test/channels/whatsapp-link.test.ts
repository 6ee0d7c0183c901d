/** Linking a phone, keeping the connection, losing it for every reason there is. */
import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { silentLogger } from "../../src/base/log.ts";
import type { LoginContext, LoginStep } from "../../src/channels/channel.ts";
import { WhatsappConfig } from "../../src/channels/whatsapp/config.ts";
import whatsapp from "../../src/channels/whatsapp/index.ts";
import { IMPORTED } from "../../src/channels/whatsapp/legacy.ts";
import { MemoryState } from "../contract/platform.ts";
import { begin, type House, out, QUICK, refusal } from "../fakes/whatsapp/house.ts";
import { startWhatsApp, type WhatsApp } from "../fakes/whatsapp/index.ts";

async function on(
  run: (at: { fake: WhatsApp; house: House }) => Promise<void>,
  config: Record<string, unknown> = {},
): Promise<void> {
  const fake = startWhatsApp();
  const house = await begin(fake, config);
  try {
    await house.until(() => house.lines.some((line) => line.includes("Listening")));
    await run({ fake, house });
    expect(fake.world.problems).toEqual([]);
  } finally {
    await house.stop();
    await fake.close();
  }
}

const context = (
  fake: WhatsApp,
  state: MemoryState,
  over: Partial<LoginContext<WhatsappConfig>> = {},
): LoginContext<WhatsappConfig> => ({
  account: "default",
  config: WhatsappConfig.parse(QUICK),
  env: (name) => fake.env[name],
  signal: new AbortController().signal,
  log: silentLogger,
  state,
  force: false,
  ...over,
});

/** Goes through a sign-in; `act` is what somebody does with the phone at each step. */
async function steps(
  ctx: LoginContext<WhatsappConfig>,
  act: (step: LoginStep) => void | Promise<void> = () => undefined,
): Promise<LoginStep[]> {
  const seen: LoginStep[] = [];
  for await (const step of whatsapp.login!(ctx)) {
    seen.push(step);
    await act(step);
  }
  return seen;
}
const kinds = (seen: LoginStep[]): string[] => seen.map(({ kind }) => kind);

test("it says what the log of the original says, and who it is", () =>
  on(async ({ fake, house }) => {
    expect(house.lines).toContain("info Listening for personal WhatsApp inbound messages.");
    expect(house.status).toMatchObject({
      ...{ connected: true, linked: true, mode: "socket", reconnectAttempts: 0 },
      self: { id: fake.owner.id, name: "Robot" },
    });
    expect(fake.world.presences.filter(({ what }) => what === "available")).toEqual([]);
  }));

test("why a connection ended is told apart, and what follows too", async () => {
  const rows: [number, RegExp, "again" | "ends"][] = [
    [515, /asked for a new connection/, "again"],
    [500, /ended the session/, "again"],
    [503, /not available/, "again"],
    [440, /Another program uses the same link/, "again"],
    [403, /may be blocked/, "again"],
    [401, /logged this device out/, "ends"],
  ];
  for (const [code, text, then] of rows)
    await on(
      async ({ fake, house }) => {
        const signIns = fake.world.signIns;
        fake.streamError(code);
        await house.until(() => house.status.lastDisconnect !== undefined);
        expect(house.status.lastDisconnect).toMatchObject({
          status: code,
          error: expect.stringMatching(text),
        });
        if (then === "ends") {
          await house.until(() => house.failures.length > 0);
          expect(house.failures[0]).toMatchObject({
            code: "not_linked",
            hint: expect.stringContaining("clawdbot channels login --channel whatsapp"),
          });
          expect(house.status).toMatchObject({ connected: false, linked: false });
          expect(await house.state.get("creds")).toBeUndefined();
          return;
        }
        await fake.world.until(() => fake.world.signIns > signIns);
        await house.until(() => house.status.connected === true);
        expect(house.status.lastError).toBeUndefined();
      },
      { web: { reconnect: { initialMs: 250, maxMs: 250, jitter: 0 } } },
    );
});

test("a server that is silent without closing is left, and the clock of silence starts anew", () =>
  on(
    async ({ fake, house }) => {
      fake.world.faults.silent = true;
      await house.until(() => house.status.lastDisconnect?.status === 499);
      expect(house.status).toMatchObject({
        connected: false,
        lastError: expect.stringContaining("silent"),
      });
      fake.world.faults.silent = false;
      const signIns = fake.world.signIns;
      await fake.world.until(() => fake.world.signIns > signIns);
      await house.until(() => house.status.connected === true);
      // Had the clock not started anew, the next look at it would have ended this connection as well.
      await house.until(() => house.status.roundTripMs !== undefined);
      expect(fake.world.signIns).toBe(signIns + 1);
    },
    { web: { heartbeatSeconds: 1, reconnect: { initialMs: 250 } } },
  ));

test("pauses grow, and after so many attempts the account rests", async () => {
  const fake = startWhatsApp();
  const web = { reconnect: { initialMs: 250, factor: 1.1, jitter: 0, maxAttempts: 2 } };
  fake.world.faults.upgrades.push(503, 503, 503, 503);
  const house = await begin(fake, { web });
  await house.until(() => house.failures.length > 0);
  expect(house.failures[0]).toMatchObject({ code: "channel_unreachable" });
  expect(fake.world.faults.upgrades.length).toBe(1);
  expect(house.status.lastDisconnect?.status).toBe(503);
  await house.stop();
  await fake.close();
});

test("a refused sign-in that is no loss of the link is tried again", async () => {
  const fake = startWhatsApp();
  fake.world.faults.logins.push(503);
  const house = await begin(fake);
  await house.until(() => house.status.connected === true);
  expect(house.failures).toEqual([]);
  await house.stop();
  await fake.close();
});

test("without a link it does not start and says what to type", async () => {
  const fake = startWhatsApp({ prekeys: 0 });
  const error = await refusal(begin(fake));
  expect(error).toMatchObject({ code: "not_linked" });
  expect(error.hint).toContain("clawdbot channels login --channel whatsapp");
  const other = await refusal(begin(fake, {}, { account: "work" }));
  expect(other.hint).toContain("--account work");
  await fake.close();
});

test("a socket address that is not on this machine is refused", async () => {
  const fake = startWhatsApp();
  for (const url of [
    "wss://evil.example/ws",
    "http://127.0.0.1/ws",
    "ws://127.0.0.1.evil.example/",
    "x",
  ]) {
    const error = await refusal(
      begin(fake, {}, { env: (name) => (name.includes("URL") ? url : undefined) }),
    );
    expect(error.code).toBe("channel_misconfigured");
    expect(error.message).toContain("WHATSAPP_WEB_SOCKET_URL");
  }
  await fake.close();
});

test("a phone is linked by a picture, and the account works with the link", async () => {
  const fake = startWhatsApp({ prekeys: 0 });
  const state = new MemoryState();
  const seen = await steps(context(fake, state), (step) => {
    if (step.kind === "qr") fake.world.asking!.scan(step.data);
  });
  expect(kinds(seen)).toEqual(["qr", "wait", "done"]);
  expect(seen.at(-1)).toMatchObject({ text: `Linked as ${fake.owner.id}.` });
  expect(fake.world.linked!.prekeys.size).toBe(812);
  const ada = fake.person("Ada");
  // What comes between the link and the start waits on the server.
  await fake.says(ada, "hello");
  const house = await begin(fake, {}, {}, state);
  await house.receives(1);
  await house.account.send(out(ada.id, "hello Ada"));
  expect(fake.texts()).toEqual(["hello Ada"]);
  expect(fake.world.problems).toEqual([]);
  expect(kinds(await steps(context(fake, state)))).toEqual(["done"]);
  await house.stop();
  await fake.close();
}, 15_000);

test("a phone is linked by a code", async () => {
  const fake = startWhatsApp({ prekeys: 0 });
  const state = new MemoryState();
  const ctx = context(fake, state, { phone: "+1 555 000-0001" });
  const seen = await steps(ctx, async (step) => {
    if (step.kind !== "code") return;
    // A link that nobody has finished is none.
    expect(await state.get("creds")).toBeUndefined();
    await fake.world.asking!.type(step.code);
  });
  expect(kinds(seen)).toEqual(["code", "wait", "done"]);
  expect((seen[0] as { code: string }).code).toMatch(/^[A-Z0-9]{4}-[A-Z0-9]{4}$/);
  expect(fake.world.problems).toEqual([]);
  const house = await begin(fake, {}, {}, state);
  await house.until(() => house.status.connected === true);
  await house.stop();
  await fake.close();
}, 15_000);

test("a picture that nobody can scan any more is replaced by a new one", async () => {
  const fake = startWhatsApp({ prekeys: 0 });
  const pictures: string[] = [];
  const seen = await steps(context(fake, new MemoryState()), (step) => {
    if (step.kind !== "qr") return;
    pictures.push(step.data);
    if (pictures.length === 1) fake.cut();
    else fake.world.asking!.scan(step.data);
  });
  expect(kinds(seen)).toEqual(["qr", "wait", "qr", "wait", "done"]);
  expect(pictures[0]).not.toBe(pictures[1]!);
  await fake.close();
});

test("a number that is none is refused before anything is asked", async () => {
  const fake = startWhatsApp({ prekeys: 0 });
  const seen = await steps(context(fake, new MemoryState(), { phone: "0151 23" }));
  expect(seen).toMatchObject([{ kind: "failed", error: { code: "bad_request" } }]);
  expect(fake.world.asking).toBeUndefined();
  await fake.close();
});

test("a sign-in that is broken off leaves no link behind", async () => {
  const fake = startWhatsApp({ prekeys: 0 });
  const state = new MemoryState();
  const stop = new AbortController();
  const seen = await steps(
    context(fake, state, { signal: stop.signal, phone: "+15550000001" }),
    () => stop.abort(),
  );
  expect(kinds(seen)).toEqual(["code"]);
  expect(await state.keys("")).toEqual([]);
  await fake.close();
});

test("a refused link is told with the remedy, and an old one is replaced by force only", async () => {
  const fake = startWhatsApp();
  const state = new MemoryState();
  await state.put(fake.state);
  await state.put({ "inbox/1": { kept: true } });
  expect(kinds(await steps(context(fake, state)))).toEqual(["done"]);
  fake.revoke();
  fake.world.faults.logins.push(401, 401);
  const seen = await steps(context(fake, state, { force: true }));
  expect(seen).toMatchObject([
    {
      kind: "failed",
      error: { code: "not_linked", hint: expect.stringContaining("channels login") },
    },
  ]);
  // Whoever wrote before is not forgotten.
  expect(await state.keys("")).toEqual(["inbox/1"]);
  await fake.close();
});

test("logging out tells WhatsApp and leaves nothing behind", async () => {
  const fake = startWhatsApp();
  const state = new MemoryState();
  await state.put(fake.state);
  expect(await whatsapp.logout!(context(fake, state))).toBe(true);
  expect(fake.world.linked === undefined).toBe(true);
  expect(await state.keys("")).toEqual([IMPORTED]);
  expect(await whatsapp.logout!(context(fake, state))).toBe(false);
  await fake.close();
});

test("the link of an older installation is taken over once, and its files stay as they are", async () => {
  const fake = startWhatsApp();
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-legacy-"));
  fake.writeFolder(dir);
  const files = (): string[] =>
    readdirSync(dir).map((name) => name + readFileSync(join(dir, name), "utf8"));
  const before = files();
  const state = new MemoryState();
  const ada = fake.person("Ada");
  const house = await begin(fake, { authDir: dir }, {}, state);
  await fake.says(ada, "hello");
  await house.receives(1);
  expect(files()).toEqual(before);
  expect((await state.keys("key/pre-key/")).length).toBe(29);
  await house.stop();
  // From now on the files are old; their keys must not come back.
  const again = await begin(fake, { authDir: dir }, {}, state);
  await fake.says(ada, "again");
  await again.receives(1);
  expect((await state.keys("key/pre-key/")).length).toBe(29);
  await again.stop();
  // Nor after the link was ended.
  await whatsapp.logout!(context(fake, state));
  await expect(begin(fake, { authDir: dir }, {}, state)).rejects.toMatchObject({
    code: "not_linked",
  });
  rmSync(dir, { recursive: true });
  expect(existsSync(dir)).toBe(false);
  await fake.close();
});

test("an account that only sends reads nothing", async () => {
  const fake = startWhatsApp();
  const ada = fake.person("Ada");
  const house = await begin(fake, {}, { listen: false });
  await fake.says(ada, "for the gateway");
  await house.account.send(out(ada.id, "from the terminal"));
  expect(house.received).toEqual([]);
  expect(fake.world.linked!.waiting.size).toBe(1);
  await house.stop();
  await fake.close();
});
