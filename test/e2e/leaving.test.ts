/** `reset` and `uninstall` of the compiled binary: all that was made is gone, nothing else is, and what is dangerous is refused. */
import { afterEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { BINARY, emptyHome, type Home, plainEnv, runCli, startGatewayProcess } from "./binary.ts";
import { watch } from "./child.ts";
import { inTerminal } from "./terminal.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function newHome(): Home {
  const home = emptyHome();
  open.push(home.remove);
  return home;
}

/** Every path below a folder with its kind, mode and content. */
function contents(root: string, without: string[] = []): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (path: string, name: string) => {
    if (without.includes(name)) return;
    const { mode } = lstatSync(path);
    const kind = lstatSync(path);
    if (kind.isSymbolicLink()) found[name] = `link ${readlinkSync(path)}`;
    else if (kind.isDirectory()) {
      found[name] = `folder ${(mode & 0o777).toString(8)}`;
      for (const each of readdirSync(path))
        visit(join(path, each), name ? `${name}/${each}` : each);
    } else found[name] = `${(mode & 0o777).toString(8)} ${readFileSync(path).toString("base64")}`;
  };
  visit(root, "");
  return found;
}

const quiet = [
  ...["onboard", "--non-interactive", "--accept-risk"],
  ...["--auth-choice", "skip", "--skip-health"],
];

/** A home that has been set up: config, workspace, database, keys. */
async function lived(config: object = {}): Promise<Home> {
  const home = newHome();
  mkdirSync(home.state, { mode: 0o700 });
  writeFileSync(join(home.state, "clawdbot.json"), JSON.stringify(config));
  expect((await runCli(quiet, { home })).code).toBe(0);
  const gateway = await startGatewayProcess(home);
  expect((await runCli(["agent", "-m", "Hello"], { home })).code).toBe(0);
  await gateway.kill();
  expect(existsSync(join(home.state, "clawdbot.sqlite"))).toBe(true);
  writeFileSync(join(home.state, ".env"), "OTHER=1\n", { mode: 0o600 });
  return home;
}

test("after onboard, a gateway, a conversation and completion, uninstall leaves the home as it was, but for the workspace", async () => {
  const home = newHome();
  writeFileSync(join(home.dir, ".bashrc"), "alias ll='ls -l'", { mode: 0o600 });
  writeFileSync(join(home.dir, ".zshrc"), "# mine\n\n\n");
  writeFileSync(join(home.dir, ".profile"), "");
  mkdirSync(join(home.dir, ".config"));
  mkdirSync(join(home.dir, "notes"), { mode: 0o750 });
  writeFileSync(join(home.dir, "notes/a.txt"), "keep");
  symlinkSync("notes/a.txt", join(home.dir, "link"));
  const before = contents(home.dir);

  expect((await runCli(quiet, { home })).code).toBe(0);
  const gateway = await startGatewayProcess(home);
  expect((await runCli(["agent", "-m", "Hello"], { home })).code).toBe(0);
  for (const shell of ["bash", "zsh", "fish"])
    expect((await runCli(["completion", "-s", shell, "-i", "-y"], { home })).code).toBe(0);
  expect(readFileSync(join(home.dir, ".bashrc"), "utf8")).toContain("clawdbot completion -s bash");
  writeFileSync(join(home.dir, "clawd/made-by-the-agent.txt"), "mine");

  const told = await runCli(["uninstall", "--service", "--state", "--yes", "--non-interactive"], {
    home,
  });
  expect(told.code).toBe(0);
  expect(told.stdout).toContain(`Workspace kept: ${join(home.dir, "clawd")}`);
  expect(told.stdout).toContain("CLI still installed.");
  // It was stopped: its process has ended by itself.
  await gateway.kill();
  expect(gateway.log()).not.toContain("ERROR");
  expect(contents(home.dir, ["clawd"])).toEqual(before);
  expect(readFileSync(join(home.dir, "clawd/made-by-the-agent.txt"), "utf8")).toBe("mine");

  const again = await runCli(["uninstall", "--all", "--yes", "--non-interactive"], { home });
  expect(again.code).toBe(0);
  expect(contents(home.dir)).toEqual(before);
  const third = await runCli(["uninstall", "--all", "--yes", "--json"], { home });
  expect(JSON.parse(third.stdout)).toEqual({
    ok: true,
    dryRun: false,
    removed: [],
    kept: [],
    failed: [],
    notes: [],
  });
});

