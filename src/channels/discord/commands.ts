/** Registers the commands of the platform's own menu, when they have changed. */
import { createHash } from "node:crypto";

import type { CommandInfo } from "../action.ts";
import type { ChannelContext } from "../channel.ts";
import type { Api } from "./api.ts";

/** Limits of the platform. */
const MAX_COMMANDS = 100;
const MAX_OPTIONS = 25;
const MAX_CHOICES = 25;
const MAX_DESCRIPTION = 100;
const NAME = /^[-_'\p{Ll}\p{Lo}\p{N}]{1,32}$/u;
const STRING_OPTION = 3;
/** Hash of what was registered last. */
const STATE = "commands";

/** Undefined commands: the menu is left alone. None: it is emptied. Throws like `Api`. */
export async function registerCommands(
  ctx: Pick<ChannelContext<unknown>, "commands" | "state" | "log" | "signal">,
  api: Api,
  applicationId: string,
): Promise<void> {
  const commands = ctx.commands();
  if (!commands) return;
  const usable = commands.filter(({ name }) => NAME.test(name));
  if (usable.length < commands.length || usable.length > MAX_COMMANDS)
    ctx.log.warn("some commands do not fit into the menu", {
      left: [
        ...commands.filter((each) => !usable.includes(each)),
        ...usable.slice(MAX_COMMANDS),
      ].map(({ name }) => name),
    });
  const body = usable.slice(0, MAX_COMMANDS).map(menuEntry);
  const hash = createHash("sha256")
    .update(`${applicationId}\n${JSON.stringify(body)}`)
    .digest("base64url");
  if ((await ctx.state.get<string>(STATE)) === hash) return;
  await api.patient(
    () => api.put(`/applications/${applicationId}/commands`, body, { signal: ctx.signal }),
    ctx.signal,
  );
  await ctx.state.put({ [STATE]: hash });
}

function menuEntry({ name, description, args }: CommandInfo): Record<string, unknown> {
  // The platform wants the needed ones first.
  const options = args
    .filter((each) => NAME.test(each.name))
    .toSorted((a, b) => Number(b.required) - Number(a.required))
    .slice(0, MAX_OPTIONS)
    .map(({ name: option, description: about, required, choices = [] }) => ({
      type: STRING_OPTION,
      name: option,
      description: short(about || option),
      required,
      ...(choices.length > MAX_CHOICES
        ? { autocomplete: true }
        : choices.length && {
            choices: choices.map((value) => ({
              name: value.slice(0, 100),
              value: value.slice(0, 100),
            })),
          }),
    }));
  return { name, description: short(description || name), ...(options.length && { options }) };
}

const short = (text: string): string =>
  text.length > MAX_DESCRIPTION ? `${text.slice(0, MAX_DESCRIPTION - 1).toWellFormed()}…` : text;
