/**
 * Everything durable except the config file, behind one async interface.
 * One call is one atomic unit; what must change together gets one named method. There is no open-ended transaction: on one
 * SQLite connection a stranger's write would fall inside it and be rolled back with it. Every call is async although bun:sqlite
 * is not, so that PostgreSQL can stand behind the same names. Identity is `{agentId, sessionId}`; no file paths in rows.
 * Calls marked "durable" resolve only when the data is on the disk (synchronous=FULL). All lists are paged by an index.
 * Every call throws `disk_full` or `store_failed` and then has changed nothing.
 */
import type {
  Address,
  Inbound,
  MediaRef,
  Message,
  ModelChoice,
  Outbound,
  Receipt,
  Route,
  SessionKey,
  Thinking,
  Trust,
  Usage,
} from "../flow.ts";
import type { OlderLine } from "./older-line.ts";

/** One conversation thread. `sessionId` changes with every reset; the key does not. */
export type SessionRow = {
  key: SessionKey;
  agentId: string;
  sessionId: string;
  createdAt: number;
  updatedAt: number;
  chat: Inbound["chat"];
  /** Where the last message came from. */
  route?: Address;
  title?: string;
  /** The last thing said, at most 120 characters, for lists. */
  preview?: string;
  settings: SessionSettings;
  usage: Usage;
  /** Tokens that the last model call saw. */
  contextTokens: number;
  /** First transcript `seq` that still goes to the model; older entries are history only. */
  contextFrom: number;
  abortedLastRun: boolean;
};

/** What a user sets per session (`sessions.patch`). Absent means the default. */
export type SessionSettings = {
  label?: string;
  model?: string;
  thinkingLevel?: Thinking;
  verboseLevel?: "on" | "off" | "full";
  reasoningLevel?: "on" | "off" | "stream";
  elevatedLevel?: "on" | "off" | "ask" | "full";
  responseUsage?: "off" | "tokens" | "full";
  sendPolicy?: "allow" | "deny";
  groupActivation?: "mention" | "always";
  execHost?: "sandbox" | "gateway" | "node";
  execSecurity?: "deny" | "allowlist" | "full";
  execAsk?: "off" | "on-miss" | "always";
  execNode?: string;
  spawnedBy?: string;
};

/** One fact of a transcript; append only. What the model sees is derived from these by agent/view.ts. */
export type EntryBody =
  | {
      kind: "message";
      message: Message;
      runId?: string;
      choice?: ModelChoice;
      usage?: Usage;
      partial?: true;
      was?: OlderLine;
    }
  /** Context that belongs to the user message before it and was true only then (time, changed files). */
  | { kind: "context"; text: string; runId?: string; was?: OlderLine }
  /** A line of an older system that means nothing here; it goes back with an export. */
  | { kind: "kept"; line: Record<string, unknown> }
  /** For people, never for the model: an error, a fallback, a restart recovery. */
  | {
      kind: "note";
      level: "info" | "error";
      text: string;
      code?: string;
      hint?: string;
      runId?: string;
      was?: OlderLine;
    };
export type NewEntry = { at: number; body: EntryBody };
/** `seq` grows by one within a session id. */
export type Entry = NewEntry & { seq: number };

/** @property since epoch ms; `after` is the `next` of the call before */
export type UsageQuery = { since: number; after?: UsageCursor };
/** The entries of this transcript below `before` are still to be read, and all transcripts behind it. */
export type UsageCursor = { transcript: number; before: number };
/** Sums of the answers of one model within a quarter of an hour that begins at `at`. */
export type UsageRow = {
  at: number;
  agentId: string;
  provider: string;
  model: string;
  /** Answers of the model. */
  calls: number;
  usage: Usage;
};
export type UsagePage = { rows: UsageRow[]; next?: UsageCursor };

/**
 * queued: accepted, not begun. running: begun; after a restart it is continued. merged: answered by the turn `leadId`.
 * The other three are final.
 */
