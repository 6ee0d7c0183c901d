import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Bus } from "../../src/base/bus.ts";
/** A real gateway on a free port with a real store in memory; only the answering of messages is scripted. */
import { readEnv } from "../../src/base/env.ts";
import type { Logger } from "../../src/base/log.ts";
import { findPaths } from "../../src/base/paths.ts";
import type { Accepted } from "../../src/channels/channel.ts";
import { loadConfig } from "../../src/config/load.ts";
import { type Config, ConfigSchema } from "../../src/config/schema.ts";
import { snapshotOf } from "../../src/config/snapshot.ts";
import type { Inbound, SessionKey, TurnEvent } from "../../src/flow.ts";
import type {
  GatewayAuth,
  GatewayEvents,
  GatewayPorts,
  LiveRun,
  RunEnd,
} from "../../src/gateway/ports.ts";
import { type GatewayOptions, startGateway } from "../../src/gateway/server.ts";
import { canonicalKey } from "../../src/protocol/session-key.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import type { Store } from "../../src/store/store.ts";
import { FakeMessaging } from "./messaging.ts";

export const TOKEN = "correct-horse-battery-staple-42";

export type LogLine = { level: string; message: string; data?: Record<string, unknown> };

export function recordingLog(lines: LogLine[]): Logger {
  const at = (level: string) => (message: string, data?: Record<string, unknown>) =>
    void lines.push({ level, message, ...(data ? { data } : {}) });
  return {
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: at("debug"),
    child: () => recordingLog(lines),
  };
}

const NO_USAGE = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };

/** Takes messages into the store like the real one; a test then says what the run does. */
export class ScriptedRuns {
  readonly submitted: Inbound[] = [];
  readonly liveRuns: LiveRun[] = [];
  readonly queuedRuns: { runId: string; text: string; at: number }[] = [];
  private readonly seqs = new Map<string, number>();
  private readonly ends = new Map<string, PromiseWithResolvers<RunEnd>>();
  private readonly keys = new Map<string, SessionKey>();

  constructor(
    private readonly store: Store,
    private readonly bus: Bus<GatewayEvents>,
  ) {}

  async submit(inbound: Inbound): Promise<Accepted> {
    const sessionKey = canonicalKey(inbound.wish?.sessionKey ?? "main", { agentId: "main" })!;
    const route = {
      kind: "turn" as const,
      agentId: "main",
      sessionKey,
      reply: inbound.from,
      matchedBy: "client",
      trust: "owner" as const,
    };
    const { turn, duplicate } = await this.store.inbound.accept(inbound, route, inbound.id);
    if (!duplicate) {
      this.submitted.push(inbound);
      this.keys.set(inbound.id, sessionKey);
      this.endOf(inbound.id);
    }
    return { runId: turn!.id, duplicate };
  }

  async abort(key: SessionKey, runId?: string): Promise<string[]> {
    const ids = [...this.keys].filter(([id, k]) => k === key && (!runId || id === runId));
    for (const [id] of ids) await this.end(id, { status: "aborted" });
    return ids.map(([id]) => id);
  }

  wait(runId: string, timeoutMs: number): Promise<RunEnd | undefined> {
    const known = this.ends.get(runId);
    if (!known) return Promise.resolve(undefined);
    return Promise.race([known.promise, Bun.sleep(timeoutMs).then(() => undefined)]);
  }

  live(key: SessionKey): LiveRun[] {
    return this.liveRuns.filter((run) => run.sessionKey === key);
  }

  queued(): { runId: string; text: string; at: number }[] {
    return this.queuedRuns;
  }

  emit(runId: string, event: TurnEvent, sessionKey = "agent:main:main"): void {
    const seq = (this.seqs.get(runId) ?? 0) + 1;
    this.seqs.set(runId, seq);
    this.bus.emit("run", {
      runId,
      agentId: "main",
      sessionKey: sessionKey as SessionKey,
      sessionId: "s",
      seq,
      at: Date.now(),
      event,
    });
  }

  say(runId: string, delta: string): void {
    this.emit(runId, { type: "text", delta });
  }

  async end(runId: string, end: Omit<RunEnd, "runId">): Promise<void> {
    const at = Date.now();
    await this.store.turns.finish(runId, {
      state: end.status === "ok" ? "done" : end.status === "aborted" ? "aborted" : "failed",
      at,
      entries: [],
      ...(end.error ? { error: end.error } : {}),
      outbox: [],
    });
    this.emit(runId, { type: "end", status: end.status, usage: NO_USAGE, at });
    this.keys.delete(runId);
    this.endOf(runId).resolve({ runId, startedAt: at, endedAt: at, ...end });
  }

  private endOf(runId: string): PromiseWithResolvers<RunEnd> {
    const known = this.ends.get(runId) ?? Promise.withResolvers<RunEnd>();
    this.ends.set(runId, known);
    return known;
  }
}

export type Rig = Awaited<ReturnType<typeof openRig>>;

/** `config` is what stands in the file; it may be replaced while the gateway runs. */
export async function openRig(
  options: Partial<GatewayOptions> & {
    file?: object;
    auth?: () => GatewayAuth;
    unix?: boolean;
  } = {},
) {
  const { file = {}, unix, ...rest } = options;
  const logs: LogLine[] = [];
  const log = recordingLog(logs);
  const stateDir = mkdtempSync(join(tmpdir(), "gw-"));
  const store = await openSqlite({ path: ":memory:", log });
  const bus = new Bus<GatewayEvents>();
  const runs = new ScriptedRuns(store, bus);
  const messaging = new FakeMessaging(store);
  const state = { config: ConfigSchema.parse(file) as Config };
  const model = {
    ref: "demo/demo",
    provider: "demo",
    id: "demo",
    name: "Demo",
    contextWindow: 100_000,
    maxTokens: 1_000,
    reasoning: false,
    input: ["text" as const],
  };
  const readiness = { ready: true, failing: [] as string[] };
  const ports: GatewayPorts = {
    store,
    runs,
    messaging,
    models: {
      list: async () => [model],
      defaultRef: async () => model.ref,
      find: async () => model,
    },
    info: {
      version: "1.2.3",
      stateDir,
      configPath: join(stateDir, "clawdbot.json"),
      logFile: join(stateDir, "gateway.log"),
      bootId: "boot-1",
      startedAt: Date.now(),
      defaultAgentId: "main",
    },
    ready: () => readiness,
  };
  const env = readEnv({ CLAWDBOT_STATE_DIR: stateDir });
  const loaded = await loadConfig({
    env,
    paths: findPaths(env, stateDir),
    text: JSON.stringify(file),
  });
  const gateway = await startGateway({
    ports,
    config: {
      current: () => state.config,
      snapshot: () => snapshotOf(loaded),
    },
    auth: () => ({ mode: "token", token: TOKEN }),
    bus,
    log,
    hosts: ["127.0.0.1"],
    port: 0,
    ...(unix ? { socketPath: join(stateDir, "gateway.sock") } : {}),
    ...rest,
  });
  const http = `http://127.0.0.1:${gateway.port}`;
  return {
    gateway,
    store,
    bus,
    runs,
    messaging,
    logs,
    state,
    stateDir,
    readiness,
    http,
    url: `ws://127.0.0.1:${gateway.port}/`,
    async close() {
      await gateway.stop();
      await store.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
    async [Symbol.asyncDispose]() {
      await this.close();
    },
  };
}
