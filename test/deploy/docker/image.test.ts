/** What is in the image, and every way to build it: both of Docker's builders, buildah, the options of the Dockerfile. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { BINARY } from "../../e2e/binary.ts";
import { missing, type Ran, runAsync } from "../lab.ts";
import { type Container, runImage, runOnce } from "./container.ts";
import { type Engine, noEngine, out } from "./engine.ts";
import { buildContext, IMAGE, sharedImage } from "./image.ts";

setDefaultTimeout(300_000);
const why = noEngine() ?? (existsSync(BINARY) ? undefined : `there is no ${BINARY}`);
const MB = 1024 * 1024;
/** The machine of an ELF file. */
const ARM64 = 183;

describe.skipIf(why !== undefined)("the image", () => {
  const now = {} as { engine: Engine; context: string };
  const containers: Container[] = [];
  const docker = (words: string[], env: Record<string, string> = {}) =>
    now.engine.docker(words, { cwd: now.context, env });
  const build = (words: string[], env: Record<string, string> = {}) =>
    now.engine.online(() => docker(["build", ...words, "."], env));
  const started = async (...args: Parameters<typeof runImage>): Promise<Container> => {
    const container = await runImage(...args);
    containers.push(container);
    return container;
  };
  /** Names of everything in an image, with modes and owners, from the layers themselves. */
  const listing = async (image: string): Promise<string[]> => {
    const id = out(await docker(["create", image, "x"]));
    const list = 'docker export "$1" | tar -tv --numeric-owner -f -';
    const ran = await runAsync(["sh", "-c", list, "list", id], { env: now.engine.env });
    await docker(["rm", id]);
    return out(ran).split("\n");
  };

  const built: { old?: Promise<Ran> } = {};
  /** The older builder runs each step in a container, so each step can be given so much memory and no more. */
  const withOldBuilder = (): Promise<Ran> =>
    (built.old ??= build(
      ["-t", "clawdbot:old", "-m", "256m", "--memory-swap", "256m"].concat(["-f", "Dockerfile"]),
      {
        DOCKER_BUILDKIT: "0",
      },
    ));

  beforeAll(async () => {
    Object.assign(now, await sharedImage());
  });
  afterAll(async () => {
    await Promise.all(containers.map((container) => container.remove()));
  });

  test("it has one executable of ours under 150 MB unpacked, and nothing that is not needed", async () => {
    const bytes = Number(out(await docker(["inspect", "-f", "{{.Size}}", IMAGE])));
    const files = await listing(IMAGE);
    process.stdout.write(`image: ${(bytes / MB).toFixed(1)} MB, ${files.length} names\n`);
    expect(bytes).toBeLessThan(150 * MB);
    const large = files.filter((line) => Number(line.split(/\s+/)[2]) > 4 * MB);
    expect(large.map((line) => line.split(" ").at(-1))).toEqual(["usr/local/bin/clawdbot"]);
    for (const name of ["node", "openclaw", "moltbot"])
      expect(files.some((line) => line.endsWith(`usr/local/bin/${name} -> clawdbot`))).toBe(true);
    expect(files.join("\n")).not.toMatch(/node_modules|\.git\/|bin\/(bash|perl|apt)\b/);
    const owned = files
      .filter((line) => / 1000\/1000 /.test(line))
      .map((line) => line.split(" ").at(-1));
    expect(owned.sort()).toEqual([
      "data/",
      "home/node/",
      "home/node/.clawdbot/",
      "home/node/clawd/",
    ]);
    expect(files.find((line) => / tmp\/$/.test(line))).toMatch(/^drwxrwxrwt 0\/0/);
    expect(files.filter((line) => /^-..[sS]|^-.....[sS]/.test(line))).toEqual([]);
  });

  test("the licences of what it carries are in it", async () => {
    const folder = "/usr/share/licenses/clawdbot";
    const said = out(await runOnce(now.engine, [], ["ls", folder]));
    expect(said.split("\n")).toEqual(["GPL-3.0.txt", "LGPL-2.1.txt", "LICENSE", "README.md"]);
    const gpl = out(await runOnce(now.engine, [], ["head", "-n", "1", `${folder}/GPL-3.0.txt`]));
    expect(gpl.trim()).toBe("GNU GENERAL PUBLIC LICENSE");
  });

  test("its settings: user 1000, tini first, the command without a shell, a health check without a shell", async () => {
    const config = JSON.parse(out(await docker(["inspect", "-f", "{{json .Config}}", IMAGE])));
    expect(config).toMatchObject({
      User: "1000:1000",
      WorkingDir: "/app",
      Entrypoint: ["/sbin/tini", "-s", "--"],
      Cmd: ["node", "dist/index.js", "gateway", "--allow-unconfigured", "--bind", "lan"],
      StopSignal: "SIGTERM",
      ExposedPorts: { "18789/tcp": {} },
      Healthcheck: { Test: ["CMD", "clawdbot", "health", "--quiet"] },
    });
    expect(config.Env).toContain("HOME=/home/node");
  });

  test("the shell, the tools of the guides and certificates are there", async () => {
    const script =
      "which sh cat tee rm mkdir ls env grep ps && test -f /app/dist/index.js && grep -c BEGIN /etc/ssl/certs/ca-certificates.crt && id && ls -ld /root";
    const said = out(await runOnce(now.engine, [], ["sh", "-c", script]));
    expect(said).toMatch(/^\/usr\/bin\/sh$|^\/bin\/sh$/m);
    expect(Number(/^\d+$/m.exec(said)![0])).toBeGreaterThan(100);
    expect(said).toContain("uid=1000(node) gid=1000(node)");
  });

  test("it answers under every name that the program has had, and as `node dist/index.js`", async () => {
    const version = out(await runOnce(now.engine, [], ["clawdbot", "--version"]));
    expect(version).toMatch(/^\d{4}\.\d+\.\d+/);
    for (const words of [
      ["openclaw"],
      ["moltbot"],
      ["node", "dist/index.js"],
      ["node", "openclaw.mjs"],
    ])
      expect(out(await runOnce(now.engine, [], [...words, "--version"]))).toBe(version);
    const entry = ["--entrypoint", "node"];
    expect(out(await runOnce(now.engine, entry, ["dist/index.js", "--version"]))).toBe(version);
  });

  test("deploy-021 the older builder makes the same image as BuildKit from the guide's own words", async () => {
    out(await withOldBuilder());
    const facts =
      "{{json .Config.Cmd}} {{json .Config.Healthcheck}} {{.Config.User}} {{.Architecture}}";
    const of = async (image: string) => out(await docker(["inspect", "-f", facts, image]));
    expect(await of("clawdbot:old")).toBe(await of(IMAGE));
    const names = async (image: string) =>
      (await listing(image)).map((line) => line.replace(/ \d{4}-\S+ \S+/, ""));
    expect(await names("clawdbot:old")).toEqual(await names(IMAGE));
  });

  test("deploy-099 with a ready executable a server with 256 MB can build it", async () => {
    expect(out(await withOldBuilder())).toContain("Using dist/clawdbot.");
  });

  test("deploy-058 a ready executable is used as it is, and no older one than the source", async () => {
    const context = buildContext(now.engine);
    const target = ["build", "--no-cache", "--progress=plain", "--target", "build", "."];
    const said = await now.engine.docker(target, { cwd: context });
    expect(said.stderr).toContain("Using dist/clawdbot.");
    writeFileSync(join(context, "src/main.ts"), "// changed\n");
    const stale = await now.engine.docker(target, { cwd: context });
    expect(stale.stderr).toContain("dist/clawdbot is older than src/main.ts, so it is not used.");
    // This machine's stand-in for the Node image has no Node, so the message of a build that cannot go on is seen too.
    expect(stale.stderr).toContain("Leave out --build-arg CLAWDBOT_BUILD_IMAGE");
  });

  const noNpm = Bun.which("npm") && Bun.which("node") ? undefined : "there is no npm";
  test.skipIf(noNpm !== undefined)(
    "deploy-058 without an executable it is built from the source, with Bun from npm",
    async () => {
      const context = buildContext(now.engine);
      rmSync(join(context, "dist"), { recursive: true });
      await nodeImage(now.engine);
      const words = ["--progress=plain", "--target", "build", "-t", "clawdbot:source"];
      const said = await now.engine.online(() =>
        now.engine.docker(
          ["build", ...words, "--build-arg", "CLAWDBOT_BUILD_IMAGE=lab:node", "."],
          { cwd: context },
        ),
      );
      expect(said.stderr).toContain("Building clawdbot for linux-x64 with Bun 1.4.4.");
      out(said);
      const version = await now.engine.docker([
        "run",
        "--rm",
        "clawdbot:source",
        "/out/clawdbot",
        "--version",
      ]);
      expect(out(version)).toMatch(/^\d{4}\./);
    },
  );

  test("CLAWDBOT_BINARY names the executable; one that is missing, or for another machine, ends the build with a reason", async () => {
    const context = buildContext(now.engine);
    const stage = (file: string) =>
      now.engine.docker(
        [
          "build",
          "--progress=plain",
          "--target",
          "build",
          "--build-arg",
          `CLAWDBOT_BINARY=${file}`,
          ".",
        ],
        { cwd: context },
      );
    expect((await stage("dist/clawdbot")).stderr).toContain("Using dist/clawdbot.");
    const gone = await stage("dist/nothing");
    expect(gone.code).not.toBe(0);
    expect(gone.stderr).toContain(
      "CLAWDBOT_BINARY=dist/nothing is not in the build context. Does .dockerignore leave it out?",
    );
    const wrong = await stage("package.json");
    expect(wrong.code).not.toBe(0);
    expect(wrong.stderr).toContain("is not an executable for amd64");
  });

  test("the target `bare` is the executable alone, and serves", async () => {
    out(await build(["-t", "clawdbot:bare", "--target", "bare"]));
    const mounted = /(?:dev|proc|sys|etc)\/|\.dockerenv/;
    const files = (await listing("clawdbot:bare")).map((line) => line.split(" ").at(-1)!);
    expect(files.filter((name) => !mounted.test(name)).sort()).toEqual([
      "clawdbot",
      "data/",
      "tmp/",
    ]);
    const container = await started(now.engine, [], [], "clawdbot:bare");
    await container.logged("[gateway] listening on");
    expect(out(await container.exec(["/clawdbot", "health"]))).toMatch(/^OK/);
  });

  test("CLAWDBOT_DOCKER_APT_PACKAGES makes a whole Debian with them, on which the gateway runs too", async () => {
    const packages = "CLAWDBOT_DOCKER_APT_PACKAGES=jq file";
    out(await build(["-t", "clawdbot:apt", "--build-arg", packages]));
    const container = await started(now.engine, [], [], "clawdbot:apt");
    await container.logged("[gateway] listening on");
    const said = await container.exec(["bash", "-c", "jq -n 1+1 && file -b /bin/sh && id -un"]);
    expect(out(said).split("\n")).toEqual(["2", expect.stringContaining("symbolic link"), "node"]);
    expect(out(await container.exec(["node", "dist/index.js", "health"]))).toMatch(/^OK/);
  });

  test.each([
    "jq; touch /tmp/x",
    "$(id)",
    "`id`",
    "-oDpkg::Pre-Invoke::=id",
    "jq && id",
    "../x",
    "a|b",
    "jq-",
  ])("the package name %p ends the build, and is not run", async (name) => {
    const ran = await now.engine.docker(
      [
        "build",
        "--progress=plain",
        "--target",
        "rootfs",
        "--build-arg",
        `CLAWDBOT_DOCKER_APT_PACKAGES=${name}`,
        ".",
      ],
      { cwd: now.context },
    );
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toContain("is not the name of a Debian package");
  });

  test("deploy-092 programs in scripts/docker/extra-bin are in the image; a name of ours is refused", async () => {
    const context = buildContext(now.engine);
    const folder = join(context, "scripts/docker/extra-bin");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "gog"), '#!/bin/sh\necho "gog $*"\n');
    const words = ["build", "--progress=plain", "-t", "clawdbot:extra", "."];
    out(await now.engine.online(() => now.engine.docker(words, { cwd: context })));
    const extra = (command: string[]) =>
      now.engine.docker(["run", "--rm", "clawdbot:extra", ...command]);
    expect(out(await extra(["which", "gog"]))).toBe("/usr/local/bin/gog");
    expect(out(await extra(["gog", "mail"]))).toBe("gog mail");
    copyFileSync("/bin/ls", join(folder, "wants-libraries"));
    const warned = await now.engine.online(() => now.engine.docker(words, { cwd: context }));
    expect(warned.stderr).toContain("warning: wants-libraries needs shared libraries");
    writeFileSync(join(folder, "node"), "");
    const refused = await now.engine.online(() => now.engine.docker(words, { cwd: context }));
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain("extra-bin/node has the name of this program");
  });
});

