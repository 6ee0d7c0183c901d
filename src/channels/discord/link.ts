/**
 * The connection to Discord's gateway, kept alive: the library resumes by itself, and this watches it. It slows it down when
 * connecting fails, replaces a client whose socket has gone deaf, and gives up only where a person must act.
 */
import { Client, type ClientOptions, Events, Options } from "discord.js";

import { toAppError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { pause, systemClock } from "../../base/time.ts";
import type { ChannelStatus } from "../status.ts";
import { type Dispatch, GuardedStrategy } from "./guard.ts";

export type LinkDeps = {
  token: string;
  root: string;
  intents: number;
  log: Logger;
  /** Every event, in order. `session` names the connection that its number `s` counts in. */
  dispatch(packet: Dispatch & { session: string }): void;
  status(patch: Partial<ChannelStatus>): void;
  /** The platform closed for good with this code. */
  fatal(code: number): void;
  /** How often one may still sign in. Throws what `Api` throws. */
  starts(signal: AbortSignal): Promise<{ remaining: number; resetMs: number }>;
};

/** Why a client came to its end, when nobody asked it to. */
type End = { fatal: number } | { again: string };

/** Closes after which the same would only happen again: a bad token, wrong shards, a wrong version, intents that are not allowed. */
const FATAL: ReadonlySet<number> = new Set([4004, 4010, 4011, 4012, 4013, 4014]);
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 300_000;
/** A connection that lasted so long was a good one. */
const GOOD_MS = 60_000;
const HELLO_MS = 30_000;
/** Until the session begins or goes on. */
const READY_MS = 60_000;
/** Between two heartbeats, until it has been measured; what the platform has always asked for. */
const USUAL_BEAT_MS = 41_250;
const GOODBYE_MS = 1_000;

export class Link {
  private readonly over = new AbortController();
  private readonly life: Promise<void>;
  private client: Client | undefined;
  /** Attempts since the last good connection. */
  private tries = 0;
  private upAt: number | undefined;

  constructor(private readonly deps: LinkDeps) {
    this.life = this.live();
  }

  /** The client of now, for what it knows of servers and channels. */
  get current(): Client | undefined {
    return this.client;
  }

  async stop(): Promise<void> {
    this.over.abort();
    await this.life;
  }

  private async live(): Promise<void> {
    const { signal } = this.over;
    while (!signal.aborted) {
      const end = await this.once().catch((cause: unknown): End => ({
        again: toAppError(cause).message,
      }));
      if (signal.aborted) return;
      if ("fatal" in end) return this.deps.fatal(end.fatal);
      this.deps.log.warn("the connection is made anew", { reason: end.again });
      this.deps.status({ lastDisconnect: { at: Date.now(), error: end.again } });
    }
  }

  /** One client from its sign-in to its end. */
  private async once(): Promise<End> {
    const { deps } = this;
    const { signal } = this.over;
    if (!(await this.mayStart())) return { again: "stopped" };
    const { promise, resolve: ended } = Promise.withResolvers<End>();
    const watch = new Watch((reason) => ended({ again: reason }));
    let strategy: GuardedStrategy | undefined;
    let session = "";
    let first = true;
    const client = new Client({
      ...clientOptions(deps),
      ws: {
        buildStrategy: (manager) =>
          (strategy = new GuardedStrategy(manager, {
            mayConnect: async () => {
              // For the first one, `mayStart` has waited.
              if (!first && !(await this.mayConnect())) return false;
              first = false;
              watch.connecting();
              return true;
            },
            hello: () => watch.hello(),
            dispatch: (packet) => {
              deps.status({ lastEventAt: Date.now() });
              if (packet.t === "READY") session = sessionOf(packet.d);
              // Only a session has events; after a resume they come before the word that it is one.
              if (this.upAt === undefined) {
                watch.up();
                this.isUp();
              }
              deps.dispatch({ ...packet, session });
            },
            ack: (beat) => {
              watch.ack(beat.heartbeatAt);
              deps.status({ lastEventAt: Date.now(), roundTripMs: beat.latency });
            },
            closed: (code) => {
              watch.down();
              this.isDown(code);
              if (FATAL.has(code)) ended({ fatal: code });
            },
            broke: (cause, fatal) => {
              deps.log.warn("the library failed", { error: toAppError(cause).message });
              if (fatal) ended({ again: "the library failed" });
            },
          })),
      },
    });
    this.client = client;
    const noted = (error: Error) => deps.log.debug("socket error", { error: error.message });
    client.on(Events.Error, noted);
    client.on(Events.ShardError, noted);
    const stop = () => ended({ again: "stopped" });
    signal.addEventListener("abort", stop, { once: true });
    client.login(deps.token).catch((cause: unknown) => ended({ again: toAppError(cause).message }));
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", stop);
      watch.stop();
      this.client = undefined;
      await goodbye(client, strategy);
      if (this.upAt !== undefined) this.isDown();
    }
  }

  /** Waits as long as the platform allows no sign-in. A sign-in too many costs the bot its token. */
  private async mayStart(): Promise<boolean> {
    const { signal } = this.over;
    if (!(await this.mayConnect())) return false;
    const { remaining, resetMs } = await this.deps.starts(signal);
    if (remaining > 0) return !signal.aborted;
    const until = new Date(Date.now() + resetMs).toISOString();
    this.deps.log.error("Discord allows no more sign-ins for now", { until });
    this.deps.status({ lastError: `Discord allows no more sign-ins of this bot until ${until}.` });
    const waited = await pause(systemClock, resetMs + 1_000, signal);
    if (waited) this.deps.status({ lastError: undefined });
    return waited;
  }

  /** The first attempt and the one after it at once, the next ones with growing pauses. */
  private async mayConnect(): Promise<boolean> {
    const { signal } = this.over;
    const n = this.tries++;
    if (n > 0) this.deps.status({ reconnectAttempts: n });
    if (signal.aborted) return false;
    if (n < 2) return true;
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(n - 2, 10));
    return pause(systemClock, longest * (0.5 + Math.random() / 2), signal);
  }

  private isUp(): void {
    const now = Date.now();
    this.upAt = now;
    this.deps.status({
      connected: true,
      lastConnectedAt: now,
      lastError: undefined,
      reconnectAttempts: 0,
    });
  }

  private isDown(code?: number): void {
    const now = Date.now();
    if (this.upAt !== undefined && now - this.upAt > GOOD_MS) this.tries = 0;
    this.upAt = undefined;
    this.deps.status({
      connected: false,
      ...(code !== undefined && { lastDisconnect: { at: now, status: code } }),
    });
  }
}

