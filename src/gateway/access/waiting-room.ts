import type { Connection } from "../connection.ts";

/** Most sockets of one address, and of all together, that have not signed in yet. */
export const MAX_PER_ADDRESS = 32;
export const MAX_WAITING = 1_024;
/** A socket younger than this is not counted as loitering: its owner's first frame may be on the way. In ms. */
const GRACE_MS = 1_000;
/**
 * Bun has one frame limit for all sockets of a server and shows a frame only when it is whole, so a stranger could fill the memory
 * with the first parts of large ones. While somebody waits, the process may grow by this much, in bytes, looked at this often, in ms.
 */
const BUDGET = 64 * 1024 * 1024;
/** An honest connection needs memory too; a thousand come at once after a restart. In bytes, for each of the first MAX_WAITING. */
const BUDGET_EACH = 128 * 1024;
const LOOK_MS = 20;
/** Growth that goes on within this time after some were dropped means that many addresses take part, in ms. */
const ESCALATE_MS = 1_000;

/** Called for each one that is dropped, before it is closed. */
type Dropped = (connection: Connection, why: "too many" | "memory") => void;

/**
 * Sockets between upgrade and hello. When there are too many, the oldest one that never said anything is dropped; a newcomer is
 * never refused, because refusing is what lets 32 silent sockets keep the owner out.
 */
export class WaitingRoom {
  /** In order of arrival. */
  private readonly all = new Set<Connection>();
  private readonly byAddress = new Map<string, Set<Connection>>();
  private looking: ReturnType<typeof setInterval> | undefined;
  /** Memory of the process from which growth is measured, in bytes. */
  private base = 0;
  /** How many came since then. */
  private came = 0;
  private relievedAt = Number.NEGATIVE_INFINITY;

  /** @param memory resident bytes of this process; an argument for tests only */
  constructor(
    private readonly now: () => number,
    private readonly dropped: Dropped,
    private readonly limits = { perAddress: MAX_PER_ADDRESS, total: MAX_WAITING },
    private readonly memory: () => number = () => process.memoryUsage.rss(),
  ) {}

  get size(): number {
    return this.all.size;
  }

  enter(connection: Connection): void {
    const { ip } = connection.peer;
    const mine = this.byAddress.get(ip) ?? new Set();
    this.byAddress.set(ip, mine);
    mine.add(connection);
    this.all.add(connection);
    while (mine.size > this.limits.perAddress && this.dropOldest(mine, connection, GRACE_MS));
    while (this.all.size > this.limits.total && this.dropOldest(this.all, connection, 0));
    this.watchMemory();
    this.came++;
  }

  leave(connection: Connection): void {
    this.all.delete(connection);
    const mine = this.byAddress.get(connection.peer.ip);
    mine?.delete(connection);
    if (mine?.size === 0) this.byAddress.delete(connection.peer.ip);
    if (this.all.size > 0) return;
    clearInterval(this.looking);
    this.looking = undefined;
  }

  /** Costs nothing while nobody waits. */
  private watchMemory(): void {
    if (this.looking) return;
    this.base = this.memory();
    this.came = 0;
    this.looking = setInterval(() => this.look(), LOOK_MS);
    this.looking.unref();
  }

  /**
   * Drops those that may be sending a large frame, when memory has grown too much; whoever is honest comes back. First only the
   * address with the most of them, which is not the owner's.
   */
  look(): void {
    const used = this.memory();
    this.base = Math.min(this.base, used);
    const budget = BUDGET + BUDGET_EACH * Math.min(this.came, this.limits.total);
    if (used - this.base <= budget) return;
    const now = this.now();
    const busiest = [...this.byAddress.values()].sort((a, b) => b.size - a.size)[0];
    const from = now - this.relievedAt < ESCALATE_MS ? this.all : (busiest ?? this.all);
    for (const connection of [...from]) if (connection.silent) this.drop(connection, "memory");
    this.relievedAt = now;
    // What was freed is used again, or given back later.
    this.base = used;
    this.came = 0;
  }

  private dropOldest(from: Set<Connection>, newcomer: Connection, minAgeMs: number): boolean {
    let victim: Connection | undefined;
    for (const candidate of from) {
      if (candidate === newcomer) continue;
      victim ??= candidate;
      if (!candidate.silent) continue;
      victim = candidate;
      break;
    }
    if (!victim || this.now() - victim.openedAt < minAgeMs) return false;
    this.drop(victim, "too many");
    return true;
  }

  private drop(connection: Connection, why: "too many" | "memory"): void {
    this.leave(connection);
    this.dropped(connection, why);
    connection.closed = true;
    clearTimeout(connection.handshakeTimer);
    connection.socket.terminate();
  }
}
