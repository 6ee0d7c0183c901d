/**
 * A gateway on 127.0.0.1 whose every word is said by the test: it serves the real page with the real headers and speaks protocol 4
 * as far as the page does. A run goes on only when the test says so, so nothing here waits for time to pass.
 */
import { join } from "node:path";

import type { Server, ServerWebSocket } from "bun";

import { prepareUi, serveAsset, type Ui } from "../../src/gateway/http/assets.ts";
import { buildPage } from "../../src/gateway/http/ui.ts";
import { FakeNetworks, Refusal } from "./networks.ts";

type Json = Record<string, unknown>;
type Message = Json & { role: string; seq: number; id: string };
type Failure = {
  code: string;
  message: string;
  details?: Json;
  retryable?: boolean;
  retryAfterMs?: number;
};
type Socket = ServerWebSocket<{ seq: number; in: boolean }>;

export const CSP =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'";
export const TOKEN = "test-token-that-is-long-enough";
export const MAIN = "agent:main:main";

const built: { page?: Promise<Ui> } = {};
const page = (): Promise<Ui> =>
  (built.page ??= prepareUi(() => buildPage(join(import.meta.dir, "../../web/index.html")), ""));

const text = (value: string) => [{ type: "text", text: value }];

class Session {
  sessionId = crypto.randomUUID();
  messages: Message[] = [];
  label?: string;
  model?: string;
  /** Where its last message came from. */
  channel?: string;
  updatedAt = Date.now();
  runs: Run[] = [];
  constructor(readonly key: string) {}

  add(message: Json & { role: string }): Message {
    const seq = (this.messages.at(-1)?.seq ?? 0) + 1;
    const full = { timestamp: Date.now(), ...message, seq, id: String(seq) };
    this.messages.push(full);
    this.updatedAt = Math.max(Date.now(), this.updatedAt + 1);
    return full;
  }
}

/** One answer, told step by step. */
export class Run {
  said = "";
  thought = "";
  ended = false;
  readonly tools = new Map<string, { call: Json; output?: string }>();
  private seq = 0;
  constructor(
    private readonly gateway: FakeGateway,
    readonly session: Session,
    readonly runId: string,
    readonly content: Json[],
  ) {}

  get question(): string {
    return this.content.map((item) => String(item.text ?? "")).join("");
  }

  begin(): this {
    this.session.add({ role: "user", content: this.content, runId: this.runId });
    this.emit("lifecycle", { phase: "start", startedAt: Date.now() });
    return this;
  }
  say(delta: string): this {
    this.said += delta;
    this.emit("assistant", { text: this.said, delta });
    this.chat({
      state: "delta",
      deltaText: delta,
      message: { role: "assistant", content: text(this.said) },
    });
    return this;
  }
  think(delta: string): this {
    this.thought += delta;
    this.emit("thinking", { text: this.thought, delta });
    return this;
  }
  /** The model asks for a tool; what it said so far is in the transcript from now on. */
  tool(id: string, name: string, args: Json): this {
    this.commit([{ type: "toolCall", id, name, arguments: args }]);
    this.tools.set(id, { call: { type: "tool_call", id, name, args } });
    this.emit("tool", { phase: "start", name, toolCallId: id, args });
    return this;
  }
  toolUpdate(id: string, output: string): this {
    const tool = this.tools.get(id)!;
    tool.output = output;
    this.emit("tool", {
      phase: "update",
      toolCallId: id,
      name: tool.call.name,
      partialResult: output,
    });
    return this;
  }
  toolEnd(id: string, output: string, { ms = 400, isError = false } = {}): this {
    const { call } = this.tools.get(id)!;
    this.emit("tool", {
      phase: "result",
      toolCallId: id,
      name: call.name,
      result: output,
      isError,
      ms,
    });
    this.session.add({
      role: "toolResult",
      toolCallId: id,
      toolName: call.name,
      content: text(output),
      isError,
      runId: this.runId,
    });
    this.tools.delete(id);
    this.emit("message", { message: { role: "toolResult" } });
    return this;
  }
  /** Takes what waits into this run, as the real one does at a tool boundary. */
  steer(): this {
    for (const waiting of this.session.runs.filter((run) => run !== this)) {
      this.session.add({ role: "user", content: waiting.content, runId: waiting.runId });
      waiting.ended = true;
    }
    this.session.runs = [this];
    this.emit("message", { message: { role: "user" } });
    return this;
  }
  end(): void {
    this.commit([]);
    this.close({ phase: "end" }, { state: "final" });
  }
  fail(message: string, hint: string, code = "provider_auth"): void {
    this.commit([]);
    const level = "error";
    this.session.add({ role: "system", content: text(`${message}\n${hint}`), level, code, hint });
    this.close({ phase: "error", error: message }, { state: "error", errorMessage: message });
  }
  abort(): void {
    this.commit([], { stopReason: "aborted", partial: true });
    for (const id of [...this.tools.keys()]) this.toolEnd(id, "[Stopped.]", { isError: true });
    this.close({ phase: "end", aborted: true }, { state: "aborted", stopReason: "rpc" });
  }

