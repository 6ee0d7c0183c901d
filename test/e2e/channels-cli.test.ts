/** Channels from the command line, as somebody does it who has a bot's token and nothing else: the compiled binary, an empty home. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { silentLogger } from "../../src/base/log.ts";
import type { Inbound, Route, SessionKey } from "../../src/flow.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import type { Store } from "../../src/store/store.ts";
import { startTelegram, type Telegram } from "../fakes/telegram.ts";
import { emptyHome, type Home, runCli, startGatewayProcess } from "./binary.ts";
import { freePort } from "./child.ts";
import { inTerminal } from "./terminal.ts";

// Several commands each, and a busy machine may take a while to start every one of them.
setDefaultTimeout(20_000);
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

type Place = {
  home: Home;
  telegram: Telegram;
  cli(
    line: string,
    input?: string,
    env?: Record<string, string>,
  ): Promise<{ code: number; stdout: string; stderr: string }>;
  config(): string;
};

/** A home whose only setting is where the fake is, with a comment that has to survive. */
async function place(apiRoot?: string): Promise<Place> {
  const home = emptyHome();
  open.push(() => home.remove());
  const telegram = await startTelegram({ username: "clawd_bot" });
  open.push(() => telegram.close());
  mkdirSync(home.state, { mode: 0o700 });
  const file = join(home.state, "clawdbot.json");
  writeFileSync(
    file,
    `{\n  // the fake\n  "channels": { "telegram": { "apiRoot": ${JSON.stringify(apiRoot ?? telegram.apiRoot)} } }\n}\n`,
    { mode: 0o644 },
  );
  return {
    home,
    telegram,
    cli: (line, input, env) =>
      runCli(splitWords(line), {
        home,
        ...(input !== undefined && { input }),
        ...(env && { env }),
      }),
    config: () => readFileSync(file, "utf8"),
  };
}

const splitWords = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((m) => m[1] ?? m[2]!);

/** Fills the database of a home as a gateway would have, while none runs. */
async function seed(home: Home, fill: (store: Store) => Promise<void>): Promise<void> {
  const store = await openSqlite({
    path: join(home.state, "clawdbot.sqlite"),
    log: silentLogger,
  });
  await fill(store);
  await store.close();
}

const parse = (text: string) => JSON.parse(text) as Record<string, unknown>;

