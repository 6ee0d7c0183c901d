/**
 * One conversation at a time over a connection that comes back by itself: what was said, what is being said, what waits to be sent. Knows
 * nothing of screens; chat.ts and plain.ts show it.
 */
import { VERSION } from "../../../base/brand.ts";
import { AppError } from "../../../base/errors.ts";
import type { Methods } from "../../../gateway/methods/index.ts";
import type { ClientState, Hello } from "../../../protocol/client.ts";
import { RpcClient, RpcError } from "../../../protocol/client.ts";
import type { EventFrame } from "../../../protocol/frames.ts";
import { canonicalKey, parseKey } from "../../../protocol/session-key.ts";
import type { Target } from "../../rpc.ts";
import type { SlashCommand } from "../input/complete.ts";
import { blocksOf } from "../screen/blocks.ts";
import type { Item } from "../screen/items.ts";
import { Feed, olderItems } from "./feed.ts";
import { Outbox } from "./outbox.ts";
import type { AgentEvent, ChatEvent, History } from "./wire.ts";

export type TalkOptions = {
  target: Target;
  /** As it was typed; undefined is the main session of the default agent. */
  session: string | undefined;
  thinking: string | undefined;
  /** Longest time of a run, in ms. */
  timeoutMs: number | undefined;
  /** Messages that are shown of what was said before, 1 to 1000. */
  historyLimit: number;
  /** Something is new: look at everything again. */
  changed(): void;
  /** It cannot go on. */
  failed(error: AppError): void;
  /** A message that was not taken; the person may want to change it. */
  giveBack(text: string): void;
};

/** What the status line shows of the session. */
export type Info = { label?: string; model?: string; tokens?: number; window?: number };

/** Largest page of sessions that is listed to choose from. */
const LISTED = 200;

export class Talk {
  private readonly client: RpcClient<Methods>;
  private readonly outbox: Outbox;
  private feed = new Feed(Date.now);
  private readonly own: Item[] = [];
  private loading: Promise<void> | undefined;
  private again = false;
  private nextBefore: number | undefined;
  private hello: Hello | undefined;
  private readonly withdrawn = new Set<string>();
  /** Canonical, from the first hello on. */
  key = "";
  info: Info = {};
  commands: SlashCommand[] = [];

  constructor(private readonly options: TalkOptions) {
    this.outbox = new Outbox({
      send: (row) =>
        this.client.call("chat.send", {
          sessionKey: row.sessionKey,
          message: row.text,
          idempotencyKey: row.key,
          ...(options.thinking && { thinking: options.thinking }),
          ...(options.timeoutMs && { timeoutMs: options.timeoutMs }),
        }),
      connected: () => this.state.kind === "connected",
      changed: () => options.changed(),
      refused: (row, error) => {
        this.say(`The message was not taken: ${error.message}`, "error", error.hint);
        options.giveBack(row.text);
      },
      answered: (row) => {
        if (row.sessionKey === this.key) this.reload();
      },
    });
    this.client = new RpcClient<Methods>({
      url: options.target.url,
      client: {
        id: "gateway-client",
        displayName: "clawdbot-tui",
        version: VERSION,
        platform: process.platform,
        mode: "ui",
        instanceId: crypto.randomUUID(),
      },
      auth: () => options.target.auth,
      reconnect: true,
      onEvent: (event) => this.event(event),
      onState: (state) => this.entered(state),
    });
  }

  get state(): ClientState {
    return this.client.state;
  }

  get agentId(): string {
    return parseKey(this.key)?.agentId ?? this.hello?.snapshot.sessionDefaults.defaultAgentId ?? "";
  }

  /** Resolves when the conversation is there. */
  async start(): Promise<void> {
    await this.client.connect();
    await this.loading;
  }

  /** Tries the connection again at once instead of waiting. */
  retry(): void {
    if (this.state.kind === "waiting") this.client.retryNow();
  }

  close(): void {
    this.outbox.close();
    this.client.close();
  }

  /** Entries for the transcript that came since the last call. */
  take(): Item[] {
    return [...this.feed.take(), ...this.own.splice(0)];
  }

