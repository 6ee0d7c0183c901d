/** Commands from the platform's menu and pressed buttons: acknowledged in time, received like a message, answered where they were made. */
import { toAppError } from "../../base/errors.ts";
import { background } from "../../base/task.ts";
import type { Inbound } from "../../flow.ts";
import type { Accepted } from "../channel.ts";
import { type Buttons, forPerson } from "./buttons.ts";
import { chatIdOf, type Reader, senderOf } from "./inbound.ts";
import type { Intake } from "./intake.ts";
import { timeOf, type WireInteraction, type WireOption } from "./wire.ts";

/** Kinds of interactions, and of first answers to them. */
const KIND = { command: 2, component: 3, autocomplete: 4 } as const;
const ANSWER = { message: 4, deferred: 5, deferredUpdate: 6, choices: 8 } as const;
/** Only who acted sees it. */
const EPHEMERAL = 1 << 6;
const MAX_TEXT = 2_000;
const MAX_CHOICES = 25;
const ACK_TRIES = 2;

const WORKING = "Working on it…";
const NOT_YOURS = "This button is for somebody else.";
const EXPIRED = "This button is too old.";
/** The platform's own words for it are the original's. */
const REFUSALS: Readonly<Record<string, string>> = {
  disabled: "This channel is disabled.",
  unlisted: "This channel is not allowed.",
  flood: "Too many messages; try again in a minute.",
};
const NOT_AUTHORIZED = "You are not authorized to use this command.";
const DMS_DISABLED = "Discord DMs are disabled.";

export type InteractionDeps = Reader & { intake: Intake; buttons: Buttons };

export class Interactions {
  constructor(private readonly deps: InteractionDeps) {}

  take(interaction: WireInteraction): void {
    const { ctx, intake } = this.deps;
    const channelId = interaction.channel_id;
    const user = interaction.member?.user ?? interaction.user;
    if (!channelId || !user) return;
    if (interaction.type === KIND.autocomplete)
      return background("completing a command", this.complete(interaction), ctx.log);
    if (interaction.type !== KIND.command && interaction.type !== KIND.component) return;
    const isButton = interaction.type === KIND.component;
    const only = isButton ? forPerson(interaction.data?.custom_id ?? "") : undefined;
    if (only && only !== user.id)
      return background("refusing a button", this.tell(interaction, NOT_YOURS), ctx.log);
    // At once: the platform gives 3 s, and what stands before it in this chat may take longer.
    const acked = this.acknowledge(interaction, isButton);
    background("acknowledging", acked, ctx.log);
    intake.push(channelId, () =>
      isButton ? this.pressed(interaction) : this.called(interaction, acked),
    );
  }

  private async called(interaction: WireInteraction, acked: Promise<boolean>): Promise<void> {
    const { name = "", options = [] } = interaction.data ?? {};
    const args = argsOf(options, this.order(name));
    const text = `/${name}${args && ` ${args}`}`;
    const { chat, accepted } = await this.receive(interaction, text, { name, args });
    // Not taken before the account ended; whoever asked sees that it failed.
    if (!accepted || !(await acked)) return;
    const parts = chunks(answerTo(accepted, chat));
    const route = `/webhooks/${interaction.application_id}/${interaction.token}`;
    const { api, ctx } = this.deps;
    const quiet = { allowed_mentions: { parse: [] } };
    await api.patient(
      () =>
        api.patch(`${route}/messages/@original`, { content: parts[0], ...quiet }, { auth: false }),
      ctx.signal,
    );
    for (const content of parts.slice(1))
      await api.patient(
        () => api.post(route, { content, flags: EPHEMERAL, ...quiet }, { auth: false }),
        ctx.signal,
      );
  }

  private async pressed(interaction: WireInteraction): Promise<void> {
    const data = await this.deps.buttons.dataOf(interaction.data?.custom_id ?? "");
    if (data === undefined) return this.follow(interaction, EXPIRED);
    const { chat, accepted } = await this.receive(interaction, data);
    const { dropped, answer } = accepted ?? {};
    // An answer to a message is on its way already.
    if (dropped && dropped !== "duplicate" && answer === undefined)
      await this.follow(interaction, answerTo(accepted!, chat));
  }

