/** The methods of the Agent Client Protocol on the gateway's own: a session of the editor is a session of ours, its id our key. */
import { VERSION } from "../../base/brand.ts";
import { AppError } from "../../base/errors.ts";
import type { Methods } from "../../gateway/methods/index.ts";
import { RpcClient } from "../../protocol/client.ts";
import type { EventFrame } from "../../protocol/frames.ts";
import { canonicalKey, sessionKey } from "../../protocol/session-key.ts";
import type { Target } from "../rpc.ts";
import { cleanText } from "../tui/screen/text.ts";
import type { AgentEvent, ChatEvent, History, Message } from "../tui/talk/wire.ts";
import { type Method, Refusal, rpcMethod } from "./json-rpc.ts";
import {
  type Attachment,
  Authenticate,
  Cancel,
  Initialize,
  LoadSession,
  messageOf,
  type Meta,
  NewSession,
  Prompt,
  PROTOCOL_VERSION,
  SetMode,
} from "./schema.ts";
import { Turn } from "./turn.ts";
import { replayed, type Update } from "./updates.ts";

export type BridgeOptions = {
  target: Target;
  /** Every new session of the editor is this one of ours; undefined makes one each. */
  session: string | undefined;
  label: string | undefined;
  requireExisting: boolean;
  resetSession: boolean;
  /** Tell the model which folder the editor works in. */
  prefixCwd: boolean;
  notify(method: string, params: unknown): void;
  note(text: string): void;
};

type Session = { key: string; cwd: string; prefixCwd: boolean; turn: Turn | undefined };

const LEVELS = ["off", "minimal", "low", "medium", "high", "xhigh"];
/** Messages of an old conversation that are told again at most. */
const MAX_REPLAY = 5000;
const PAGE = 500;

export class Bridge {
  private readonly client: RpcClient<Methods>;
  private readonly sessions = new Map<string, Session>();
  /** Resolves while there is a connection. */
  private back: PromiseWithResolvers<void>;
  private connected = false;
  private initialized = false;

  constructor(private readonly options: BridgeOptions) {
    this.back = this.nextConnection();
    this.client = new RpcClient<Methods>({
      url: options.target.url,
      client: {
        id: "cli",
        displayName: "clawdbot-acp",
        version: VERSION,
        platform: process.platform,
        mode: "cli",
        instanceId: crypto.randomUUID(),
      },
      auth: () => options.target.auth,
      reconnect: true,
      onEvent: (event) => this.event(event),
      onState: ({ kind }) => {
        options.note(`gateway: ${kind}`);
        // The client enters this state before it takes calls.
        if (kind === "connected") queueMicrotask(() => this.back.resolve());
        else if (kind === "waiting" && this.connected) this.back = this.nextConnection();
        else if (kind === "refused")
          this.back.reject(new AppError("unauthorized", "The gateway refused the connection."));
        // Whoever waits does so over all attempts that fail.
        if (kind === "connected" || kind === "waiting") this.connected = kind === "connected";
      },
    });
  }

  /** Rejects when the gateway refuses; there may be nobody who waits for it then. */
  private nextConnection(): PromiseWithResolvers<void> {
    const next = Promise.withResolvers<void>();
    next.promise.then(undefined, () => this.options.note("the gateway refused the connection"));
    return next;
  }

  async connect(): Promise<void> {
    await this.client.connect();
  }

  close(): void {
    this.client.close();
  }

  readonly methods: Record<string, Method> = {
    initialize: rpcMethod(Initialize, async () => {
      this.initialized = true;
      return {
        protocolVersion: PROTOCOL_VERSION,
        agentCapabilities: {
          loadSession: true,
          promptCapabilities: { image: true, audio: false, embeddedContext: true },
          mcpCapabilities: { http: false, sse: false },
        },
        agentInfo: { name: "clawdbot", title: "Clawdbot", version: VERSION },
        authMethods: [],
      };
    }),
    authenticate: rpcMethod(Authenticate, async () => {
      throw new Refusal("params", "There is no method of authentication; none is needed.");
    }),
    "session/new": rpcMethod(NewSession, async ({ cwd, mcpServers, _meta }) => {
      const key = await this.keyFor(_meta);
      this.ignoredServers(mcpServers);
      return { sessionId: key, ...(await this.enter(key, cwd, _meta)) };
    }),
    "session/load": rpcMethod(LoadSession, async ({ sessionId, cwd, mcpServers, _meta }) => {
      this.checkInitialized();
      const key = await this.existing({ key: this.keyOf(sessionId) });
      this.ignoredServers(mcpServers);
      for (const message of await this.everything(key))
        for (const update of replayed(message)) this.tell(sessionId, update);
      return this.enter(key, cwd, _meta, sessionId);
    }),
    "session/prompt": rpcMethod(Prompt, async ({ sessionId, prompt }) => {
      const session = this.session(sessionId);
      const { text, attachments } = messageOf(prompt);
      if (!text.trim() && attachments.length === 0)
        throw new Refusal("params", "The prompt is empty.");
      if (session.turn)
        throw new Refusal("request", "A prompt of this session is being answered already.");
      return { stopReason: await this.answer(sessionId, session, text, attachments) };
    }),
    "session/cancel": rpcMethod(Cancel, async ({ sessionId }) => {
      await this.session(sessionId).turn?.cancel();
    }),
    "session/set_mode": rpcMethod(SetMode, async ({ sessionId, modeId }) => {
      const { key } = this.session(sessionId);
      const thinkingLevel = LEVELS.find((level) => level === modeId);
      if (!thinkingLevel) throw new Refusal("params", `There is no mode "${modeId}".`);
      await this.client.call("sessions.patch", {
        key,
        thinkingLevel: thinkingLevel as "off",
      });
      return {};
    }),
  };

