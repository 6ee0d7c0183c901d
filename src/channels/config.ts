/** The keys that every chat channel has, and `channels.defaults`. Each channel's own config.ts adds the rest. */
import { z } from "zod";

import "../base/schema.ts";

/** Ids are text, but people write numbers. */
const entry = z.union([z.string(), z.number()]);

export const GroupTools = z.lazy(() =>
  z
    .looseObject({
      allow: z.array(z.string()).optional().meta({ title: "Allow" }),
      alsoAllow: z.array(z.string()).optional().meta({ title: "Also allow" }),
      deny: z.array(z.string()).optional().meta({ title: "Deny" }),
    })
    .meta({ title: "Tools" }),
);

/*
 * Everything here is made when it is first needed: the schemas of three networks are a thousand objects and several megabytes, and
 * most people have one network. So shapes are functions, and schemas are `z.lazy`.
 */

/** Of one group, one channel of a server, one topic. */
export const roomShape = () => ({
  enabled: z.boolean().optional().meta({
    title: "Enabled",
    description: "false: nothing is answered there.",
  }),
  requireMention: z.boolean().optional().meta({
    title: "Only when mentioned",
    description: "Unset: as the group or `*` says, else true.",
  }),
  allowFrom: z.array(entry).optional().meta({
    title: "Who may talk",
    description: "Ids of senders, instead of the list for all groups.",
  }),
  tools: GroupTools.optional(),
  toolsBySender: z.record(z.string(), GroupTools).optional().meta({
    title: "Tools by sender",
    description: "By the sender's id, or `*`.",
    advanced: true,
  }),
  skills: z.array(z.string()).optional().meta({ title: "Skills", advanced: true }),
  systemPrompt: z.string().optional().meta({
    title: "Instructions",
    description: "Added to the prompt there.",
  }),
});

export const Coalesce = z.lazy(() =>
  z.looseObject({
    minChars: z.int().min(1).optional().meta({
      title: "At least",
      description: "In characters. Unset: 1500.",
    }),
    maxChars: z.int().min(1).optional().meta({
      title: "At most",
      description: "In characters. Unset: the channel's limit.",
    }),
    idleMs: z.int().min(0).optional().meta({ title: "Pause", description: "In ms. Unset: 1000." }),
  }),
);

