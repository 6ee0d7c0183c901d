/**
 * Discord on 127.0.0.1: REST and gateway, as strict as the real one about what it is sent, and able to fail in every way that the
 * real one does. Speaks the wire protocol only, so a compiled executable can be pointed at it with `channels.discord.apiRoot`.
 */
import { isRecord, type Refused, type Upload } from "./discord-check.ts";
import { FakeGateway, type Link } from "./discord-gateway.ts";
import { Person, placed } from "./discord-person.ts";
import { type Call, FakeRest } from "./discord-rest.ts";
import { type Channel, type Json, type Message, type User, World } from "./discord-world.ts";

export type DiscordOptions = {
  token?: string;
  /** Pause between two heartbeats that clients are told. */
  heartbeatMs?: number;
  /** Flags of the application: which privileged intents are on. */
  flags?: number;
  /** Messages per channel and `perMs` before a 429; as good as unlimited when absent. */
  rate?: { messages: number; perMs: number };
};
/** A way in which the next fitting requests fail. */
export type Fault = {
  method?: string;
  path?: RegExp;
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
  /** The request is carried out all the same: an answer that got lost on its way. */
  carriedOut?: boolean;
  /** 1 when absent. */
  times?: number;
};

const DEFAULT_TOKEN = "OTAwMDAwMDAwMDAwMDAwMDAx.Gfake0.discord-token-for-tests-only_abcdef";

