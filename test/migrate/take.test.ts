/** Taking over: three generations of state folders come in whole, once, and stay as they are. */
import { afterAll, describe, expect, test } from "bun:test";
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { readSignIns } from "../../src/agent/models.ts";
import { modelView } from "../../src/agent/view.ts";
import { systemClock } from "../../src/base/time.ts";
import type { SessionKey } from "../../src/flow.ts";
import { openCatalog } from "../../src/providers/catalog.ts";
import { AuthConfig, ModelsConfig } from "../../src/providers/config.ts";
import { accountState } from "../../src/store/account-state.ts";
import type { SqliteStore } from "../../src/store/sqlite/index.ts";
import { quiet } from "../contract/store-log.ts";
import {
  dump,
  FIXTURES,
  type House,
  house,
  json,
  layOut,
  NOW,
  printOf,
  removeScratch,
  scratch,
  take,
  withStoreOf,
} from "./rig.ts";

afterAll(removeScratch);

const MAIN = "agent:main:main" as SessionKey;

for (const fixture of FIXTURES)
  describe(`the state of ${fixture}`, () => {
    test("is taken over from elsewhere without changing a byte or a date of it", async () => {
      const from = layOut(fixture, join(scratch(), "old"));
      const before = printOf(from);
      const at = house();
      const { rows } = await take(at, from);
      expect(printOf(from)).toEqual(before);
      expect(rows.find(({ what }) => what === "conversations")?.state).toBe("new");
      expect(dump(at).entries!.length).toBeGreaterThan(3);
    });

    test("comes in once: a second run brings nothing, and says so", async () => {
      const from = layOut(fixture, join(scratch(), "old"));
      const at = house();
      await take(at, from);
      const before = dump(at);
      const { rows } = await take(at, from);
      expect(dump(at)).toEqual(before);
      expect(rows.filter(({ state }) => state === "new")).toEqual([]);
    });

    test("is taken over where it lies, and its own files stay", async () => {
      const home = scratch();
      const state = layOut(fixture, join(home, ".openclaw"));
      const old = printOf(state);
      const at = house(home, state);
      await take(at, state);
      const now = printOf(state);
      for (const name of Object.keys(old).filter((each) => each !== "")) {
        const folder = statSync(join(state, name)).isDirectory();
        if (!folder) expect([name, now[name]]).toEqual([name, old[name]]);
      }
      expect(Object.keys(now).filter((name) => !(name in old))).toContain("clawdbot.sqlite");
    });

    test("a takeover that is cut off at any write goes on to the same end", async () => {
      const from = layOut(fixture, join(scratch(), "old"));
      const whole = house();
      await take(whole, from);
      const expected = dump(whole);
      for (let cut = 0; ; cut++) {
        const at = house();
        let writes = 0;
        const dying = (store: SqliteStore): SqliteStore => ({
          ...store,
          takeover: {
            ...store.takeover,
            append: (...args) => tick() ?? store.takeover.append(...args),
            session: (...args) => tick() ?? store.takeover.session(...args),
            admit: (...args) => tick() ?? store.takeover.admit(...args),
            remember: (...args) => tick() ?? store.takeover.remember(...args),
          },
          kv: { ...store.kv, put: (...args) => tick() ?? store.kv.put(...args) },
        });
        const tick = (): Promise<never> | undefined =>
          writes++ === cut ? Promise.reject(new TypeError("killed")) : undefined;
        const died = await take(at, from, dying).then(
          () => false,
          (cause: unknown) => cause instanceof TypeError,
        );
        await take(at, from);
        expect([cut, dump(at)]).toEqual([cut, expected]);
        if (!died) break;
      }
    });
  });

