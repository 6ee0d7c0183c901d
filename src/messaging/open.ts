/**
 * Everything between the chat networks and the agent, put together: accounts, router with its commands, pipeline, delivery.
 * Called by app.ts once per start; what the gateway's methods need of it is in `port`.
 */
import { join } from "node:path";

import type { Conversations } from "../agent/conversation.ts";
import type { Models } from "../agent/models.ts";
import type { TurnSetting } from "../agent/setting.ts";
import { agentSettings } from "../agent/settings.ts";
import { PRODUCT } from "../base/brand.ts";
import type { Closers } from "../base/closers.ts";
import type { Logging } from "../base/logging.ts";
import type { Paths } from "../base/paths.ts";
import { background } from "../base/task.ts";
import type { Clock } from "../base/time.ts";
import { Accounts } from "../channels/accounts.ts";
import type { ActingPorts } from "../channels/action-table.ts";
import { OPERATOR_CHANNEL } from "../channels/operators.ts";
import { type NetworkId, NETWORKS, PARTS } from "../channels/registry.ts";
import type { ConfigHandle } from "../config/handle.ts";
import { render } from "../delivery/format/render.ts";
import { Live } from "../delivery/live.ts";
import { Delivery } from "../delivery/outbox.ts";
import type { OutgoingMedia } from "../delivery/sending.ts";
import { CAUTIOUS } from "../delivery/target.ts";
import type { Inbound, SessionKey, TurnEvent } from "../flow.ts";
import { MediaStore } from "../media/store.ts";
import { Pipeline } from "../pipeline.ts";
import { menuFor, slashCommands } from "../router/commands/registry.ts";
import { Router } from "../router/router.ts";
import { Spending } from "../router/spending.ts";
import { type ActiveRun, stopTurns } from "../sessions/desk.ts";
import { Lanes } from "../sessions/lanes.ts";
import { leaveOut } from "../sessions/overflow.ts";
import { accountScope, accountState } from "../store/account-state.ts";
import type { Store, TurnRow } from "../store/store.ts";
import { commandPorts } from "./commands.ts";
import { ackFor, liveSettings, runOf } from "./live.ts";
import { moveChat } from "./moved.ts";
import { pairingDesk } from "./pairing.ts";
import { Policy } from "./policy.ts";
import { messagingPort } from "./port.ts";
import { messagesOf, type ReachDeps } from "./reach.ts";
import { fileSecrets } from "./secrets.ts";
import { deliveryTarget } from "./targets.ts";

export type MessagingDeps = {
  config: ConfigHandle;
  paths: Paths;
  store: Store;
  clock: Clock;
  logging: Logging;
  media: MediaStore;
  outgoing: OutgoingMedia;
  models: Models;
  conversations: Conversations;
  /** False: the networks stay off. */
  listen: boolean;
  /** Says something in an operator's session. */
  say(key: SessionKey, text: string): Promise<string | undefined>;
  watch(run: ActiveRun, event: TurnEvent): void;
  /** Who may be let in, and how accounts are, for those who watch. */
  pairing(state: "requested" | "resolved", who: Person): void;
  accountChanged(channel: string, account: string): void;
  restart(reason: string): void;
};

export type Person = { channel: string; account: string; sender: string };
export type Messaging = ReturnType<typeof openMessaging>;

/** How long unfinished turns wait for the networks, in ms. */
const START_MS = 2_000;
const PRODUCT_WORD = PRODUCT.charAt(0).toUpperCase() + PRODUCT.slice(1);

