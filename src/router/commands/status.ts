/** /status: what answers here, with which settings, and what is going on. */
import { z } from "zod";

import { PRODUCT } from "../../base/brand.ts";
import { command, inGroup } from "./command.ts";
import { thinkingNow } from "./levels.ts";

const number = (n: number): string => n.toLocaleString("en-US");

export const status = command({
  name: "status",
  doc: "The model, the settings and the size of this conversation, and what is going on.",
  args: z.object({}),
  access: "allowed",
  async run(_, ctx) {
    const { caller, models, runs, set } = ctx;
    const row = await ctx.session();
    const settings = row?.settings ?? {};
    const ref = settings.model ?? (await models.defaultRef(caller.agentId));
    const room = (await models.list()).find((model) => model.ref === ref)?.contextWindow;
    const { running, waiting } = runs.state(caller.sessionKey);
    const used = row?.contextTokens ?? 0;
    const share = room
      ? ` of ${number(room)} tokens (${Math.round((used / room) * 100)} %)`
      : " tokens";
    const at = new Date(ctx.now()).toISOString().slice(0, 16).replace("T", " ");
    return {
      text: [
        `${PRODUCT} ${ctx.version}, ${at} UTC`,
        `Model: \`${ref}\`${settings.model ? "" : " (default)"}`,
        `Thinking: ${await thinkingNow(ctx)}; tool calls: ${settings.verboseLevel ?? set.verboseDefault}; thoughts: ${settings.reasoningLevel ?? "off"}`,
        `Conversation: \`${caller.sessionKey}\`, ${number(used)}${share}`,
        ...(row
          ? [`Used so far: ${number(row.usage.input)} in, ${number(row.usage.output)} out`]
          : []),
        `Now: ${running ? "working" : "idle"}${waiting ? `, ${waiting} waiting` : ""}; new messages meanwhile: ${set.queueMode}`,
        ...(inGroup(caller.inbound) && settings.groupActivation
          ? [
              `In this group I answer ${settings.groupActivation === "always" ? "everything" : "when mentioned"}.`,
            ]
          : []),
        ...(settings.sendPolicy === "deny" ? ["Answering is off: `/send on`"] : []),
      ].join("\n"),
    };
  },
});
