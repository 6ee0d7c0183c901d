/** The part of the fake gateway that knows chat networks: accounts, strangers who wait, sign-ins, and what became of messages. */
import type { Methods } from "../../src/gateway/methods/index.ts";
import type { TraceShape } from "../../src/gateway/methods/trace-shape.ts";

type Json = Record<string, unknown>;
type Answer<K extends keyof Methods> = Methods[K] extends {
  run(...args: never[]): Promise<infer R>;
}
  ? R
  : never;
type Account = Answer<"channels.status">["channelAccounts"][string][number];
type Person = Answer<"pairing.list">["requests"][number];
type Allowed = Answer<"pairing.list">["allowed"][number];
type LoginAnswer = Answer<"web.login.wait">;

/** An error that the gateway answers with. */
export class Refusal {
  constructor(
    readonly message: string,
    readonly hint?: string,
    readonly code = "INVALID_REQUEST",
  ) {}
}

const NAMES: Record<string, [label: string, image: string]> = {
  telegram: ["Telegram", "paperplane"],
  whatsapp: ["WhatsApp", "message"],
  discord: ["Discord", "bubble.left.and.bubble.right"],
};
const LINKED = "whatsapp";
const column = (i: 0 | 1) =>
  Object.fromEntries(Object.entries(NAMES).map(([id, names]) => [id, names[i]]));

/** An account that is well, with what is said over it. */
export function account(over: Partial<Account> = {}): Account {
  const now = Date.now();
  return {
    accountId: "default",
    enabled: true,
    configured: true,
    running: true,
    connected: true,
    mode: null,
    self: null,
    dmPolicy: "pairing",
    groupPolicy: "allowlist",
    allowFrom: [],
    reconnectAttempts: 0,
    roundTripMs: 84,
    lastError: null,
    lastStartAt: now - 7_200_000,
    lastStopAt: null,
    lastConnectedAt: now - 7_190_000,
    lastEventAt: now - 12_000,
    lastInboundAt: now - 180_000,
    lastOutboundAt: now - 170_000,
    lastDisconnect: null,
    ...over,
  };
}

/** A message that was answered, with what is said over it. */
export function trace(over: Partial<TraceShape> & { id: string }): TraceShape {
  const at = over.acceptedAt ?? Date.now() - 60_000;
  return {
    channel: "telegram",
    accountId: "default",
    chatId: "4711",
    chat: "dm",
    sender: { id: "4711", name: "Ada" },
    text: "Hello",
    media: 0,
    sentAt: at - 800,
    acceptedAt: at,
    decision: {
      kind: "turn",
      what: "It is for the assistant.",
      by: "default",
      agentId: "main",
      sessionKey: "agent:main:main",
    },
    run: {
      id: `run-${over.id}`,
      state: "done",
      attempts: 1,
      startedAt: at + 40,
      endedAt: at + 4_200,
    },
    tools: [],
    outbox: [
      {
        key: `run-${over.id}:0`,
        state: "delivered",
        attempts: 1,
        text: "Hello to you.",
        createdAt: at + 4_200,
        dueAt: at + 4_200,
        sentAt: at + 4_500,
        ids: ["9001"],
      },
    ],
    answered: true,
    outcome: "Answered.",
    ...over,
  };
}

/** Wire methods that are answered here. */
export class FakeNetworks {
  accounts: Record<string, Account[]> = {};
  warnings: Answer<"channels.status">["warnings"] = [];
  waiting: Person[] = [];
  allowed: Allowed[] = [];
  /** Newest first. */
  messages: TraceShape[] = [];
  /** What the next waits of the sign-in give, in order; a wait stays open until there is one. */
  private readonly steps: LoginAnswer[] = [];
  private readonly awaited: ((step: LoginAnswer) => void)[] = [];
  /** The first answer of a sign-in; with a phone number it is a code. */
  first: Answer<"web.login.start"> = { message: "Scan this.", qrDataUrl: PIXEL };

  /** A step of the sign-in that goes on. */
  step(step: Partial<LoginAnswer>): void {
    const full = { message: "", connected: false, over: false, ...step };
    const waiting = this.awaited.shift();
    if (waiting) waiting(full);
    else this.steps.push(full);
  }

