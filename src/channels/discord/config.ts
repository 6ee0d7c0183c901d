/** The section `channels.discord`; its keys are those of the published configs, of both generations. */
import { z } from "zod";

import { apiRootShape, channelSection, commonShape, GroupTools, roomShape } from "../config.ts";

const entry = z.union([z.string(), z.number()]);

/** Who may talk, as lists of the January configs and of later ones. */
const people = () => ({
  users: z.array(entry).optional().meta({
    title: "Who may talk",
    description: "Ids of users. Unset: everybody who can write there.",
  }),
  roles: z.array(entry).optional().meta({
    title: "Roles that may talk",
    description: "Ids of roles, besides the users.",
  }),
});

const Channel = z.lazy(() =>
  z
    .looseObject({
      ...roomShape(),
      ...people(),
      allow: z.boolean().optional().meta({
        title: "Allowed",
        description: "The older word for `enabled`.",
        advanced: true,
      }),
      autoThread: z.boolean().optional().meta({
        title: "Answer in a thread",
        description: "A thread is opened below every message that is answered.",
      }),
    })
    .meta({ title: "Channel" }),
);

const Guild = z.lazy(() =>
  z
    .looseObject({
      slug: z.string().optional().meta({
        title: "Name",
        description: "In lower case with dashes; for people.",
      }),
      requireMention: roomShape().requireMention,
      tools: GroupTools.optional(),
      toolsBySender: roomShape().toolsBySender,
      reactionNotifications: z.enum(["off", "own", "all", "allowlist"]).default("own").meta({
        title: "Reactions",
        description:
          "Which of them the assistant is told: none, those to its own messages, all, or those of the listed users.",
      }),
      ...people(),
      channels: z.record(z.string(), Channel).optional().meta({
        title: "Channels",
        description: "By id, by name or `*`. Unset: all of them.",
      }),
    })
    .meta({ title: "Server" }),
);

const gate = (title: string) => z.boolean().default(true).meta({ title });

const shape = () => ({
  ...commonShape(),
  // Without a default, because `dm.policy` and `dm.allowFrom` mean the same.
  dmPolicy: commonShape().dmPolicy.unwrap().optional().meta({
    title: "Direct messages",
    description:
      "`pairing`: a stranger gets a code that you approve. `allowlist`: only who is listed. `open`: everybody, and then `allowFrom` must have `*`. `disabled`: nobody. Unset: `dm.policy`, else `pairing`.",
  }),
  token: z.string().optional().meta({ title: "Bot token", sensitive: true }),
  dm: z
    .looseObject({
      enabled: z.boolean().default(true).meta({ title: "Enabled" }),
      policy: z.enum(["pairing", "allowlist", "open", "disabled"]).optional().meta({
        title: "Policy",
        description: "The older place of `dmPolicy`.",
        advanced: true,
      }),
      allowFrom: z.array(entry).optional().meta({
        title: "Who may write",
        description: "Ids, besides those of `allowFrom`.",
        advanced: true,
      }),
      groupEnabled: z.boolean().default(false).meta({ title: "Group conversations" }),
      groupChannels: z.array(entry).optional().meta({
        title: "Which group conversations",
        description: "Ids. Unset: all.",
      }),
    })
    .optional()
    .meta({ title: "Direct messages in detail", advanced: true }),
  guilds: z.record(z.string(), Guild).optional().meta({
    title: "Servers",
    description: "By id, or `*` for all others. Only these are answered.",
  }),
  allowBots: z.boolean().default(false).meta({
    title: "Answer other bots",
    description: "Two bots can keep each other busy without end.",
    advanced: true,
  }),
  dangerouslyAllowNameMatching: z.boolean().default(false).meta({
    title: "Names in allow lists",
    description: "Names of people and servers can be taken by anybody. Ids cannot.",
    advanced: true,
  }),
  replyToMode: z.enum(["off", "first", "all", "batched"]).default("off").meta({
    title: "Answer as a reply",
    description: "Which parts of an answer point to the message that they answer.",
  }),
  maxLinesPerMessage: z.int().min(1).default(17).meta({
    title: "Longest message in lines",
    description: "Counts lines; a longer answer becomes several messages.",
    advanced: true,
  }),
  suppressEmbeds: z.boolean().default(true).meta({
    title: "No link previews",
    description: "A preview asks the linked server at once, also for a link that was made up.",
    advanced: true,
  }),
  ackReaction: z.string().optional().meta({
    title: "Reaction to what was seen",
    description: "An emoji; empty for none. Unset: `messages.ackReaction`.",
  }),
  intents: z
    .looseObject({
      presence: z.boolean().default(false).meta({ title: "Presence" }),
      guildMembers: z.boolean().default(false).meta({ title: "Server members" }),
    })
    .optional()
    .meta({
      title: "More events",
      description: "Each must be switched on in the developer portal too.",
      advanced: true,
    }),
  actions: z
    .looseObject({
      messages: gate("Read, edit and delete messages"),
      reactions: gate("Reactions"),
      stickers: gate("Stickers"),
      polls: gate("Polls"),
      permissions: gate("Permissions"),
      threads: gate("Threads"),
      pins: gate("Pins"),
      search: gate("Search"),
      memberInfo: gate("Members"),
    })
    .optional()
    .meta({ title: "What the assistant may do", advanced: true }),
  ...apiRootShape(),
});

export const DiscordConfig = channelSection(shape, "Discord");
export type DiscordConfig = z.output<typeof DiscordConfig>;
export type GuildConfig = z.output<typeof Guild>;
