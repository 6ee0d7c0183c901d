import { CHANNELS } from "../../src/channels/registry.ts";
import { channelContract } from "../contract/channel.ts";

const to = (chatId: string) => ({ channel: "webchat", account: "default", chatId });

channelContract(
  async () => (await CHANNELS.webchat.load()).default,
  async () => {
    const arrived: string[] = [];
    return {
      config: {},
      good: to("agent:main:main"),
      refused: to("agent:main:nobody"),
      context: {
        say: async (key, text) => {
          if (!key.endsWith("main:main")) return undefined;
          arrived.push(text);
          return String(arrived.length);
        },
      },
      arrived: () => arrived,
      close: async () => undefined,
    };
  },
);
