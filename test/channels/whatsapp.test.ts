/** WhatsApp as a channel like every other. */
import type { Channel } from "../../src/channels/channel.ts";
import whatsapp from "../../src/channels/whatsapp/index.ts";
import { channelContract } from "../contract/channel.ts";
import type { Platform } from "../contract/platform.ts";
import { QUICK, to } from "../fakes/whatsapp/house.ts";
import { startWhatsApp } from "../fakes/whatsapp/index.ts";

async function open(): Promise<Platform> {
  const fake = startWhatsApp();
  const person = fake.person("Ada");
  const said = new Map<string, string>();
  return {
    config: QUICK,
    env: fake.env,
    state: fake.state,
    good: to(person.id),
    refused: to("+15559999999"),
    arrived: () => fake.texts(),
    async says(text, id) {
      const earlier = said.get(id);
      if (earlier && fake.world.redeliver(earlier)) return;
      said.set(id, await fake.says(person, text));
    },
    busy(seconds) {
      fake.world.faults.messages.push({ error: "429", backoff: String(seconds) });
    },
    broken() {
      fake.world.faults.messages.push({ error: "503" });
    },
    cut: () => fake.cut(),
    revoke: () => fake.revoke(),
    close: () => fake.close(),
  };
}

channelContract(async () => whatsapp as unknown as Channel, open);
