/** The REST part of the fake Discord: the routes that a bot of ours uses, and nothing else. */
import { checkCommands, checkEdit, checkMessage, isRecord, refused } from "./discord-check.ts";
import type { Refused, Upload } from "./discord-check.ts";
import type { Channel, Json, Message, User, World } from "./discord-world.ts";

export type Call = {
  method: string;
  /** Below `/api/v10`. */
  path: string;
  query: URLSearchParams;
  body: Json | unknown[] | undefined;
  files: Map<string, Upload>;
};
export type Interaction = {
  id: string;
  token: string;
  channelId: string;
  user: User;
  /** Type of the first answer: 4, 5, 6, 8. */
  answered?: number;
  /** Data of the first answer. */
  data?: Json;
  /** Texts that the person saw, newest last; edits count. */
  texts: string[];
};
/** What routes do to the world reaches the clients through this. */
export type Outlet = {
  dispatch(t: string, d: Json): void;
  gatewayUrl(): string;
  sessionsLeft(): number;
};

type Answer = { status: number; body?: unknown };
const ok = (body?: unknown): Answer =>
  body === undefined ? { status: 204 } : { status: 200, body };
const unknownChannel = () => refused(404, 10003, "Unknown Channel");
const unknownMessage = () => refused(404, 10008, "Unknown Message");
const denied = () => refused(403, 50013, "Missing Permissions");

type Route = [
  method: string,
  pattern: RegExp,
  run: (call: Call, ...ids: string[]) => Answer | Refused,
];

export class FakeRest {
  readonly interactions = new Map<string, Interaction>();
  /** Ids of the messages that the bot sent, oldest first; a repeated nonce adds none. */
  readonly sent: Message[] = [];
  readonly typing: string[] = [];
  private readonly nonces = new Map<string, Message>();

  constructor(
    private readonly world: World,
    private readonly out: Outlet,
  ) {}

  /** `undefined`: there is no such route. */
  answer(call: Call): Answer | Refused | undefined {
    for (const [method, pattern, run] of this.routes) {
      const found = call.method === method && pattern.exec(call.path);
      if (found) return run(call, ...found.slice(1).map(decodeURIComponent));
    }
    return undefined;
  }

