/** Why a connection ended: what is said about it, and what follows. */
import { AppError } from "../../base/errors.ts";

/** Baileys' codes are WhatsApp's and a few of its own (408, 428); 499 is ours. */
export const CLOSED_BY_US = 499;

export type Ending = {
  status: number;
  /** One sentence for the status and the log. */
  text: string;
  /** `again`: after a pause. `now`: at once. `never`: only a new link helps. `slow`: after the longest pause. */
  next: "again" | "now" | "never" | "slow";
};

const ENDINGS: Record<number, Omit<Ending, "status">> = {
  401: { text: "WhatsApp has logged this device out.", next: "never" },
  403: {
    text: "WhatsApp refuses this account (403). It may be blocked: open WhatsApp on the phone and look.",
    next: "slow",
  },
  405: {
    text: "WhatsApp does not accept this version of the program any more (405). Update it.",
    next: "slow",
  },
  408: { text: "The connection to WhatsApp was lost.", next: "again" },
  411: {
    text: "The phone's WhatsApp is too old for linked devices (411). Update it there.",
    next: "slow",
  },
  428: { text: "The connection to WhatsApp was closed.", next: "again" },
  // At once would throw the other one out, which would come back at once: for ever.
  440: {
    text: "Another program uses the same link (440), and only one can. Stop the other one.",
    next: "slow",
  },
  500: { text: "WhatsApp ended the session (500).", next: "again" },
  503: { text: "WhatsApp is not available (503).", next: "again" },
  515: { text: "WhatsApp asked for a new connection (515).", next: "now" },
  [CLOSED_BY_US]: {
    text: "WhatsApp was silent, so the connection was closed (499).",
    next: "again",
  },
};

/** The library's errors carry the code of the server, or of the library, in `output.statusCode`. */
export function statusOf(cause: unknown): number | undefined {
  const output = (cause as { output?: { statusCode?: unknown } } | undefined)?.output;
  if (typeof output?.statusCode === "number") return output.statusCode;
  return undefined;
}

export function endingOf(cause: unknown): Ending {
  const status = statusOf(cause) ?? 428;
  const known = ENDINGS[status];
  if (known) return { status, ...known };
  const message = cause instanceof Error ? cause.message : String(cause);
  return {
    status,
    text: `The connection to WhatsApp ended (${status}): ${message}.`,
    next: "again",
  };
}

export const notLinked = (text: string, account: string): AppError =>
  new AppError("not_linked", text, { hint: `Link it with \`${loginCommand(account)}\`.` });

/** What to type; the account only where there are several. */
export const loginCommand = (account: string): string =>
  `clawdbot channels login --channel whatsapp${account === "default" ? "" : ` --account ${account}`}`;
