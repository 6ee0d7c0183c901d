import type { Connection } from "../connection.ts";

/** Most sockets of one address, and of all together, that have not signed in yet. */
export const MAX_PER_ADDRESS = 32;
export const MAX_WAITING = 1_024;
/** A socket younger than this is not counted as loitering: its owner's first frame may be on the way. In ms. */
const GRACE_MS = 1_000;

/**
 * Sockets between upgrade and hello. When there are too many, the oldest one that never said anything is dropped; a newcomer is
 * never refused, because refusing is what lets 32 silent sockets keep the owner out.
 */
export class WaitingRoom {
  /** In order of arrival. */
  private readonly all = new Set<Connection>();
  private readonly byAddress = new Map<string, Set<Connection>>();

  constructor(
    private readonly now: () => number,
    /** Called for each one that is dropped, before it is closed. */
    private readonly dropped: (connection: Connection) => void,
    private readonly limits = { perAddress: MAX_PER_ADDRESS, total: MAX_WAITING },
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
    while (mine.size > this.limits.perAddress && this.drop(mine, connection, GRACE_MS));
    while (this.all.size > this.limits.total && this.drop(this.all, connection, 0));
  }

  leave(connection: Connection): void {
    this.all.delete(connection);
    const mine = this.byAddress.get(connection.peer.ip);
    mine?.delete(connection);
    if (mine?.size === 0) this.byAddress.delete(connection.peer.ip);
  }

  private drop(from: Set<Connection>, newcomer: Connection, minAgeMs: number): boolean {
    let victim: Connection | undefined;
    for (const candidate of from) {
      if (candidate === newcomer) continue;
      victim ??= candidate;
      if (!candidate.silent) continue;
      victim = candidate;
      break;
    }
    if (!victim || this.now() - victim.openedAt < minAgeMs) return false;
    this.leave(victim);
    this.dropped(victim);
    victim.closed = true;
    clearTimeout(victim.handshakeTimer);
    victim.socket.terminate();
    return true;
  }
}
