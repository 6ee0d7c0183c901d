/** Models, agents, devices, sessions and the directory from the command line: the compiled binary, with a gateway and without. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { silentLogger } from "../../src/base/log.ts";
import { SIGN_INS } from "../../src/providers/stored.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import { startAnthropic } from "../fakes/anthropic.ts";
import { startTelegram } from "../fakes/telegram.ts";
import { CLIENT, dial } from "../gateway/dial.ts";
import { emptyHome, type Home, runCli, startGatewayProcess } from "./binary.ts";
import { inTerminal } from "./terminal.ts";

// Several commands each, and a busy machine may take a while to start every one of them.
setDefaultTimeout(30_000);
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** Of the config file, as far as these tests look at it. */
type AgentsWritten = {
  defaults: { model: { fallbacks: string[] } };
  list: Record<string, unknown>[];
};

const KEY = "sk-ant-api03-good-key";

/** A home with a config that has a comment, which has to survive everything. */
function place(config = "") {
  const home = emptyHome();
  open.push(home.remove);
  mkdirSync(home.state, { mode: 0o700 });
  const file = join(home.state, "clawdbot.json");
  writeFileSync(file, `{\n  // mine\n${config}\n}\n`, { mode: 0o600 });
  const cli = (words: string[], input?: string, env?: Record<string, string>) =>
    runCli(words, { home, ...(input !== undefined && { input }), ...(env && { env }) });
  return {
    home,
    cli,
    /** The answer as JSON; stdout has nothing else. */
    async json(words: string[], env?: Record<string, string>): Promise<Record<string, unknown>> {
      const { stdout, code } = await cli([...words, "--json"], undefined, env);
      return { code, ...(JSON.parse(stdout) as Record<string, unknown>) };
    },
    agents: () => (Bun.JSON5.parse(readFileSync(file, "utf8")) as { agents: AgentsWritten }).agents,
    text: () => readFileSync(file, "utf8"),
  };
}

const running = async (home: Home, env: Record<string, string> = {}) => {
  const gateway = await startGatewayProcess(home, { env });
  open.push(() => gateway.kill());
  return gateway;
};

