/** The set-up for clients without a terminal: one step after the other, one set-up at a time. */
import { z } from "zod";

import { AppError } from "../../base/errors.ts";
import { PARTS } from "../../channels/registry.ts";
import type { Step, Told } from "../../wizard/session.ts";
import { method, type MethodContext } from "../method.ts";

const SessionId = z.string().min(1).max(128);
const Status = z.enum(["running", "done", "cancelled", "error"]);

const WireStep = z.object({
  id: z.string(),
  type: z
    .enum(["note", "select", "text", "confirm", "multiselect", "progress", "action"])
    .describe("`note` and `progress` are answered without a value."),
  title: z.string().optional(),
  message: z.string().optional(),
  options: z
    .array(z.object({ value: z.string(), label: z.string(), hint: z.string().optional() }))
    .optional(),
  initialValue: z.unknown().describe("Offered; never there for a sensitive step."),
  placeholder: z.string().optional(),
  sensitive: z.boolean().optional().describe("The answer is a secret: show it to nobody."),
  executor: z.enum(["gateway", "client"]).optional(),
  qrDataUrl: z.string().optional().describe("A picture to scan, a PNG."),
  qr: z.string().optional().describe("The same as text, for those who draw it themselves."),
  code: z.string().optional().describe("A code to type into a phone."),
});

const Answer = z.object({
  done: z.boolean(),
  step: WireStep.optional(),
  status: Status.optional(),
  error: z.string().optional().describe("Why it ended without being finished."),
  hint: z.string().optional().describe("What to do then."),
});

function deskOf({ wizard }: Pick<MethodContext, "wizard">) {
  if (wizard) return wizard;
  throw new AppError("bad_request", "This gateway has no set-up.");
}

async function wireStep(step: Step): Promise<z.input<typeof WireStep>> {
  return {
    ...step,
    initialValue: step.initialValue,
    ...(step.qr && { qrDataUrl: (await PARTS.qr()).qrPng(step.qr) }),
  };
}

async function wireAnswer({ step, error, ...rest }: Told): Promise<z.input<typeof Answer>> {
  return {
    ...rest,
    ...(step && { step: await wireStep(step) }),
    ...(error && { error: error.message, ...(error.hint && { hint: error.hint }) }),
  };
}

export const wizard = {
  "wizard.start": method({
    doc: "Begins the set-up: a model key, a chat app. While one goes on the error's `details.sessionId` says which, to go on with it.",
    scope: "operator.admin",
    params: z.object({
      mode: z.enum(["local", "remote"]).optional().describe("Only `local` makes sense here."),
      workspace: z.string().max(4_096).optional().describe("Where the agent works."),
    }),
    result: z.lazy(() => Answer.extend({ sessionId: z.string() })),
    async run({ mode, workspace }, ctx) {
      if (mode === "remote")
        throw new AppError("bad_request", "A gateway sets itself up, so the mode is local.", {
          hint: "On the other machine: clawdbot onboard --mode remote",
        });
      const { sessionId, ...told } = await deskOf(ctx).start({ workspace: workspace?.trim() });
      return { sessionId, ...(await wireAnswer(told)) };
    },
  }),

  "wizard.next": method({
    doc: "Answers a step and gives the next one; without an answer, the present one. After a progress it waits for news, up to 25 s.",
    scope: "operator.admin",
    params: z.object({
      sessionId: SessionId,
      answer: z
        .object({ stepId: z.string().min(1).max(128), value: z.unknown().optional() })
        .optional(),
    }),
    result: z.lazy(() => Answer),
    async run({ sessionId, answer }, ctx) {
      return wireAnswer(await deskOf(ctx).next(sessionId, answer));
    },
  }),

  "wizard.cancel": method({
    doc: "Ends the set-up. What was written already stays.",
    scope: "operator.admin",
    params: z.object({ sessionId: SessionId }),
    result: z.lazy(() => z.object({ status: Status, error: z.string().optional() })),
    async run({ sessionId }, ctx) {
      const { status, error } = await deskOf(ctx).cancel(sessionId);
      return { status, ...(error && { error: error.message }) };
    },
  }),

  "wizard.status": method({
    doc: "How a set-up is.",
    scope: "operator.admin",
    params: z.object({ sessionId: SessionId }),
    result: z.lazy(() => z.object({ status: Status, error: z.string().optional() })),
    async run({ sessionId }, ctx) {
      const { status, error } = await deskOf(ctx).status(sessionId);
      return { status, ...(error && { error: error.message }) };
    },
  }),
};
