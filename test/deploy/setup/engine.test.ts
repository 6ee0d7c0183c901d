/** docker-setup.sh with a real engine, real Compose and the image of this repository, from a copy of the tree. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";

import { BINARY } from "../../e2e/binary.ts";
import { inTerminal } from "../../e2e/terminal.ts";
import { type Engine, noEngine, out } from "../docker/engine.ts";
import { buildContext, sharedImage } from "../docker/image.ts";
import { type Ran, runAsync } from "../lab.ts";

setDefaultTimeout(300_000);
const why = noEngine() ?? (existsSync(BINARY) ? undefined : `there is no ${BINARY}`);
/** Not the name that other tests of this process share. */
const IMAGE = "clawdbot:from-setup";
const PORT = "18801";

/** A user's machine: a home folder and a copy of the repository, on the engine's file system. */
type Machine = { home: string; repo: string };

describe.skipIf(why !== undefined)("docker-setup.sh with a real engine", () => {
  const now = {} as { engine: Engine; root: Machine };
  const machines: Machine[] = [];
  const machine = (): Machine => {
    const home = mkdtempSync(join(now.engine.dir, "home of me-"));
    const made = { home, repo: buildContext(now.engine) };
    machines.push(made);
    return made;
  };
  /** What a shell of the user has: nothing of this process but the way to the engine. */
  const shell = ({ home }: Machine): Record<string, string> => ({
    PATH: process.env["PATH"]!,
    HOME: home,
    DOCKER_HOST: now.engine.env["DOCKER_HOST"]!,
    DOCKER_CONFIG: now.engine.env["DOCKER_CONFIG"]!,
  });
  const setup = (
    at: Machine,
    variables: Record<string, string> = {},
    { as = [] as string[], words = [] as string[] } = {},
  ): Promise<Ran> =>
    now.engine.online(() =>
      runAsync([...as, join(at.repo, "docker-setup.sh"), ...words], {
        cwd: "/",
        env: { ...shell(at), ...variables },
      }),
    );
  /** A command as the guides have it: in the repository, nothing exported. */
  const compose = (at: Machine, ...words: string[]): Promise<Ran> =>
    runAsync(["docker", "compose", ...words], { cwd: at.repo, env: shell(at) });
  const inGateway = async (at: Machine, ...words: string[]): Promise<string> =>
    out(await compose(at, "exec", "-T", "clawdbot-gateway", ...words));
  const readConfig = async (at: Machine) =>
    JSON.parse(out(await compose(at, "config", "--format", "json")));
  const token = async (at: Machine): Promise<string> =>
    (await readConfig(at)).services["clawdbot-gateway"].environment.CLAWDBOT_GATEWAY_TOKEN;
  const id = async (at: Machine): Promise<string> =>
    out(await compose(at, "ps", "-q", "clawdbot-gateway"));
  const owner = (path: string): string => `${statSync(path).uid}:${statSync(path).gid}`;
  const curl = (...words: string[]): Promise<Ran> =>
    runAsync(now.engine.inNamespace(["curl", "-sS", ...words]));

  beforeAll(async () => {
    now.engine = (await sharedImage()).engine;
    now.root = machine();
  });
  afterAll(async () => {
    for (const at of machines) {
      await compose(at, "down", "-v", "--remove-orphans");
      rmSync(at.home, { recursive: true, force: true });
      rmSync(at.repo, { recursive: true, force: true });
    }
    await now.engine?.docker(["image", "rm", "-f", IMAGE]);
  });

  test("deploy-014 one command from a fresh checkout to a gateway that answers", async () => {
    const at = now.root;
    const ran = await setup(at, { CLAWDBOT_IMAGE: IMAGE, CLAWDBOT_GATEWAY_PORT: PORT });
    expect(ran.stdout + ran.stderr).toContain("The gateway is well");
    expect(ran.code).toBe(0);
    expect(
      out(await curl("-o", "/dev/null", "-w", "%{http_code}", `http://127.0.0.1:${PORT}/`)),
    ).toBe("200");
    const link = /http:\/\/127\.0\.0\.1:\S+#ticket=\S+/.exec(ran.stdout)?.[0];
    expect(link).toStartWith(`http://127.0.0.1:${PORT}/`);
  });

  test("deploy-018 the container runs by compose, on 127.0.0.1 only", async () => {
    expect(out(await compose(now.root, "ps", "clawdbot-gateway"))).toContain("Up ");
    expect(out(await compose(now.root, "port", "clawdbot-gateway", "18789"))).toBe(
      `127.0.0.1:${PORT}`,
    );
  });

  test("deploy-015 the image was built here, under the name that was asked for", async () => {
    const built = out(await now.engine.docker(["image", "inspect", "-f", "{{.Id}}", IMAGE]));
    expect(out(await now.engine.docker(["inspect", "-f", "{{.Image}}", await id(now.root)]))).toBe(
      built,
    );
  });

  test("deploy-019 Compose reads from .env what the script was given", async () => {
    const at = machine();
    const stub = resolve(import.meta.dir, "stub");
    const names = [
      "it's",
      "a b",
      'q"q',
      "d$HOME",
      "e${HOME}",
      "f$$",
      "g #h",
      "i#j",
      "b\\n",
      "ends\\",
      "x=y",
      "é",
      "'",
      "\\'",
      "%s",
      "-",
    ];
    for (const name of names) {
      const folder = join(at.home, name);
      const token = `${name.replaceAll(/[^!-~]/g, "_")}-0123456789-0123456789-0123456789`;
      const env = {
        ...shell(at),
        STUB_LOG: join(at.home, "log"),
        PATH: `${stub}:${process.env["PATH"]}`,
      };
      const ran = await runAsync([join(at.repo, "docker-setup.sh")], {
        env: { ...env, CLAWDBOT_CONFIG_DIR: folder, CLAWDBOT_GATEWAY_TOKEN: token },
      });
      expect(ran.code).toBe(0);
      const { environment, volumes } = (await readConfig(at)).services["clawdbot-gateway"];
      // What is printed can be read again, so a dollar sign is printed twice.
      const plain = (text: string) => text.replaceAll("$$", "$");
      expect(plain(environment.CLAWDBOT_GATEWAY_TOKEN)).toBe(token);
      expect(plain(volumes[0].source)).toBe(folder);
    }
  });

  test("deploy-016 the first settings are asked on the terminal, a few questions, and the gateway starts with them", async () => {
    const at = machine();
    const env = { ...shell(at), CLAWDBOT_IMAGE: IMAGE, CLAWDBOT_GATEWAY_PORT: "18805" };
    const home = { dir: at.home, state: join(at.home, ".clawdbot"), remove() {} };
    const size = { cols: 200, rows: 50 };
    const person = inTerminal(["--offline"], home, env, size, join(at.repo, "docker-setup.sh"));
    await person.sees("Go on?");
    person.type("y\r");
    await person.sees("Key of a model provider");
    person.type("\r");
    await person.sees("Choose 1 to");
    person.type("\r");
    await person.sees("The gateway is well");
    expect(await person.exited).toBe(0);
    person.close();
    const config = Bun.JSON5.parse(await Bun.file(join(home.state, "clawdbot.json")).text());
    expect(config).toMatchObject({ gateway: { bind: "lan", mode: "local" } });
    expect(JSON.stringify(config)).not.toContain(await token(at));
  });

  test("deploy-020 root's folders belong to the container's user, and the gateway writes there", async () => {
    expect(owner(join(now.root.home, ".clawdbot"))).toBe("1000:1000");
    expect(owner(join(now.root.home, "clawd"))).toBe("1000:1000");
    expect(statSync(join(now.root.home, ".clawdbot")).mode & 0o777).toBe(0o700);
    expect(existsSync(join(now.root.home, ".clawdbot/clawdbot.json"))).toBe(true);
  });

  test("deploy-017 the hints work: each command that is printed is one of the image's program", async () => {
    const ran = await setup(now.root, { CLAWDBOT_SKIP_ONBOARDING: "1" });
    const hints = [...ran.stdout.matchAll(/clawdbot-cli ((?:[a-z]+ ?)+)/g)].map((match) =>
      match[1]!.trim(),
    );
    for (const hint of hints)
      out(
        await compose(
          now.root,
          "run",
          "--rm",
          "--no-deps",
          "-T",
          "clawdbot-cli",
          ...hint.split(" "),
          "--help",
        ),
      );
    process.stdout.write(`hints: ${hints.join(", ") || "none"}\n`);
    expect(ran.stdout).not.toContain("providers");
  });

  test("deploy-019 a second run keeps the token and the container", async () => {
    const before = [await token(now.root), await id(now.root)];
    const ran = await setup(now.root);
    expect(ran.code).toBe(0);
    expect([await token(now.root), await id(now.root)]).toEqual(before);
    expect(before[0]).toMatch(/^[0-9a-f]{64}$/);
    const wrong = await compose(
      now.root,
      "exec",
      "-T",
      "clawdbot-gateway",
      "node",
      "dist/index.js",
      "health",
      "--token",
      before[0]!,
    );
    expect(wrong.code).toBe(0);
  });

  test("deploy-024 and deploy-026 extra mounts and a home volume, also for compose commands of the guides", async () => {
    const at = now.root;
    const books = join(at.home, "it's $HOME");
    mkdirSync(books);
    writeFileSync(join(books, "page"), "one\n");
    const ran = await setup(at, {
      CLAWDBOT_EXTRA_MOUNTS: `${books}:/home/node/books:ro, notes:/home/node/notes`,
      CLAWDBOT_HOME_VOLUME: "clawdbot_home",
    });
    expect(ran.code).toBe(0);
    expect(await inGateway(at, "cat", "/home/node/books/page")).toBe("one");
    expect(
      (await compose(at, "exec", "-T", "clawdbot-gateway", "touch", "/home/node/books/x")).code,
    ).not.toBe(0);
    await inGateway(at, "sh", "-c", "echo kept >/home/node/mine");
    // As the guides have it, without any -f.
    out(await compose(at, "up", "-d", "--force-recreate", "clawdbot-gateway"));
    expect(await inGateway(at, "cat", "/home/node/mine")).toBe("kept");
    expect(await inGateway(at, "cat", "/home/node/books/page")).toBe("one");
    const cli = ["run", "--rm", "--no-deps", "-T", "--entrypoint", "cat", "clawdbot-cli"];
    expect(out(await compose(at, ...cli, "/home/node/books/page"))).toBe("one");
  });
  test("deploy-026 the home volume is in place beside the state", async () => {
    const mounts = (
      await now.engine.docker([
        "inspect",
        "-f",
        "{{range .Mounts}}{{.Destination}} {{end}}",
        await id(now.root),
      ])
    ).stdout;
    expect(mounts.trim().split(" ").sort()).toEqual([
      "/home/node",
      "/home/node/.clawdbot",
      "/home/node/books",
      "/home/node/clawd",
      "/home/node/notes",
    ]);
    expect(await inGateway(now.root, "stat", "-c", "%u", "/home/node")).toBe("1000");
  });

  test("deploy-027 the volume outlives its containers", async () => {
    out(await compose(now.root, "down"));
    expect((await now.engine.docker(["volume", "inspect", "clawdbot_home"])).code).toBe(0);
    expect((await setup(now.root)).code).toBe(0);
    expect(await inGateway(now.root, "cat", "/home/node/mine")).toBe("kept");
  });

  test("deploy-025 and deploy-027 set to nothing they go, and docker volume rm takes the volume by its name", async () => {
    const at = now.root;
    const ran = await setup(at, { CLAWDBOT_EXTRA_MOUNTS: "", CLAWDBOT_HOME_VOLUME: "" });
    expect(ran.code).toBe(0);
    expect(existsSync(join(at.repo, "docker-compose.extra.yml"))).toBe(false);
    expect(
      (await compose(at, "exec", "-T", "clawdbot-gateway", "ls", "/home/node/books")).code,
    ).not.toBe(0);
    expect(out(await now.engine.docker(["volume", "rm", "clawdbot_home"]))).toBe("clawdbot_home");
    expect(await token(at)).toMatch(/^[0-9a-f]{64}$/);
  });

  test("deploy-035 a port that is in use: the message names the container that has it", async () => {
    const other = machine();
    const variables = { CLAWDBOT_IMAGE: IMAGE, CLAWDBOT_GATEWAY_PORT: PORT };
    const ran = await setup(other, variables, { words: ["--offline"] });
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain(`Port ${PORT} of this machine is in use`);
    expect(ran.stderr).toMatch(/docker stop \S*clawdbot-gateway/);
    // The same installation with another port then works.
    const again = await setup(other, { CLAWDBOT_GATEWAY_PORT: "18802" }, { words: ["--offline"] });
    expect(again.stderr).not.toContain("error:");
    expect(again.code).toBe(0);
  });

  test("deploy-020 a user who is neither root nor uid 1000 gets folders that the container can write to", async () => {
    const at = machine();
    const socket = shell(at)["DOCKER_HOST"]!.replace("unix://", "");
    chmodSync(socket, 0o666);
    for (const path of [now.engine.dir, join(now.engine.dir, "..")]) chmodSync(path, 0o755);
    out(await runAsync(["chown", "-R", "1001:1001", at.home, at.repo]));
    mkdirSync(join(at.home, "clawd"));
    writeFileSync(join(at.home, "clawd/mine"), "");
    for (const path of ["clawd", "clawd/mine"]) chownSync(join(at.home, path), 1001, 1001);
    const as = ["setpriv", "--reuid=1001", "--regid=1001", "--clear-groups"];
    const variables = { CLAWDBOT_IMAGE: IMAGE, CLAWDBOT_GATEWAY_PORT: "18803" };
    const ran = await setup(at, variables, { as, words: ["--offline"] });
    expect(ran.stderr).not.toContain("error:");
    expect(ran.code).toBe(0);
    expect(["home", "repo"].map((key) => owner(at[key as keyof Machine]))).toEqual([
      "1001:1001",
      "1001:1001",
    ]);
    for (const name of [".clawdbot", "clawd", "clawd/mine"])
      expect(owner(join(at.home, name))).toBe("1000:1000");
    expect(owner(join(at.repo, ".env"))).toBe("1001:1001");
    expect(ran.stdout).toContain("To undo: sudo chown -R 1001:1001");
    const again = await setup(at, {}, { as, words: ["--offline"] });
    expect(again.code).toBe(0);
  });

  test("deploy-028 packages of Debian are in the image", async () => {
    const at = machine();
    const ran = await setup(at, {
      CLAWDBOT_IMAGE: `${IMAGE}-full`,
      CLAWDBOT_GATEWAY_PORT: "18804",
      CLAWDBOT_DOCKER_APT_PACKAGES: "jq file",
    });
    expect(ran.stderr).not.toContain("error:");
    expect(ran.code).toBe(0);
    expect(await inGateway(at, "jq", "--version")).toStartWith("jq-");
    expect(await inGateway(at, "file", "--version")).toStartWith("file-");
    await compose(at, "down");
    await now.engine.docker(["image", "rm", "-f", `${IMAGE}-full`]);
  });
});
