/** The state folder: where it is, which config in it counts, and what happens when that changes. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { freePort } from "../../e2e/child.ts";
import { run } from "../lab.ts";
import {
  ask,
  cli,
  home,
  named,
  nameOf,
  operator,
  start,
  TOKEN,
  urlOf,
  useRig,
  volume,
} from "./rig.ts";

setDefaultTimeout(60_000);
useRig();

describe("where it is", () => {
  test("deploy-006 a new installation is exactly ~/.clawdbot/clawdbot.json, for its owner only", async () => {
    const dir = home();
    await start(dir, "gateway --allow-unconfigured --port 0");
    expect(readdirSync(dir).filter((name) => name !== "clawd" && name !== "bun")).toEqual([
      ".clawdbot",
    ]);
    const state = join(dir, ".clawdbot");
    expect(readdirSync(state).filter((name) => name.endsWith(".json"))).toEqual(["clawdbot.json"]);
    expect(statSync(state).mode & 0o777).toBe(0o700);
    expect(statSync(join(state, "clawdbot.json")).mode & 0o777).toBe(0o600);
  });

  for (const brand of ["clawdbot", "moltbot", "openclaw", "moldbot"])
    for (const file of ["clawdbot", "moltbot", "openclaw", "moldbot"])
      test(`deploy-006 ~/.${brand} with ${file}.json is used where it is, and not moved`, async () => {
        const dir = home();
        const state = volume(dir, `.${brand}`);
        writeFileSync(join(state, `${file}.json`), named("Old friend"));
        await start(dir, "gateway --port 0");
        expect(await nameOf(state)).toBe("Old friend");
        expect(readdirSync(dir).filter((name) => /^\.[cmo]/.test(name))).toEqual([`.${brand}`]);
        expect(readdirSync(state).filter((name) => name.endsWith(".json"))).toEqual([
          `${file}.json`,
        ]);
      });

  test("deploy-062 of several config files the newest brand's is used, with a warning that names both", async () => {
    const dir = home();
    const state = volume(dir);
    const env = { OPENCLAW_STATE_DIR: state };
    const order = ["moldbot", "moltbot", "clawdbot", "openclaw"];
    for (const [i, name] of order.entries()) {
      writeFileSync(join(state, `${name}.json`), named(name));
      const gateway = await start(dir, "gateway --port 0", { env });
      expect(await nameOf(state)).toBe(name);
      const told = gateway.log().includes(`${name}.json is used, not `);
      expect(told).toBe(i > 0);
      const rest = order.slice(0, i).toReversed();
      if (i > 0)
        expect(gateway.log()).toContain(`not ${rest.map((n) => `${n}.json`).join(" or ")}`);
      expect(cli(dir, "config path", { env }).stdout).toBe(`${join(state, name)}.json\n`);
      await gateway.stop();
    }
  });

  test("deploy-084 host paths that the guide's .env carries into the container are not taken for paths there", async () => {
    const dir = home();
    const env = {
      CLAWDBOT_CONFIG_DIR: "/root/.clawdbot-of-the-host",
      CLAWDBOT_WORKSPACE_DIR: "/root/clawd-of-the-host",
      GOG_KEYRING_PASSWORD: "change-me-now",
      XDG_CONFIG_HOME: join(dir, ".clawdbot"),
      KUBERNETES_SERVICE_HOST: "10.0.0.1",
    };
    const state = join(dir, ".clawdbot");
    await start(dir, "gateway --port 0", { env });
    expect(await ask(state, "hello")).toBe("ok");
    expect(existsSync(join(dir, "clawd"))).toBe(true);
    expect(existsSync(env.CLAWDBOT_CONFIG_DIR)).toBe(false);
    expect(existsSync(env.CLAWDBOT_WORKSPACE_DIR)).toBe(false);
  });

  test("deploy-084 a workspace that is named and can be written is used", async () => {
    const dir = home();
    const workspace = volume(dir, "workspace");
    const env = { CLAWDBOT_WORKSPACE_DIR: workspace, KUBERNETES_SERVICE_HOST: "10.0.0.1" };
    await start(dir, "gateway --port 0", { env });
    expect(await ask(join(dir, ".clawdbot"), "hello")).toBe("ok");
    expect(readdirSync(workspace).length).toBeGreaterThan(0);
    expect(existsSync(join(dir, "clawd"))).toBe(false);
  });

  test("deploy-120 .env is read from the state folder, never from the folder one stands in, and replaces nothing", async () => {
    const dir = home();
    const state = volume(dir, ".clawdbot");
    const here = volume(dir, "here");
    const link = "UI_NAME";
    writeFileSync(
      join(state, "clawdbot.json"),
      `{ gateway: { mode: "local" }, ui: { assistant: { name: "\${${link}}" } } }`,
    );
    writeFileSync(join(here, ".env"), `${link}=stranger\nCLAWDBOT_STATE_DIR=./elsewhere\n`);
    writeFileSync(join(state, ".env"), `${link}=owner\n`);
    const first = await start(dir, "gateway --port 0", { cwd: here });
    expect(await nameOf(state)).toBe("owner");
    await first.stop();
    await start(dir, "gateway --port 0", { cwd: here, env: { [link]: "process" } });
    expect(await nameOf(state)).toBe("process");
    expect(readdirSync(here)).toEqual([".env"]);
  });
});

describe("without a config", () => {
  test("deploy-052 --allow-unconfigured makes the least config, once, without a secret, and later starts need no flag", async () => {
    const dir = home();
    const state = volume(dir);
    const env = { OPENCLAW_STATE_DIR: state, OPENCLAW_GATEWAY_TOKEN: TOKEN };
    const words = "gateway --allow-unconfigured --port 0 --bind lan";
    const first = await start(dir, words, { env });
    const file = join(state, "openclaw.json");
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ gateway: { mode: "local" } });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await first.stop();
    const written = statSync(file).mtimeMs;
    await (await start(dir, words, { env })).stop();
    expect(statSync(file).mtimeMs).toBe(written);
    // As after `fly machine update --command`, which leaves the flag out.
    await start(dir, "gateway --port 0 --bind lan", { env });
  });

  test("deploy-052 without the flag nothing is written, in Nix mode neither, and a read-only config path is no obstacle", async () => {
    const plain = home();
    await start(plain, "gateway --port 0");
    expect(existsSync(join(plain, ".clawdbot/clawdbot.json"))).toBe(false);
    const nix = home();
    await start(nix, "gateway --allow-unconfigured --port 0", { env: { CLAWDBOT_NIX_MODE: "1" } });
    expect(existsSync(join(nix, ".clawdbot/clawdbot.json"))).toBe(false);
    const dir = home();
    const env = { CLAWDBOT_CONFIG_PATH: "/proc/clawdbot.json" };
    const { log } = await start(dir, "gateway --allow-unconfigured --port 0", { env });
    expect(log()).toContain("no first config could be made; going on without one");
  });

  test("deploy-052 a config that is laid there while it runs is used at once, under any name", async () => {
    for (const name of ["clawdbot.json", "openclaw.json"]) {
      const dir = home();
      const state = volume(dir);
      const env = { CLAWDBOT_STATE_DIR: state };
      const gateway = await start(dir, "gateway --allow-unconfigured --port 0", { env });
      await gateway.seen("agent model:");
      writeFileSync(join(state, name), named("Newcomer"));
      await gateway.seen("config changed");
      expect(await nameOf(state)).toBe("Newcomer");
      // What the gateway itself changes goes into that file too.
      const set = cli(dir, "config set ui.assistant.avatar N", { env });
      expect(set).toMatchObject({ code: 0 });
      expect(readFileSync(join(state, name), "utf8")).toContain("avatar");
      await gateway.stop();
    }
  });

  test("deploy-075 an update keeps everything: the next version starts on the same volume with the guide's other command", async () => {
    const dir = home();
    const state = volume(dir);
    const env = { CLAWDBOT_STATE_DIR: state, CLAWDBOT_GATEWAY_TOKEN: TOKEN };
    const first = await start(dir, "gateway --allow-unconfigured --port 0 --bind lan", { env });
    expect(await ask(state, "remember the blue door")).toBe("ok");
    expect(await first.stop()).toBe(0);
    await start(dir, "gateway --port 0 --bind lan", { env });
    const client = await operator(state);
    const { messages } = await client.call("chat.history", { sessionKey: "main" });
    client.close();
    expect(JSON.stringify(messages)).toContain("remember the blue door");
  });
});

describe("a config that changes under a running gateway", () => {
  test("deploy-011 is used at once: edited, replaced by a rename, and behind a link that is swapped", async () => {
    const dir = home();
    const state = volume(dir, ".clawdbot");
    const file = join(state, "clawdbot.json");
    writeFileSync(file, named("one"));
    const gateway = await start(dir, "gateway --port 0");
    await gateway.seen("agent model:");
    const changes = () => gateway.log().split("config changed").length - 1;
    const changed = async (change: () => void): Promise<string> => {
      const before = changes();
      change();
      await gateway.seen(new RegExp(`(?:config changed[\\s\\S]*){${before + 1}}`));
      return nameOf(state);
    };
    expect(await changed(() => writeFileSync(file, named("two")))).toBe("two");
    expect(
      await changed(() => {
        writeFileSync(`${file}.new`, named("three"));
        renameSync(`${file}.new`, file);
      }),
    ).toBe("three");
    for (const name of ["four", "five"]) writeFileSync(join(dir, `${name}.json`), named(name));
    const linkTo = (name: string) => {
      symlinkSync(join(dir, `${name}.json`), `${file}.link`);
      renameSync(`${file}.link`, file);
    };
    expect(await changed(() => linkTo("four"))).toBe("four");
    expect(await changed(() => linkTo("five"))).toBe("five");
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    // A restart of the process would have ended the name of the one before.
    expect(cli(dir, "health").code).toBe(0);
  });

  test("deploy-073 the guide's echo and tee: an unknown key is one warning, and the gateway lives on with it", async () => {
    const dir = home();
    const state = volume(dir);
    const env = { OPENCLAW_STATE_DIR: state, OPENCLAW_GATEWAY_TOKEN: TOKEN };
    const words = `gateway --allow-unconfigured --port ${freePort()} --bind lan`;
    const gateway = await start(dir, words, { env });
    await gateway.seen("agent model:");
    const file = join(state, "openclaw.json");
    expect(run(["tee", file], { input: '{"your":"config"}\n' }).code).toBe(0);
    await gateway.seen(/your is not a known key; it is kept[\s\S]*restarting[\s\S]*agent model:/);
    const health = cli(dir, `health --url ${urlOf(gateway)} --token ${TOKEN}`, { env });
    expect(health.code).toBe(0);
    expect(readFileSync(file, "utf8")).toBe('{"your":"config"}\n');
    // What cannot be used at all is reported, and what ran before goes on.
    expect(run(["tee", file], { input: '{"gateway":{"port":"x"' }).code).toBe(0);
    await gateway.seen("the changed config cannot be used; the running one stays");
    expect(cli(dir, "health", { env }).code).toBe(0);
  });

  test("deploy-073 rm before the next put: the running config stays meanwhile, and the new one is taken", async () => {
    const dir = home();
    const state = volume(dir);
    const env = { OPENCLAW_STATE_DIR: state };
    const file = join(state, "openclaw.json");
    writeFileSync(file, named("before"));
    // One of an older name beneath it must not take over in between.
    writeFileSync(join(state, "clawdbot.json"), named("beneath"));
    const gateway = await start(dir, "gateway --port 0", { env });
    await gateway.seen("agent model:");
    rmSync(file);
    await gateway.seen("the config file is gone; the running config stays");
    expect(await nameOf(state)).toBe("before");
    writeFileSync(file, named("after"));
    await gateway.seen("config changed");
    expect(await nameOf(state)).toBe("after");
  });
});
