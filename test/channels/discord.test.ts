import { channelContract } from "../contract/channel.ts";
import type { Platform } from "../contract/platform.ts";
import { startDiscord } from "../fakes/discord.ts";

channelContract(
  async () => (await import("../../src/channels/discord/index.ts")).default as never,
  async (): Promise<Platform> => {
    const fake = await startDiscord();
    const person = fake.person("Ann");
    const shy = fake.person("Shy");
    fake.world.closed.add(shy.id);
    const said = new Map<string, ReturnType<typeof person.dm>>();
    const address = (id: string) => ({
      channel: "discord",
      account: "default",
      chatId: `user:${id}`,
    });
    return {
      config: { token: fake.token, apiRoot: fake.apiRoot },
      good: address(person.id),
      refused: address(shy.id),
      arrived: fake.texts,
      async says(text, id) {
        await fake.gateway.ready();
        const earlier = said.get(id);
        if (earlier) fake.deliver(earlier);
        else said.set(id, person.dm(text));
      },
      busy: (seconds) => fake.busy(seconds),
      broken: () => fake.broken(),
      cut: () => fake.gateway.cut(),
      revoke: () => fake.revoke(),
      close: () => fake.stop(),
    };
  },
);
