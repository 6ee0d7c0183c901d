/** Pauses after failures, per key, model and kind of failure, so that a dead key or a limited model is not asked again at once. */
import type { ErrorCode } from "../base/errors.ts";
import type { Clock } from "../base/time.ts";
import type { AuthConfig } from "./config.ts";

/** One pause. `at` is the last failure and `until` the end of the pause, epoch ms. */
export type Pause = { until: number; count: number; at: number; code: ErrorCode };
/** What the store keeps between runs; the key is `provider|key id|model or *|code`. */
export type CooldownState = Record<string, Pause>;

export type Target = { provider: string; keyId: string; model: string };

/** First, second and every further failure, in ms. */
const LADDER = [30_000, 60_000, 300_000];
const HOUR = 3_600_000;

/** Which failures pause what. Refused requests and stopped answers are in no row: they say nothing about the key or the model. */
const SCOPE: Partial<Record<ErrorCode, "key" | "model">> = {
  provider_auth: "key",
  provider_billing: "key",
  provider_rate_limit: "model",
  provider_overloaded: "model",
  provider_timeout: "model",
};

export class Cooldowns {
  private readonly pauses = new Map<string, Pause>();
  constructor(
    private readonly options: {
      clock: Clock;
      settings: AuthConfig["cooldowns"];
      /** Called after every change, to save `export()`. */
      changed?: () => void;
    },
  ) {}

  /** The pause that holds a target back longest, or undefined when it is free. */
  pause(target: Target): Pause | undefined {
    const now = this.options.clock.now();
    let longest: Pause | undefined;
    for (const code of Object.keys(SCOPE) as ErrorCode[]) {
      const pause = this.pauses.get(this.name(target, code));
      if (pause && pause.until > now && pause.until > (longest?.until ?? 0)) longest = pause;
    }
    return longest;
  }

  /** `retryAfterMs`, where the vendor gave it, is the pause itself. */
  fail(target: Target, code: ErrorCode, retryAfterMs?: number): void {
    if (!SCOPE[code]) return;
    const { clock, settings } = this.options;
    const now = clock.now();
    const name = this.name(target, code);
    const before = this.pauses.get(name);
    const fresh = !before || now - before.at > settings.failureWindowHours * HOUR;
    const count = fresh ? 1 : before.count + 1;
    const ms =
      code === "provider_billing"
        ? this.billingMs(target.provider, count)
        : (retryAfterMs ?? LADDER[Math.min(count, LADDER.length) - 1]!);
    this.pauses.set(name, { until: now + ms, count, at: now, code });
    this.options.changed?.();
  }

  /** The key works and the model answers: everything that held this target back is forgotten. */
  succeed(target: Target): void {
    let changed = false;
    for (const code of Object.keys(SCOPE) as ErrorCode[])
      changed = this.pauses.delete(this.name(target, code)) || changed;
    if (changed) this.options.changed?.();
  }

  /** Without what is forgotten anyway. */
  export(): CooldownState {
    const { clock, settings } = this.options;
    const since = clock.now() - settings.failureWindowHours * HOUR;
    for (const [name, pause] of this.pauses)
      if (pause.at < since && pause.until < clock.now()) this.pauses.delete(name);
    return Object.fromEntries(this.pauses);
  }

  /** Takes what `export` gave in an earlier run. Anything that does not look like it is left out. */
  import(state: unknown): void {
    if (typeof state !== "object" || state === null) return;
    for (const [name, value] of Object.entries(state)) {
      const pause = value as Partial<Pause> | null;
      const numbers = [pause?.until, pause?.count, pause?.at];
      if (
        numbers.every((n) => typeof n === "number" && Number.isFinite(n)) &&
        pause?.code &&
        SCOPE[pause.code]
      )
        this.pauses.set(name, pause as Pause);
    }
  }

  private billingMs(provider: string, count: number): number {
    const { billingBackoffHours, billingBackoffHoursByProvider, billingMaxHours } =
      this.options.settings;
    const first = billingBackoffHoursByProvider[provider] ?? billingBackoffHours;
    const hours = Math.min(billingMaxHours, first * 2 ** Math.min(count - 1, 10));
    return Math.max(60_000, hours * HOUR);
  }

  private name({ provider, keyId, model }: Target, code: ErrorCode): string {
    return [provider, keyId, SCOPE[code] === "key" ? "*" : model, code].join("|");
  }
}