test("ended anywhere in the middle, it can be run again", async () => {
  const first = await lived();
  const dry = await runCli(["uninstall", "--state", "--dry-run", "--json"], { home: first });
  const names = (JSON.parse(dry.stdout).removed as string[]).map((path) =>
    path.slice(first.state.length + 1),
  );
  expect(names.length).toBeGreaterThan(4);
  for (let done = 1; done < names.length; done++) {
    const home = done === 1 ? first : await lived();
    for (const name of names.slice(0, done)) rmSync(join(home.state, name), { recursive: true });
    const told = await runCli(["uninstall", "--state", "--yes", "--non-interactive"], { home });
    expect({ done, code: told.code }).toEqual({ done, code: 0 });
    expect(readdirSync(home.dir)).toEqual(["clawd"]);
  }
}, 120_000);

test("--dry-run changes nothing, and says what would go", async () => {
  const home = await lived();
  const before = contents(home.dir);
  const told = await runCli(["uninstall", "--all", "--dry-run"], { home });
  expect(told.code).toBe(0);
  expect(told.stdout).toContain(`[dry-run] remove ${join(home.state, "clawdbot.sqlite")}`);
  expect(told.stdout).toContain(`[dry-run] remove ${join(home.dir, "clawd")}`);
  expect((await runCli(["reset", "--scope", "full", "--dry-run"], { home })).code).toBe(0);
  expect(contents(home.dir)).toEqual(before);
});

describe("refused, with nothing removed", () => {
  const flags = ["--state", "--yes", "--non-interactive"];

  test("the root of the file system", async () => {
    const home = newHome();
    // Only asked: a mistake here must not cost the machine that runs the test.
    const env = { CLAWDBOT_STATE_DIR: "/" };
    for (const words of [
      ["uninstall", "--state", "--dry-run"],
      ["reset", "--scope", "full", "--dry-run"],
    ]) {
      const told = await runCli(words, { home, env });
      expect(told.code).toBe(1);
      expect(told.stderr).toContain("the root of the file system");
    }
  });

  test("the home folder, by its own name and through a link", async () => {
    const home = await lived();
    const before = contents(home.dir);
    const outside = mkdtempSync(join(tmpdir(), "clawdbot-e2e-link-"));
    open.push(() => rmSync(outside, { recursive: true }));
    symlinkSync(home.dir, join(outside, "home"));
    for (const dir of [home.dir, join(outside, "home", "."), join(home.dir, "clawd", "..")])
      for (const words of [
        ["uninstall", ...flags],
        ["reset", "--scope", "full", "--yes", "--non-interactive"],
      ]) {
        const told = await runCli(words, { home, env: { CLAWDBOT_STATE_DIR: dir } });
        expect({ dir, code: told.code }).toEqual({ dir, code: 1 });
        expect(told.stderr).toMatch(/home folder|is a link/);
      }
    expect(contents(home.dir)).toEqual(before);
  });

  test("a workspace that is the home folder", async () => {
    const home = newHome();
    mkdirSync(home.state);
    writeFileSync(
      join(home.state, "clawdbot.json"),
      JSON.stringify({ agents: { defaults: { workspace: "~" } } }),
    );
    const before = contents(home.dir);
    const told = await runCli(["uninstall", "--all", "--yes", "--non-interactive"], { home });
    expect(told.code).toBe(1);
    expect(told.stderr).toContain("home folder");
    expect(contents(home.dir)).toEqual(before);
  });

  test("a state folder that is a link, whose end is left alone", async () => {
    const home = await lived();
    const elsewhere = join(home.dir, "elsewhere");
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, "clawdbot.json"), "{}");
    rmSync(home.state, { recursive: true });
    symlinkSync(elsewhere, home.state);
    const told = await runCli(["uninstall", ...flags], { home });
    expect(told.code).toBe(1);
    expect(told.stderr).toContain(`is a link to ${elsewhere}`);
    expect(existsSync(join(elsewhere, "clawdbot.json"))).toBe(true);
  });

  test("while a gateway runs that cannot be stopped from here", async () => {
    const home = await lived();
    const lock = resolve("src/base/lock.ts");
    const [name] = readdirSync(home.state).filter((each) => each.endsWith(".lock"));
    const holder = Bun.spawn(
      [
        process.execPath,
        "-e",
        `const { acquireLock } = await import(${JSON.stringify(lock)});
         const body = { pid: 999999999, bootId: "b", version: "v", startedAt: 0 };
         const taken = acquireLock(${JSON.stringify(join(home.state, name!))}, body);
         console.log("release" in taken ? "held" : "not held");
         setInterval(() => taken, 1000);`,
      ],
      { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    );
    const { seen, ended } = watch(holder);
    open.push(async () => {
      holder.kill("SIGKILL");
      await ended;
    });
    await seen(/^held/m);
    const before = contents(home.dir);
    for (const words of [
      ["uninstall", ...flags],
      ["reset", "--scope", "full", "--yes", "--non-interactive"],
    ]) {
      const told = await runCli(words, { home });
      expect(told.code).not.toBe(0);
      expect(told.stderr).toContain("A gateway runs");
    }
    expect(contents(home.dir)).toEqual(before);
  });

  test("in Nix mode", async () => {
    const home = await lived();
    const before = contents(home.dir);
    const env = { CLAWDBOT_NIX_MODE: "1" };
    for (const words of [
      ["uninstall", "--all", "--yes", "--non-interactive"],
      ["reset", "--scope", "config", "--yes", "--non-interactive"],
    ]) {
      const told = await runCli(words, { home, env });
      expect(told.code).toBe(1);
      expect(told.stderr).toContain("made by Nix");
    }
    expect(contents(home.dir)).toEqual(before);
  });

  test.each([
    [["uninstall"], "no terminal"],
    [["uninstall", "--non-interactive"], "requires --yes"],
    [["uninstall", "--non-interactive", "--yes"], "requires --yes"],
    [["uninstall", "--non-interactive", "--state"], "requires --yes"],
    [["uninstall", "--state"], "no terminal"],
    [["reset"], "no terminal"],
    [["reset", "--non-interactive"], "requires --scope and --yes"],
    [["reset", "--non-interactive", "--scope", "full"], "requires --scope and --yes"],
    [["reset", "--scope", "all"], "Invalid --scope"],
  ])("%j", async (words, why) => {
    const home = newHome();
    mkdirSync(home.state);
    writeFileSync(join(home.state, "clawdbot.json"), "{}");
    const told = await runCli(words, { home });
    expect(told.code).toBe(1);
    expect(told.stderr).toContain(why);
    expect(existsSync(join(home.state, "clawdbot.json"))).toBe(true);
  });
});

