/** What goes wrong in the soak, and how often it did. A request's fate hangs on the seed and on what is in it, not on the time. */
import { answeredIn } from "./soak-model.ts";
import type { Fate, Passing } from "./soak-relay.ts";

/** Requests with the same words that may go wrong; the next one passes. */
const MOST_TRIES = 2;

type Wrong = { name: string; share: number; fate: Fate };

const telegramBusy = (seconds: number): Fate => ({
  status: 429,
  body: {
    ok: false,
    error_code: 429,
    description: `Too Many Requests: retry after ${seconds}`,
    parameters: { retry_after: seconds },
  },
});
const telegramBroken: Fate = {
  status: 502,
  body: { ok: false, error_code: 502, description: "Bad Gateway" },
};
const discordBusy = (seconds: number): Fate => ({
  status: 429,
  body: { message: "You are being rate limited.", retry_after: seconds, global: false },
  headers: {
    "retry-after": String(Math.ceil(seconds)),
    "x-ratelimit-scope": "user",
    "x-ratelimit-reset-after": seconds.toFixed(3),
  },
});
const discordBroken: Fate = {
  status: 502,
  body: { message: "502: Bad Gateway", code: 0 },
};

const SENDING = {
  telegram: [
    { name: "429", share: 0.03, fate: telegramBusy(1) },
    { name: "5xx", share: 0.03, fate: telegramBroken },
    { name: "cut", share: 0.03, fate: "cut" },
    { name: "deaf", share: 0.02, fate: "deaf" },
    { name: "silent", share: 0.006, fate: "silent" },
  ],
  discord: [
    { name: "429", share: 0.03, fate: discordBusy(0.6) },
    { name: "5xx", share: 0.03, fate: discordBroken },
    { name: "cut", share: 0.03, fate: "cut" },
    { name: "deaf", share: 0.02, fate: "deaf" },
  ],
} satisfies Record<string, Wrong[]>;
const POLLING: Wrong[] = [
  { name: "poll 429", share: 0.01, fate: telegramBusy(1) },
  { name: "poll 5xx", share: 0.02, fate: telegramBroken },
  { name: "poll cut", share: 0.02, fate: "cut" },
  { name: "poll deaf", share: 0.02, fate: "deaf" },
];

export class Faults {
  readonly counts = new Map<string, number>();
  /** True: what was done is also answered. Around a SIGKILL, which makes second copies of its own. */
  calm = false;
  /** True: nobody answers the next poll. */
  silentPoll = false;
  private readonly tries = new Map<string, number>();
  private readonly doubled = new Set<string>();
  private polls = 0;

  constructor(private readonly seed: number) {}

  count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, n) => sum + n, 0);
  }

  /** Between 0 and 1, the same for the same words. */
  dice(words: string): number {
    return Number(Bun.hash(`${this.seed} ${words}`) % 1_000_003n) / 1_000_003;
  }

  telegram = ({ path, body }: Passing): Fate => {
    if (path.endsWith("/getUpdates") && this.silentPoll) {
      this.silentPoll = false;
      return "silent";
    }
    if (path.endsWith("/getUpdates")) return this.roll(`poll ${++this.polls}`, "telegram", POLLING);
    if (/\/(?:sendMessage|editMessageText)$/.test(path))
      return this.sending(`${path.split("/").at(-1)} ${body}`, "telegram", SENDING.telegram);
    return "pass";
  };

  discord = ({ method, path, body }: Passing): Fate =>
    method === "POST" && /\/messages$/.test(path)
      ? this.sending(body, "discord", SENDING.discord)
      : "pass";

  private sending(words: string, platform: string, menu: Wrong[]): Fate {
    const answers = answeredIn(words);
    const label = `${platform} ${answers.join()}`;
    const tries = (this.tries.get(label) ?? 0) + 1;
    this.tries.set(label, tries);
    if (!answers.length || tries > MOST_TRIES || this.doubled.has(label)) return "pass";
    // A second copy only of what is sent for the first time: after a crash this may be the second one already.
    const wrong = tries === 1 ? menu : menu.filter(({ fate }) => fate !== "deaf");
    const fate = this.roll(`${label} ${tries}`, platform, wrong);
    if (fate === "deaf") this.doubled.add(label);
    return fate;
  }

  private roll(words: string, platform: string, menu: Wrong[]): Fate {
    let value = this.dice(words);
    for (const { name, share, fate } of menu) {
      value -= share;
      if (value >= 0) continue;
      if (fate === "deaf" && this.calm) return "pass";
      this.count(`${platform} ${name}`);
      return fate;
    }
    return "pass";
  }
}
