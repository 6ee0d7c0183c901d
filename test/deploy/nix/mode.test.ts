/** The compiled program in Nix mode: a config that is a link into a read-only folder, and every command that could change something. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  BINARY,
  emptyHome,
  type Home,
  runCli,
  type Running,
  startGatewayProcess,
} from "../../e2e/binary.ts";
import { startTelegram } from "../../fakes/telegram.ts";
import { ROOT } from "../tree.ts";
import { noNix, openNix } from "./nix.ts";

setDefaultTimeout(60_000);
const NIX = { CLAWDBOT_NIX_MODE: "1" };
const homes: Home[] = [];
const gateways: Running[] = [];
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.kill("SIGKILL");
  for (const home of homes.splice(0)) home.remove();
});

/** A home whose config is a link into a folder like the store: nothing in it can be written, and every file is from 1970. */
function nixHome(config: object = { gateway: { mode: "local" } }) {
  const home = emptyHome();
  const store = join(home.dir, "store");
  mkdirSync(store);
  mkdirSync(home.state);
  homes.push({
    ...home,
    remove() {
      chmodSync(store, 0o755);
      home.remove();
    },
  });
  const link = join(home.state, "clawdbot.json");
  const generation = (name: string, value: object | string) => {
    chmodSync(store, 0o755);
    const file = join(store, `${name}-clawdbot.json`);
    writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value), { mode: 0o444 });
    utimesSync(file, 1, 1);
    chmodSync(store, 0o555);
    return file;
  };
  /** As Home Manager does it: the new link takes the place of the old one in one step. */
  const activate = (file: string) => {
    symlinkSync(file, `${link}.new`);
    renameSync(`${link}.new`, link);
  };
  activate(generation("1", config));
  return { home, store, link, generation, activate };
}
const start = async (home: Home, env: Record<string, string> = NIX): Promise<Running> => {
  const gateway = await startGatewayProcess(home, { env });
  gateways.push(gateway);
  return gateway;
};

