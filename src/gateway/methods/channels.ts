/** The chat networks: how they are, and signing in to those that are linked by a picture or a code. */
import { z } from "zod";

import { AppError } from "../../base/errors.ts";
import { isNetwork } from "../../channels/accounts.ts";
import type { LoginStep } from "../../channels/channel.ts";
import { NETWORK_IDS, type NetworkId, PARTS } from "../../channels/registry.ts";
import {
  AccountSnapshot,
  Capabilities,
  ChannelWarning,
  directory,
  warningsOf,
} from "../../channels/summary.ts";
import { method, type MethodContext } from "../method.ts";
import { lookAtChannels } from "./channel-look.ts";

const optional = z.string().max(1_024).optional();
const names = z.record(z.string(), z.string());

/** How long a probe or a sign-in may be waited for, in ms. */
const MIN_PROBE_MS = 1_000;
const MAX_WAIT_MS = 600_000;

const timeout = (standard: number) =>
  z.number().min(0).max(MAX_WAIT_MS).default(standard).describe("In ms.");

const LoginAnswer = z.object({
  message: z.string().describe("For people."),
  connected: z.boolean().optional(),
  qrDataUrl: z.string().optional().describe("The picture to scan, a PNG."),
  qr: z.string().optional().describe("The same as text, for those who draw it themselves."),
  code: z.string().optional().describe("The code to type into the phone."),
});

/** The channel that is meant. Throws bad_request in the original's words. */
function networkOf(text: string, problem: string): NetworkId {
  const id = text.trim().toLowerCase();
  if (isNetwork(id)) return id;
  throw new AppError("bad_request", problem, { hint: `One of: ${NETWORK_IDS.join(", ")}.` });
}

/** The account of a sign-in: of the channel that is named, else of the first that has a sign-in at all. */
async function loginPlace(
  { channel, accountId }: { channel?: string | undefined; accountId?: string | undefined },
  { messaging }: Pick<MethodContext, "messaging">,
) {
  const account = accountId?.trim() || "default";
  const wanted = channel ? [networkOf(channel, `unknown channel: ${channel}`)] : NETWORK_IDS;
  for (const id of wanted)
    if ((await messaging.facts(id)).setup.login) return { channel: id, account };
  throw new AppError(
    "bad_request",
    channel
      ? `web login is not supported by provider ${channel}`
      : "web login provider is not available",
  );
}

async function answerOf(step: LoginStep): Promise<z.input<typeof LoginAnswer>> {
  switch (step.kind) {
    case "qr":
      return {
        message: "Scan this with the phone: Settings, Linked devices, Link a device.",
        qrDataUrl: (await PARTS.qr()).qrPng(step.data),
        qr: step.data,
      };
    case "code":
      return {
        message: `Type this code into the phone (Linked devices, Link with phone number): ${step.code}`,
        code: step.code,
      };
    case "wait":
      return { message: step.text };
    case "done":
      return { message: step.text, connected: true };
    case "failed": {
      const { message, hint } = step.error;
      return { message: hint ? `${message} ${hint}` : message, connected: false };
    }
  }
}

