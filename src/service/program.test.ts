import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { realPathOf } from "../base/fs.ts";
import { serviceProgram } from "./program.ts";

function tree() {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "clawdbot-program-")));
  return {
    home,
    async file(path: string): Promise<string> {
      const at = join(home, path);
      mkdirSync(dirname(at), { recursive: true });
      await Bun.write(at, "x");
      chmodSync(at, 0o755);
      return at;
    },
    link(path: string, to: string): string {
      mkdirSync(dirname(join(home, path)), { recursive: true });
      symlinkSync(to, join(home, path));
      return join(home, path);
    },
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  };
}

test("from source it is the engine and the script", () => {
  const where = {
    argv0: "bun",
    execPath: "/b/bun",
    script: "/s/main.ts",
    cwd: "/",
    home: "/",
    path: "",
  };
  expect(serviceProgram(where)).toEqual({ command: ["/b/bun", "/s/main.ts"], passing: false });
});

test("the link that people call is taken, not the versioned folder behind it", async () => {
  using t = tree();
  const execPath = await t.file("Cellar/clawdbot/1.2/bin/clawdbot");
  const link = t.link("bin/clawdbot", execPath);
  const where = { argv0: "clawdbot", execPath, cwd: "/", home: t.home, path: join(t.home, "bin") };
  expect(serviceProgram(where)).toEqual({ command: [link], passing: false });
  expect(serviceProgram({ ...where, path: "" })).toEqual({ command: [execPath], passing: true });
  expect(serviceProgram({ ...where, argv0: "./bin/clawdbot", cwd: t.home, path: "" })).toEqual({
    command: [link],
    passing: false,
  });
});

test("another program of that name, or one called node, is not taken", async () => {
  using t = tree();
  const execPath = await t.file("own/clawdbot");
  await t.file("bin/clawdbot");
  t.link("bin/node", execPath);
  const where = { argv0: "node", execPath, cwd: "/", home: t.home, path: join(t.home, "bin") };
  expect(serviceProgram(where).command).toEqual([execPath]);
});

test("with pnpm it is the path through the link that pnpm moves at an update", async () => {
  using t = tree();
  const store = "global/5/.pnpm/clawdbot@1.0/node_modules";
  const execPath = await t.file(
    "global/5/.pnpm/@clawdbot+linux-x64@1.0/node_modules/@clawdbot/linux-x64/bin/clawdbot",
  );
  await t.file(`${store}/clawdbot/index.js`);
  t.link(`${store}/@clawdbot/linux-x64`, dirname(dirname(execPath)));
  t.link("global/5/node_modules/clawdbot", join(t.home, store, "clawdbot"));
  const { command, passing } = serviceProgram({
    argv0: "clawdbot",
    execPath,
    cwd: "/",
    home: t.home,
    path: "",
  });
  expect(passing).toBe(false);
  expect(command[0]).not.toContain(".pnpm");
  expect(realPathOf(execPath)).toBe(realpathSync.native(command[0]!));
});