describe("channels add", () => {
  test("tries the token, writes it, and says what to do next; the token is never printed", async () => {
    const { telegram, cli, config, home } = await place();
    const { code, stdout, stderr } = await cli(
      "channels add --channel telegram --token -",
      `${telegram.token}\n`,
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.any(String) });
    expect(stdout).toContain('Added Telegram account "default".');
    expect(stdout).toContain("It works: @clawd_bot");
    expect(stdout).toContain("clawdbot pairing approve telegram <code>");
    expect(stdout).toContain("Start the gateway: clawdbot gateway");
    expect(stdout + stderr).not.toContain(telegram.token);
    expect(telegram.callsOf("getMe").length).toBeGreaterThan(0);
    // Only asked: nothing was fetched that a gateway would have to answer.
    expect(telegram.callsOf("getUpdates")).toEqual([]);
    expect(config()).toContain("// the fake");
    expect(Bun.JSON5.parse(config())).toMatchObject({
      channels: { telegram: { enabled: true, botToken: telegram.token } },
    });
    expect(statSync(join(home.state, "clawdbot.json")).mode & 0o777).toBe(0o600);
    expect((await cli("channels list")).stdout).toContain(
      "- Telegram default: configured, token=config, enabled",
    );
    for (const line of ["channels list --json", "channels status --json", "doctor --json"])
      expect((await cli(line)).stdout).not.toContain(telegram.token);
  });

  test("works in a home where nothing is, without a terminal, as in a container", async () => {
    const home = emptyHome();
    open.push(() => home.remove());
    const { code, stdout } = await runCli(
      "channels add --channel telegram --token 123456:abcdefghijk --no-probe --json".split(" "),
      { home },
    );
    expect(code).toBe(0);
    expect(parse(stdout)).toMatchObject({
      ok: true,
      channel: "telegram",
      accountId: "default",
      probe: null,
      next: ["clawdbot gateway", "clawdbot pairing approve telegram <code>"],
    });
    expect(existsSync(join(home.state, "clawdbot.json"))).toBe(true);
  });

  test("refuses a token that the platform refuses, and writes nothing; --force writes it", async () => {
    const { cli, config } = await place();
    const before = config();
    const wrong = "123456:a-wrong-token-of-somebody";
    const refused = await cli(`channels add --channel telegram --token ${wrong}`);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("Telegram refuses the token");
    expect(refused.stdout + refused.stderr).not.toContain(wrong);
    expect(config()).toBe(before);
    const json = await cli(`channels add --channel telegram --token ${wrong} --json`);
    expect({ code: json.code, stderr: json.stderr }).toEqual({ code: 1, stderr: "" });
    expect(parse(json.stdout)).toMatchObject({
      ok: false,
      error: { code: "channel_misconfigured" },
    });
    const forced = await cli(`channels add --channel telegram --token ${wrong} --force`);
    expect(forced.code).toBe(0);
    expect(forced.stderr).toContain("it was refused");
    expect(config()).toContain(wrong);
  });

  test("writes it with a warning when the platform cannot be reached", async () => {
    const { cli, config, telegram } = await place(`http://127.0.0.1:${freePort()}`);
    const { code, stderr } = await cli(`channels add --channel telegram --token ${telegram.token}`);
    expect(code).toBe(0);
    expect(stderr).toContain("it could not be tried");
    expect(config()).toContain(telegram.token);
  });

  test("a second account has its own place; a token file replaces a token", async () => {
    const { cli, config, home, telegram } = await place();
    writeFileSync(join(home.dir, "token"), telegram.token, { mode: 0o600 });
    await cli("channels add --channel telegram --token 111111:other-bots-token --no-probe");
    const { code, stderr } = await cli(
      'channels add --channel telegram --account Work --token-file ~/token --name "At work"',
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
    expect(Bun.JSON5.parse(config())).toMatchObject({
      channels: {
        telegram: {
          botToken: "111111:other-bots-token",
          accounts: {
            work: { enabled: true, name: "At work", tokenFile: join(home.dir, "token") },
          },
        },
      },
    });
    expect(
      (await cli("channels add --channel telegram --token-file ~/token --no-probe --force")).code,
    ).toBe(0);
    const { botToken } = (
      Bun.JSON5.parse(config()) as { channels: { telegram: { botToken?: string } } }
    ).channels.telegram;
    expect(botToken).toBeUndefined();
  });

  test("says what is missing or wrong", async () => {
    const { cli, telegram } = await place();
    const errors: [line: string, text: string][] = [
      ["channels add --channel fax --token 12345678", "Unknown channel: fax"],
      [
        "channels add --channel telegram",
        "Telegram requires token or --token-file (or --use-env).",
      ],
      ["channels add --channel telegram --token x", "does not look like a token"],
      [`channels add --channel telegram --token ${telegram.token} --use-env`, "Give one of"],
      ["channels add --channel telegram --account a/b --token 12345678", "name of an account"],
      ["channels add", "no terminal"],
    ];
    for (const [line, text] of errors) {
      const { code, stderr } = await cli(line);
      expect({ line, code, stderr }).toEqual({
        line,
        code: 1,
        stderr: expect.stringContaining(text),
      });
    }
  });

  test("asks on a terminal, and does not show the token", async () => {
    const { home, telegram, config } = await place();
    const screen = inTerminal(["channels", "add"], home);
    open.push(() => screen.close());
    await screen.sees("Which chat network?");
    await screen.sees("[1]");
    screen.type("1\r");
    await screen.sees("BotFather");
    await screen.sees("Token (it is not shown):");
    screen.type(`${telegram.token}\r`);
    await screen.sees('Added Telegram account "default".');
    expect(await screen.exited).toBe(0);
    expect(screen.text()).not.toContain(telegram.token);
    expect(config()).toContain(telegram.token);
  });
});