  private commit(more: Json[], marks: Json = {}): void {
    const content = [
      ...(this.thought ? [{ type: "thinking", thinking: this.thought }] : []),
      ...(this.said ? text(this.said) : []),
      ...more,
    ];
    this.said = this.thought = "";
    if (!content.length) return;
    const model = { provider: "demo", model: "demo" };
    const message = this.session.add({
      role: "assistant",
      content,
      runId: this.runId,
      ...model,
      ...marks,
    });
    this.emit("message", { message });
  }
  private close(lifecycle: Json, chat: Json): void {
    if (this.ended) return;
    this.ended = true;
    this.session.runs = this.session.runs.filter((run) => run !== this);
    this.emit("lifecycle", { ...lifecycle, endedAt: Date.now() });
    this.chat(chat);
    this.gateway.next(this.session);
  }
  private emit(stream: string, data: Json): void {
    const { runId, session } = this;
    const seq = ++this.seq;
    this.gateway.broadcast("agent", {
      runId,
      seq,
      stream,
      ts: Date.now(),
      data,
      sessionKey: session.key,
    });
  }
  private chat(body: Json): void {
    this.gateway.broadcast("chat", {
      runId: this.runId,
      sessionKey: this.session.key,
      seq: this.seq,
      ...body,
    });
  }
}

export class FakeGateway {
  readonly sessions = new Map<string, Session>();
  /** Every `chat.send` that arrived, repeated ones too. */
  readonly sends: { key: string; message: string }[] = [];
  readonly calls: { method: string; params: Json }[] = [];
  /** Paths with query of every HTTP request. */
  readonly requests: string[] = [];
  /** Answers these methods with an error. */
  readonly failures = new Map<string, Failure>();
  readonly tickets = new Set<string>();
  /** The next request of this method is obeyed, but the line is cut before it is answered. */
  cutAfter: string | undefined;
  /** Nothing comes back any more and no closing is answered, as from a process that was stopped (SIGSTOP). */
  frozen = false;
  maxPayload = 26_214_400;
  token: string | undefined = TOKEN;
  refusal: Failure | undefined;
  /** Said in the greeting. */
  nixMode = false;
  model = "demo";
  provider = "demo";
  logLines: string[] = [];
  readonly networks = new FakeNetworks();
  private server: Server<{ seq: number; in: boolean }> | undefined;
  private readonly sockets = new Set<Socket>();
  private readonly known = new Map<string, Run>();
  private readonly begun: Run[] = [];
  private readonly awaited: ((run: Run) => void)[] = [];
  private readonly watchers: { wanted(): boolean; done(): void }[] = [];
  port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  async start(): Promise<this> {
    const ui = await page();
    this.server = Bun.serve<{ seq: number; in: boolean }>({
      hostname: "127.0.0.1",
      port: this.port,
      fetch: (request, server) => this.http(request, server, ui),
      websocket: {
        backpressureLimit: 256 * 1024 * 1024,
        open: (socket) => {
          this.sockets.add(socket);
          this.event(socket, "connect.challenge", { nonce: crypto.randomUUID(), ts: Date.now() });
        },
        message: (socket, data) => this.frame(socket, JSON.parse(String(data)) as Json),
        close: (socket) => void this.sockets.delete(socket),
      },
    });
    this.port = this.server.port!;
    return this;
  }