test("in a state folder of another name, only what is the program's goes", async () => {
  const home = newHome();
  const dir = join(home.dir, "data");
  mkdirSync(join(dir, "photos"), { recursive: true });
  writeFileSync(join(dir, "photos/cat.jpg"), "cat");
  writeFileSync(join(dir, "backup.tar"), "mine");
  const env = { CLAWDBOT_STATE_DIR: dir };
  expect((await runCli(quiet, { home, env })).code).toBe(0);
  const gateway = await startGatewayProcess({ ...home, state: dir }, { env });
  expect((await runCli(["agent", "-m", "Hello"], { home, env })).code).toBe(0);
  await gateway.kill();
  const told = await runCli(["uninstall", "--state", "--yes", "--non-interactive"], { home, env });
  expect(told.code).toBe(0);
  expect(told.stdout).toContain("is not of this program");
  expect(Object.keys(contents(dir)).sort()).toEqual(["", "backup.tar", "photos", "photos/cat.jpg"]);
});

test("a workspace inside the state folder stays, and goes with --workspace", async () => {
  const home = await lived({ agents: { defaults: { workspace: "~/.clawdbot/workspace" } } });
  const workspace = join(home.state, "workspace");
  const kept = await runCli(["uninstall", "--state", "--yes", "--non-interactive"], { home });
  expect(kept.code).toBe(0);
  expect(readdirSync(home.state)).toEqual(["workspace"]);
  expect(existsSync(join(workspace, "AGENTS.md"))).toBe(true);
  // The config is gone, and with it the word on where the agent works: the state folder is what is known.
  const gone = await runCli(["uninstall", "--all", "--yes", "--non-interactive"], { home });
  expect(gone.code).toBe(0);
  expect(existsSync(home.state)).toBe(false);
});

test.skipIf(process.getuid?.() !== 0 || !Bun.which("setpriv"))(
  "what belongs to somebody else is told with the command for it, and everything else goes",
  async () => {
    const home = await lived();
    const uid = 12_345;
    for (const path of [home.dir, ...Object.keys(contents(home.dir)).map((p) => join(home.dir, p))])
      lchownSync(path, uid, uid);
    const foreign = join(home.state, "media");
    mkdirSync(foreign, { recursive: true, mode: 0o755 });
    writeFileSync(join(foreign, "of-root"), "x");
    lchownSync(foreign, 0, 0);
    const as = (words: string[]) =>
      Bun.spawnSync(
        ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", BINARY, ...words],
        { cwd: home.dir, env: plainEnv(home) },
      );
    const words = ["uninstall", "--state", "--yes", "--non-interactive"];
    const told = as(words);
    expect(told.exitCode).toBe(1);
    expect(told.stderr.toString()).toContain(`${foreign} could not be removed (EACCES)`);
    expect(told.stderr.toString()).toContain(`sudo rm -rf ${foreign}`);
    expect(readdirSync(home.state)).toEqual(["media"]);
    rmSync(foreign, { recursive: true });
    expect(as(words).exitCode).toBe(0);
    expect(readdirSync(home.dir)).toEqual(["clawd"]);
  },
);

