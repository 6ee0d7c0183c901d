/** What channels and servers are called and where they belong: from the connection's own knowledge, else asked once and remembered. */
import type { Client } from "discord.js";

import { AppError } from "../../base/errors.ts";
import type { Inbound, Room } from "../../flow.ts";
import type { Api } from "./api.ts";
import { isThread, KIND, nameOf, type WireChannel, type WireGuild } from "./wire.ts";

/** For how long an answer of the API holds, in ms; a refusal is asked again sooner. */
const KEEP_MS = 300_000;
const KEEP_REFUSED_MS = 30_000;
const MAX_KEPT = 1_000;

export class Rooms {
  private readonly kept = new Map<string, { until: number; value: Promise<unknown> }>();

  constructor(
    private readonly api: Api,
    private readonly client: () => Client | undefined,
  ) {}

  /** Undefined for a channel that the bot may not see. Throws `channel_unreachable`. */
  async channel(id: string): Promise<WireChannel | undefined> {
    return this.known(id) ?? (await this.ask<WireChannel>(`/channels/${id}`));
  }

  /** As the API has it, with who may do what; from now, not from memory. Throws like `Api`. */
  fresh(id: string): Promise<WireChannel> {
    return this.api.get<WireChannel>(`/channels/${id}`);
  }

  async guildName(id: string): Promise<string | undefined> {
    return (
      this.client()?.guilds.cache.get(id)?.name ??
      (await this.ask<WireGuild>(`/guilds/${id}`))?.name ??
      undefined
    );
  }

  /** Where a message belongs. `guildId` and `type` as its event says; a direct message that says so needs no look-up. */
  async place(
    channelId: string,
    guildId?: string,
    type?: number,
  ): Promise<{ chat: Inbound["chat"]; channel?: WireChannel; parent?: WireChannel; room?: Room }> {
    if (type === KIND.dm && !guildId) return { chat: "dm" };
    const channel = await this.channel(channelId);
    if (channel?.type === KIND.dm) return { chat: "dm", channel };
    if (channel?.type === KIND.group) {
      const members = channel.recipients?.map((user) => nameOf(user)) ?? [];
      const title = channel.name || members.join(", ");
      return { chat: "group", channel, room: { title, ...(members.length && { members }) } };
    }
    const guild = channel?.guild_id ?? guildId;
    // Without a server and unseen: only a direct message can be that.
    if (!guild) return { chat: "dm", ...(channel && { channel }) };
    const thread = channel && isThread(channel.type) ? channel : undefined;
    const parent = thread?.parent_id ? await this.channel(thread.parent_id) : undefined;
    const named = thread ? parent : channel;
    const name = await this.guildName(guild);
    return {
      chat: "channel",
      ...(channel && { channel }),
      ...(parent && { parent }),
      room: {
        ...(named?.name && { title: named.name }),
        ...(thread?.name && { thread: thread.name }),
        space: { id: guild, ...(name && { name }) },
        ...(thread?.parent_id && { parentId: thread.parent_id }),
        ...(named?.topic && { about: named.topic }),
      },
    };
  }

  private known(id: string): WireChannel | undefined {
    const found = this.client()?.channels.cache.get(id);
    if (!found || found.partial || !("guild" in found)) return undefined;
    return {
      id,
      type: found.type,
      guild_id: found.guild.id,
      name: found.name,
      topic: "topic" in found ? found.topic : null,
      parent_id: found.parentId,
      ...("ownerId" in found && found.ownerId && { owner_id: found.ownerId }),
    };
  }

  private ask<T>(route: string): Promise<T | undefined> {
    const now = Date.now();
    const kept = this.kept.get(route);
    if (kept && kept.until > now) return kept.value as Promise<T | undefined>;
    if (this.kept.size >= MAX_KEPT) this.kept.clear();
    const entry = { until: now + KEEP_MS, value: this.load<T>(route) };
    this.kept.set(route, entry);
    entry.value.then(
      (value) => {
        if (value === undefined) entry.until = Date.now() + KEEP_REFUSED_MS;
      },
      // The caller is told; here it only must not be remembered.
      () => this.kept.delete(route),
    );
    return entry.value;
  }

  private async load<T>(route: string): Promise<T | undefined> {
    try {
      return await this.api.get<T>(route);
    } catch (cause) {
      // Expected: a channel that the bot may not look at, or that is gone.
      if (cause instanceof AppError && cause.code === "channel_rejected") return undefined;
      throw cause;
    }
  }
}
