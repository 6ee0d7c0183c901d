/** Sends messages: text, files, buttons, as a reply or in the place of an earlier one. A repeated key never makes a second message. */
import { createHash } from "node:crypto";

import { AppError } from "../../base/errors.ts";
import type { Address, MediaRef, Outbound, Receipt } from "../../flow.ts";
import type { ChannelContext } from "../channel.ts";
import type { Api } from "./api.ts";
import type { Buttons } from "./buttons.ts";
import type { DiscordConfig } from "./config.ts";
import { numberOf } from "./errors.ts";
import { MEDIA_MAX_MB } from "./media.ts";
import type { Threads } from "./threads.ts";
import type { WireChannel } from "./wire.ts";

/** No preview of links, and no sound. */
const SUPPRESS_EMBEDS = 1 << 2;
const SILENT = 1 << 12;
/** Nobody is called by what a model writes. */
export const NO_MENTIONS = { parse: [] as string[], replied_user: false };
const MAX_FILES = 10;
/** Of the platform, in characters. */
const MAX_NONCE = 25;
const MAX_KNOWN = 5_000;
const UNKNOWN_CHANNEL = 10_003;
/** A message that cannot be edited (any more), so another one takes its place. */
const UNEDITABLE: ReadonlySet<number | undefined> = new Set([10_008, 50_005, 50_021, 50_083]);
/** Refusals for which it helps to know what the bot may do there. */
const PERMISSION: ReadonlySet<number | undefined> = new Set([50_001, 50_013]);

export type SenderDeps = {
  ctx: Pick<ChannelContext<DiscordConfig>, "config" | "media" | "signal" | "log">;
  api: Api;
  buttons: Buttons;
  threads: Threads;
  /** Names of needed permissions that the bot lacks in a channel. */
  missing(channelId: string): Promise<string[]>;
};
type Sent = { id: string };

export class Sender {
  /** Channels of direct messages, by person. */
  private readonly direct = new Map<string, string>();

  constructor(private readonly deps: SenderDeps) {}

  /** As `ChannelAccount.send`. */
  async send(out: Outbound): Promise<Receipt> {
    const channelId = await this.channelOf(out.to);
    return this.explained(channelId, () => this.inChannel(channelId, out));
  }

  /** The platform's id of the channel. Throws `channel_rejected` for a person whom the bot cannot write to. */
  async channelOf({ chatId }: Pick<Address, "chatId">): Promise<string> {
    const person = /^user:(\d+)$/.exec(chatId)?.[1];
    if (!person) {
      if (/^\d+$/.test(chatId)) return chatId;
      throw new AppError("channel_rejected", `"${chatId.slice(0, 100)}" is no place on Discord.`, {
        hint: "Write user:<id> or channel:<id>.",
      });
    }
    const known = this.direct.get(person);
    if (known) return known;
    const { id } = await this.deps.api.post<WireChannel>("/users/@me/channels", {
      recipient_id: person,
    });
    this.learn(person, id);
    return id;
  }

  /** A person wrote in this channel of direct messages. */
  learn(person: string, channelId: string): void {
    if (this.direct.size >= MAX_KNOWN) this.direct.clear();
    this.direct.set(person, channelId);
  }

  async typing(to: Address): Promise<void> {
    const channelId = await this.channelOf(to);
    try {
      await this.deps.api.post(`/channels/${channelId}/typing`);
    } catch (cause) {
      // A thread that is opened with its first message.
      if (numberOf(cause) === UNKNOWN_CHANNEL && (await this.deps.threads.isPlanned(channelId)))
        return;
      throw cause;
    }
  }

