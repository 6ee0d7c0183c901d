/** /config: the config, read and changed from a direct message of the owner. */
import { z } from "zod";

import { AppError } from "../../base/errors.ts";
import { parsePath } from "../../config/path.ts";
import { redact } from "../../config/snapshot.ts";
import { type Answer, command, type CommandContext, type ConfigChange } from "./command.ts";

/** A chat message is no place for more. */
const MAX_SHOWN = 3000;

async function show(path: string | undefined, { config }: CommandContext): Promise<Answer> {
  // A chat is read by others and kept by its platform, so here a secret is masked even when it is asked for by name.
  const value = redact(await config.get(path), path ? parsePath(path) : []);
  const text = JSON.stringify(value, null, 2) ?? "";
  if (text.length <= MAX_SHOWN) return { text: `\`\`\`json\n${text}\n\`\`\`` };
  const keys = typeof value === "object" && value !== null ? Object.keys(value) : [];
  return {
    text: `That is too much for a chat. Ask for a part: ${keys
      .slice(0, 40)
      .map((key) => `\`${path ? `${path}.` : ""}${key}\``)
      .join(", ")}`,
  };
}

async function write(work: () => Promise<ConfigChange>, ctx: CommandContext): Promise<Answer> {
  const { from } = ctx.caller.inbound;
  if (!ctx.config.writable(from))
    throw new AppError("forbidden", "This channel may not change the config.", {
      hint: `Set \`channels.${from.channel}.configWrites\` to true.`,
    });
  const { changed, needRestart } = await work();
  if (changed.length === 0) return { text: "It was so already." };
  const paths = changed.map((path) => `\`${path}\``).join(", ");
  return { text: `Changed: ${paths}.${needRestart.length ? " It counts after a restart." : ""}` };
}

export const config = command({
  name: "config",
  doc: "Shows and changes the config.",
  args: z.object({
    action: z.enum(["show", "get", "set", "unset"]).optional().describe("None shows."),
    path: z.string().optional().describe("Key, as `agents.defaults.model`."),
    value: z.string().optional().describe("For set: JSON5 or plain text."),
  }),
  access: "owner",
  where: "dm",
  gate: "config",
  async run({ action = "show", path, value }, ctx) {
    if (action === "show" || action === "get") return show(path, ctx);
    if (!path || (action === "set" && value === undefined))
      throw new AppError("bad_request", `What to ${action}?`, {
        hint: action === "set" ? "`/config set <path> <value>`" : "`/config unset <path>`",
      });
    return write(
      () => (action === "set" ? ctx.config.set(path, value!) : ctx.config.unset(path)),
      ctx,
    );
  },
});
