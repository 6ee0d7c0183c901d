/**
 * The two guides for Fly.io, as far as a machine of theirs is a container: the process line of fly.toml after our entrypoint, one
 * volume on /data, `fly ssh console` as root's shell (`docker exec -u 0`), restarts, and every remedy that the guides name.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { BINARY } from "../../e2e/binary.ts";
import { type Ran, runAsync } from "../lab.ts";
import { ROOT } from "../tree.ts";
import { type Container, runImage, TOKEN } from "./container.ts";
import { type Engine, noEngine, out } from "./engine.ts";
import { sharedImage } from "./image.ts";

setDefaultTimeout(120_000);
const why = noEngine() ?? (existsSync(BINARY) ? undefined : `there is no ${BINARY}`);
const guide = (name: string): string =>
  readFileSync(join(ROOT, "test/fixtures/guides", name), "utf8");
type FlyToml = { env: Record<string, string>; processes: { app: string } };

/** What Fly gives to a machine: the variables of fly.toml and the secrets; here for one of the two guides. */
const GUIDES = {
  clawdbot: {
    toml: "fly-clawdbot.toml",
    shell: "fly-clawdbot-config.sh",
    file: "/data/clawdbot.json",
  },
  openclaw: {
    toml: "fly-openclaw.toml",
    shell: "fly-openclaw-config.sh",
    file: "/data/openclaw.json",
  },
} as const;

