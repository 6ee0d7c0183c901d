/** What an account can do besides sending. A method is absent when `actions` of the config switches it off. */
import { AppError } from "../../base/errors.ts";
import type { Address } from "../../flow.ts";
import type { ChannelActions, ChatMessage, Found } from "../action.ts";
import type { Api } from "./api.ts";
import type { DiscordConfig } from "./config.ts";
import { textOf } from "./inbound.ts";
import { NO_MENTIONS, type Sender } from "./outbound.ts";
import { namesOf, NEEDED, permissionsOf } from "./permissions.ts";
import type { Rooms } from "./rooms.ts";
import {
  handleOf,
  isForum,
  isThread,
  KIND,
  nameOf,
  timeOf,
  type WireChannel,
  type WireEmoji,
  type WireGuild,
  type WireMember,
  type WireMessage,
  type WireUser,
} from "./wire.ts";

export type ActionDeps = {
  api: Api;
  rooms: Rooms;
  sender: Sender;
  config: DiscordConfig;
  self(): Promise<string>;
};

/** Limits of the platform. */
const MAX_READ = 100;
const MAX_SEARCH = 25;
const MAX_OPTIONS = 10;
const MAX_POLL_HOURS = 768;
const DEFAULT_POLL_HOURS = 24;
const ARCHIVE_MINUTES = [60, 1_440, 4_320, 10_080];
/** Servers that a search for people looks into. */
const MAX_GUILDS = 10;
const PUBLIC_THREAD = 11;

export function actionsFor(deps: ActionDeps): ChannelActions {
  const gates = deps.config.actions;
  const allowed = (name: keyof NonNullable<typeof gates>) => gates?.[name] !== false;
  return {
    ...(allowed("messages") && messageActions(deps)),
    ...(allowed("reactions") && reactionActions(deps)),
    ...(allowed("polls") && { poll: pollOf(deps) }),
    ...(allowed("pins") && pinActions(deps)),
    ...(allowed("search") && { search: searchOf(deps) }),
    ...(allowed("stickers") && { sticker: stickerOf(deps) }),
    ...(allowed("threads") && threadActions(deps)),
    ...(allowed("permissions") && { permissions: (to) => permissionsIn(deps, to) }),
    ...(allowed("memberInfo") && { member: memberOf(deps) }),
    directory: directoryOf(deps),
  };
}

const part = encodeURIComponent;

/** Runs it in the channel of an address, with the reason named when a permission is missing. */
async function inChannel<T>(
  { sender }: ActionDeps,
  to: Address,
  work: (id: string) => Promise<T>,
): Promise<T> {
  const id = await sender.channelOf(to);
  return sender.explained(id, () => work(id));
}

/** A shape of its own of what the API says. */
const shown =
  (self: string) =>
  (message: WireMessage): ChatMessage => ({
    id: message.id,
    text: textOf(message),
    sender: { id: message.author?.id ?? "", name: nameOf(message.author, message.member) },
    at: message.timestamp ? Date.parse(message.timestamp) : timeOf(message.id),
    ...(message.author?.id === self && { mine: true }),
    ...(message.attachments?.length && {
      attachments: message.attachments.map(({ filename, url, content_type: mime }) => ({
        ...(filename && { name: filename }),
        ...(url && { url }),
        ...(mime && { mime }),
      })),
    }),
  });

const messageActions = (deps: ActionDeps): Pick<ChannelActions, "edit" | "remove" | "read"> => ({
  edit: (to, id, { text }) =>
    inChannel(deps, to, async (channel) => {
      await deps.api.patch(`/channels/${channel}/messages/${part(id)}`, {
        content: text,
        allowed_mentions: NO_MENTIONS,
        flags: deps.sender.flags(),
      });
    }),
  remove: (to, id) =>
    inChannel(deps, to, async (channel) => {
      await deps.api.delete(`/channels/${channel}/messages/${part(id)}`);
    }),
  read: (to, { limit, before, after, around }) =>
    inChannel(deps, to, async (channel) => {
      const query = { limit: clamp(limit, MAX_READ), before, after, around };
      const list = await deps.api.get<WireMessage[]>(`/channels/${channel}/messages`, { query });
      return list.map(shown(await deps.self()));
    }),
});

/** `👍`, `name:id`, `<:name:id>`. */
const emojiPath = (emoji: string): string =>
  part((/^<a?:(\w+:\d+)>$/.exec(emoji.trim())?.[1] ?? emoji.trim()).replace(/^:(\w+:\d+)$/, "$1"));
const emojiText = ({ id, name }: WireEmoji): string => (id ? `${name}:${id}` : (name ?? ""));

