/** Discord: a bot account in servers and direct messages, over discord.js for the connection and the platform's REST API. */
import { AppError, toAppError } from "../../base/errors.ts";
import { background } from "../../base/task.ts";
import { channel, type ChannelAccount, type ChannelContext } from "../channel.ts";
import { actionsFor, permissionsIn } from "./actions.ts";
import { Api, apiRootOf, PLATFORM_API } from "./api.ts";
import {
  intentsOf,
  loadApplication,
  loadSelf,
  missingIntents,
  PORTAL,
  probe,
} from "./application.ts";
import { Buttons } from "./buttons.ts";
import { registerCommands } from "./commands.ts";
import { DiscordConfig } from "./config.ts";
import { tokenRefused } from "./errors.ts";
import { TOKEN_VARIABLE, tokenKey, tokenOf } from "./facts.ts";
import type { Reader } from "./inbound.ts";
import { Intake } from "./intake.ts";
import { Interactions } from "./interactions.ts";
import { Link } from "./link.ts";
import { Sender } from "./outbound.ts";
import { Reception } from "./reception.ts";
import { Rooms } from "./rooms.ts";
import { Threads } from "./threads.ts";
import { handleOf, nameOf, type WireUser } from "./wire.ts";

export default channel({
  id: "discord",
  config: DiscordConfig,
  limits: { text: 2000, lines: 17, caption: 2000 },
  render: "markdown",
  // The key of a message is its nonce, which the platform compares for some minutes.
  idempotent: true,
  async start(outer) {
    const found = tokenOf(outer.config, outer.env, outer.account);
    const key = tokenKey(outer.account);
    if (!found)
      throw new AppError("channel_misconfigured", `Discord has no bot token: ${key} is empty.`, {
        hint: `Set ${key}${outer.account === "default" ? ` or the variable ${TOKEN_VARIABLE}` : ""}.`,
      });
    const root = apiRootOf(outer.config, key.replace(/token$/, "apiRoot"));
    const access = { token: found.token, root, key: found.source === "env" ? TOKEN_VARIABLE : key };
    return new Account(outer, access).methods();
  },
});

type Access = { token: string; root: string; key: string };

/** One bot account, from its start to its end. */
class Account {
  private readonly over = new AbortController();
  private readonly ctx: ChannelContext<DiscordConfig>;
  private readonly api: Api;
  private readonly sender: Sender;
  private readonly rooms: Rooms;
  private readonly threads: Threads;
  private readonly buttons: Buttons;
  private link: Link | undefined;
  private intake: Intake | undefined;
  private me: Promise<WireUser> | undefined;
  private selfId = "";
  private known = false;
  private stopping: Promise<void> | undefined;
  private readonly opened: Promise<void>;

  constructor(
    outer: ChannelContext<DiscordConfig>,
    private readonly access: Access,
  ) {
    const signal = AbortSignal.any([outer.signal, this.over.signal]);
    this.ctx = { ...outer, signal };
    const { log, state } = outer;
    this.api = new Api({
      token: access.token,
      root: access.root,
      tokenKey: access.key,
      log,
      refused: (error) => this.fail(error),
    });
    this.rooms = new Rooms(this.api, () => this.link?.current);
    this.threads = new Threads(this.api, state);
    this.buttons = new Buttons(state, log);
    const { api, rooms, threads, buttons, ctx } = this;
    this.sender = new Sender({
      ctx,
      api,
      buttons,
      threads,
      missing: async (chatId) =>
        (
          await permissionsIn(
            { api, rooms, sender: this.sender, self: () => this.self() },
            { chatId },
          )
        ).missing,
    });
    this.opened = ctx.listen ? this.open() : Promise.resolve();
    background("connecting", this.opened, log);
  }

  methods(): ChannelAccount {
    const { api, rooms, sender, ctx } = this;
    return {
      ...actionsFor({ api, rooms, sender, config: ctx.config, self: () => this.self() }),
      send: (out) => sender.send(out),
      typing: (to) => sender.typing(to),
      probe: (signal) => probe(api, ctx.config, signal),
      stop: () => (this.stopping ??= this.end()),
    };
  }