describe.skipIf(why !== undefined).each(["clawdbot", "openclaw"] as const)(
  "the Fly.io guide of %s",
  (brand) => {
    const { toml, shell, file } = GUIDES[brand];
    const fly = Bun.TOML.parse(guide(toml)) as FlyToml;
    const now = {} as { engine: Engine; machine: Container; volume: string };
    /** Fly's machines have IPv6, in which its private network is. */
    const ipv6 = ["--sysctl", "net.ipv6.conf.all.disable_ipv6=0"];
    const volumes = () => ["-v", `${now.volume}:/data`, "-p", "127.0.0.1:3000:3000", ...ipv6];
    const secrets = {
      [`${brand.toUpperCase()}_GATEWAY_TOKEN`]: TOKEN,
      DISCORD_BOT_TOKEN: "MTQ-not-a-real-one",
      FLY_APP_NAME: `my-${brand}`,
    };
    const variables = Object.entries({ ...fly.env, ...secrets }).flatMap(([key, value]) => [
      "-e",
      `${key}=${value}`,
    ]);
    const launch = async (command = fly.processes.app): Promise<void> => {
      await now.machine?.remove();
      now.machine = await runImage(
        now.engine,
        ["-e", "CLAWDBOT_GATEWAY_TOKEN=", ...variables, ...volumes()],
        command.split(" "),
      );
    };
    /** How often it has said that it listens, in all its lives. */
    const listened = async (): Promise<number> =>
      (await now.machine.logs()).stderr.split(LISTENS).length - 1;
    /** Ends the machine by a signal, starts it again, and waits until it listens again. Gives the exit code. */
    const again = async (signal: string): Promise<string> => {
      out(await now.engine.docker(["kill", "-s", signal, now.machine.name]));
      const code = out(await now.engine.docker(["wait", now.machine.name]));
      const once = await listened();
      out(await now.engine.docker(["start", now.machine.name]));
      await now.machine.logged(LISTENS, once + 1);
      return code;
    };
    /** `fly machine restart`: SIGINT, then a kill after five seconds. */
    const restart = async (): Promise<void> => expect(await again("INT")).toBe("0");
    /** `fly ssh console`: root, in a shell. */
    const console_ = (script: string): Promise<Ran> =>
      now.machine.exec(["sh", "-c", script], { user: "0" });
    /** `fly ssh console --command`: root, without a shell. */
    const command = (...words: string[]): Promise<Ran> => now.machine.exec(words, { user: "0" });
    const LISTENS = "[gateway] listening on ws://0.0.0.0:3000 (PID ";

    /** For what is slow: with one of the two guides is enough. */
    const once = (name: string, body: () => Promise<void>): void => {
      if (brand === "clawdbot") test(name, body);
    };

    beforeAll(async () => {
      const { engine } = await sharedImage();
      Object.assign(now, { engine, volume: `fly-${brand}` });
      out(await engine.docker(["volume", "create", now.volume]));
    });
    afterAll(async () => {
      await now.machine?.remove();
      await now.engine?.docker(["volume", "rm", now.volume]);
    });

    test("deploy-050 the process line of the guide's fly.toml runs behind our entrypoint", async () => {
      await launch();
      await now.machine.logged(LISTENS);
      expect(await now.machine.inspect('{{.Path}} {{join .Args " "}}')).toBe(
        `/sbin/tini -s -- ${fly.processes.app}`,
      );
      expect(await now.machine.fetch("http://127.0.0.1:3000/startupz")).toMatch(/ 200$/);
    });

    test("deploy-059 the log has the guide's first line, with a number for xxx", async () => {
      expect((await now.machine.logs()).stderr).toMatch(
        /^\[gateway\] listening on ws:\/\/0\.0\.0\.0:3000 \(PID \d+\)$/m,
      );
    });

    test("deploy-049 NODE_OPTIONS of the guide is ignored without a word, and commands of the assistant do not get it", async () => {
      expect((await now.machine.logs()).stderr).not.toContain("NODE_OPTIONS");
      const said = await now.machine.exec(["clawdbot", "agent", "--message", "run env"]);
      expect(out(said)).toContain("HOME=");
      expect(out(said)).not.toContain("NODE_OPTIONS");
    });

    test("deploy-063 a Discord token of the secrets is tried at once; that it leads nowhere here stops nothing", async () => {
      await now.machine.logged(/^\[discord\] warn: .*Discord cannot be reached/m);
      expect((await now.machine.logs()).stderr).not.toMatch(/\berror\b(?!=)/i);
      expect(out(await now.machine.exec(["clawdbot", "health", "--quiet"]))).toBe("");
    });

    once("the health check of the image finds port 3000 by itself", async () => {
      await now.machine.healthy();
    });

    test("deploy-060 the guide's commands in the console write the config, and the gateway reads it", async () => {
      out(await console_(guide(shell)));
      await restart();
      const model = await now.machine.exec([
        "clawdbot",
        "config",
        "get",
        "agents.defaults.model.primary",
      ]);
      expect(out(model)).toContain("anthropic/claude-opus-4-5");
      // And it can be changed by the gateway's own user, although the file is root's.
      out(
        await now.machine.exec(["clawdbot", "config", "set", "agents.defaults.maxConcurrent", "3"]),
      );
      expect(out(await command("grep", "maxConcurrent", file))).toContain("3");
    });

    test("deploy-061 the guide's JSON is valid as it is, and `--bind lan` wins over its `bind: auto`", async () => {
      const ran = await now.machine.exec(["clawdbot", "config", "validate"]);
      expect(out(ran)).not.toMatch(/error/i);
      expect(await now.machine.fetch("http://127.0.0.1:3000/healthz")).toMatch(/ 200$/);
    });

    test("deploy-062 the config is the file of the guide's own brand in the volume", async () => {
      expect(out(await now.machine.exec(["clawdbot", "config", "file"]))).toContain(file);
    });

    test("deploy-064 `fly machine restart` ends it in an orderly way within Fly's five seconds, and it comes back", async () => {
      await restart();
    });

    test("deploy-070 the lock file is where the guide says, and removing it does no harm", async () => {
      expect(out(await console_("ls /data/gateway.*.lock"))).toMatch(
        /^\/data\/gateway\.[0-9a-f]{8}\.lock$/,
      );
      out(await console_("rm -f /data/gateway.*.lock"));
      expect(out(await now.machine.exec(["clawdbot", "health", "--quiet"]))).toBe("");
      await restart();
    });

    test("deploy-071 the guide's `rm -f` without a shell removes nothing, and is not needed", async () => {
      out(await command("rm", "-f", "/data/gateway.*.lock"));
      expect(out(await console_("ls /data/gateway.*.lock"))).toMatch(/lock$/);
      await restart();
    });

    test("deploy-072 `cat` of the config works without a shell", async () => {
      expect(JSON.parse(out(await command("cat", file)))).toMatchObject({
        gateway: { mode: "local" },
      });
    });

    test("deploy-073 `tee` over the running gateway's config is reported and does not stop it; `rm` and a new file work too", async () => {
      const before = out(await command("cat", file));
      const once = await listened();
      out(await now.machine.exec(["tee", file], { user: "0", input: '{"your":"config"}' }));
      // It takes the new file at once, with a word about what it does not know.
      await now.machine.logged(LISTENS, once + 1);
      expect((await now.machine.logs()).stderr).toContain("your is not a known key");
      expect(out(await now.machine.exec(["clawdbot", "health", "--quiet"]))).toBe("");
      await restart();
      out(await command("rm", file));
      out(await now.machine.exec(["tee", file], { user: "0", input: before }));
      await restart();
      const model = await now.machine.exec([
        "clawdbot",
        "config",
        "get",
        "agents.defaults.model.primary",
      ]);
      expect(out(model)).toContain("anthropic/claude-opus-4-5");
      // This file is root's. The gateway's user may not change it, but it may put a new one in its place.
      expect(out(await command("ls", "-ln", file))).toMatch(/^-rw-r--r-- +1 +0 +0 /);
      const set = ["clawdbot", "config", "set", "agents.defaults.maxConcurrent", "3"];
      out(await now.machine.exec(set));
      expect(JSON.parse(out(await command("cat", file)))).toMatchObject({
        agents: { defaults: { maxConcurrent: 3 } },
      });
    });

    test("deploy-069 the guide's other command line, without --allow-unconfigured, runs on the same volume", async () => {
      await launch("node dist/index.js gateway --port 3000 --bind lan");
      await now.machine.logged(LISTENS);
    });

    once("deploy-070 killed twenty times, it starts twenty times", async () => {
      for (let times = 0; times < 20; times++) expect(await again("KILL")).toBe("137");
      expect(out(await now.machine.exec(["clawdbot", "health"]))).toMatch(/^OK/);
      expect((await now.machine.logs()).stderr).not.toContain("already running");
      expect(out(await console_("ls /data/gateway.*.lock")).split("\n")).toHaveLength(1);
    });

    test("deploy-077 behind `fly proxy` the page is `localhost:3000`, and by WireGuard an address in brackets", async () => {
      const headers = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
      ].flatMap((header) => ["-H", header]);
      // An accepted socket stays open until curl's own limit.
      const limits = ["-s", "--max-time", "1", "-o", "/dev/null", "-w", "%{http_code}"];
      const status = async (origin: string): Promise<string> => {
        const words = ["curl", ...limits, ...headers, "-H", `Origin: ${origin}`];
        const ran = await runAsync(now.engine.inNamespace([...words, "http://localhost:3000/"]));
        return ran.stdout;
      };
      expect(await status("http://localhost:3000")).toBe("101");
      expect(await status("http://evil.example")).not.toBe("101");
      // Inside of the container: Docker's own network of this engine has no IPv6, the loopback has.
      const inside = await now.engine.docker([
        "run",
        "--rm",
        "--network",
        `container:${now.machine.name}`,
        "--user",
        "0",
        "clawdbot:local",
        "wget",
        "-qO-",
        "http://[::1]:3000/healthz",
      ]);
      expect(out(inside)).toContain('"ok":true');
    });

    test("deploy-074 with the state on the volume there is no warning; without it there is one, and /data alone is written", async () => {
      expect((await now.machine.logs()).stderr).not.toContain("is lost with the container");
      const diff = out(await now.engine.docker(["diff", now.machine.name])).split("\n");
      expect(diff.filter((line) => line && !/^[AC] \/tmp(?:\/|$)/.test(line))).toEqual([]);
      const forgetful = await runImage(now.engine);
      await forgetful.logged("is lost with the container");
      await forgetful.remove();
    });

    test("deploy-048 the volume of the guide has room: what a day leaves in it is small", async () => {
      const used = Number(out(await command("du", "-sk", "/data")).split("\t")[0]);
      process.stdout.write(`state of the ${brand} guide after the scenario: ${used} KB\n`);
      expect(used).toBeLessThan(64 * 1024);
    });
  },
);
