/** What the server says of each message that we sent: it has it, or why it does not take it. */
import type { BinaryNode } from "@whiskeysockets/baileys";

import { AppError } from "../../base/errors.ts";

const TIMEOUT_MS = 30_000;
/** When nobody says how long to stay away. */
const RATE_LIMITED_MS = 60_000;
const BUSY_MS = 15_000;

/** WhatsApp's codes in an `ack` with an error. What is not here and below 500 is a plain no. */
const REFUSALS: Record<string, string> = {
  "401": "We may not write there.",
  "403": "We may not write in this group.",
  "404": "This chat does not exist.",
  "420": "The list of members was out of date.",
  "463":
    "WhatsApp has restricted this account: it may not begin new chats for some time. Trying again makes it worse.",
  "479": "WhatsApp could not read the message.",
};

type Waiter = { done(): void; failed(error: AppError): void };

export class Acks {
  private readonly waiting = new Map<string, Waiter>();

  /**
   * Resolves when the server has the message `id`; call it before sending. Rejects with `channel_rejected`, or
   * `channel_unreachable` when it is not known whether the server has it: the same id may be sent again, and people see it once.
   */
  expect(id: string): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new AppError("channel_unreachable", "WhatsApp did not confirm the message."));
      }, TIMEOUT_MS);
      const end = (): void => {
        clearTimeout(timer);
        this.waiting.delete(id);
      };
      this.waiting.set(id, {
        done() {
          end();
          resolve();
        },
        failed(error) {
          end();
          reject(error);
        },
      });
    });
  }

  settle({ attrs }: BinaryNode): void {
    const waiter = this.waiting.get(attrs.id ?? "");
    if (!waiter) return;
    if (attrs.error) waiter.failed(refusal(attrs.error, attrs.backoff));
    else waiter.done();
  }

  /** The sending itself failed. */
  withdraw(id: string, error: AppError): void {
    this.waiting.get(id)?.failed(error);
  }

  /** The connection ended; what was sent on it may have arrived or not. */
  fail(error: AppError): void {
    for (const waiter of [...this.waiting.values()]) waiter.failed(error);
  }
}

function refusal(code: string, backoff: string | undefined): AppError {
  const seconds = Number(backoff);
  if (code === "429")
    return new AppError("channel_unreachable", "WhatsApp limits how fast this account may write.", {
      retryAfterMs: seconds > 0 ? Math.max(RATE_LIMITED_MS, seconds * 1000) : RATE_LIMITED_MS,
    });
  if (Number(code) >= 500)
    return new AppError("channel_unreachable", `WhatsApp could not take the message (${code}).`, {
      retryAfterMs: BUSY_MS,
    });
  const why = REFUSALS[code] ?? "WhatsApp does not take the message.";
  return new AppError("channel_rejected", `${why} (${code})`, { details: { code } });
}
