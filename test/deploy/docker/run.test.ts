/** The image as Docker runs it: process 1, signals, orphans, little memory, few rights, foreign users, root that gives itself up. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { BINARY } from "../../e2e/binary.ts";
import { ROOT } from "../tree.ts";
import { type Container, runImage, runOnce, TOKEN } from "./container.ts";
import { type Engine, noEngine, out } from "./engine.ts";
import { sharedImage } from "./image.ts";

setDefaultTimeout(120_000);
const why = noEngine() ?? (existsSync(BINARY) ? undefined : `there is no ${BINARY}`);
const LISTENS = "[gateway] listening on ws://0.0.0.0:18789 (PID ";
const HARD = [
  "--read-only",
  "--tmpfs",
  "/tmp",
  "--cap-drop",
  "ALL",
  "--security-opt",
  "no-new-privileges",
];

describe.skipIf(why !== undefined)("a container", () => {
  const now = {} as { engine: Engine };
  const containers: Container[] = [];
  const started = async (words: string[] = [], command: string[] = []): Promise<Container> => {
    const container = await runImage(now.engine, words, command);
    containers.push(container);
    await container.logged("[gateway] listening on");
    return container;
  };
  /** An empty folder of the host for a mount. */
  const folder = (name: string): string => {
    const path = join(now.engine.dir, name);
    mkdirSync(path);
    return path;
  };
  const set = (variables: Record<string, string>): string[] =>
    Object.entries(variables).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  const secret = set({ CLAWDBOT_GATEWAY_TOKEN: TOKEN });
  const ROOT_USER = ["--user", "0"];
  /** Runs a command in our image as root, on a folder of the host at /data. */
  const asRoot = async (dir: string, ...command: string[]): Promise<string> =>
    out(await runOnce(now.engine, [...ROOT_USER, "-v", `${dir}:/data`], command));
  const memoryOf = async ({ name }: Container): Promise<string> =>
    out(await now.engine.docker(["stats", "--no-stream", "--format", "{{.MemUsage}}", name]));

  beforeAll(async () => {
    now.engine = (await sharedImage()).engine;
  });
  afterAll(async () => {
    await Promise.all(containers.map((container) => container.remove()));
  });

  test("docker stop ends it in an orderly way within a second, also under --init", async () => {
    for (const words of [[], ["--init"]]) {
      const container = await started(words);
      expect(out(await container.exec(["ps"]))).toMatch(
        words.length
          ? /^ +1 .*(?:docker-init|tini)/m
          : /^ +1 .*\/sbin\/tini -s -- node dist\/index\.js gateway/m,
      );
      const before = performance.now();
      // After one second Docker kills it, and then the exit code is 137.
      out(await now.engine.docker(["stop", "-t", "1", container.name]));
      process.stdout.write(`docker stop: ${Math.round(performance.now() - before)} ms\n`);
      expect(await container.inspect("{{.State.ExitCode}}")).toBe("0");
    }
  });

  test("SIGINT, which Fly.io sends, ends it in an orderly way too", async () => {
    const container = await started();
    out(await now.engine.docker(["kill", "-s", "INT", container.name]));
    expect(out(await now.engine.docker(["wait", container.name]))).toBe("0");
  });

  test("what commands leave behind is reaped", async () => {
    const container = await started();
    // Each inner shell ends before its child, which then belongs to process 1.
    out(await container.exec(["sh", "-c", "for i in 1 2 3 4 5; do sh -c 'sleep 0.1 &'; done"]));
    const alive = "while ps -o stat,args | grep -v '^Z' | grep -q 's[l]eep'; do :; done";
    out(await container.exec(["sh", "-c", alive]));
    expect(out(await container.exec(["ps", "-o", "pid,stat,args"]))).not.toMatch(
      / Z|zombie|\[sh\]/,
    );
  });

  test("deploy-068 with 64 MB of memory, a read-only root and no rights at all it starts, answers, and is not killed", async () => {
    const state = ["-v", "/home/node/.clawdbot", "-v", "/home/node/clawd"];
    const container = await started(["-m", "64m", "--memory-swap", "64m", ...HARD, ...state]);
    const said = await container.exec(["clawdbot", "agent", "--message", "hello"]);
    expect(out(said)).toContain("Demo model");
    expect(
      await container.inspect("{{.State.OOMKilled}} {{.State.Status}} {{.RestartCount}}"),
    ).toBe("false running 0");
    expect(out(await container.exec(["clawdbot", "health", "--quiet"]))).toBe("");
    expect((await container.logs()).stderr).toContain(LISTENS);
  });

  test("idle it takes less than 64 MB", async () => {
    const container = await started();
    out(await container.exec(["clawdbot", "health"]));
    const usage = await memoryOf(container);
    const [, number, unit] = /^([\d.]+)(\w+)/.exec(usage)!;
    process.stdout.write(`idle memory of the container: ${usage}\n`);
    expect(unit).toBe("MiB");
    expect(Number(number)).toBeLessThan(64);
  });

  test("deploy-054 256 MB carry it through a soak of turns", async () => {
    const container = await started(["-m", "256m", "--memory-swap", "256m"]);
    // Each turn is one process of the command line inside the same 256 MB, and every fourth runs a command.
    const turn =
      'i=0; while [ $i -lt 20 ]; do clawdbot agent -m "turn $1 $i" && clawdbot agent -m "run date" || exit 1; i=$((i+2)); done >/dev/null';
    const before = await memoryOf(container);
    for (const round of [1, 2, 3])
      out(await container.exec(["sh", "-c", turn, "turn", String(round)]));
    process.stdout.write(
      `256 MB soak: ${before} before, ${await memoryOf(container)} after 60 turns\n`,
    );
    expect(await container.inspect("{{.State.OOMKilled}} {{.State.Status}}")).toBe("false running");
  });

  test("a user of another number gets one line with the way out, and works with a folder of its own", async () => {
    for (const user of ["568", "1234567:0"]) {
      const refused = await runOnce(now.engine, ["--user", user, ...secret]);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain("/home/node/.clawdbot");
      expect(refused.stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
      expect(refused.stderr).not.toMatch(/\bat \/|internal|This is a bug/);
      const [uid, gid = uid] = user.split(":");
      const state = folder(`state-of-${uid}`);
      await asRoot(state, "chown", `${uid}:${gid}`, "/data");
      const words = ["--user", user, "-v", `${state}:/state`];
      const container = await started([...words, ...set({ CLAWDBOT_STATE_DIR: "/state" })]);
      expect(out(await container.exec(["clawdbot", "agent", "--message", "hello"]))).toContain(
        "Demo model",
      );
      expect(new Set(readdirSync(state).map((name) => statSync(join(state, name)).uid))).toEqual(
        new Set([Number(uid)]),
      );
    }
  });

  test("root with CLAWDBOT_DROP_UID gives a disk of root's to that user, becomes it, and cannot go back", async () => {
    const state = folder("disk-of-root");
    writeFileSync(join(state, "clawdbot.json"), "{}", { mode: 0o600 });
    const words = ["--user", "0", "-v", `${state}:/data`, "-e", "CLAWDBOT_STATE_DIR=/data"];
    const container = await started([...words, "-e", "CLAWDBOT_DROP_UID=1000"]);
    const status = out(await container.exec(["sh", "-c", "cat /proc/$(pidof node)/status"]));
    expect(status).toMatch(/^Uid:\s+1000\s+1000\s+1000\s+1000$/m);
    expect(status).toMatch(/^Gid:\s+1000\s+1000\s+1000\s+1000$/m);
    expect(status).toMatch(/^Groups:\s*$/m);
    expect(status).toMatch(/^CapEff:\s+0+$/m);
    expect(status).toMatch(/^CapPrm:\s+0+$/m);
    const threads = out(
      await container.exec(["sh", "-c", "cat /proc/$(pidof node)/task/*/status"]),
    );
    expect(new Set([...threads.matchAll(/^Uid:.*$/gm)].map(([line]) => line)).size).toBe(1);
    const owners = [state, ...readdirSync(state).map((name) => join(state, name))].map(
      (path) => statSync(path).uid,
    );
    expect(new Set(owners)).toEqual(new Set([1000]));
    expect(out(await container.exec(["clawdbot", "health", "--quiet"]))).toBe("");
    // And again, over what the first start left behind.
    out(await now.engine.docker(["restart", container.name]));
    await container.logged("[gateway] listening on", 2);
  });

  test("the variables of render.yaml work on a disk that is root's: port 8080, state and workspace on the disk, not as root", async () => {
    const { services } = Bun.YAML.parse(readFileSync(join(ROOT, "render.yaml"), "utf8")) as {
      services: [{ envVars: { key: string; value?: string }[] }];
    };
    const variables = services[0].envVars.filter(({ value }) => value !== undefined);
    const user = variables.find(({ key }) => key === "CLAWDBOT_IMAGE_USER")!.value;
    const { context } = await sharedImage();
    const arg = `CLAWDBOT_IMAGE_USER=${user}`;
    const build = ["build", "-t", "clawdbot:render", "--build-arg", arg, "."];
    out(await now.engine.online(() => now.engine.docker(build, { cwd: context })));
    const words = variables.flatMap(({ key, value }) => ["-e", `${key}=${value}`]);
    const disk = folder("render-disk");
    const container = await runImage(
      now.engine,
      [...words, "-e", "RENDER=true", "-v", `${disk}:/data`],
      [],
      "clawdbot:render",
    );
    containers.push(container);
    await container.logged("[gateway] listening on ws://0.0.0.0:8080 (PID ");
    const status = out(await container.exec(["sh", "-c", "cat /proc/$(pidof node)/status"]));
    expect(status).toMatch(/^Uid:\s+1000\s+1000\s+1000\s+1000$/m);
    out(await container.exec(["clawdbot", "agent", "--message", "hello"]));
    expect(readdirSync(disk).sort()).toEqual([".clawdbot", "workspace"]);
    expect(readdirSync(join(disk, "workspace"))).toContain("AGENTS.md");
    const diff = out(await now.engine.docker(["diff", container.name])).split("\n");
    expect(diff.filter((line) => line && !/^[AC] \/tmp(?:\/|$)/.test(line))).toEqual([]);
  });

  test("CLAWDBOT_DROP_UID never changes what a link points to, and refuses folders with the program in them", async () => {
    const state = folder("disk-with-links");
    await asRoot(state, "ln", "-s", "/etc/passwd", "/data/link");
    const container = await started([
      ...ROOT_USER,
      ...["-v", `${state}:/data`],
      ...set({ CLAWDBOT_STATE_DIR: "/data", CLAWDBOT_DROP_UID: "1000" }),
    ]);
    expect(out(await container.exec(["stat", "-c", "%u", "/etc/passwd"]))).toBe("0");
    expect(out(await container.exec(["stat", "-c", "%u", "/data/link"]))).toBe("1000");
    for (const place of ["/", "/usr", "/usr/local"]) {
      const refused = await runOnce(now.engine, [
        ...secret,
        ...ROOT_USER,
        ...set({ CLAWDBOT_STATE_DIR: place, CLAWDBOT_DROP_UID: "1000" }),
      ]);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain("cannot be the state folder");
    }
  });

  test("CLAWDBOT_DROP_UID that is no user, or that root may not become, ends the start with the way out", async () => {
    for (const value of ["node", "0", "1000:0", "-1", "4294967295", "1000 2000"]) {
      const refused = await runOnce(now.engine, [
        ...secret,
        ...ROOT_USER,
        ...set({ CLAWDBOT_DROP_UID: value }),
      ]);
      expect([value, refused.code]).toEqual([value, 1]);
      expect(refused.stderr).toContain("is not a user's number");
    }
    const bound = await runOnce(now.engine, [
      ...secret,
      ...HARD,
      ...ROOT_USER,
      ...set({ CLAWDBOT_DROP_UID: "1000" }),
    ]);
    expect(bound.code).not.toBe(0);
    expect(bound.stderr).toMatch(
      /CLAWDBOT_DROP_UID asks for user 1000, but .* \(E(PERM|ACCES|ROFS)\)/,
    );
    expect(bound.stderr).toContain("--user 1000:1000");
    // Who is not root already needs nothing of it.
    const container = await started(["-e", "CLAWDBOT_DROP_UID=1000"]);
    expect(await container.inspect("{{.State.Status}}")).toBe("running");
  });

  test("without a token it says so and ends, and is not started again and again by its own command", async () => {
    const refused = await runOnce(now.engine, []);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("Refusing to bind gateway to lan without auth.");
    expect(refused.stdout).toBe("");
  });
});
