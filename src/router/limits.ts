/** Limits that need no memory beyond this process: how fast somebody may write, and how long bots may talk to each other. */
import type { Clock } from "../base/time.ts";

/** Names that are remembered; whoever was silent longest is forgotten first. */
const MAX_KEYS = 5_000;

/** Moves a key to the end and lets the oldest go. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > MAX_KEYS) map.delete(map.keys().next().value!);
}

/** A bucket of tokens for each key: `burst` at once, and `perMinute` more as time goes on. */
export class Buckets {
  private readonly levels = new Map<string, { tokens: number; at: number }>();

  constructor(
    private readonly clock: Pick<Clock, "now">,
    private readonly limit: { perMinute: number; burst: number },
  ) {}

  /** Takes a token; false when there is none. */
  take(key: string): boolean {
    const tokens = this.tokens(key);
    const taken = tokens >= 1;
    remember(this.levels, key, { tokens: taken ? tokens - 1 : tokens, at: this.clock.now() });
    return taken;
  }

  /** Puts a token back that was not needed. */
  give(key: string): void {
    const tokens = Math.min(this.limit.burst, this.tokens(key) + 1);
    remember(this.levels, key, { tokens, at: this.clock.now() });
  }

  private tokens(key: string): number {
    const { perMinute, burst } = this.limit;
    const known = this.levels.get(key);
    if (!known) return burst;
    // A clock that goes back gives nothing and takes nothing.
    const passed = Math.max(0, this.clock.now() - known.at) / 60_000;
    return Math.min(burst, known.tokens + passed * perMinute);
  }
}

/** Answers to bots of one chat in a row; more is two programs talking. A person, or an hour of silence, begins anew. */
const MAX_BOT_ANSWERS = 3;
const BOT_SILENCE_MS = 3_600_000;

export class BotStreaks {
  private readonly streaks = new Map<string, { answers: number; at: number }>();

  constructor(private readonly clock: Pick<Clock, "now">) {}

  person(chat: string): void {
    this.streaks.delete(chat);
  }

  /** A bot wrote what would be answered; false when it must not be. */
  answer(chat: string): boolean {
    const at = this.clock.now();
    const known = this.streaks.get(chat);
    const answers = known && at - known.at < BOT_SILENCE_MS ? known.answers : 0;
    const free = answers < MAX_BOT_ANSWERS;
    remember(this.streaks, chat, { answers: free ? answers + 1 : answers, at });
    return free;
  }
}
