/** `backup` with the compiled program: while the gateway works, and killed in the middle. */
import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { BINARY, emptyHome, type Home, plainEnv, runCli, startGatewayProcess } from "./binary.ts";
import { inTerminal } from "./terminal.ts";

const homes: Home[] = [];
afterEach(() => {
  for (const home of homes.splice(0)) home.remove();
});
function newHome(): Home {
  const home = emptyHome();
  homes.push(home);
  return home;
}
function settled(): Home {
  const home = newHome();
  mkdirSync(join(home.state, "credentials"), { recursive: true, mode: 0o700 });
  writeFileSync(join(home.state, "clawdbot.json"), '{ gateway: { mode: "local" } } // old');
  return home;
}
const json = async (home: Home, ...words: string[]) => {
  const done = await runCli(["backup", ...words, "--json"], { home });
  return { code: done.code, ...(JSON.parse(done.stdout) as Record<string, unknown>) };
};
const big = () => crypto.getRandomValues(Buffer.alloc(65_536));

test("a backup that is made while messages come in has whole conversations, and is restored into an empty home", async () => {
  const home = settled();
  const gateway = await startGatewayProcess(home);
  const client = gateway.client();
  await client.connect();
  let over = false;
  let sent = 0;
  const sending = (async () => {
    for (; !over; sent++) {
      const runId = `run-${sent}`;
      await client.call("chat.send", {
        sessionKey: "main",
        message: `question ${sent}`,
        idempotencyKey: runId,
      });
      await client.call("agent.wait", { runId, timeoutMs: 10_000 }, { timeoutMs: 20_000 });
    }
  })();
  const file = join(home.dir, "backup.tar.gz");
  while (sent < 5) await new Promise((next) => setImmediate(next));
  const before = sent;
  const made = await json(home, "create", "--output", file, "--verify");
  expect(made).toMatchObject({ code: 0, verified: true, dryRun: false, archivePath: file });
  expect(await json(home, "verify", file)).toMatchObject({ code: 0, ok: true });
  const refused = await json(home, "restore", file, "--yes");
  expect(refused).toMatchObject({ code: 78, ok: false, error: { code: "gateway_running" } });
  over = true;
  await sending;
  client.close();
  await gateway.kill();

  const other = newHome();
  expect(await json(other, "restore", file)).toMatchObject({ code: 0, ok: true });
  const again = await startGatewayProcess(other);
  const reader = again.client();
  await reader.connect();
  const { messages } = await reader.call("chat.history", { sessionKey: "main", limit: 1000 });
  reader.close();
  await again.kill();
  const asked = messages.filter(({ role }) => role === "user").length;
  expect(asked).toBeGreaterThanOrEqual(before);
  expect(readFileSync(join(other.state, "clawdbot.json"), "utf8")).toContain("// old");
}, 60_000);

test("a restore that is killed at any moment leaves the old state or the new one, whole", async () => {
  const home = settled();
  const workspace = join(home.dir, "clawd");
  mkdirSync(workspace);
  for (let n = 0; n < 40; n++) writeFileSync(join(home.state, "credentials", `c${n}`), big());
  const file = join(home.dir, "backup.tar.gz");
  expect((await json(home, "create", "--output", file)).code).toBe(0);
  const count = readdirSync(join(home.state, "credentials")).length;
  let [was, is] = [0, 0];
  for (let ms = 0; ms < 700; ms += 35) {
    rmSync(join(home.state, "clawdbot.json"));
    writeFileSync(join(home.state, "clawdbot.json"), "{} // new");
    const child = Bun.spawn([BINARY, "backup", "restore", file, "--yes"], {
      cwd: home.dir,
      env: plainEnv(home),
      stdio: ["ignore", "ignore", "ignore"],
    });
    await Promise.race([Bun.sleep(ms), child.exited]);
    child.kill("SIGKILL");
    await child.exited;
    // At every moment there is a state folder, and everything is in it.
    const text = readFileSync(join(home.state, "clawdbot.json"), "utf8");
    expect(readdirSync(join(home.state, "credentials")).length).toBe(count);
    if (text.endsWith("// new")) was++;
    else is++;
    for (const name of readdirSync(home.dir))
      if (/\.(?:before-restore|restoring)-/.test(name))
        rmSync(join(home.dir, name), { recursive: true });
  }
  process.stdout.write(`      old ${was} times, restored ${is} times\n`);
  expect(was).toBeGreaterThan(0);
}, 120_000);

test("a create that is killed leaves no half backup under its name, and the next one clears up", async () => {
  const home = settled();
  for (let n = 0; n < 40; n++) writeFileSync(join(home.state, "credentials", `c${n}`), big());
  const file = join(home.dir, "backup.tar.gz");
  for (let ms = 20; ms < 200; ms += 30) {
    const child = Bun.spawn([BINARY, "backup", "create", "--output", file], {
      cwd: home.dir,
      env: plainEnv(home),
      stdio: ["ignore", "ignore", "ignore"],
    });
    await Promise.race([Bun.sleep(ms), child.exited]);
    child.kill("SIGKILL");
    await child.exited;
    if (!existsSync(file)) continue;
    expect((await json(home, "verify", file)).code).toBe(0);
    rmSync(file);
  }
  expect((await json(home, "create", "--output", file)).code).toBe(0);
  expect(readdirSync(home.dir).filter((name) => name.endsWith("-part"))).toEqual([]);
}, 60_000);

test("it asks before it replaces anything, and Ctrl-C at the question changes nothing", async () => {
  const home = settled();
  const file = join(home.dir, "backup.tar.gz");
  await json(home, "create", "--output", file);
  const words = ["backup", "restore", file];
  const unasked = await runCli(words, { home });
  expect({ code: unasked.code, hint: unasked.stderr.includes("Add --yes") }).toEqual({
    code: 1,
    hint: true,
  });
  for (const [answer, code] of [
    ["\u0003", 130],
    ["n\r", 130],
  ] as const) {
    const terminal = inTerminal(words, home, {}, { cols: 40, rows: 24 });
    await terminal.sees("[y/N]");
    terminal.type(answer);
    expect(await terminal.exited).toBe(code);
    terminal.close();
  }
  expect(readdirSync(home.dir).filter((name) => name.includes("restor"))).toEqual([]);
  const terminal = inTerminal(words, home);
  await terminal.sees("[y/N]");
  terminal.type("y\r");
  expect(await terminal.exited).toBe(0);
  expect(terminal.text()).toContain("is restored");
  terminal.close();
}, 30_000);

test("a disk without room says so before anything is changed", async () => {
  const home = settled();
  const done = await json(home, "create", "--output", "/dev/full");
  expect(done).toMatchObject({ code: 1, ok: false });
  const missing = await json(home, "create", "--output", join(home.dir, "no/such/folder/x.tar.gz"));
  expect(missing).toMatchObject({ ok: false });
  expect(await json(home, "restore", join(home.dir, "none.tar.gz"))).toMatchObject({
    code: 1,
    error: { code: "not_found" },
  });
});