  /** Runs it again after the thread that it needs was opened; says which permissions are missing when that is the reason. */
  async explained<T>(channelId: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work().catch(async (cause: unknown) => {
        if (numberOf(cause) !== UNKNOWN_CHANNEL || !(await this.deps.threads.open(channelId)))
          throw cause;
        return work();
      });
    } catch (cause) {
      if (!PERMISSION.has(numberOf(cause)) || !(cause instanceof AppError)) throw cause;
      const missing = await this.deps.missing(channelId).catch((): string[] => []);
      if (!missing.length) throw cause;
      throw new AppError(
        "channel_rejected",
        `The bot may not do this in the channel ${channelId}. It lacks: ${missing.join(", ")}.`,
        {
          hint: "Give these to the bot's role in the settings of the channel or server.",
          details: cause.details,
          cause,
        },
      );
    }
  }

  private async inChannel(channelId: string, out: Outbound): Promise<Receipt> {
    const { api, buttons } = this.deps;
    const components = out.buttons?.length ? await buttons.rows(out.buttons) : [];
    const messages = `/channels/${channelId}/messages`;
    const ids: string[] = [];
    let text = out.text;
    if (out.edits !== undefined && text) {
      const edited = await this.edit(channelId, out.edits, text, components);
      if (edited) {
        ids.push(out.edits);
        text = "";
      }
    }
    const fresh = ids.length === 0;
    const files = groups(out.media, MAX_FILES);
    for (let n = 0; n < Math.max(files.length, fresh ? 1 : 0); n++) {
      const first = fresh && n === 0;
      const body = {
        ...(first && text && { content: text }),
        ...(first && components.length && { components }),
        ...(first &&
          out.to.replyToId && {
            message_reference: { message_id: out.to.replyToId, fail_if_not_exists: false },
          }),
        allowed_mentions: NO_MENTIONS,
        nonce: nonceOf(out.key, n),
        enforce_nonce: true,
        flags: this.flags() | (out.silent ? SILENT : 0),
      };
      const sent = files[n]
        ? await api.post<Sent>(messages, undefined, { form: await this.form(body, files[n]!) })
        : await api.post<Sent>(messages, body);
      ids.push(sent.id);
    }
    return { ids, at: Date.now() };
  }

  /** False: another message must take its place. */
  private async edit(
    channelId: string,
    id: string,
    content: string,
    components: unknown[],
  ): Promise<boolean> {
    try {
      await this.deps.api.patch(`/channels/${channelId}/messages/${encodeURIComponent(id)}`, {
        content,
        components,
        allowed_mentions: NO_MENTIONS,
        flags: this.flags(),
      });
      return true;
    } catch (cause) {
      if (UNEDITABLE.has(numberOf(cause))) return false;
      throw cause;
    }
  }

  flags(): number {
    return this.deps.ctx.config.suppressEmbeds ? SUPPRESS_EMBEDS : 0;
  }

  /** The files are read from the disk while they are sent. */
  private async form(body: Record<string, unknown>, files: readonly MediaRef[]): Promise<FormData> {
    const { ctx } = this.deps;
    const maxBytes = (ctx.config.mediaMaxMb ?? MEDIA_MAX_MB) * 1_000_000;
    const form = new FormData();
    const attachments = files.map((file, id) => ({ id, filename: fileName(file) }));
    form.append("payload_json", JSON.stringify({ ...body, attachments }));
    for (const [i, file] of files.entries()) {
      const blob = await ctx.media.open(file);
      if (blob.size > maxBytes)
        throw new AppError(
          "channel_rejected",
          `The file ${fileName(file)} is larger than ${maxBytes / 1_000_000} MB.`,
          {
            hint: "Send a link instead, or set `channels.discord.mediaMaxMb` higher, up to what the server allows.",
          },
        );
      form.append(`files[${i}]`, blob, fileName(file));
    }
    return form;
  }
}

/** The same for every try of the same part, so that the platform sends it once. */
export const nonceOf = (key: string, part = 0): string =>
  createHash("sha256").update(`${key}\n${part}`).digest("base64url").slice(0, MAX_NONCE);

function fileName({ name, mime, kind }: MediaRef): string {
  if (name?.trim())
    return name
      .replace(/[\p{C}/\\"]+/gu, "_")
      .slice(0, 100)
      .toWellFormed();
  return `${kind}.${mime.split("/")[1]?.replace(/\W.*$/, "") || "bin"}`;
}

const groups = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  );
