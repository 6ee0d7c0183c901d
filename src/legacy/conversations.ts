/** All conversations of an older state and the sessions that point at them, into the store. Called by take.ts. */
import { AppError, errnoOf } from "../base/errors.ts";
import type { SessionKey } from "../flow.ts";
import { canonicalKey } from "../protocol/session-key.ts";
import type { SqliteStore as Store } from "../store/sqlite/index.ts";
import type { KnownNetworks } from "./networks.ts";
import { counted, type Row, type Told } from "./report.ts";
import { cleanRecord, keyOfRecord, rowOf } from "./session.ts";
import { type OlderState, type OlderTranscript, sessionIdIn } from "./state.ts";
import { type Outcome, takeTranscript, type TranscriptMark, transcriptMark } from "./transcript.ts";

export type ConversationDeps = {
  networks: KnownNetworks;
  told: Told;
  now: number;
  progress(done: number, all: number): void;
};

/** Conversations first, so that a session never points at one that is not there. */
export async function takeConversations(
  state: OlderState,
  store: Store,
  deps: ConversationDeps,
): Promise<Row[]> {
  const { told, networks } = deps;
  const tally = { added: 0, same: 0, kept: 0, entries: 0, sessions: 0, sessionsThere: 0, busy: 0 };
  const owners = ownersOf(state, networks);
  const all = state.transcripts.reduce((sum, { source }) => sum + source.size, 0);
  let done = 0;
  const marks = new Map<string, TranscriptMark>();
  for (const older of state.transcripts) {
    const { agentId, sessionId, source } = older;
    const owner = owners.get(`${agentId}/${sessionId}`);
    const id = await idFor(older, store);
    const remembered = await store.takeover.mark<TranscriptMark>(transcriptMark(id));
    const key = owner ?? (remembered?.key as SessionKey | undefined) ?? earlierKey(older);
    const row = { sessionId: id, key, agentId, createdAt: deps.now };
    const progress = (bytes: number) => deps.progress((done += bytes), all);
    const taken = await tryTranscript(source, row, { store: store.takeover, told, progress });
    if (!taken) continue;
    const { how, mark } = taken;
    if (mark) marks.set(`${agentId}/${sessionId}`, mark);
    if (how === "same") tally.same += 1;
    else if (how === "kept") {
      tally.kept += 1;
      told.problem({
        path: source.name,
        text: "the conversation went on here, and has changed there too; ours stays as it is",
      });
    } else {
      tally.added += 1;
      tally.entries += mark?.seq ?? 0;
    }
  }
  for (const { agentId, key, record } of state.records) {
    const canonical = keyOfRecord(key, agentId, networks);
    const sessionId = sessionIdIn(record);
    const where = `agents/${agentId}/sessions/sessions.json`;
    if (!canonical || !sessionId) {
      told.problem({
        path: where,
        text: `the record of "${key.slice(0, 80)}" names no conversation`,
      });
      continue;
    }
    if (owners.get(`${agentId}/${sessionId}`) !== canonical) {
      told.problem({
        path: where,
        text: `"${key.slice(0, 80)}" is another spelling of a session, or points at another one's conversation; it is not used`,
      });
      continue;
    }
    const found = marks.get(`${agentId}/${sessionId}`);
    const id = await idFor({ agentId, sessionId }, store);
    if (!found) await emptyTranscript(store, { id, key: canonical, agentId, at: deps.now });
    const clean = cleanRecord(record);
    const row = rowOf(canonical, id, clean, saidIn(found), networks);
    const outcome = await store.takeover.session({ entry: clean, row });
    if (outcome === "added" || outcome === "changed") tally.sessions += 1;
    else tally.sessionsThere += 1;
    if (outcome === "kept") tally.busy += 1;
  }
  return conversationRows(tally, marks);
}

/** Undefined, and told, when the source cannot be read to its end: it went away, or its disk or database is damaged. */
async function tryTranscript(
  ...[source, row, deps]: Parameters<typeof takeTranscript>
): Promise<Outcome | undefined> {
  try {
    return await takeTranscript(source, row, deps);
  } catch (cause) {
    const code = errnoOf(cause);
    // What the store throws is an AppError, and ends it.
    if (cause instanceof AppError || code === undefined) throw cause;
    deps.told.problem({
      path: source.name,
      text: `it cannot be read to its end (${code})`,
      hint: "Run it again when that is mended: it goes on there.",
    });
    return undefined;
  }
}

