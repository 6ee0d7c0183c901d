/** What the gateway needs from the rest of the running system. Filled in app.ts; tests fill it with the same parts. */
import type { Bus } from "../base/bus.ts";
import type { AppError } from "../base/errors.ts";
import type { AccountView } from "../channels/accounts.ts";
import type { ChannelActions } from "../channels/action.ts";
import type { Accepted, ChannelFacts, Probe } from "../channels/channel.ts";
import type { Logins } from "../channels/logins.ts";
import type { NetworkId } from "../channels/registry.ts";
import type { Config } from "../config/schema.ts";
import type { ConfigSnapshot } from "../config/snapshot.ts";
import type { Address, Inbound, Receipt, SessionKey, ToolCall, TurnEvent } from "../flow.ts";
import type { ModelInfo } from "../providers/provider.ts";
import type { RunOutcome } from "../sessions/waits.ts";
import type { NewOutbox, PairingRow, Store } from "../store/store.ts";
import type { WizardDesk } from "../wizard/desk.ts";

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

/** The chat networks, as methods may use them. Filled in messaging.ts. */
export interface MessagingPort {
  /** Every account that the config or the environment names, running or not. */
  accounts(): Promise<AccountView[]>;
  /** What is known of a network without its library. */
  facts(channel: NetworkId): Promise<ChannelFacts<never>>;
  /** One round trip with the credential of a running account. Throws `channel_unreachable` for one that does not run. */
  probe(at: Pick<Address, "channel" | "account">, timeoutMs: number): Promise<Probe>;
  /** Signs in and out; stops the account before and starts it again after. */
  logins: Logins;
  /** What the running account can do. Throws `channel_unreachable` for one that does not run. */
  capabilities(
    at: Pick<Address, "channel" | "account">,
  ): (keyof ChannelActions | "send" | "typing")[];
  /**
   * Puts the message into the outbox and resolves with the platform's ids when it was confirmed. The same key is the same message.
   * Throws the channel's error.
   */
  send(out: NewOutbox): Promise<Receipt>;
  /** One action of the table in channels/acting.ts, by its name. Throws `bad_request` for one that the channel does not have. */
  act(name: string, at: Address, params: Record<string, unknown>): Promise<unknown>;
  pairing: {
    list(channel?: string): Promise<PairingRow[]>;
    /** `notify`: tells the person. Undefined: nobody waits with this code. */
    approve(code: string, channel?: string, notify?: boolean): Promise<PairingRow | undefined>;
    dismiss(code: string): Promise<boolean>;
    allowed(): Promise<{ channel: string; account: string; sender: string; addedAt: number }[]>;
    revoke(row: { channel: string; account: string; sender: string }): Promise<boolean>;
  };
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
  messaging: MessagingPort;
  info: GatewayInfo;
  /** False until the store is open and recovery has begun; `/readyz` says so. */
  ready(): { ready: boolean; failing: string[] };
  /** Ends the instance and starts it anew in the same process. Absent: nobody can. */
  restart?(reason: string): void;
  /** Set-ups for clients without a terminal. Absent: there are none. */
  wizard?: WizardDesk;
  /** Ends the instance, and lets the program's file take over, which is another version by now. Absent: nobody can. */
  replace?(): void;
  /** The real path of that file; with `replace` only. */
  program?: string | undefined;
  /** Called for every error that the gateway answers with, for the log. */
  failed?(error: AppError): void;
}

/** What the gateway listens to on the in-process bus. */
export type GatewayEvents = {
  run: RunEvent;
  "pairing.requested": PairingEvent;
  "pairing.resolved": PairingEvent;
  channels: { channel: string; accountId: string };
};
/** Whose pairing it is; nothing that a stranger chose but the id. */
export type PairingEvent = { channel: string; accountId: string; id: string };
export type GatewayBus = Pick<Bus<GatewayEvents>, "on">;

/** Read at every use, so that a changed file counts at once. */
export interface ConfigPort {
  current(): Config;
  /** The file as it was last read, masked. */
  snapshot(): ConfigSnapshot;
  /** The config is made by Nix, so clients show it read-only. Absent: it is not. */
  readonly nixMode?: boolean;
}
