/** Reads the events of the gateway and puts each into its chat's row; and what was missed while nobody was connected. */
import { AppError } from "../../base/errors.ts";
import type { Inbound } from "../../flow.ts";
import type { DiscordConfig } from "./config.ts";
import { facts, guildEntry } from "./facts.ts";
import type { Dispatch } from "./guard.ts";
import {
  chatIdOf,
  isWritten,
  locationOf,
  type Reader,
  readMessage,
  senderOf,
  textOf,
} from "./inbound.ts";
import type { Intake } from "./intake.ts";
import type { Interactions } from "./interactions.ts";
import type { Sender } from "./outbound.ts";
import type { Threads } from "./threads.ts";
import { compareIds, type WireInteraction, type WireMessage, type WireReaction } from "./wire.ts";

type Packet = Dispatch & { session: string };
export type ReceptionDeps = Reader & {
  intake: Intake;
  interactions: Interactions;
  threads: Threads;
  sender: Pick<Sender, "learn">;
};

/** Messages whose author is remembered, for what happens to them later. */
const MAX_RECENT = 5_000;
/** Chats that are looked through after a connection that could not be resumed, and messages in each. */
const MAX_CHATS = 100;
const PAGE = 100;
const MAX_PAGES = 5;
/** For what was missed, which nobody tells again; about three quarters of an hour of a platform that has a problem. */
const TRIES = 100;
/** Chats that are looked through at the same time. */
const AT_ONCE = 4;

type Recent = { author: string; bot?: true; chatId: string };

export class Reception {
  private readonly recent = new Map<string, Recent>();
  private looking = 0;
  private readonly queue: (() => void)[] = [];

  constructor(private readonly deps: ReceptionDeps) {}

  /** One event, in the order of the gateway. What is no event for us is left out. */
  take({ t, d, s, session }: Packet): void {
    if (typeof d !== "object" || d === null) return;
    switch (t) {
      case "READY":
        return this.lookBack();
      case "MESSAGE_CREATE":
        return this.message(d as WireMessage);
      case "MESSAGE_UPDATE":
        return this.edited(d as WireMessage);
      case "MESSAGE_DELETE":
      case "MESSAGE_DELETE_BULK":
        return this.deleted(
          d as { id?: string; ids?: string[]; channel_id: string; guild_id?: string },
        );
      case "MESSAGE_REACTION_ADD":
      case "MESSAGE_REACTION_REMOVE":
        return this.reaction(d as WireReaction, t.endsWith("ADD"), `${session}/${s}`);
      case "INTERACTION_CREATE":
        return this.deps.interactions.take(d as WireInteraction);
      case "CHANNEL_DELETE":
      case "THREAD_DELETE":
        return this.gone((d as { id: string }).id);
    }
  }

  /** What was said in a chat after its last message that was taken, oldest first. */
  async catchUp(channelId: string): Promise<void> {
    const { ctx, intake } = this.deps;
    for (let page = 0; page < MAX_PAGES && !ctx.signal.aborted; page++) {
      const after = intake.lastOf(channelId);
      if (after === undefined) return;
      const list = await this.missed(channelId, after);
      if (list === undefined) return intake.forget(channelId);
      const guild = list.length ? await this.guildOf(channelId) : undefined;
      for (const message of list.sort((a, b) => compareIds(a.id, b.id)))
        if (message.author?.id !== this.deps.self())
          await this.offer({ ...message, ...(guild && { guild_id: guild }) });
      if (list.length < PAGE) return;
      // A page of nothing but our own messages moves nothing on.
      if (intake.lastOf(channelId) === after) return;
    }
    ctx.log.warn("more was missed than is read", { channelId, messages: MAX_PAGES * PAGE });
  }

  /** Undefined: the channel is gone, or not for us any more. */
  private async missed(channelId: string, after: string): Promise<WireMessage[] | undefined> {
    const { api, ctx } = this.deps;
    await this.turn();
    try {
      return await api.patient(
        () =>
          api.get<WireMessage[]>(`/channels/${channelId}/messages`, {
            query: { after, limit: PAGE },
            signal: ctx.signal,
          }),
        ctx.signal,
        TRIES,
      );
    } catch (cause) {
      if (cause instanceof AppError && cause.code === "channel_rejected") return undefined;
      throw cause;
    } finally {
      this.looking--;
      this.queue.shift()?.();
    }
  }

  private async guildOf(channelId: string): Promise<string | undefined> {
    const { api, ctx, rooms } = this.deps;
    const channel = await api.patient(() => rooms.channel(channelId), ctx.signal, TRIES);
    return channel?.guild_id;
  }

  private async turn(): Promise<void> {
    while (this.looking >= AT_ONCE) await new Promise<void>((go) => this.queue.push(go));
    this.looking++;
  }

  /** A session that begins anew was told nothing of what happened before it. */
  private lookBack(): void {
    const { intake } = this.deps;
    for (const id of intake.chats().slice(0, MAX_CHATS)) intake.push(id, () => this.catchUp(id));
  }