const saidIn = (mark: TranscriptMark | undefined) => ({
  contextFrom: mark?.contextFrom ?? 1,
  ...(mark?.createdAt !== undefined && { createdAt: mark.createdAt }),
  ...(mark?.preview !== undefined && { preview: mark.preview }),
  ...(mark?.title !== undefined && { title: mark.title }),
});

type Tally = Record<
  "added" | "same" | "kept" | "entries" | "sessions" | "sessionsThere" | "busy",
  number
>;

function conversationRows(tally: Tally, marks: Map<string, TranscriptMark>): Row[] {
  const rows: Row[] = [];
  const add = (what: string, fresh: number, there: number, note?: string) => {
    const to = "the database";
    if (fresh > 0) rows.push({ what, count: fresh, to, state: "new", ...(note && { note }) });
    if (there > 0) rows.push({ what, count: there, to, state: "there" });
  };
  const kinds: Record<string, number> = {};
  for (const { kept } of marks.values())
    for (const [kind, n] of Object.entries(kept)) kinds[kind] = (kinds[kind] ?? 0) + n;
  const unused = Object.entries(kinds).map(([kind, n]) => `${n} ${kind}`);
  add(
    "conversations",
    tally.added,
    tally.same + tally.kept,
    counted(tally.entries, "entry", "entries"),
  );
  add("sessions", tally.sessions, tally.sessionsThere);
  if (tally.busy > 0)
    rows.at(-1)!.note =
      `${tally.busy} used here already: ours goes on, the older conversation is kept`;
  if (unused.length > 0)
    rows.push({
      what: "lines without a meaning here",
      count: Object.values(kinds).reduce((sum, n) => sum + n, 0),
      to: "the database, for an export",
      state: "kept",
      note: unused.join(", "),
    });
  return rows;
}

/** Which session a conversation belongs to. Of two records of one session the newer counts, the canonical spelling on a tie. */
function ownersOf(state: OlderState, networks: KnownNetworks): Map<string, SessionKey> {
  const best = new Map<string, { at: number; exact: boolean; conversation: string }>();
  for (const { agentId, key, record } of state.records) {
    const canonical = keyOfRecord(key, agentId, networks);
    const sessionId = sessionIdIn(record);
    if (!canonical || !sessionId) continue;
    const at = typeof record["updatedAt"] === "number" ? record["updatedAt"] : 0;
    const mine = { at, exact: key === canonical, conversation: `${agentId}/${sessionId}` };
    const other = best.get(canonical);
    if (other && (other.at > at || (other.at === at && (other.exact || !mine.exact)))) continue;
    best.set(canonical, mine);
  }
  const owners = new Map<string, SessionKey>();
  // Two sessions with one conversation: the one that was used last has it.
  const byAge = [...best].sort(([, a], [, b]) => a.at - b.at);
  for (const [key, { conversation }] of byAge) owners.set(conversation, key as SessionKey);
  return owners;
}

/** A conversation that no session points at: one from before a reset. */
const earlierKey = ({ agentId, sessionId }: Pick<OlderTranscript, "agentId" | "sessionId">) =>
  canonicalKey(`agent:${agentId}:earlier:${sessionId}`, { agentId }) ??
  (`agent:${agentId}:earlier:unknown` as SessionKey);

/** The id that it had; another one, always the same, when two agents have a conversation of one id. */
async function idFor(
  { agentId, sessionId }: Pick<OlderTranscript, "agentId" | "sessionId">,
  store: Store,
): Promise<string> {
  const mark = await store.takeover.mark<TranscriptMark>(transcriptMark(sessionId));
  if (!mark || mark.agentId === agentId) return sessionId;
  const hash = new Bun.CryptoHasher("sha256").update(`${agentId}/${sessionId}`).digest("hex");
  return hash.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5");
}

/** A session whose file is not there: its settings count all the same. */
async function emptyTranscript(
  store: Store,
  { id, key, agentId, at }: { id: string; key: SessionKey; agentId: string; at: number },
): Promise<void> {
  if ((await store.takeover.length(id)) !== undefined) return;
  const value = {
    of: "none",
    agentId,
    key,
    line: 0,
    seq: 0,
    done: true,
    contextFrom: 1,
    chars: 0,
    next: { seq: 1, at: 0 },
  };
  await store.takeover.append({ sessionId: id, key, agentId, createdAt: at }, [], {
    ...{ fresh: true, seq: 0, mark: transcriptMark(id) },
    value: { ...value, kept: {}, broken: 0 },
  });
}