const reactionActions = (deps: ActionDeps): Pick<ChannelActions, "react" | "reactions"> => ({
  react: (to, id, emoji) =>
    inChannel(deps, to, async (channel) => {
      const route = `/channels/${channel}/messages/${part(id)}`;
      if (emoji.trim()) {
        await deps.api.put(`${route}/reactions/${emojiPath(emoji)}/@me`);
        return;
      }
      const { reactions = [] } = await deps.api.get<WireMessage>(route);
      for (const each of reactions.filter(({ me }) => me))
        await deps.api.delete(`${route}/reactions/${emojiPath(emojiText(each.emoji))}/@me`);
    }),
  reactions: (to, id) =>
    inChannel(deps, to, async (channel) => {
      const route = `/channels/${channel}/messages/${part(id)}`;
      const { reactions = [] } = await deps.api.get<WireMessage>(route);
      return Promise.all(
        reactions.map(async ({ emoji, count }) => {
          const users = await deps.api.get<WireUser[]>(
            `${route}/reactions/${emojiPath(emojiText(emoji))}`,
            { query: { limit: 100 } },
          );
          return { emoji: emojiText(emoji), count, users: users.map(({ id: user }) => user) };
        }),
      );
    }),
});

const pollOf =
  (deps: ActionDeps): NonNullable<ChannelActions["poll"]> =>
  (to, { question, options, maxSelections, durationHours }) =>
    inChannel(deps, to, async (channel) => {
      if (options.length > MAX_OPTIONS)
        throw new AppError(
          "channel_rejected",
          `A poll on Discord has at most ${MAX_OPTIONS} answers.`,
        );
      const { id } = await deps.api.post<{ id: string }>(`/channels/${channel}/messages`, {
        allowed_mentions: NO_MENTIONS,
        poll: {
          question: { text: question },
          answers: options.map((text) => ({ poll_media: { text } })),
          duration: clamp(durationHours ?? DEFAULT_POLL_HOURS, MAX_POLL_HOURS),
          allow_multiselect: maxSelections > 1,
        },
      });
      return { ids: [id], at: Date.now(), pollId: id };
    });

const pinActions = (deps: ActionDeps): Pick<ChannelActions, "pin" | "unpin" | "pins"> => {
  const route = (channel: string, id: string) => `/channels/${channel}/messages/pins/${part(id)}`;
  return {
    pin: (to, id) =>
      inChannel(deps, to, async (channel) => {
        await deps.api.put(route(channel, id));
      }),
    unpin: (to, id) =>
      inChannel(deps, to, async (channel) => {
        await deps.api.delete(route(channel, id));
      }),
    pins: (to) =>
      inChannel(deps, to, async (channel) => {
        const { items } = await deps.api.get<{ items: { message: WireMessage }[] }>(
          `/channels/${channel}/messages/pins`,
        );
        const self = await deps.self();
        return items.map(({ message }) => shown(self)(message));
      }),
  };
};

const searchOf =
  (deps: ActionDeps): NonNullable<ChannelActions["search"]> =>
  (to, { text, authorIds, limit }) =>
    inChannel(deps, to, async (channel) => {
      const guild = await guildOf(deps, channel);
      const found = await deps.api.get<{ messages?: WireMessage[][] }>(
        `/guilds/${guild}/messages/search`,
        {
          query: {
            content: text,
            author_id: authorIds,
            channel_id: channel,
            limit: clamp(limit, MAX_SEARCH),
          },
        },
      );
      const self = await deps.self();
      return (found.messages ?? []).flatMap((hit) => hit.slice(0, 1).map(shown(self)));
    });

const stickerOf =
  (deps: ActionDeps): NonNullable<ChannelActions["sticker"]> =>
  (to, id) =>
    inChannel(deps, to, async (channel) => {
      const sent = await deps.api.post<{ id: string }>(`/channels/${channel}/messages`, {
        sticker_ids: [id],
        allowed_mentions: NO_MENTIONS,
      });
      return { ids: [sent.id], at: Date.now() };
    });

const threadActions = (deps: ActionDeps): Pick<ChannelActions, "threadCreate" | "threads"> => ({
  threadCreate: (to, { name, messageId, archiveMinutes }) =>
    inChannel(deps, to, async (channel) => {
      const body = {
        name: name.trim().slice(0, 100) || "Thread",
        auto_archive_duration:
          ARCHIVE_MINUTES.find((each) => each >= (archiveMinutes ?? 0)) ?? ARCHIVE_MINUTES.at(-1),
      };
      const kind = messageId ? undefined : (await deps.rooms.channel(channel))?.type;
      const thread = messageId
        ? await deps.api.post<WireChannel>(
            `/channels/${channel}/messages/${part(messageId)}/threads`,
            body,
          )
        : await deps.api.post<WireChannel>(`/channels/${channel}/threads`, {
            ...body,
            // A post of a forum begins with a message.
            ...(isForum(kind)
              ? { message: { content: body.name, allowed_mentions: NO_MENTIONS } }
              : { type: PUBLIC_THREAD }),
          });
      return { channel: to.channel, account: to.account, chatId: thread.id };
    }),
  threads: (to, archived) =>
    inChannel(deps, to, async (channel) => {
      const { threads } = archived
        ? await deps.api.get<{ threads: WireChannel[] }>(
            `/channels/${channel}/threads/archived/public`,
          )
        : await deps.api.get<{ threads: WireChannel[] }>(
            `/guilds/${await guildOf(deps, channel)}/threads/active`,
          );
      return threads
        .filter(({ parent_id: parent }) => parent === channel)
        .map(({ id, name }): Found => ({ id, name: name ?? id, kind: "channel", note: "thread" }));
    }),
});

