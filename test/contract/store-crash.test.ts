import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { openSqlite } from "../../src/store/sqlite/index.ts";
import { quiet } from "./store-log.ts";
import { key } from "./store.ts";

const folder = mkdtempSync(join(tmpdir(), "clawdbot-crash-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "clawdbot.sqlite");

/** Deterministic, so that a failure can be repeated (mulberry32). */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Runs the writer until it has told `lines` facts, kills it there, and gives all that it had told. */
async function writeAndKill(prefix: string, lines: number): Promise<string[]> {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "store-writer.ts"), path, prefix],
    { stdout: "pipe", stderr: "inherit" },
  );
  let text = "";
  const decoder = new TextDecoder();
  for await (const piece of child.stdout) {
    text += decoder.decode(piece, { stream: true });
    if (!child.killed && text.split("\n").length > lines) child.kill("SIGKILL");
  }
  await child.exited;
  // The last line may be cut in the middle of a write.
  return text.split("\n").slice(0, -1);
}

const ORDER = ["pending", "sending", "delivered"];

test("whatever was acknowledged is there after SIGKILL at any point", async () => {
  const next = random(20_261_120);
  const facts: string[] = [];
  for (let round = 0; round < 10; round++) {
    facts.push(...(await writeAndKill(`r${round}`, 5 + Math.floor(next() * 400))));
    const store = await openSqlite({ path, log: quiet, space: { reserve: 4096 } });
    expect(store.recovery).toBeUndefined();
    for (const fact of facts) {
      const [what, id] = fact.split(" ") as [string, string];
      const turn = await store.turns.get(id);
      const out = await store.outbox.get(id);
      expect(`${fact}: ${turn ? "there" : "lost"}`).toBe(`${fact}: there`);
      if (what === "finished") expect([fact, turn?.state]).toEqual([fact, "done"]);
      if (ORDER.includes(what))
        expect(ORDER.indexOf(out!.state)).toBeGreaterThanOrEqual(ORDER.indexOf(what));
    }
    for (let n = 0; n < 8; n++) {
      const session = await store.sessions.get(key(`s${n}`));
      const entries = session ? await store.transcript.from(session.sessionId, 0) : [];
      expect(entries.map((e) => e.seq)).toEqual(entries.map((_, i) => i + 1));
      const ends = entries.flatMap(({ body }) =>
        body.kind === "message" && body.message.blocks[0]?.type === "text"
          ? (body.message.blocks[0].text.match(/^end of .*/) ?? [])
          : [],
      );
      expect(new Set(ends).size).toBe(ends.length);
    }
    await store.close();
  }
  expect(facts.length).toBeGreaterThan(100);
}, 30_000);
