import { OPERATORS } from "../../src/channels/registry.ts";
import { channelContract } from "../contract/channel.ts";

const to = (chatId: string) => ({ channel: OPERATORS.id, account: "default", chatId });

/** Its platform is the gateway, which has tests of its own: the contract begins at `say`. */
const arrived: string[] = [];

channelContract(
  async () => {
    const { default: channel } = await OPERATORS.load();
    return {
      ...channel,
      start: (ctx) =>
        channel.start({
          ...ctx,
          config: channel.config.parse(ctx.config),
          say: async (key, text) => {
            if (!key.endsWith("main:main")) return undefined;
            arrived.push(text);
            return String(arrived.length);
          },
        }),
    };
  },
  async () => {
    arrived.length = 0;
    return {
      config: {},
      good: to("agent:main:main"),
      refused: to("agent:main:nobody"),
      arrived: () => [...arrived],
      says: async () => undefined,
      busy: () => undefined,
      broken: () => undefined,
      cut: () => undefined,
      revoke: () => undefined,
      close: async () => undefined,
    };
  },
  ["network"],
);
