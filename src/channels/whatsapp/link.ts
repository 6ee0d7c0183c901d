/**
 * The connection of one linked account, kept up: one socket at a time, watched by the frames that arrive and not by what people
 * write, opened again after pauses that grow, and told apart by why it ended.
 */
import { randomInt } from "node:crypto";

import type { GroupMetadata, WASocket } from "@whiskeysockets/baileys";

import { AppError } from "../../base/errors.ts";
import { background } from "../../base/task.ts";
import { pause, systemClock } from "../../base/time.ts";
import type { ChannelContext } from "../channel.ts";
import type { Acks } from "./acks.ts";
import { WebConfig, type WhatsappConfig } from "./config.ts";
import type { Groups } from "./groups.ts";
import { Inbox } from "./inbox.ts";
import type { Intake } from "./intake.ts";
import { personId } from "./jid.ts";
import { CLOSED_BY_US, type Ending, endingOf, notLinked } from "./reasons.ts";
import type { Recent } from "./recent.ts";
import type { Sent } from "./sent.ts";
import { connect, type Connection, keepAliveFor, type Place } from "./socket.ts";
import type { Vault } from "./vault.ts";

export type LinkDeps = {
  ctx: ChannelContext<WhatsappConfig>;
  place: Place;
  vault: Vault;
  intake: Intake;
  recent: Recent;
  sent: Sent;
  groups: Groups;
  acks: Acks;
};

const READY_MS = 20_000;

/** One socket, from its beginning to its end. */
type Live = { connection: Connection; openedAt?: number; lastFrameAt: number };

export class Link {
  private live: Live | undefined;
  private readonly waiting = new Set<(live: Live | undefined) => void>();
  private readonly web: WebConfig;
  private life: Promise<void> | undefined;

  constructor(private readonly deps: LinkDeps) {
    this.web = deps.ctx.config.web ?? WebConfig.parse({});
  }

  start(): void {
    this.life = this.keepUp();
    background("the WhatsApp connection", this.life, this.deps.ctx.log);
  }

  /** Resolves when it has ended, which the signal of the account brings about. */
  async ended(): Promise<void> {
    await this.life;
  }

  /** The socket when it is signed in; waits for it. Throws `channel_unreachable`. */
  async ready(limitMs = READY_MS): Promise<WASocket> {
    const live = this.live?.openedAt ? this.live : await this.opening(limitMs);
    if (live) return live.connection.sock;
    throw new AppError("channel_unreachable", "WhatsApp is not connected.", {
      hint: "`clawdbot channels status` shows why.",
    });
  }

  /** The socket, if it is signed in now. */
  get sock(): WASocket | undefined {
    return this.live?.openedAt ? this.live.connection.sock : undefined;
  }

  async group(jid: string): Promise<GroupMetadata | undefined> {
    try {
      const sock = await this.ready();
      return await this.deps.groups.get(jid, sock.groupMetadata);
    } catch (cause) {
      // Its name and members are worth having, and not worth losing a message for.
      this.deps.ctx.log.debug("nothing is known of a group", { error: String(cause) });
      return undefined;
    }
  }

