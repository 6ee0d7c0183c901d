import { expect, test } from "bun:test";

import { TICKET_TTL_MS, Tickets } from "./tickets.ts";

test("a ticket works once and only in time; only the newest hundred are kept", () => {
  const clock = { at: 0, now: () => clock.at };
  const tickets = new Tickets(clock);
  const first = tickets.create();
  expect(first).toMatch(/^[\w-]{43}$/);
  expect(tickets.redeem(`${first}x`)).toBe(false);
  expect(tickets.redeem(first)).toBe(true);
  expect(tickets.redeem(first)).toBe(false);
  const late = tickets.create();
  clock.at = TICKET_TTL_MS;
  expect(tickets.redeem(late)).toBe(false);
  const oldest = tickets.create();
  for (let i = 0; i < 100; i++) tickets.create();
  expect(tickets.redeem(oldest)).toBe(false);
});