describe("a config of Nix", () => {
  test("deploy-039 starts, follows a switch and a rollback, and is never written", async () => {
    const { home, store, link, generation, activate } = nixHome({
      gateway: { mode: "local" },
      messages: { responsePrefix: "one" },
    });
    const gateway = await start(home);
    await gateway.seen("running in Nix mode (config managed externally)");
    const first = readlinkSync(link);
    // The same size and the same time as before: only the file is another one.
    const second = generation("2", {
      gateway: { mode: "local" },
      messages: { responsePrefix: "two" },
    });
    activate(second);
    await gateway.seen(/config changed.*messages\.responsePrefix/);
    const client = gateway.client();
    const prefix = async () => {
      const { config } = await client.call("config.get", {});
      return (config as { messages: { responsePrefix: string } }).messages.responsePrefix;
    };
    const { snapshot } = await client.connect();
    // What the page shows its line by.
    expect(snapshot.nixMode).toBe(true);
    expect(await prefix()).toBe("two");
    activate(first);
    await gateway.seen(/config changed[^]*config changed/);
    expect(await prefix()).toBe("one");
    client.close();
    expect(await gateway.kill()).toBe(0);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readdirSync(store).sort()).toEqual(["1-clawdbot.json", "2-clawdbot.json"]);
    expect(readdirSync(home.state).filter((name) => /config|\.json|\.bak|tmp/.test(name))).toEqual([
      "clawdbot.json",
    ]);
    // What a gateway makes for itself goes to the state folder.
    expect(existsSync(join(home.state, "gateway-token"))).toBe(true);
  });

  test("deploy-041 that is damaged stops the start with the way back, whatever worked before", async () => {
    const { home, generation, activate } = nixHome();
    const gateway = await start(home, {});
    await gateway.seen("agent model:");
    expect(await gateway.kill()).toBe(0);
    // Without Nix mode a copy was kept, which is not used now.
    expect(existsSync(join(home.state, "config.last-good.json5"))).toBe(true);
    activate(generation("2", "{ broken"));
    const refused = await runCli(["gateway", "--allow-unconfigured", "--port", "0"], {
      home,
      env: NIX,
    });
    expect(refused.code).toBe(78);
    expect(refused.stderr).toContain("programs.clawdbot.config");
    expect(refused.stderr).toContain("home-manager switch --rollback");
    expect(readdirSync(home.state).filter((name) => name.includes("rejected"))).toEqual([]);
  });

  test("deploy-041 with older keys runs as it is: they are read under their new names, and nothing is written", async () => {
    const old = { agent: { model: "demo/demo" }, gateway: { mode: "local" } };
    const { home, link } = nixHome(old);
    const gateway = await start(home);
    await gateway.seen("older config keys are read under their new names");
    expect(await gateway.kill()).toBe(0);
    expect(JSON.parse(readFileSync(link, "utf8"))).toEqual(old);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "deploy-039 lies on a read-only file system, as a store does, and only reading is tried",
    async () => {
      const { home, store, link } = nixHome();
      const mounted = (...words: string[]) =>
        Bun.spawn(
          [
            ...["unshare", "--mount", "sh", "-ec"],
            'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"; exec "$@"',
            ...[store, BINARY, ...words],
          ],
          {
            env: { HOME: home.dir, PATH: "/usr/bin:/bin", ...NIX },
            stdout: "pipe",
            stderr: "pipe",
          },
        );
      const gateway = mounted("gateway", "--port", "0");
      let log = "";
      const decoder = new TextDecoder();
      for await (const chunk of gateway.stderr) {
        log += decoder.decode(chunk, { stream: true });
        // The last line of a start, after the config was found to work.
        if (log.includes("agent model:")) gateway.kill("SIGTERM");
      }
      expect(await gateway.exited).toBe(0);
      expect(log).toContain("listening on ws://");
      expect(log).not.toMatch(/EROFS|EACCES|cannot be written|no copy of the working config/);
      expect(lstatSync(link).isSymbolicLink()).toBe(true);
    },
  );

  test("deploy-041 that is missing is not made by --allow-unconfigured", async () => {
    const home = emptyHome();
    homes.push(home);
    const gateway = await start(home);
    expect(await gateway.kill()).toBe(0);
    expect(existsSync(join(home.state, "clawdbot.json"))).toBe(false);
  });

  test("deploy-038 of the template runs its bot with the token of a file, which gets nowhere else", async () => {
    const telegram = await startTelegram();
    try {
      const { apiRoot, token } = telegram;
      const ada = telegram.person(12345678);
      const { home, store } = nixHome({
        gateway: { mode: "local" },
        channels: {
          telegram: {
            enabled: true,
            tokenFile: "~/.secrets/bot",
            allowFrom: [ada.user.id],
            apiRoot,
          },
        },
      });
      const secrets = join(home.dir, ".secrets");
      mkdirSync(secrets, { mode: 0o700 });
      writeFileSync(join(secrets, "bot"), `${token}\n`, { mode: 0o600 });
      const checked = await runCli(["config", "validate", "--json"], { home, env: NIX });
      expect(JSON.parse(checked.stdout)).toMatchObject({ valid: true, errors: [] });
      expect(checked.code).toBe(0);
      const gateway = await start(home);
      ada.text("hello");
      await telegram.until(() => telegram.texts.length > 0);
      expect(telegram.texts[0]).toContain("Demo model");
      expect(await gateway.kill()).toBe(0);
      expect(gateway.log()).not.toContain(token);
      for (const dir of [store, home.state])
        for (const entry of readdirSync(dir, { withFileTypes: true, recursive: true }))
          if (entry.isFile())
            expect(readFileSync(join(entry.parentPath, entry.name), "latin1")).not.toContain(token);
    } finally {
      await telegram.close();
    }
  });

  test("deploy-038 whose token file is not there yet names the file, and the rest runs", async () => {
    const { home } = nixHome({
      gateway: { mode: "local" },
      channels: { telegram: { enabled: true, tokenFile: "~/.secrets/bot" } },
    });
    const gateway = await start(home);
    const status = await runCli(["channels", "status"], { home, env: NIX });
    expect(status.stdout).toContain("The file of channels.telegram.tokenFile is not there");
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
    const add = "channels add --channel telegram --token 123456:abcdefghijk --no-probe";
    const refused = await runCli(add.split(" "), { home, env: NIX });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("programs.clawdbot.config");
  });
});

