/** People on the fake Discord: what they do reaches the bot through the gateway, as it would there. */
import type { FakeGateway } from "./discord-gateway.ts";
import type { FakeRest, Interaction } from "./discord-rest.ts";
import type { Channel, Json, Message, User, World } from "./discord-world.ts";

export type Extras = {
  attachments?: {
    name: string;
    bytes: Uint8Array | string;
    type?: string;
    size?: number;
    url?: string;
  }[];
  /** Other fields of the message, as the API has them. */
  more?: Json;
};

export class Person {
  constructor(
    readonly user: User,
    private readonly world: World,
    private readonly gateway: FakeGateway,
    private readonly rest: FakeRest,
    private readonly filesUrl: () => string,
  ) {}

  get id(): string {
    return this.user.id;
  }

  /** Writes to the bot directly. */
  dm(text: string, extras?: Extras): Message {
    return this.say(this.world.dm(this.user.id), text, extras);
  }

  say(channel: Channel, text: string, { attachments = [], more = {} }: Extras = {}): Message {
    const message = this.world.message(channel.id, this.user, text, {
      attachments: attachments.map((each) => this.upload(each)),
      ...more,
    });
    this.gateway.dispatch("MESSAGE_CREATE", placed(this.world, message));
    return message;
  }

  mention(channel: Channel, text: string, extras?: Extras): Message {
    return this.say(channel, `<@${this.world.self.id}> ${text}`, extras);
  }

  /** `ping`: the author of the message is mentioned, as the client does by default. */
  reply(to: Message, text: string, ping = true): Message {
    const channel = this.world.channels.get(to.channel_id)!;
    return this.say(channel, text, {
      more: {
        type: 19,
        message_reference: { type: 0, message_id: to.id, channel_id: to.channel_id },
        ...(ping && { mentions: [to.author] }),
      },
    });
  }

  edit(message: Message, text: string): void {
    Object.assign(message, { content: text, edited_timestamp: new Date().toISOString() });
    this.gateway.dispatch("MESSAGE_UPDATE", placed(this.world, message));
  }

  delete(message: Message): void {
    this.world.remove(message.channel_id, message.id);
    const channel = this.world.channels.get(message.channel_id)!;
    this.gateway.dispatch("MESSAGE_DELETE", {
      id: message.id,
      channel_id: channel.id,
      ...(channel.guild_id && { guild_id: channel.guild_id }),
    });
  }

  react(message: Message, emoji: string, kind: "ADD" | "REMOVE" = "ADD"): void {
    const channel = this.world.channels.get(message.channel_id)!;
    const guild = channel.guild_id && this.world.guilds.get(channel.guild_id);
    const [name, id] = emoji.split(":");
    const row = message.reactions.find((each) => each.emoji.name === name);
    if (row) row.users.add(this.user.id);
    else
      message.reactions.push({
        emoji: { id: id ?? null, name: name! },
        users: new Set([this.user.id]),
      });
    this.gateway.dispatch(`MESSAGE_REACTION_${kind}`, {
      user_id: this.user.id,
      channel_id: channel.id,
      message_id: message.id,
      emoji: { id: id ?? null, name },
      type: 0,
      burst: false,
      ...(guild && { guild_id: guild.id }),
      ...(guild &&
        kind === "ADD" && {
          member: this.world.shownMember(guild, this.user.id),
          message_author_id: message.author.id,
        }),
    });
  }

  /** Opens a thread below a message, or a post in a forum. */
  thread(parent: Channel, name: string, firstText: string): { thread: Channel; first: Message } {
    const id = this.world.snowflake();
    const thread = this.world.thread(parent, name, this.user.id, id);
    this.gateway.dispatch("THREAD_CREATE", { ...thread, newly_created: true });
    const first = this.world.message(thread.id, this.user, firstText, { id });
    this.gateway.dispatch("MESSAGE_CREATE", placed(this.world, first));
    return { thread, first };
  }

  /** Picks a command from the menu. `options` by name. */
  slash(name: string, options: Record<string, string>, channel?: Channel): Interaction {
    return this.interact(channel ?? this.world.dm(this.user.id), {
      type: 2,
      data: {
        id: this.world.snowflake(),
        name,
        type: 1,
        options: Object.entries(options).map(([key, value]) => ({ type: 3, name: key, value })),
      },
    });
  }

  /** Types into an option that completes itself. */
  types(name: string, option: string, value: string, channel?: Channel): Interaction {
    return this.interact(channel ?? this.world.dm(this.user.id), {
      type: 4,
      data: {
        id: this.world.snowflake(),
        name,
        type: 1,
        options: [{ type: 3, name: option, value, focused: true }],
      },
    });
  }

  press(message: Message, customId: string): Interaction {
    const channel = this.world.channels.get(message.channel_id)!;
    return this.interact(channel, {
      type: 3,
      data: { custom_id: customId, component_type: 2 },
      message: this.world.shown(message),
    });
  }

  private interact(channel: Channel, about: Json): Interaction {
    const guild = channel.guild_id && this.world.guilds.get(channel.guild_id);
    const interaction: Interaction = {
      id: this.world.snowflake(),
      token: crypto.randomUUID().replaceAll("-", "").repeat(3),
      channelId: channel.id,
      user: this.user,
      texts: [],
    };
    this.rest.interactions.set(interaction.token, interaction);
    this.gateway.dispatch("INTERACTION_CREATE", {
      ...about,
      id: interaction.id,
      token: interaction.token,
      application_id: this.world.application.id,
      version: 1,
      channel_id: channel.id,
      channel,
      locale: "en-US",
      entitlements: [],
      authorizing_integration_owners: {},
      app_permissions: "0",
      attachment_size_limit: 10_485_760,
      ...(guild
        ? {
            guild_id: guild.id,
            guild: { id: guild.id, locale: "en-US", features: [] },
            member: {
              ...(this.world.shownMember(guild, this.user.id) ?? { user: this.user, roles: [] }),
              permissions: "0",
            },
          }
        : { user: this.user }),
    });
    return interaction;
  }

  private upload(file: NonNullable<Extras["attachments"]>[number]): Json {
    const id = this.world.snowflake();
    const bytes =
      typeof file.bytes === "string" ? new TextEncoder().encode(file.bytes) : file.bytes;
    const type = file.type ?? "application/octet-stream";
    this.world.files.set(`${id}/${file.name}`, { bytes, type });
    return {
      id,
      filename: file.name,
      size: file.size ?? bytes.length,
      content_type: type,
      url:
        file.url ??
        `${this.filesUrl()}/attachments/${id}/${encodeURIComponent(file.name)}?ex=1&is=2&hm=3`,
      proxy_url: `${this.filesUrl()}/attachments/${id}/${encodeURIComponent(file.name)}`,
    };
  }
}

/** A message as the gateway tells of it: with the server, and the author as its member. */
export function placed(world: World, message: Message): Json {
  const channel = world.channels.get(message.channel_id)!;
  const guild = channel.guild_id && world.guilds.get(channel.guild_id);
  if (!guild) return { ...world.shown(message), channel_type: channel.type };
  const { user: _, ...member } = world.shownMember(guild, message.author.id) ?? { roles: [] };
  return { ...world.shown(message), guild_id: guild.id, member };
}
