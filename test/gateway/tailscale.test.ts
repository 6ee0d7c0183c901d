/** Publishing through Tailscale, with a program of that name that writes down how it is called. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Tailscale, type TailscaleOptions } from "../../src/gateway/tailscale.ts";
import { signedIn, upgradeStatus } from "./dial.ts";
import { type LogLine, openRig, recordingLog } from "./rig.ts";

const NAME = "box.tail1234.ts.net";
const STATUS = JSON.stringify({ BackendState: "Running", Self: { DNSName: `${NAME}.` }, Peer: {} });
let dir = "";
let lines: LogLine[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tailscale-"));
  lines = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** `serve` is what the script does for everything but `status`. */
function fake({ status = `echo '${STATUS}'`, serve = "true" } = {}, at = join(dir, "tailscale")) {
  writeFileSync(
    at,
    `#!/bin/sh\necho "$*" >> '${dir}/calls'\nenv > '${dir}/env'\nif [ "$1" = status ]; then ${status}; else ${serve}; fi\n`,
  );
  chmodSync(at, 0o755);
}
const calls = () =>
  existsSync(join(dir, "calls")) ? readFileSync(join(dir, "calls"), "utf8").trim().split("\n") : [];
const tailscale = (more: Partial<TailscaleOptions> = {}) =>
  new Tailscale({
    mode: "serve",
    resetOnExit: false,
    basePath: "/",
    env: { PATH: `${dir}:/usr/bin:/bin` },
    log: recordingLog(lines),
    appPath: join(dir, "no-app"),
    ...more,
  });
const warnings = () => lines.filter((line) => line.level === "warn");

describe("publishing", () => {
  for (const mode of ["serve", "funnel"] as const)
    test(`${mode} forwards to the port and says the address`, async () => {
      fake();
      const it = tailscale({ mode, basePath: "/ui" });
      await it.publish(18_789);
      await it.stop();
      expect(calls()).toEqual(["status --json", `${mode} --bg --yes 18789`]);
      expect(lines).toHaveLength(1);
      expect(lines[0]!.message).toEndWith(`https://${NAME}/ui/`);
      expect(lines[0]!.message).toContain(mode === "funnel" ? "whole internet" : "your tailnet");
    });

  test("off calls nothing", async () => {
    fake();
    const it = tailscale({ mode: "off", resetOnExit: true });
    await it.publish(1);
    await it.stop();
    expect(calls()).toEqual([]);
    expect(lines).toEqual([]);
  });

  test("reset on exit takes it back, and a failure of that says how to do it", async () => {
    fake();
    const it = tailscale({ resetOnExit: true });
    await it.publish(1);
    expect(it.hosts()).toEqual([NAME]);
    await it.stop();
    expect(calls().at(-1)).toBe("serve reset");
    expect(it.hosts()).toEqual([]);

    fake({ serve: '[ "$2" != reset ]' });
    const other = tailscale({ resetOnExit: true });
    await other.publish(1);
    await other.stop();
    expect(warnings()).toMatchObject([{ data: { hint: expect.stringContaining("serve reset") } }]);
  });

  test("the program inside the macOS app is found when there is none in the PATH", async () => {
    const appPath = join(dir, "Tailscale app");
    fake({}, appPath);
    await tailscale({ appPath }).publish(7);
    expect(calls().at(-1)).toBe("serve --bg --yes 7");
  });

  test("the program gets the environment that it was given, nothing else of ours", async () => {
    fake();
    await tailscale().publish(7);
    const names = readFileSync(join(dir, "env"), "utf8").matchAll(/^(\w+)=/gm);
    const known = new Set(["PATH", "TAILSCALE_BE_CLI", "PWD", "SHLVL", "_", "OLDPWD"]);
    expect([...names].map((m) => m[1]!).filter((name) => !known.has(name))).toEqual([]);
  });
});

