/**
 * The Bot API as a server on this machine: `bot<token>/<method>`, files, long polls, webhooks. It refuses what the platform refuses,
 * in its words, remembers every call, and breaks on demand. People who write to the bot: telegram-people.ts.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

import type { Message, Update } from "grammy/types";

import {
  ApiError,
  METHODS,
  no,
  type Params,
  readParams,
  SPECS,
  type Upload,
} from "./telegram-methods.ts";
import { Group, Person } from "./telegram-people.ts";
import { World } from "./telegram-world.ts";

export type TelegramOptions = {
  /** Unset: a free one. */
  port?: number;
  token?: string;
  username?: string;
  /** The bot sees in groups only what names it. Only said in `getMe`: who writes in a group decides what arrives. */
  privacy?: boolean;
};
export type Call = { method: string; params: Params; at: number };
export type Sent = Message & { file?: Upload };
/** How a request goes wrong. `cut`: the connection ends before it is heard; `deaf`: after it was, so nobody knows. */
export type Fault = {
  method?: string;
  times?: number;
  status?: number;
  description?: string;
  retryAfter?: number;
  how?: "cut" | "deaf" | "silent";
};

type Waiter = { answer(updates: Update[]): void; conflict(): void };
type Hook = { url: string; secret: string; busy: Set<number>; error?: string };

export type Telegram = FakeTelegram;
export async function startTelegram(options: TelegramOptions = {}): Promise<Telegram> {
  const made = new FakeTelegram(options);
  await made.open(options.port ?? 0);
  return made;
}

