/** The commands of docs/guides/updating.md as they stand there; GitHub is a server of this machine behind a proxy. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { BINARY } from "../../e2e/binary.ts";
import { type Block, scriptOf } from "../guides/blocks.ts";
import { missing, run } from "../lab.ts";

const why = missing({ curl: "curl", openssl: "openssl" });

describe.skipIf(why !== undefined || process.platform !== "linux")("updating", () => {
  const scratch = mkdtempSync(join(tmpdir(), "clawdbot-updating-"));
  const home = join(scratch, "home");
  const bin = join(home, ".local/bin");
  const name = `clawdbot-linux-${process.arch}`;
  let server: Bun.Subprocess<"ignore", "pipe", "inherit">;
  let env: Record<string, string> = {};
  let version = "";

  /** A version below the folder that the server shows as GitHub's. */
  function publish(of: string, put: (file: string) => void): void {
    const folder = join(scratch, "www/good/download", `v${of}`);
    mkdirSync(folder, { recursive: true });
    put(join(folder, name));
    const { stdout } = run(["sha256sum", name], { cwd: folder });
    writeFileSync(join(folder, "SHA256SUMS"), stdout);
  }

  beforeAll(async () => {
    mkdirSync(home);
    const [certificate, key] = [join(scratch, "tls.crt"), join(scratch, "tls.key")];
    run([
      ...["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"],
      ...["-keyout", key, "-out", certificate, "-subj", "/CN=github.com"],
      ...["-addext", "subjectAltName=DNS:github.com"],
    ]);
    version = run([BINARY, "--version"]).stdout.trim();
    publish(version, (file) => copyFileSync(BINARY, file));
    const latest = join(scratch, "www/good/latest/download");
    mkdirSync(latest, { recursive: true });
    writeFileSync(join(latest, "latest.txt"), `${version}\n`);
    copyFileSync("install.sh", join(latest, "install.sh"));
    server = Bun.spawn(
      [
        ...[process.execPath, join(import.meta.dir, "server.ts"), join(scratch, "www")],
        ...[certificate, key, join(scratch, "requests")],
      ],
      { stdin: "ignore", stdout: "pipe", stderr: "inherit" },
    );
    const { value } = await server.stdout.getReader().read();
    const [, , proxy] = new TextDecoder().decode(value).trim().split(" ");
    env = {
      PATH: `${bin}:/usr/local/bin:/usr/bin:/bin`,
      HOME: home,
      SHELL: "/bin/bash",
      // root's folder would be the machine's own.
      CLAWDBOT_INSTALL_DIR: bin,
      https_proxy: `http://127.0.0.1:${proxy}`,
      CURL_CA_BUNDLE: certificate,
    };
  });
  afterAll(async () => {
    server.kill();
    await server.exited;
    rmSync(scratch, { recursive: true, force: true });
  });

  async function type([block]: Block[]): Promise<string> {
    const child = Bun.spawn(["sh", "-euc", block!.text], {
      env,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()];
    const [out, err] = await Promise.all(texts);
    if ((await child.exited) !== 0) throw new Error(`${block!.at}:\n${out}${err}`);
    return `${out}${err}`;
  }

  test("deploy-100 the line that installs is the line that updates", async () => {
    const said = await type(scriptOf("updating", "script"));
    expect(said).toContain(`clawdbot ${version} is installed: ${bin}/clawdbot`);
    expect(said.split("\n")).toContain(version);
    expect(await type(scriptOf("updating", "script"))).toContain("is installed already");
  }, 60_000);

  test("one version by name", async () => {
    const block = scriptOf("updating", "version");
    const named = /--version (\S+)/.exec(block[0]!.text)![1]!;
    if (named !== version)
      publish(named, (file) => writeFileSync(file, `#!/bin/sh\necho ${named}\n`));
    expect(await type(block)).toContain(`clawdbot ${named} is installed`);
    expect(run([join(bin, "clawdbot"), "--version"]).stdout.trim()).toBe(named);
  }, 60_000);

  test("taking it away leaves the data and nothing else", async () => {
    await type(scriptOf("updating", "taking-away"));
    expect(existsSync(bin)).toBe(false);
    expect(readdirSync(home).filter((entry) => ![".local", ".clawdbot"].includes(entry))).toEqual(
      [],
    );
  }, 60_000);
});