  /** Gone at once, like a killed process. What was said and stored stays; what was being said is lost, as in reality. */
  async stop(): Promise<void> {
    await this.server?.stop(true);
    this.server = undefined;
    this.sockets.clear();
    for (const session of this.sessions.values())
      for (const run of session.runs) {
        run.said = run.thought = "";
        run.tools.clear();
      }
  }

  session(key = MAIN): Session {
    let session = this.sessions.get(key);
    if (!session) this.sessions.set(key, (session = new Session(key)));
    return session;
  }

  /** The next run that begins, in order. */
  nextRun(): Promise<Run> {
    const run = this.begun.shift();
    return run ? Promise.resolve(run) : new Promise((resolve) => this.awaited.push(resolve));
  }

  /** Resolves when this is true; looked at after every frame that arrives. */
  until(wanted: () => boolean): Promise<void> {
    return wanted()
      ? Promise.resolve()
      : new Promise((done) => this.watchers.push({ wanted, done }));
  }
  get clients(): number {
    return [...this.sockets].filter((socket) => socket.data.in).length;
  }

  broadcast(event: string, payload: Json): void {
    for (const socket of this.sockets)
      if (socket.data.in) this.event(socket, event, payload, ++socket.data.seq);
  }

  next(session: Session): void {
    const run = session.runs[0];
    if (!run) return;
    run.begin();
    const waiting = this.awaited.shift();
    if (waiting) waiting(run);
    else this.begun.push(run);
  }

  private async http(
    request: Request,
    server: Server<{ seq: number; in: boolean }>,
    ui: Ui,
  ): Promise<Response | undefined> {
    const url = new URL(request.url);
    this.requests.push(url.pathname + url.search);
    if (request.headers.get("upgrade") === "websocket")
      return server.upgrade(request, { data: { seq: 0, in: false } })
        ? undefined
        : new Response("no", { status: 400 });
    if (url.pathname === "/api/sign-in") {
      const { ticket } = (await request.json()) as { ticket: string };
      return this.tickets.delete(ticket)
        ? Response.json({ token: this.token })
        : Response.json({ error: { message: "used" } }, { status: 401 });
    }
    const name = url.pathname.split("/assets/")[1];
    const found = name === undefined ? ui.page : ui.assets.get(name);
    const answer = found ? serveAsset(found, request) : new Response("Not Found", { status: 404 });
    answer.headers.set("content-security-policy", CSP);
    answer.headers.set("referrer-policy", "no-referrer");
    return answer;
  }

  private event(socket: Socket, event: string, payload: unknown, seq?: number): void {
    if (this.frozen) return;
    socket.send(JSON.stringify({ type: "event", event, payload, seq }));
  }

  private frame(socket: Socket, { id, method, params = {} }: Json): void {
    if (this.frozen) return;
    const call = { method: String(method), params: params as Json };
    this.calls.push(call);
    const failure =
      call.method === "connect" ? this.rejects(call.params) : this.failures.get(call.method);
    if (failure) {
      socket.send(JSON.stringify({ type: "res", id, ok: false, error: failure }));
      if (call.method === "connect") socket.close(1008, failure.message);
    } else {
      if (call.method === "connect") socket.data.in = true;
      const payload = this.answered(call.method, call.params);
      const cut = this.cutAfter === call.method;
      if (cut) {
        this.cutAfter = undefined;
        socket.terminate();
      }
      if (payload instanceof Promise)
        void payload.then((later) => this.respond(socket, id, call.method, later));
      else this.respond(socket, id, call.method, payload);
      if (call.method === "chat.send") this.accepted(call.params);
    }
    for (const watcher of this.watchers.splice(0))
      if (watcher.wanted()) watcher.done();
      else this.watchers.push(watcher);
  }