export const channels = {
  "channels.status": method({
    doc: "All chat channels and their accounts, from evidence: the last event, the last confirmed send, a round trip.",
    scope: "operator.read",
    params: z.object({
      probe: z.boolean().optional().describe("Also one round trip with each running account."),
      timeoutMs: z
        .number()
        .min(0)
        .optional()
        .describe("Of each probe, in ms. At least 1000; 10000 when unset."),
    }),
    result: z.lazy(() =>
      z.object({
        ts: z.number(),
        channelOrder: z.array(z.string()),
        channelLabels: names,
        channelDetailLabels: names,
        channelSystemImages: names,
        channelMeta: z.array(
          z.object({
            id: z.string(),
            label: z.string(),
            detailLabel: z.string(),
            systemImage: z.string().optional(),
          }),
        ),
        channels: z
          .record(z.string(), z.looseObject({ configured: z.boolean() }))
          .describe("What stands on each channel's card; null for what is not known."),
        channelAccounts: z.record(z.string(), z.array(AccountSnapshot)),
        channelDefaultAccountId: names,
        warnings: z.array(ChannelWarning),
      }),
    ),
    async run({ probe, timeoutMs = 10_000 }, { messaging, gateway }) {
      const looks = await lookAtChannels(messaging, {
        now: () => gateway.now(),
        ...(probe && {
          probe: { timeoutMs: Math.min(MAX_WAIT_MS, Math.max(MIN_PROBE_MS, timeoutMs)) },
        }),
      });
      const each = <T>(pick: (look: (typeof looks)[number]) => T) =>
        Object.fromEntries(looks.map((look) => [look.id, pick(look)]));
      const ts = gateway.now();
      return {
        ts,
        ...directory(),
        channels: each(({ card }) => card),
        channelAccounts: each(({ accounts }) => accounts),
        channelDefaultAccountId: each(({ defaultAccountId }) => defaultAccountId),
        warnings: looks.flatMap(({ id, accounts }) =>
          accounts.flatMap((account) => warningsOf(id, account, ts)),
        ),
      };
    },
  }),

  "channels.capabilities": method({
    doc: "What each running account can do, and one round trip with its credential.",
    scope: "operator.read",
    params: z.object({
      channel: optional,
      accountId: optional,
      timeoutMs: z.number().min(0).optional().describe("Of each probe, in ms; 10000 when unset."),
    }),
    result: z.object({ channels: z.array(Capabilities) }),
    async run({ channel, accountId, timeoutMs = 10_000 }, { messaging, gateway }) {
      const { capabilitiesRow } = await PARTS.capabilities();
      const only = channel && networkOf(channel, `unknown channel: ${channel}`);
      const looks = await lookAtChannels(messaging, {
        now: () => gateway.now(),
        probe: { timeoutMs: Math.min(MAX_WAIT_MS, Math.max(MIN_PROBE_MS, timeoutMs)) },
        ...(only && { only }),
      });
      return {
        channels: looks.flatMap(({ id, accounts }) =>
          accounts
            .filter((each) => !accountId || each.accountId === accountId)
            .map((each) => {
              const at = { channel: id, account: each.accountId };
              return capabilitiesRow(id, each, each.running ? messaging.capabilities(at) : []);
            }),
        ),
      };
    },
  }),

  "channels.logout": method({
    doc: "Signs an account out and removes what was kept of it. Only for channels that are linked.",
    scope: "operator.admin",
    params: z.object({ channel: z.string().min(1).max(64), accountId: optional }),
    result: z.lazy(() =>
      z.object({
        channel: z.string(),
        accountId: z.string(),
        cleared: z.boolean().describe("There was a link."),
        loggedOut: z.boolean(),
      }),
    ),
    async run({ channel, accountId }, { messaging }) {
      const id = networkOf(channel, "invalid channels.logout channel");
      const account = accountId?.trim() || "default";
      const cleared = await messaging.logins.logout({ channel: id, account });
      return { channel: id, accountId: account, cleared, loggedOut: cleared };
    },
  }),

  "web.login.start": method({
    doc: "Begins a sign-in, or gives the one that goes on: a picture to scan, or a code to type into the phone. It lives for three minutes.",
    scope: "operator.admin",
    params: z.object({
      force: z.boolean().optional().describe("Sign in anew although there is a link."),
      timeoutMs: timeout(30_000),
      verbose: z.boolean().optional().describe("Kept for old clients; has no effect."),
      accountId: optional,
      channel: optional.describe("Unset: the first channel that has a sign-in."),
      phone: z
        .string()
        .max(32)
        .optional()
        .describe("International number: ask for a code instead of a picture."),
    }),
    result: LoginAnswer,
    async run({ force = false, timeoutMs, phone, ...where }, ctx) {
      const at = await loginPlace(where, ctx);
      const wish = { force, timeoutMs, ...(phone?.trim() && { phone: phone.trim() }) };
      const step = await ctx.messaging.logins.start(at, wish);
      if (step.kind === "failed") throw step.error;
      return answerOf(step);
    },
  }),

  "web.login.wait": method({
    doc: "Waits for the end of a sign-in.",
    scope: "operator.admin",
    params: z.object({
      timeoutMs: timeout(120_000),
      accountId: optional,
      channel: optional,
      next: z
        .boolean()
        .optional()
        .describe("Answer also with the next picture, code or progress, not only with the end."),
    }),
    result: LoginAnswer.extend({
      connected: z.boolean(),
      over: z
        .boolean()
        .optional()
        .describe("True: nothing goes on any more; it is connected, or it has failed."),
    }),
    async run({ timeoutMs, next, ...where }, ctx) {
      const at = await loginPlace(where, ctx);
      const until = performance.now() + timeoutMs;
      for (;;) {
        const step = await ctx.messaging.logins.wait(at, Math.max(0, until - performance.now()));
        if (!step && !ctx.messaging.logins.goesOn(at))
          return { connected: false, message: "No sign-in goes on. Begin a new one.", over: true };
        if (!step) {
          const message = "Still waiting. When the code has expired, ask for a new one.";
          return { connected: false, message };
        }
        const over = step.kind === "done" || step.kind === "failed";
        if (next || over) return { connected: false, ...(await answerOf(step)), over };
      }
    },
  }),

  "web.login.cancel": method({
    doc: "Ends a sign-in that nobody waits for any more; the account starts again.",
    scope: "operator.admin",
    params: z.object({ accountId: optional, channel: optional }),
    result: z.object({ ok: z.literal(true) }),
    async run(where, ctx) {
      await ctx.messaging.logins.cancel(await loginPlace(where, ctx));
      return { ok: true as const };
    },
  }),
};
