/** Giving back: what came in goes out as it was, what was said since goes with it, and it comes in again the same. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { AppError } from "../../src/base/errors.ts";
import type { SessionKey } from "../../src/flow.ts";
import { cleanRecord } from "../../src/legacy/session.ts";
import { accountState } from "../../src/store/account-state.ts";
import {
  dump,
  filesIn,
  type Fixture,
  FIXTURES,
  give,
  type House,
  house,
  json,
  jsonl,
  layOut,
  NOW,
  printOf,
  removeScratch,
  scratch,
  take,
  withStoreOf,
} from "./rig.ts";

afterAll(removeScratch);

async function taken(fixture: Fixture): Promise<{ at: House; from: string; to: string }> {
  const folder = scratch();
  const from = layOut(fixture, join(folder, "old"));
  const at = house();
  await take(at, from);
  return { at, from, to: join(folder, "out") };
}

for (const fixture of FIXTURES)
  describe(`the state of ${fixture}`, () => {
    test("comes in again the same after an export", async () => {
      const { at, to } = await taken(fixture);
      await give(at, to);
      const again = house();
      await take(again, to);
      expect(dump(again)).toEqual(dump(at));
    });

    test("can be read by its owner only, and the state itself is as before", async () => {
      const { at, to } = await taken(fixture);
      const print = () =>
        Object.entries(printOf(at.paths.stateDir)).filter(
          // A reader of the database makes these two; they hold nothing then.
          ([name]) => name !== "" && !/-(?:shm|wal)$/.test(name),
        );
      const before = print();
      await give(at, to);
      expect(print()).toEqual(before);
      for (const name of ["", ...(readdirSync(to, { recursive: true }) as string[])]) {
        const found = statSync(join(to, name));
        expect([name, found.mode & 0o777]).toEqual([name, found.isDirectory() ? 0o700 : 0o600]);
      }
      expect(existsSync(`${to}.partial`)).toBe(false);
    });
  });

const FILES = ["2026.1.24", "2026.1.30"] as const;
for (const fixture of FILES)
  test(`every line, record and file of ${fixture} goes out as it was`, async () => {
    const { at, from, to } = await taken(fixture);
    await give(at, to);
    const names = filesIn(from);
    let compared = 0;
    for (const name of names.filter((each) => each.endsWith(".jsonl"))) {
      expect(jsonl(join(to, name))).toEqual(jsonl(join(from, name)));
      compared += 1;
    }
    for (const name of names.filter((each) =>
      /(paired|creds|-key-.*|session-.*|offset-.*|jobs|approvals|oauth|reverse|profiles|models)\.json$/.test(
        each,
      ),
    )) {
      expect([name, JSON.parse(readFileSync(join(to, name), "utf8"))]).toEqual([
        name,
        JSON.parse(readFileSync(join(from, name), "utf8")),
      ]);
      compared += 1;
    }
    expect(compared).toBeGreaterThan(4);
    for (const name of names.filter((each) => each.endsWith("sessions.json"))) {
      const [was, now] = [json(join(from, name)), json(join(to, name))];
      // The documented differences: today's names and keys, and no place on the old disk.
      const wanted = Object.entries(was).map(([key, record]) => [
        key === "group:1203630001@g.us" ? "agent:main:whatsapp:group:1203630001@g.us" : key,
        cleanRecord(record as Record<string, unknown>),
      ]);
      expect(now).toEqual(Object.fromEntries(wanted));
    }
  });

test("lists of people go out with the names that let nobody in here", async () => {
  const { at, to } = await taken("2026.1.24");
  await give(at, to);
  const list = (name: string) => json(join(to, `credentials/${name}-allowFrom.json`))["allowFrom"];
  expect(list("telegram")).toEqual(["111", "222", "@ada"]);
  expect(list("whatsapp")).toEqual(["+15551234567"]);
  expect(list("signal")).toEqual(["uuid:1"]);
});

test("what was said and changed here goes back in the older program's words", async () => {
  const { at, to } = await taken("2026.1.24");
  const key = "agent:main:main" as SessionKey;
  await withStoreOf(at, async (store) => {
    const { sessionId } = (await store.sessions.get(key))!;
    const said = (role: "user" | "assistant", text: string) => ({
      at: NOW,
      body: {
        kind: "message" as const,
        message: { role, blocks: [{ type: "text" as const, text }], at: NOW },
      },
    });
    await store.transcript.append(sessionId, [
      said("user", "And since?"),
      { at: NOW, body: { kind: "context", text: "It is June." } },
      said("assistant", "Since then all is well."),
    ]);
    const patch = { thinkingLevel: "low", model: null, label: "cat" } as const;
    await store.sessions.patch(key, "main", patch, NOW);
    await store.pairing.allow({
      channel: "telegram",
      account: "default",
      sender: "999",
      addedAt: 1,
    });
    await store.sessions.ensure("agent:main:telegram:dm:999" as SessionKey, "main", NOW);
    await accountState(store.kv, "telegram", "default").put({ offset: 5000 });
    const devices = (await store.kv.get<Record<string, object>>("devices", "all"))!;
    Object.assign(devices["a".repeat(64)]!, { revokedAtMs: NOW });
    await store.kv.set("devices", "all", devices);
  });
  await give(at, to);
  const id = "6f1c1a52-7a3d-4a53-9d7e-0a6b4f5c0001";
  const lines = jsonl(join(to, `agents/main/sessions/${id}.jsonl`));
  const added = lines.slice(-3);
  expect(added.map(({ type }) => type)).toEqual(["message", "custom_message", "message"]);
  // One chain, so that the older program finds its way back from the last line.
  expect(added[0]!["parentId"]).toBe(lines.at(-4)!["id"]);
  expect(added[1]!["parentId"]).toBe(added[0]!["id"]);
  expect(added[2]!["parentId"]).toBe(added[1]!["id"]);
  expect(added[2]).toMatchObject({
    message: { role: "assistant", content: [{ type: "text", text: "Since then all is well." }] },
  });
  const records = json(join(to, "agents/main/sessions/sessions.json"));
  const main = records[key] as Record<string, unknown>;
  expect(main).toMatchObject({ thinkingLevel: "low", label: "cat", updatedAt: NOW });
  expect(main).not.toHaveProperty("modelOverride");
  // What only the older program knows of it is still there.
  expect(main).toMatchObject({ compactionCount: 1, skillsSnapshot: { version: 1 } });
  expect(records["agent:main:telegram:dm:999"]).toMatchObject({ updatedAt: NOW });
  const allowed = json(join(to, "credentials/telegram-allowFrom.json"))["allowFrom"];
  expect(allowed).toContain("999");
  expect(json(join(to, "telegram/update-offset-default.json"))["lastUpdateId"]).toBe(4999);
  const device = json(join(to, "devices/paired.json"))["a".repeat(64)] as Record<string, unknown>;
  expect(device).toMatchObject({ tokens: { operator: { revokedAtMs: NOW } } });
  // And it all comes in again.
  const again = house();
  await take(again, to);
  expect(JSON.stringify(dump(again).entries)).toContain("Since then all is well.");
});

test("a state that never was an older one is written in the same layout", async () => {
  const at = house();
  await withStoreOf(at, async (store) => {
    const session = await store.sessions.ensure("agent:main:main" as SessionKey, "main", NOW);
    const message = {
      role: "user" as const,
      blocks: [{ type: "text" as const, text: "hi" }],
      at: NOW,
    };
    await store.transcript.append(session.sessionId, [
      { at: NOW, body: { kind: "message", message } },
    ]);
  });
  const to = join(scratch(), "deep/er/out");
  await give(at, to);
  const [name] = filesIn(join(to, "agents/main/sessions")).filter((each) =>
    each.endsWith(".jsonl"),
  );
  const lines = jsonl(join(to, "agents/main/sessions", name!));
  expect(lines[0]).toMatchObject({ type: "session", version: 3, cwd: "/w" });
  expect(lines[1]).toMatchObject({ type: "message", parentId: null });
});

describe("the folder to write to", () => {
  const refused = async (at: House, to: string) => {
    const cause = await give(at, to).then(
      () => undefined,
      (error: unknown) => error,
    );
    return cause instanceof AppError ? cause.code : String(cause);
  };

  test("must not hold anything, and is never written over", async () => {
    const { at, to } = await taken("2026.1.30");
    mkdirSync(to);
    writeFileSync(join(to, "mine.txt"), "mine");
    expect(await refused(at, to)).toBe("usage");
    expect(readdirSync(to)).toEqual(["mine.txt"]);
    expect(await refused(at, join(to, "mine.txt"))).toBe("usage");
    const link = join(scratch(), "link");
    symlinkSync(to, link);
    expect(await refused(at, link)).toBe("usage");
  });

  test("may be there when it is empty", async () => {
    const { at, to } = await taken("2026.1.30");
    mkdirSync(to);
    await give(at, to);
    expect(existsSync(join(to, "openclaw.json")) || existsSync(join(to, "clawdbot.json"))).toBe(
      true,
    );
  });

  test("what an export that was killed left behind is cleared away, somebody else's folder is not", async () => {
    const { at, to } = await taken("2026.1.30");
    await give(at, to);
    const other = join(scratch(), "out");
    cpSync(to, `${other}.partial`, { recursive: true });
    expect(await refused(at, other)).toBe("usage");
    writeFileSync(join(`${other}.partial`, ".clawdbot-export"), "");
    await give(at, other);
    expect(filesIn(other)).toEqual(filesIn(to));
  });
});
