/** The parts of Discord's objects that are read here. The library's own types say far more, and promise fields that some events lack. */

export type WireUser = {
  id: string;
  username?: string;
  global_name?: string | null;
  discriminator?: string;
  bot?: boolean;
};
export type WireMember = { nick?: string | null; roles?: string[]; user?: WireUser };
export type WireAttachment = {
  id: string;
  filename?: string;
  size?: number;
  content_type?: string;
  url?: string;
};
type WireEmbed = { title?: string; description?: string; url?: string };
/** What a message says, which a forwarded one has without its author. */
export type WireContent = {
  content?: string;
  attachments?: WireAttachment[];
  embeds?: WireEmbed[];
  sticker_items?: { id: string; name: string }[];
  poll?: { question?: { text?: string }; answers?: { poll_media?: { text?: string } }[] };
};
export type WireMessage = WireContent & {
  id: string;
  channel_id: string;
  /** Of the channel; not in every event. */
  channel_type?: number;
  guild_id?: string;
  author?: WireUser;
  member?: WireMember;
  timestamp?: string;
  edited_timestamp?: string | null;
  type?: number;
  flags?: number;
  webhook_id?: string;
  application_id?: string;
  mentions?: WireUser[];
  mention_roles?: string[];
  message_reference?: { type?: number; message_id?: string; channel_id?: string };
  referenced_message?: WireMessage | null;
  message_snapshots?: { message?: WireContent }[];
  reactions?: { emoji: WireEmoji; count: number; me: boolean }[];
};
export type WireEmoji = { id: string | null; name: string | null };
export type WireReaction = {
  user_id: string;
  channel_id: string;
  message_id: string;
  guild_id?: string;
  member?: WireMember;
  message_author_id?: string;
  emoji: WireEmoji;
};
export type WireChannel = {
  id: string;
  type: number;
  guild_id?: string;
  name?: string | null;
  topic?: string | null;
  parent_id?: string | null;
  owner_id?: string;
  recipients?: WireUser[];
  permission_overwrites?: { id: string; allow: string; deny: string }[];
  last_message_id?: string | null;
};
export type WireGuild = {
  id: string;
  name?: string;
  owner_id?: string;
  roles?: { id: string; permissions: string }[];
};
export type WireOption = {
  name: string;
  type?: number;
  value?: string | number | boolean;
  focused?: boolean;
  options?: WireOption[];
};
export type WireInteraction = {
  id: string;
  token: string;
  application_id: string;
  type: number;
  channel_id?: string;
  guild_id?: string;
  user?: WireUser;
  member?: WireMember;
  message?: WireMessage;
  data?: { name?: string; custom_id?: string; options?: WireOption[] };
};

/** Kinds of channels, by the platform's numbers. */
export const KIND = { text: 0, dm: 1, voice: 2, group: 3, news: 5, forum: 15, media: 16 } as const;
export const isThread = (type: number): boolean => type >= 10 && type <= 12;
export const isForum = (type: number | undefined): boolean =>
  type === KIND.forum || type === KIND.media;

/** When an id was made, epoch ms. Throws SyntaxError for what is no number. */
export const timeOf = (id: string): number => Number((BigInt(id) >> 22n) + 1_420_070_400_000n);

/** Negative when `a` is older. Ids grow with time, and are too long for numbers. */
export const compareIds = (a: string, b: string): number =>
  a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);

export const nameOf = (user: WireUser | undefined, member?: WireMember): string =>
  member?.nick || user?.global_name || user?.username || user?.id || "";

/** `name`, or `name#1234` for the accounts that still have a number. */
export const handleOf = (user: WireUser): string | undefined =>
  user.username && user.discriminator && !/^0+$/.test(user.discriminator)
    ? `${user.username}#${user.discriminator}`
    : user.username;
