/** A running account: what starts, what goes on behind it, and how all of it ends. */
import { AppError, toAppError } from "../../base/errors.ts";
import { background } from "../../base/task.ts";
import { pause, systemClock } from "../../base/time.ts";
import type { Address, Outbound, Receipt } from "../../flow.ts";
import type { ChannelAccount, ChannelContext } from "../channel.ts";
import { actionsOf } from "./actions.ts";
import { Buttons } from "./buttons.ts";
import { Client } from "./client.ts";
import type { TelegramConfig } from "./config.ts";
import { waitAfter } from "./errors.ts";
import { Intake, type Ledger } from "./intake.ts";
import { setMenu } from "./menu.ts";
import { OFFSET } from "./offset.ts";
import { send } from "./outbound.ts";
import { Poller } from "./poll.ts";
import { probe } from "./probe.ts";
import { chatOf, type Sender, SentLately } from "./sending.ts";
import type { Self } from "./text.ts";
import { NEW_TOKEN, tokenOf } from "./token.ts";
import { readUpdates } from "./updates.ts";
import { WebhookDoor } from "./webhook.ts";

/** What is being sent when the account ends may take this long, in ms. */
const LAST_SENDS_MS = 3_000;

export function startAccount(ctx: ChannelContext<TelegramConfig>): ChannelAccount {
  const { config } = ctx;
  const token = tokenOf(config, ctx.account, ctx.env);
  if (!token.token)
    throw new AppError(
      "channel_misconfigured",
      token.problem ?? `There is no bot token: ${token.setting} is empty.`,
      { hint: token.problem ? undefined : NEW_TOKEN },
    );
  const calls = new AbortController();
  const listening = new AbortController();
  const client = new Client({
    config,
    token: token.token,
    setting: token.setting,
    signal: calls.signal,
    refused(error) {
      ctx.status({ connected: false, lastError: error.message });
      ctx.failed(error);
    },
  });
  const sent = new SentLately();
  const buttons = new Buttons(ctx.state);
  const by: Sender = { client, ctx, buttons, sent, progress: new Map() };
  const signal = AbortSignal.any([ctx.signal, listening.signal]);
  const door = ctx.listen && config.webhookUrl ? webhook(ctx, client, signal) : undefined;
  const life = ctx.listen
    ? listen({ ctx, client, buttons, sent, signal, door })
    : Promise.resolve();
  // Nothing in there throws but the store; without it the account has to be started again.
  background(
    "telegram",
    life.then(undefined, (cause) => ctx.failed(toAppError(cause))),
    ctx.log,
  );

  const sending = new Set<Promise<unknown>>();
  const tracked = <T>(work: Promise<T>): Promise<T> => {
    const entry: Promise<unknown> = work.then(
      () => sending.delete(entry),
      () => sending.delete(entry),
    );
    sending.add(entry);
    return work;
  };
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    listening.abort();
    const late = new AbortController();
    const timeUp = pause(systemClock, LAST_SENDS_MS, late.signal);
    await Promise.race([Promise.allSettled(sending), timeUp]);
    late.abort();
    calls.abort();
    await Promise.allSettled([life, ...sending]);
  };
  return {
    ...actionsOf(by),
    send: (out: Outbound): Promise<Receipt> => tracked(send(out, by)),
    async typing(to: Address) {
      const { threadId } = to;
      await client.call("sendChatAction", {
        chat_id: chatOf(to),
        action: "typing",
        // Here the number of General has to be said.
        ...(threadId && { message_thread_id: Number(threadId) }),
      });
    },
    probe: (ending) => probe(client, config, ending),
    stop: () => (stopping ??= stop()),
  };
}

type Listening = {
  ctx: ChannelContext<TelegramConfig>;
  client: Client;
  buttons: Buttons;
  sent: SentLately;
  signal: AbortSignal;
  door: ReturnType<typeof webhook> | undefined;
};

