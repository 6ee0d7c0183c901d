/** Older state in any condition: broken, huge, cut, linked, unreadable. It is told with path and line, and the rest comes over. */
import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { Tree } from "../../src/legacy/files.ts";
import { lineOfProblem, Told } from "../../src/legacy/report.ts";
import { dump, house, layOut, printOf, removeScratch, scratch, take } from "./rig.ts";

afterAll(removeScratch);

const ID = "7f1c1a52-7a3d-4a53-9d7e-0a6b4f5c0001";
const MAIN = "agents/main/sessions";
const SESSIONS = `${MAIN}/sessions.json`;
const FILE = `${MAIN}/${ID}.jsonl`;

/** Takes the folder over after `spoil`. Gives what was told and all that is in the database, as a text each. */
async function spoiled(spoil: (dir: string) => void) {
  const from = layOut("2026.1.30", join(scratch(), "old"));
  spoil(from);
  const before = printOf(from);
  const at = house();
  const { told } = await take(at, from);
  expect(printOf(from)).toEqual(before);
  return {
    told: told.problems.map(lineOfProblem).join("\n"),
    text: JSON.stringify(dump(at)),
    at,
    from,
  };
}

test("a line that is broken, empty, cut or full of zeros is named by its number, and the others come over", async () => {
  const line = (id: string, parentId: string | null, content: string) =>
    JSON.stringify({ type: "message", id, parentId, message: { role: "user", content } });
  const { told, text } = await spoiled((dir) =>
    writeFileSync(
      join(dir, FILE),
      [
        `\ufeff${JSON.stringify({ type: "session", version: 3, id: ID })}`,
        line("1", null, "first words"),
        "{broken",
        "",
        line("2", "1", "second words"),
        "\u0000\u0000\u0000\u0000",
        "[1, 2]",
        line("3", "2", "third words"),
        line("4", "3", "cut off").slice(0, -9),
      ].join("\n"),
    ),
  );
  expect(told).toContain(`${FILE}:3: the line is no JSON object`);
  expect(told).toContain(`${FILE}:6: `);
  expect(told).toContain(`${FILE}:7: `);
  expect(told).toContain(`${FILE}:9: the last line is cut off`);
  expect(told).not.toContain(`${FILE}:4`);
  for (const words of ["first words", "second words", "third words"]) {
    expect(text).toContain(words);
    // Part of the conversation, and not only kept.
    expect(text).toMatch(new RegExp(`kind[^}]{1,10}message[^}]{1,80}text[^}]{1,40}${words}`));
  }
});

test("a file of nothing but broken lines is counted, not listed line by line", async () => {
  const { told } = await spoiled((dir) => writeFileSync(join(dir, FILE), "{x\n".repeat(10_000)));
  expect(told).toContain("10000 lines in all could not be read");
  expect(told.split("\n").length).toBeLessThan(20);
});

test("a broken list of sessions leaves the conversations, and is taken when it is mended", async () => {
  let whole = "";
  const { told, text, at, from } = await spoiled((dir) => {
    copyFileSync(join(dir, SESSIONS), join(dir, "whole"));
    whole = join(dir, "whole");
    truncateSync(join(dir, SESSIONS), 60);
  });
  expect(told).toContain(`${SESSIONS}: it is no JSON object`);
  expect(text).toContain("The code word is heron.");
  expect(text).not.toContain('"key":"agent:main:main"');
  renameSync(whole, join(from, SESSIONS));
  await take(at, from);
  const again = JSON.stringify(dump(at));
  expect(again).toContain('"key":"agent:main:main"');
  expect(again.match(/The code word is heron\./g)?.length).toBe(1);
});

test("records that are none, name nothing, or stand twice do not stop the others", async () => {
  const { told, text, at } = await spoiled((dir) =>
    writeFileSync(
      join(dir, SESSIONS),
      `{ // by hand
        "agent:main:main": { sessionId: "${ID}", updatedAt: 5, },
        "AGENT:MAIN:MAIN": { sessionId: "other", updatedAt: 3 },
        "agent:main:a": null, "agent:main:b": [], "agent:main:c": {}, "": { sessionId: "x" },
        "agent:main:${"y".repeat(300)}": { sessionId: "z" },
        "agent:main:d": { sessionId: "${ID}", updatedAt: 1 },
        "__proto__": { sessionId: "p" },
        "agent:main:e": { sessionId: "../../evil", updatedAt: -7, inputTokens: 1e300, thinkingLevel: "loud", chatType: 7 },
      }`,
    ),
  );
  expect(text).toContain('"key":"agent:main:main"');
  expect(text).toContain('"key":"agent:main:e"');
  expect(text).not.toContain('"key":"agent:main:c"');
  expect(told).toContain('the record of "agent:main:a" is none');
  const keys = dump(at).sessions!.map(({ key }) => key);
  expect(keys.filter((key) => key === "agent:main:main")).toEqual(["agent:main:main"]);
});