test("conversations keep their words, calls, results, pictures, models and the place of the summary", async () => {
  const at = house();
  await take(at, layOut("2026.1.24", join(scratch(), "old")));
  await withStoreOf(at, async (store) => {
    const session = (await store.sessions.get(MAIN))!;
    expect(session).toMatchObject({
      agentId: "main",
      sessionId: "6f1c1a52-7a3d-4a53-9d7e-0a6b4f5c0001",
      createdAt: Date.UTC(2026, 0, 24, 10),
      updatedAt: Date.UTC(2026, 0, 24, 10, 0, 44),
      chat: "dm",
      title: "About Minka",
      preview: "It cannot be opened.",
      route: { channel: "telegram", account: "default", chatId: "111" },
      settings: {
        thinkingLevel: "high",
        verboseLevel: "on",
        model: "anthropic/claude-opus-4-5",
      },
      usage: { input: 480, output: 120 },
      contextTokens: 1150,
    });
    const seen = await store.transcript.from(session.sessionId, session.contextFrom);
    const view = modelView(seen);
    const said = JSON.stringify(view);
    expect(view[0]).toMatchObject({ role: "user" });
    expect(JSON.stringify(view[0])).toContain("Ada has a cat called Minka.");
    expect(said).toContain("What is on this picture?");
    expect(said).toContain("One white pixel.");
    expect(said).toContain("ls: cannot open");
    expect(said).not.toContain("Remember that my cat");
    const all = await store.transcript.from(session.sessionId, 1);
    expect(JSON.stringify(modelView(all))).toContain("Remember that my cat");
    expect(
      all.flatMap(({ body }) => (body.kind === "message" ? [body.choice?.ref] : [])),
    ).toContain("anthropic/claude-opus-4-5");
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, i) => i + 1));
  });
});

test("groups, topics and the spellings of long ago are the sessions of today", async () => {
  const at = house();
  await take(at, layOut("2026.1.24", join(scratch(), "old")));
  await withStoreOf(at, async (store) => {
    const { rows } = await store.sessions.list({ limit: 100 });
    expect(rows.map(({ key }) => key as string).sort()).toEqual([
      "agent:main:cron:daily",
      "agent:main:main",
      "agent:main:telegram:group:-1001:topic:7",
      "agent:main:whatsapp:group:1203630001@g.us",
    ]);
    const topic = rows.find(({ key }) => key.includes("topic"))!;
    expect(topic).toMatchObject({
      chat: "group",
      title: "Friends",
      settings: { groupActivation: "always" },
      route: { chatId: "-1001", threadId: "7" },
    });
    const group = rows.find(({ key }) => key.includes("g.us"))!;
    expect(group.settings.sendPolicy).toBe("deny");
    const view = JSON.stringify(
      modelView(await store.transcript.from(group.sessionId, group.contextFrom)),
    );
    expect(view).toContain("Ada greeted the group.");
    expect(view).toContain("Bob: and me?");
    expect(view).not.toContain("Ada: hello all");
    expect(view).toContain("A hook spoke.");
    // From before a reset: no session has it, and it is not lost.
    const earlier = await store.transcript.from("6f1c1a52-7a3d-4a53-9d7e-0a6b4f5c0004", 1);
    expect(JSON.stringify(earlier)).toContain("From before the reset.");
  });
});

test("people, devices, sign-ins, the link to the phone and the place in the updates come over", async () => {
  const at = house();
  const { told } = await take(at, layOut("2026.1.24", join(scratch(), "old")));
  await withStoreOf(at, async (store) => {
    const allowed = (await store.pairing.allowed()).map((row) => `${row.channel} ${row.sender}`);
    expect(allowed.sort()).toEqual([
      "signal uuid:1",
      "telegram 111",
      "telegram 222",
      "whatsapp +15551234567",
    ]);
    const devices = (await store.kv.get<Record<string, object>>("devices", "all"))!;
    expect(devices["a".repeat(64)]).toMatchObject({ displayName: "Ada's phone", role: "operator" });
    expect(devices["a".repeat(64)]).not.toHaveProperty("revokedAtMs");
    // Every token of it was revoked.
    expect(devices["b".repeat(64)]).toHaveProperty("revokedAtMs");
    const telegram = accountState(store.kv, "telegram", "default");
    expect(await telegram.get<number>("offset")).toBe(4712);
    const whatsapp = accountState(store.kv, "whatsapp", "default");
    expect(await whatsapp.get<object>("creds")).toMatchObject({ me: { name: "Ada" } });
    expect(await whatsapp.keys("key/")).toEqual([
      "key/app-state-sync-key/AAAA/BBB=",
      "key/lid-mapping/999_reverse",
      "key/pre-key/1",
      "key/sender-key/1203630001@g.us::15550009999::0",
      "key/session/15550009999.0",
    ]);
    const { profiles, order } = (await readSignIns(store.kv)).of("main");
    expect(profiles.map(({ id, kind }) => [id, kind])).toEqual([
      ["anthropic:default", "api_key"],
      ["anthropic:work", "token"],
      ["openai-codex:ada", "oauth"],
    ]);
    const catalog = openCatalog({
      models: ModelsConfig.parse({}),
      auth: { ...AuthConfig.parse({}), order },
      agents: () => ({ primary: "anthropic/claude-opus-4-5", known: {} }),
      env: {},
      log: quiet,
      clock: systemClock,
      profiles,
      local: async () => [],
    });
    const { candidates } = await catalog.candidates("main");
    // In the order that was chosen there, which is not ours.
    expect(candidates[0]!.keys.map(({ id }) => id)).toEqual([
      "anthropic:default",
      "anthropic:work",
    ]);
  });
  const said = told.problems.map(({ path, text }) => `${path}: ${text}`).join("\n");
  expect(said).toContain('"@ada" is no person');
  expect(said).toContain('"openai-codex:ada" has ended');
});

