/** hello-ok: what a client learns when it is let in. */
import { hostname } from "node:os";

import { MAX_BUFFERED, MAX_PAYLOAD, TICK_MS } from "../protocol/frames.ts";
import { ATTACHMENT_BYTES } from "./attachments.ts";
import type { Connection, Identity } from "./connection.ts";
import type { Health } from "./health.ts";
import type { ConfigPort, GatewayInfo } from "./ports.ts";
import type { Presence } from "./presence.ts";
import { sessionDefaults } from "./session-rows.ts";

/** Every event that a client can get, and what it says; the feature list of hello-ok and the reference page come from here. */
export const EVENTS = {
  "connect.challenge":
    "The first frame on a connection: `nonce`, which a device signs, and `ts`. The only event before `connect`.",
  agent:
    "One step of a run: `runId`, `seq`, `sessionKey`, `ts`, `stream` and its `data`. Streams: `lifecycle` (phases `start`, `end`, `error`), `assistant` (the text so far and `delta`), `tool` (phases `start`, `update`, `result`; for clients with the capability `tool-events`, and in verbose sessions for all); with protocol 4 also `model`, `thinking` and `message`.",
  chat: "The answer of a run for a chat window: `runId`, `sessionKey`, `seq` and `state`: `delta` (the text so far, at most every 150 ms), then once `final`, `aborted` or `error`.",
  presence: "Somebody connected or left; `presence` lists all that are there.",
  tick: "Every 30 seconds, so that a dead connection is noticed: `ts`.",
  shutdown:
    "The gateway stops: `reason`, and `restartExpectedMs` when it will be back. The connections close right after.",
  health: "The answer of the method `health`, once a minute.",
  "pairing.requested":
    "A stranger was given a code: `channel`, `accountId` and the sender's `id`. For clients that may let people in.",
  "pairing.resolved":
    "A stranger was let in, sent away, or somebody's approval was taken back: the same keys.",
  channels:
    "The state of an account of a channel changed: `channel` and `accountId`; ask `channels.status`.",
} as const satisfies Record<string, string>;

export type HelloSource = {
  info: GatewayInfo;
  config: ConfigPort;
  presence: Presence;
  health: Health;
  methods: string[];
  authMode(): string;
  now(): number;
};

/** `method` is how the client signed in. Only protocol 4 hears of it, and only an admin of paths. */
export function helloFor(
  { id }: Connection,
  identity: Identity,
  method: string,
  source: HelloSource,
): Record<string, unknown> {
  const { info, config, presence, health, now } = source;
  const modern = identity.protocol === 4;
  const paths = !modern || identity.scopes.has("operator.admin");
  const server = {
    version: info.version,
    connId: id,
    host: hostname(),
    ...(modern ? { bootId: info.bootId, controlUiBuildSource: "configured" } : {}),
  };
  const snapshot = {
    presence: presence.list(),
    health: health.last,
    stateVersion: { presence: presence.version, health: health.version },
    uptimeMs: now() - info.startedAt,
    ...(paths ? { configPath: info.configPath, stateDir: info.stateDir } : {}),
    sessionDefaults: sessionDefaults(config.current(), info.defaultAgentId),
    ...(config.nixMode ? { nixMode: true } : {}),
    ...(modern ? { authMode: source.authMode(), appliedConfigHash: config.snapshot().hash } : {}),
  };
  const policy = {
    maxPayload: MAX_PAYLOAD,
    maxBufferedBytes: MAX_BUFFERED,
    tickIntervalMs: TICK_MS,
    ...(modern
      ? {
          attachments: { maxBytes: ATTACHMENT_BYTES, maxImageBytes: ATTACHMENT_BYTES },
          allowedSessionVisibilities: [],
          hasMultipleSessionSharingIdentities: false,
        }
      : {}),
  };
  return {
    type: "hello-ok",
    protocol: identity.protocol,
    server,
    features: {
      methods: source.methods,
      events: Object.keys(EVENTS),
      ...(modern ? { capabilities: [] } : {}),
    },
    snapshot,
    ...(modern ? { auth: { method, role: identity.role, scopes: [...identity.scopes] } } : {}),
    policy,
  };
}