  get now() {
    return this.feed.current();
  }

  /** What was typed and does not stand in the transcript yet. */
  get pending() {
    return this.outbox.of(this.key);
  }

  /** What the gateway has never taken. */
  get unsent() {
    return this.outbox.waiting;
  }

  /** Something of our own between the entries. */
  say(text: string, level: "info" | "error" = "info", hint?: string): void {
    this.own.push({ kind: "note", level, text, ...(hint ? { hint } : {}) });
    this.options.changed();
  }

  /** Markdown of our own between the entries. */
  explain(text: string): void {
    blocksOf(text).forEach((block, i) => this.own.push({ kind: "text", block, start: i === 0 }));
    this.options.changed();
  }

  send(text: string): void {
    this.outbox.post(this.key, text);
    this.options.changed();
  }

  /** Stops what runs and what waits behind it. @returns false when there is nothing to stop */
  stop(): boolean {
    const mine = this.pending;
    if (!this.feed.running && mine.length === 0) return false;
    for (const row of mine.filter(({ state }) => state === "waiting")) {
      this.outbox.discard(row.key);
      this.options.giveBack(row.text);
    }
    if (this.state.kind === "connected")
      this.tell(
        this.client.call("chat.abort", { sessionKey: this.key }).then(({ runIds }) => {
          for (const id of runIds) this.withdrawn.add(id);
          this.reload();
        }),
      );
    return true;
  }

  /** Turns to another session. Throws `bad_request` for what can be none. */
  async turnTo(text: string): Promise<void> {
    const key = this.keyOf(text);
    if (key === this.key) return;
    this.key = key;
    this.feed = new Feed(Date.now);
    this.info = {};
    this.nextBefore = undefined;
    this.own.push({ kind: "rule", text: `session ${key}` });
    this.options.changed();
    this.loading = undefined;
    await this.load();
  }

  /** Fetches the page before the oldest that is known, as entries between two lines. */
  async older(): Promise<void> {
    if (this.nextBefore === undefined)
      return this.say("This is the beginning of the conversation.");
    const answer = (await this.client.call("chat.history", {
      sessionKey: this.key,
      limit: this.options.historyLimit,
      before: this.nextBefore,
    })) as History;
    const items = olderItems(answer.messages);
    this.nextBefore = answer.nextBefore;
    this.own.push({ kind: "rule", text: `earlier: ${answer.messages.length} messages` }, ...items, {
      kind: "rule",
      text: this.nextBefore === undefined ? "the beginning was above" : "now",
    });
    this.options.changed();
  }

  async sessions(agentId?: string) {
    const { sessions } = await this.client.call("sessions.list", {
      limit: LISTED,
      includeLastMessage: true,
      ...(agentId && { agentId }),
    });
    return sessions;
  }

  agents() {
    return this.client.call("agents.list", {});
  }

  models() {
    return this.client.call("models.list", {});
  }

  async setModel(ref: string): Promise<void> {
    await this.client.call("sessions.patch", { key: this.key, model: ref });
    await this.look();
    this.say(`The model of this session is ${ref} now.`);
  }

  /** Waits for a call somewhere else and says what went wrong. A lost connection says itself. */
  tell(work: Promise<unknown>): void {
    work.then(
      () => this.options.changed(),
      (cause: unknown) => {
        if (cause instanceof RpcError) {
          if (this.state.kind === "connected") this.say(cause.message, "error", cause.hint);
        } else if (cause instanceof AppError) this.say(cause.message, "error", cause.hint);
        else throw cause;
      },
    );
  }

  private keyOf(text: string): string {
    const { defaultAgentId: agentId, mainKey } = this.hello!.snapshot.sessionDefaults;
    const key = canonicalKey(text, { agentId, mainKey });
    if (key) return key;
    throw new AppError("bad_request", `"${text.slice(0, 100)}" is no session.`, {
      hint: "`clawdbot sessions` lists their keys.",
    });
  }