  private checkInitialized(): void {
    if (!this.initialized) throw new Refusal("request", "Call initialize first.");
  }

  private session(sessionId: string): Session {
    this.checkInitialized();
    const session = this.sessions.get(sessionId);
    if (session) return session;
    throw new Refusal("notFound", `There is no session "${sessionId}".`, {
      hint: "session/new makes one, session/load opens an old one.",
    });
  }

  /** The session of ours for a new one of the editor. */
  private async keyFor(meta: Meta): Promise<string> {
    this.checkInitialized();
    const { session, label } = this.options;
    const requireExisting = meta?.requireExisting ?? this.options.requireExisting;
    const wanted = meta?.sessionKey ?? (meta?.sessionLabel ? undefined : session);
    const named = meta?.sessionLabel ?? (wanted === undefined ? label : undefined);
    if (named) return this.existing({ label: named });
    const key = wanted
      ? this.keyOf(wanted)
      : sessionKey(this.defaults.defaultAgentId, `acp:${crypto.randomUUID()}`);
    if (wanted && requireExisting) await this.existing({ key });
    const reset = meta?.resetSession ?? this.options.resetSession;
    if (wanted && reset) await this.client.call("sessions.reset", { key });
    return key;
  }

  private get defaults() {
    const { state } = this.client;
    if (state.kind === "connected") return state.hello.snapshot.sessionDefaults;
    throw new AppError("gateway_unreachable", "The gateway is away.");
  }

  private keyOf(text: string): string {
    const { defaultAgentId: agentId, mainKey } = this.defaults;
    const key = canonicalKey(text, { agentId, mainKey });
    if (!key) throw new Refusal("params", `"${text.slice(0, 100)}" is no session.`);
    return key;
  }

  private async existing(which: { key: string } | { label: string }): Promise<string> {
    const { key } = await this.client.call("sessions.resolve", which);
    return key;
  }

  private ignoredServers(servers: readonly { name: string }[]): void {
    for (const { name } of servers)
      this.options.note(`MCP server "${cleanText(name).slice(0, 100)}" is not used.`);
  }

  private async enter(key: string, cwd: string, meta: Meta, sessionId = key) {
    const prefixCwd = meta?.prefixCwd ?? this.options.prefixCwd;
    const turn = this.sessions.get(sessionId)?.turn;
    this.sessions.set(sessionId, { key, cwd, prefixCwd, turn });
    const { thinkingLevel } = (await this.client.call("chat.history", {
      sessionKey: key,
      limit: 1,
    })) as History & { thinkingLevel?: string };
    // After the answer: the editor has to know the session first.
    setImmediate(() => this.tellCommands(sessionId));
    return {
      modes: {
        currentModeId: LEVELS.find((level) => level === thinkingLevel) ?? "low",
        availableModes: LEVELS.map((id) => ({ id, name: `Thinking: ${id}` })),
      },
    };
  }

  private tellCommands(sessionId: string): void {
    this.client.call("commands.list", {}).then(
      ({ commands }) =>
        this.tell(sessionId, {
          sessionUpdate: "available_commands_update",
          availableCommands: commands.map(({ name, description, args }) => ({
            name,
            description,
            ...(args[0] && { input: { hint: args[0].description } }),
          })),
        }),
      (cause: unknown) => this.options.note(`commands.list: ${String(cause)}`),
    );
  }

  /** All that was said, oldest first. */
  private async everything(key: string): Promise<Message[]> {
    const pages: Message[][] = [];
    let before: number | undefined;
    let count = 0;
    do {
      const page = (await this.client.call("chat.history", {
        sessionKey: key,
        limit: PAGE,
        ...(before !== undefined && { before }),
      })) as History;
      pages.unshift(page.messages);
      count += page.messages.length;
      before = page.nextBefore;
    } while (before !== undefined && count < MAX_REPLAY);
    return pages.flat();
  }

  private async answer(
    sessionId: string,
    session: Session,
    text: string,
    attachments: Attachment[],
  ): Promise<string> {
    // A slash command begins the message, or it is none.
    const command = text.trimStart().startsWith("/");
    const prefix = session.prefixCwd && !command ? `[Working directory: ${session.cwd}]\n\n` : "";
    session.turn = new Turn(
      {
        client: this.client,
        connected: () => this.back.promise,
        tell: (update) => this.tell(sessionId, update),
        note: this.options.note,
      },
      session.key,
    );
    try {
      return await session.turn.run(prefix + text, attachments);
    } finally {
      session.turn = undefined;
    }
  }

  private tell(sessionId: string, update: Update): void {
    this.options.notify("session/update", { sessionId, update });
  }

  private event({ event, payload }: EventFrame): void {
    if (event !== "agent" && event !== "chat") return;
    const about = (payload ?? {}) as { sessionKey?: string; runId?: string };
    for (const { key, turn } of this.sessions.values())
      if (turn && key === about.sessionKey && about.runId)
        turn.event(event, about.runId, payload as AgentEvent & ChatEvent);
  }
}
