/** The guides' commands for chat networks in a container of our image, with networks that are made of software beside it. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { BINARY } from "../../e2e/binary.ts";
import { watch, type Watched } from "../../e2e/child.ts";
import { inTerminal } from "../../e2e/terminal.ts";
import { type Ran } from "../lab.ts";
import { type Container, runImage, runOnce } from "./container.ts";
import { type Engine, noEngine, out } from "./engine.ts";
import { sharedImage } from "./image.ts";
import type { Networks } from "./networks.ts";

setDefaultTimeout(60_000);
const why = noEngine() ?? (existsSync(BINARY) ? undefined : `there is no ${BINARY}`);
/** As docker-compose.yml has it: nothing can be written but the volume and /tmp. */
const LOCKED = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt"].concat(
  "no-new-privileges:true",
);

describe.skipIf(why !== undefined)("chat networks in a container", () => {
  const now = {} as { engine: Engine; machine: Container; where: Networks; ann: Watched };
  let networks: Bun.Subprocess<"pipe", "pipe", "pipe"> | undefined;
  const volumes = ["chats:/home/node/.clawdbot", "chats-work:/home/node/clawd"];
  /** The networks are on the loopback of the engine's machine, which the container shares. */
  const place = ["--network", "host", ...volumes.flatMap((each) => ["-v", each]), ...LOCKED];
  const type = (...words: string[]): Promise<Ran> =>
    now.machine.exec(["node", "dist/index.js", ...words]);
  const write = (line: string): void => {
    networks!.stdin.write(`${line}\n`);
    networks!.stdin.flush();
  };
  /** Ann writes, gets a code, is let in by the guide's own words, and is answered. */
  const getsAnAnswer = async (network: string): Promise<void> => {
    write(`${network} hello`);
    const asked = new RegExp(`^${network}: .*Pairing code: (\\w{8})`, "m");
    await now.ann.seen(asked);
    const code = asked.exec(now.ann.log())![1]!;
    out(await type("pairing", "approve", network, code));
    write(`${network} hello again`);
    await now.ann.seen(new RegExp(`^${network}: .*Demo model`, "m"));
  };

  beforeAll(async () => {
    now.engine = (await sharedImage()).engine;
    const script = [process.execPath, join(import.meta.dir, "networks.ts")];
    networks = Bun.spawn(now.engine.inNamespace(script), {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    // Its input is ours to write; the rest of it can be watched as ever.
    now.ann = watch(networks as unknown as Parameters<typeof watch>[0]);
    await now.ann.seen(/^\{.*\}$/m);
    now.where = JSON.parse(/^\{.*\}$/m.exec(now.ann.log())![0]) as Networks;
    for (const id of ["telegram", "discord"] as const) {
      const root = [`channels.${id}.apiRoot`, now.where[id].apiRoot];
      out(await runOnce(now.engine, place, ["clawdbot", "config", "set", ...root]));
    }
    const env = Object.entries(now.where.env).flatMap(([key, value]) => ["-e", `${key}=${value}`]);
    now.machine = await runImage(now.engine, [...place, ...env]);
    await now.machine.logged("[gateway] listening on");
  });
  afterAll(async () => {
    await now.machine?.remove();
    await now.engine?.docker(["volume", "rm", ...volumes.map((each) => each.split(":")[0]!)]);
    networks?.kill();
    await networks?.exited;
  });

  test("deploy-030 `channels add --channel telegram --token`, one approval, and it answers", async () => {
    const { token } = now.where.telegram;
    const added = await type("channels", "add", "--channel", "telegram", "--token", token);
    expect(out(added)).toContain("@clawd_bot");
    await getsAnAnswer("telegram");
  });

  test("deploy-031 `channels add --channel discord --token`, one approval, and it answers", async () => {
    const { token } = now.where.discord;
    const added = await type("channels", "add", "--channel", "discord", "--token", token);
    expect(out(added)).toContain("clawd");
    await now.machine.logged(/^\[discord\] logged in to discord as clawd\b/m);
    await getsAnAnswer("discord");
  });

  test("deploy-029 `channels login` shows the QR code, and the linked phone answers", async () => {
    const login = [now.machine.name, "node", "dist/index.js", "channels", "login"];
    const { env, dir } = now.engine;
    const words = ["exec", "-it", "-e", "TERM=xterm-256color", ...login];
    const size = { cols: 80, rows: 40 };
    const home = { dir, state: "", remove: () => undefined };
    const screen = inTerminal(words, home, env, size, Bun.which("docker")!);
    try {
      await screen.sees("Scan this with the phone");
      const rows = screen.text().split(/\r?\n/);
      const picture = rows.filter((row) => /[█▀▄]/.test(row));
      expect(picture.length).toBeGreaterThan(15);
      expect(Math.max(...picture.map((row) => row.length))).toBeLessThanOrEqual(size.cols);
      screen.type("\u0003");
      expect(await screen.exited).toBe(130);
    } finally {
      screen.close();
    }
    // The same code for a program, because a test has no camera.
    const child = Bun.spawn(["docker", "exec", ...login, "--json"], {
      ...{ stdin: "ignore", stdout: "pipe", stderr: "pipe" },
      env,
    } as const);
    const steps = watch(child);
    await steps.seen(/^\{"type":"qr".*\}$/m);
    const { qr } = JSON.parse(/^\{"type":"qr".*\}$/m.exec(steps.log())![0]) as { qr: string };
    write(`scan ${qr}`);
    expect(await child.exited).toBe(0);
    await now.machine.logged("Listening for personal WhatsApp inbound messages.");
    await getsAnAnswer("whatsapp");
  });

  test("all three survive a restart of the container, and no token is in its log", async () => {
    out(await now.engine.docker(["restart", now.machine.name]));
    await now.machine.logged(/^\[discord\] logged in to discord as/m, 2);
    await now.machine.logged("Listening for personal WhatsApp inbound messages.", 2);
    for (const network of ["telegram", "discord", "whatsapp"]) {
      const before = now.ann.log().split(`${network}: `).length - 1;
      write(`${network} still there?`);
      await now.ann.seen(`${network}: `, before + 1);
    }
    const { stdout, stderr } = await now.machine.logs();
    for (const { token } of [now.where.telegram, now.where.discord])
      expect(stdout + stderr).not.toContain(token);
  });
});
