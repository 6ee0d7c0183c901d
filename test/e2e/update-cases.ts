/** Updates that must change nothing, and what people and scripts see of the others. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { inTerminal } from "./terminal.ts";
import { installed, run, until } from "./update-rig.ts";
import { NEW, OLD, type Stage, TARGET } from "./update-stage.ts";

/** The cases, on a stage whose versions are built when they run. */
export function caseTests(stage: Stage): void {
  const { rig } = stage;
  describe("what is no good never comes into its place", () => {
    const padding = Array.from({ length: 2000 }, () => `# ${crypto.randomUUID()}`).join("\n");
    const script = (body: string) => `#!/bin/sh\n${body}\n${padding}\n`;
    const cases: [what: string, publish: () => void, reason: string, message: string][] = [
      [
        "a damaged file",
        () => {
          rig.publish(NEW, { script: script(`echo ${NEW}`) });
          rig.fault = "corrupt";
        },
        "checksum-wrong",
        "checksum",
      ],
      [
        "a stranger's signature",
        () => rig.publish(NEW, { script: script(`echo ${NEW}`) }, { stranger: true }),
        "signature-wrong",
        "signature of version",
      ],
      [
        "a file larger than the disk",
        () => rig.publish(NEW, { script: script(`echo ${NEW}`) }, { size: 5e15 }),
        "disk-full",
        "too full",
      ],
      [
        "a connection that is always cut",
        () => {
          rig.publish(NEW, { script: script(`echo ${NEW}`) });
          rig.fault = "cut-always";
        },
        "download-failed",
        "cannot be downloaded",
      ],
      [
        "an old release under a new number",
        () => rig.publish(NEW, { script: script("echo 2001.1.1") }, { filesOf: "2001.1.1" }),
        "checksum-wrong",
        "that of version 2001.1.1",
      ],
      [
        "a program that says another version",
        () => rig.publish(NEW, { script: script("echo 2001.1.1") }),
        "wrong-version",
        "2001.1.1",
      ],
      [
        "a program that crashes at its start",
        () =>
          rig.publish(NEW, {
            script: script(`[ "$1" = --version ] && echo ${NEW} && exit; echo boom >&2; exit 3`),
          }),
        "not-ready",
        "boom",
      ],
      [
        "a program that does not start at all",
        () => rig.publish(NEW, { script: script("exit 9") }),
        "does-not-start",
        "code 9",
      ],
    ];
    for (const [what, publish, reason, message] of cases)
      test(
        what,
        async () => {
          stage.fresh();
          publish();
          const before = Bun.hash(readFileSync(stage.program));
          const { code, json } = await stage.update();
          expect({ code, status: json["status"], reason: json["reason"] }).toEqual({
            code: reason === "disk-full" ? 74 : 1,
            status: "error",
            reason,
          });
          expect(json["error"].message).toContain(message);
          expect(Bun.hash(readFileSync(stage.program))).toBe(before);
          expect(existsSync(`${stage.program}.prev`)).toBe(false);
          stage.noLeftovers();
        },
        60_000,
      );
  });

  describe("people and scripts", () => {
    const script = `#!/bin/sh\necho ${NEW}\n`;

    test("while a version is tried, what is unfinished stays with the running gateway: the model is asked once", async () => {
      stage.fresh();
      rig.publish(NEW, { path: stage.programs[NEW]! });
      let gateway = await stage.start();
      const before = stage.fake.requests.length;
      const client = gateway.client();
      await client.connect();
      await client.call("chat.send", {
        sessionKey: "main",
        message: "question held",
        idempotencyKey: "run-held",
      });
      while (stage.fake.requests.length === before) await new Promise((next) => setImmediate(next));
      const { code, json } = await stage.update("--no-restart");
      expect({ code, gateway: json["gateway"] }).toEqual({ code: 0, gateway: "left" });
      expect(stage.fake.requests.length).toBe(before + 1);
      stage.release();
      await gateway.answered("held");
      expect((await gateway.facts()).version).toBe(OLD);
      client.close();
      // Its next start is the new version, which then forgets the update.
      const { ended } = gateway;
      await gateway.end();
      await ended;
      gateway = await stage.start();
      expect((await gateway.facts()).version).toBe(NEW);
      expect(await gateway.answers()).toEqual(["held"]);
    }, 60_000);

    test("Ctrl-C while it downloads ends at once, and leaves nothing", async () => {
      stage.fresh();
      rig.publish(NEW, { script: script + "#".repeat(100_000) });
      rig.fault = "stall";
      const terminal = inTerminal(
        ["update"],
        stage.home,
        {},
        { cols: 40, rows: 24 },
        stage.program,
      );
      await until(() =>
        existsSync(join(stage.home.dir, "bin/.clawdbot-install", `clawdbot-${TARGET}.gz`)),
      );
      terminal.type("\u0003");
      expect(await terminal.exited).toBe(130);
      expect(terminal.text()).toContain("nothing was changed");
      terminal.close();
      stage.noLeftovers();
    }, 30_000);

    test("in a terminal it shows a bar, and asks before it goes back", async () => {
      stage.fresh();
      rig.publish(NEW, { path: stage.programs[NEW]! });
      const terminal = inTerminal(
        ["--update"],
        stage.home,
        {},
        { cols: 60, rows: 24 },
        stage.program,
      );
      await terminal.sees("Downloading [");
      await terminal.sees(`clawdbot ${NEW} is installed (${OLD} before).`);
      expect(await terminal.exited).toBe(0);
      terminal.close();
      const back = inTerminal(
        ["update", "rollback"],
        stage.home,
        {},
        { cols: 40, rows: 24 },
        stage.program,
      );
      await back.sees("[y/N]");
      back.type("\r");
      expect(await back.exited).toBe(1);
      back.close();
      expect(await stage.versionOf()).toBe(NEW);
      const unasked = await run(stage.program, ["update", "rollback"], stage.home);
      expect({ code: unasked.code, yes: unasked.stderr.includes("Add --yes") }).toEqual({
        code: 1,
        yes: true,
      });
      stage.noLeftovers("journal.json");
    }, 60_000);

    test("an older newest one is not taken by itself, and going there has to be confirmed", async () => {
      stage.fresh();
      rig.publish("2001.1.1", { script: "#!/bin/sh\necho 2001.1.1\n" });
      expect((await stage.update()).json).toMatchObject({
        status: "skipped",
        reason: "newest-is-older",
      });
      const unasked = await stage.update("--tag", "v2001.1.1");
      expect({ code: unasked.code, ...unasked.json }).toMatchObject({
        code: 1,
        status: "error",
        reason: "not-confirmed",
      });
      const odd = await stage.update("--tag", "../../x");
      expect(odd.json["error"].message).toContain("is not a version");
      expect(await stage.versionOf()).toBe(OLD);
    });

    test("without a network, status tells the rest; without a key, in Nix mode and under npm it says what to use", async () => {
      stage.fresh();
      const dead = { CLAWDBOT_INSTALL_BASE_URL: "http://127.0.0.1:9" };
      const status = await run(stage.program, ["update", "status", "--json"], stage.home, dead);
      expect({ code: status.code, ...JSON.parse(status.stdout) }).toMatchObject({
        code: 0,
        version: OLD,
        newest: null,
        available: false,
        mode: "binary",
      });
      const nix = await run(stage.program, ["update", "--json"], stage.home, {
        CLAWDBOT_NIX_MODE: "1",
      });
      expect({ code: nix.code, ...JSON.parse(nix.stdout) }).toMatchObject({
        code: 1,
        status: "error",
        mode: "nix",
        reason: "managed-by-nix",
      });
      const asked = rig.requests.length;
      const look = await run(stage.program, ["update", "status", "--json"], stage.home, {
        CLAWDBOT_NIX_MODE: "1",
      });
      expect(JSON.parse(look.stdout)).toMatchObject({ mode: "nix", newest: null });
      expect(rig.requests.length).toBe(asked);
      const modules = join(stage.home.dir, "lib/node_modules/@clawdbot/linux-x64/bin");
      const npm = await run(installed(stage.program, modules, rig.url), ["update"], stage.home);
      expect({
        code: npm.code,
        hint: npm.stderr.includes("npm install -g clawdbot@latest"),
      }).toEqual({
        code: 1,
        hint: true,
      });
      expect(readdirSync(modules).sort()).toEqual([".clawdbot-install.json", "clawdbot"]);
    });
  });
}