  private readonly routes: Route[] = [
    ["GET", /^\/users\/@me$/, () => ok(this.world.self)],
    [
      "GET",
      /^\/users\/@me\/guilds$/,
      () => ok([...this.world.guilds.values()].map(({ id, name }) => ({ id, name }))),
    ],
    ["GET", /^\/applications\/@me$/, () => ok({ ...this.world.application, name: "clawd" })],
    [
      "GET",
      /^\/gateway\/bot$/,
      () =>
        ok({
          url: this.out.gatewayUrl(),
          shards: 1,
          session_start_limit: {
            total: 1000,
            remaining: this.out.sessionsLeft(),
            reset_after: 60_000,
            max_concurrency: 16,
          },
        }),
    ],
    ["POST", /^\/users\/@me\/channels$/, (call) => this.openDm(call)],
    ["GET", /^\/channels\/(\d+)$/, (_, id) => this.inChannel(id!, (channel) => ok(channel))],
    [
      "POST",
      /^\/channels\/(\d+)\/typing$/,
      (_, id) => this.inChannel(id!, () => (this.typing.push(id!), ok())),
    ],
    [
      "POST",
      /^\/channels\/(\d+)\/messages$/,
      (call, id) => this.inChannel(id!, (channel) => this.create(channel, call)),
    ],
    [
      "GET",
      /^\/channels\/(\d+)\/messages$/,
      (call, id) => this.inChannel(id!, () => this.list(id!, call.query)),
    ],
    [
      "GET",
      /^\/channels\/(\d+)\/messages\/pins$/,
      (_, id) =>
        this.inChannel(id!, () =>
          ok({
            items: this.all(id!)
              .filter((each) => each.pinned)
              .map((message) => ({
                pinned_at: message.timestamp,
                message: this.world.shown(message),
              })),
            has_more: false,
          }),
        ),
    ],
    [
      "PUT",
      /^\/channels\/(\d+)\/messages\/pins\/(\d+)$/,
      (_, c, m) => this.onMessage(c!, m!, (message) => ((message.pinned = true), ok())),
    ],
    [
      "DELETE",
      /^\/channels\/(\d+)\/messages\/pins\/(\d+)$/,
      (_, c, m) => this.onMessage(c!, m!, (message) => ((message.pinned = false), ok())),
    ],
    [
      "GET",
      /^\/channels\/(\d+)\/messages\/(\d+)$/,
      (_, c, m) => this.onMessage(c!, m!, (message) => ok(this.world.shown(message))),
    ],
    [
      "PATCH",
      /^\/channels\/(\d+)\/messages\/(\d+)$/,
      (call, c, m) => this.onMessage(c!, m!, (message) => this.edit(message, call.body as Json)),
    ],
    [
      "DELETE",
      /^\/channels\/(\d+)\/messages\/(\d+)$/,
      (_, c, m) => this.onMessage(c!, m!, () => this.remove(c!, m!)),
    ],
    [
      "PUT",
      /^\/channels\/(\d+)\/messages\/(\d+)\/reactions\/([^/]+)\/@me$/,
      (_, c, m, e) => this.onMessage(c!, m!, (message) => this.react(message, e!)),
    ],
    [
      "DELETE",
      /^\/channels\/(\d+)\/messages\/(\d+)\/reactions\/([^/]+)\/@me$/,
      (_, c, m, e) => this.onMessage(c!, m!, (message) => this.unreact(message, e!)),
    ],
    [
      "GET",
      /^\/channels\/(\d+)\/messages\/(\d+)\/reactions\/([^/]+)$/,
      (_, c, m, e) =>
        this.onMessage(c!, m!, (message) =>
          ok(
            [...(message.reactions.find(({ emoji }) => keyOf(emoji) === e)?.users ?? [])].map(
              (id) => this.world.users.get(id),
            ),
          ),
        ),
    ],
    [
      "POST",
      /^\/channels\/(\d+)\/messages\/(\d+)\/threads$/,
      (call, c, m) => this.onMessage(c!, m!, () => this.thread(c!, call.body as Json, m)),
    ],
    [
      "POST",
      /^\/channels\/(\d+)\/threads$/,
      (call, c) => this.inChannel(c!, () => this.thread(c!, call.body as Json)),
    ],
    [
      "GET",
      /^\/channels\/(\d+)\/threads\/archived\/public$/,
      (_, c) =>
        this.inChannel(c!, () =>
          ok({ threads: this.threads(c!, true), members: [], has_more: false }),
        ),
    ],
    [
      "GET",
      /^\/guilds\/(\d+)$/,
      (_, g) => this.inGuild(g!, (guild) => ok(this.world.shownGuild(guild))),
    ],
    [
      "GET",
      /^\/guilds\/(\d+)\/channels$/,
      (_, g) =>
        this.inGuild(g!, (guild) =>
          ok(
            [...this.world.channels.values()].filter(
              (each) => each.guild_id === guild.id && each.type < 10,
            ),
          ),
        ),
    ],
    [
      "GET",
      /^\/guilds\/(\d+)\/threads\/active$/,
      (_, g) =>
        this.inGuild(g!, (guild) =>
          ok({
            threads: [...this.world.channels.values()].filter(
              (each) =>
                each.guild_id === guild.id &&
                each.type === 11 &&
                !each.thread_metadata?.["archived"],
            ),
            members: [],
          }),
        ),
    ],
    [
      "GET",
      /^\/guilds\/(\d+)\/members\/search$/,
      (call, g) =>
        this.inGuild(g!, (guild) =>
          ok(
            [...guild.members.keys()]
              .filter((id) =>
                this.world.users
                  .get(id)!
                  .username.startsWith((call.query.get("query") ?? "").toLowerCase()),
              )
              .slice(0, Number(call.query.get("limit") ?? 1))
              .map((id) => this.world.shownMember(guild, id)),
          ),
        ),
    ],
    [
      "GET",
      /^\/guilds\/(\d+)\/members\/(\d+)$/,
      (_, g, u) =>
        this.inGuild(g!, (guild) => {
          const member = this.world.shownMember(guild, u!);
          return member ? ok(member) : refused(404, 10007, "Unknown Member");
        }),
    ],
    [
      "GET",
      /^\/guilds\/(\d+)\/messages\/search$/,
      (call, g) => this.inGuild(g!, (guild) => this.search(guild.id, call.query)),
    ],
    ["PUT", /^\/applications\/(\d+)\/commands$/, (call, id) => this.register(call, id!)],
    [
      "POST",
      /^\/interactions\/(\d+)\/([^/]+)\/callback$/,
      (call, id, token) => this.callback(id!, token!, call.body as Json),
    ],
    [
      "PATCH",
      /^\/webhooks\/(\d+)\/([^/]+)\/messages\/@original$/,
      (call, _, token) => this.followUp(token!, call.body as Json, true),
    ],
    [
      "POST",
      /^\/webhooks\/(\d+)\/([^/]+)$/,
      (call, _, token) => this.followUp(token!, call.body as Json, false),
    ],
  ];

  private inChannel(id: string, run: (channel: Channel) => Answer | Refused): Answer | Refused {
    const channel = this.world.channels.get(id);
    return channel ? run(channel) : unknownChannel();
  }

