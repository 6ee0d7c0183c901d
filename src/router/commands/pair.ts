/** /pair: the owner lets a stranger in, from any chat. */
import { z } from "zod";

import { AppError } from "../../base/errors.ts";
import { formatAge } from "../../base/time.ts";
import { shown } from "./arguments.ts";
import { type Answer, command, type CommandContext } from "./command.ts";

async function list({ pairing, now }: CommandContext): Promise<Answer> {
  const waiting = await pairing.list();
  if (waiting.length === 0) return { text: "Nobody waits." };
  return {
    text: [
      ...waiting.map(({ channel, account, sender, code, meta, createdAt }) => {
        const names = Object.values(meta).map(shown).filter(Boolean).join(", ");
        const where = account === "default" ? channel : `${channel} (${account})`;
        return `- \`${code}\` ${where}, id \`${shown(sender)}\`${names ? `, calls itself ${names}` : ""}, ${formatAge(now() - createdAt)} ago`;
      }),
      "",
      "`/pair approve <code>` lets one in, `/pair dismiss <code>` does not. Names are chosen by strangers.",
    ].join("\n"),
  };
}

export const pair = command({
  name: "pair",
  doc: "Strangers who wait; lets them in.",
  args: z.object({
    action: z.enum(["list", "approve", "dismiss"]).optional().describe("None lists."),
    code: z.string().optional().describe("The code that the stranger was given."),
  }),
  spellings: { reject: "dismiss", allow: "approve" },
  access: "owner",
  async run({ action = "list", code }, ctx) {
    if (action === "list") return list(ctx);
    const typed = code?.trim().toUpperCase();
    if (!typed)
      throw new AppError("bad_request", "Which code?", { hint: `\`/pair ${action} <code>\`` });
    if (action === "dismiss")
      return {
        text: (await ctx.pairing.dismiss(typed)) ? "Dismissed." : nobody(typed),
      };
    const row = await ctx.pairing.approve(typed);
    if (!row) return { text: nobody(typed) };
    return { text: `\`${shown(row.sender)}\` of ${row.channel} may write now, and is told so.` };
  },
});

const nobody = (code: string): string =>
  `Nobody waits with \`${shown(code)}\`. Codes live an hour; the next message of that person gets a new one.`;
