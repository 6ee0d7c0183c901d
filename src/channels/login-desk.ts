/** The sign-ins that go on: one per account, each in the background, so that whoever watches may come and go. */
import { AppError, toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../base/time.ts";
import type { AccountPlan, AccountState, Channel, LoginStep } from "./channel.ts";
import type { Logins } from "./logins.ts";
import { type NetworkId, NETWORKS } from "./registry.ts";

type At = { channel: NetworkId; account: string };

export type LoginDeps = {
  clock: Clock;
  log: Logger;
  load(channel: NetworkId): Promise<Channel>;
  /** As the config has it; undefined for an account that the config does not name. */
  plan(at: At): Promise<AccountPlan<unknown> | undefined>;
  env(name: string): string | undefined;
  state(channel: string, account: string): AccountState;
  /** The account must not run while it signs in or out. */
  stop(at: At): Promise<void>;
  start(at: At): Promise<void>;
  /** An account that the config does not name is linked now: the place to write it there. */
  linked?(at: At): Promise<void>;
};

/** `close` ends all sign-ins and starts nothing any more; for the end of the process. */
export type LoginDesk = Logins & { close(): Promise<void> };

/** A picture that nobody scans would be made anew for ever, in ms. */
const LIFE_MS = 180_000;

export function openLogins(deps: LoginDeps): LoginDesk {
  const desk = new Map<string, SignIn>();
  let closing = false;
  const keyOf = ({ channel, account }: At) => `${channel}\n${account}`;

  async function withLogin(channel: NetworkId) {
    const loaded = await deps.load(channel);
    if (loaded.login) return loaded;
    throw new AppError(
      "bad_request",
      `${NETWORKS[channel].label} has no sign-in; it uses a token.`,
      {
        hint: `Give it one with: clawdbot channels add --channel ${channel} --token <token>`,
      },
    );
  }

  const contextOf = async (at: At, channel: Channel, signal: AbortSignal) => {
    const plan = await deps.plan(at);
    return {
      known: plan !== undefined,
      account: at.account,
      config: plan?.config ?? channel.config.parse({}),
      env: deps.env,
      signal,
      log: deps.log.child(at.channel),
      state: deps.state(at.channel, at.account),
    };
  };

  async function run(at: At, entry: SignIn, channel: Channel, wish: Wish): Promise<void> {
    let end: LoginStep | undefined;
    let known = true;
    try {
      await deps.stop(at);
      const context = await contextOf(at, channel, entry.ending.signal);
      ({ known } = context);
      void expire(entry);
      const { force, phone } = wish;
      for await (const step of channel.login!({ ...context, force, ...(phone && { phone }) }))
        if (step.kind === "done" || step.kind === "failed") {
          end = step;
          break;
        } else entry.add(step);
      end ??= { kind: "failed", error: unfinished(entry, at) };
      if (end.kind === "done" && !known) await deps.linked?.(at);
    } catch (cause) {
      // The edge of a channel: whatever goes wrong in there is the end of this sign-in and of nothing else.
      end = {
        kind: "failed",
        error: entry.ending.signal.aborted ? unfinished(entry, at) : toAppError(cause),
      };
    }
    entry.finish(end);
    if (!closing) await deps.start(at);
  }

  async function expire(entry: SignIn): Promise<void> {
    const over = await deps.clock.sleep(LIFE_MS, entry.ending.signal).then(
      () => true,
      () => false,
    );
    if (!over) return;
    entry.expired = true;
    entry.ending.abort();
  }

  const end = async (at: At): Promise<void> => {
    const entry = desk.get(keyOf(at));
    if (!entry) return;
    entry.ending.abort();
    await entry.over;
    if (desk.get(keyOf(at)) === entry) desk.delete(keyOf(at));
  };

  return {
    async start(at, wish) {
      const channel = await withLogin(at.channel);
      const before = desk.get(keyOf(at));
      // From here to `set` nothing waits, so two callers at once share one sign-in.
      if (before?.goesOn && before.phone === wish.phone && !wish.force)
        return before.shown(deps.clock, wish.timeoutMs);
      const entry = new SignIn(wish.phone);
      desk.set(keyOf(at), entry);
      before?.ending.abort();
      entry.over = (before?.over ?? Promise.resolve()).then(() => run(at, entry, channel, wish));
      return entry.shown(deps.clock, wish.timeoutMs);
    },

    async wait(at, timeoutMs) {
      const entry = desk.get(keyOf(at));
      const step = await entry?.next(deps.clock, timeoutMs);
      if (entry && step && !entry.goesOn && desk.get(keyOf(at)) === entry) desk.delete(keyOf(at));
      return step;
    },

    goesOn: (at) => desk.has(keyOf(at)),

    cancel: end,

    async logout(at) {
      const channel = await deps.load(at.channel);
      if (!channel.logout)
        throw new AppError("bad_request", `channel ${at.channel} does not support logout`, {
          hint: `Its token is in the config: clawdbot channels remove --channel ${at.channel}`,
        });
      await end(at);
      await deps.stop(at);
      try {
        const signal = new AbortController().signal;
        return await channel.logout({ ...(await contextOf(at, channel, signal)), force: false });
      } finally {
        await deps.start(at);
      }
    },

    async close() {
      closing = true;
      for (const entry of desk.values()) entry.ending.abort();
      await Promise.all([...desk.values()].map(({ over }) => over));
    },
  };
}

type Wish = { force: boolean; phone?: string };

const unfinished = ({ expired }: SignIn, { channel }: At): AppError =>
  expired
    ? new AppError("not_linked", "Nobody scanned or typed the code in time.", {
        hint: `Ask for a new one: clawdbot channels login --channel ${channel}`,
      })
    : new AppError("aborted", "The sign-in was ended.");

/** One sign-in: its steps so far, and how many of them were given out. */
class SignIn {
  readonly ending = new AbortController();
  expired = false;
  /** Resolves when nothing of it runs any more. */
  over: Promise<void> = Promise.resolve();
  private readonly steps: LoginStep[] = [];
  private given = 0;
  private ended = false;
  private readonly waiting = new Set<() => void>();

  constructor(readonly phone: string | undefined) {}

  get goesOn(): boolean {
    return !this.ended;
  }

  add(step: LoginStep): void {
    this.steps.push(step);
    for (const wake of [...this.waiting]) wake();
  }

  finish(step: LoginStep): void {
    this.ended = true;
    this.ending.abort();
    this.add(step);
  }

  /** The newest picture, code or end; progress is no answer to somebody who wants to begin. */
  async shown(clock: Clock, timeoutMs: number): Promise<LoginStep> {
    const look = () => this.steps.findLast(({ kind }) => kind !== "wait");
    await this.until(() => look() !== undefined, clock, timeoutMs);
    this.given = this.steps.length;
    return look() ?? { kind: "wait", text: "Still connecting." };
  }

  /** The newest step that nobody was given yet. */
  async next(clock: Clock, timeoutMs: number): Promise<LoginStep | undefined> {
    await this.until(() => this.steps.length > this.given, clock, timeoutMs);
    if (this.steps.length === this.given) return undefined;
    this.given = this.steps.length;
    return this.steps.at(-1);
  }

  private async until(test: () => boolean, clock: Clock, timeoutMs: number): Promise<void> {
    if (test()) return;
    const timer = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => {
      if (test()) resolve();
    };
    this.waiting.add(wake);
    // It rejects when the timer is not needed any more.
    const late = clock.sleep(timeoutMs, timer.signal).then(resolve, () => undefined);
    await promise;
    this.waiting.delete(wake);
    timer.abort();
    await late;
  }
}