/** Spread into the schema of a channel; every one has a default or says what happens without it. */
export const commonShape = () => ({
  enabled: z.boolean().default(true).meta({ title: "Enabled" }),
  name: z.string().optional().meta({ title: "Name", description: "For people." }),
  dmPolicy: z.enum(["pairing", "allowlist", "open", "disabled"]).default("pairing").meta({
    title: "Direct messages",
    description:
      "`pairing`: a stranger gets a code that you approve. `allowlist`: only who is listed. `open`: everybody, and then `allowFrom` must have `*`. `disabled`: nobody.",
  }),
  allowFrom: z.array(entry).default([]).meta({
    title: "Who may write",
    description: "Ids. Whoever is listed is trusted with everything that the assistant can do.",
  }),
  groupAllowFrom: z.array(entry).optional().meta({
    title: "Who may talk in groups",
    description: "Ids. Unset: as in direct messages.",
  }),
  groupPolicy: z.enum(["open", "allowlist", "disabled"]).default("allowlist").meta({
    title: "Groups",
    description:
      "`allowlist`: only listed senders. `open`: everybody in the group. `disabled`: no groups.",
  }),
  historyLimit: z.int().min(0).optional().meta({
    title: "Group context",
    description:
      "Messages that were not for the assistant and are shown to it with the next one that is. Unset: `messages.groupChat.historyLimit`, else 50. 0: none.",
  }),
  dmHistoryLimit: z.int().min(0).optional().meta({
    title: "Turns of direct messages for the model",
    description: "Counts messages of the user. Unset: as many as fit.",
    advanced: true,
  }),
  textChunkLimit: z.int().min(100).optional().meta({
    title: "Longest message",
    description: "In characters. Unset: what the platform takes.",
    advanced: true,
  }),
  chunkMode: z.enum(["length", "newline"]).default("length").meta({
    title: "How long answers are cut",
    description: "`newline`: at every blank line.",
    advanced: true,
  }),
  blockStreaming: z.boolean().default(false).meta({
    title: "Send paragraphs as they are written",
  }),
  blockStreamingCoalesce: Coalesce.optional().meta({
    title: "Join small paragraphs",
    advanced: true,
  }),
  markdown: z
    .looseObject({
      tables: z.enum(["off", "bullets", "code"]).optional().meta({
        title: "Tables",
        description: "`code`: as a grid of fixed width. Unset: what suits the channel.",
      }),
    })
    .optional()
    .meta({ title: "Markdown", advanced: true }),
  mediaMaxMb: z.number().min(0).optional().meta({
    title: "Largest file",
    description: "In MB, both ways. Unset: what suits the channel.",
  }),
  retry: z
    .looseObject({
      attempts: z.int().min(1).default(3).meta({ title: "Tries", description: "Per message." }),
      minDelayMs: z.int().min(0).default(400).meta({ title: "First pause", description: "In ms." }),
      maxDelayMs: z.int().min(0).default(30_000).meta({
        title: "Longest pause",
        description: "In ms.",
      }),
      jitter: z.number().min(0).max(1).default(0.1).meta({
        title: "Chance in the pause",
        description: "Part of it, 0 to 1.",
      }),
    })
    .optional()
    .meta({ title: "Retry at once", description: "Before the outbox waits.", advanced: true }),
  commands: z
    .looseObject({
      native: z
        .union([z.boolean(), z.literal("auto")])
        .optional()
        .meta({
          title: "In the platform's menu",
          description: "Unset: as `commands.native`.",
        }),
    })
    .optional()
    .meta({ title: "Commands", advanced: true }),
  actions: z.record(z.string(), z.boolean()).optional().meta({
    title: "What the message tool may do",
    description: "By action, as `reactions` or `polls`. Unset: all that the platform has.",
    advanced: true,
  }),
  configWrites: z.boolean().default(true).meta({
    title: "May change this config",
    description: "When a group gets another id, for example.",
    advanced: true,
  }),
  responsePrefix: z.string().optional().meta({
    title: "Before every answer",
    description: "Unset: `messages.responsePrefix`.",
  }),
});

/** Of the whole section, which registry.ts puts together. */
export const channelsMeta = { title: "Channels", group: "channels", order: 30 };

export const ChannelDefaultsConfig = z
  .looseObject({
    groupPolicy: z.enum(["open", "allowlist", "disabled"]).optional().meta({
      title: "Groups",
      description: "For channels that say nothing.",
    }),
  })
  .optional()
  .meta({ title: "Defaults of all channels", group: "channels" });
export type ChannelDefaultsConfig = z.output<typeof ChannelDefaultsConfig>;

/** Another address of the platform's API, for tests and servers of one's own. */
export const apiRootShape = () => ({
  apiRoot: z.string().optional().meta({
    title: "Address of the API",
    description: "Unset: the platform's own. Only this machine, unless allowed below.",
    advanced: true,
  }),
  dangerouslyAllowRemoteApiRoot: z.boolean().default(false).meta({
    title: "API on another machine",
    description: "Whoever runs that machine reads everything and has the token.",
    advanced: true,
  }),
});

/** A channel's section: its keys, and the same ones for each further account. */
export const channelSection = <S extends z.core.$ZodLooseShape>(make: () => S, title: string) =>
  z.lazy(() =>
    z
      .looseObject({
        ...make(),
        accounts: z
          .record(
            z.string(),
            z.lazy(() => withoutDefaults(make())),
          )
          .optional()
          .meta({
            title: "More accounts",
            description:
              "Each with the keys of the channel; what one does not say, the channel says.",
          }),
      })
      .meta({ title, group: "channels" }),
  );

/** A shape whose fields have no defaults, for `accounts.<id>`: what an account does not say, the channel says. */
function withoutDefaults<S extends z.core.$ZodLooseShape>(shape: S) {
  const plain = Object.entries(shape).map(([key, field]) => {
    const schema = field as z.ZodType;
    const inner =
      schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault
        ? (schema.unwrap() as z.ZodType)
        : schema;
    return [key, inner.optional().meta(schema.meta() ?? {})];
  });
  return z.looseObject(Object.fromEntries(plain) as Record<string, z.ZodType>);
}
