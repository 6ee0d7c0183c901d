/** `sessions tail|reset|delete`: one conversation. Works with the running gateway, and straight on the database while none runs. */
import { defaultAgentId } from "../../agent/settings.ts";
import { AppError } from "../../base/errors.ts";
import { agentOf, entryOf, keyOf, linesOf } from "../../gateway/session-rows.ts";
import { parseKey } from "../../protocol/session-key.ts";
import { peekSession } from "../../store/peek-session.ts";
import { wholeNumber } from "../arguments.ts";
import { usableSettings } from "../channels/accounts.ts";
import { eitherWay, withStore } from "../channels/reach.ts";
import { type Cli, command, GATEWAY_ARGS } from "../command.ts";
import { confirmed } from "../leaving/carry-out.ts";
import { safeText } from "../out.ts";

const KEY_ARG = {
  key: {
    type: "positional",
    required: true,
    description: "Its key, as in `sessions`; `main` is the default agent's own.",
  },
} as const;

/** The canonical key, made as the gateway makes it. Throws bad_request. */
async function keyFor(cli: Cli, text: string) {
  const { config } = await usableSettings(cli);
  const agentId = defaultAgentId(config.agents);
  const key = keyOf(text, config, agentId);
  return { key, agentId: agentOf(key, agentId) };
}

const unknown = (key: string): AppError =>
  new AppError("not_found", `No session found: ${key}`, {
    hint: "`clawdbot sessions` lists them.",
  });

/** Longest line of what was said, in characters. */
const LINE_MAX = 2_000;

export const tail = command({
  doc: "The last things said in a conversation. Works while the gateway is down.",
  args: {
    ...KEY_ARG,
    limit: { type: "string", hint: "n", default: "12", description: "Messages at most (50)." },
    ...GATEWAY_ARGS,
  },
  examples: [
    ["sessions tail main", "of the default agent"],
    ["sessions tail agent:main:main --limit 50 --json", "for scripts"],
  ],
  async run(args, cli) {
    const limit = wholeNumber("limit", args.limit, { min: 1, max: 50 })!;
    const { key } = await keyFor(cli, args.key);
    const items = await eitherWay(
      cli,
      args,
      async ({ client, timeoutMs }) => {
        const { previews } = await client.call(
          "sessions.preview",
          { keys: [key], limit, maxChars: LINE_MAX },
          { timeoutMs },
        );
        const [found] = previews;
        if (!found || found.status === "missing") throw unknown(key);
        return found.items;
      },
      async () => {
        // Three entries for one thing said: a tool call and its result may stand between.
        const found = peekSession(cli.paths.databasePath, key, limit * 3);
        if (!found) throw unknown(key);
        return linesOf(found.entries, LINE_MAX).slice(-limit);
      },
    );
    const { out } = cli;
    if (args.json) return out.data({ key, items });
    if (items.length === 0) return out.line("Nothing was said yet.");
    for (const { role, text } of items)
      out.line(`${out.paint("bold", `${role}:`)} ${safeText(text)}`);
  },
});

export const reset = command({
  doc: "Begin a new conversation under the same key. The old one is kept under its session id.",
  args: { ...KEY_ARG, ...GATEWAY_ARGS },
  examples: [["sessions reset main", "as /new does in a chat"]],
  async run(args, cli) {
    const { key, agentId } = await keyFor(cli, args.key);
    const entry = await eitherWay(
      cli,
      args,
      async ({ client, timeoutMs }) =>
        (await client.call("sessions.reset", { key }, { timeoutMs })).entry,
      () =>
        withStore(cli, async ({ sessions }) => {
          if (!(await sessions.get(key))) throw unknown(key);
          return entryOf(await sessions.reset(key, agentId, Date.now()));
        }),
    );
    if (args.json) return cli.out.data({ ok: true, key, sessionId: entry.sessionId });
    cli.out.line(`A new conversation begins in ${key}.`);
  },
});

export const remove = command({
  doc: "Remove a conversation, with all that was said in it.",
  args: {
    ...KEY_ARG,
    yes: { type: "boolean", description: "Do not ask." },
    "keep-transcript": { type: "boolean", description: "What was said stays in the database." },
    ...GATEWAY_ARGS,
  },
  notes: "The main session of an agent cannot be removed; `sessions reset` begins it anew.",
  examples: [["sessions delete agent:main:telegram:dm:42 --yes", "for scripts"]],
  async run(args, cli) {
    const { key } = await keyFor(cli, args.key);
    if (parseKey(key)?.rest === "main")
      throw new AppError("bad_request", `Cannot delete the main session (${key}).`, {
        hint: `Begin it anew: ${cli.name}${cli.profileFlag} sessions reset ${key}`,
      });
    if (!args.yes && !(await confirmed(cli, [], `Remove ${key} for good?`))) {
      if (args.json) cli.out.data({ ok: true, cancelled: true });
      else cli.out.line("Nothing was removed.");
      return;
    }
    const keep = args["keep-transcript"];
    const deleted = await eitherWay(
      cli,
      args,
      async ({ client, timeoutMs }) =>
        (await client.call("sessions.delete", { key, deleteTranscript: !keep }, { timeoutMs }))
          .deleted,
      () => withStore(cli, ({ sessions }) => sessions.delete(key, keep)),
    );
    if (!deleted) throw unknown(key);
    if (args.json) return cli.out.data({ ok: true, key, deleted });
    cli.out.line(`Removed ${key}.`);
  },
});