class FakeTelegram {
  readonly calls: Call[] = [];
  /** What the bot sent, oldest first. */
  readonly sent: Sent[] = [];
  readonly world: World;
  readonly token: string;
  apiRoot = "";
  port = 0;
  /** Batches come in reverse. */
  reversed = false;
  private readonly faults: (Fault & { times: number })[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((request, response) => void this.serve(request, response));
  private waiter: Waiter | undefined;
  private hook: Hook | undefined;
  private revoked = false;
  private readonly watchers = new Set<() => void>();

  constructor({
    token = "123456:fake-token-of-the-fake",
    username = "my_bot",
    privacy = false,
  }: TelegramOptions) {
    this.token = token;
    this.world = new World({
      id: Number(token.split(":")[0]),
      is_bot: true,
      first_name: "My Bot",
      username,
      can_join_groups: true,
      can_read_all_group_messages: !privacy,
      supports_inline_queries: false,
    });
    this.world.onUpdate = () => this.deliver();
  }

  async open(port: number): Promise<void> {
    this.server.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
    });
    await new Promise<void>((done) => this.server.listen(port, "127.0.0.1", done));
    this.port = (this.server.address() as AddressInfo).port;
    this.apiRoot = `http://127.0.0.1:${this.port}`;
  }

  /** Somebody who writes to the bot. */
  person(id = 42, about: { first_name?: string; username?: string } = {}): Person {
    return new Person(this.world, {
      id,
      is_bot: false,
      first_name: "Ann",
      username: "ann",
      ...about,
    });
  }

  group(id: number, about: { title?: string; forum?: boolean; basic?: boolean } = {}): Group {
    return new Group(this.world, id, about);
  }

  /** The next requests go wrong. Without a method: those that send. */
  fault(fault: Fault): void {
    this.faults.push({ times: 1, ...fault });
  }

  /** Every open connection ends without a word. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** The bot's owner took the token back. */
  revoke(): void {
    this.revoked = true;
  }

  /** The same update once more, although it was confirmed. */
  again(update: Update): void {
    this.world.queue.push(update);
    this.deliver();
  }

  callsOf(method: string): Call[] {
    return this.calls.filter((call) => call.method === method);
  }

  get texts(): string[] {
    return this.sent.flatMap(({ text, caption }) => text ?? caption ?? []);
  }

  /** Resolves when the test is true; looked at after every request. */
  until(test: () => boolean): Promise<void> {
    return new Promise((done) => {
      const look = () => {
        if (!test()) return;
        this.watchers.delete(look);
        done();
      };
      this.watchers.add(look);
      look();
    });
  }

  async close(): Promise<void> {
    this.waiter = undefined;
    this.cut();
    await new Promise((done) => this.server.close(done));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://fake");
    try {
      const body = await bodyOf(request);
      const file = /^\/file\/bot([^/]+)\/(.+)$/.exec(url.pathname);
      if (file) return this.file(file[1]!, decodeURIComponent(file[2]!), response);
      const [, token, method = ""] = /^\/bot([^/]+)\/(\w+)$/.exec(url.pathname) ?? [];
      if (token !== undefined && token !== this.token) throw new ApiError(401, "Unauthorized");
      if (token === undefined) throw new ApiError(404, "Not Found");
      if (this.revoked) throw new ApiError(401, "Unauthorized");
      if (!(method in SPECS)) throw new ApiError(404, "Not Found: method not found");
      await this.call(method, await parameters(request, url, body), response);
    } catch (cause) {
      const error = cause instanceof ApiError ? cause : new ApiError(500, String(cause));
      const { status: error_code, description, parameters: more } = error;
      reply(response, error_code, {
        ok: false,
        error_code,
        description,
        ...(more && { parameters: more }),
      });
    }
    for (const look of [...this.watchers]) look();
  }

  private async call(
    method: string,
    { raw, files }: { raw: Record<string, unknown>; files: Map<string, Upload> },
    response: ServerResponse,
  ): Promise<void> {
    const fault = this.next(method);
    if (fault?.how === "silent") return;
    if (fault?.how === "cut") return void response.socket?.destroy();
    if (fault?.status !== undefined)
      throw new ApiError(
        fault.status,
        fault.description ??
          (fault.status === 429 ? "Too Many Requests: retry later" : "Internal Server Error"),
        fault.retryAfter === undefined ? undefined : { retry_after: fault.retryAfter },
      );
    const params: Params = { ...readParams(method, raw), files };
    this.calls.push({ method, params, at: Date.now() });
    if (method === "getUpdates") return this.poll(params, response);
    const result = this.run(method, params);
    if (fault?.how === "deaf") return void response.socket?.destroy();
    reply(response, 200, { ok: true, result });
  }

  private next(method: string): Fault | undefined {
    const at = this.faults.findIndex((fault) =>
      fault.method === undefined
        ? /^(?:send(?!ChatAction)|editMessage)/.test(method)
        : fault.method === method,
    );
    const fault = this.faults[at];
    if (fault && --fault.times <= 0) this.faults.splice(at, 1);
    return fault;
  }

  private run(method: string, params: Params): unknown {
    if (method === "setWebhook") return this.setHook(params);
    if (method === "deleteWebhook") {
      this.hook = undefined;
      return true;
    }
    if (method === "getWebhookInfo")
      return {
        url: this.hook?.url ?? "",
        has_custom_certificate: false,
        pending_update_count: this.world.queue.length,
        ...(this.hook?.error && { last_error_message: this.hook.error, last_error_date: 1 }),
      };
    const { result, sent, all } = METHODS[method]!(this.world, params) as {
      result: unknown;
      sent?: Sent;
      all?: Sent[];
    };
    this.sent.push(...(all ?? (sent ? [sent] : [])));
    return result;
  }

  private poll(params: Params, response: ServerResponse): void {
    if (this.hook)
      throw new ApiError(
        409,
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
      );
    // The newer one wins, as on the platform.
    this.waiter?.conflict();
    const { offset, limit = 100, timeout = 0, allowed_updates } = params as Record<string, number>;
    if (Array.isArray(allowed_updates)) this.world.allowed = allowed_updates as string[];
    // A number that was never given: the numbering began anew.
    const isFuture = offset !== undefined && offset > this.world.lastUpdate + 1;
    if (offset !== undefined && !isFuture)
      this.world.queue = this.world.queue.filter((update) => update.update_id >= offset);
    const batch = () => {
      const first = this.world.queue.slice(0, Math.min(100, limit!));
      return this.reversed ? first.reverse() : first;
    };
    if (this.world.queue.length > 0 || !timeout)
      return reply(response, 200, { ok: true, result: batch() });
    const end = (status: number, body: object) => {
      clearTimeout(timer);
      if (this.waiter === waiter) this.waiter = undefined;
      reply(response, status, body);
    };
    const waiter: Waiter = {
      answer: () => end(200, { ok: true, result: batch() }),
      conflict: () =>
        end(409, {
          ok: false,
          error_code: 409,
          description:
            "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
        }),
    };
    const timer = setTimeout(() => waiter.answer([]), Math.min(50, timeout) * 1000);
    response.on("close", () => {
      clearTimeout(timer);
      if (this.waiter === waiter) this.waiter = undefined;
    });
    this.waiter = waiter;
  }

  private deliver(): void {
    if (this.hook) void this.bring(this.hook);
    else this.waiter?.answer(this.world.queue);
  }

  private setHook(params: Params): true {
    const { url = "", secret_token: secret = "" } = params as Record<string, string>;
    if (!/^https:\/\/|^http:\/\/127\.0\.0\.1/.test(url))
      no("bad webhook: An HTTPS URL must be provided for webhook");
    if (Array.isArray(params["allowed_updates"]))
      this.world.allowed = params["allowed_updates"] as string[];
    this.hook = { url, secret, busy: new Set() };
    this.deliver();
    return true;
  }

  /** Updates of one chat one after the other, those of several chats at once, each until it is answered with 200. */
  private async bring(hook: Hook): Promise<void> {
    const chat = ({ message, callback_query }: Update) =>
      message?.chat.id ?? callback_query?.message?.chat.id ?? 0;
    const update = this.world.queue.find((each) => !hook.busy.has(chat(each)));
    if (!update || this.hook !== hook) return;
    hook.busy.add(chat(update));
    void this.bring(hook);
    const answer = await fetch(hook.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-telegram-bot-api-secret-token": hook.secret,
      },
      body: JSON.stringify(update),
    }).then(
      ({ status }) => status,
      () => 0,
    );
    hook.busy.delete(chat(update));
    hook.error = answer === 200 ? "" : `Wrong response from the webhook: ${answer}`;
    if (answer === 200) this.world.queue = this.world.queue.filter((each) => each !== update);
    else await Bun.sleep(20);
    for (const look of [...this.watchers]) look();
    void this.bring(hook);
  }

  private file(token: string, path: string, response: ServerResponse): void {
    const found = [...this.world.files.values()].find((file) => file.path === path);
    const fault = this.next("file");
    if (fault?.how) return void response.socket?.destroy();
    if (token !== this.token || !found?.bytes || fault) {
      response.writeHead(fault?.status ?? 404).end();
      return;
    }
    response.writeHead(200, { "content-length": found.bytes.byteLength }).end(found.bytes);
  }
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

async function parameters(
  { headers }: IncomingMessage,
  url: URL,
  body: Buffer,
): Promise<{ raw: Record<string, unknown>; files: Map<string, Upload> }> {
  const files = new Map<string, Upload>();
  const raw: Record<string, unknown> = Object.fromEntries(url.searchParams);
  const type = headers["content-type"] ?? "";
  if (type.startsWith("multipart/form-data")) {
    const form = await new Response(new Uint8Array(body), {
      headers: { "content-type": type },
    }).formData();
    for (const [name, value] of form)
      if (typeof value === "string") raw[name] = value;
      else files.set(name, { name: value.name, bytes: new Uint8Array(await value.arrayBuffer()) });
  } else if (body.length > 0) Object.assign(raw, JSON.parse(body.toString("utf8")));
  return { raw, files };
}
