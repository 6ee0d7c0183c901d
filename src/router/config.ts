/** The `commands` section: what may be asked of the running program besides a conversation, and who may ask. */
import { z } from "zod";

import "../base/schema.ts";

/** Ids are text, but people write numbers. */
const ids = z.array(z.union([z.string(), z.number()]));

export const CommandsConfig = z
  .looseObject({
    native: z
      .union([z.boolean(), z.literal("auto")])
      .default("auto")
      .meta({
        title: "In the platforms' menus",
        description:
          "`auto`: where the platform has a menu. `false` empties the menu. A channel can say otherwise.",
      }),
    text: z.boolean().default(true).meta({
      title: "Typed commands",
      description: "`false`: only from the menu, on platforms that have one.",
    }),
    useAccessGroups: z.boolean().default(true).meta({
      title: "Only for listed senders",
      description:
        "`false`: everybody who may talk may also give commands, except those of the owner.",
    }),
    ownerAllowFrom: ids.default([]).meta({
      title: "Owners",
      description:
        "Senders who may give every command, as `channel:id`. An id without a channel counts on all of them.",
    }),
    allowFrom: z.record(z.string(), ids).default({}).meta({
      title: "Who may give commands",
      description:
        "Ids of senders by channel, or under `*` for all channels. Where there is a list, only they and the owners, of those who may otherwise. Ids of groups are no senders and let nobody in.",
    }),
    config: z.boolean().default(false).meta({
      title: "Config by chat",
      description: "Lets an owner read and change this config with /config in a direct message.",
    }),
    restart: z.boolean().default(false).meta({
      title: "Restart on request",
      description:
        "Lets the signal SIGUSR1, and an owner with /restart, restart the gateway without ending its process.",
    }),
  })
  .prefault({})
  .meta({ title: "Commands", group: "commands", order: 85 });
export type CommandsConfig = z.output<typeof CommandsConfig>;