  private answered(method: string, params: Json): unknown {
    try {
      return this.answer(method, params);
    } catch (cause) {
      if (cause instanceof Refusal) return cause;
      throw cause;
    }
  }

  private respond(socket: Socket, id: unknown, method: string, payload: unknown): void {
    const refused =
      payload === undefined
        ? new Refusal(`unknown method: ${method}`)
        : payload instanceof Refusal
          ? payload
          : undefined;
    socket.send(
      JSON.stringify(
        refused
          ? {
              type: "res",
              id,
              ok: false,
              error: {
                code: refused.code,
                message: refused.message,
                ...(refused.hint && { details: { hint: refused.hint } }),
              },
            }
          : { type: "res", id, ok: true, payload },
      ),
    );
  }

  private rejects(params: Json): Failure | undefined {
    if (this.refusal) return this.refusal;
    const auth = (params.auth ?? {}) as { token?: string; password?: string };
    if (!this.token || auth.token === this.token || auth.password === this.token) return undefined;
    const kind = auth.token ? "mismatch" : "missing";
    return {
      code: "INVALID_REQUEST",
      message: `unauthorized: gateway token ${kind} (paste token in Control UI settings)`,
      details: { code: `AUTH_TOKEN_${kind.toUpperCase()}` },
    };
  }

  private answer(method: string, params: Json): unknown {
    const key = String(params.sessionKey ?? params.key ?? MAIN);
    switch (method) {
      case "connect":
        return this.hello();
      case "chat.history":
        return this.history(key, Number(params.limit ?? 200), params.before as number | undefined);
      case "chat.send": {
        const run = this.known.get(String(params.idempotencyKey));
        const status = !run ? "started" : run.ended ? "ok" : "in_flight";
        return { runId: params.idempotencyKey, status };
      }
      case "chat.abort": {
        const stopped = [...this.session(key).runs];
        const waiting = stopped.slice(1);
        this.session(key).runs = stopped.slice(0, 1);
        for (const run of waiting) {
          run.ended = true;
          this.broadcast("chat", { runId: run.runId, sessionKey: key, seq: 0, state: "aborted" });
        }
        stopped[0]?.abort();
        return { ok: true, aborted: stopped.length > 0, runIds: stopped.map((run) => run.runId) };
      }
      case "sessions.list":
        return this.list(params);
      case "sessions.patch": {
        const session = this.session(key);
        if ("label" in params) session.label = (params.label as string | null) ?? undefined;
        if ("model" in params) session.model = (params.model as string | null) ?? undefined;
        return { ok: true, key };
      }
      case "sessions.reset":
        this.sessions.delete(key);
        this.session(key);
        return { ok: true, key };
      case "sessions.delete":
        return { ok: true, key, deleted: this.sessions.delete(key) };
      case "models.list":
        return {
          models: [
            { ref: "demo/demo", provider: "demo", id: "demo", name: "Demo (built in, not an AI)" },
            { ref: "anthropic/sonnet", provider: "anthropic", id: "sonnet", name: "Sonnet" },
          ],
        };
      case "health":
        return { ok: true, ts: Date.now(), durationMs: 1 };
      case "status":
        return {
          version: "2026.11.20",
          startedAt: Date.now() - 3_600_000,
          defaultModel: `${this.provider}/${this.model}`,
          unfinishedTurns: 0,
          pendingOutbox: 0,
          stateDir: "/home/kim/.clawdbot",
          configPath: "/home/kim/.clawdbot/clawdbot.json",
          sessions: { count: this.sessions.size },
        };
      case "logs.tail":
        return {
          file: "/tmp/clawdbot/clawdbot.log",
          cursor: this.logLines.length,
          lines: this.logLines.slice(Number(params.cursor ?? 0)),
        };
      default:
        return this.networks.answer(method, params);
    }
  }

