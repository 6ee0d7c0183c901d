/** What the fake Discord knows: people, servers, channels and messages. No network in here. */

export type Json = Record<string, unknown>;
export type User = {
  id: string;
  username: string;
  global_name: string | null;
  discriminator: string;
  avatar: null;
  bot?: boolean;
};
export type Member = { roles: string[]; nick: string | null; joined_at: string };
export type Role = { id: string; name: string; permissions: string; position: number };
export type Channel = {
  id: string;
  type: number;
  guild_id?: string;
  name?: string;
  topic?: string | null;
  parent_id?: string | null;
  owner_id?: string;
  position: number;
  permission_overwrites: { id: string; type: number; allow: string; deny: string }[];
  recipients?: User[];
  last_message_id: string | null;
  thread_metadata?: Json;
};
export type Guild = {
  id: string;
  name: string;
  owner_id: string;
  roles: Role[];
  members: Map<string, Member>;
};
export type Message = {
  id: string;
  channel_id: string;
  author: User;
  content: string;
  timestamp: string;
  edited_timestamp: string | null;
  type: number;
  mentions: User[];
  attachments: Json[];
  reactions: { emoji: { id: string | null; name: string }; users: Set<string> }[];
  pinned: boolean;
  [more: string]: unknown;
};

const EPOCH = 1_420_070_400_000n;

/** View, send, threads, history, files, links, reactions; and polls. */
const USUAL = [6, 10, 11, 14, 15, 16, 35, 38, 49].reduce(
  (sum, bit) => sum | (1n << BigInt(bit)),
  0n,
);

export class World {
  readonly self: User = {
    id: "900000000000000001",
    username: "clawd",
    global_name: null,
    discriminator: "0",
    avatar: null,
    bot: true,
  };
  /** Bits 12 to 19: which intents are on in the developer portal (the limited ones, as for a small bot). */
  application = { id: "900000000000000001", flags: (1 << 13) | (1 << 15) | (1 << 19) };
  readonly users = new Map<string, User>([[this.self.id, this.self]]);
  readonly guilds = new Map<string, Guild>();
  readonly channels = new Map<string, Channel>();
  /** By channel, oldest first. */
  readonly messages = new Map<string, Message[]>();
  /** Bytes behind `/attachments/<id>/<name>`. */
  readonly files = new Map<string, { bytes: Uint8Array; type: string }>();
  /** Who does not take direct messages of the bot. */
  readonly closed = new Set<string>();
  /** Channels in which the bot may do nothing but look. */
  readonly readOnly = new Set<string>();
  commands: Json[] = [];
  private last = 0n;

  /** Ids grow with time, as the real ones do. */
  snowflake(at = Date.now()): string {
    const wanted = (BigInt(at) - EPOCH) << 22n;
    this.last = wanted > this.last ? wanted : this.last + 1n;
    return this.last.toString();
  }

  user(name: string, more: Partial<User> = {}): User {
    const user: User = {
      id: this.snowflake(),
      username: name.toLowerCase().replace(/\W/g, ""),
      global_name: name,
      discriminator: "0",
      avatar: null,
      ...more,
    };
    this.users.set(user.id, user);
    return user;
  }

  guild(name: string): Guild {
    const id = this.snowflake();
    const guild: Guild = {
      id,
      name,
      owner_id: this.snowflake(),
      roles: [
        { id, name: "@everyone", permissions: USUAL.toString(), position: 0 },
        { id: this.snowflake(), name: "helpers", permissions: "0", position: 1 },
      ],
      members: new Map(),
    };
    this.guilds.set(id, guild);
    this.join(guild, this.self.id);
    return guild;
  }

  join(guild: Guild, userId: string, more: Partial<Member> = {}): void {
    guild.members.set(userId, {
      roles: [],
      nick: null,
      joined_at: "2024-01-01T00:00:00.000Z",
      ...more,
    });
  }

  channel(more: Partial<Channel> & { type: number }): Channel {
    const channel: Channel = {
      id: this.snowflake(),
      position: this.channels.size,
      permission_overwrites: [],
      last_message_id: null,
      ...more,
    };
    this.channels.set(channel.id, channel);
    this.messages.set(channel.id, []);
    return channel;
  }

