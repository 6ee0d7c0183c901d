/** /allowlist: who may write, and approvals without a code. */
import { z } from "zod";

import { AppError } from "../../base/errors.ts";
import { shown } from "./arguments.ts";
import { type AllowLists, type Answer, command, type CommandContext } from "./command.ts";

const ids = (list: readonly string[]): string =>
  list.length ? list.map((id) => `\`${shown(id)}\``).join(", ") : "nobody";

const section = ({ channel, account, dmPolicy, config, approved }: AllowLists): string =>
  [
    `**${channel}${account === "default" ? "" : ` (${account})`}**, direct messages: ${dmPolicy}`,
    `In the config: ${ids(config)}`,
    `Approved: ${ids(approved)}`,
  ].join("\n");

async function list({ access }: CommandContext): Promise<Answer> {
  const lists = await access.lists();
  return { text: lists.map(section).join("\n\n") || "No channel is set up." };
}

async function change(
  action: "add" | "remove",
  entry: string | undefined,
  ctx: CommandContext,
): Promise<Answer> {
  if (!entry)
    throw new AppError("bad_request", "Whom?", { hint: `\`/allowlist ${action} <channel>:<id>\`` });
  const { channel, id } = target(entry, ctx);
  if (action === "remove") {
    const gone = await ctx.access.revoke(channel, id);
    return {
      text: gone
        ? `\`${shown(id)}\` of ${channel} is not approved any more.`
        : `\`${shown(id)}\` of ${channel} was not approved. Who stands in the config is removed there.`,
    };
  }
  const row = await ctx.access.allow(channel, id);
  if (row) return { text: `\`${shown(row.sender)}\` of ${row.channel} may write now.` };
  throw new AppError("bad_request", `\`${shown(id)}\` is no id of ${channel}.`, {
    hint: "Names can be taken by anybody; `/whoami` tells a person their id.",
  });
}

/** `channel:42`; an id alone belongs to the channel of the chat. */
function target(entry: string, { caller }: CommandContext): { channel: string; id: string } {
  const [, channel, id] = /^([a-z][a-z0-9-]*):(.+)$/i.exec(entry) ?? [];
  return channel && id
    ? { channel: channel.toLowerCase(), id: id.trim() }
    : { channel: caller.inbound.from.channel, id: entry };
}

export const allowlist = command({
  name: "allowlist",
  doc: "Who may write to me; adds and removes approvals.",
  args: z.object({
    action: z.enum(["list", "add", "remove"]).optional().describe("None lists."),
    who: z.string().optional().describe("`channel:id`, or an id of this channel."),
  }),
  access: "owner",
  where: "dm",
  typedOnly: true,
  async run({ action = "list", who }, ctx) {
    return action === "list" ? list(ctx) : change(action, who?.trim(), ctx);
  },
});