/** The timers of one client. Whoever is quiet for too long is given up. */
class Watch {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private beatMs = USUAL_BEAT_MS;
  private lastBeat: number | undefined;

  constructor(private readonly dead: (reason: string) => void) {}

  connecting(): void {
    this.lastBeat = undefined;
    this.arm(HELLO_MS, "Discord said nothing for 30 s");
  }

  hello(): void {
    this.arm(READY_MS, "no session began within 60 s");
  }

  up(): void {
    this.listen();
  }

  ack(heartbeatAt: number): void {
    if (this.lastBeat !== undefined) this.beatMs = Math.max(1, heartbeatAt - this.lastBeat);
    this.lastBeat = heartbeatAt;
    this.listen();
  }

  down(): void {
    this.lastBeat = undefined;
    // The library connects again by itself, after a pause of at most five minutes.
    this.arm(LONGEST_PAUSE_MS + READY_MS, "no connection was tried any more");
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  /** Two unanswered heartbeats are enough; half a one more, because the library may notice it too and resume. */
  private listen(): void {
    this.arm(this.beatMs * 2.5, "heartbeats were not answered");
  }

  private arm(ms: number, reason: string, again = true): void {
    clearTimeout(this.timer);
    const due = Date.now() + ms;
    this.timer = setTimeout(() => {
      // A timer that is late by more than its own time: this process slept, and what came meanwhile is still to be read.
      if (again && Date.now() - due > ms) return this.arm(ms, reason, false);
      this.dead(reason);
    }, ms);
  }
}

/** Small caches: events are read as they come, and only what a channel is called and where it belongs is looked up later. */
function clientOptions({ root, intents }: LinkDeps): Omit<ClientOptions, "ws"> {
  const none = { maxSize: 0 };
  return {
    intents,
    shards: [0],
    shardCount: 1,
    presence: { status: "online" },
    waitGuildTimeout: 5_000,
    rest: { api: root, version: "10", timeout: 15_000 },
    makeCache: Options.cacheWithLimits({
      ApplicationCommandManager: 0,
      ApplicationEmojiManager: 0,
      AutoModerationRuleManager: 0,
      BaseGuildEmojiManager: 0,
      DMMessageManager: 0,
      EntitlementManager: 0,
      GuildBanManager: 0,
      GuildEmojiManager: 0,
      GuildForumThreadManager: 0,
      GuildInviteManager: 0,
      GuildMemberManager: {
        ...none,
        keepOverLimit: (member) => member.id === member.client.user.id,
      },
      GuildMessageManager: 0,
      GuildScheduledEventManager: 0,
      GuildStickerManager: 0,
      GuildTextThreadManager: 0,
      MessageManager: 0,
      PresenceManager: 0,
      ReactionManager: 0,
      ReactionUserManager: 0,
      StageInstanceManager: 0,
      ThreadMemberManager: 0,
      UserManager: { ...none, keepOverLimit: (user) => user.id === user.client.user?.id },
      VoiceStateManager: 0,
    }),
  };
}

const sessionOf = (d: unknown): string =>
  typeof d === "object" && d !== null && "session_id" in d ? String(d.session_id) : "";

/** The library waits for the other side's goodbye, which a dead one never says. */
async function goodbye(client: Client, strategy: GuardedStrategy | undefined): Promise<void> {
  const done = client.destroy().catch((cause: unknown) => toAppError(cause));
  await Promise.race([done, pause(systemClock, GOODBYE_MS, AbortSignal.timeout(GOODBYE_MS * 2))]);
  strategy?.kill();
  client.removeAllListeners();
}