  private message(message: WireMessage): void {
    const { intake, self } = this.deps;
    if (message.author?.id === self()) {
      this.remember(message.id, { author: self(), chatId: message.channel_id });
      return;
    }
    intake.push(message.channel_id, () => this.offer(message));
  }

  private async offer(message: WireMessage): Promise<void> {
    const make = async () => {
      const inbound = await readMessage(message, this.deps);
      if (inbound && isWritten(message))
        this.remember(message.id, {
          author: inbound.sender.id,
          chatId: inbound.from.chatId,
          ...(inbound.sender.bot && { bot: true as const }),
        });
      return inbound;
    };
    const { intake, threads, sender } = this.deps;
    if (message.author && !message.guild_id) sender.learn(message.author.id, message.channel_id);
    const place = { channelId: message.channel_id, message: message.id };
    const accepted = await intake.offer(make, place, (inbound) => threads.planned(inbound));
    if (accepted?.dropped) await threads.drop(message.id);
  }

  /** Also sent when a link's preview arrives; then nothing was edited. */
  private edited(message: WireMessage): void {
    const { author, edited_timestamp: at } = message;
    if (!at || !author || author.id === this.deps.self() || !isWritten(message)) return;
    this.event(message.channel_id, message.guild_id, async (place) => ({
      ...place(author.id, message.id),
      id: `${message.id}/edit/${at}`,
      sender: senderOf(author, message.member, message.webhook_id),
      text: textOf(message),
      event: { kind: "edit", of: message.id },
      at: Date.parse(at),
    }));
  }

  /** The platform does not say who did it. It counts as the author's doing: what is gone needs no answer. */
  private deleted(d: { id?: string; ids?: string[]; channel_id: string; guild_id?: string }): void {
    for (const id of d.ids ?? [d.id ?? ""]) {
      const known = this.recent.get(id);
      // Too long ago to wait for an answer still, or our own.
      if (!known || known.author === this.deps.self()) continue;
      this.event(d.channel_id, d.guild_id, async (place) => ({
        ...place(known.author, id),
        id: `${id}/delete`,
        sender: { id: known.author, ...(known.bot && { bot: true as const }) },
        text: "",
        event: { kind: "delete", of: id },
        at: Date.now(),
      }));
    }
  }

  private reaction(reaction: WireReaction, added: boolean, number: string): void {
    const { self, ctx, rooms } = this.deps;
    const { guild_id: guildId, message_id: of, user_id: userId, member, emoji } = reaction;
    if (!guildId || userId === self()) return;
    const wanted = guildEntry(ctx.config, { id: guildId })?.reactionNotifications ?? "own";
    const author = reaction.message_author_id ?? this.recent.get(of)?.author;
    if (wanted === "off" || (wanted === "own" && author !== self())) return;
    this.event(reaction.channel_id, guildId, async (place) => {
      const { room } = await rooms.place(reaction.channel_id, guildId);
      const sender = senderOf(member?.user ?? { id: userId }, member);
      const by = sender.handle ?? sender.name ?? userId;
      const shown = emoji.id ? `:${emoji.name ?? emoji.id}:` : (emoji.name ?? "?");
      const inbound: Inbound = {
        ...place(userId, of),
        id: `${of}/reaction/${number}`,
        sender,
        text: `Discord reaction ${added ? "added" : "removed"}: ${shown} by ${by} on ${locationOf(room)} msg ${of}${author === self() ? " from you" : ""}`,
        event: { kind: "reaction", of },
        at: Date.now(),
      };
      return wanted === "allowlist" && !isListed(ctx.config, inbound) ? undefined : inbound;
    });
  }

  /** Something about an earlier message, behind everything that was said before it. */
  private event(
    channelId: string,
    guildId: string | undefined,
    make: (
      place: (
        person: string,
        of: string,
      ) => Pick<Inbound, "from" | "chat" | "room" | "media" | "mentioned">,
    ) => Promise<Inbound | undefined>,
  ): void {
    const { intake, rooms, ctx } = this.deps;
    intake.push(channelId, async () => {
      await intake.offer(async () => {
        const { chat, room } = await rooms.place(channelId, guildId);
        return make((person, of) => ({
          from: {
            channel: "discord",
            account: ctx.account,
            chatId: this.recent.get(of)?.chatId ?? chatIdOf(chat, channelId, person),
          },
          chat,
          ...(room && { room }),
          media: [],
          mentioned: false,
        }));
      });
    });
  }

  private gone(channelId: string): void {
    const { intake } = this.deps;
    if (intake.lastOf(channelId)) intake.push(channelId, () => intake.forget(channelId));
  }

  private remember(id: string, about: Recent): void {
    this.recent.set(id, about);
    if (this.recent.size > MAX_RECENT) this.recent.delete(this.recent.keys().next().value!);
  }
}

function isListed(config: DiscordConfig, inbound: Inbound): boolean {
  const { room } = facts.rules(config, inbound);
  return room !== "unlisted" && room.allowFrom?.includes(inbound.sender.id) === true;
}