describe("a command in Nix mode", () => {
  const REFUSED: [string[], string][] = [
    [["config", "set", "gateway.port", "19001"], "programs.clawdbot.config"],
    [["config", "unset", "gateway.mode"], "programs.clawdbot.config"],
    [
      ["channels", "add", "--channel", "telegram", "--token", "1:abcdefghijkl", "--no-probe"],
      "programs.clawdbot.config",
    ],
    [["channels", "remove", "--channel", "telegram", "--delete"], "programs.clawdbot.config"],
    [["gateway", "install"], "programs.clawdbot.enable"],
    [["gateway", "install", "--force"], "programs.clawdbot.enable"],
    [["gateway", "uninstall"], "programs.clawdbot.enable"],
    [
      ["onboard", "--non-interactive", "--accept-risk", "--auth-choice", "skip"],
      "programs.clawdbot.config",
    ],
    [["doctor", "--fix"], "programs.clawdbot.config"],
    [["--dev", "gateway", "--dev"], "programs.clawdbot.config"],
    [["--dev", "gateway", "--dev", "--reset"], "programs.clawdbot.config"],
  ];
  test.each(REFUSED)(
    "deploy-041 that would change something is refused: %p",
    async (words, option) => {
      const { home, store, link } = nixHome();
      const before = {
        link: readlinkSync(link),
        state: readdirSync(home.state),
        store: readdirSync(store),
      };
      for (const name of ["CLAWDBOT_NIX_MODE", "MOLTBOT_NIX_MODE", "OPENCLAW_NIX_MODE"]) {
        const { code, stderr } = await runCli(words, { home, env: { [name]: "1" } });
        expect({ words, code }).toEqual({ words, code: 1 });
        expect(stderr).toContain("Nix");
        expect(stderr).toContain(option);
        expect(stderr).toContain("home-manager switch");
      }
      const after = {
        link: readlinkSync(link),
        state: readdirSync(home.state),
        store: readdirSync(store),
      };
      expect(after).toEqual(before);
      expect(readdirSync(home.dir).filter((name) => /^\.config|Library/.test(name))).toEqual([]);
    },
  );

  test("deploy-041 that only reads works as ever, and the refusal is one for programs too", async () => {
    const { home } = nixHome({ gateway: { mode: "local", port: 19876 } });
    const get = await runCli(["config", "get", "gateway.port"], { home, env: NIX });
    expect(get).toMatchObject({ code: 0, stdout: "19876\n" });
    expect(await runCli(["config", "validate"], { home, env: NIX })).toMatchObject({ code: 0 });
    const status = await runCli(["status"], { home, env: NIX });
    expect(status.stdout).toContain(`clawdbot.json (ok, made by Nix)`);
    const set = await runCli(["config", "set", "gateway.port", "1", "--json"], { home, env: NIX });
    expect(JSON.parse(set.stdout)).toMatchObject({
      ok: false,
      error: { code: "forbidden", hint: expect.stringContaining("programs.clawdbot.config") },
    });
  });

  test("deploy-041 whose remedy would be `config set` says where it is set instead", async () => {
    const { home } = nixHome({ gateway: { mode: "remote" } });
    const { code, stderr } = await runCli(["gateway", "--port", "0"], { home, env: NIX });
    expect(code).toBe(1);
    expect(stderr).toContain("With Nix `config set` is refused");
    expect(stderr).toContain("programs.clawdbot.config");
  });

  test("deploy-041 --reset moves nothing away", async () => {
    const { home, link } = nixHome();
    const dev = join(home.dir, ".clawdbot-dev");
    mkdirSync(dev);
    symlinkSync(readlinkSync(link), join(dev, "clawdbot.json"));
    writeFileSync(join(dev, "clawdbot.sqlite"), "");
    const words = ["--dev", "gateway", "--dev", "--reset"];
    const { code, stderr } = await runCli(words, { home, env: NIX });
    expect(code).toBe(1);
    expect(stderr).toContain("programs.clawdbot.config");
    expect(
      readdirSync(dev)
        .filter((name) => /json|sqlite|trash/.test(name))
        .sort(),
    ).toEqual(["clawdbot.json", "clawdbot.sqlite"]);
  });

  test("deploy-042 tailscale that is missing is told with its place in the Nix configuration", async () => {
    const { home } = nixHome({ gateway: { mode: "local", tailscale: { mode: "serve" } } });
    const gateway = await start(home, { ...NIX, PATH: "/usr/bin:/bin" });
    await gateway.seen("there is no `tailscale` on this machine");
    await gateway.seen("nix search nixpkgs tailscale");
  });

  test("deploy-041 with 0 or nothing is an ordinary one", async () => {
    const home = emptyHome();
    homes.push(home);
    const set = await runCli(["config", "set", "gateway.port", "19001"], {
      home,
      env: { CLAWDBOT_NIX_MODE: "0" },
    });
    expect(set.code).toBe(0);
  });

  test("deploy-041 that the agent runs is in Nix mode as well", async () => {
    const { home, link } = nixHome();
    const gateway = await start(home);
    const client = gateway.client();
    await client.connect();
    const { runId } = (await client.call("chat.send", {
      sessionKey: "main",
      message: `run ${BINARY} config set gateway.port 1`,
      idempotencyKey: crypto.randomUUID(),
    })) as { runId: string };
    await client.call("agent.wait", { runId, timeoutMs: 20_000 });
    const history = await client.call("chat.history", { sessionKey: "main" });
    client.close();
    expect(JSON.stringify(history)).toContain("This config is made by Nix");
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });

  test("deploy-042 a command that is missing is told with its place in the Nix configuration", async () => {
    const { home } = nixHome();
    const ask = async (env: Record<string, string>) => {
      const gateway = await start(home, env);
      const client = gateway.client();
      await client.connect();
      const { runId } = (await client.call("chat.send", {
        sessionKey: "main",
        message: "run frobnicate --all",
        idempotencyKey: crypto.randomUUID(),
      })) as { runId: string };
      await client.call("agent.wait", { runId, timeoutMs: 20_000 });
      const history = JSON.stringify(await client.call("chat.history", { sessionKey: "main" }));
      client.close();
      await gateway.kill();
      return history;
    };
    expect(await ask({})).not.toContain("programs.clawdbot.tools");
    const told = await ask(NIX);
    expect(told).toContain(
      "Add its package, perhaps pkgs.frobnicate, to `programs.clawdbot.tools`",
    );
    expect(told).toContain("nix search nixpkgs frobnicate");
  });
});

