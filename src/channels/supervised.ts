/**
 * One account of one channel, kept running: started, watched, started again with growing pauses, or left alone where only a person
 * can help. One actor per account: nothing starts before what ran has stopped, so there is never a second poll of one token.
 */
import { AppError, toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { type Clock, pause } from "../base/time.ts";
import type { AccountPlan, Channel, ChannelAccount, ChannelContext } from "./channel.ts";
import type { ChannelStatus } from "./status.ts";

export type SupervisedDeps = {
  clock: Clock;
  log: Logger;
  load(): Promise<Channel>;
  plan: AccountPlan<unknown>;
  /** Everything of the context but what belongs to one start. */
  context: Omit<
    ChannelContext<unknown>,
    "account" | "config" | "signal" | "log" | "status" | "failed"
  >;
  /** Called after every change of the status. */
  changed(status: ChannelStatus): void;
};

/** Pauses between two starts, in ms: full jitter below a limit that doubles. A start that lasted counts as a success. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 300_000;
const HEALTHY_MS = 600_000;

/** Trying again changes nothing; a person has to. */
const needsPerson = (error: AppError): boolean =>
  error.code === "channel_misconfigured" || error.code === "not_linked";

export class Supervised {
  readonly status: ChannelStatus = { running: false, connected: false, reconnectAttempts: 0 };
  private readonly over = new AbortController();
  private account: ChannelAccount | undefined;
  private loaded: Channel | undefined;
  private life: Promise<void> | undefined;

  constructor(private readonly deps: SupervisedDeps) {}

  get plan(): AccountPlan<unknown> {
    return this.deps.plan;
  }

  /** The running account; undefined while it is not. */
  get current(): ChannelAccount | undefined {
    return this.account;
  }

  /** The channel's code, once it was needed. */
  get channel(): Channel | undefined {
    return this.loaded;
  }

  /** Resolves when the first start has succeeded or failed; never throws. */
  start(): Promise<void> {
    return new Promise((begun) => {
      this.life = this.live(begun);
    });
  }

  /** Resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.over.abort();
    await this.life;
  }

  private async live(begun: () => void): Promise<void> {
    const { plan, clock, log } = this.deps;
    const idle = idleReason(plan);
    if (idle) {
      this.set({ lastError: idle });
      // What a person has to mend is said once; what they switched off is not.
      if (plan.credential.problem && plan.enabled) log.warn(idle);
      return begun();
    }
    for (let tries = 0; !this.over.signal.aborted;) {
      const at = clock.now();
      const error = await this.run(begun);
      begun();
      if (this.over.signal.aborted || !error) return;
      if (needsPerson(error)) {
        log.error(error.message, { code: error.code, ...(error.hint && { hint: error.hint }) });
        return;
      }
      tries = clock.now() - at > HEALTHY_MS ? 0 : tries + 1;
      const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(tries - 1, 10));
      const waitMs = error.retryAfterMs ?? Math.round(longest * (0.5 + Math.random() / 2));
      this.set({ reconnectAttempts: tries });
      log.warn("stopped, will be started again", {
        error: error.message,
        code: error.code,
        waitMs,
      });
      if (!(await pause(clock, waitMs, this.over.signal))) return;
    }
  }

  /** One start until its end. Gives why it ended, undefined when it was asked to. */
  private async run(begun: () => void): Promise<AppError | undefined> {
    const { plan, clock, log, context } = this.deps;
    const ending = new AbortController();
    const stop = () => ending.abort();
    this.over.signal.addEventListener("abort", stop, { once: true });
    let failed: AppError | undefined;
    let account: ChannelAccount | undefined;
    try {
      this.set({ running: true, connected: false, lastStartAt: clock.now(), lastError: undefined });
      this.loaded ??= await this.deps.load();
      account = await this.loaded.start({
        ...context,
        account: plan.id,
        config: plan.config,
        signal: ending.signal,
        log,
        status: (patch) => this.set(patch),
        failed(error) {
          failed ??= error;
          ending.abort();
        },
      });
      this.account = account;
      begun();
      if (!ending.signal.aborted)
        await new Promise<void>((done) =>
          ending.signal.addEventListener("abort", () => done(), { once: true }),
        );
    } catch (cause) {
      // The edge of a channel: whatever goes wrong in there ends this account and nothing else.
      failed ??= toAppError(cause);
    } finally {
      this.account = undefined;
      ending.abort();
      this.over.signal.removeEventListener("abort", stop);
    }
    try {
      await account?.stop();
    } catch (cause) {
      failed ??= toAppError(cause);
    }
    this.set({
      running: false,
      connected: false,
      lastStopAt: clock.now(),
      ...(failed && { lastError: told(failed) }),
    });
    return failed;
  }

  private set(patch: Partial<ChannelStatus>): void {
    Object.assign(this.status, patch);
    this.deps.changed(this.status);
  }
}

const told = ({ message, hint }: AppError): string => (hint ? `${message} ${hint}` : message);

/** Why an account is not started at all; the words are those of the original's status. */
export function idleReason({ enabled, credential }: AccountPlan<unknown>): string | undefined {
  if (!enabled) return "disabled";
  if (credential.problem) return credential.problem;
  return credential.source === "none" ? "not configured" : undefined;
}