test("channels remove switches off or takes out, and logout takes the token away", async () => {
  const { cli, config } = await place();
  await cli("channels add --channel telegram --token 111111:other-bots-token --no-probe");
  expect((await cli("channels remove --channel telegram")).code).toBe(1);
  const off = await cli("channels remove --channel telegram --yes");
  expect(off.stdout).toBe('Disabled Telegram account "default".\n');
  expect(Bun.JSON5.parse(config())).toMatchObject({
    channels: { telegram: { enabled: false, botToken: "111111:other-bots-token" } },
  });
  const out = await cli("channels logout --channel telegram --json");
  expect(parse(out.stdout)).toMatchObject({ cleared: true, envToken: false });
  expect(config()).not.toContain("111111");
  await cli("channels add --channel telegram --token 111111:other-bots-token --no-probe");
  const gone = await cli("channels remove --channel telegram --delete");
  expect(gone.stdout).toBe('Deleted Telegram account "default".\n');
  expect(config()).not.toContain("telegram");
  expect((await cli("channels remove --channel telegram --delete")).code).toBe(1);
});

describe("without a gateway", () => {
  test("channels status shows the config, and says so in JSON", async () => {
    const { cli } = await place();
    await cli("channels add --channel telegram --token 111111:other-bots-token --no-probe");
    const { code, stdout, stderr } = await cli("channels status --probe");
    expect(code).toBe(0);
    expect(stderr).toStartWith("Gateway not reachable: ");
    expect(stdout).toContain("Gateway not reachable; showing config-only status.");
    expect(stdout).toContain("- Telegram default: enabled, configured, token:config");
    const json = await cli("channels status --json");
    expect(parse(json.stdout)).toMatchObject({
      ok: false,
      configOnly: true,
      channelAccounts: { telegram: [{ accountId: "default", configured: true, running: false }] },
    });
  });

  test("channels capabilities asks the platform itself", async () => {
    const { cli, telegram } = await place();
    await cli(`channels add --channel telegram --token ${telegram.token} --no-probe`);
    const { stdout } = await cli("channels capabilities --json");
    expect(parse(stdout)).toMatchObject({
      channels: [
        {
          channel: "telegram",
          configured: true,
          support: expect.arrayContaining(["send", "react", "edit"]),
          actions: expect.arrayContaining(["send", "react", "edit"]),
          probe: { ok: true, bot: { username: "clawd_bot" } },
        },
      ],
    });
  });

  test("message send goes straight to the platform", async () => {
    const { cli, telegram } = await place();
    telegram.person(42);
    await cli(`channels add --channel telegram --token ${telegram.token} --no-probe`);
    const dry = await cli("message send -t 42 -m hello --dry-run --json");
    expect(parse(dry.stdout)).toEqual({
      action: "send",
      channel: "telegram",
      dryRun: true,
      handledBy: "dry-run",
      payload: { channel: "telegram", to: "42", via: "gateway", mediaUrl: null, dryRun: true },
    });
    expect(telegram.sent).toEqual([]);
    const sent = await cli('message send -t 42 -m "**bold** & <b>" --json');
    expect(sent).toMatchObject({ code: 0, stderr: "" });
    expect(parse(sent.stdout)).toMatchObject({
      action: "send",
      handledBy: "core",
      payload: { via: "direct", result: { messageId: expect.any(String), chatId: "42" } },
    });
    expect(telegram.texts).toEqual(["bold & <b>"]);
    expect(telegram.callsOf("getUpdates")).toEqual([]);
    const human = await cli("message send -t 42 -m again");
    expect(human.stdout).toMatch(/^✅ Sent via Telegram\. Message ID: \S+ \(chat 42\)\n$/);
  });

  test("a broadcast goes on behind a chat that cannot be reached", async () => {
    const { cli, telegram } = await place();
    telegram.person(42);
    telegram.person(43);
    await cli(`channels add --channel telegram --token ${telegram.token} --no-probe`);
    const { code, stdout } = await cli("message broadcast --targets 42 99 43 -m hello");
    expect(code).toBe(0);
    expect(stdout).toContain("✅ Broadcast complete (2/3 succeeded, 1 failed)");
    expect(telegram.texts).toEqual(["hello", "hello"]);
  });

  test("actions do what they say, and say what they need", async () => {
    const { cli, telegram } = await place();
    telegram.person(42);
    await cli(`channels add --channel telegram --token ${telegram.token} --no-probe`);
    const sent = await cli("message send -t 42 -m old --json");
    const { messageId } = (parse(sent.stdout) as { payload: { result: { messageId: string } } })
      .payload.result;
    const edited = await cli(`message edit -t 42 --message-id ${messageId} -m new --json`);
    expect(parse(edited.stdout)).toMatchObject({ action: "edit", handledBy: "plugin" });
    expect(telegram.callsOf("editMessageText").length).toBe(1);
    const reacted = await cli(`message react -t 42 --message-id ${messageId} --emoji 👍`);
    expect(reacted.stdout).toBe("✅ Reacted with 👍.\n");
    const none = await cli("message react -t 42 --emoji 👍");
    expect(none).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("required option '--message-id' not specified"),
    });
    const search = await cli("message search -t 42 --query x --json");
    expect(search.code).toBe(1);
    expect(parse(search.stdout)).toMatchObject({ ok: false });
  });

  test("strangers are listed and let in, under the lock of the state folder", async () => {
    const { cli, home } = await place();
    expect((await cli("pairing list telegram")).stdout).toBe(
      "No pending telegram pairing requests.\n",
    );
    let code = "";
    await seed(home, async (store) => {
      const who = {
        channel: "telegram",
        account: "default",
        sender: "42",
        meta: { username: "ann" },
      };
      ({ code } = await store.pairing.request(who, Date.now(), { ttlMs: 3_600_000, cap: 3 }));
    });
    const list = await cli("pairing list telegram --json");
    expect(parse(list.stdout)).toMatchObject({
      channel: "telegram",
      requests: [
        { id: "42", code, meta: { username: "ann" }, createdAt: expect.stringMatching(/Z$/) },
      ],
    });
    const wrong = await cli("pairing approve telegram WRONGCOD");
    expect(wrong).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("No pending pairing request found for code: WRONGCOD"),
    });
    expect((await cli(`pairing approve discord ${code}`)).code).toBe(1);
    const approved = await cli(`pairing approve ${code.toLowerCase()}`);
    expect(approved).toMatchObject({ code: 0, stdout: "Approved telegram sender 42.\n" });
    expect((await cli("pairing list --allowed")).stdout).toContain("42");
    const revoked = await cli("pairing revoke telegram 42");
    expect(revoked.stdout).toBe("Revoked telegram sender 42.\n");
    expect((await cli("pairing list --allowed")).stdout).toBe("Nobody was let in by a code.\n");
  });

  test("message trace and recent look into the database", async () => {
    const { cli, home } = await place();
    expect((await cli("message recent")).stdout).toBe("No message has arrived yet.\n");
    const at = Date.now();
    const message: Inbound = {
      id: "m1",
      from: { channel: "telegram", account: "default", chatId: "42" },
      chat: "dm",
      sender: { id: "42", name: "Ann\u001b[31m" },
      text: "why?",
      media: [],
      mentioned: false,
      at,
    };
    const turn: Route = {
      kind: "turn",
      agentId: "main",
      sessionKey: "agent:main:main" as SessionKey,
      reply: message.from,
      matchedBy: "default",
      trust: "owner",
    };
    await seed(home, async (store) => {
      await store.inbound.accept(message, { kind: "drop", reason: "not_paired" }, "r1");
      await store.inbound.accept({ ...message, id: "m2" }, turn, "r2");
      await store.turns.begin(["r2"], [], at);
      await store.turns.finish("r2", {
        state: "done",
        at,
        entries: [],
        outbox: [{ key: "r2:0", runId: "r2", to: message.from, text: "because" }],
      });
      await store.outbox.sending("r2:0");
      await store.outbox.giveUp("r2:0", "dead", "bot was blocked by the user");
    });
    const dropped = await cli("message trace m1");
    expect(dropped.stdout).toContain("Its sender has not been let in yet.");
    expect(dropped.stdout).toContain("clawdbot pairing approve");
    expect(dropped.stdout).not.toContain("\u001b");
    const answered = await cli("message trace r2 --json");
    expect(parse(answered.stdout)).toMatchObject({
      id: "m2",
      run: { id: "r2", state: "done" },
      outbox: [{ state: "dead", error: "bot was blocked by the user" }],
    });
    const recent = await cli("message recent --unanswered --json");
    expect(
      (parse(recent.stdout) as { messages: { id: string }[] }).messages.map((m) => m.id),
    ).toEqual(["m2", "m1"]);
    expect((await cli("message trace nothing")).code).toBe(1);
    const doctor = await cli("doctor --json");
    expect(parse(doctor.stdout).findings).toContainEqual(
      expect.objectContaining({
        checkId: "delivery",
        severity: "warning",
        message: expect.stringContaining("bot was blocked by the user"),
      }),
    );
  });

  test("a channel with a token has no sign-in", async () => {
    const { cli } = await place();
    const { code, stderr } = await cli("channels login --channel telegram");
    expect(code).toBe(1);
    expect(stderr).toStartWith("error: Channel login failed: Telegram has no sign-in");
  });

  test("the doctor names channels that cannot work or are open to everybody", async () => {
    const { cli } = await place();
    const findings = async (check = "channels") =>
      (
        parse((await cli("doctor --json")).stdout) as {
          findings: { checkId: string; severity: string; message: string; fixHint: string }[];
        }
      ).findings.filter(({ checkId }) => checkId === check);
    expect(await findings()).toMatchObject([
      { severity: "warning", message: "Telegram: it has no token." },
    ]);
    await cli("channels add --channel telegram --token 111111:other-bots-token --no-probe");
    expect(await findings()).toEqual([]);
    await cli('config set channels.telegram.allowFrom ["*"]');
    await cli("config set channels.telegram.dmPolicy open");
    expect((await findings("people"))[0]).toMatchObject({
      severity: "critical",
      fixHint: expect.stringContaining("clawdbot config set channels.telegram.dmPolicy pairing"),
    });
  });
});