describe("state and config", () => {
  const BRANDS = ["CLAWDBOT", "MOLTBOT", "OPENCLAW"];
  test.each(BRANDS)(
    "deploy-045 %s_STATE_DIR and _CONFIG_PATH count for every command",
    async (brand) => {
      const { home, link } = nixHome({ gateway: { mode: "local", port: 19555 } });
      const dir = mkdtempSync(join(tmpdir(), "clawdbot-nix-state-"));
      const config = join(dir, "elsewhere.json");
      symlinkSync(readlinkSync(link), config);
      const env = {
        [`${brand}_NIX_MODE`]: "1",
        [`${brand}_STATE_DIR`]: join(dir, "state"),
        [`${brand}_CONFIG_PATH`]: config,
      };
      const file = await runCli(["config", "file"], { home, env });
      expect(file.stdout.trim()).toBe(config);
      expect((await runCli(["config", "get", "gateway.port"], { home, env })).stdout.trim()).toBe(
        "19555",
      );
      const gateway = await start(home, env);
      const health = await runCli(["health", "--json"], { home, env });
      expect(JSON.parse(health.stdout)).toMatchObject({ ok: true });
      const status = await runCli(["gateway", "status", "--json"], { home, env });
      expect(JSON.parse(status.stdout)).toMatchObject({
        config: { cli: { path: config } },
        runtime: { pid: gateway.pid },
      });
      expect(readdirSync(join(dir, "state"))).toContain("clawdbot.sqlite");
      expect(readdirSync(home.state)).toEqual(["clawdbot.json"]);
      await gateway.kill();
      rmSync(dir, { recursive: true });
    },
  );
});