/** This machine's Node and npm on the base image, with its certificates: what the real Node image is for the build. */
async function nodeImage(engine: Engine): Promise<void> {
  const container = out(await engine.docker(["create", "debian:bookworm-slim", "true"]));
  const modules = out(await runAsync(["npm", "root", "-g"]));
  const copies = [
    [Bun.which("node")!, "/usr/local/bin/node"],
    [join(modules, "npm"), "/usr/local/lib/npm"],
    ["/etc/ssl/certs/ca-certificates.crt", "/usr/local/share/certificates.crt"],
  ] as const;
  for (const [from, to] of copies) {
    if (existsSync(from)) out(await engine.docker(["cp", "-L", from, `${container}:${to}`]));
  }
  const npx = join(engine.dir, "npx");
  writeFileSync(npx, '#!/bin/sh\nexec node /usr/local/lib/npm/bin/npx-cli.js "$@"\n', {
    mode: 0o755,
  });
  out(await engine.docker(["cp", npx, `${container}:/usr/local/bin/npx`]));
  const change = "ENV NODE_EXTRA_CA_CERTS=/usr/local/share/certificates.crt";
  out(await engine.docker(["commit", "-c", change, container, "lab:node"]));
  await engine.docker(["rm", container]);
}

const noBuildah = why ?? missing({ buildah: "buildah" });
describe.skipIf(noBuildah !== undefined)("without an engine", () => {
  const now = {} as { context: string; base: string };
  const config = { User: "1000:1000", Entrypoint: ["/sbin/tini", "-s", "--"] };
  // Its own storage, so that nothing of the machine's changes.
  const buildah = (...words: string[]) => {
    const roots = ["--root", `${now.base}/store`, "--runroot", `${now.base}/run`];
    return runAsync(["buildah", "--storage-driver", "vfs", ...roots, ...words], {
      cwd: now.context,
    });
  };
  const bud = (...words: string[]) =>
    buildah(
      "bud",
      "--isolation",
      "chroot",
      "--format",
      "docker",
      "--pull-never",
      "--build-arg",
      "CLAWDBOT_BUILD_IMAGE=debian:bookworm-slim",
      ...words,
      "-f",
      "Dockerfile",
      ".",
    );

  beforeAll(async () => {
    const { engine } = await sharedImage();
    Object.assign(now, {
      context: buildContext(engine),
      base: mkdtempSync(join(engine.dir, "buildah-")),
    });
    const save = 'docker save debian:bookworm-slim >"$1"';
    out(await runAsync(["sh", "-c", save, "save", `${now.base}/base.tar`], { env: engine.env }));
    out(await buildah("pull", `docker-archive:${now.base}/base.tar`));
  });

  test("deploy-021 buildah builds the image from the same Dockerfile", async () => {
    out(await bud("-t", "localhost/clawdbot:b"));
    const image = JSON.parse(
      out(await buildah("inspect", "--type", "image", "localhost/clawdbot:b")),
    );
    expect(image.Docker.config).toMatchObject({
      ...config,
      Healthcheck: { Test: ["CMD", "clawdbot", "health", "--quiet"] },
    });
    const container = out(await buildah("from", "localhost/clawdbot:b"));
    const ran = await buildah(
      "run",
      "--isolation",
      "chroot",
      container,
      "--",
      "clawdbot",
      "--version",
    );
    expect(out(ran)).toMatch(/^\d{4}\./);
  });

  test("deploy-080 the same Dockerfile makes an image for arm64, every program in it for arm64", async () => {
    // The header of an executable for arm64 is all that the build looks at.
    const header = Buffer.alloc(120);
    header.write("\x7fELF\x02\x01\x01", 0, "latin1");
    header.writeUInt16LE(2, 16);
    header.writeUInt16LE(ARM64, 18);
    writeFileSync(join(now.context, "dist/clawdbot-linux-arm64"), header);
    // A base of that architecture by its name; its programs run on this machine.
    const arm = out(await buildah("from", "--pull-never", "debian:bookworm-slim"));
    out(await buildah("config", "--arch", "arm64", arm));
    out(await buildah("commit", "--quiet", arm, "docker.io/library/debian:bookworm-slim"));
    out(
      await bud(
        "--platform",
        "linux/arm64",
        "--build-arg",
        "TARGETARCH=arm64",
        "-t",
        "localhost/clawdbot:arm64",
      ),
    );
    const image = JSON.parse(
      out(await buildah("inspect", "--type", "image", "localhost/clawdbot:arm64")),
    );
    expect(image.Docker.architecture).toBe("arm64");
    expect(image.Docker.config).toMatchObject(config);
    const container = out(await buildah("from", "localhost/clawdbot:arm64"));
    const root = out(await buildah("mount", container));
    for (const file of ["usr/bin/busybox", "usr/sbin/tini", "usr/local/bin/clawdbot"])
      expect([file, readFileSync(join(root, file)).readUInt16LE(18)]).toEqual([file, ARM64]);
  });
});