async function guildOf({ rooms }: ActionDeps, channel: string): Promise<string> {
  const guild = (await rooms.channel(channel))?.guild_id;
  if (guild) return guild;
  throw new AppError("channel_rejected", "This works in channels of a server only.");
}

/** What the bot may and may not do in a channel. In a direct message there is nothing to be granted. */
export async function permissionsIn(
  deps: Pick<ActionDeps, "api" | "rooms" | "sender" | "self">,
  to: Pick<Address, "chatId">,
): Promise<{ granted: string[]; missing: string[] }> {
  const { api, rooms } = deps;
  const channel = await rooms.fresh(await deps.sender.channelOf(to));
  const { guild_id: guildId } = channel;
  if (!guildId) return { granted: [], missing: [] };
  const self = await deps.self();
  const inThread = isThread(channel.type);
  const [guild, member, home] = await Promise.all([
    api.get<WireGuild>(`/guilds/${guildId}`),
    api.get<WireMember>(`/guilds/${guildId}/members/${self}`),
    inThread && channel.parent_id ? rooms.fresh(channel.parent_id) : channel,
  ]);
  const bits = permissionsOf({
    guild: { id: guildId, owner_id: guild.owner_id ?? "", roles: guild.roles ?? [] },
    member: { id: self, roles: member.roles ?? [] },
    overwrites: home.permission_overwrites ?? [],
  });
  const granted = namesOf(bits);
  return { granted, missing: NEEDED.filter((name) => !granted.includes(name)) };
}

const memberOf =
  (deps: ActionDeps): NonNullable<ChannelActions["member"]> =>
  (to, userId) =>
    inChannel(deps, to, async (channel) => {
      const guild = await guildOf(deps, channel);
      const member = await deps.api.get<WireMember & { joined_at?: string }>(
        `/guilds/${guild}/members/${part(userId.replace(/^user:/, ""))}`,
      );
      const { user, roles = [], nick, joined_at: joinedAt } = member;
      return {
        id: user?.id,
        name: nameOf(user, member),
        ...(user && { handle: handleOf(user) }),
        ...(nick && { nick }),
        ...(user?.bot && { bot: true }),
        roles,
        ...(joinedAt && { joinedAt }),
      };
    });

const directoryOf =
  (deps: ActionDeps): NonNullable<ChannelActions["directory"]> =>
  async (query, kind) => {
    const guilds = await deps.api.get<WireGuild[]>("/users/@me/guilds");
    const wanted = query.trim().toLowerCase();
    const found = await Promise.all(
      guilds.slice(0, MAX_GUILDS).map(async ({ id, name = id }) => {
        const channels =
          kind === "user" ? [] : await deps.api.get<WireChannel[]>(`/guilds/${id}/channels`);
        const members =
          kind === "group" || !wanted
            ? []
            : await deps.api.get<WireMember[]>(`/guilds/${id}/members/search`, {
                query: { query: wanted, limit: 20 },
              });
        return [
          ...members.flatMap((member): Found[] =>
            member.user
              ? [
                  {
                    id: `user:${member.user.id}`,
                    name: nameOf(member.user, member),
                    kind: "user",
                    note: name,
                  },
                ]
              : [],
          ),
          ...channels
            .filter(
              (each) =>
                isTalk(each.type) && `${each.name} ${each.id}`.toLowerCase().includes(wanted),
            )
            .map((each): Found => ({
              id: `channel:${each.id}`,
              name: `#${each.name}`,
              kind: "channel",
              note: name,
            })),
        ];
      }),
    );
    return found.flat().filter((each, i, all) => all.findIndex(({ id }) => id === each.id) === i);
  };

const isTalk = (type: number): boolean =>
  type === KIND.text || type === KIND.news || type === KIND.voice || isForum(type);

/** A whole number from 1 to `most`. */
const clamp = (value: number, most: number): number =>
  Math.min(most, Math.max(1, Math.round(value)));
