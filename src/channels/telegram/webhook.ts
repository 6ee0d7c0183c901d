/**
 * Takes messages that the platform brings: a listener of its own, which answers only when a message is durable. Nothing of a request
 * is read before its secret was compared.
 */
import { timingSafeEqual } from "node:crypto";

import type { Update } from "grammy/types";

import { AppError, errnoOf, toAppError } from "../../base/errors.ts";
import { background } from "../../base/task.ts";
import { pause, systemClock } from "../../base/time.ts";
import type { ChannelContext } from "../channel.ts";
import { type Client, isLoopback } from "./client.ts";
import type { TelegramConfig } from "./config.ts";
import { waitAfter } from "./errors.ts";
import type { Ledger, Offered } from "./intake.ts";
import { ALLOWED_UPDATES } from "./updates.ts";

const SECRET_HEADER = "x-telegram-bot-api-secret-token";
const MOST_BYTES = 1_000_000;
/** How often the platform is asked whether it still brings messages here, in ms. */
const CHECK_MS = 60_000;
/** Keys of the account's state: updates that wait for others that belong to them. */
const PART = "part:";

export type WebhookOptions = {
  client: Client;
  ctx: ChannelContext<TelegramConfig>;
  signal: AbortSignal;
  offer(update: Update): Offered;
};

export class WebhookDoor implements Ledger {
  private readonly parked = new Set<number>();
  private server: Bun.Server<undefined> | undefined;
  private readonly secret: Buffer;

  /** Throws `channel_misconfigured` naming the setting. */
  constructor(private readonly options: WebhookOptions) {
    this.secret = secretOf(options.ctx.config);
  }

  /** Opens the listener. Throws `channel_misconfigured` when its place is taken. */
  listen(): void {
    const { webhookHost: hostname, webhookPort: port, webhookPath } = this.options.ctx.config;
    try {
      this.server = Bun.serve({
        hostname,
        port,
        maxRequestBodySize: MOST_BYTES,
        // A message with a large file is answered when the file is there.
        idleTimeout: 120,
        fetch: (request) => this.answer(request, webhookPath),
        error: () => new Response("failed", { status: 500 }),
      });
    } catch (cause) {
      throw new AppError(
        "channel_misconfigured",
        `The webhook of Telegram cannot listen on ${hostname}:${port} (${errnoOf(cause) ?? "refused"}).`,
        { hint: "Choose another channels.telegram.webhookPort or webhookHost.", cause },
      );
    }
    this.options.ctx.log.info("webhook listens", { address: `${hostname}:${this.server.port}` });
  }

  /** Tells the platform where to bring messages, and looks every minute whether it does. Until the signal ends it. */
  async run(): Promise<void> {
    const { client, ctx, signal } = this.options;
    await this.offerParked();
    const { webhookUrl = "", webhookSecret = "" } = ctx.config;
    let failures = 0;
    let isSet = false;
    while (!signal.aborted) {
      try {
        if (!isSet)
          await client.call("setWebhook", {
            url: webhookUrl,
            secret_token: webhookSecret,
            allowed_updates: ALLOWED_UPDATES,
          });
        isSet = await this.check();
        failures = 0;
        if (isSet && !(await pause(systemClock, CHECK_MS, signal))) break;
      } catch (cause) {
        // The edge of this mode, as in poll.ts.
        const error = toAppError(cause);
        if (signal.aborted || error.code === "channel_misconfigured") break;
        const waitMs = waitAfter(error, ++failures);
        const at = Date.now();
        ctx.status({
          connected: false,
          lastError: [error.message, error.hint].filter(Boolean).join(" "),
          reconnectAttempts: failures,
          lastDisconnect: { at, error: error.message },
        });
        ctx.log.warn("the webhook cannot be set", { error: error.message, waitMs });
        if (!(await pause(systemClock, waitMs, signal))) break;
      }
    }
    ctx.status({ connected: false });
  }

  async stop(): Promise<void> {
    await this.server?.stop(true);
    this.server = undefined;
  }

  /** Where it really listens; for tests with port 0. */
  get port(): number | undefined {
    return this.server?.port;
  }

  state(ids: number[]): Record<string, unknown> | undefined {
    const mine = ids.filter((id) => this.parked.has(id));
    if (mine.length === 0) return undefined;
    return Object.fromEntries(mine.map((id) => [partKey(id), undefined]));
  }

  done(ids: number[]): void {
    for (const id of ids) this.parked.delete(id);
  }

