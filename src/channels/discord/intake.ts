/** Hands over what happened in a chat, one after the other, and again and again until it is taken. */
import { AppError, toAppError } from "../../base/errors.ts";
import { pause, systemClock } from "../../base/time.ts";
import type { Inbound } from "../../flow.ts";
import type { Accepted, ChannelContext } from "../channel.ts";
import { compareIds } from "./wire.ts";

type Context = Pick<ChannelContext<unknown>, "receive" | "signal" | "log" | "state">;

/** Begins every key of the state under which the id of a chat's last message is kept. */
const LAST = "last/";
/** Pauses between two offers, in ms. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
/** What waits in one chat; beyond, it is read from the platform again later. */
const MAX_WAITING = 500;
/** Chats whose last message is remembered; the quietest ones are forgotten. */
const MAX_CHATS = 2_000;

type Lane = { tail: Promise<void>; waiting: number; overflow: boolean };

export class Intake {
  private readonly lanes = new Map<string, Lane>();
  private last = new Map<string, string>();

  /** `again`: reads from the platform what was said in a chat after its last message that was taken. */
  constructor(
    private readonly ctx: Context,
    private readonly again: (channelId: string) => Promise<void>,
  ) {}

  /** Reads what an earlier process knew. Before anything is received. */
  async load(): Promise<void> {
    const { state } = this.ctx;
    const keys = await state.keys(LAST);
    const rows = await Promise.all(
      keys.map(async (key) => [key.slice(LAST.length), await state.get<string>(key)] as const),
    );
    const known = rows
      .flatMap(([id, message]) => (message ? [[id, message] as const] : []))
      .sort(([, a], [, b]) => compareIds(b, a));
    this.last = new Map(known.slice(0, MAX_CHATS));
    const old = known.slice(MAX_CHATS);
    if (old.length) await state.put(Object.fromEntries(old.map(([id]) => [LAST + id, undefined])));
  }

  /** Chats in which something was received, the liveliest first. */
  chats(): string[] {
    return [...this.last].sort(([, a], [, b]) => compareIds(b, a)).map(([id]) => id);
  }

  lastOf(channelId: string): string | undefined {
    return this.last.get(channelId);
  }

  async forget(channelId: string): Promise<void> {
    this.last.delete(channelId);
    await this.ctx.state.put({ [LAST + channelId]: undefined });
  }

  /**
   * Runs `work` after everything that came before it in this chat. A failure of `work` is logged and is the end of it: what can be
   * repeated, `work` repeats itself.
   */
  push(channelId: string, work: () => Promise<void>): void {
    const lane = this.lanes.get(channelId) ?? {
      tail: Promise.resolve(),
      waiting: 0,
      overflow: false,
    };
    this.lanes.set(channelId, lane);
    if (lane.waiting >= MAX_WAITING) {
      lane.overflow = true;
      return;
    }
    lane.waiting++;
    lane.tail = lane.tail.then(() => this.run(channelId, lane, work));
  }

  /**
   * Makes an Inbound and offers it until it is taken; what could not be made for now is made again. `place`: the platform's id of a
   * new message in this chat, kept with it, as is what `more` gives. Undefined when there was nothing to offer, or the account ended before it was taken.
   */
  async offer(
    make: () => Promise<Inbound | undefined>,
    place?: { channelId: string; message: string },
    more?: (inbound: Inbound) => Record<string, unknown>,
  ): Promise<Accepted | undefined> {
    const { ctx } = this;
    let inbound: Inbound | undefined;
    for (let n = 0; !ctx.signal.aborted; n++) {
      try {
        inbound ??= await make();
        if (!inbound) return undefined;
        const newest = place && compareIds(place.message, this.last.get(place.channelId) ?? "") > 0;
        const state = {
          ...(newest && { [LAST + place.channelId]: place.message }),
          ...more?.(inbound),
        };
        const accepted = await ctx.receive(inbound, state);
        if (newest) this.last.set(place.channelId, place.message);
        return accepted;
      } catch (cause) {
        // A packet that cannot be read will never be readable; everything else passes.
        if (!inbound && !(cause instanceof AppError)) throw cause;
        const error = toAppError(cause);
        const waitMs =
          error.retryAfterMs ?? Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(n, 10));
        ctx.log.warn("a message was not taken, it will be offered again", {
          code: error.code,
          error: error.message,
          waitMs,
        });
        if (!(await pause(systemClock, waitMs, ctx.signal))) return undefined;
      }
    }
    return undefined;
  }

  /** Resolves when nothing is under way any more. */
  async idle(): Promise<void> {
    await Promise.all([...this.lanes.values()].map(({ tail }) => tail));
  }

  private async run(channelId: string, lane: Lane, work: () => Promise<void>): Promise<void> {
    const { signal, log } = this.ctx;
    if (!signal.aborted)
      try {
        await work();
      } catch (cause) {
        const error = toAppError(cause);
        // An edge: what one event brings must not stop the chat.
        if (!signal.aborted)
          log.error("an event was left out", {
            code: error.code,
            error: error.message,
            stack: error.stack,
          });
      }
    lane.waiting--;
    if (lane.waiting > 0) return;
    if (lane.overflow && !signal.aborted) {
      lane.overflow = false;
      return this.push(channelId, () => this.again(channelId));
    }
    this.lanes.delete(channelId);
  }
}
