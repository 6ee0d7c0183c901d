/** One action in a chat, for a command: through the gateway, or directly where none runs. */
import { factsOf } from "../../channels/accounts.ts";
import type { NetworkId } from "../../channels/registry.ts";
import type { Cli } from "../command.ts";
import { checkSize, type Wish } from "../rpc.ts";
import { actDirectly } from "./direct.ts";
import { eitherWay } from "./reach.ts";

export type Wanted = {
  channel: NetworkId;
  account: string;
  /** As a person writes it; some actions need none. */
  target?: string;
  params: Readonly<Record<string, unknown>>;
};

/** Actions call a platform, which may be slow; in ms. */
const ACTION_MS = 60_000;

/** Gives the raw result. Throws what the channel throws. */
export const performAction = (
  cli: Cli,
  wish: Wish,
  action: string,
  { channel, account, target, params }: Wanted,
): Promise<unknown> =>
  eitherWay(
    cli,
    wish,
    async (gateway) => {
      const call = {
        action,
        channel,
        accountId: account,
        ...(target !== undefined && { to: target }),
        params: { ...params },
      };
      checkSize(gateway, call);
      return (await gateway.client.call("message.action", call, { timeoutMs: ACTION_MS })).result;
    },
    async (why) => {
      const place = target === undefined ? { chatId: "" } : (await factsOf(channel)).target(target);
      const { threadId } = params;
      const thread = typeof threadId === "string" && threadId ? { threadId } : {};
      return actDirectly(cli, action, { channel, account, ...place, ...thread }, params, why);
    },
  );
