/** The `commands` section: what may be asked of the running program besides a conversation. */
import { z } from "zod";

import "../base/schema.ts";

export const CommandsConfig = z
  .looseObject({
    restart: z.boolean().default(false).meta({
      title: "Restart on request",
      description: "Lets the signal SIGUSR1 restart the gateway without ending its process.",
    }),
  })
  .prefault({})
  .meta({ title: "Commands", group: "commands", order: 85 });
export type CommandsConfig = z.output<typeof CommandsConfig>;