  private inGuild(
    id: string,
    run: (guild: NonNullable<ReturnType<World["guilds"]["get"]>>) => Answer | Refused,
  ): Answer | Refused {
    const guild = this.world.guilds.get(id);
    return guild ? run(guild) : refused(404, 10004, "Unknown Guild");
  }

  private onMessage(
    channelId: string,
    id: string,
    run: (message: Message) => Answer | Refused,
  ): Answer | Refused {
    return this.inChannel(channelId, () => {
      const message = this.world.find(channelId, id);
      return message ? run(message) : unknownMessage();
    });
  }

  private all = (channelId: string): Message[] => this.world.messages.get(channelId) ?? [];

  private openDm({ body }: Call): Answer | Refused {
    const id = isRecord(body) ? String(body["recipient_id"]) : "";
    if (!this.world.users.has(id)) return refused(400, 50033, "Invalid Recipient(s)");
    return ok(this.world.dm(id));
  }

  private create(channel: Channel, { body, files }: Call): Answer | Refused {
    if (!isRecord(body)) return refused(400, 50109, "The request body contains invalid JSON.");
    const person = channel.recipients?.[0];
    if (person && this.world.closed.has(person.id))
      return refused(403, 50007, "Cannot send messages to this user");
    if (this.world.readOnly.has(channel.id)) return denied();
    if (channel.type === 15)
      return refused(400, 50008, "Cannot send messages in a non-text channel");
    const wrong = checkMessage(this.world, channel.id, body, files);
    if (wrong) return wrong;
    const nonce = `${channel.id}/${String(body["nonce"])}`;
    const earlier = body["enforce_nonce"] === true ? this.nonces.get(nonce) : undefined;
    if (earlier) return ok(this.world.shown(earlier));
    const reference = isRecord(body["message_reference"]) ? body["message_reference"] : undefined;
    const there = reference && this.world.find(channel.id, String(reference["message_id"]));
    const message = this.world.message(channel.id, this.world.self, String(body["content"] ?? ""), {
      ...body,
      content: String(body["content"] ?? ""),
      flags: Number(body["flags"] ?? 0),
      type: there ? 19 : 0,
      message_reference: there
        ? { message_id: there.id, channel_id: channel.id, type: 0 }
        : undefined,
      attachments: [...files.values()].map((file) => ({
        id: this.world.snowflake(),
        filename: file.name,
        size: file.bytes.length,
        content_type: file.type,
        bytes: file.bytes,
      })),
    });
    this.nonces.set(nonce, message);
    this.sent.push(message);
    this.out.dispatch("MESSAGE_CREATE", {
      ...this.world.shown(message),
      ...(channel.guild_id && { guild_id: channel.guild_id }),
      attachments: [],
    });
    return ok(this.world.shown(message));
  }

  private list(channelId: string, query: URLSearchParams): Answer | Refused {
    const limit = Number(query.get("limit") ?? 50);
    if (!(limit >= 1 && limit <= 100)) return refused(400, 50035, "Invalid Form Body");
    const [before, after, around] = ["before", "after", "around"].map((key) => query.get(key));
    const list = this.all(channelId);
    const big = (id: string) => BigInt(id);
    const found = after
      ? list.filter(({ id }) => big(id) > big(after)).slice(0, limit)
      : before
        ? list.filter(({ id }) => big(id) < big(before)).slice(-limit)
        : around
          ? list
              .slice(Math.max(0, list.findIndex(({ id }) => id === around) - limit / 2))
              .slice(0, limit)
          : list.slice(-limit);
    return ok(found.map((each) => this.world.shown(each)).reverse());
  }

  private edit(message: Message, body: Json): Answer | Refused {
    if (message.author.id !== this.world.self.id)
      return refused(403, 50005, "Cannot edit a message authored by another user");
    const wrong = checkEdit(body);
    if (wrong) return wrong;
    Object.assign(message, body, { edited_timestamp: new Date().toISOString() });
    this.out.dispatch("MESSAGE_UPDATE", this.placed(message));
    return ok(this.world.shown(message));
  }

  private placed(message: Message): Json {
    const guild = this.world.channels.get(message.channel_id)?.guild_id;
    return { ...this.world.shown(message), ...(guild && { guild_id: guild }) };
  }

  private remove(channelId: string, id: string): Answer {
    this.world.remove(channelId, id);
    const guild = this.world.channels.get(channelId)?.guild_id;
    this.out.dispatch("MESSAGE_DELETE", {
      id,
      channel_id: channelId,
      ...(guild && { guild_id: guild }),
    });
    return ok();
  }