test("a code that somebody was told is good for the rest of its hour, an old one is not", async () => {
  const from = layOut("2026.1.30", join(scratch(), "old"));
  const request = (id: string, code: string, ageMs: number) => ({
    id,
    code,
    createdAt: new Date(NOW - ageMs).toISOString(),
    lastSeenAt: new Date(NOW - ageMs).toISOString(),
    meta: { username: "eve", n: 7 },
  });
  const requests = [
    request("444", "ABCD2345", 60_000),
    request("555", "WXYZ6789", 4_000_000),
    request("333", "QRST2345", 60_000),
    { id: "666", code: "not a code", createdAt: new Date(NOW).toISOString() },
    null,
  ];
  writeFileSync(
    join(from, "credentials/telegram-pairing.json"),
    JSON.stringify({ version: 1, requests }),
  );
  const at = house();
  await take(at, from);
  await withStoreOf(at, async (store) => {
    const waiting = await store.pairing.list(NOW, 3_600_000);
    expect(waiting.map(({ sender, code }) => [sender, code])).toEqual([["444", "ABCD2345"]]);
    const approved = await store.pairing.approve("ABCD2345", NOW, 3_600_000);
    expect(approved?.meta).toEqual({ username: "eve" });
  });
});

test("the config comes with its comments and what it includes, and the workspace is used where it is", async () => {
  const home = scratch();
  const from = layOut("2026.1.30", join(home, ".openclaw"));
  const at = house(home);
  await take(at, from);
  const text = readFileSync(at.paths.configPath, "utf8");
  expect(text).toContain("// two agents");
  expect(text).toContain("somethingNew");
  expect(text).toContain(JSON.stringify(join(from, "workspace")));
  expect(readFileSync(join(at.paths.stateDir, "parts/channels.json5"), "utf8")).toContain("second");
  expect(statSync(at.paths.configPath).mode & 0o777).toBe(0o600);
  await withStoreOf(at, async (store) => {
    // Lists of old are a network's, so they count for each of its accounts.
    const allowed = (await store.pairing.allowed()).map((row) => `${row.account} ${row.sender}`);
    expect(allowed.sort()).toEqual(["default 333", "second 333"]);
    expect(await accountState(store.kv, "telegram", "second").get<number>("offset")).toBe(100);
  });
});

test("an agent's own sign-ins count for it alone, and it has main's where it has none", async () => {
  const from = layOut("2026.1.30", join(scratch(), "old"));
  const file = join(from, "agents/main/agent/auth-profiles.json");
  const list = json(file);
  Object.assign(list["profiles"] as object, {
    "groq:default": { type: "api_key", provider: "groq", key: "gsk-example" },
  });
  writeFileSync(file, JSON.stringify(list));
  const at = house();
  const { told } = await take(at, from);
  await withStoreOf(at, async (store) => {
    const signIns = await readSignIns(store.kv);
    const values = (agent: string) => signIns.of(agent).profiles.map(({ value }) => value);
    expect(values("main")).toEqual(["sk-example-of-1-30", "gsk-example"]);
    expect(values("work")).toEqual(["sk-another", "gsk-example"]);
    expect(values("a-new-one")).toEqual(values("main"));
    expect(signIns.secrets.sort()).toEqual(["gsk-example", "sk-another", "sk-example-of-1-30"]);
  });
  expect(told.problems.map(({ text }) => text).join()).toContain('"groq:work" cannot be used');
});

