/** Containers of our image for the tests of this folder: start one, wait for what it says or becomes, look at it from outside. */
import { randomBytes } from "node:crypto";

import { watch } from "../../e2e/child.ts";
import { type Ran, runAsync } from "../lab.ts";
import { type Engine, out } from "./engine.ts";
import { IMAGE } from "./image.ts";

/** A secret that nothing else has. */
export const TOKEN = randomBytes(32).toString("hex");

/** How long an event may take, in seconds; a health check comes every ten. */
const PATIENCE_S = 60;

export type Container = {
  name: string;
  exec(words: string[], options?: { user?: string; input?: string }): Promise<Ran>;
  /** Everything that it wrote so far, in all its lives. */
  logs(): Promise<Ran>;
  /** Resolves when its log has the text `times` times; rejects with the log when the container ends first. */
  logged(text: string | RegExp, times?: number): Promise<void>;
  /** Resolves when Docker's own health check says so. */
  healthy(): Promise<void>;
  /** Resolves when Docker has started it so many times, the first time included. */
  started(times: number): Promise<void>;
  /** A part of `docker inspect`, by a Go template. */
  inspect(template: string): Promise<string>;
  /** What a program on the host sees at a port: status and body. */
  fetch(url: string, ...curl: string[]): Promise<string>;
  remove(): Promise<void>;
};

/** The container of this name, whoever started it. */
export function containerOf(engine: Engine, name: string): Container {
  const { docker, env } = engine;
  const happened = (event: string, line: RegExp, times: number): Promise<void> => {
    const filters = ["--filter", `container=${name}`, "--filter", `event=${event}`];
    const until = String(Math.ceil(Date.now() / 1000) + PATIENCE_S);
    const events = ["docker", "events", "--since", "1", "--until", until, ...filters];
    return follow([...events, "--format", "{{.Action}}"], env, line, times);
  };
  return {
    name,
    exec: (words, { user, input } = {}) =>
      docker(
        [
          "exec",
          ...(input === undefined ? [] : ["-i"]),
          ...(user ? ["-u", user] : []),
          name,
        ].concat(words),
        input === undefined ? {} : { input },
      ),
    logs: () => docker(["logs", name]),
    logged: (text, times = 1) => follow(["docker", "logs", "-f", name], env, text, times),
    healthy: () => happened("health_status", /health_status: healthy/g, 1),
    started: (times) => happened("start", /^start$/gm, times),
    inspect: async (template) => out(await docker(["inspect", "-f", template, name])),
    fetch: async (url, ...curl) =>
      out(
        await runAsync(
          engine.inNamespace(["curl", "-sS", "-g", "-w", " %{http_code}", ...curl, url]),
        ),
      ),
    async remove() {
      await docker(["rm", "-f", "-v", name]);
    },
  };
}

/** Runs our image detached with these words for `docker run`, then the command, if any. Its name is one of its own. */
export async function runImage(
  engine: Engine,
  words: string[] = [],
  command: string[] = [],
  image = IMAGE,
): Promise<Container> {
  const name = `t-${randomBytes(6).toString("hex")}`;
  const token = ["-e", `CLAWDBOT_GATEWAY_TOKEN=${TOKEN}`];
  out(await engine.docker(["run", "-d", "--name", name, ...token, ...words, image, ...command]));
  return containerOf(engine, name);
}

/** Runs our image to its end. */
export const runOnce = (engine: Engine, words: string[], command: string[] = []): Promise<Ran> =>
  engine.docker(["run", "--rm", ...words, IMAGE, ...command]);

/** Resolves when a command has said `what` so many times; the command is ended then. Rejects with what it said when it ends first. */
async function follow(
  command: string[],
  env: Record<string, string>,
  what: string | RegExp,
  times: number,
): Promise<void> {
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe", env });
  const { seen, ended } = watch(child);
  try {
    await seen(what, times);
  } finally {
    child.kill();
    await ended;
  }
}