describe.skipIf(noNix !== undefined)("a store of Nix", () => {
  test("deploy-039 holds the config that the module made, and the program starts with it and its documents", async () => {
    using nix = openNix();
    const home = emptyHome();
    homes.push(home);
    const { path, stderr } = nix.build(`
      let
        package = pkgs.runCommand "clawdbot" { } ''mkdir -p $out/bin; ln -s ${BINARY} $out/bin/clawdbot'';
        result = (lib.evalModules {
          specialArgs = { inherit lib pkgs; };
          modules = [ (stub + "/home-manager/modules.nix") (root + "/nix/module/home-manager.nix") {
            home = { username = "ada"; homeDirectory = "${home.dir}"; stateVersion = "1"; };
            programs.clawdbot = {
              enable = true;
              inherit package;
              documents = root + "/templates/agent-first/documents";
              skills = [ { name = "greet"; description = "Greets."; body = "Say hello."; mode = "inline"; } ];
              config.messages.responsePrefix = "hi";
            };
          } ];
        }).config;
        link = path: file: "mkdir -p \\"$(dirname '\${path}')\\"; ln -s '\${file}' '\${path}'\\n";
        store = name: file: file.source or (pkgs.writeText "file" file.text);
      in pkgs.writeShellScriptBin "activate" (
        "cd \\"$HOME\\"\\n"
        + lib.concatStrings (lib.mapAttrsToList (path: file: link path "\${store path file}") result.home.file)
        + "echo \${builtins.head result.home.packages}/bin/clawdbot\\n"
      )`);
    if (!path) throw new Error(stderr);
    const activated = Bun.spawnSync([join(path, "bin/activate")], {
      env: { HOME: home.dir, PATH: "/usr/bin:/bin" },
    });
    expect(activated.stderr.toString()).toBe("");
    const program = activated.stdout.toString().trim();
    const config = join(home.state, "clawdbot.json");
    expect(readlinkSync(config)).toStartWith(join(nix.dir, "store"));
    const inNix = (...words: string[]) =>
      Bun.spawnSync([program, ...words], { env: { HOME: home.dir, PATH: "/usr/bin:/bin" } });
    expect(inNix("config", "get", "messages.responsePrefix").stdout.toString()).toBe("hi\n");
    const refused = inNix("config", "set", "gateway.port", "1");
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr.toString()).toContain("This config is made by Nix");
    const gateway = await start(home, {
      CLAWDBOT_NIX_MODE: "1",
      CLAWDBOT_STATE_DIR: home.state,
      CLAWDBOT_CONFIG_PATH: config,
    });
    const client = gateway.client();
    await client.connect();
    const { runId } = (await client.call("chat.send", {
      sessionKey: "main",
      message: "read SOUL.md",
      idempotencyKey: crypto.randomUUID(),
    })) as { runId: string };
    await client.call("agent.wait", { runId, timeoutMs: 20_000 });
    const history = JSON.stringify(await client.call("chat.history", { sessionKey: "main" }));
    client.close();
    expect(history).toContain("Calm, exact, friendly.");
    await gateway.kill();
    expect(readFileSync(join(home.dir, "clawd/SOUL.md"), "utf8")).toBe(
      readFileSync(join(ROOT, "templates/agent-first/documents/SOUL.md"), "utf8"),
    );
    expect(lstatSync(join(home.dir, "clawd/SOUL.md")).isSymbolicLink()).toBe(true);
  });
});