export async function startDiscord(options: DiscordOptions = {}) {
  const world = new World();
  if (options.flags !== undefined) world.application.flags = options.flags;
  let token = options.token ?? DEFAULT_TOKEN;
  let relayPort = 0;
  const gateway = new FakeGateway(world, {
    heartbeatMs: options.heartbeatMs ?? 41_250,
    token: () => token,
  });
  const rest = new FakeRest(world, {
    dispatch: (t, d) => gateway.dispatch(t, d),
    gatewayUrl: () => `ws://127.0.0.1:${relayPort}`,
    sessionsLeft: () => gateway.sessionsLeft,
  });
  const calls: Call[] = [];
  /** Requests that the real Discord would have refused as malformed: 400, 404 without a route, 405. A test can expect none. */
  const problems: string[] = [];
  const faults: Fault[] = [];
  const waiting = new Set<() => void>();
  const sends = new Map<string, number[]>();

  const json = (status: number, body: unknown, headers: Record<string, string> = {}): Response =>
    new Response(status === 204 ? null : JSON.stringify(body), {
      status,
      headers: { ...(status === 204 ? {} : { "content-type": "application/json" }), ...headers },
    });
  const wrong = (answer: Refused, call: Call): Response => {
    if (answer.status === 400)
      problems.push(
        `${call.method} ${call.path}: ${answer.message} ${JSON.stringify(answer.errors ?? "")}`,
      );
    const { status, ...body } = answer;
    return json(status, body, limits(call));
  };
  const bucket = ({ method, path }: Call) => `${method}${path.replace(/\d{10,}/g, "x")}`;
  const limits = (call: Call): Record<string, string> => ({
    "x-ratelimit-limit": "1000",
    "x-ratelimit-remaining": "999",
    "x-ratelimit-reset": (Date.now() / 1000 + 1).toFixed(3),
    "x-ratelimit-reset-after": "1.000",
    "x-ratelimit-bucket": Bun.hash(bucket(call)).toString(16),
  });
  /** The platform's own limit of messages per channel, when the test wants one. */
  const tooFast = (call: Call): number | undefined => {
    const { rate } = options;
    if (!rate || call.method !== "POST" || !/^\/channels\/\d+\/messages$/.test(call.path)) return;
    const now = Date.now();
    const list = (sends.get(call.path) ?? []).filter((at) => now - at < rate.perMs);
    sends.set(call.path, list);
    if (list.length >= rate.messages) return (list[0]! + rate.perMs - now) / 1000;
    list.push(now);
    return undefined;
  };
  const limited = (seconds: number, global: boolean, call: Call): Response =>
    json(
      429,
      { message: "You are being rate limited.", retry_after: seconds, global },
      {
        ...limits(call),
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset-after": seconds.toFixed(3),
        "retry-after": String(Math.ceil(seconds)),
        "x-ratelimit-scope": global ? "global" : "user",
        ...(global && { "x-ratelimit-global": "true" }),
      },
    );

  async function api(request: Request, path: string, query: URLSearchParams): Promise<Response> {
    const call: Call = { method: request.method, path, query, ...(await bodyOf(request)) };
    calls.push(call);
    queueMicrotask(() => [...waiting].forEach((each) => each()));
    const open = /^\/(interactions|webhooks)\//.test(path);
    if (!open && request.headers.get("authorization") !== `Bot ${token}`)
      return json(401, { message: "401: Unauthorized", code: 0 });
    if (!/^DiscordBot \(/.test(request.headers.get("user-agent") ?? ""))
      return json(400, { message: "Bad user agent", code: 0 });
    const fault = faults.find(
      ({ method, path: pattern }) =>
        (!method || method === call.method) && (!pattern || pattern.test(path)),
    );
    if (fault) {
      fault.times = (fault.times ?? 1) - 1;
      if (fault.times <= 0) faults.splice(faults.indexOf(fault), 1);
      if (fault.carriedOut) rest.answer(call);
      return json(
        fault.status ?? 500,
        fault.body ?? { message: "500: Internal Server Error", code: 0 },
        fault.headers,
      );
    }
    const seconds = tooFast(call);
    if (seconds !== undefined) return limited(seconds, false, call);
    if (
      call.body === undefined &&
      /^(POST|PATCH|PUT)$/.test(call.method) &&
      !/\/(typing|reactions|pins)\b/.test(path)
    ) {
      problems.push(`${call.method} ${path}: no body`);
      return json(400, { message: "400: Bad Request", code: 0 });
    }
    const answer = rest.answer(call);
    if (!answer) {
      problems.push(`${call.method} ${path}: no such route`);
      return json(404, { message: "404: Not Found", code: 0 });
    }
    if ("code" in answer) return wrong(answer, call);
    return json(answer.status, answer.body, limits(call));
  }

  const server = Bun.serve<Link>({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    async fetch(request, self) {
      const url = new URL(request.url);
      if (request.headers.get("upgrade") === "websocket") {
        const data: Link = {
          alive: true,
          identified: false,
          url: `http://127.0.0.1:${relayPort}${url.pathname}${url.search}`,
        };
        if (self.upgrade(request, { data })) return undefined;
        return new Response(null, { status: 400 });
      }
      const file = /^\/attachments\/(.+)$/.exec(url.pathname);
      if (file) {
        const found = world.files.get(decodeURIComponent(file[1]!));
        return found
          ? new Response(found.bytes as Uint8Array<ArrayBuffer>, {
              headers: { "content-type": found.type },
            })
          : new Response("This content is no longer available.", { status: 404 });
      }
      const path = /^\/api\/v10(\/.*)$/.exec(url.pathname);
      if (!path) return json(404, { message: "404: Not Found", code: 0 });
      return api(request, path[1]!, url.searchParams);
    },
    websocket: gateway.handlers,
  });
  relayPort = await gateway.open(server.port!);
  const origin = `http://127.0.0.1:${server.port}`;

  return {
    world,
    gateway,
    rest,
    calls,
    problems,
    token,
    port: server.port!,
    apiRoot: `${origin}/api`,
    /** What the bot sent, oldest first. */
    sent: rest.sent,
    texts: (): string[] => rest.sent.map(({ content }) => content),
    person(name: string, more: Partial<User> = {}): Person {
      return new Person(world.user(name, more), world, gateway, rest, () => origin);
    },
    /** A server with one text channel; the people are members of it. */
    guild(name: string, people: Person[] = [], channel = "general") {
      const guild = world.guild(name);
      for (const { id } of people) world.join(guild, id);
      const text = world.channel({
        type: 0,
        guild_id: guild.id,
        name: channel,
        topic: `All about ${channel}`,
      });
      for (const session of gateway.sessions)
        if (session.socket) gateway.dispatch("GUILD_CREATE", world.shownGuild(guild));
      return { guild, channel: text };
    },
    channel(more: Partial<Channel> & { type: number }): Channel {
      const channel = world.channel(more);
      gateway.dispatch("CHANNEL_CREATE", channel as unknown as Json);
      return channel;
    },
    fail(fault: Fault): void {
      faults.push(fault);
    },
    /** Delivers a message: once more, or one that only was put into the world, so late or in another order. */
    deliver(message: Message): void {
      gateway.dispatch("MESSAGE_CREATE", placed(world, message));
    },
    /** The next message is refused for so long. */
    busy(seconds: number, global = false): void {
      faults.push({
        method: "POST",
        path: /\/messages$/,
        status: 429,
        body: { message: "You are being rate limited.", retry_after: seconds, global },
        headers: {
          "retry-after": String(seconds),
          "x-ratelimit-scope": global ? "global" : "user",
          ...(global && { "x-ratelimit-global": "true" }),
        },
      });
    },
    broken(times = 1): void {
      faults.push({
        method: "POST",
        path: /\/messages$/,
        status: 502,
        body: "<html>Bad Gateway</html>",
        times,
      });
    },
    /** The owner of the bot made a new token in the portal. */
    revoke(): void {
      token = `revoked-${crypto.randomUUID()}`;
    },
    /** Resolves with the newest call that fits; waits for it. `from`: calls before this index do not count. */
    async call(method: string, path: RegExp, from = 0): Promise<Call> {
      const find = () =>
        calls.slice(from).findLast((each) => each.method === method && path.test(each.path));
      await until(() => find() !== undefined);
      return find()!;
    },
    until,
    async stop(): Promise<void> {
      gateway.close();
      await server.stop(true);
    },
  };

  /** Looks again after every request and every gateway event. */
  function until(test: () => boolean): Promise<void> {
    return new Promise((done) => {
      const look = () => {
        if (!test()) return;
        waiting.delete(look);
        done();
      };
      waiting.add(look);
      look();
    });
  }
}
export type FakeDiscord = Awaited<ReturnType<typeof startDiscord>>;

async function bodyOf(request: Request): Promise<Pick<Call, "body" | "files">> {
  const files = new Map<string, Upload>();
  const type = request.headers.get("content-type") ?? "";
  if (type.startsWith("multipart/form-data")) {
    const form = await request.formData();
    for (const [key, value] of form)
      if (typeof value !== "string")
        files.set(key, {
          name: value.name,
          type: value.type,
          bytes: new Uint8Array(await value.arrayBuffer()),
        });
    const payload = form.get("payload_json");
    return { body: typeof payload === "string" ? (JSON.parse(payload) as Json) : {}, files };
  }
  const text = await request.text();
  if (!text || !type.startsWith("application/json")) return { body: undefined, files };
  const value: unknown = JSON.parse(text);
  return { body: isRecord(value) || Array.isArray(value) ? value : undefined, files };
}