export function openMessaging(deps: MessagingDeps, closers: Closers) {
  const { config, paths, store, clock, logging, media, models, conversations } = deps;
  const log = logging.logger("channels");
  const current = () => config.current();
  const learnSecrets = () => {
    for (const secret of fileSecrets(current().channels, paths.home)) logging.redact.add(secret);
  };

  const accounts = new Accounts({
    clock,
    log,
    listen: deps.listen,
    section: (id) => sectionOf(id, config),
    env: (name) => config.env().raw(name),
    receive: (inbound, entries) =>
      pipeline.receive(inbound, entries && { scope: scopeOf(inbound), entries }),
    wants: (inbound) => router.wants(inbound),
    say: (key, text) => deps.say(key as SessionKey, text),
    state: (channel, account) => accountState(store.kv, channel, account),
    media: {
      save: (data, about) => media.save("inbound", data, about),
      open: (ref) => media.open(ref),
    },
    legacyDir: (channel, account) => join(paths.stateDir, "credentials", channel, account),
    commands(channel, section) {
      const own = (section as { commands?: { native?: boolean | "auto" } }).commands?.native;
      return menuFor(current().commands, own, NETWORKS[channel].menu);
    },
    changed(channel, account, { running }) {
      // What waited for the account goes now.
      if (running) background("delivery", delivery.resume({ channel, account }), log);
      deps.accountChanged(channel, account);
    },
    moved: (where, from, to) => moveChat({ config, store, log }, where, from, to),
  });
  closers.add("channels", () => accounts.stop());
  const policy = new Policy(current, accounts);

  const delivery = new Delivery({
    store,
    clock,
    log: logging.logger("delivery"),
    target: (to) => deliveryTarget(to, policy, accounts),
    send: (out) => accounts.send(out),
    media: deps.outgoing,
    redact: (text) => logging.redact.known(text),
  });
  closers.add("delivery", () => delivery.stop());

  const live = new Live({
    store,
    clock,
    log: logging.logger("delivery"),
    delivery,
    account: (to) => accounts.account(to),
    settings: (run) => liveSettings(run, current(), policy, paths),
    redact: (text) => logging.redact.known(text),
  });
  closers.add("live", () => live.stop());

  const pairing = pairingDesk({
    store,
    clock,
    log: logging.logger("access"),
    product: PRODUCT_WORD,
    chatOf: (row) => policy.personChat(row),
    changed: () => router.reload(),
    resolved: (who) => deps.pairing("resolved", who),
    wake: () => delivery.wake(),
  });
  const acting: ActingPorts = {
    account: (at) => accounts.account(at),
    running: () => accounts.all(),
    switches: (at) => policy.section<{ actions: Record<string, unknown> }>(at).actions ?? {},
    send: (out) => delivery.send(out),
    render: (to, markdown) => {
      const { render: kind, tables } = deliveryTarget(to, policy, accounts) ?? CAUTIOUS;
      // What replaces a message does not pass the outbox, which masks secrets.
      const safe = logging.redact.known(markdown);
      return { text: render(kind, safe, { tables }), plain: render("plain", safe, { tables }) };
    },
    newKey: () => crypto.randomUUID(),
  };
  const reach: ReachDeps = {
    config: current,
    store,
    accounts,
    policy,
    pairing,
    media,
    act: async (name, to, params) =>
      (await PARTS.acting()).act(acting, name, to, masked(params, logging.redact.known)),
  };

  const commands = slashCommands(
    commandPorts({
      ...{ config, paths, store, clock, models, accounts, policy, pairing },
      desk: () => pipeline.desk,
      stop: (key) => stopTurns(pipeline.desk, store, clock.now(), key),
      restart: deps.restart,
    }),
  );
  const spending = new Spending({ kv: store.kv, clock, log: logging.logger("router") });
  const router: Router = new Router({
    store,
    spending,
    clock,
    log: logging.logger("router"),
    operatorChannel: OPERATOR_CHANNEL,
    product: PRODUCT_WORD,
    requested: (who) => deps.pairing("requested", who),
    cli: paths.profile ? `${PRODUCT} --profile ${paths.profile}` : PRODUCT,
    config: () => policy.router(),
    rules: (inbound) => policy.rules(inbound),
    senderId: (channel, entry) => policy.senderId(channel, entry),
    idLine: (channel, id) => policy.idLine(channel, id),
    commands,
  });
  const pipeline: Pipeline = new Pipeline({
    store,
    delivery,
    clock,
    log: logging.logger("pipeline"),
    lanes: new Lanes(() => current().agents.defaults.maxConcurrent),
    // An operator's client names the run itself, so that it can ask for it.
    runIdFor: ({ from, id }) => (from.channel === OPERATOR_CHANNEL ? id : crypto.randomUUID()),
    decide: (inbound) => router.decide(inbound),
    // Each message by itself where people have tools of their own: in one turn they would share those of the first.
    mode: (turn) => (policy.hasOwnTools(turn.inbound) ? "followup" : policy.mode(turn)),
    debounceMs: (inbound) => policy.debounceMs(inbound),
    note: (key, text) => conversations.note(key, text),
    entries: (turns, resumed) => conversations.entries(turns, resumed),
    agent: (turn, row) => conversations.run(turn, row),
    cap: () => current().messages.queue.cap,
    overflow: (waiting, newest) =>
      leaveOut({ desk: pipeline.desk, store, clock }, waiting, newest, {
        drop: current().messages.queue.drop,
        note: (key, text) => conversations.note(key, text),
      }).then(() => delivery.wake()),
    accepted: (turn, { gate }) => {
      const { id: runId, agentId, reply, inbound } = turn;
      const emoji = agentSettings(current().agents, agentId, paths).entry?.identity?.emoji;
      const ack = ackFor(inbound, gate, current(), policy, emoji);
      live.accepted({ runId, agentId, reply, inbound, ...(ack && { ack }) });
    },
    outgoing: (run, end) => live.finalRows(runOf(run), end),
    watch(run, event) {
      live.watch(runOf(run), event);
      if (event.type === "end" && run.turn.trust !== "owner")
        spending.add(run.turn.inbound, event.usage);
      deps.watch(run, event);
    },
  });

  const port = messagingPort({
    ...{ accounts, delivery, pairing, acting, config, clock, log },
    state: (channel, account) => accountState(store.kv, channel, account),
  });
  closers.add("sign-ins", () => port.logins.close());
  let starting: Promise<void> | undefined;
  let resumed: Promise<void> | undefined;
  return {
    accounts,
    delivery,
    pipeline,
    port,
    setting: (accepted: TurnRow): TurnSetting => {
      const turn = { ...accepted, trust: router.trustNow(accepted.inbound, accepted.trust) };
      const messages = messagesOf(reach, turn);
      return { ...policy.setting(turn), ...(messages && { messages }) };
    },
    /** The operators' channel, who was let in, and what an earlier process left undone. Gives the number of turns that go on. */
    async recover(): Promise<number> {
      learnSecrets();
      await accounts.startOperators();
      await router.reload();
      await spending.load();
      const ready = Promise.withResolvers<void>();
      const turns = await pipeline.recover(ready.promise);
      // With the networks there an interrupted answer goes on as it began; one that hangs holds nobody back for long.
      starting = accounts.apply();
      resumed = (async () => {
        try {
          await Promise.race([starting, clock.sleep(START_MS)]);
          await live.recover();
        } finally {
          ready.resolve();
        }
      })();
      return turns;
    },
    /** Resolves when every network has begun; then what is left in the outbox for them goes on. */
    async started(): Promise<void> {
      await resumed;
      await starting;
      await delivery.recover();
    },
    /** Takes over what the config says now. */
    apply(): void {
      learnSecrets();
      background("applying the channels' config", accounts.apply(), log);
    },
  };
}

/**
 * Every text of an action without the secrets that the program knows: the question of a poll, a button's label, the name of a
 * thread do not pass the outbox. What is in the media store stays as it is.
 */
function masked(
  params: Readonly<Record<string, unknown>>,
  redact: (text: string) => string,
): Record<string, unknown> {
  const each = (value: unknown): unknown => {
    if (typeof value === "string") return redact(value);
    if (Array.isArray(value)) return value.map(each);
    if (typeof value !== "object" || value === null || "kind" in value) return value;
    return masked(value as Record<string, unknown>, redact);
  };
  return Object.fromEntries(Object.entries(params).map(([key, value]) => [key, each(value)]));
}

/** A network's section as the config has it, with what belongs to it at the root. */
function sectionOf(id: NetworkId, config: ConfigHandle): unknown {
  const now = config.current();
  const section = now.channels[id];
  const row = NETWORKS[id];
  return section && "root" in row ? { ...section, [row.root]: now[row.root] } : section;
}

const scopeOf = ({ from }: Inbound): string => accountScope(from.channel, from.account);