  private entered(state: ClientState): void {
    if (state.kind === "refused")
      this.options.failed(
        new AppError("unauthorized", state.error.message, { details: state.error.details }),
      );
    if (state.kind === "connected") {
      this.hello = state.hello;
      // The client enters this state before it takes calls.
      queueMicrotask(() => this.connected(state.hello));
    }
    this.options.changed();
  }

  private connected(hello: Hello): void {
    const first = this.key === "";
    if (first) {
      const { mainSessionKey } = hello.snapshot.sessionDefaults;
      try {
        this.key = this.options.session ? this.keyOf(this.options.session) : mainSessionKey;
      } catch (cause) {
        if (!(cause instanceof AppError)) throw cause;
        return this.options.failed(cause);
      }
    } else this.feed.reconnected();
    this.loading = undefined;
    this.reload();
    this.outbox.reconnected();
    if (hello.features.methods.includes("commands.list")) this.tell(this.learn());
  }

  private async learn(): Promise<void> {
    const { commands } = await this.client.call("commands.list", {});
    this.commands = commands.map(({ name, description, args }) => ({
      name,
      doc: description,
      ...(args.length > 0 && { choices: args[0]?.choices ?? [] }),
    }));
  }

  private reload(): void {
    if (this.loading) this.again = true;
    else this.tell(this.load());
  }

  private load(): Promise<void> {
    if (this.loading) return this.loading;
    const mine: Promise<void> = this.fetch().finally(() => {
      if (this.loading !== mine) return;
      this.loading = undefined;
      if (!this.again) return;
      this.again = false;
      return this.load();
    });
    this.loading = mine;
    return mine;
  }

  private async fetch(): Promise<void> {
    const { feed, key } = this;
    const token = feed.ask();
    const answer = (await this.client.call("chat.history", {
      sessionKey: key,
      limit: this.options.historyLimit,
    })) as History;
    // Somebody turned to another session meanwhile.
    if (feed !== this.feed) return;
    if (feed.history(answer, token)) this.again = true;
    this.nextBefore ??= answer.nextBefore;
    this.outbox.settle((id) => feed.hasUser(id));
    this.dropWithdrawn(answer);
    this.options.changed();
    await this.look();
  }

  /** What was stopped before its turn came was never read; the person gets it back. */
  private dropWithdrawn({ queued = [] }: History): void {
    for (const id of this.withdrawn) {
      const row = this.pending.find(({ key }) => key === id);
      // An answer from before the stop still has it in the queue; the next one tells.
      if (row && queued.some(({ runId }) => runId === id)) continue;
      this.withdrawn.delete(id);
      if (!row || this.feed.hasUser(id)) continue;
      this.outbox.discard(id);
      this.options.giveBack(row.text);
    }
  }

  private async look(): Promise<void> {
    const { key } = this;
    const { sessions, defaults } = await this.client.call("sessions.list", {
      search: key,
      limit: 50,
    });
    if (key !== this.key) return;
    const row = sessions.find((each) => each.key === key);
    const provider = row?.modelProvider ?? defaults.modelProvider;
    const model = row?.model ?? defaults.model;
    this.info = {
      ...(row?.label && { label: row.label }),
      ...(model && { model: provider ? `${provider}/${model}` : model }),
      ...(row && { tokens: row.totalTokens }),
      ...(defaults.contextTokens && !row?.model && { window: defaults.contextTokens }),
    };
  }

  private event({ event, payload }: EventFrame): void {
    if (event !== "agent" && event !== "chat") return;
    const about = (payload ?? {}) as { sessionKey?: string; runId?: string };
    if (about.sessionKey !== this.key || !about.runId) return;
    const ask =
      event === "chat"
        ? this.feed.chat(payload as ChatEvent)
        : this.feed.agent(payload as AgentEvent);
    if (event === "chat" && (payload as ChatEvent).state === "aborted")
      this.withdrawn.add(about.runId);
    // A message that was put into the running turn stands in the history behind the next message.
    const steered = (payload as AgentEvent).stream === "message" && this.pending.length > 0;
    if (ask || steered) this.reload();
    this.options.changed();
  }
}
