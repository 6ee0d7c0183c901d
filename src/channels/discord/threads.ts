/**
 * Threads that are opened for answers (`autoThread`). The message is received as if its thread were there; it is opened when something
 * is sent to it, so nobody who is not answered makes the bot open one.
 */
import type { Inbound } from "../../flow.ts";
import type { AccountState } from "../channel.ts";
import type { Api } from "./api.ts";
import { numberOf } from "./errors.ts";

const STATE = "thread/";
/** Minutes without a message until the platform puts it away. */
const ARCHIVE_MINUTES = 60;
/** The platform's words for "there is one already". */
const EXISTS = 160_004;

type Planned = { parent: string; name: string };

export class Threads {
  /** Ids of planned threads of this process, so that others cost no look into the store. */
  private readonly fresh = new Set<string>();

  constructor(
    private readonly api: Api,
    private readonly state: AccountState,
  ) {}

  /** What is to be stored with the message, nothing for most. */
  planned({ id, from, room }: Inbound): Record<string, unknown> {
    if (from.chatId !== id || !room?.parentId) return {};
    this.fresh.add(id);
    return { [STATE + id]: { parent: room.parentId, name: room.thread ?? "Thread" } };
  }

  /** Nobody answers this message. */
  async drop(id: string): Promise<void> {
    if (this.fresh.delete(id)) await this.state.put({ [STATE + id]: undefined });
  }

  /** Opens the thread if it was planned. False: it was not. Throws like `Api`. */
  async open(id: string): Promise<boolean> {
    const planned = await this.state.get<Planned>(STATE + id);
    if (!planned) return false;
    try {
      await this.api.post(`/channels/${planned.parent}/messages/${id}/threads`, {
        name: planned.name,
        auto_archive_duration: ARCHIVE_MINUTES,
      });
    } catch (cause) {
      if (numberOf(cause) !== EXISTS) throw cause;
    }
    this.fresh.delete(id);
    await this.state.put({ [STATE + id]: undefined });
    return true;
  }

  isPlanned = async (id: string): Promise<boolean> =>
    (await this.state.get<Planned>(STATE + id)) !== undefined;
}