test("a link that leads out of the folder is not followed, one inside is", async () => {
  const secret = join(scratch(), "secret.jsonl");
  writeFileSync(secret, '{"type":"message","message":{"role":"user","content":"not yours"}}\n');
  const { told, text } = await spoiled((dir) => {
    symlinkSync(secret, join(dir, MAIN, "outside.jsonl"));
    symlinkSync(join(dir, MAIN, "loop.jsonl"), join(dir, MAIN, "loop.jsonl"));
    renameSync(join(dir, FILE), join(dir, "moved.jsonl"));
    symlinkSync("../../../moved.jsonl", join(dir, FILE));
    mkdirSync(join(dir, "agents/evil"), { recursive: true });
    symlinkSync("/", join(dir, "agents/evil/sessions"));
  });
  expect(told).toContain("outside.jsonl: it is a link that leads out of the folder");
  expect(told).toContain("loop.jsonl: its link leads in a circle");
  expect(told).toContain("agents/evil/sessions: it is a link that leads out");
  expect(text).not.toContain("not yours");
  expect(text).toContain("The code word is heron.");
});

test("folders and pipes where files should be are told, and nothing waits for them", async () => {
  const { told, text } = await spoiled((dir) => {
    rmSync(join(dir, "credentials/telegram-allowFrom.json"));
    mkdirSync(join(dir, "credentials/telegram-allowFrom.json"));
    mkdirSync(join(dir, MAIN, "folder.jsonl"));
    Bun.spawnSync(["mkfifo", join(dir, MAIN, "pipe.jsonl")]);
    writeFileSync(join(dir, "devices"), "no folder");
    writeFileSync(join(dir, "agents/main/agent/auth-profiles.json"), "");
  });
  expect(told).toContain("pipe.jsonl: it is no plain file");
  expect(told).toContain("auth-profiles.json: it is empty");
  expect(text).toContain("The code word is heron.");
});

test.skipIf(process.getuid?.() === 0)("what may not be read is told", async () => {
  const { told, text } = await spoiled((dir) => {
    chmodSync(join(dir, FILE), 0);
    chmodSync(join(dir, "credentials"), 0);
  });
  expect(told).toContain(`${FILE}: it may not be read by this user`);
  expect(told).toContain("credentials: it may not be read");
  expect(text).toContain("Work starts.");
});

test("a database that is none, and one of another shape, are named and not guessed at", async () => {
  const from = layOut("later", join(scratch(), "old"));
  rmSync(join(from, "state/openclaw.sqlite-wal"));
  writeFileSync(
    join(from, "state/openclaw.sqlite"),
    "this is no database, only a text that is long",
  );
  const at = house();
  const { told } = await take(at, from);
  expect(told.problems.map(lineOfProblem).join("\n")).toContain(
    "state/openclaw.sqlite: the database cannot be read",
  );
  expect(JSON.stringify(dump(at))).toContain("Kept in a database.");
});

test("a file that goes away or is cut meanwhile is told, and comes with the next run", async () => {
  const from = layOut("2026.1.30", join(scratch(), "old"));
  const at = house();
  const [file, other] = [join(from, FILE), join(from, "elsewhere")];
  const { told } = await take(at, from, (store) => {
    renameSync(file, other);
    return store;
  });
  expect(told.problems.map(lineOfProblem).join("\n")).toContain(
    `${FILE}: it cannot be read to its end (ENOENT)`,
  );
  expect(JSON.stringify(dump(at))).toContain("Work starts.");
  renameSync(other, file);
  const size = statSync(file).size;
  await take(at, from, (store) => {
    copyFileSync(file, other);
    truncateSync(file, size - 30);
    return store;
  });
  renameSync(other, file);
  await take(at, from);
  const text = JSON.stringify(dump(at).entries);
  expect(text.match(/The code word is heron\./g)?.length).toBe(1);
  expect(text).toContain("A detour about herons.");
});

test("a database with a damaged page gives what can be read, and the rest comes over", async () => {
  const from = layOut("later", join(scratch(), "old"));
  const path = join(from, "agents/main/agent/openclaw-agent.sqlite");
  const db = new Database(path);
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
  const bytes = readFileSync(path);
  // Every page but the first, which lists the tables.
  bytes.fill(0xff, 4096);
  writeFileSync(path, bytes);
  const at = house();
  const { told } = await take(at, from);
  expect(told.problems.map(lineOfProblem).join("\n")).toContain(
    "openclaw-agent.sqlite: the database is damaged",
  );
  // The sign-ins of all agents are in the other one.
  expect(JSON.stringify(dump(at))).toContain("sk-shared-example");
});

test("secrets of people stay out of what is told", async () => {
  const { told } = await spoiled(() => undefined);
  expect(told).not.toContain("sk-");
});

test("no folder at all, and a file in its place, are told by their names", async () => {
  const told = new Told();
  expect(await Tree.open(join(scratch(), "none"), told)).toBeUndefined();
  expect(told.problems).toEqual([]);
  const file = join(scratch(), "file");
  writeFileSync(file, "");
  expect(await Tree.open(file, told)).toBeUndefined();
  expect(told.problems[0]?.text).toBe("it is no folder");
});
