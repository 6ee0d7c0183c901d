/** `system …`: what only the running gateway knows of itself. */
import { formatAge } from "../../base/time.ts";
import type { PresenceEntry } from "../../gateway/presence.ts";
import { command, GATEWAY_ARGS } from "../command.ts";
import { group } from "../group.ts";
import { withGateway } from "../rpc.ts";

export const system = group("system", {
  doc: "What only the running gateway knows of itself.",
  examples: [["system presence", "who is connected"]],
});

export const presence = command({
  doc: "Who is connected to the gateway. A client that left is shown for five minutes.",
  args: GATEWAY_ARGS,
  examples: [
    ["system presence", "for people"],
    ["system presence --json", "for scripts"],
  ],
  async run(args, cli) {
    const rows = await withGateway(
      cli,
      args,
      async ({ client, timeoutMs }) =>
        (await client.call("system-presence", {}, { timeoutMs })) as PresenceEntry[],
    );
    if (args.json) return cli.out.data(rows);
    const now = Date.now();
    cli.out.table(
      ["Host", "Address", "Version", "Mode", "State", "Since"].map((title) => ({ title })),
      rows.map((row) => [
        row.host ?? "-",
        row.ip ?? "-",
        row.version ?? "-",
        row.mode ?? "-",
        row.reason,
        `${formatAge(now - row.ts)} ago`,
      ]),
    );
  },
});
