/** Tab in real shells, with the compiled binary behind it. A shell that cannot be had here is skipped. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { missing } from "../deploy/lab.ts";
import { BINARY, emptyHome, type Home, runCli } from "./binary.ts";
import { inTerminal, type Session } from "./terminal.ts";

setDefaultTimeout(30_000);
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** A home with `clawdbot` on the PATH, and the completion in the shell's own start file. */
async function withCompletion(shell: string): Promise<{ home: Home; PATH: string }> {
  const home = emptyHome();
  open.push(home.remove);
  const bin = join(home.dir, "bin");
  mkdirSync(bin);
  for (const name of ["clawdbot", "openclaw"]) symlinkSync(BINARY, join(bin, name));
  const PATH = `${bin}:${process.env["PATH"] ?? "/usr/bin:/bin"}`;
  const env = { PATH, SHELL: `/bin/${shell}` };
  const told = await runCli(["completion", "--install", "--yes"], { home, env });
  expect(told).toMatchObject({ code: 0 });
  return { home, PATH };
}

/** How each shell is started so that it reads its start file, and asks nothing. */
const STARTS: Record<string, string[]> = {
  bash: ["--noprofile", "-i"],
  zsh: ["-i"],
  fish: ["-i"],
};

for (const [shell, args] of Object.entries(STARTS)) {
  const lacking = missing({ [shell]: shell });
  const program = Bun.which(shell);
  describe.skipIf(lacking !== undefined)(shell, () => {
    async function start(): Promise<{ session: Session }> {
      const { home, PATH } = await withCompletion(shell);
      writeFileSync(join(home.dir, "a-file-of-mine.txt"), "");
      const env = { PATH, ZDOTDIR: home.dir };
      const session = inTerminal(args, home, env, { cols: 200, rows: 40 }, program!);
      open.push(() => session.close());
      // The shell's own prompt differs; this is said when it reads commands.
      session.type("echo is''-up\r");
      await session.sees("is-up\r\n");
      return { session };
    }

    test.each([
      ["clawdbot uninst\t", "uninstall"],
      ["clawdbot models fallb\t", "fallbacks"],
      ["clawdbot models auth order cl\t", "order clear"],
      ["openclaw gateway --allow-un\t", "--allow-unconfigured"],
      ["clawdbot gateway --bind loo\t", "loopback"],
      ["clawdbot --dev reset --sc\t", "--scope"],
      // Where the program has nothing to say, the shell offers files.
      ["clawdbot channels add --token-file a-fi\t", "a-file-of-mine.txt"],
    ])("%j becomes %s", async (typed, then) => {
      const { session } = await start();
      session.type(typed);
      await session.sees(then);
    });
  });
}

test.skipIf(!Bun.which("zsh"))("zsh takes the script as a file of fpath too", async () => {
  const home = emptyHome();
  open.push(home.remove);
  const [bin, site] = [join(home.dir, "bin"), join(home.dir, "site")];
  for (const dir of [bin, site]) mkdirSync(dir);
  symlinkSync(BINARY, join(bin, "clawdbot"));
  const { stdout } = await runCli(["completion", "-s", "zsh"], { home });
  writeFileSync(join(site, "_clawdbot"), stdout);
  writeFileSync(
    join(home.dir, ".zshrc"),
    "fpath=(~/site $fpath)\nautoload -Uz compinit\ncompinit -i\n",
  );
  const env = { PATH: `${bin}:${process.env["PATH"] ?? ""}`, ZDOTDIR: home.dir };
  const session = inTerminal(["-i"], home, env, { cols: 200, rows: 40 }, Bun.which("zsh")!);
  open.push(() => session.close());
  session.type("echo is''-up\r");
  await session.sees("is-up\r\n");
  session.type("clawdbot models fallb\t");
  await session.sees("fallbacks");
});

test("the script asks the program that is typed, and falls silent without one", async () => {
  const { home, PATH } = await withCompletion("bash");
  const ask = (line: string) =>
    Bun.spawnSync(
      [
        "bash",
        "--norc",
        "-c",
        `source <(clawdbot completion -s bash); rm -f bin/clawdbot; COMP_WORDS=(${line}); COMP_CWORD=1; _clawdbot_complete; echo "\${#COMPREPLY[@]}"`,
      ],
      { cwd: home.dir, env: { PATH, HOME: home.dir } },
    );
  const gone = ask("clawdbot mod");
  expect(gone.stderr.toString()).toBe("");
  expect(gone.stdout.toString()).toBe("0\n");
});

test("every script parses in its own shell, and PowerShell's hands words over behind --", async () => {
  const home = emptyHome();
  open.push(home.remove);
  for (const [shell, check] of [
    ["bash", ["bash", "-n"]],
    ["zsh", ["zsh", "-n"]],
    ["fish", ["fish", "--no-execute"]],
    ["powershell", undefined],
  ] as const) {
    const { code, stdout } = await runCli(["completion", "-s", shell], { home });
    expect(code).toBe(0);
    const file = join(home.dir, `script.${shell}`);
    writeFileSync(file, stdout);
    if (check && Bun.which(check[0])) {
      const PATH = process.env["PATH"] ?? "";
      const parsed = Bun.spawnSync([...check, file], { env: { HOME: home.dir, PATH } });
      expect({ shell, code: parsed.exitCode, said: parsed.stderr.toString() }).toEqual({
        shell,
        code: 0,
        said: "",
      });
    }
    if (shell !== "powershell") continue;
    expect(stdout).toContain("-CommandName clawdbot, openclaw, moltbot -ScriptBlock {");
    expect(stdout).toContain("clawdbot completion --complete --describe @next -- @words");
    expect(stdout.split("{").length).toBe(stdout.split("}").length);
  }
});

test("what can stand at the cursor, as the scripts ask for it", async () => {
  const home = emptyHome();
  open.push(home.remove);
  const ask = async (...words: string[]) => {
    const { stdout } = await runCli(["completion", "--complete", "--", ...words], { home });
    return stdout.split("\n").filter(Boolean);
  };
  expect(await ask("devices", "")).toEqual(["list", "approve", "reject", "revoke"]);
  expect(await ask("--profile", "work", "devices", "re")).toEqual(["reject", "revoke"]);
  expect(await ask("--profile", "")).toEqual([]);
  expect(await ask("help", "devices", "a")).toEqual(["approve"]);
  expect(await ask("nonsense", "")).toEqual([]);
  expect(await ask("devices", "list", "--json", "--js")).toEqual([]);
  expect(await ask("agents", "add", "--bind", "x", "--bi")).toEqual(["--bind"]);
  expect(await ask("gateway", "status", "--no-pr")).toEqual(["--no-probe"]);
  expect(await ask("agent", "-m", "")).toEqual([]);
  expect(await ask("sessions", "--", "")).toEqual([]);
  expect((await ask("")).length).toBeGreaterThan(20);
  const described = await runCli(["completion", "--complete", "--describe", "--", "hea"], { home });
  expect(described.stdout).toMatch(/^health\t\S.*\n$/);
  const next = ["completion", "--complete", "--next-word", "--", "devices"];
  expect((await runCli(next, { home })).stdout).toStartWith("list\n");
});

test.each([
  [["completion", "bash"], "-s"],
  [["completion", "-s", "tcsh"], "Invalid --shell"],
  [["completion", "-i"], "Your shell is unknown"],
  [["completion", "-i", "-s", "bash"], "no terminal"],
])("%j is refused", async (words, why) => {
  const home = emptyHome();
  open.push(home.remove);
  const { code, stderr } = await runCli(words, { home });
  expect(code).toBe(1);
  expect(stderr).toContain(why);
});