describe("reset", () => {
  test("config: only that, while a gateway goes on", async () => {
    const home = await lived();
    const gateway = await startGatewayProcess(home);
    open.push(() => gateway.kill());
    const told = await runCli(["reset", "--scope", "config", "--yes", "--non-interactive"], {
      home,
    });
    expect(told.code).toBe(0);
    expect(told.stdout).toContain(`Removed ${join(home.state, "clawdbot.json")}`);
    expect(told.stdout).toContain("Next: clawdbot onboard --install-daemon");
    expect(existsSync(join(home.state, "clawdbot.json"))).toBe(false);
    expect(existsSync(join(home.state, ".env"))).toBe(true);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  });

  test("config+creds+sessions: the copies of the database and the workspace stay", async () => {
    const home = await lived();
    mkdirSync(join(home.state, "backups"), { recursive: true });
    writeFileSync(join(home.state, "backups/kept"), "x");
    const words = ["reset", "--scope", "config+creds+sessions", "--yes", "--non-interactive"];
    const told = await runCli(words, { home });
    expect(told.code).toBe(0);
    expect(told.stdout).toContain("backups stays");
    for (const name of [".env", "clawdbot.json", "clawdbot.sqlite"])
      expect(existsSync(join(home.state, name))).toBe(false);
    expect(existsSync(join(home.state, "backups/kept"))).toBe(true);
    expect(existsSync(join(home.dir, "clawd/AGENTS.md"))).toBe(true);
  });

  test("full: everything, and a new beginning works", async () => {
    const home = await lived();
    const gateway = await startGatewayProcess(home);
    const told = await runCli(["reset", "--scope", "full", "--yes", "--non-interactive"], { home });
    await gateway.kill();
    expect(told.code).toBe(0);
    expect(readdirSync(home.dir)).toEqual([]);
    expect((await runCli(quiet, { home })).code).toBe(0);
  });
});

describe("at a terminal", () => {
  const start = async (words: string[], size?: { cols: number; rows: number }) => {
    const home = await lived();
    const session = inTerminal(words, home, {}, size);
    open.push(() => session.close());
    return { home, session, before: contents(home.dir) };
  };

  test.each([0, 1, 2])("Ctrl-C at question %i of uninstall leaves everything", async (answered) => {
    const { home, session, before } = await start(["uninstall"], { cols: 40, rows: 12 });
    const questions = ["conversations?", "background service?", "the agent wrote?"];
    for (const question of questions.slice(0, answered)) {
      await session.sees(question);
      session.type("n\r");
    }
    await session.sees(questions[answered]!.split(" ").at(-1)!);
    session.type("\u0003");
    expect(await session.exited).toBe(0);
    expect(session.text()).toContain("Nothing was removed.");
    expect(contents(home.dir)).toEqual(before);
  });

  test("the list is shown before the last question, and no is no", async () => {
    const { home, session, before } = await start(["uninstall"]);
    await session.sees("conversations?");
    session.type("y\r");
    await session.sees("the agent wrote?");
    session.type("n\r");
    await session.sees(home.state);
    await session.sees("Go on?");
    session.type("\r");
    expect(await session.exited).toBe(0);
    expect(contents(home.dir)).toEqual(before);
  });

  test("reset asks for the scope, and does what was chosen", async () => {
    const { home, session } = await start(["reset"]);
    await session.sees("What shall be removed?");
    await session.sees("Choose");
    session.type("1\r");
    await session.sees("Go on?");
    session.type("y\r");
    expect(await session.exited).toBe(0);
    expect(existsSync(join(home.state, "clawdbot.json"))).toBe(false);
    expect(existsSync(join(home.state, "clawdbot.sqlite"))).toBe(true);
  });

  test("Ctrl-C at the scope is no failure", async () => {
    const { home, session, before } = await start(["reset"]);
    await session.sees("Choose");
    session.type("\u0003");
    expect(await session.exited).toBe(0);
    expect(contents(home.dir)).toEqual(before);
  });
});
