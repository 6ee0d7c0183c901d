/** The compiled program on the state folder of an older system: look, take over, go on with it, go back. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  watch,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { startAnthropic } from "../fakes/anthropic.ts";
import { filesIn, jsonl, layOut, printOf } from "../migrate/rig.ts";
import { BINARY, emptyHome, type Home, plainEnv, runCli, startGatewayProcess } from "./binary.ts";
import { inTerminal } from "./terminal.ts";

let home: Home;
beforeEach(() => {
  home = emptyHome();
});
afterEach(() => home.remove());

const model = await startAnthropic({ script: () => ({ text: "Your cat is Minka." }) });
afterAll(() => model.stop());

/** An answer of a command as JSON; it must be all that is on stdout. */
async function asJson(args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await runCli([...args, "--json"], { home, env });
  return { code, stderr, data: JSON.parse(stdout) as Record<string, unknown> };
}

type Finding = { checkId: string; message: string };
type Row = { what: string; count: number; state: string };
const newRows = (data: Record<string, unknown>): string[] =>
  (data["rows"] as Row[]).filter(({ state }) => state === "new").map(({ what }) => what);

describe("the command", () => {
  test("says what it would do and changes nothing, then does it, then has nothing to do", async () => {
    const old = layOut("2026.1.24", join(home.dir, "old"));
    const before = printOf(old);
    const env = { CLAWDBOT_STATE_DIR: home.state };
    const dry = await asJson(["migrate", "--from", old, "--dry-run"], env);
    expect(dry).toMatchObject({ code: 0, data: { ok: true, dryRun: true } });
    expect(newRows(dry.data)).toContain("conversations");
    expect(existsSync(home.state)).toBe(false);
    const done = await asJson(["migrate", "--from", old, "--yes"], env);
    expect(newRows(done.data)).toContain("sessions");
    expect(done.data["problems"]).not.toEqual([]);
    expect(printOf(old)).toEqual(before);
    for (const again of [["--dry-run"], ["--yes"]]) {
      const { data } = await asJson(["migrate", "--from", old, ...again], env);
      expect(newRows(data)).toEqual([]);
    }
    const text = await runCli(["migrate", "--from", old, "--yes"], { home, env });
    expect(text.stdout).toContain("Everything is here already.");
    // The keys came along, so that a model is there although no variable holds a key.
    for (const { checkId, message } of (await asJson(["doctor"], env)).data[
      "findings"
    ] as Finding[])
      expect([checkId, message]).not.toEqual(["model", expect.stringContaining("demo")]);
  });

  test("finds the folder of an older name by itself, and takes it over where it lies", async () => {
    layOut("2026.1.30", join(home.dir, ".openclaw"));
    const { stdout, code } = await runCli(["migrate", "--yes"], { home });
    expect(code).toBe(0);
    expect(stdout).toContain(".openclaw");
    expect(existsSync(join(home.dir, ".openclaw/clawdbot.sqlite"))).toBe(true);
    expect(existsSync(home.state)).toBe(false);
    const { data } = await asJson(["sessions"]);
    expect(data["total"]).toBe(3);
  });

  test("asks for a name when there are several, and refuses what holds nothing", async () => {
    mkdirSync(home.state);
    writeFileSync(join(home.state, "clawdbot.json"), "{}");
    layOut("2026.1.24", join(home.dir, ".moltbot"));
    layOut("2026.1.30", join(home.dir, ".openclaw"));
    const several = await asJson(["migrate", "--dry-run"]);
    expect(several.code).toBe(1);
    expect(JSON.stringify(several.data)).toContain(".moltbot");
    const one = await asJson(["migrate", "--dry-run", "--from", "~/.openclaw"]);
    expect(one.code).toBe(0);
    const empty = await asJson(["migrate", "--from", home.state]);
    expect(empty).toMatchObject({ code: 1, data: { ok: false, error: { code: "not_found" } } });
    const none = await runCli(["migrate", "--from", join(home.dir, "nowhere")], { home });
    expect(none.code).toBe(1);
    expect(none.stderr).toContain("There is no folder");
  });

  test("lets a person at a terminal choose among several, and take none", async () => {
    mkdirSync(home.state);
    writeFileSync(join(home.state, "clawdbot.json"), "{}");
    layOut("2026.1.24", join(home.dir, ".moltbot"));
    layOut("2026.1.30", join(home.dir, ".openclaw"));
    const screen = inTerminal(["migrate"], home);
    await screen.sees("Which one is to be taken over?");
    await screen.sees("[1]");
    screen.type("2\r");
    await screen.sees("There is another one:");
    await screen.sees("[Y/n]");
    screen.type("y\r");
    expect(await screen.exited).toBe(0);
    expect(screen.text()).toContain(join(home.dir, ".openclaw"));
    screen.close();
    // The folder is ours, with the config that was there, and does not count as an older one.
    const { data } = await asJson(["sessions"]);
    expect(data["total"]).toBe(3);
    expect(readFileSync(join(home.state, "clawdbot.json"), "utf8")).toBe("{}");
    const again = inTerminal(["migrate"], home);
    await again.sees("Which one is to be taken over?");
    again.type("\u0003");
    expect(await again.exited).toBe(130);
    again.close();
  });

  test("wants a yes: without a terminal it names the flags, with one it asks, and Ctrl-C changes nothing", async () => {
    layOut("2026.1.24", home.state);
    const piped = await runCli(["migrate"], { home });
    expect(piped.code).toBe(1);
    expect(piped.stderr).toContain("--yes");
    const json = await asJson(["migrate"]);
    expect(json).toMatchObject({ code: 1, data: { ok: false } });
    expect(existsSync(join(home.state, "clawdbot.sqlite"))).toBe(false);
    const size = { cols: 40, rows: 20 };
    for (const [typed, code] of [
      ["\u0003", 130],
      ["n\r", 0],
    ] as const) {
      const screen = inTerminal(["migrate"], home, {}, size);
      await screen.sees("[Y/n]");
      screen.type(typed);
      expect(await screen.exited).toBe(code);
      screen.close();
      expect(existsSync(join(home.state, "clawdbot.sqlite"))).toBe(false);
    }
    const screen = inTerminal(["migrate"], home, {}, size);
    await screen.sees("[Y/n]");
    screen.type("\r");
    expect(await screen.exited).toBe(0);
    expect(screen.text()).toContain("Done.");
    screen.close();
  });

  test("is killed in the middle of a long conversation and goes on where it was", async () => {
    const old = layOut("2026.1.30", join(home.dir, "old"));
    const id = "7f1c1a52-7a3d-4a53-9d7e-0a6b4f5c0001";
    const LINES = 30_000;
    const line = (n: number) =>
      JSON.stringify({
        type: "message",
        id: (0x10000000 + n).toString(16),
        parentId: n === 0 ? "e0000003" : (0x10000000 + n - 1).toString(16),
        timestamp: "2026-02-01T00:00:00.000Z",
        message: {
          role: "user",
          content: `line ${n} ${"x".repeat(300)}`,
          timestamp: 1_770_000_000_000,
        },
      });
    const file = join(old, "agents/main/sessions", `${id}.jsonl`);
    appendFileSync(file, `${Array.from({ length: LINES }, (_, n) => line(n)).join("\n")}\n`);
    const env = { CLAWDBOT_STATE_DIR: home.state };
    const wal = join(home.state, "clawdbot.sqlite-wal");
    let kills = 0;
    mkdirSync(home.state);
    for (let size = 400_000; size < 1_300_000; size += 300_000) {
      const child = Bun.spawn([BINARY, "migrate", "--from", old, "--yes", "--json"], {
        env: plainEnv(home, env),
        stdio: ["ignore", "ignore", "ignore"],
      });
      // As soon as so much is written that the work has begun and is not done.
      const watcher = watch(home.state, () => {
        if (!existsSync(wal) || Bun.file(wal).size < size) return;
        child.kill("SIGKILL");
        watcher.close();
      });
      await child.exited;
      watcher.close();
      if (child.signalCode === "SIGKILL") kills += 1;
    }
    expect(kills).toBeGreaterThan(0);
    const { data } = await asJson(["migrate", "--from", old, "--yes"], env);
    expect(data["ok"]).toBe(true);
    const to = join(home.dir, "out");
    await asJson(["export", "--to", to], env);
    expect(jsonl(join(to, "agents/main/sessions", `${id}.jsonl`))).toEqual(jsonl(file));
    expect(readdirSync(home.state).filter((name) => name.includes("takeover"))).toEqual([]);
  });
});

