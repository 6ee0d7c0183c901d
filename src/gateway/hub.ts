/** Fan-out of events to all signed-in connections: each event is serialised once per variant, each socket is written once per round. */
import type { Connection } from "./connection.ts";

export type StateVersion = { presence: number; health: number };

export type Broadcast = {
  event: string;
  /** Called once per variant. */
  payload(connection: Connection): unknown;
  /** Connections with the same variant get the same payload; absent means one for all. */
  variant?(connection: Connection): string;
  /** Who gets it; absent means everybody who is signed in. */
  to?(connection: Connection): boolean;
  /** A newer one replaces it soon, so a slow reader may miss it. Any other event closes a slow reader. */
  droppable?: true;
  stateVersion?: StateVersion;
};

/** A round that took longer than this is followed by a pause as long, in which events gather; in ms. */
const BUSY_MS = 2;
const MAX_PAUSE_MS = 50;
/** A round gives way to other work after this long and goes on in the next turn of the event loop, in ms. */
const SLICE_MS = 8;

/** One pass over all members. `upTo` is the queue's absolute end when it began: so far everybody is served at its end. */
type Round = { rest: IterableIterator<Connection>; upTo: number; busyMs: number };
type Queued = { item: Broadcast; heads: Map<string, string> };

export class Hub {
  private readonly members = new Set<Connection>();
  private queue: Queued[] = [];
  /** Absolute position of `queue[0]`. */
  private base = 0;
  private round: Round | undefined;
  private scheduled = false;
  private lastRoundMs = 0;

  /**
   * `before` runs ahead of every round: it ends sessions that may no longer see anything. `broadcasts`, for the log, hears of
   * each event and of how many were signed in when it came.
   */
  constructor(
    private readonly before: () => void,
    private readonly tooSlow: (connection: Connection) => void,
    private readonly broadcasts?: (event: string, clients: number) => void,
  ) {}

  get size(): number {
    return this.members.size;
  }

  connections(): IterableIterator<Connection> {
    return this.members.values();
  }

  /** From now on the connection gets events. Call right after its hello was sent. */
  join(connection: Connection): void {
    connection.cursor = this.base + this.queue.length;
    this.members.add(connection);
  }

  leave(connection: Connection): void {
    this.members.delete(connection);
  }

  broadcast(item: Broadcast): void {
    if (!this.members.size) return;
    this.broadcasts?.(item.event, this.members.size);
    this.queue.push({ item, heads: new Map() });
    if (!this.scheduled) this.schedule();
  }

  /** Brings one connection up to date before it gets an answer, so that answers never overtake events. */
  catchUp(connection: Connection): void {
    if (this.queue.length && this.members.has(connection)) this.deliver(connection);
  }

  /** Sends everything that waits to everybody, now. Before a stop. */
  flush(): void {
    this.before();
    for (const connection of this.members) this.deliver(connection);
  }

  private schedule(): void {
    this.scheduled = true;
    const step = () => this.step();
    if (this.lastRoundMs > BUSY_MS) setTimeout(step, Math.min(this.lastRoundMs, MAX_PAUSE_MS));
    else setImmediate(step);
  }

  private step(): void {
    const started = performance.now();
    if (!this.round) this.before();
    const round = (this.round ??= {
      rest: this.members.values(),
      upTo: this.base + this.queue.length,
      busyMs: 0,
    });
    for (const connection of round.rest) {
      this.deliver(connection);
      const spent = performance.now() - started;
      if (spent < SLICE_MS) continue;
      round.busyMs += spent;
      setImmediate(() => this.step());
      return;
    }
    this.lastRoundMs = round.busyMs + performance.now() - started;
    this.queue.splice(0, round.upTo - this.base);
    this.base = round.upTo;
    this.round = undefined;
    this.scheduled = false;
    if (this.queue.length) this.schedule();
  }

  private deliver(connection: Connection): void {
    const from = connection.cursor - this.base;
    connection.cursor = this.base + this.queue.length;
    if (connection.closed || from >= this.queue.length) return;
    const { slow } = connection;
    connection.socket.cork(() => {
      for (let i = from; i < this.queue.length; i++) {
        const queued = this.queue[i]!;
        if (queued.item.to && !queued.item.to(connection)) continue;
        if (slow && queued.item.droppable) continue;
        if (slow) return this.tooSlow(connection);
        connection.send(`${headOf(queued, connection)}${++connection.seq}}`);
      }
    });
  }
}

/** The frame up to its number. Closed object: old clients drop a frame that has any other key. */
function headOf({ item, heads }: Queued, connection: Connection): string {
  const variant = item.variant?.(connection) ?? "";
  let head = heads.get(variant);
  if (head === undefined) {
    const version = item.stateVersion ? `,"stateVersion":${JSON.stringify(item.stateVersion)}` : "";
    const payload = JSON.stringify(item.payload(connection)) ?? "null";
    head = `{"type":"event","event":${JSON.stringify(item.event)},"payload":${payload}${version},"seq":`;
    heads.set(variant, head);
  }
  return head;
}
