/** The sections `bindings` (which agent answers where) and `broadcast` (chats that several agents answer). */
import { z } from "zod";

import "../../base/schema.ts";

/** People write ids as numbers too. */
const id = z.union([z.string(), z.number().transform(String)]);

const Peer = z
  .looseObject({
    kind: z
      .enum(["dm", "direct", "group", "channel"])
      .transform((kind) => (kind === "direct" ? "dm" : kind))
      .meta({ title: "Kind of chat", description: "`direct` is another word for `dm`." }),
    id: id.meta({ title: "Id", description: "Of the person, group, channel or thread." }),
  })
  .meta({ title: "One chat" });

const Match = z
  .looseObject({
    channel: z.string().meta({ title: "Channel" }),
    accountId: z.string().optional().meta({
      title: "Account",
      description: "Unset: the account `default`. `*`: every account.",
    }),
    peer: Peer.optional(),
    guildId: id.optional().meta({ title: "Server" }),
    teamId: id.optional().meta({ title: "Team" }),
    roles: z
      .array(id)
      .optional()
      .meta({ title: "Roles", description: "Ids; one of them is enough." }),
  })
  .meta({ title: "Where" });

export const BindingsConfig = z
  .array(
    z.looseObject({
      agentId: z.string().meta({ title: "Agent" }),
      match: Match,
      comment: z.string().optional().meta({ title: "Comment" }),
    }),
  )
  .default([])
  .meta({
    title: "Which agent answers where",
    description: "The narrowest one that fits decides, whatever the order.",
    group: "agents",
    order: 42,
  });
export type BindingsConfig = z.output<typeof BindingsConfig>;

export const BroadcastConfig = z
  .object({
    strategy: z.enum(["parallel", "sequential"]).optional().meta({
      title: "Order",
      description: "Read and ignored: the agents answer at the same time.",
      advanced: true,
    }),
  })
  .catchall(z.array(z.string()))
  .optional()
  .meta({
    title: "Chats that several agents answer",
    description: "Id of the chat, and the ids of the agents.",
    group: "agents",
    order: 43,
    advanced: true,
  });
export type BroadcastConfig = z.output<typeof BroadcastConfig>;