  private accepted(params: Json): void {
    const key = String(params.idempotencyKey);
    this.sends.push({ key, message: String(params.message) });
    if (this.known.has(key)) return;
    const session = this.session(String(params.sessionKey));
    const images = ((params.attachments ?? []) as Json[]).map((a) => ({
      type: "image",
      data: a.content,
      mimeType: a.mimeType,
    }));
    const run = new Run(this, session, key, [...text(String(params.message)), ...images]);
    this.known.set(key, run);
    session.runs.push(run);
    if (session.runs.length === 1) this.next(session);
  }

  private hello(): Json {
    return {
      type: "hello-ok",
      protocol: 4,
      server: { version: "2026.11.20", connId: crypto.randomUUID(), host: "attic" },
      features: { methods: [], events: [] },
      snapshot: {
        presence: [],
        health: {},
        uptimeMs: 1000,
        ...(this.nixMode && { nixMode: true }),
        sessionDefaults: {
          defaultAgentId: "main",
          mainKey: "main",
          mainSessionKey: MAIN,
          scope: "per-sender",
        },
      },
      auth: { role: "operator", scopes: ["operator.admin"] },
      policy: { maxPayload: this.maxPayload, tickIntervalMs: 30_000 },
    };
  }

  private history(key: string, limit: number, before: number | undefined): Json {
    const session = this.sessions.get(key);
    const all = session?.messages ?? [];
    // Sequence numbers are contiguous from 1.
    const end = before === undefined ? all.length : Math.max(0, before - 1);
    const messages = all.slice(Math.max(0, end - limit), end);
    const [run, ...waiting] = session?.runs ?? [];
    const live = run && {
      runId: run.runId,
      sessionKey: key,
      startedAt: Date.now(),
      text: run.said,
      thinking: run.thought,
      tools: [...run.tools.values()],
    };
    return {
      sessionKey: key,
      sessionId: session?.sessionId,
      messages,
      live: before === undefined && live ? [live] : [],
      queued: waiting.map((w) => ({ runId: w.runId, text: w.question, at: Date.now() })),
      nextBefore: messages.length && messages[0]!.seq > 1 ? messages[0]!.seq : undefined,
    };
  }

  private list(params: Json): Json {
    const search = String(params.search ?? "").toLowerCase();
    const limit = Number(params.limit ?? 50);
    const before = Number(params.before ?? Number.POSITIVE_INFINITY);
    const rows = [...this.sessions.values()]
      .map((session) => {
        const first = session.messages.find((m) => m.role === "user")?.content as
          Json[] | undefined;
        const last = session.messages.findLast((m) => m.role === "assistant")?.content as
          Json[] | undefined;
        return {
          key: session.key,
          kind: "direct",
          label: session.label,
          derivedTitle: first ? String(first[0]!.text).slice(0, 60) : undefined,
          lastMessagePreview: last?.find((item) => item.type === "text")?.text,
          updatedAt: session.updatedAt,
          model: session.model,
          channel: session.channel,
        };
      })
      .filter((row) => `${row.key} ${row.label} ${row.derivedTitle}`.toLowerCase().includes(search))
      .sort((a, b) => b.updatedAt - a.updatedAt);
    const shown = rows.filter((row) => row.updatedAt < before).slice(0, limit);
    const more = rows.filter((row) => row.updatedAt < before).length > limit;
    return {
      ts: Date.now(),
      count: shown.length,
      total: rows.length,
      sessions: shown,
      nextBefore: more ? shown.at(-1)!.updatedAt : undefined,
      defaults: { modelProvider: this.provider, model: this.model },
    };
  }
}

export const startFakeGateway = (): Promise<FakeGateway> => new FakeGateway().start();