  /** Gives whether the platform still has our address. */
  private async check(): Promise<boolean> {
    const { client, ctx } = this.options;
    const before = Date.now();
    const info = await client.ask("getWebhookInfo");
    const now = Date.now();
    const isOurs = info.url === ctx.config.webhookUrl;
    if (!isOurs) ctx.log.warn("somebody took the webhook away, it is set again");
    const failed = info.last_error_message;
    const isFailing = failed !== undefined && info.pending_update_count > 0;
    ctx.status({
      connected: isOurs && !isFailing,
      roundTripMs: now - before,
      lastEventAt: now,
      lastError: isFailing
        ? `Telegram cannot reach channels.telegram.webhookUrl: ${failed}`
        : undefined,
    });
    return isOurs;
  }

  private async answer(request: Request, path: string): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/healthz" && request.method === "GET") return new Response("ok");
    if (pathname !== path) return new Response("not found", { status: 404 });
    if (request.method !== "POST") return new Response("POST only", { status: 405 });
    if (!this.isSecret(request.headers.get(SECRET_HEADER)))
      return new Response("forbidden", { status: 401 });
    if (Number(request.headers.get("content-length") ?? 0) > MOST_BYTES)
      return new Response("too large", { status: 413 });
    const update = await readUpdate(request);
    if (!update) return new Response("not an update", { status: 400 });
    return this.take(update);
  }

  private async take(update: Update): Promise<Response> {
    const { ctx, offer } = this.options;
    ctx.status({ connected: true, lastEventAt: Date.now() });
    try {
      const { done, gathered } = offer(update);
      // The platform brings the next picture of an album only when this one was answered, so it is kept until all are there.
      if (gathered) await this.park(update, done);
      else await done;
      return new Response("ok");
    } catch (cause) {
      const error = toAppError(cause);
      ctx.log.warn("a message was not taken and will be brought again", { error: error.message });
      return new Response("try again", { status: 500 });
    }
  }

  private async park(update: Update, done: Promise<void>): Promise<void> {
    const { ctx } = this.options;
    this.parked.add(update.update_id);
    // Nobody brings it again once it is answered.
    background(
      "an album",
      done.then(undefined, () => this.later()),
      ctx.log,
    );
    await ctx.state.put({ [partKey(update.update_id)]: update });
  }

  private reoffering = false;

  private async later(): Promise<void> {
    const { signal } = this.options;
    if (this.reoffering || signal.aborted) return;
    this.reoffering = true;
    const isTime = await pause(systemClock, 1_000, signal);
    this.reoffering = false;
    if (isTime) await this.offerParked();
  }

  private async offerParked(): Promise<void> {
    const { ctx, offer } = this.options;
    for (const key of await ctx.state.keys(PART)) {
      const update = await ctx.state.get<Update>(key);
      if (!update) continue;
      this.parked.add(update.update_id);
      const { done } = offer(update);
      background(
        "an album",
        done.then(undefined, () => this.later()),
        ctx.log,
      );
    }
  }

  private isSecret(given: string | null): boolean {
    const bytes = Buffer.from(given ?? "");
    return bytes.length === this.secret.length && timingSafeEqual(bytes, this.secret);
  }
}

/** In the order of the updates. */
const partKey = (id: number): string => `${PART}${String(id).padStart(16, "0")}`;

async function readUpdate(request: Request): Promise<Update | undefined> {
  try {
    const body: unknown = await request.json();
    const isUpdate = typeof body === "object" && body !== null && "update_id" in body;
    return isUpdate && Number.isSafeInteger(body.update_id) ? (body as Update) : undefined;
  } catch {
    // Whoever knows the secret and sends no JSON is told so.
    return undefined;
  }
}

function secretOf({ webhookUrl = "", webhookSecret = "" }: TelegramConfig): Buffer {
  const url = URL.parse(webhookUrl);
  if (!url || (url.protocol !== "https:" && !isLoopback(url.hostname)))
    throw new AppError(
      "channel_misconfigured",
      "channels.telegram.webhookUrl must be an address that begins with https://.",
      { hint: "Take it out to fetch messages instead: that needs no address of your own." },
    );
  if (!/^[\w-]{1,256}$/.test(webhookSecret))
    throw new AppError(
      "channel_misconfigured",
      webhookSecret
        ? "channels.telegram.webhookSecret may only have letters, digits, _ and -, at most 256."
        : "channels.telegram.webhookUrl needs channels.telegram.webhookSecret beside it.",
      { hint: "Any long random word does, as `clawdbot token generate` prints one." },
    );
  return Buffer.from(webhookSecret);
}