  private react(message: Message, key: string): Answer | Refused {
    if (!/^\p{Extended_Pictographic}|^\w+:\d+$|^[\p{Emoji}]/u.test(key))
      return refused(400, 10014, "Unknown Emoji");
    let row = message.reactions.find(({ emoji }) => keyOf(emoji) === key);
    if (!row) {
      const [name, id] = key.split(":");
      row = { emoji: { id: id ?? null, name: name! }, users: new Set() };
      message.reactions.push(row);
    }
    row.users.add(this.world.self.id);
    return ok();
  }

  private unreact(message: Message, key: string): Answer | Refused {
    const row = message.reactions.find(({ emoji }) => keyOf(emoji) === key);
    if (!row?.users.delete(this.world.self.id)) return refused(404, 10014, "Unknown Emoji");
    if (!row.users.size) message.reactions.splice(message.reactions.indexOf(row), 1);
    return ok();
  }

  private thread(parentId: string, body: Json, messageId?: string): Answer | Refused {
    const name = String(body["name"] ?? "");
    if (name.length < 1 || name.length > 100) return refused(400, 50035, "Invalid Form Body");
    if (![undefined, 60, 1440, 4320, 10_080].includes(body["auto_archive_duration"] as number))
      return refused(400, 50035, "Invalid Form Body");
    if (messageId && this.world.channels.has(messageId))
      return refused(400, 160_004, "A thread has already been created for this message");
    const parent = this.world.channels.get(parentId)!;
    if (parent.type >= 10 && parent.type <= 12)
      return refused(400, 50024, "Cannot execute action on this channel type");
    if (parent.type === 15 && !isRecord(body["message"]))
      return refused(400, 50035, "Invalid Form Body");
    const thread = this.world.thread(parent, name, this.world.self.id, messageId);
    this.out.dispatch("THREAD_CREATE", { ...thread, newly_created: true });
    return ok(thread);
  }

  private threads = (parentId: string, archived: boolean): Channel[] =>
    [...this.world.channels.values()].filter(
      (each) =>
        each.type === 11 &&
        each.parent_id === parentId &&
        Boolean(each.thread_metadata?.["archived"]) === archived,
    );

  private search(guildId: string, query: URLSearchParams): Answer | Refused {
    const limit = Number(query.get("limit") ?? 25);
    if (!(limit >= 1 && limit <= 25)) return refused(400, 50035, "Invalid Form Body");
    const words = (query.get("content") ?? "").toLowerCase();
    const authors = query.getAll("author_id");
    const channels = query.getAll("channel_id");
    const found = [...this.world.messages.values()]
      .flat()
      .filter(
        (each) =>
          this.world.channels.get(each.channel_id)?.guild_id === guildId &&
          (!channels.length || channels.includes(each.channel_id)) &&
          (!authors.length || authors.includes(each.author.id)) &&
          each.content.toLowerCase().includes(words),
      );
    const rows = found.slice(-limit).reverse();
    return ok({
      total_results: found.length,
      messages: rows.map((each) => [this.world.shown(each)]),
    });
  }

  private register({ body }: Call, applicationId: string): Answer | Refused {
    if (applicationId !== this.world.application.id) return refused(403, 20012, "Not yours");
    const wrong = checkCommands(body);
    if (wrong) return wrong;
    this.world.commands = body as Json[];
    return ok(body);
  }

  private callback(id: string, token: string, body: Json): Answer | Refused {
    const found = this.interactions.get(token);
    if (!found || found.id !== id) return refused(404, 10062, "Unknown interaction");
    if (found.answered !== undefined)
      return refused(400, 40060, "Interaction has already been acknowledged.");
    const type = Number(body["type"]);
    if (![4, 5, 6, 7, 8].includes(type)) return refused(400, 50035, "Invalid Form Body");
    const data = isRecord(body["data"]) ? body["data"] : {};
    const wrong = checkEdit({
      ...(typeof data["content"] === "string" && { content: data["content"] }),
    });
    if (wrong) return wrong;
    found.answered = type;
    found.data = data;
    if (typeof data["content"] === "string") found.texts.push(data["content"]);
    return ok();
  }

  private followUp(token: string, body: Json, original: boolean): Answer | Refused {
    const found = this.interactions.get(token);
    if (!found) return refused(404, 10015, "Unknown Webhook");
    if (found.answered === undefined) return refused(404, 10008, "Unknown Message");
    const wrong = checkEdit(original ? body : { content: body["content"] });
    if (wrong) return wrong;
    found.texts.push(String(body["content"]));
    return ok({
      id: this.world.snowflake(),
      channel_id: found.channelId,
      content: body["content"],
    });
  }
}

const keyOf = (emoji: { id: string | null; name: string }): string =>
  emoji.id ? `${emoji.name}:${emoji.id}` : emoji.name;
