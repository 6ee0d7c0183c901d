/** Between database rows and the types of store.ts. Columns that hold JSON are parsed here and nowhere else. */
import { AppError } from "../../base/errors.ts";
import type { Address, Block, Inbound, Message, SessionKey, Trust } from "../../flow.ts";
import type {
  Entry,
  EntryBody,
  NewEntry,
  NewOutbox,
  OutboxRow,
  OutboxState,
  SessionRow,
  SessionSettings,
  TurnRow,
  TurnState,
} from "../store.ts";

/** JSON for a row. Throws bad_request for what JSON cannot hold, which would come back as something else. */
export function toJson(value: unknown): string {
  const text = JSON.stringify(value);
  if (text === undefined) throw new AppError("bad_request", "The value cannot be stored as JSON.");
  return text;
}

/** The value, or undefined when a damaged disk has changed the text. */
export function parseJson<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

export type TurnRecord = {
  run_id: string;
  inbound_id: number;
  agent_id: string;
  session_key: string;
  session_id: string | null;
  state: TurnState;
  trust: Trust;
  attempts: number;
  lead_id: string | null;
  inbound: string;
  reply: string;
  accepted_at: number;
  started_at: number | null;
  ended_at: number | null;
  error: string | null;
};

/** Every query that feeds `turnRow` starts with this. */
export const SELECT_TURN = `SELECT t.run_id, t.inbound_id, t.agent_id, t.session_key, t.session_id, t.state, t.trust,
  t.attempts, t.lead_id, i.body AS inbound, t.reply, t.accepted_at, t.started_at, t.ended_at, t.error
  FROM turns t JOIN inbound i ON i.id = t.inbound_id`;

/** Undefined when the message that it answers cannot be read any more. */
export function turnRow(row: TurnRecord): TurnRow | undefined {
  const inbound = parseJson<Inbound>(row.inbound);
  const reply = parseJson<Address>(row.reply);
  if (!inbound || !reply) return undefined;
  return {
    id: row.run_id,
    inboundId: row.inbound_id,
    agentId: row.agent_id,
    sessionKey: row.session_key as SessionKey,
    state: row.state,
    attempts: row.attempts,
    leadId: row.lead_id ?? undefined,
    inbound,
    reply,
    trust: row.trust,
    acceptedAt: row.accepted_at,
    startedAt: row.started_at ?? undefined,
    endedAt: row.ended_at ?? undefined,
    error: row.error === null ? undefined : parseJson(row.error),
  };
}

export type SessionRecord = {
  key: string;
  agent_id: string;
  session_id: string;
  created_at: number;
  updated_at: number;
  chat: SessionRow["chat"];
  route: string | null;
  title: string | null;
  preview: string | null;
  settings: string;
  input: number;
  output: number;
  cache_read: number;
  cache_write: number;
  context_tokens: number;
  context_from: number;
  aborted_last_run: number;
};

export const SESSION_COLUMNS = `key, agent_id, session_id, created_at, updated_at, chat, route, title, preview, settings,
  input, output, cache_read, cache_write, context_tokens, context_from, aborted_last_run`;

export const sessionRow = (row: SessionRecord): SessionRow => ({
  key: row.key as SessionKey,
  agentId: row.agent_id,
  sessionId: row.session_id,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  chat: row.chat,
  route: row.route === null ? undefined : parseJson<Address>(row.route),
  title: row.title ?? undefined,
  preview: row.preview ?? undefined,
  settings: parseJson<SessionSettings>(row.settings) ?? {},
  usage: {
    input: row.input,
    output: row.output,
    cacheRead: row.cache_read,
    cacheWrite: row.cache_write,
  },
  contextTokens: row.context_tokens,
  contextFrom: row.context_from,
  abortedLastRun: row.aborted_last_run === 1,
});

export type EntryRecord = { seq: number; at: number; body: string };

/** A body that a damaged disk has changed becomes a note, so that one bad row never closes a conversation. */
export const entryRow = (row: EntryRecord): Entry => ({
  seq: row.seq,
  at: row.at,
  body: parseJson<EntryBody>(row.body) ?? {
    kind: "note",
    level: "error",
    text: "This entry cannot be read: the database was damaged here.",
    code: "store_failed",
  },
});

export type OutboxRecord = {
  key: string;
  run_id: string | null;
  body: string;
  state: OutboxState;
  attempts: number;
  due_at: number;
  created_at: number;
  receipt: string | null;
  error: string | null;
};

export function outboxRow(row: OutboxRecord): OutboxRow | undefined {
  const body = parseJson<Omit<NewOutbox, "key" | "runId">>(row.body);
  if (!body) return undefined;
  return {
    ...body,
    key: row.key,
    ...(row.run_id !== null && { runId: row.run_id }),
    state: row.state,
    attempts: row.attempts,
    dueAt: row.due_at,
    createdAt: row.created_at,
    receipt: row.receipt === null ? undefined : parseJson(row.receipt),
    error: row.error ?? undefined,
  };
}

/** One line of at most `limit` characters for lists; a cut is marked and never splits a surrogate pair. */
export function excerpt(text: string, limit: number): string | undefined {
  // Looking at a piece is enough: a pasted megabyte must not cost a megabyte of work.
  const line = text
    .slice(0, limit * 8)
    .replace(/\s+/g, " ")
    .trim()
    .toWellFormed();
  if (line === "") return undefined;
  const characters = Array.from(line);
  return characters.length <= limit ? line : `${characters.slice(0, limit - 1).join("")}…`;
}

const textOf = (message: Message): string =>
  message.blocks
    .filter((block: Block) => block.type === "text")
    .map((block) => block.text)
    .join(" ");

/** The last thing that was said in these entries, for the list of sessions. */
export function previewOf(entries: NewEntry[]): string | undefined {
  for (const { body } of entries.toReversed())
    if (body.kind === "message" && body.message.role !== "tool") {
      const text = excerpt(textOf(body.message), 120);
      if (text) return text;
    }
  return undefined;
}
