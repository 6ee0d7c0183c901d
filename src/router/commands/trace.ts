/** /trace: why a message got no answer, from the same ledger as `clawdbot message trace`. */
import { z } from "zod";

import { formatAge } from "../../base/time.ts";
import type { Route } from "../../flow.ts";
import type { Trace } from "../../store/store.ts";
import { REASONS } from "../reasons.ts";
import { shown } from "./arguments.ts";
import { command } from "./command.ts";

const LISTED = 5;

/** What the router decided, in a sentence. */
function decision(route: Route): string {
  switch (route.kind) {
    case "drop": {
      const { what, remedy } = REASONS[route.reason];
      return [
        `Not answered (${route.reason}): ${what}`,
        route.detail && `Detail: ${shown(route.detail)}.`,
        remedy,
      ]
        .filter(Boolean)
        .join(" ");
    }
    case "turn":
      return `For \`${route.sessionKey}\` (${route.matchedBy}, ${route.trust}).`;
    case "answer":
      return `Answered at once (${route.by}).`;
    case "note":
      return `Kept for \`${route.sessionKey}\`, no answer wanted.`;
    case "change":
      return `Changes the message \`${shown(route.of)}\`.`;
  }
}

const senderOf = ({ inbound: { sender } }: Trace): string =>
  `\`${shown(sender.id)}\`${sender.name ? ` (${shown(sender.name)})` : ""}`;

/** The whole way of one message, a line per step. */
function story(found: Trace, now: number): string {
  const { inbound, route, acceptedAt, turn, lead, tools, outbox } = found;
  const run = lead ?? turn;
  return [
    `Message \`${shown(inbound.id)}\` from ${senderOf(found)}, ${inbound.from.channel} chat \`${shown(inbound.from.chatId)}\`, ${formatAge(now - acceptedAt)} ago`,
    decision(route),
    ...(lead ? [`Answered together with others in run \`${lead.id}\`.`] : []),
    ...(run
      ? [
          `Run \`${run.id}\`: ${run.state}${run.attempts > 1 ? `, begun ${run.attempts} times` : ""}${run.error ? `. ${shown(run.error.message)}` : ""}`,
        ]
      : []),
    ...(tools.length
      ? [`Tools: ${tools.map((each) => each.name + (each.failed ? " (failed)" : "")).join(", ")}`]
      : []),
    ...outbox.map(
      (row) =>
        `Sent: ${row.state}${row.receipt?.ids.length ? ` as \`${row.receipt.ids.map(shown).join(", ")}\`` : ""}${row.attempts > 1 ? `, ${row.attempts} tries` : ""}${row.error && row.state !== "delivered" ? `: ${shown(row.error)}` : ""}`,
    ),
    ...(run?.state === "done" && outbox.length === 0 ? ["Nothing was to be sent."] : []),
  ].join("\n");
}

const row = (each: Trace, now: number): string =>
  `- \`${shown(each.inbound.id)}\` ${each.inbound.from.channel}, ${senderOf(each)}, ${formatAge(now - each.acceptedAt)} ago: ${each.route.kind === "drop" ? each.route.reason : (each.lead?.state ?? each.turn?.state ?? each.route.kind)}`;

export const trace = command({
  name: "trace",
  doc: "Why a message got no answer.",
  args: z.object({
    id: z
      .string()
      .optional()
      .describe("Id of a message, a run or something sent. None lists the newest unanswered ones."),
  }),
  access: "owner",
  where: "dm",
  async run({ id }, { trace: ledger, now, caller }) {
    if (id) {
      const found = await ledger.find(id.trim());
      return { text: found ? story(found, now()) : `Nothing is known of \`${shown(id)}\`.` };
    }
    const rows = (await ledger.recent({ limit: LISTED + 1, unanswered: true }))
      // This very command is not answered yet.
      .filter((each) => each.inbound.id !== caller.inbound.id)
      .slice(0, LISTED);
    if (rows.length === 0) return { text: "Every message was answered." };
    return {
      text: [
        "Newest without an answer:",
        ...rows.map((each) => row(each, now())),
        "",
        "`/trace <id>` tells more.",
      ].join("\n"),
    };
  },
});
