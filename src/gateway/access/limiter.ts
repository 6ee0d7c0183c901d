import type { Clock } from "../../base/time.ts";

/** How many failures are forgiven: `maxAttempts` within `windowMs`, then nothing is looked at for `lockoutMs`. */
export type LimiterSettings = { maxAttempts: number; windowMs: number; lockoutMs: number };

type Bucket = { failures: number[]; lockedUntil: number };

/** Counts failed sign-ins per key. The number of keys is bounded; the one that was quiet longest is forgotten first. */
export class Limiter {
  private readonly buckets = new Map<string, Bucket>();

  constructor(
    private readonly clock: Pick<Clock, "now">,
    private readonly settings: () => LimiterSettings,
    private readonly maxKeys = 10_000,
  ) {}

  /** How long this key is still locked, in ms; 0 when it may try. */
  lockedFor(key: string): number {
    return Math.max(0, (this.buckets.get(key)?.lockedUntil ?? 0) - this.clock.now());
  }

  /** One failure. Gives true when it was the one that locked the key. */
  fail(key: string): boolean {
    const { maxAttempts, windowMs, lockoutMs } = this.settings();
    const now = this.clock.now();
    const bucket = this.buckets.get(key) ?? { failures: [], lockedUntil: 0 };
    bucket.failures = bucket.failures.filter((at) => at > now - windowMs);
    bucket.failures.push(now);
    const locks = bucket.failures.length >= maxAttempts;
    if (locks) {
      bucket.lockedUntil = now + lockoutMs;
      bucket.failures = [];
    }
    this.buckets.delete(key);
    this.buckets.set(key, bucket);
    if (this.buckets.size > this.maxKeys) this.evict(now);
    return locks;
  }

  /** A success forgets the failures before it. */
  succeed(key: string): void {
    this.buckets.delete(key);
  }

  get size(): number {
    return this.buckets.size;
  }

  /** The quietest key without a lock goes; only when all are locked does a lock go. */
  private evict(now: number): void {
    const entries = this.buckets.entries().take(1_000).toArray();
    const victim = entries.find(([, bucket]) => bucket.lockedUntil <= now) ?? entries[0];
    if (victim) this.buckets.delete(victim[0]);
  }
}