export type TurnState = "queued" | "running" | "merged" | "done" | "failed" | "aborted";
/** A turn is the promise to answer one accepted message. `id` is the run id that clients see. */
export type TurnRow = {
  id: string;
  inboundId: number;
  agentId: string;
  sessionKey: SessionKey;
  state: TurnState;
  /** How often it was begun: 1 normally, more after restarts in the middle. */
  attempts: number;
  leadId?: string;
  inbound: Inbound;
  reply: Address;
  /** Of its sender, when it was accepted; messages of different trust are never answered together. */
  trust: Trust;
  acceptedAt: number;
  startedAt?: number;
  endedAt?: number;
  error?: { code: string; message: string; hint?: string };
};

export type OutboxState = "pending" | "sending" | "delivered" | "unknown" | "dead";
/** One message on its way out. `key` is unique: putting it twice changes nothing. */
export type OutboxRow = NewOutbox & {
  state: OutboxState;
  attempts: number;
  dueAt: number;
  createdAt: number;
  receipt?: Receipt;
  error?: string;
};
export type NewOutbox = {
  key: string;
  /** The turn that it answers, if any; `message trace` follows it. */
  runId?: string;
  to: Address;
  /** Markdown; it is put into the channel's own markup when it is sent. */
  text: string;
  media?: MediaRef[];
  buttons?: Outbound["buttons"];
  silent?: true;
  edits?: string;
};

/** Everything that is known of one message, for "why did I get no answer?". */
export type Trace = {
  inbound: Inbound;
  route: Route;
  acceptedAt: number;
  turn?: TurnRow;
  /** The turn that answered it together with others. */
  lead?: TurnRow;
  tools: { name: string; at: number; failed: boolean }[];
  outbox: OutboxRow[];
};
export type TraceQuery = {
  limit: number;
  /** `inboundId` of the last row seen. */
  before?: number;
  channel?: string;
  /** Only those without a delivered message of ours: dropped, failed or silent. Operators read the transcript, so a turn that is done has answered them. */
  unanswered?: boolean;
};
export type TracePage = { rows: (Trace & { inboundId: number })[] };

/** A stranger who has been given a code and waits. */
export type PairingRow = {
  channel: string;
  account: string;
  /** Canonical id. */
  sender: string;
  code: string;
  /** Names as the platform gave them; for people only. */
  meta: Record<string, string>;
  createdAt: number;
  lastSeenAt: number;
};
export type AllowedRow = { channel: string; account: string; sender: string; addedAt: number };

export type SessionPage = { rows: SessionRow[]; total: number };
export type SessionQuery = {
  agentId?: string;
  limit: number;
  /** Rows strictly older than this `updatedAt`, for the next page. */
  before?: number;
  /** Together with `before`: the key of the last row seen, so that rows of the same moment are not skipped. */
  beforeKey?: SessionKey;
  /** Only rows updated at or after this time. */
  since?: number;
  label?: string;
  spawnedBy?: string;
  /** Case-insensitive part of key, label, title or session id. */
  search?: string;
};

