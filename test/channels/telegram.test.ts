import type { Channel } from "../../src/channels/channel.ts";
import type { Address } from "../../src/flow.ts";
import { channelContract } from "../contract/channel.ts";
import { startTelegram } from "../fakes/telegram.ts";

const load = async () =>
  (await import("../../src/channels/telegram/index.ts")).default as unknown as Channel;
const to = (chatId: string): Address => ({ channel: "telegram", account: "default", chatId });

channelContract(load, async () => {
  const telegram = await startTelegram();
  const ann = telegram.person();
  const said = new Map<string, ReturnType<typeof ann.text>>();
  return {
    config: { botToken: telegram.token, apiRoot: telegram.apiRoot },
    good: to("42"),
    refused: to("404"),
    arrived: () => telegram.texts,
    async says(text, id) {
      const earlier = said.get(id);
      if (earlier) ann.again(earlier);
      else said.set(id, ann.text(text));
    },
    busy: (seconds) => telegram.fault({ status: 429, retryAfter: seconds }),
    broken: () => telegram.fault({ status: 500 }),
    cut: () => telegram.cut(),
    revoke: () => telegram.revoke(),
    close: () => telegram.close(),
  };
});