  private opening(limitMs: number): Promise<Live | undefined> {
    if (this.deps.ctx.signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const end = (live: Live | undefined): void => {
        clearTimeout(timer);
        this.waiting.delete(end);
        resolve(live);
      };
      const timer = setTimeout(() => end(undefined), limitMs);
      this.waiting.add(end);
    });
  }

  private tell(live: Live | undefined): void {
    for (const end of [...this.waiting]) end(live);
  }

  private async keepUp(): Promise<void> {
    const { ctx } = this.deps;
    const { signal } = ctx;
    try {
      for (let tries = 0; !signal.aborted;) {
        const { ending, uptimeMs } = await this.once();
        if (signal.aborted) return;
        if (uptimeMs > this.web.heartbeatSeconds * 1000) tries = 0;
        this.report(ending, tries);
        if (ending.next === "never") return await this.loggedOut();
        // It says nothing about the connection, and happens once after linking.
        if (ending.next === "now" && tries === 0) {
          tries = 1;
          continue;
        }
        tries += 1;
        const { maxAttempts } = this.web.reconnect;
        if (maxAttempts > 0 && tries > maxAttempts)
          return ctx.failed(
            new AppError(
              "channel_unreachable",
              `${ending.text} ${maxAttempts} attempts in a row failed.`,
            ),
          );
        const waitMs = this.pauseFor(ending, tries);
        ctx.status({ reconnectAttempts: tries });
        ctx.log.info("connecting again", { waitMs, attempt: tries });
        await pause(systemClock, waitMs, signal);
      }
    } finally {
      this.tell(undefined);
    }
  }

  /** One connection until it ends; never throws. */
  private async once(): Promise<{ ending: Ending; uptimeMs: number }> {
    const { ctx, vault, place, sent, groups, acks, intake, recent } = this.deps;
    const { signal } = ctx;
    const keepAliveMs = keepAliveFor(this.web.heartbeatSeconds);
    const connection = connect({
      ...{ vault, place, keepAliveMs, log: ctx.log },
      sent: async ({ id }) => (id ? (await sent.find(id))?.message : undefined),
      group: (jid) => groups.fresh(jid),
    });
    const { sock } = connection;
    // With every connection the clock of silence starts anew.
    const live: Live = { connection, lastFrameAt: Date.now() };
    this.live = live;
    const inbox = ctx.listen
      ? new Inbox({ connection, vault, intake, recent, log: ctx.log })
      : undefined;
    const left = Promise.withResolvers<Ending>();
    sock.ws.on("frame", () => {
      live.lastFrameAt = Date.now();
    });
    sock.ws.on("CB:ack,class:message", (node) => acks.settle(node));
    // What waited for us comes at once, before the library has set everything up and says `open`.
    sock.ws.on("CB:success", () => this.signedIn());
    sock.ev.on("connection.update", ({ connection: state }) => {
      if (state === "open") this.opened(live);
    });
    sock.ev.on("groups.update", (rows) => rows.forEach(({ id }) => id && groups.forget(id)));
    sock.ev.on("group-participants.update", ({ id }) => groups.forget(id));
    const silence = setInterval(
      () => {
        if (Date.now() - live.lastFrameAt > 2 * keepAliveMs)
          left.resolve(endingOf({ output: { statusCode: CLOSED_BY_US } }));
      },
      Math.ceil(keepAliveMs / 2),
    );
    const heartbeat = setInterval(
      () => background("the heartbeat of WhatsApp", this.beat(live), ctx.log),
      this.web.heartbeatSeconds * 1000,
    );
    const stop = (): void => left.resolve(endingOf(undefined));
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const ending = await Promise.race([connection.ended, left.promise]);
    signal.removeEventListener("abort", stop);
    clearInterval(silence);
    clearInterval(heartbeat);
    this.live = undefined;
    acks.fail(new AppError("channel_unreachable", ending.text));
    connection.drop();
    await inbox?.close();
    await vault.settled();
    return { ending, uptimeMs: live.openedAt ? Date.now() - live.openedAt : 0 };
  }

  private signedIn(): void {
    const { ctx, vault } = this.deps;
    const now = Date.now();
    const { me } = vault.creds;
    const id = personId(me?.id ?? "") ?? me?.id ?? "";
    ctx.status({
      connected: true,
      linked: true,
      mode: "socket",
      self: { id, ...(me?.name && me.name !== "~" && { name: me.name }) },
      lastConnectedAt: now,
      lastEventAt: now,
      reconnectAttempts: 0,
      lastError: undefined,
    });
    ctx.log.info("connected", { as: id });
  }

  private opened(live: Live): void {
    const { ctx } = this.deps;
    live.openedAt = Date.now();
    if (ctx.listen) ctx.log.info("Listening for personal WhatsApp inbound messages.");
    this.tell(live);
  }

  private async beat(live: Live): Promise<void> {
    if (!live.openedAt) return;
    const { ctx } = this.deps;
    const roundTripMs = await roundTrip(live.connection.sock);
    if (roundTripMs === undefined || this.live !== live) return;
    ctx.status({ roundTripMs, lastEventAt: live.lastFrameAt });
    ctx.log.debug("heartbeat", { roundTripMs, upMs: Date.now() - live.openedAt });
  }

  private report(ending: Ending, tries: number): void {
    const { ctx } = this.deps;
    const { status, text, next } = ending;
    ctx.status({
      connected: false,
      lastDisconnect: {
        at: Date.now(),
        status,
        error: text,
        ...(next === "never" && { loggedOut: true }),
      },
      // A new connection that was asked for is no problem.
      ...(next !== "now" && { lastError: text }),
    });
    const log = next === "again" && tries === 0 ? "info" : next === "now" ? "info" : "warn";
    ctx.log[log]("disconnected", { status, reason: text });
  }

  /** The link is worth nothing any more; what it protected is. */
  private async loggedOut(): Promise<void> {
    const { ctx } = this.deps;
    await ctx.state.put({ creds: undefined });
    ctx.status({ linked: false });
    ctx.failed(
      notLinked(
        "WhatsApp has logged this device out: the link was removed on the phone.",
        ctx.account,
      ),
    );
  }

  private pauseFor({ next }: Ending, tries: number): number {
    const { initialMs, maxMs, factor, jitter } = this.web.reconnect;
    const longest = Math.max(initialMs, maxMs);
    const ms = next === "slow" ? longest : Math.min(longest, initialMs * factor ** (tries - 1));
    return Math.round(ms * (1 + (jitter * randomInt(1000)) / 1000));
  }
}

/** In ms; undefined when nobody answered. */
export async function roundTrip(sock: WASocket): Promise<number | undefined> {
  const begun = performance.now();
  try {
    const answer = await sock.query({
      tag: "iq",
      attrs: { to: "@s.whatsapp.net", type: "get", xmlns: "w:p" },
      content: [{ tag: "ping", attrs: {} }],
    });
    return answer ? Math.round(performance.now() - begun) : undefined;
  } catch {
    return undefined;
  }
}
