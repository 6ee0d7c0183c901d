/** Our image, built once per test process from the repository's own Dockerfile, with the executable under test in dist/. */
import { copyFileSync, mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";

import { BINARY } from "../../e2e/binary.ts";
import { copyTree, treeFiles } from "../tree.ts";
import { type Engine, out, sharedEngine } from "./engine.ts";

/** The name that the guides, docker-setup.sh and docker-compose.yml use. */
export const IMAGE = "clawdbot:local";

/** A copy of the repository as a user has it, with the executable under test as dist/clawdbot. `docker build .` works in it. */
export function buildContext(engine: Pick<Engine, "dir">, files = contextFiles()): string {
  const dir = copyTree(mkdtempSync(join(engine.dir, "context-")), files);
  mkdirSync(join(dir, "dist"));
  copyFileSync(BINARY, join(dir, "dist/clawdbot"));
  return dir;
}

/** Without what .dockerignore leaves out anyway. */
const contextFiles = (): string[] =>
  treeFiles().filter((name) => !/^(?:test|bench|docs\/images)\//.test(name));

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
