/** The slash commands, for menus and completion. */
import { z } from "zod";

import { nativeCommands } from "../../router/commands/registry.ts";
import { method } from "../method.ts";

export const commands = {
  "commands.list": method({
    doc: "The slash commands that can be typed in a chat, with their arguments.",
    scope: "operator.read",
    params: z.object({}),
    result: z.lazy(() =>
      z.object({
        commands: z.array(
          z.object({
            name: z.string(),
            textAliases: z.array(z.string()),
            description: z.string(),
            acceptsArgs: z.boolean(),
            args: z.array(
              z.object({
                name: z.string(),
                description: z.string(),
                required: z.boolean(),
                choices: z.array(z.string()).optional(),
              }),
            ),
          }),
        ),
      }),
    ),
    async run(_, { config }) {
      const listed = nativeCommands(config.current().commands);
      return {
        commands: listed.map(({ name, description, args }) => ({
          name,
          textAliases: [`/${name}`],
          description,
          acceptsArgs: args.length > 0,
          args: args.map(({ choices, ...arg }) => ({
            ...arg,
            ...(choices && { choices: [...choices] }),
          })),
        })),
      };
    },
  }),
};