  knock(over: Partial<Person> & { id: string; code: string }): Person {
    const at = Date.now() - 120_000;
    const person = { channel: "telegram", accountId: "default", meta: {}, ...over };
    const full = { createdAt: at, lastSeenAt: at, ...person };
    this.waiting.push(full);
    return full;
  }

  /** Undefined: no method of this part. May be a promise. Throws Refusal. */
  answer(method: string, params: Json): unknown {
    switch (method) {
      case "channels.status":
        return this.status(params.probe === true);
      case "channels.logout":
        for (const each of this.accounts[String(params.channel)] ?? [])
          Object.assign(each, { linked: false, running: false, connected: false, self: null });
        return { channel: params.channel, accountId: "default", cleared: true, loggedOut: true };
      case "web.login.start":
        return params.phone ? { message: "Type this.", code: "ABCD2345" } : this.first;
      case "web.login.wait": {
        const step = this.steps.shift();
        return step ?? new Promise((resolve) => this.awaited.push(resolve));
      }
      case "pairing.list":
        return { requests: this.waiting, allowed: this.allowed };
      case "pairing.approve": {
        const { channel, accountId, id } = this.take(params.code);
        this.allowed.push({ channel, accountId, id, addedAt: Date.now() });
        return { approved: { channel, accountId, id } };
      }
      case "pairing.dismiss":
        this.take(params.code);
        return { dismissed: true, code: params.code };
      case "pairing.revoke": {
        const before = this.allowed.length;
        this.allowed = this.allowed.filter(
          (row) => row.id !== params.id || row.channel !== params.channel,
        );
        if (this.allowed.length < before) return { revoked: true };
        throw new Refusal(`Nobody with the id ${params.id} was let in.`);
      }
      case "message.trace": {
        const found = this.messages.find(({ id, run, outbox }) =>
          [id, run?.id, ...outbox.flatMap((row) => [row.key, ...row.ids])].includes(
            params.id as string,
          ),
        );
        if (found) return { trace: found };
        throw new Refusal(
          `No message is known under ${params.id}.`,
          "`clawdbot message recent` has the newest.",
        );
      }
      case "messages.recent":
        return this.recent(params);
      default:
        return undefined;
    }
  }

  private take(code: unknown): Person {
    const found = this.waiting.find((row) => row.code === code);
    if (!found) throw new Refusal(`No pending pairing request found for code: ${code}`);
    this.waiting = this.waiting.filter((row) => row !== found);
    return found;
  }

  private status(probe: boolean): unknown {
    const { accounts } = this;
    return {
      ts: Date.now(),
      channelOrder: Object.keys(NAMES),
      channelLabels: column(0),
      channelDetailLabels: column(0),
      channelSystemImages: column(1),
      channelMeta: [],
      channels: Object.fromEntries(
        Object.keys(NAMES).map((id) => [
          id,
          { configured: !!accounts[id]?.length, ...(id === LINKED && { linked: false }) },
        ]),
      ),
      channelAccounts: Object.fromEntries(
        Object.keys(NAMES).map((id) => [
          id,
          (accounts[id] ?? []).map(({ probe: result, ...row }) =>
            probe && row.running ? { ...row, probe: result, lastProbeAt: Date.now() } : row,
          ),
        ]),
      ),
      channelDefaultAccountId: {},
      warnings: this.warnings,
    };
  }

  private recent({ limit = 20, before, channel, unanswered }: Json): unknown {
    // The cursor is the row's place from the end, as it is the row's number in the store.
    const rows = this.messages
      .map((row, i) => ({ row, number: this.messages.length - i }))
      .filter(({ row, number }) => !channel || (row.channel === channel && number > 0))
      .filter(({ row }) => !unanswered || !row.answered)
      .filter(({ number }) => before === undefined || number < Number(before));
    const page = rows.slice(0, Number(limit));
    return {
      messages: page.map(({ row }) => row),
      ...(page.length === limit && { nextBefore: page.at(-1)!.number }),
    };
  }
}

/** One white pixel. */
export const PIXEL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
