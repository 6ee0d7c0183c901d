import type { Channel, ChannelContext } from "../../src/channels/channel.ts";
/** Discord's own tests: the channel on its fake, with a person in a server. */
import discord from "../../src/channels/discord/index.ts";
import type { Address, Inbound, Outbound } from "../../src/flow.ts";
import { type Started, startOn } from "../contract/platform.ts";
import type { Person } from "../fakes/discord-person.ts";
import type { Channel as Room, Guild } from "../fakes/discord-world.ts";
import { type DiscordOptions, type FakeDiscord, startDiscord } from "../fakes/discord.ts";

export type Rig = Started & {
  fake: FakeDiscord;
  ann: Person;
  guild: Guild;
  room: Room;
  to(chatId: string): Address;
  /** Waits until so many were received, and gives the newest. */
  next(count: number): Promise<Inbound>;
};
export type RigOptions = {
  config?: Record<string, unknown>;
  fake?: DiscordOptions;
  over?: Partial<ChannelContext<never>>;
  state?: Record<string, unknown>;
  env?: Record<string, string>;
  /** False: not even a session is waited for. */
  ready?: boolean;
  /** Before the channel starts. */
  before?: (fake: FakeDiscord) => void;
};

export const channel = discord as unknown as Channel;

export async function withDiscord(
  run: (rig: Rig) => Promise<void>,
  options: RigOptions = {},
): Promise<void> {
  const fake = await startDiscord(options.fake);
  const ann = fake.person("Ann");
  const { guild, channel: room } = fake.guild("Home", [ann]);
  options.before?.(fake);
  const started = await startOn(
    channel,
    {
      config: {
        token: fake.token,
        apiRoot: fake.apiRoot,
        guilds: { "*": { requireMention: true } },
        ...options.config,
      },
      ...(options.state && { state: options.state }),
      ...(options.env && { env: options.env }),
    },
    options.over,
  );
  try {
    if (options.ready !== false) await started.until((now) => now.connected === true);
    await run({
      ...started,
      fake,
      ann,
      guild,
      room,
      to: (chatId) => ({ channel: "discord", account: "default", chatId }),
      async next(count) {
        await started.receives(count);
        return started.received[count - 1]!;
      },
    });
  } finally {
    await started.stop();
    await fake.stop();
  }
}

export const out = (to: Address, text: string, more: Partial<Outbound> = {}): Outbound => ({
  to,
  text,
  plain: text,
  media: [],
  key: `key-${text}`,
  ...more,
});

/** What was refused: its code, and its words for a person. */
export async function refusal(work: Promise<unknown>): Promise<{ code: string; text: string }> {
  const error = (await work.then(
    () => ({ code: "none", message: "" }),
    (cause: unknown) => cause,
  )) as { code: string; message: string; hint?: string };
  return { code: error.code, text: `${error.message} ${error.hint ?? ""}` };
}
