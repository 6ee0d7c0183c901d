/** A command that only holds others: called alone it lists them. */
import { type Command, command } from "./command.ts";
import { commandsBelow } from "./commands.ts";
import { showCommandHelp } from "./help.ts";

/** @param path its words, as in the table of commands */
export function group(
  path: string,
  { doc, examples, notes }: Pick<Command, "doc" | "examples" | "notes">,
): Command {
  const made: Command = command({
    doc,
    args: {},
    json: false,
    examples,
    ...(notes && { notes }),
    async run(_, { out, name }) {
      showCommandHelp(out, name, path, made, commandsBelow(path));
    },
  });
  return made;
}