describe("what goes wrong is one warning with a remedy, and nothing is taken back that was not made", () => {
  const cases: [what: string, script: Parameters<typeof fake>[0] | undefined, hint: string][] = [
    ["no program", undefined, "Install Tailscale"],
    [
      "no permission",
      { serve: "echo 'Access denied: serve config denied' >&2; exit 1" },
      "sudo tailscale set --operator=$USER",
    ],
    [
      "not signed in",
      { status: `echo '{"BackendState":"NeedsLogin"}'; exit 1`, serve: "echo no >&2; exit 1" },
      "tailscale up",
    ],
    [
      "no daemon",
      { status: "exit 1", serve: "echo 'failed to connect to local tailscaled' >&2; exit 1" },
      "Start Tailscale",
    ],
    [
      "an old version",
      { serve: "echo 'flag provided but not defined: -bg' >&2; exit 2" },
      "Update Tailscale",
    ],
    [
      "not allowed in the tailnet yet",
      { serve: "echo 'To enable, visit: https://login.tailscale.com/f/serve?node=n1'; exit 1" },
      "Open https://login.tailscale.com/f/serve?node=n1",
    ],
    ["a failure that nobody knows", { serve: "exit 9" }, "tailscale serve --bg <port>"],
  ];
  for (const [what, script, hint] of cases)
    test(what, async () => {
      if (script) fake(script);
      const it = tailscale({ resetOnExit: true });
      await it.publish(1);
      await it.stop();
      expect(warnings()).toHaveLength(1);
      expect(String(warnings()[0]!.data?.["hint"])).toContain(hint);
      expect(it.hosts()).toEqual([]);
      expect(calls()).not.toContain("serve reset");
    });

  test("a file of that name that cannot be run", async () => {
    writeFileSync(join(dir, "tailscale"), "\u007fELF nonsense");
    chmodSync(join(dir, "tailscale"), 0o755);
    await tailscale().publish(1);
    expect(warnings()).toHaveLength(1);
  });

  test("a status that says no usable name: it is published, but the name must be added by hand", async () => {
    for (const status of [
      "echo nonsense",
      "exit 1",
      `echo '{"Self":{"DNSName":"evil.example/x"}}'`,
      `echo '{"Self":null}'`,
    ]) {
      lines = [];
      fake({ status });
      const it = tailscale();
      await it.publish(1);
      expect(it.hosts()).toEqual([]);
      expect(warnings()).toMatchObject([
        { data: { hint: expect.stringContaining("gateway.allowedHosts") } },
      ]);
    }
  });

  test("a call that never ends is cut, with what it said, and taken back later", async () => {
    // The grandchild keeps the pipe open when its parent is killed.
    fake({
      serve:
        "[ \"$2\" = reset ] && exit 0; echo 'visit https://login.tailscale.com/f/x'; sleep 60 & echo $! > '" +
        dir +
        "/pid'; wait",
    });
    const it = tailscale({ timeoutMs: 300, resetOnExit: true });
    await it.publish(1);
    expect(warnings()).toMatchObject([
      { data: { hint: expect.stringContaining("https://login.tailscale.com/f/x") } },
    ]);
    await it.stop();
    expect(calls().at(-1)).toBe("serve reset");
    process.kill(Number(readFileSync(join(dir, "pid"), "utf8")), "SIGKILL");
  });

  test("a stop does not wait for a call that is under way", async () => {
    fake({ serve: '[ "$2" = reset ] && exit 0; exec sleep 60' });
    const it = tailscale({ resetOnExit: true });
    const publishing = it.publish(1);
    while (!calls().some((call) => call.startsWith("serve --bg"))) await Bun.sleep(1);
    await it.stop();
    await publishing;
    expect(calls().at(-1)).toBe("serve reset");
    expect(warnings()).toEqual([]);
  });
});

test("the name in the tailnet is accepted as Host and Origin once it is known, and no other is", async () => {
  fake();
  const it = tailscale();
  await using rig = await openRig({ platformHosts: () => it.hosts() });
  const behind = (name: string) =>
    upgradeStatus(rig.http, {
      Host: name,
      Origin: `https://${name}`,
      "X-Forwarded-For": "100.64.0.7",
      "X-Forwarded-Host": name,
      "X-Forwarded-Proto": "https",
    });
  expect(await behind(NAME)).toBe(421);
  await it.publish(rig.gateway.port);
  expect(await behind(NAME)).toBe(101);
  expect(await behind("other.tail1234.ts.net")).toBe(421);
  const direct = await signedIn(rig.url);
  expect((await direct.call("health")).ok).toBe(true);
});
