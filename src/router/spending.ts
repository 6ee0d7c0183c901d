/** What each person has used up today, so that one who was let in cannot run up a bill (security B11). */
import type { Logger } from "../base/log.ts";
import { background } from "../base/task.ts";
import type { Clock } from "../base/time.ts";
import type { Inbound, Usage } from "../flow.ts";
import type { Store } from "../store/store.ts";

const SCOPE = "spending";
/** People of one day; the thriftiest are forgotten. */
const MAX_PEOPLE = 1_000;
/** Providers ask about a tenth for what they still remember. */
const REMEMBERED = 0.1;

type Deps = { kv: Store["kv"]; clock: Pick<Clock, "now">; log: Logger };

export class Spending {
  private day = "";
  private used = new Map<string, number>();

  constructor(private readonly deps: Deps) {}

  /** Reads what an earlier process counted today. At the start. */
  async load(): Promise<void> {
    const { kv } = this.deps;
    this.day = this.today();
    this.used = new Map(
      Object.entries((await kv.get<Record<string, number>>(SCOPE, this.day)) ?? {}),
    );
    const old = (await kv.keys(SCOPE, "")).filter((day) => day !== this.day);
    if (old.length) await kv.put(SCOPE, Object.fromEntries(old.map((day) => [day, undefined])));
  }

  /** Tokens of today, since midnight here. */
  of(inbound: Inbound): number {
    return this.day === this.today() ? (this.used.get(personOf(inbound)) ?? 0) : 0;
  }

  /** Called at the end of every turn. A crash in the next moments forgets this one turn at most. */
  add(inbound: Inbound, usage: Usage): void {
    const tokens = Math.round(
      usage.input + usage.output + usage.cacheWrite + usage.cacheRead * REMEMBERED,
    );
    if (!tokens) return;
    const { kv, log } = this.deps;
    const today = this.today();
    const before = this.day;
    if (before !== today) this.used.clear();
    this.day = today;
    const person = personOf(inbound);
    this.used.set(person, (this.used.get(person) ?? 0) + tokens);
    if (this.used.size > MAX_PEOPLE) {
      const [least] = [...this.used].reduce((a, b) => (b[1] < a[1] ? b : a));
      this.used.delete(least);
    }
    const entries = {
      ...(before && before !== today && { [before]: undefined }),
      [today]: Object.fromEntries(this.used),
    };
    background("counting tokens", kv.put(SCOPE, entries), log);
  }

  private today(): string {
    const now = new Date(this.deps.clock.now());
    const two = (n: number) => String(n).padStart(2, "0");
    return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  }
}

const personOf = ({ from, sender }: Inbound): string =>
  [from.channel, from.account, sender.id].join("\n");