  private async receive(
    interaction: WireInteraction,
    text: string,
    command?: Inbound["command"],
  ): Promise<{ chat: Inbound["chat"]; accepted: Accepted | undefined }> {
    const { rooms, ctx, intake } = this.deps;
    const { member, channel_id: channelId = "", guild_id: guildId, message } = interaction;
    const user = member?.user ?? interaction.user;
    let chat: Inbound["chat"] = "dm";
    const accepted = await intake.offer(async () => {
      const place = await rooms.place(channelId, guildId);
      chat = place.chat;
      return {
        id: interaction.id,
        from: {
          channel: "discord",
          account: ctx.account,
          chatId: chatIdOf(chat, channelId, user?.id),
        },
        chat,
        sender: senderOf(user, member),
        text,
        media: [],
        mentioned: true,
        ...(command && { command }),
        ...(place.room && { room: place.room }),
        ...(message && {
          quoted: {
            id: message.id,
            text: message.content ?? "",
            sender: message.author?.username ?? "",
            mine: true as const,
          },
        }),
        at: timeOf(interaction.id),
      };
    });
    return { chat, accepted };
  }

  /** False: too late, or the platform would not have it; then nothing can be answered any more. */
  private async acknowledge(interaction: WireInteraction, isButton: boolean): Promise<boolean> {
    const body = isButton
      ? { type: ANSWER.deferredUpdate }
      : { type: ANSWER.deferred, data: { flags: EPHEMERAL } };
    try {
      await this.respond(interaction, body);
      return true;
    } catch (cause) {
      const error = toAppError(cause);
      this.deps.ctx.log.warn("a command could not be acknowledged", {
        code: error.code,
        error: error.message,
      });
      return false;
    }
  }

  private tell(interaction: WireInteraction, content: string): Promise<unknown> {
    return this.respond(interaction, { type: ANSWER.message, data: { content, flags: EPHEMERAL } });
  }

  private async follow(
    { application_id: app, token }: WireInteraction,
    content: string,
  ): Promise<void> {
    const { api, ctx } = this.deps;
    await api.patient(
      () => api.post(`/webhooks/${app}/${token}`, { content, flags: EPHEMERAL }, { auth: false }),
      ctx.signal,
    );
  }

  private respond({ id, token }: WireInteraction, body: Record<string, unknown>): Promise<unknown> {
    const { api, ctx } = this.deps;
    const send = () => api.post(`/interactions/${id}/${token}/callback`, body, { auth: false });
    return api.patient(send, ctx.signal, ACK_TRIES);
  }

  /** For options with more choices than a menu can show. */
  private async complete(interaction: WireInteraction): Promise<void> {
    const { name, options = [] } = interaction.data ?? {};
    const focused = options.find((each) => each.focused);
    const command = this.deps.ctx.commands()?.find((each) => each.name === name);
    const choices = command?.args.find((each) => each.name === focused?.name)?.choices ?? [];
    const typed = String(focused?.value ?? "").toLowerCase();
    const found = choices
      .filter((each) => each.toLowerCase().includes(typed))
      .slice(0, MAX_CHOICES);
    await this.respond(interaction, {
      type: ANSWER.choices,
      data: {
        choices: found.map((value) => ({ name: value.slice(0, 100), value: value.slice(0, 100) })),
      },
    });
  }

  private order = (name: string): string[] =>
    this.deps.ctx
      .commands()
      ?.find((each) => each.name === name)
      ?.args.map((each) => each.name) ?? [];
}

/** The values in the order in which the command names its arguments, as they would be typed. */
function argsOf(options: readonly WireOption[], order: readonly string[]): string {
  const rank = ({ name }: WireOption) =>
    order.includes(name) ? order.indexOf(name) : order.length;
  return options
    .toSorted((a, b) => rank(a) - rank(b))
    .map(({ value }) => String(value ?? "").trim())
    .filter(Boolean)
    .join(" ");
}

function answerTo({ answer, dropped }: Accepted, chat: Inbound["chat"]): string {
  if (answer?.trim()) return answer;
  if (!dropped || dropped === "duplicate") return WORKING;
  if (dropped === "disabled" && chat === "dm") return DMS_DISABLED;
  return REFUSALS[dropped] ?? NOT_AUTHORIZED;
}

function chunks(text: string): string[] {
  const parts: string[] = [];
  let rest = text.toWellFormed();
  while (rest.length > MAX_TEXT) {
    const line = rest.lastIndexOf("\n", MAX_TEXT);
    let cut = line > MAX_TEXT / 2 ? line : MAX_TEXT;
    // Never between the halves of a character.
    if (/[\ud800-\udbff]/.test(rest[cut - 1] ?? "")) cut--;
    parts.push(rest.slice(0, cut));
    rest = rest.slice(cut).replace(/^\n/, "");
  }
  return [...parts, rest || " "];
}