test("from a token to the first answer: add, write to the bot, one approval", async () => {
  const { cli, home, telegram } = await place();
  const gateway = await startGatewayProcess(home);
  open.push(() => gateway.kill());
  const added = await cli("channels add --channel telegram --token -", telegram.token);
  expect(added).toMatchObject({
    code: 0,
    stdout: expect.not.stringContaining("Start the gateway"),
  });
  const ann = telegram.person(42);
  // The running gateway takes the account over by itself.
  await telegram.until(() => telegram.callsOf("getUpdates").length > 0);
  ann.text("hello");
  await telegram.until(() => telegram.texts.length > 0);
  const code = /Pairing code: (\w{8})/.exec(telegram.texts[0]!)![1]!;
  const list = await cli("pairing list telegram --json");
  expect(parse(list.stdout)).toMatchObject({ requests: [{ id: "42", code }] });
  expect((await cli(`pairing approve telegram ${code}`)).stdout).toBe(
    "Approved telegram sender 42.\n",
  );
  ann.text("hello again");
  await telegram.until(() => telegram.texts.length > 1);
  const status = await cli("channels status --probe");
  expect(status.stdout).toMatch(/- Telegram default: .*running, connected, in:.*works/);
  expect((await cli("health")).stdout).toContain("Telegram: ok (@clawd_bot)");
  const recent = await cli("message recent --json");
  const { messages } = parse(recent.stdout) as { messages: { id: string; outcome: string }[] };
  expect(messages.map(({ outcome }) => outcome)).toContain("Answered.");
  const sent = await cli("message send -t 42 -m straight --json");
  expect(parse(sent.stdout)).toMatchObject({ payload: { via: "gateway", to: "42" } });
  expect(telegram.texts).toContain("straight");
  const logs = await cli("channels logs --channel telegram");
  expect(logs.stdout).toContain("channels/telegram");
  const all = [status, recent, sent, logs, added].map((each) => each.stdout + each.stderr).join();
  expect(all).not.toContain(telegram.token);
}, 30_000);
