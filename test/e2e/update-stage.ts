/** A home with an installed version, and the versions that it may be updated to; what the update tests have in common. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import pkg from "../../package.json";
import { startAnthropic } from "../fakes/anthropic.ts";
import { emptyHome, type Home } from "./binary.ts";
import {
  type Gateway,
  installed,
  NEVER_READY,
  NEWER_SCHEMA,
  openRig,
  type Rig,
  run,
  startGateway,
} from "./update-rig.ts";

export const OLD = pkg.version;
/** With another form of the database. */
export const NEW = "2099.1.1";
/** The same, and never ready but in a trial. */
export const HANGS = "2099.1.2";
export const TARGET = `${process.platform}-${process.arch}`;

export class Stage {
  home!: Home;
  /** The installed one. */
  program!: string;
  gateway: Gateway | undefined;
  readonly programs: Record<string, string> = {};

  private constructor(
    readonly rig: Rig,
    readonly fake: Awaited<ReturnType<typeof startAnthropic>>,
    /** `question held` is answered when this is called. */
    readonly release: () => void,
  ) {}

  static async open(): Promise<Stage> {
    const held = Promise.withResolvers<void>();
    const fake = await startAnthropic({
      script: async ({ body }) => {
        const asked = [...JSON.stringify(body.messages).matchAll(/question (\w+)/g)];
        const name = asked.at(-1)?.[1];
        if (name === "held") await held.promise;
        return { text: `answer ${name}.` };
      },
    });
    return new Stage(await openRig(), fake, () => held.resolve());
  }

  async build(): Promise<void> {
    const { rig, programs } = this;
    programs[OLD] = await rig.build(OLD);
    programs[NEW] = await rig.build(NEW, NEWER_SCHEMA);
    programs[HANGS] = await rig.build(HANGS, [...NEWER_SCHEMA, ...NEVER_READY]);
  }

  /** An empty home with the old version. */
  fresh(): void {
    const home = emptyHome();
    const { fake, rig } = this;
    mkdirSync(home.state, { mode: 0o700 });
    writeFileSync(
      join(home.state, "clawdbot.json"),
      JSON.stringify({
        gateway: { mode: "local" },
        logging: { file: join(home.dir, "gateway.log") },
        agents: { defaults: { model: "anthropic/claude-sonnet-4-5" } },
        models: { providers: { anthropic: { baseUrl: fake.url, apiKey: "sk-ant-test-key" } } },
      }),
    );
    this.home = home;
    this.program = installed(this.programs[OLD]!, join(home.dir, "bin"), rig.url);
  }

  async start(): Promise<Gateway> {
    return (this.gateway = await startGateway(this.program, this.home));
  }

  async clear(): Promise<void> {
    this.rig.fault = undefined;
    await this.gateway?.end();
    this.gateway = undefined;
    this.home?.remove();
  }

  async close(): Promise<void> {
    await this.fake.stop();
    await this.rig.stop();
  }

  /** `update <words> --json`. */
  async update(...words: string[]) {
    const done = await run(this.program, ["update", ...words, "--json"], this.home);
    // oxlint-disable-next-line no-explicit-any
    return { ...done, json: JSON.parse(done.stdout) as Record<string, any> };
  }

  async versionOf(path = this.program): Promise<string> {
    return (await run(path, ["--version"], this.home)).stdout.trim();
  }

  get database(): string {
    return join(this.home.state, "clawdbot.sqlite");
  }

  /** Where a download lies. */
  get work(): string {
    return join(this.home.dir, "bin/.clawdbot-install");
  }

  /** Nothing of a download or of a trial is left, and of what is written down only these. */
  noLeftovers(...but: string[]): void {
    expect(existsSync(this.work)).toBe(false);
    const folder = join(this.home.state, "update");
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual(but);
  }
}