describe("models", () => {
  test("set, aliases and fallbacks write the config by hand's rules: comments stay, a plain text becomes a group when it must", async () => {
    const { cli, agents, text, json } = place(
      `  "agents": { "defaults": { "model": "anthropic/claude-opus-4-5" /* old */ } }`,
    );
    expect((await cli(["models", "set", "openai/gpt-5.2"])).stdout).toBe(
      "Default model: openai/gpt-5.2\n",
    );
    expect(text()).toContain(`"model": "openai/gpt-5.2" /* old */`);
    expect((await cli(["models", "fallbacks", "add", "opus"])).code).toBe(0);
    expect((await cli(["models", "fallbacks", "add", "google/gemini-3-pro"])).code).toBe(0);
    expect(
      (await cli(["models", "fallbacks", "add", "google/gemini-3-pro-preview"])).stdout,
    ).toContain("already");
    const fallbacks = agents().defaults.model.fallbacks;
    expect(fallbacks).toHaveLength(2);
    expect(fallbacks[1]).toBe("google/gemini-3-pro-preview");
    expect(await json(["models", "fallbacks", "list"])).toEqual({ code: 0, fallbacks });
    expect((await cli(["models", "fallbacks", "list", "--plain"])).stdout).toBe(
      `${fallbacks.join("\n")}\n`,
    );
    expect((await cli(["models", "fallbacks", "remove", "gemini-3-pro-preview"])).code).not.toBe(2);
    expect((await cli(["models", "fallbacks", "clear"])).code).toBe(0);
    expect(await json(["models", "fallbacks", "list"])).toEqual({ code: 0, fallbacks: [] });

    expect((await cli(["models", "aliases", "add", "Quick", "haiku"])).stderr).toContain(
      "Only models of the list",
    );
    expect(await json(["models", "aliases", "list"])).toMatchObject({
      aliases: { Quick: expect.stringMatching(/^anthropic\/claude-haiku/) },
    });
    expect(await json(["models", "set", "quick"])).toMatchObject({
      ok: true,
      model: expect.stringMatching(/^anthropic\/claude-haiku/),
    });
    const taken = await cli(["models", "aliases", "add", "quick", "openai/gpt-5.2"]);
    expect(taken).toMatchObject({ code: 1 });
    expect(taken.stderr).toContain("already points to");
    expect((await cli(["models", "aliases", "remove", "QUICK"])).code).toBe(0);
    expect((await cli(["models", "aliases", "remove", "quick"])).code).toBe(1);
    expect(text()).toContain("// mine");
    expect((await cli(["config", "validate"])).code).toBe(0);
  });

  test.each([
    [["set", "nonsense/x"], "Unknown provider: nonsense"],
    [["set", "antropic/x"], "Did you mean anthropic/x?"],
    [["set", "no-such-model-anywhere"], "no-such-model-anywhere"],
    [["set", ""], ""],
    [["list", "--status-plain"], "unknown option"],
    [["list", "--provider", "nobody"], "Unknown provider"],
    [["status", "--agent", "nobody"], "Unknown agent"],
    [["status", "--probe", "--probe-timeout", "0"], "--probe-timeout"],
    [["aliases", "add", "a b", "haiku"], "cannot be an alias"],
    [["fallbacks", "remove", "openai/gpt-5.2"], "not among"],
    [["auth", "paste-token"], "--provider"],
    [["auth", "paste-token", "--provider", "anthropic"], "standard input"],
    [["auth", "add"], "no terminal"],
    [["auth", "logout", "--provider", "openai"], "No key of openai"],
    [["auth", "order", "set", "--provider", "openai", "env:X"], 'no key "env:X"'],
    [["aliases", "ad"], "Did you mean add?"],
    [["auth", "order", "st"], "Did you mean set?"],
  ])("models %j is refused, and nothing is written", async (words, why) => {
    const { cli, text, home } = place();
    const before = text();
    const { code, stderr } = await cli(["models", ...words], "");
    expect(code).toBe(1);
    expect(stderr).toContain(why);
    expect(text()).toBe(before);
    expect(existsSync(join(home.state, ".env"))).toBe(false);
  });

  test("--json and --plain exclude each other, which is said as JSON", async () => {
    const { cli } = place();
    for (const words of [["list"], ["status"], ["aliases", "list"], ["fallbacks", "list"]]) {
      const told = await cli(["models", ...words, "--json", "--plain"]);
      expect(told).toMatchObject({ code: 1, stderr: "" });
      expect(JSON.parse(told.stdout)).toMatchObject({
        ok: false,
        error: { type: "cli_error", message: "Choose either --json or --plain, not both." },
      });
    }
  });

  test("list and status work without a gateway; --check says by its code whether the config can be served", async () => {
    const { cli, json } = place(
      `  "agents": { "defaults": { "model": { "primary": "anthropic/claude-opus-4-5", "fallbacks": ["openai/gpt-5.2"] } } }`,
    );
    const bare = await json(["models", "status", "--check"]);
    expect(bare).toMatchObject({
      code: 1,
      defaultModel: "anthropic/claude-opus-4-5",
      resolvedDefault: "demo/demo",
      auth: { missingProvidersInUse: ["anthropic", "openai"], providers: [] },
    });
    const env = { ANTHROPIC_API_KEY: KEY, OPENAI_API_KEY: "sk-openai-good-key" };
    const good = await json(["models", "status", "--check"], env);
    expect(good).toMatchObject({ code: 0, resolvedDefault: "anthropic/claude-opus-4-5" });
    expect(JSON.stringify(good)).not.toContain(KEY);
    expect((await cli(["models", "--status-plain"], undefined, env)).stdout).toBe(
      "anthropic/claude-opus-4-5\n",
    );
    const listed = (await json(["models", "list"], env)) as unknown as {
      models: { key: string; tags: string[]; available: boolean }[];
    };
    expect(listed.models.find(({ key }) => key === "openai/gpt-5.2")).toMatchObject({
      available: true,
      tags: ["fallback#1"],
    });
    const all = await cli(["models", "list", "--all", "--plain", "--provider", "google"]);
    expect(all.stdout.trim().split("\n").length).toBeGreaterThan(1);
    expect(all.stdout).toMatch(/^google\//);
  });

  test("--probe makes one real call for each key, and tells a good one from a bad one", async () => {
    const fake = await startAnthropic({ key: KEY });
    open.push(() => fake.stop());
    const { json, cli } = place(
      `  "models": { "providers": { "anthropic": { "baseUrl": ${JSON.stringify(fake.url)}, "models": [] } } },
  "agents": { "defaults": { "model": "anthropic/claude-opus-4-5" } }`,
    );
    const env = { ANTHROPIC_API_KEY: KEY, ANTHROPIC_OAUTH_TOKEN: "sk-ant-oat01-wrong-token" };
    const told = (await json(["models", "status", "--probe", "--check"], env)) as unknown as {
      code: number;
      auth: { probes: { profileId: string; ok: boolean; status: string }[] };
    };
    expect(told.code).toBe(0);
    const results = told.auth.probes.map(({ profileId, ok, status }) => [profileId, ok, status]);
    expect(results.sort()).toEqual([
      ["env:ANTHROPIC_API_KEY", true, "ok"],
      ["env:ANTHROPIC_OAUTH_TOKEN", false, "auth"],
    ]);
    expect(fake.requests).toHaveLength(2);
    const only = [
      "models",
      "status",
      "--check",
      "--probe",
      "--probe-profile",
      "env:ANTHROPIC_OAUTH_TOKEN",
    ];
    const bad = await cli(only, undefined, env);
    expect(bad.code).toBe(1);
    expect(bad.stdout).toContain("auth:");
    expect(bad.stdout).not.toContain("wrong-token");
  });

  test("a pasted key goes into .env alone, is listed without its value, ordered and removed again", async () => {
    const { cli, json, home, text } = place();
    const env = () => readFileSync(join(home.state, ".env"), "utf8");
    const paste = (words: string[], value: string) =>
      cli(["models", "auth", "paste-token", "--provider", "anthropic", ...words], `${value}\n`);
    expect((await paste([], "sk-ant-oat01-token-of-mine")).code).toBe(0);
    const pasted = await paste(["--json"], KEY);
    expect(JSON.parse(pasted.stdout)).toMatchObject({ ok: true, id: "env:ANTHROPIC_API_KEY" });
    expect(pasted.stdout + pasted.stderr).not.toContain(KEY);
    expect(env()).toBe(
      `ANTHROPIC_OAUTH_TOKEN=sk-ant-oat01-token-of-mine\nANTHROPIC_API_KEY=${KEY}\n`,
    );
    expect(text()).not.toContain("sk-ant");

    const ids = async () => {
      const found = await json(["models", "auth", "order", "get", "--provider", "anthropic"]);
      return found as unknown as { order: string[] | null; effective: string[] };
    };
    const both = ["env:ANTHROPIC_OAUTH_TOKEN", "env:ANTHROPIC_API_KEY"];
    expect(await ids()).toMatchObject({ order: null, effective: both });
    const order = ["models", "auth", "order"];
    const reversed = [...both].reverse();
    expect((await cli([...order, "set", "--provider", "anthropic", ...reversed])).code).toBe(0);
    // Two lists: `toMatchObject` looks at one that stands in two places only once.
    expect(await ids()).toMatchObject({ order: reversed, effective: [...reversed] });
    expect((await cli([...order, "clear", "--provider", "anthropic"])).code).toBe(0);
    expect(await ids()).toMatchObject({ order: null, effective: both });

    const listed = await cli(["models", "auth", "list"]);
    expect(listed.stdout).toContain("env:ANTHROPIC_API_KEY");
    expect(listed.stdout).not.toContain("good-key");
    const shadowed = await cli(
      ["models", "auth", "paste-token", "--provider", "openai"],
      "sk-openai-new-key\n",
      { OPENAI_API_KEY: "sk-openai-of-the-environment" },
    );
    expect(shadowed.stderr).toContain("set in the environment");
    expect((await cli(["models", "auth", "logout", "--provider", "anthropic"])).code).toBe(0);
    expect(env()).toBe("");
    const nasty = await paste([], "two words");
    expect(nasty).toMatchObject({ code: 1 });
    expect(env()).toBe("");
  });

  test("auth add asks, tries the key, and Ctrl-C at each question leaves nothing behind", async () => {
    const fake = await startAnthropic({ key: KEY });
    open.push(() => fake.stop());
    const { home } = place(
      `  "models": { "providers": { "anthropic": { "baseUrl": ${JSON.stringify(fake.url)}, "models": [] } } }`,
    );
    const env = join(home.state, ".env");
    const words = ["models", "auth", "add"];
    for (const at of ["Choose 1", "not shown"]) {
      const session = inTerminal(words, home, {}, { cols: 40, rows: 12 });
      open.push(() => session.close());
      await session.sees("Choose 1");
      if (at !== "Choose 1") {
        session.type("anthropic\r");
        await session.sees("is not");
      }
      session.type("\u0003");
      expect(await session.exited).toBe(130);
      expect(existsSync(env)).toBe(false);
    }
    const session = inTerminal([...words, "--provider", "anthropic"], home);
    open.push(() => session.close());
    await session.sees("it is not shown");
    session.type("sk-ant-api03-wrong\r");
    await session.sees("It did not work");
    await session.sees("Keep it all the same?");
    session.type("n\r");
    await session.sees("it is not shown");
    session.type(`${KEY}\r`);
    await session.sees("answered.");
    expect(await session.exited).toBe(0);
    expect(session.text()).not.toContain(KEY);
    expect(readFileSync(env, "utf8")).toBe(`ANTHROPIC_API_KEY=${KEY}\n`);
  });
});

test("sign-ins that were taken over are listed, said to end, and removed", async () => {
  const { home, cli, json } = place(
    `  "agents": { "defaults": { "model": "anthropic/claude-opus-4-5" } }`,
  );
  const hour = 3_600_000;
  const seed = async (expires: number | undefined, order: Record<string, string[]> = {}) => {
    const store = await openSqlite({
      path: join(home.state, "clawdbot.sqlite"),
      log: silentLogger,
    });
    const token = { type: "token", provider: "anthropic", token: "sk-ant-oat01-of-old", expires };
    await store.kv.set(SIGN_INS, "main", { profiles: { "anthropic:old": token }, order });
    await store.close();
  };
  const check = ["models", "status", "--check"];
  await seed(Date.now() + 100 * hour);
  const good = await json(check);
  expect(good).toMatchObject({
    code: 0,
    resolvedDefault: "anthropic/claude-opus-4-5",
    auth: { oauth: { profiles: [{ profileId: "anthropic:old", status: "ok" }] } },
  });
  expect(JSON.stringify(good)).not.toContain("of-old");
  const listed = await cli(["models", "auth", "list"]);
  expect(listed.stdout).toMatch(/anthropic:old .* taken over/);
  await seed(Date.now() + hour);
  expect((await cli(check)).code).toBe(2);
  const key = { ANTHROPIC_API_KEY: KEY };
  expect((await cli(check, undefined, key)).code).toBe(0);
  await seed(Date.now() - hour);
  expect((await cli(check)).code).toBe(1);

  await seed(undefined, { anthropic: ["anthropic:old"] });
  const set = [
    "models",
    "auth",
    "order",
    "set",
    "--provider",
    "anthropic",
    "env:ANTHROPIC_API_KEY",
  ];
  expect((await cli(set, undefined, key)).stderr).toContain("was taken over");
  const gateway = await startGatewayProcess(home);
  const logout = ["models", "auth", "logout", "--provider", "anthropic"];
  expect((await cli(logout)).stderr).toContain("already running");
  await gateway.kill();
  expect((await cli(logout)).stdout).toBe("Removed anthropic:old.\n");
  expect((await cli(["models", "auth", "list"])).stdout).toBe("No keys.\n");
});

test("auth setup-token starts the vendor's program in this terminal, and keeps what it printed", async () => {
  const { home, cli } = place();
  const bin = join(home.dir, "bin");
  mkdirSync(bin);
  const script = (body: string) =>
    writeFileSync(join(bin, "claude"), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  const PATH = `${bin}:${process.env["PATH"] ?? "/usr/bin:/bin"}`;
  const words = ["models", "auth", "setup-token"];
  const start = (more: string[], path = PATH) => {
    const session = inTerminal([...words, ...more], home, {
      PATH: path,
      ANTHROPIC_BASE_URL: "http://127.0.0.1:1",
    });
    open.push(() => session.close());
    return session;
  };
  const env = join(home.state, ".env");
  expect((await cli(words)).stderr).toContain("needs a terminal");
  expect((await cli([...words, "--provider", "openai"])).stderr).toContain("no such tokens");

  const none = start([], "/nonexistent");
  expect(await none.exited).toBe(1);
  expect(none.text()).toContain("claude is not on PATH");

  script("exit 3");
  const failing = start(["--yes"]);
  expect(await failing.exited).toBe(1);
  expect(failing.text()).toContain("ended with 3");

  // It is asked something itself, so it has the terminal; and it gets none of our secrets.
  script(
    'test -z "$ANTHROPIC_BASE_URL" || exit 4; printf "login? "; read answer; echo "hello $answer"',
  );
  const declined = start([]);
  await declined.sees("now?");
  declined.type("n\r");
  expect(await declined.exited).toBe(0);
  const good = start([]);
  await good.sees("now?");
  good.type("\r");
  await good.sees("login? ");
  good.type("me\r");
  await good.sees("hello me");
  await good.sees("not shown");
  good.type("sk-ant-api03-wrong-kind\r");
  await good.sees("begins with");
  good.type("sk-ant-oat01-short\r");
  await good.sees("too short");
  const token = `sk-ant-oat01-${"a1".repeat(30)}`;
  good.type(`${token}\r`);
  expect(await good.exited).toBe(0);
  expect(good.text()).not.toContain(token);
  expect(readFileSync(env, "utf8")).toBe(`ANTHROPIC_OAUTH_TOKEN=${token}\n`);
});

describe("agents", () => {
  test("add, bind, identity and delete; main stays the default, and nobody's place is taken", async () => {
    const { cli, json, agents, text, home } = place();
    const added = await json(["agents", "add", "Work Horse", "--bind", "telegram:work"]);
    const workspace = join(home.dir, "clawd-work-horse");
    expect(added).toMatchObject({
      code: 0,
      agentId: "work-horse",
      name: "Work Horse",
      workspace,
      bindings: { added: ["telegram:work"], skipped: [], conflicts: [] },
    });
    expect(existsSync(join(workspace, "AGENTS.md"))).toBe(true);
    const list = JSON.parse((await cli(["agents", "list", "--json"])).stdout) as {
      id: string;
      isDefault: boolean;
    }[];
    expect(list.map(({ id, isDefault }) => [id, isDefault])).toEqual([
      ["main", true],
      ["work-horse", false],
    ]);

    expect((await cli(["agents", "add", "work-horse"])).stderr).toContain("already exists");
    expect((await cli(["agents", "add", "MAIN"])).stderr).toContain("reserved");
    expect((await cli(["agents", "add", "x", "--non-interactive"])).stderr).toContain(
      "--workspace",
    );
    expect((await cli(["agents", "add"])).stderr).toContain("missing argument");

    const conflict = await cli(["agents", "bind", "--bind", "telegram:work", "--bind", "discord"]);
    expect(conflict.code).toBe(1);
    expect(conflict.stderr).toContain("telegram:work (work-horse)");
    expect(conflict.stdout).toContain("Bound: discord");
    const again = await json(["agents", "bind", "--bind", "discord:default"]);
    expect(again).toMatchObject({ ok: true, skipped: ["discord:default"] });
    expect((await cli(["agents", "unbind", "--bind", "discord"])).stdout).toBe(
      "Unbound: discord\n",
    );
    expect((await cli(["agents", "unbind", "--bind", "discord"])).code).toBe(1);
    expect((await cli(["agents", "bind", "--bind", "nowhere"])).stderr).toContain(
      "Unknown channel",
    );

    writeFileSync(
      join(workspace, "IDENTITY.md"),
      "# Identity\n\n- **Name:** Iris\n- **Creature:** (an owl?)\n- **Emoji:** 🦉\n- **Vibe:** _calm_\n",
    );
    const identity = ["agents", "set-identity", "--workspace", workspace, "--from-identity"];
    expect(await json([...identity, "--theme", "loud"])).toMatchObject({
      agentId: "work-horse",
      identity: { name: "Iris", emoji: "🦉", theme: "loud" },
    });
    expect((await cli(["agents", "set-identity", "--name", "Clawd"])).stdout).toContain(
      "Agent: main",
    );
    const { list: written } = agents();
    expect(written).toHaveLength(2);
    expect(written[0]).toEqual({ id: "main", identity: { name: "Clawd" } });
    expect(text()).toContain("// mine");

    expect((await cli(["agents", "delete", "work-horse"])).stderr).toContain("--force");
    expect((await cli(["agents", "delete", "main", "--force"])).stderr).toContain(
      "cannot be deleted",
    );
    const gone = await json(["agents", "delete", "Work-Horse", "--force"]);
    expect(gone).toMatchObject({ agentId: "work-horse", removedBindings: 1, removedAllow: 0 });
    const kept = join(gone["movedTo"] as string, "clawd-work-horse/IDENTITY.md");
    expect(readFileSync(kept, "utf8")).toContain("Iris");
    expect(existsSync(workspace)).toBe(false);
    expect((await cli(["agents", "bindings"])).stdout).toBe("No bindings.\n");
    expect((await cli(["config", "validate"])).code).toBe(0);
  });

  test("an agent that cannot be written down leaves no folder behind, and a folder that cannot be made no agent", async () => {
    const { cli, home, text } = place(`  "agents": { "$include": "./agents.json5" }`);
    writeFileSync(join(home.state, "agents.json5"), '{ "list": [{ "id": "main" }] }');
    const elsewhere = await cli(["agents", "add", "work"]);
    expect(elsewhere.code).toBe(1);
    expect(elsewhere.stderr).toContain("agents.json5");
    expect(existsSync(join(home.dir, "clawd-work"))).toBe(false);
    mkdirSync(join(home.dir, "clawd-there"));
    expect((await cli(["agents", "add", "there"])).code).toBe(1);
    expect(existsSync(join(home.dir, "clawd-there"))).toBe(true);
    writeFileSync(join(home.dir, "clawd-file"), "");
    const before = text();
    expect((await cli(["agents", "add", "file"])).stderr).toContain("not a folder");
    expect(text()).toBe(before);
  });

  test("a workspace that another agent uses, or that holds the home folder, is not moved with a deleted agent", async () => {
    const { cli, home } = place(
      `  "agents": { "list": [{ "id": "main", "workspace": "~/one" }, { "id": "two", "workspace": "~/one/two" }, { "id": "all", "workspace": "~" }] }`,
    );
    mkdirSync(join(home.dir, "one/two"), { recursive: true });
    for (const id of ["all", "two"]) {
      const told = await cli(["agents", "delete", id, "--force"]);
      expect(told.code).toBe(0);
      expect(told.stderr).toContain("stays");
    }
    expect(existsSync(join(home.dir, "one/two"))).toBe(true);
  });

  test("a running gateway takes a new binding without a restart", async () => {
    const { home, cli } = place();
    const gateway = await running(home);
    expect((await cli(["agents", "add", "work", "--bind", "telegram"])).code).toBe(0);
    await gateway.seen("config changed");
    const { stdout } = await cli(["agent", "--agent", "work", "-m", "Hello"]);
    expect(stdout.length).toBeGreaterThan(3);
  });
});

test("agent --deliver sends the answer to a chat too, and says what it needs", async () => {
  const telegram = await startTelegram({ username: "clawd_bot" });
  open.push(() => telegram.close());
  const { home, cli } = place(
    `  "channels": { "telegram": { "enabled": true, "botToken": ${JSON.stringify(telegram.token)}, "apiRoot": ${JSON.stringify(telegram.apiRoot)} } }`,
  );
  const said = ["agent", "-m", "Good morning", "--deliver"];
  const missing = await cli(said);
  expect(missing.code).toBe(1);
  expect(missing.stderr).toContain("--reply-channel");
  await running(home);
  // A bot cannot begin a conversation: the answer is shown all the same, and the failure is one.
  const refused = await cli([...said, "--reply-channel", "telegram", "--reply-to", "42"]);
  expect(refused.code).toBe(1);
  expect(refused.stdout.length).toBeGreaterThan(3);
  expect(refused.stderr).toContain("chat not found");
  telegram.person(42);
  const sent = await cli([...said, "--reply-channel", "telegram", "--reply-to", "42", "--json"]);
  expect(sent).toMatchObject({ code: 0 });
  const { result } = JSON.parse(sent.stdout) as { result: { payloads: { text: string }[] } };
  expect(telegram.sent.filter(({ chat }) => chat.id === 42)).toHaveLength(1);
  expect(result.payloads[0]!.text.length).toBeGreaterThan(3);

  const self = await cli(["directory", "self", "--json"]);
  expect(JSON.parse(self.stdout)).toMatchObject({ channel: "telegram", accountId: "default" });
  expect(self.stdout).toContain("clawd_bot");
});

test("directory without a gateway: a bot is asked itself, people are those that are known", async () => {
  const telegram = await startTelegram({ username: "clawd_bot" });
  open.push(() => telegram.close());
  const { cli } = place(
    `  "channels": { "telegram": { "enabled": true, "botToken": ${JSON.stringify(telegram.token)}, "apiRoot": ${JSON.stringify(telegram.apiRoot)}, "allowFrom": [42, "*"], "groups": { "-100777": {} } } }`,
  );
  const self = await cli(["directory", "self", "--channel", "telegram"]);
  expect(self).toMatchObject({ code: 0 });
  expect(self.stdout).toContain("clawd_bot");
  const people = await cli(["directory", "peers", "list", "--channel", "telegram", "--json"]);
  expect(JSON.parse(people.stdout)).toEqual([{ kind: "user", id: "42", note: "in the config" }]);
  const groups = await cli(["directory", "groups", "list", "--query", "777", "--json"]);
  expect(JSON.parse(groups.stdout)).toMatchObject([{ kind: "group", id: "-100777" }]);
  const none = await cli(["directory", "peers", "list", "--query", "nobody"]);
  expect(none).toMatchObject({ code: 0, stdout: "Nothing found.\n" });
  expect((await cli(["directory", "self", "--account", "work"])).code).toBe(1);
});

describe("sessions", () => {
  test("tail, reset and delete, with a gateway and without", async () => {
    const { home, cli, json } = place();
    const gateway = await startGatewayProcess(home);
    expect((await cli(["agent", "-m", "Remember the blue door"])).code).toBe(0);
    const side = ["agent", "--session-key", "agent:main:side", "-m", "A side talk"];
    expect((await cli(side)).code).toBe(0);
    const online = await json(["sessions", "tail", "main"]);
    const items = online["items"] as { role: string; text: string }[];
    expect(items[0]).toEqual({ role: "user", text: expect.stringContaining("blue door") });
    expect(items[1]!.role).toBe("assistant");
    await gateway.kill();
    expect(await json(["sessions", "tail", "main"])).toEqual(online);
    expect((await cli(["sessions", "tail", "agent:main:nobody"])).code).toBe(1);

    expect((await cli(["sessions", "delete", "side"])).stderr).toContain("no terminal");
    expect((await cli(["sessions", "delete", "main", "--yes"])).stderr).toContain("Cannot delete");
    expect(await json(["sessions", "delete", "side", "--yes"])).toMatchObject({ deleted: true });
    expect((await cli(["sessions", "delete", "side", "--yes"])).code).toBe(1);
    const fresh = await json(["sessions", "reset", "main"]);
    expect(fresh).toMatchObject({ ok: true, key: "agent:main:main" });
    const listed = await json(["sessions", "list"]);
    expect(listed).toMatchObject({
      total: 1,
      sessions: [{ sessionId: fresh["sessionId"] }],
    });
    expect((await cli(["sessions", "tail", "main"])).stdout).toBe("Nothing was said yet.\n");

    await running(home);
    expect((await cli(side)).code).toBe(0);
    expect((await cli(["sessions", "delete", "side", "--yes"])).code).toBe(0);
    expect((await cli(["sessions", "reset", "main"])).code).toBe(0);
  });
});

describe("devices", () => {
  /** A device that signs in over TCP from what looks like elsewhere, as a page behind a proxy does. */
  function device() {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const raw = publicKey.export({ format: "der", type: "spki" }).subarray(12);
    const id = createHash("sha256").update(raw).digest("hex");
    const offer = async (port: number, token: string) => {
      const client = await dial(`ws://127.0.0.1:${port}`, {
        origin: `http://127.0.0.1:${port}`,
        host: `127.0.0.1:${port}`,
      });
      const { nonce } = (await client.challenge()).payload;
      const signedAt = Date.now();
      const text = ["v2", id, "test", "test", "operator", "operator.admin", signedAt, token, nonce];
      const signature = sign(null, Buffer.from(text.join("|")), privateKey).toString("base64url");
      const answer = await client.request("connect", {
        minProtocol: 3,
        maxProtocol: 3,
        client: { ...CLIENT, displayName: "Phone" },
        role: "operator",
        scopes: ["operator.admin"],
        auth: { token },
        device: { id, publicKey: raw.toString("base64url"), signature, signedAt, nonce },
      });
      return { client, error: answer.error };
    };
    return { id, offer };
  }

  test("list, revoke and approve, with a gateway and without", async () => {
    const token = "a-token-that-is-long-enough-for-all";
    const { home, cli, json } = place(`  "gateway": { "auth": { "token": "${token}" } }`);
    expect((await cli(["devices", "list"])).stdout).toBe("No device has signed in.\n");
    const gateway = await startGatewayProcess(home);
    const phone = device();
    const first = await phone.offer(gateway.port, token);
    expect(first.error).toBeUndefined();
    const online = (await json(["devices", "list"])) as unknown as {
      paired: { deviceId: string; displayName: string }[];
    };
    expect(online.paired).toMatchObject([{ deviceId: phone.id, displayName: "Phone" }]);

    const presence = await cli(["system", "presence", "--json"]);
    expect(presence.stdout).toContain("Phone");

    expect((await cli(["devices", "revoke"])).stderr).toContain("--device");
    expect((await cli(["devices", "revoke", "--device", "nobody"])).code).toBe(1);
    expect(await json(["devices", "revoke", "--device", phone.id])).toMatchObject({
      deviceId: phone.id,
      role: "operator",
    });
    expect(await first.client.closed).toEqual({ code: 1008, reason: "device revoked" });
    expect((await phone.offer(gateway.port, token)).error?.message).toBe("device revoked");
    await gateway.kill();

    expect((await cli(["devices", "list"])).stdout).toContain("revoked");
    expect((await cli(["devices", "approve"])).stderr).toContain("missing argument");
    expect((await cli(["devices", "approve", "--latest"])).stderr).toContain("No device waits");
    expect((await cli(["devices", "approve", phone.id])).stdout).toBe(`Approved ${phone.id}\n`);
    expect((await cli(["devices", "reject", "nothing"])).code).toBe(1);
    const second = await running(home);
    expect((await phone.offer(second.port, token)).error).toBeUndefined();
    expect((await cli(["system", "presence"])).stdout).toContain("Phone");
  });
});

describe("docs", () => {
  test("search, pages and a whole page, without a network and without a state", async () => {
    const home = emptyHome();
    open.push(home.remove);
    const cli = (...words: string[]) => runCli(["docs", ...words], { home });
    const found = await cli("telegram", "token");
    expect(found.code).toBe(0);
    expect(found.stdout).toContain("docs/channels/telegram.md");
    const { results } = JSON.parse((await cli("exit", "codes", "--json")).stdout) as {
      results: { page: string; heading: string }[];
    };
    expect(results[0]).toMatchObject({ page: "exit-codes.md", heading: "Exit codes" });
    const page = await cli("--page", "security");
    expect(page.stdout).toBe(readFileSync("docs/security.md", "utf8"));
    expect((await cli("--page", "securty")).stderr).toContain("Did you mean security.md?");
    const { pages } = JSON.parse((await cli("--json")).stdout) as { pages: { page: string }[] };
    const there = [...new Bun.Glob("**/*.md").scanSync("docs")].sort();
    expect(pages.map((each) => each.page)).toEqual(there);
    expect((await cli("qqqqqqqq")).code).toBe(1);
    // Nothing was made by looking.
    expect(existsSync(home.state)).toBe(false);
  });
});

describe("a terminal of 40 columns", () => {
  test("the help puts what a command does below its name", async () => {
    const { home, cli } = place();
    const session = inTerminal(["models", "--help"], home, {}, { cols: 40, rows: 24 });
    open.push(() => session.close());
    expect(await session.exited).toBe(0);
    const lines = session.text().split("\r\n");
    const at = lines.indexOf("  models set");
    expect(lines[at + 1]).toBe("    Choose the model that answers when nothing else is said.");
    expect((await cli(["models", "--help"])).stdout).toMatch(/^ {2}models set +Choose the model/m);
  });

  test("tables fold and nothing is cut; in a pipe they stay tables", async () => {
    const { home, cli } = place();
    const workspace = join(home.dir, "clawd");
    const session = inTerminal(["agents", "list"], home, {}, { cols: 40, rows: 24 });
    open.push(() => session.close());
    expect(await session.exited).toBe(0);
    const lines = session.text().split("\r\n");
    expect(lines[0]).toBe("main (default)");
    expect(lines).toContain("  Workspace:");
    expect(lines).toContain(`    ${workspace}`);
    const piped = await cli(["agents", "list"]);
    expect(piped.stdout.split("\n")[0]).toMatch(/^Agent +Name +Model +Workspace +Bindings$/);
  });
});
