import type { Clock } from "../../base/time.ts";
import { sha256 } from "./auth.ts";

/** How long a sign-in link works, in ms. */
export const TICKET_TTL_MS = 600_000;
const MAX_TICKETS = 100;

/**
 * One-time sign-in links. The link holds a ticket in its fragment (never sent to a server, a proxy or a log by the browser);
 * the page exchanges it once for the secret over POST. Only digests are kept, in memory, so a restart voids all links.
 */
export class Tickets {
  private readonly open = new Map<string, number>();

  constructor(private readonly clock: Pick<Clock, "now">) {}

  /** A new ticket: 32 random bytes, base64url. */
  create(): string {
    const ticket = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
    this.sweep();
    this.open.set(sha256(ticket).toString("hex"), this.clock.now() + TICKET_TTL_MS);
    return ticket;
  }

  /** True exactly once per ticket, and only in time. Looking up a digest leaks nothing about the ticket. */
  redeem(ticket: string): boolean {
    const key = sha256(ticket).toString("hex");
    const expires = this.open.get(key);
    this.open.delete(key);
    return expires !== undefined && expires > this.clock.now();
  }

  private sweep(): void {
    const now = this.clock.now();
    for (const [key, expires] of this.open) if (expires <= now) this.open.delete(key);
    while (this.open.size >= MAX_TICKETS) this.open.delete(this.open.keys().next().value!);
  }
}
