/**
 * Real versions of the program, built from this tree with other numbers and a test's key inside, and the releases they come in, served
 * on loopback with the faults that a network has.
 */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

import type { Methods } from "../../src/gateway/methods/index.ts";
import { RpcClient } from "../../src/protocol/client.ts";
import { copyTree, ROOT } from "../deploy/tree.ts";
import { clientInfo, type Home, plainEnv } from "./binary.ts";
import { freePort, listening, watch, type Watched } from "./child.ts";

export type Patch = { file: string; from: RegExp | undefined; to: string };

const target = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;

/** A schema step that only newer versions have, and that an older one could not open. */
export const NEWER_SCHEMA: Patch[] = [
  {
    file: "src/store/sqlite/migrations/0099-newer.sql",
    from: undefined,
    to: "ALTER TABLE turns ADD COLUMN mood TEXT;\nCREATE TABLE moods (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;\nINSERT INTO moods (name) VALUES ('calm');\n",
  },
  {
    file: "src/store/sqlite/migrations.ts",
    from: /\n\];/,
    to: "\n  { version: 99, sql: laterStep },\n];",
  },
  {
    file: "src/store/sqlite/migrations.ts",
    from: /export type Migration/,
    to: 'import laterStep from "./migrations/0099-newer.sql" with { type: "text" };\nexport type Migration',
  },
];

/** It takes messages and answers them, but says for ever that it is not ready; only in a trial it is well. */
export const NEVER_READY: Patch[] = [
  {
    file: "src/app.ts",
    from: /recovered = true;/,
    to: "if (!env.updateTrial) return;\n      recovered = true;",
  },
];

export type Rig = {
  folder: string;
  /** The releases as files. */
  www: string;
  publicKey: string;
  url: string;
  /** What was asked for, with the byte it began at. */
  requests: string[];
  /** What goes wrong with the program's file from now on; undefined for nothing. */
  fault: "cut" | "cut-always" | "corrupt" | "stall" | undefined;
  build(version: string, patches?: Patch[]): Promise<string>;
  /** Puts a program or a script into a release and makes it the newest of the stable channel. */
  publish(version: string, program: { path: string } | { script: string }, odd?: Odd): void;
  stop(): Promise<void>;
};

export type Odd = {
  /** Signed by somebody else. */
  stranger?: boolean;
  /** What the manifest says of the program's length, in bytes. */
  size?: number;
  /** The files of this version under the new number. */
  filesOf?: string;
};

export async function openRig(): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), "clawdbot-update-"));
  const www = join(folder, "www");
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const stranger = generateKeyPairSync("ed25519").privateKey;
  const spki = publicKey.export({ type: "spki", format: "der" }).toString("base64");
  const requests: string[] = [];
  const server = createServer((request, response) => answer(request, response, www, rig));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const rig: Rig = {
    folder,
    www,
    publicKey: spki,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    fault: undefined,
    build: (version, patches = []) => build(folder, spki, version, patches),
    publish: (version, program, odd = {}) =>
      publish(www, version, program, odd, odd.stranger ? stranger : privateKey),
    async stop() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return rig;
}

