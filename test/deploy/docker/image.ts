/** Our image, built once per test process from the repository's own Dockerfile, with the executable under test in dist/. */
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { BINARY } from "../../e2e/binary.ts";
import { run } from "../lab.ts";
import { type Engine, out, sharedEngine } from "./engine.ts";

export const ROOT = resolve(import.meta.dir, "../../..");
/** The name that the guides, docker-setup.sh and docker-compose.yml use. */
export const IMAGE = "clawdbot:local";

/** A copy of the repository as a user has it, with the executable under test as dist/clawdbot. `docker build .` works in it. */
export function buildContext(engine: Pick<Engine, "dir">, files = sourceFiles()): string {
  const dir = mkdtempSync(join(engine.dir, "context-"));
  for (const name of files) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    cpSync(join(ROOT, name), join(dir, name), { preserveTimestamps: true });
  }
  mkdirSync(join(dir, "dist"));
  copyFileSync(BINARY, join(dir, "dist/clawdbot"));
  return dir;
}

/** What git has or would take, without the tests. */
const sourceFiles = (): string[] =>
  run(["git", "ls-files", "-co", "--exclude-standard"], { cwd: ROOT })
    .stdout.split("\n")
    .filter((name) => name && !/^(?:test|bench|docs)\//.test(name) && existsSync(join(ROOT, name)));

const shared: { image?: Promise<Image> } = {};
export type Image = { engine: Engine; context: string };

/** `IMAGE` in the engine of this test process. Tests share it, so none may change or remove it. */
export const sharedImage = (): Promise<Image> => (shared.image ??= buildShared());

async function buildShared(): Promise<Image> {
  const engine = await sharedEngine();
  const context = buildContext(engine);
  await engine.online(async () =>
    out(await engine.docker(["build", "-t", IMAGE, "-f", "Dockerfile", "."], { cwd: context })),
  );
  return { engine, context };
}
