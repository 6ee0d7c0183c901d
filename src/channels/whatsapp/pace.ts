/**
 * How fast we write, so that the number is not taken for a spammer's: some messages at once and then a steady trickle, a pause
 * within a chat, and few people a day who never wrote first. The core's outbox waits for what is refused here.
 */
import { AppError } from "../../base/errors.ts";
import { type Clock, pause } from "../../base/time.ts";
import type { AccountState } from "../channel.ts";
import type { WhatsappConfig } from "./config.ts";

/** Waits up to this are made here, in ms; longer ones by the outbox, which can do something else meanwhile. */
const PATIENCE_MS = 10_000;
const PEOPLE = "people/";
const TODAY = "people-today";
const DAY_MS = 86_400_000;

type Today = { day: number; count: number };

export class Pace {
  /** When the bucket is full again; further in the future the emptier it is. */
  private full = 0;
  private readonly lastInChat = new Map<string, number>();
  private readonly known = new Set<string>();

  constructor(
    private readonly config: WhatsappConfig["pace"],
    private readonly state: AccountState,
    private readonly clock: Clock,
    private readonly signal: AbortSignal,
  ) {}

  /** Waits until a message may go to this chat. Throws `channel_unreachable` with the time when it may, if that is far. */
  async turn(chat: string): Promise<void> {
    const now = this.clock.now();
    const everyMs = 60_000 / this.config.perMinute;
    const full = Math.max(this.full, now);
    const bucketMs = Math.max(0, full - now - (this.config.burst - 1) * everyMs);
    const chatMs = Math.max(0, (this.lastInChat.get(chat) ?? 0) + this.config.perChatMs - now);
    const waitMs = Math.ceil(Math.max(bucketMs, chatMs));
    if (waitMs > PATIENCE_MS)
      throw new AppError(
        "channel_unreachable",
        "So many messages at once would get the number blocked.",
        {
          retryAfterMs: waitMs,
          hint: "They are sent a little later. `channels.whatsapp.pace` says how fast.",
        },
      );
    this.full = full + everyMs;
    this.lastInChat.delete(chat);
    this.lastInChat.set(chat, now + waitMs);
    if (this.lastInChat.size > 1000) this.lastInChat.delete(this.lastInChat.keys().next().value!);
    if (waitMs && !(await pause(this.clock, waitMs, this.signal)))
      throw new AppError("channel_unreachable", "WhatsApp is being stopped.");
  }

  /** Whether we ever wrote with this person. */
  async isKnown(person: string): Promise<boolean> {
    if (this.known.has(person)) return true;
    if (!(await this.state.get<true>(PEOPLE + person))) return false;
    this.known.add(person);
    return true;
  }

  /** Somebody wrote to us, so answering is no risk: what to store with the message. */
  async met(person: string): Promise<Record<string, unknown>> {
    return (await this.isKnown(person)) ? {} : { [PEOPLE + person]: true };
  }

  /** Counts a person to whom we write first. Throws `channel_unreachable` until tomorrow when there were enough today. */
  async meet(person: string): Promise<void> {
    const now = this.clock.now();
    const day = Math.floor(now / DAY_MS);
    const stored = await this.state.get<Today>(TODAY);
    const count = stored?.day === day ? stored.count : 0;
    if (count >= this.config.newPeoplePerDay)
      throw new AppError(
        "channel_unreachable",
        `WhatsApp blocks numbers that write to many strangers: ${count} new people today are enough.`,
        {
          retryAfterMs: (day + 1) * DAY_MS - now,
          hint: "It is sent tomorrow. Let them write first, or raise `channels.whatsapp.pace.newPeoplePerDay`.",
        },
      );
    await this.state.put({ [PEOPLE + person]: true, [TODAY]: { day, count: count + 1 } });
    this.known.add(person);
  }
}