/** The listener is opened at once, so that a port that is taken is told at the start. */
function webhook(ctx: ChannelContext<TelegramConfig>, client: Client, signal: AbortSignal) {
  // Nothing is offered before it is known who we are.
  const intake = Promise.withResolvers<Intake>();
  const opened = { current: undefined as Intake | undefined };
  const hook = new WebhookDoor({
    client,
    ctx,
    signal,
    offer(update) {
      if (opened.current) return opened.current.offer(update);
      const done = intake.promise.then((it) => it.offer(update).done);
      return { done, gathered: false };
    },
  });
  hook.listen();
  return {
    hook,
    open(it: Intake) {
      opened.current = it;
      intake.resolve(it);
    },
    async close() {
      intake.reject(new AppError("busy", "This account is being stopped."));
      // Nobody may have waited for it.
      await Promise.allSettled([intake.promise]);
    },
  };
}

/** Until the signal ends it. */
async function listen({ ctx, client, buttons, sent, signal, door }: Listening): Promise<void> {
  const self = await whoAreWe(ctx, client, signal, door ? "webhook" : "polling");
  if (self) {
    // A convenience: without it everything can still be typed.
    const menu = withRetries(ctx, signal, MENU, () => setMenu(client, self.id, ctx));
    const here = { account: ctx.account, self };
    const read = { client, ctx: { ...ctx, signal }, here, buttons, sent };
    const intakeFor = (ledger: Ledger) =>
      new Intake({
        ledger,
        read: (updates) => readUpdates(updates, read),
        receive: (inbound, state) => ctx.receive(inbound, state),
        put: (state) => ctx.state.put(state),
        log: ctx.log,
      });
    if (door) {
      const intake = intakeFor(door.hook);
      door.open(intake);
      await door.hook.run();
      await intake.stop();
    } else await fetchMessages(ctx, client, signal, intakeFor);
    await menu;
  }
  await door?.close();
  await door?.hook.stop();
}

async function fetchMessages(
  ctx: ChannelContext<TelegramConfig>,
  client: Client,
  signal: AbortSignal,
  intakeFor: (ledger: Ledger) => Intake,
): Promise<void> {
  const poller: Poller = new Poller({
    client,
    signal,
    log: ctx.log,
    offset: await ctx.state.get<number>(OFFSET),
    offer: (update) => intake.offer(update),
    status: (patch) => ctx.status(patch),
  });
  const intake = intakeFor(poller);
  await withRetries(ctx, signal, REACH, async () => {
    const { url } = await client.ask("getWebhookInfo");
    if (!url) return;
    ctx.log.info("a webhook was set for this bot; it is removed, since messages are fetched");
    await client.call("deleteWebhook", {});
  });
  await poller.run();
  await intake.stop();
}

/** Asks the platform until it answers; undefined when the account ended before. */
async function whoAreWe(
  ctx: ChannelContext<TelegramConfig>,
  client: Client,
  signal: AbortSignal,
  mode: "polling" | "webhook",
): Promise<Self | undefined> {
  return withRetries(ctx, signal, REACH, async () => {
    const before = Date.now();
    const me = await client.ask("getMe", { signal });
    const now = Date.now();
    ctx.log.info(`starting provider (@${me.username})`, { mode });
    ctx.status({
      mode,
      self: { id: String(me.id), name: me.first_name, handle: me.username },
      roundTripMs: now - before,
      lastEventAt: now,
    });
    return { id: me.id, username: me.username };
  });
}

/** `optional`: a refusal is the end of it, and the status stays as it is. */
type Attempt = { trouble: string; optional?: true };
const REACH: Attempt = { trouble: "Telegram cannot be reached yet" };
const MENU: Attempt = { trouble: "the menu of commands cannot be set", optional: true };

/** Until it succeeds, the account ends, or the token is refused. */
async function withRetries<T>(
  ctx: ChannelContext<TelegramConfig>,
  signal: AbortSignal,
  { trouble, optional }: Attempt,
  run: () => Promise<T>,
): Promise<T | undefined> {
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      return await run();
    } catch (cause) {
      // The edge of the start, as in poll.ts.
      const error = toAppError(cause);
      if (error.code === "channel_misconfigured") return undefined;
      const waitMs = waitAfter(error, failures);
      ctx.log.warn(trouble, { error: error.message, waitMs });
      if (optional && error.code === "channel_rejected") return undefined;
      if (!optional) ctx.status({ lastError: error.message, reconnectAttempts: failures });
      if (!(await pause(systemClock, waitMs, signal))) return undefined;
    }
  }
  return undefined;
}