test("what is here already is not written over", async () => {
  const at = house();
  writeFileSync(join(at.paths.stateDir, "clawdbot.json"), "{ gateway: { mode: 'local' } }\n");
  writeFileSync(join(at.paths.stateDir, ".env"), "OURS=1\n");
  const { told } = await take(at, layOut("2026.1.24", join(scratch(), "old")));
  expect(readFileSync(at.paths.configPath, "utf8")).toBe("{ gateway: { mode: 'local' } }\n");
  expect(readFileSync(join(at.paths.stateDir, ".env"), "utf8")).toBe("OURS=1\n");
  expect(told.problems.map(({ text }) => text).join()).toContain("TELEGRAM_TOKEN_OF_OLD");
  expect(json(join(at.paths.stateDir, "cron/jobs.json"))).toHaveProperty("jobs");
  expect(statSync(join(at.paths.stateDir, "cron/jobs.json")).mode & 0o777).toBe(0o600);
});

test("a later generation is read from its databases, also what is only in the log beside them", async () => {
  const from = layOut("later", join(scratch(), "old"));
  const at = house();
  await take(at, from);
  await withStoreOf(at, async (store) => {
    const session = (await store.sessions.get(MAIN))!;
    expect(session.settings.thinkingLevel).toBe("xhigh");
    const view = JSON.stringify(modelView(await store.transcript.from(session.sessionId, 1)));
    expect(view).toContain("Kept in a database.");
    expect(view).toContain("So it is.");
    expect(view).not.toContain("On the side.");
    const { profiles } = (await readSignIns(store.kv)).of("main");
    expect(profiles.map(({ value }) => value)).toEqual(["sk-ant-later-example"]);
  });
  expect((await store_(at)).some((name) => name.includes("takeover"))).toBe(false);
});
const store_ = async ({ paths }: House) =>
  Array.fromAsync(new Bun.Glob("*").scan({ cwd: paths.stateDir, onlyFiles: false }));

test("of a huge conversation that was never summarised the model sees the end, from a message of the user on", async () => {
  const from = layOut("2026.1.30", join(scratch(), "old"));
  const file = join(from, "agents/main/sessions/7f1c1a52-7a3d-4a53-9d7e-0a6b4f5c0001.jsonl");
  const row = (n: number, parentId: string) =>
    JSON.stringify({
      type: "message",
      id: `x${n}`,
      parentId,
      message: {
        role: n % 2 ? "assistant" : "user",
        content: [{ type: "text", text: `line ${n} ${"w".repeat(100_000)}` }],
      },
    });
  const rows = Array.from({ length: 150 }, (_, n) => row(n, n === 0 ? "e0000003" : `x${n - 1}`));
  appendFileSync(file, `${rows.join("\n")}\n`);
  const at = house();
  await take(at, from);
  await withStoreOf(at, async (store) => {
    const session = (await store.sessions.get(MAIN))!;
    const seen = await store.transcript.from(session.sessionId, session.contextFrom);
    const chars = JSON.stringify(seen).length;
    expect(chars).toBeGreaterThan(4_000_000);
    expect(chars).toBeLessThan(9_000_000);
    expect(seen[0]!.body).toMatchObject({ kind: "message", message: { role: "user" } });
    expect((await store.transcript.page(session.sessionId, { limit: 1 }))[0]!.seq).toBe(154);
  });
});

