/** Strangers who wait for approval, and those who have it. */
import { z } from "zod";

import { AppError } from "../../base/errors.ts";
import { method } from "../method.ts";

const Request = z.object({
  channel: z.string(),
  accountId: z.string(),
  id: z.string().describe("The sender's id on the platform."),
  code: z.string(),
  meta: z
    .record(z.string(), z.string())
    .describe("Names as the platform gave them; anybody can choose any."),
  createdAt: z.number(),
  lastSeenAt: z.number(),
});

type Row = {
  channel: string;
  account: string;
  sender: string;
  code: string;
  meta: Record<string, string>;
  createdAt: number;
  lastSeenAt: number;
};

/** The keys are those of the original's files. */
const wire = ({ account, sender, ...row }: Row): z.input<typeof Request> => ({
  ...row,
  accountId: account,
  id: sender,
});

const channel = z.string().min(1).max(64).optional();
const code = z.string().trim().min(1).max(64);

export const pairing = {
  "pairing.list": method({
    doc: "Strangers who wrote and wait for approval, oldest first, and everybody who was let in.",
    scope: "operator.pairing",
    params: z.object({ channel }),
    result: z.lazy(() =>
      z.object({
        requests: z.array(Request),
        allowed: z.array(
          z.object({
            channel: z.string(),
            accountId: z.string(),
            id: z.string(),
            addedAt: z.number(),
          }),
        ),
      }),
    ),
    async run({ channel: only }, { messaging }) {
      const rows = await messaging.pairing.list(only?.toLowerCase());
      const allowed = await messaging.pairing.allowed();
      return {
        requests: rows.map(wire),
        allowed: allowed
          .filter((row) => !only || row.channel === only.toLowerCase())
          .map(({ account, sender, ...row }) => ({ ...row, accountId: account, id: sender })),
      };
    },
  }),

  "pairing.approve": method({
    doc: "Lets the stranger in who was given this code.",
    scope: "operator.pairing",
    params: z.object({
      code,
      channel,
      notify: z.boolean().optional().describe("Tell the person."),
    }),
    result: z.object({ approved: Request }),
    async run({ code: given, channel: only, notify }, { messaging }) {
      const row = await messaging.pairing.approve(given, only?.toLowerCase(), notify);
      if (!row) throw unknownCode(given);
      return { approved: wire(row) };
    },
  }),

  "pairing.dismiss": method({
    doc: "Forgets a request. The person may ask again.",
    scope: "operator.pairing",
    params: z.object({ code }),
    result: z.lazy(() => z.object({ dismissed: z.literal(true), code: z.string() })),
    async run({ code: given }, { messaging }) {
      if (!(await messaging.pairing.dismiss(given))) throw unknownCode(given);
      return { dismissed: true as const, code: given.toUpperCase() };
    },
  }),

  "pairing.revoke": method({
    doc: "Takes an approval back. Whoever stands in the config's lists keeps what those give.",
    scope: "operator.pairing",
    params: z.object({
      channel: z.string().min(1).max(64),
      accountId: z.string().min(1).max(128).default("default"),
      id: z.string().min(1).max(256),
    }),
    result: z.object({ revoked: z.literal(true) }),
    async run({ channel: on, accountId, id }, { messaging }) {
      const row = { channel: on.toLowerCase(), account: accountId, sender: id };
      if (await messaging.pairing.revoke(row)) return { revoked: true as const };
      throw new AppError("not_found", `Nobody with the id ${id} was let in on ${row.channel}.`, {
        hint: "`clawdbot pairing list --allowed` has those who were.",
      });
    },
  }),
};

const unknownCode = (given: string): AppError =>
  new AppError("not_found", `No pending pairing request found for code: ${given}`, {
    hint: "A code is good for an hour. `clawdbot pairing list` has those that wait.",
  });
