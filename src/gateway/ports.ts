/** What the gateway needs from the rest of the running system. Filled in app.ts; tests fill it with the same parts. */
import type { Bus } from "../base/bus.ts";
import type { AppError } from "../base/errors.ts";
import type { Accepted } from "../channels/channel.ts";
import type { Config } from "../config/schema.ts";
import type { ConfigSnapshot } from "../config/snapshot.ts";
import type { Inbound, SessionKey, ToolCall, TurnEvent } from "../flow.ts";
import type { ModelInfo } from "../providers/provider.ts";
import type { RunOutcome } from "../sessions/waits.ts";
import type { Store } from "../store/store.ts";

/** One event of a run on the in-process bus. `seq` is contiguous from 1 per run. */
export type RunEvent = {
  runId: string;
  agentId: string;
  sessionKey: SessionKey;
  sessionId: string;
  seq: number;
  at: number;
  event: TurnEvent;
};

/** What a run has streamed so far and the transcript does not have yet: a page that reloads in the middle shows it at once. */
export type LiveRun = {
  runId: string;
  sessionKey: SessionKey;
  startedAt: number;
  text: string;
  thinking: string;
  tools: { call: ToolCall; output?: string }[];
};

export type { RunOutcome as RunEnd };

export interface Runs {
  /** Takes a message that a signed-in client typed. Resolves when it is durable; throws AppError when it was not taken. */
  submit(inbound: Inbound): Promise<Accepted>;
  /** Stops the running and waiting turns of a session (or just `runId`). Gives the ids that were stopped. */
  abort(sessionKey: SessionKey, runId?: string): Promise<string[]>;
  /** Resolves when the run is over, or with undefined after `timeoutMs` or for an id that was never accepted. */
  wait(runId: string, timeoutMs: number): Promise<RunOutcome | undefined>;
  /** Runs in progress of one session, oldest first. */
  live(sessionKey: SessionKey): LiveRun[];
  /** Accepted messages that wait behind the running turn, oldest first; they are not in the transcript yet. */
  queued(sessionKey: SessionKey): { runId: string; text: string; at: number }[];
}

export interface ModelCatalog {
  list(): Promise<ModelInfo[]>;
  /** The model that an agent uses when nobody chose, e.g. `demo/demo`. */
  defaultRef(agentId: string): Promise<string>;
  /** Throws bad_request with the allowed refs when the text names no usable model. */
  find(text: string): Promise<ModelInfo>;
}

/** One secret of the gateway. Read at every check, so that a rotated secret works at once. */
export type GatewayAuth = {
  mode: "none" | "token" | "password";
  token?: string;
  password?: string;
};

export type GatewayInfo = {
  version: string;
  stateDir: string;
  configPath: string;
  logFile: string;
  bootId: string;
  startedAt: number;
  defaultAgentId: string;
};

export interface GatewayPorts {
  store: Store;
  runs: Runs;
  models: ModelCatalog;
  info: GatewayInfo;
  /** False until the store is open and recovery has begun; `/readyz` says so. */
  ready(): { ready: boolean; failing: string[] };
  /** Ends the instance and starts it anew in the same process. Absent: nobody can. */
  restart?(reason: string): void;
  /** Called for every error that the gateway answers with, for the log. */
  failed?(error: AppError): void;
}

/** What the gateway listens to on the in-process bus. */
export type GatewayEvents = { run: RunEvent };
export type GatewayBus = Pick<Bus<GatewayEvents>, "on">;

/** Read at every use, so that a changed file counts at once. */
export interface ConfigPort {
  current(): Config;
  /** The file as it was last read, masked. */
  snapshot(): ConfigSnapshot;
  /** The config is made by Nix, so clients show it read-only. Absent: it is not. */
  readonly nixMode?: boolean;
}