describe("when both go on", () => {
  const append = (from: string, id: string, text: string) =>
    appendFileSync(
      join(from, `agents/main/sessions/${id}.jsonl`),
      `${JSON.stringify({ type: "message", id: "e00000ff", parentId: "e0000003", timestamp: "2026-02-01T00:00:00.000Z", message: { role: "user", content: text, timestamp: 1_770_000_000_000 } })}\n`,
    );
  const ID = "7f1c1a52-7a3d-4a53-9d7e-0a6b4f5c0001";
  const words = (at: House) => JSON.stringify(dump(at).entries);

  test("what the older program adds comes with the next run", async () => {
    const from = layOut("2026.1.30", join(scratch(), "old"));
    const at = house();
    await take(at, from);
    append(from, ID, "Said over there.");
    const list = json(join(from, "agents/main/sessions/sessions.json"));
    Object.assign(list[MAIN] as object, { updatedAt: 1_770_000_000_000, thinkingLevel: "low" });
    writeFileSync(join(from, "agents/main/sessions/sessions.json"), JSON.stringify(list));
    const { told } = await take(at, from);
    expect(told.problems.filter(({ text }) => text.includes("went on here"))).toEqual([]);
    expect(words(at)).toContain("Said over there.");
    expect(words(at).match(/code word is heron/g)?.length).toBe(1);
    await withStoreOf(at, async (store) => {
      const session = (await store.sessions.get(MAIN))!;
      expect(session.settings.thinkingLevel).toBe("low");
      expect(session.updatedAt).toBe(1_770_000_000_000);
    });
  });

  test("what went on here stays, and it is said that the other one has changed too", async () => {
    const from = layOut("2026.1.30", join(scratch(), "old"));
    const at = house();
    await take(at, from);
    await withStoreOf(at, async (store) => {
      const blocks = [{ type: "text" as const, text: "Said here." }];
      const message = { role: "user" as const, blocks, at: NOW };
      await store.transcript.append(ID, [{ at: NOW, body: { kind: "message", message } }]);
      await store.sessions.patch(MAIN, "main", { thinkingLevel: "minimal" }, NOW);
    });
    append(from, ID, "Said over there.");
    const { told } = await take(at, from);
    expect(told.problems.map(({ text }) => text).join()).toContain("went on here");
    expect(words(at)).toContain("Said here.");
    expect(words(at)).not.toContain("Said over there.");
    await withStoreOf(at, async (store) =>
      expect((await store.sessions.get(MAIN))!.settings.thinkingLevel).toBe("minimal"),
    );
  });

  test("a session that was begun here goes on, and the older conversation is kept beside it", async () => {
    const at = house();
    await withStoreOf(at, async (store) => {
      const { sessionId } = await store.sessions.ensure(MAIN, "main", NOW);
      const blocks = [{ type: "text" as const, text: "Ours." }];
      const message = { role: "user" as const, blocks, at: NOW };
      await store.transcript.append(sessionId, [{ at: NOW, body: { kind: "message", message } }]);
    });
    const { rows } = await take(at, layOut("2026.1.30", join(scratch(), "old")));
    expect(JSON.stringify(rows)).toContain("1 used here already");
    await withStoreOf(at, async (store) => {
      const { sessionId } = (await store.sessions.get(MAIN))!;
      expect(sessionId).not.toBe(ID);
      expect(JSON.stringify(await store.transcript.from(ID, 1))).toContain("heron");
    });
  });

  test("one that was only opened here gives way", async () => {
    const at = house();
    await withStoreOf(at, (store) => store.sessions.ensure(MAIN, "main", NOW));
    await take(at, layOut("2026.1.30", join(scratch(), "old")));
    await withStoreOf(at, async (store) =>
      expect((await store.sessions.get(MAIN))!.sessionId).toBe(ID),
    );
  });

  test("a conversation that was deleted here does not come back", async () => {
    const from = layOut("2026.1.30", join(scratch(), "old"));
    const at = house();
    await take(at, from);
    await withStoreOf(at, (store) => store.sessions.delete(MAIN, false));
    await take(at, from);
    expect(words(at)).not.toContain("heron");
    await withStoreOf(at, async (store) => expect(await store.sessions.get(MAIN)).toBeUndefined());
  });

  test("a person who was turned away here stays away", async () => {
    const from = layOut("2026.1.30", join(scratch(), "old"));
    const at = house();
    await take(at, from);
    const who = { channel: "telegram", account: "default", sender: "333" };
    await withStoreOf(at, (store) => store.pairing.revoke(who));
    await take(at, from);
    await withStoreOf(at, async (store) =>
      expect((await store.pairing.allowed()).map(({ account }) => account)).toEqual(["second"]),
    );
  });
});