describe("a gateway that is started on an older folder", () => {
  /** The settings of the fixture, with a model that answers. */
  function lay(): void {
    layOut("2026.1.24", home.state);
    writeFileSync(
      join(home.state, "clawdbot.json"),
      JSON.stringify({
        gateway: { mode: "local" },
        agents: { defaults: { model: "anthropic/claude-sonnet-4-5" } },
        channels: { telegram: { enabled: false }, whatsapp: { enabled: false } },
        models: { providers: { anthropic: { baseUrl: model.url } } },
      }),
    );
  }

  test("takes it over once, answers in an old conversation with what was said, and gives it back", async () => {
    lay();
    const old = Object.entries(printOf(home.state)).filter(([name]) => /\.\w+$/.test(name));
    const gateway = await startGatewayProcess(home);
    await gateway.seen("took over the state of an older version");
    const listed = await asJson(["sessions"]);
    expect(listed.data["total"]).toBe(4);
    const before = model.requests.length;
    const said = await runCli(
      [
        "agent",
        "--session-id",
        "6f1c1a52-7a3d-4a53-9d7e-0a6b4f5c0001",
        "--message",
        "What is my cat called?",
        "--json",
      ],
      { home },
    );
    expect(said.stdout).toContain("Your cat is Minka.");
    const asked = JSON.stringify(model.requests.slice(before).at(-1));
    // The summary, what it kept, and the sign-in that was taken over.
    expect(asked).toContain("Ada has a cat called Minka.");
    expect(asked).toContain("It cannot be opened.");
    expect(asked).toContain("What is my cat called?");
    // A command that writes the same folder has to wait.
    const migrate = await asJson(["migrate", "--yes"]);
    expect(migrate).toMatchObject({
      code: 78,
      data: { ok: false, error: { code: "gateway_running" } },
    });
    // Reading does not.
    const to = join(home.dir, "out");
    expect((await asJson(["export", "--to", to])).code).toBe(0);
    const lines = jsonl(
      join(to, "agents/main/sessions/6f1c1a52-7a3d-4a53-9d7e-0a6b4f5c0001.jsonl"),
    );
    const old_ = jsonl(
      join(home.state, "agents/main/sessions/6f1c1a52-7a3d-4a53-9d7e-0a6b4f5c0001.jsonl"),
    );
    expect(lines.slice(0, old_.length)).toEqual(old_);
    expect(JSON.stringify(lines.slice(old_.length))).toContain("Your cat is Minka.");
    expect(filesIn(to)).toContain("credentials/whatsapp/default/creds.json");
    expect(await gateway.kill()).toBe(0);
    const again = await startGatewayProcess(home);
    await again.seen("agent model");
    expect(again.log()).not.toContain("taking over");
    expect(await again.kill()).toBe(0);
    const now = printOf(home.state);
    for (const [name, print] of old) expect([name, now[name]]).toEqual([name, print]);
  });

  test("starts all the same when the older state is in ruins, and says what it could not read", async () => {
    lay();
    const file = join(home.state, "agents/main/sessions/sessions.json");
    writeFileSync(file, readFileSync(file, "utf8").slice(0, 100));
    const gateway = await startGatewayProcess(home);
    await gateway.seen("took over the state of an older version");
    await gateway.seen("sessions.json: it is no JSON object");
    expect(await gateway.kill()).toBe(0);
  });

  test("says nothing of it where there is nothing older", async () => {
    const gateway = await startGatewayProcess(home);
    await gateway.seen("agent model");
    expect(gateway.log()).not.toContain("older version");
    expect(await gateway.kill()).toBe(0);
  });
});

describe("an export", () => {
  test("refuses to write over anything, and says what is missing", async () => {
    const nothing = await asJson(["export", "--to", join(home.dir, "out")]);
    expect(nothing).toMatchObject({ code: 1, data: { ok: false, error: { code: "not_found" } } });
    expect(existsSync(join(home.dir, "out"))).toBe(false);
    const where = await asJson(["export"]);
    expect(where).toMatchObject({ code: 1, data: { ok: false, error: { code: "usage" } } });
    layOut("2026.1.30", home.state);
    await asJson(["migrate", "--yes"]);
    const full = await asJson(["export", "--to", home.state]);
    expect(full).toMatchObject({ code: 1, data: { error: { code: "usage" } } });
    const done = await runCli(["export", "--to", "~/out"], { home });
    expect(done.code).toBe(0);
    expect(done.stdout).toContain(join(home.dir, "out"));
    expect(filesIn(join(home.dir, "out"))).toContain("parts/channels.json5");
  });
});
