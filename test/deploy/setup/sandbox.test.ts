/** The sandbox images, built by their scripts in a real engine, and what a container of each can and cannot do. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";

import { type Container, containerOf } from "../docker/container.ts";
import { type Engine, noEngine, out, sharedEngine } from "../docker/engine.ts";
import { type Ran, runAsync } from "../lab.ts";
import { ROOT } from "../tree.ts";

setDefaultTimeout(400_000);
const why = noEngine();
/** The least that a container of a sandbox should have. */
const CAGE = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"];

describe.skipIf(why !== undefined)("the sandbox images", () => {
  const now = {} as { engine: Engine };
  const containers: Container[] = [];
  const script = (name: string, env: Record<string, string> = {}): Promise<Ran> =>
    now.engine.online(() =>
      runAsync([`${ROOT}/scripts/${name}`], { cwd: "/", env: { ...now.engine.env, ...env } }),
    );
  const images = async (): Promise<string[]> =>
    out(await now.engine.docker(["images", "--format", "{{.Repository}}:{{.Tag}}"])).split("\n");
  const inImage = (image: string, ...words: string[]): Promise<Ran> =>
    now.engine.docker([
      "run",
      "--rm",
      "--network",
      "none",
      "--read-only",
      "--tmpfs",
      "/tmp",
      ...CAGE,
      image,
      ...words,
    ]);
  const browser = async (...words: string[]): Promise<Container> => {
    const name = `browser-${randomBytes(4).toString("hex")}`;
    const image = "clawdbot-sandbox-browser:bookworm-slim";
    out(
      await now.engine.docker([
        "run",
        "-d",
        "--name",
        name,
        "--shm-size",
        "256m",
        ...CAGE,
        ...words,
        image,
      ]),
    );
    const container = containerOf(now.engine, name);
    containers.push(container);
    return container;
  };
  const password = async (container: Container): Promise<string> => {
    await container.logged("Watch it");
    return /password (\S+)/.exec((await container.logs()).stdout)![1]!;
  };

  beforeAll(async () => {
    now.engine = await sharedEngine();
  });
  afterAll(async () => {
    await Promise.all(containers.map((container) => container.remove()));
    const own = (await images()).filter((name) => /-sandbox/.test(name));
    if (own.length > 0) await now.engine.docker(["image", "rm", "-f", ...own]);
  });

  test("deploy-033 scripts/sandbox-setup.sh: a container without root, network or rights, with the tools of an assistant", async () => {
    const ran = await script("sandbox-setup.sh");
    expect(ran.stderr).not.toContain("error:");
    expect(ran.code).toBe(0);
    for (const name of ["clawdbot", "openclaw", "moltbot"])
      expect(await images()).toContain(`${name}-sandbox:bookworm-slim`);
    const words =
      "id -u; pwd; command -v bash curl git jq python3 rg; touch /workspace/x && echo writable; touch /etc/x || echo safe";
    const { stdout } = await now.engine.docker([
      "run",
      "--rm",
      "--network",
      "none",
      ...CAGE,
      "clawdbot-sandbox:bookworm-slim",
      "bash",
      "-c",
      words,
    ]);
    expect(stdout.trim().split("\n")).toEqual([
      "1000",
      "/workspace",
      ...["bash", "curl", "git", "jq", "python3", "rg"].map((name) => `/usr/bin/${name}`),
      "writable",
      "safe",
    ]);
    expect(
      out(await inImage("openclaw-sandbox:bookworm-slim", "python3", "-c", "print(6 * 7)")),
    ).toBe("42");
    expect(
      out(
        await now.engine.docker([
          "inspect",
          "-f",
          "{{.Config.Cmd}}",
          "clawdbot-sandbox:bookworm-slim",
        ]),
      ),
    ).toBe("[sleep infinity]");
  });

  test("deploy-033 scripts/sandbox-common-setup.sh: the sandbox with packages of one's choice", async () => {
    const ran = await script("sandbox-common-setup.sh", {
      PACKAGES: "file tree",
      INSTALL_PNPM: "0",
      INSTALL_BUN: "0",
      INSTALL_BREW: "0",
    });
    expect(ran.stderr).not.toContain("error:");
    expect(ran.code).toBe(0);
    expect(await images()).toContain("moltbot-sandbox-common:bookworm-slim");
    const words = ["bash", "-c", "id -u; command -v file tree jq"];
    expect(
      out(await inImage("clawdbot-sandbox-common:bookworm-slim", ...words)).split("\n"),
    ).toEqual(["1000", "/usr/bin/file", "/usr/bin/tree", "/usr/bin/jq"]);
  });

  test("deploy-033 scripts/sandbox-browser-setup.sh: a browser that can be driven and watched, with a password, without root", async () => {
    const ran = await script("sandbox-browser-setup.sh");
    expect(ran.stderr).not.toContain("error:");
    expect(ran.code).toBe(0);
    const ports = [
      "-p",
      "127.0.0.1:9222:9222",
      "-p",
      "127.0.0.1:5900:5900",
      "-p",
      "127.0.0.1:6080:6080",
    ];
    const container = await browser(...ports);
    await container.healthy();
    expect(await container.fetch("http://127.0.0.1:9222/json/version")).toContain(
      "webSocketDebuggerUrl",
    );
    expect(await container.fetch("http://127.0.0.1:6080/vnc.html", "-o", "/dev/null")).toBe(" 200");
    // Nobody in there is root, and the password is in no command line.
    const seen = out(await container.exec(["ps", "-eo", "uid=,args="]));
    expect(new Set(seen.split("\n").map((line) => line.trim().split(" ")[0]))).toEqual(
      new Set(["1000"]),
    );
    expect(seen).not.toContain(await password(container));
    // RFB: the server names its ways to sign in. 2 is a password, 1 would be none.
    const hello =
      "exec 3<>/dev/tcp/127.0.0.1/5900; head -c 12 <&3 >/dev/null; printf 'RFB 003.008\\n' >&3; head -c 2 <&3 | od -An -tx1";
    expect(out(await runAsync(now.engine.inNamespace(["bash", "-c", hello]))).trim()).toBe("01 02");
  });

  test("deploy-033 each start has a password of its own, and one that is given is taken", async () => {
    const [one, two] = [await browser(), await browser()];
    expect(await password(one)).toMatch(/^[0-9a-f]{8}$/);
    expect(await password(one)).not.toBe(await password(two));
    const given = await browser("-e", "OPENCLAW_BROWSER_VNC_PASSWORD=abc");
    expect(await password(given)).toBe("abc");
    const refused = await browser("-e", "CLAWDBOT_BROWSER_CDP_PORT=x; id");
    expect(out(await now.engine.docker(["wait", refused.name]))).toBe("1");
    expect((await refused.logs()).stderr).toContain("has to be a port");
    // When the browser ends, so does the container.
    await two.exec(["pkill", "-o", "socat"]);
    out(await now.engine.docker(["wait", two.name]));
  });

  test("deploy-033 without a screen nobody can watch", async () => {
    const container = await browser(
      "-e",
      "CLAWDBOT_BROWSER_HEADLESS=1",
      "-e",
      "CLAWDBOT_BROWSER_CDP_PORT=9333",
    );
    await container.healthy();
    expect((await container.logs()).stdout).not.toContain("Watch it");
    expect(out(await container.exec(["ps", "-eo", "comm="]))).not.toMatch(/x11vnc|Xvfb|websockify/);
  });
});