export interface Store {
  inbound: {
    /**
     * Durable. Stores the message with the router's decision and, for a turn, opens it (and its session) in the same unit.
     * The same `(channel, account, id)` again gives the earlier turn with `duplicate: true` and stores nothing.
     */
    accept(
      inbound: Inbound,
      route: Route,
      runId: string,
      with_?: {
        /** Values of the channel that must not be stored without the message, nor it without them. */
        state?: { scope: string; entries: Record<string, unknown> };
        /** The immediate answer. */
        outbox?: NewOutbox[];
      },
    ): Promise<{ turn: TurnRow | undefined; duplicate: boolean }>;
    /** A message that is stored already, and the decision on it. */
    find(
      from: Pick<Address, "channel" | "account">,
      id: string,
    ): Promise<{ inbound: Inbound; route: Route; turn: TurnRow | undefined } | undefined>;
    /**
     * Puts another text in the place of a message whose turn has not begun, or that is kept as context (and then has no run).
     * `late`: it was answered or decided otherwise, and nothing changed. Undefined for a message that is not known.
     */
    amend(
      from: Pick<Address, "channel" | "account">,
      id: string,
      text: string,
    ): Promise<{ runId?: string; late: boolean } | undefined>;
    /**
     * Messages of a chat that were not for us (`not_mentioned`) since the last turn there, oldest first, at most `limit` of the
     * newest.
     */
    unanswered(chat: Address, limit: number): Promise<{ inbound: Inbound; at: number }[]>;
    /** Whether a message of this chat, in any of its threads, has become a turn. Looks back a week. */
    talked(chat: Address): Promise<boolean>;
    /** `id`: a run, the platform's message id, or the key or platform id of something sent. The newest that fits. */
    trace(id: string): Promise<Trace | undefined>;
    /** Newest first. */
    recent(query: TraceQuery): Promise<TracePage>;
  };
  /** Strangers who wait, and those who were let in. */
  pairing: {
    /**
     * The stranger's code; the same one while it lives. `created` is false when there was one already.
     * With `cap` others waiting at this account the oldest makes room, so that a flood cannot lock out a real person.
     */
    request(
      who: Pick<PairingRow, "channel" | "account" | "sender" | "meta">,
      at: number,
      limits: { ttlMs: number; cap: number },
    ): Promise<{ code: string; created: boolean }>;
    /** Those who still wait, oldest first. */
    list(at: number, ttlMs: number, channel?: string): Promise<PairingRow[]>;
    /** Durable. Lets the sender in; undefined when nobody waits with this code. */
    approve(
      code: string,
      at: number,
      ttlMs: number,
      channel?: string,
    ): Promise<PairingRow | undefined>;
    dismiss(code: string): Promise<boolean>;
    /** Everybody who was let in; few. */
    allowed(): Promise<AllowedRow[]>;
    /** Durable. Lets a sender in without a code. Throws `bad_request` for what is no person's id. */
    allow(row: AllowedRow): Promise<void>;
    revoke(row: Pick<AllowedRow, "channel" | "account" | "sender">): Promise<boolean>;
  };
  turns: {
    get(id: string): Promise<TurnRow | undefined>;
    /** Not final ones, oldest accepted first. Read once at start, to go on where a crash stopped. */
    unfinished(): Promise<TurnRow[]>;
    /**
     * Begins `ids[0]` (attempts + 1) and merges the others into it, appending `entries` to its session's transcript.
     * Gives undefined when the first is already final (aborted while it waited).
     */
    begin(ids: string[], entries: NewEntry[], at: number): Promise<TurnRow | undefined>;
    /** Takes back the attempt of turns that an orderly stop left running, so that only crashes count. Others stay as they are. */
    release(ids: string[]): Promise<void>;
    /** Takes queued turns into a running one (steering); `entries` are their user messages. Gives the ids really taken. */
    merge(ids: string[], leadId: string, entries: NewEntry[]): Promise<string[]>;
    /** Appends what a running turn produced: one model answer or one batch of tool results. */
    append(id: string, entries: NewEntry[]): Promise<void>;
    /**
     * Durable. The end of a turn in one unit: the last entries, the final state, the session's usage and preview, what goes out.
     * A turn that is already final stays as it is and nothing is appended (answered once). Gives whether it was this call.
     */
    finish(
      id: string,
      end: {
        state: "done" | "failed" | "aborted";
        at: number;
        entries: NewEntry[];
        error?: TurnRow["error"];
        usage?: Usage;
        contextTokens?: number;
        outbox: NewOutbox[];
      },
    ): Promise<boolean>;
  };
  transcript: {
    /** Newest `limit` entries before `before` (exclusive; the end when absent), in ascending order. */
    page(sessionId: string, q: { before?: number; limit: number }): Promise<Entry[]>;
    /** Entries with `seq >= from`, ascending. For the model's view; bounded by `contextFrom`. */
    from(sessionId: string, from: number): Promise<Entry[]>;
    /** Appends outside a turn (`chat.inject`). Gives the entries with their `seq`. */
    append(sessionId: string, entries: NewEntry[]): Promise<Entry[]>;
    /**
     * What models have used, over all transcripts. One call reads a bounded number of entries; `next` goes on, and is absent at the
     * end. Rows of several calls may be about the same time and model.
     */
    usage(query: UsageQuery): Promise<UsagePage>;
  };
  sessions: {
    get(key: SessionKey): Promise<SessionRow | undefined>;
    byId(sessionId: string): Promise<SessionRow | undefined>;
    /** Newest first. `total` counts all rows of the query without its page. */
    list(query: SessionQuery): Promise<SessionPage>;
    /** Creates the row when it is missing. */
    ensure(key: SessionKey, agentId: string, at: number): Promise<SessionRow>;
    /** `null` clears a setting. Creates the row when it is missing. */
    patch(
      key: SessionKey,
      agentId: string,
      patch: { [K in keyof SessionSettings]?: SessionSettings[K] | null },
      at: number,
    ): Promise<SessionRow>;
    setContextFrom(key: SessionKey, sessionId: string, seq: number): Promise<void>;
    /** New session id, empty transcript, counters at zero; settings stay. The old transcript is kept under its id. */
    reset(key: SessionKey, agentId: string, at: number): Promise<SessionRow>;
    /** The conversation goes on under another key. False when `from` does not exist or `to` does. */
    rename(from: SessionKey, to: SessionKey): Promise<boolean>;
    /** Removes the row and, unless `keepTranscript`, its entries. Gives whether there was one. */
    delete(key: SessionKey, keepTranscript: boolean): Promise<boolean>;
  };
  outbox: {
    /** Durable. */
    put(rows: NewOutbox[], at: number): Promise<void>;
    /**
     * Pending rows whose time has come, oldest first. A row behind an earlier one of the same chat that is being sent or waits for
     * its time is not due, or messages would overtake each other.
     */
    due(now: number, limit: number): Promise<OutboxRow[]>;
    /**
     * Durable. Marks it before the platform is called, so that a crash leaves `sending`, not a silent second copy.
     * Gives false, and the caller must not send, when it is not pending any more.
     */
    sending(key: string): Promise<boolean>;
    /** Durable. */
    delivered(key: string, receipt: Receipt): Promise<void>;
    /** Back to `pending`, due at `at`. */
    retry(key: string, at: number, error: string): Promise<void>;
    /** Gives up: `dead` (the platform said no) or `unknown` (a crash while sending: it may have arrived). */
    giveUp(key: string, state: "dead" | "unknown", error: string): Promise<void>;
    /** Rows left in `sending` by a crash. Read once at start. */
    interrupted(): Promise<OutboxRow[]>;
    /** Newest first, in any state; `dead` and `unknown` ones are what a person has to look at. */
    list(query: { limit: number; states?: OutboxState[] }): Promise<OutboxRow[]>;
    get(key: string): Promise<OutboxRow | undefined>;
  };
  /** Small values of one owner (`scope`): snapshots, offsets, generated secrets' hashes. JSON values. */
  kv: {
    get<T>(scope: string, key: string): Promise<T | undefined>;
    set(scope: string, key: string, value: unknown): Promise<void>;
    delete(scope: string, key: string): Promise<void>;
    /** Durable. All of `entries` or none; `undefined` removes. */
    put(scope: string, entries: Record<string, unknown>): Promise<void>;
    /** Keys of a scope that begin with `prefix`, in order. */
    keys(scope: string, prefix: string): Promise<string[]>;
    /** Removes everything of a scope. Gives whether there was something. */
    clear(scope: string): Promise<boolean>;
  };
  /** Why new messages are not taken now, in a sentence: the disk is full. Undefined while all is well. Cheap. */
  problem?(): string | undefined;
  counts(): Promise<{ sessions: number; unfinishedTurns: number; pendingOutbox: number }>;
  close(): Promise<void>;
}