  /** The channel of direct messages with a person; made when there is none. */
  dm(userId: string): Channel {
    for (const channel of this.channels.values())
      if (channel.type === 1 && channel.recipients?.[0]?.id === userId) return channel;
    return this.channel({ type: 1, recipients: [this.users.get(userId)!] });
  }

  thread(parent: Channel, name: string, ownerId: string, id = this.snowflake()): Channel {
    return this.channel({
      id,
      type: 11,
      guild_id: parent.guild_id!,
      parent_id: parent.id,
      owner_id: ownerId,
      name,
      thread_metadata: {
        archived: false,
        auto_archive_duration: 60,
        archive_timestamp: new Date().toISOString(),
        locked: false,
      },
    });
  }

  message(channelId: string, author: User, content: string, more: Json = {}): Message {
    const message: Message = {
      id: this.snowflake(),
      channel_id: channelId,
      author,
      content,
      timestamp: new Date().toISOString(),
      edited_timestamp: null,
      type: 0,
      tts: false,
      mention_everyone: /@(everyone|here)/.test(content),
      mentions: [...content.matchAll(/<@!?(\d+)>/g)].flatMap((m) => this.users.get(m[1]!) ?? []),
      mention_roles: [...content.matchAll(/<@&(\d+)>/g)].map((m) => m[1]!),
      attachments: [],
      embeds: [],
      reactions: [],
      pinned: false,
      flags: 0,
      ...more,
    };
    this.messages.get(channelId)!.push(message);
    this.channels.get(channelId)!.last_message_id = message.id;
    return message;
  }

  find(channelId: string, id: string): Message | undefined {
    return this.messages.get(channelId)?.find((each) => each.id === id);
  }

  remove(channelId: string, id: string): boolean {
    const list = this.messages.get(channelId) ?? [];
    const at = list.findIndex((each) => each.id === id);
    if (at >= 0) list.splice(at, 1);
    return at >= 0;
  }

  /** As the API and the gateway show it. */
  shown(message: Message): Json {
    const { reactions, ...rest } = message;
    const reference = message["message_reference"] as { message_id?: string } | undefined;
    return {
      ...rest,
      reactions: reactions.map(({ emoji, users }) => ({
        emoji,
        count: users.size,
        me: users.has(this.self.id),
      })),
      ...(message.type === 19 && reference?.message_id
        ? {
            referenced_message: this.quoted(message.channel_id, reference.message_id),
          }
        : {}),
    };
  }

  private quoted(channelId: string, id: string): Json | null {
    const found = this.find(channelId, id);
    return found ? { ...found, reactions: [] } : null;
  }

  shownGuild(guild: Guild): Json {
    const channels = [...this.channels.values()].filter((each) => each.guild_id === guild.id);
    return {
      id: guild.id,
      name: guild.name,
      owner_id: guild.owner_id,
      roles: guild.roles.map((role) => ({
        ...role,
        color: 0,
        hoist: false,
        managed: false,
        mentionable: false,
        flags: 0,
      })),
      emojis: [],
      stickers: [],
      features: [],
      preferred_locale: "en-US",
      premium_tier: 0,
      nsfw_level: 0,
      verification_level: 0,
      mfa_level: 0,
      afk_timeout: 300,
      system_channel_flags: 0,
      large: false,
      unavailable: false,
      member_count: guild.members.size,
      joined_at: "2024-01-01T00:00:00.000Z",
      members: [this.shownMember(guild, this.self.id)],
      channels: channels.filter((each) => each.type < 10 || each.type > 12),
      threads: channels.filter((each) => each.type >= 10 && each.type <= 12),
      presences: [],
      voice_states: [],
      stage_instances: [],
      guild_scheduled_events: [],
      soundboard_sounds: [],
    };
  }

  shownMember(guild: Guild, userId: string): Json | undefined {
    const member = guild.members.get(userId);
    return (
      member && { ...member, user: this.users.get(userId), deaf: false, mute: false, flags: 0 }
    );
  }
}
