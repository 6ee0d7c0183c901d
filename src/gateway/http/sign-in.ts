/** `POST /api/sign-in {ticket}`: a one-time link's ticket for the secret. The only route that ever gives a secret out. */
import { z } from "zod";

import { AppError } from "../../base/errors.ts";
import type { Guard } from "../access/auth.ts";
import type { Peer } from "../access/origin.ts";
import type { Tickets } from "../access/tickets.ts";
import { parseJson } from "../json.ts";
import type { RepeatLog } from "../log/repeat-log.ts";

const MAX_BODY = 4_096;
const Body = z.object({ ticket: z.string().min(20).max(200) });

const json = (body: unknown, status: number, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store",
      ...headers,
    },
  });
const failure = (status: number, message: string, headers = {}) =>
  json({ error: { message } }, status, headers);

/** Reads at most `MAX_BODY` bytes, then parses. Throws bad_request for anything that is not `{ticket}`. */
async function ticketOf(request: Request, cut: () => void): Promise<string> {
  const length = Number(request.headers.get("content-length") ?? "0");
  if (length > MAX_BODY) throw new AppError("bad_request", "The body is too large.");
  const body = await request.text().then(undefined, (cause: unknown) => {
    cut();
    throw new AppError("bad_request", "The body was cut.", { cause });
  });
  if (body.length > MAX_BODY) throw new AppError("bad_request", "The body is too large.");
  const parsed = Body.safeParse(parseJson(body));
  if (!parsed.success) throw new AppError("bad_request", "A ticket is needed.");
  return parsed.data.ticket;
}

export async function signIn(
  request: Request,
  peer: Peer,
  { guard, tickets, abuse }: { guard: Guard; tickets: Tickets; abuse: RepeatLog },
): Promise<Response> {
  if (request.method !== "POST") return failure(405, "Method Not Allowed", { allow: "POST" });
  // A form of another site cannot send this type without a preflight, and preflights are refused.
  if (!/^application\/json\b/i.test(request.headers.get("content-type") ?? ""))
    return failure(415, "Send application/json.");
  let ticket: string;
  try {
    ticket = await ticketOf(request, () =>
      abuse.warn("a request body was cut off", { ip: peer.ip }),
    );
  } catch (cause) {
    if (cause instanceof AppError) return failure(400, cause.message);
    throw cause;
  }
  // Before the lock-out: 256 random bits are not guessed, and wrong tokens of others must not shut out who holds a link.
  if (!tickets.redeem(ticket)) {
    const locked = guard.lockedFor(peer);
    if (locked > 0)
      return failure(429, "Too many failed sign-ins. Wait a moment.", {
        "retry-after": String(Math.ceil(locked / 1000)),
      });
    guard.guessed(peer);
    return failure(
      401,
      "This sign-in link has been used or is too old. Sign in with the token instead, or restart the gateway for a new link.",
    );
  }
  // The page connects with the secret right after this.
  guard.forgive(peer);
  return json(guard.secret(), 200);
}