  private async end(): Promise<void> {
    this.over.abort();
    await Promise.allSettled([this.opened]);
    await this.link?.stop();
    await this.intake?.idle();
    this.api.stop();
  }

  /** Our own id; asked once, and known from the connection before that. */
  private async self(): Promise<string> {
    if (this.selfId) return this.selfId;
    this.me ??= loadSelf(this.api);
    try {
      this.selfId = (await this.me).id;
    } catch (cause) {
      this.me = undefined;
      throw cause;
    }
    return this.selfId;
  }

  private fail(error: AppError): void {
    if (this.ctx.signal.aborted) return;
    this.over.abort();
    this.ctx.status({ connected: false });
    this.ctx.failed(error);
  }

  /** Begins to listen. Everything that can go wrong from here on is in the status. */
  private async open(): Promise<void> {
    const { ctx, api, rooms, threads, buttons, sender, access } = this;
    const intake: Intake = new Intake(ctx, (id) => reception.catchUp(id));
    await intake.load();
    if (ctx.signal.aborted) return;
    this.intake = intake;
    const reader: Reader = {
      ctx,
      api,
      rooms,
      self: () => this.selfId,
      isNew: (id) => intake.lastOf(id) === undefined,
      ...(access.root !== PLATFORM_API && { apiHost: new URL(access.root).host }),
    };
    const interactions = new Interactions({ ...reader, intake, buttons });
    const reception = new Reception({ ...reader, intake, interactions, threads, sender });
    ctx.status({ mode: "socket" });
    this.link = new Link({
      token: access.token,
      root: access.root,
      intents: intentsOf(ctx.config),
      log: ctx.log,
      status: (patch) => ctx.status(patch),
      fatal: (code) => background("explaining a close", this.closed(code), ctx.log),
      starts: async (signal) => {
        const { session_start_limit: limit } = await api.get<{
          session_start_limit: { remaining: number; reset_after: number };
        }>("/gateway/bot", { signal });
        return { remaining: limit.remaining, resetMs: limit.reset_after };
      },
      dispatch: (packet) => {
        if (packet.t === "READY")
          this.ready(packet.d as { user: WireUser; application: { id: string } });
        reception.take(packet);
      },
    });
  }

  private ready({ user, application }: { user: WireUser; application: { id: string } }): void {
    const { ctx } = this;
    this.selfId = user.id;
    const handle = handleOf(user);
    ctx.status({
      self: { id: user.id, name: nameOf(user), ...(handle && { handle }) },
    });
    // Users look for this line in the log.
    if (this.known) return ctx.log.info("connected again", { as: handle });
    this.known = true;
    ctx.log.info(`logged in to discord as ${handle}`, { id: user.id });
    const commands = registerCommands(ctx, this.api, application.id).catch((cause: unknown) => {
      if (ctx.signal.aborted) return;
      const { code, message } = toAppError(cause);
      ctx.log.warn("the menu of commands could not be registered", { code, error: message });
    });
    background("registering commands", commands, ctx.log);
  }

  /** The platform closed the connection for a reason that stays. */
  private async closed(code: number): Promise<void> {
    this.fail(await this.reason(code));
  }

  private async reason(code: number): Promise<AppError> {
    const { key } = this.access;
    if (code === 4004) return tokenRefused(key);
    if (code === 4014 || code === 4013) {
      const missing = await loadApplication(this.api, this.ctx.signal).then(
        (application) => missingIntents(this.ctx.config, application),
        // The message is less exact then, and still says where to look.
        () => [],
      );
      const names = missing.length
        ? missing.join(" and ")
        : "a privileged intent (Message Content Intent)";
      return new AppError(
        "channel_misconfigured",
        `Discord refuses the connection of channels.discord (${code}): the bot has not switched on ${names}.`,
        {
          hint: `Switch it on in the developer portal: ${PORTAL}, your application, Bot, Privileged Gateway Intents. Then restart the channel.`,
        },
      );
    }
    return new AppError(
      "channel_misconfigured",
      `Discord refuses the connection of channels.discord (${code}).`,
      {
        hint:
          code === 4010 || code === 4011
            ? "The bot is in too many servers for one connection. Use a bot of your own."
            : "This version speaks a version of the protocol that Discord has ended. Update.",
      },
    );
  }
}
