/** docs/reference/slash-commands.md: what can be typed in a chat. */
import { parametersOf, usageOf } from "../../src/router/commands/arguments.ts";
import type { AnyCommand } from "../../src/router/commands/command.ts";
import { COMMANDS } from "../../src/router/commands/registry.ts";
import { code, codes, page, prose, sentences, table } from "./markdown.ts";

const WHO = {
  anyone: "everybody who may talk to the assistant",
  allowed: "who may give commands in the chat",
  owner: "owners",
} as const;

function section(each: AnyCommand): string {
  const spellings = Map.groupBy(Object.entries(each.spellings ?? {}), ([, meant]) => meant);
  const others = [...spellings].map(
    ([meant, pairs]) => `${codes(pairs.map(([other]) => other))} for ${code(meant)}`,
  );
  return [
    `## /${each.name}`,
    sentences(
      prose(each.doc),
      `For ${WHO[each.access]}`,
      each.where && `In ${each.where === "group" ? "groups" : "direct messages"} only`,
      each.gate && `Needs ${code(`commands.${each.gate}: true`)}`,
      each.typedOnly && "Not in the platforms' menus",
    ),
    code(usageOf(each)),
    table(
      ["behind it", "what it is"],
      parametersOf(each).map(({ name, doc, choices }) => [
        code(name),
        sentences(prose(doc), choices && `One of ${codes(choices)}`),
      ]),
    ),
    sentences(
      !!each.aliases?.length && `Also ${codes(each.aliases.map((alias) => `/${alias}`))}`,
      others.length > 0 && `Also understood: ${others.join(", ")}`,
    ),
  ]
    .filter(Boolean)
    .join("\n\n");
}

export const slashCommandsPage = (): string =>
  page(
    "Slash commands",
    "src/router/commands/registry.ts",
    "What can be typed in a chat. How they work, and who may use them, is in [slash-commands.md](../slash-commands.md).",
    table(
      ["command", "what it does"],
      COMMANDS.map((each) => [`[/${each.name}](#${each.name})`, prose(each.doc)]),
    ),
    ...COMMANDS.map(section),
  );