async function build(folder: string, key: string, version: string, patches: Patch[]) {
  const tree = copyTree(join(folder, `tree-${version}`));
  symlinkSync(join(ROOT, "node_modules"), join(tree, "node_modules"));
  const all: Patch[] = [
    { file: "package.json", from: /"version": "[^"]+"/, to: `"version": "${version}"` },
    ...patches,
  ];
  for (const { file, from, to } of all) {
    const path = join(tree, file);
    if (!from) {
      writeFileSync(path, to);
      continue;
    }
    const text = readFileSync(path, "utf8");
    if (text.search(from) < 0) throw new Error(`${file} has no ${from}`);
    writeFileSync(
      path,
      text.replace(from, () => to),
    );
  }
  const out = join(folder, `built-${version}`);
  const child = Bun.spawn([process.execPath, "build.ts", "--outdir", out, "--release-key", key], {
    cwd: tree,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(said);
  rmSync(tree, { recursive: true, force: true });
  return join(out, "clawdbot");
}

const hash = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

function publish(
  www: string,
  version: string,
  program: { path: string } | { script: string },
  { size, filesOf }: Odd,
  key: KeyObject,
): void {
  const files = join(www, "download", `v${version}`);
  rmSync(files, { recursive: true, force: true });
  mkdirSync(files, { recursive: true });
  const name = `clawdbot-${target}`;
  const bytes = "path" in program ? readFileSync(program.path) : Buffer.from(program.script);
  writeFileSync(join(files, name), bytes);
  const packed = gzipSync(bytes, { level: 1 });
  writeFileSync(join(files, `${name}.gz`), packed);
  const manifest = JSON.stringify({
    schema: 1,
    version: filesOf ?? version,
    files: [
      { name, size: size ?? bytes.length },
      { name: `${name}.gz`, size: size ?? packed.length },
    ],
  });
  writeFileSync(join(files, "manifest.json"), manifest);
  const sums = [name, `${name}.gz`, "manifest.json"]
    .map((each) => `${hash(readFileSync(join(files, each)))}  ${each}\n`)
    .join("");
  writeFileSync(join(files, "SHA256SUMS"), sums);
  const signature = sign(null, Buffer.from(sums), key).toString("base64");
  writeFileSync(join(files, "SHA256SUMS.sig"), `${signature}\n`);
  mkdirSync(join(www, "latest/download"), { recursive: true });
  writeFileSync(join(www, "latest/download/latest.txt"), `${version}\n`);
}

function answer(request: IncomingMessage, response: ServerResponse, www: string, rig: Rig): void {
  const path = request.url ?? "/";
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  rig.requests.push(`${path.split("/").at(-1)} ${from}`);
  const file = join(www, path);
  if (!existsSync(file)) return void response.writeHead(404).end("not here");
  const whole = readFileSync(file);
  const fault = /\/clawdbot-[^/]*$/.test(path) ? rig.fault : undefined;
  if (fault === "corrupt") whole[whole.length >> 1]! ^= 1;
  const rest = whole.subarray(from);
  response.writeHead(from > 0 ? 206 : 200, {
    "content-length": rest.length,
    ...(from > 0 && { "content-range": `bytes ${from}-${whole.length - 1}/${whole.length}` }),
  });
  if (fault === "cut") rig.fault = undefined;
  if (fault === "cut" || fault === "cut-always")
    response.write(rest.subarray(0, rest.length >> 1), () => response.destroy());
  else if (fault === "stall") response.write(rest.subarray(0, rest.length >> 1));
  else response.end(rest);
}

/** A folder as install.sh leaves it: the program, and its receipt. Gives the program's path. */
export function installed(program: string, folder: string, source: string): string {
  const place = join(folder, "clawdbot");
  mkdirSync(dirname(place), { recursive: true });
  copyFileSync(program, place);
  chmodSync(place, 0o755);
  const receipt = { schema: 1, version: "", channel: "stable", source, links: ["moltbot"] };
  writeFileSync(join(folder, ".clawdbot-install.json"), `${JSON.stringify(receipt, null, 2)}\n`);
  return place;
}

/** Runs a program to its end. */
export async function run(
  program: string,
  args: string[],
  home: Home,
  env: Record<string, string> = {},
) {
  const child = Bun.spawn([program, ...args], {
    cwd: home.dir,
    env: plainEnv(home, env),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

export type Gateway = Watched & {
  pid: number;
  port: number;
  home: Home;
  client(): RpcClient<Methods>;
  /** Process and version of whoever answers now. */
  facts(): Promise<{ pid: number; version: string }>;
  /** Resolves when the model has answered this question and the answer is stored. */
  answered(name: string): Promise<void>;
  /** What was answered, in the order of the conversation. */
  answers(): Promise<string[]>;
  end(): Promise<void>;
};

/** A gateway in the foreground, on a port that stays the same over restarts. */
export async function startGateway(program: string, home: Home): Promise<Gateway> {
  const port = freePort();
  const child = Bun.spawn([program, "gateway", "--port", String(port)], {
    cwd: home.dir,
    env: plainEnv(home),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const watched = watch(child);
  await listening(watched);
  const client = () =>
    new RpcClient<Methods>({
      url: `ws+unix://${join(home.state, "gateway.sock")}:/`,
      client: clientInfo,
      reconnect: false,
    });
  const ask = async <T>(use: (it: RpcClient<Methods>) => Promise<T>): Promise<T> => {
    const one = client();
    try {
      await one.connect();
      return await use(one);
    } finally {
      one.close();
    }
  };
  return {
    ...watched,
    ...{ pid: child.pid, port, home, client },
    facts: () =>
      ask(async (one) => {
        const { version } = (await one.call("status", {})) as unknown as { version: string };
        const lock = readdirSync(home.state).find((name) => /^gateway\..*\.lock$/.test(name))!;
        const body = JSON.parse(readFileSync(join(home.state, lock), "utf8").split("\n")[0]!);
        return { pid: (body as { pid: number }).pid, version };
      }),
    async answered(name) {
      const limit = { runId: `run-${name}`, timeoutMs: 30_000 };
      const wait = () => ask((one) => one.call("agent.wait", limit, { timeoutMs: 40_000 }));
      for (;;) {
        // The gateway may be replaced while somebody waits.
        const end = await wait().catch((cause: unknown) => String(cause));
        if (typeof end === "string") await Bun.sleep(50);
        else if (end.status === "ok") return;
        else throw new Error(`${name}: ${JSON.stringify(end)}`);
      }
    },
    answers: () =>
      ask(async (one) => {
        const { messages } = await one.call("chat.history", { sessionKey: "main", limit: 1000 });
        return messages
          .filter((message) => message.role === "assistant")
          .flatMap((message) =>
            [...JSON.stringify(message.content).matchAll(/answer (\w+)\./g)].map((m) => m[1]!),
          );
      }),
    async end() {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}

/** Sends one message, again and again with the same key until it is taken, and waits for its answer. */
export async function send(gateway: Gateway, name: string): Promise<void> {
  for (let taken = false; !taken;) {
    const client = gateway.client();
    try {
      await client.connect();
      await client.call("chat.send", {
        sessionKey: "main",
        message: `question ${name}`,
        idempotencyKey: `run-${name}`,
      });
      taken = true;
    } catch {
      // Nobody is there, or it stops this moment: not acknowledged, so it is sent again.
      await Bun.sleep(50);
    } finally {
      client.close();
    }
  }
  await gateway.answered(name);
}

/** Asks all the time whether somebody is there. The end gives the longest time in ms that nobody was. */
export function poll({ port }: Gateway): { end(): Promise<number> } {
  let over = false;
  let longest = 0;
  let last = performance.now();
  const looking = (async () => {
    while (!over) {
      const there = await fetch(`http://127.0.0.1:${port}/healthz`).then(
        (response) => response.ok,
        () => false,
      );
      const now = performance.now();
      longest = Math.max(longest, now - last);
      if (there) last = now;
      await Bun.sleep(20);
    }
  })();
  return {
    async end() {
      over = true;
      await looking;
      return longest;
    },
  };
}

/** Looks without a pause: the moments are short. Throws when none comes. */
export async function until(moment: () => boolean): Promise<void> {
  const limit = performance.now() + 30_000;
  while (!moment()) {
    if (performance.now() > limit) throw new Error("the moment did not come");
    await new Promise((next) => setImmediate(next));
  }
}
