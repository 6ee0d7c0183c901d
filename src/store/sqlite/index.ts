/** The store on one SQLite file. Everything about SQLite is in this folder; nothing above it knows. */
import type { Logger } from "../../base/log.ts";
import { type Clock, systemClock } from "../../base/time.ts";
import type { Store } from "../store.ts";
import type { Takeover } from "../takeover.ts";
import { Units } from "./commit.ts";
import type { Connection } from "./database.ts";
import { isDamage, storeError } from "./failure.ts";
import { inboundCalls } from "./inbound.ts";
import { kvCalls } from "./kv.ts";
import { migrate, type Migration, MIGRATIONS } from "./migrations.ts";
import { takeoverCalls } from "./older/takeover.ts";
import { outboxCalls } from "./outbox.ts";
import { pairingCalls } from "./pairing.ts";
import { KEEP_MS, pruneStep } from "./prune.ts";
import { backupDue, backupNow, makeBackup } from "./rescue/backup.ts";
import { suspect } from "./rescue/damage.ts";
import { openOrRecover, type Recovery } from "./rescue/recovery.ts";
import { retryWithRoom, Space, type SpaceLimits } from "./rescue/space.ts";
import { sessionCalls } from "./sessions.ts";
import { transcriptCalls } from "./transcript.ts";
import { turnCalls } from "./turns.ts";

export type { Recovery } from "./rescue/recovery.ts";

/** A larger database is not copied while the program stops: that would make the stop slow. The next run makes it. */
const CLOSE_BACKUP_BYTES = 8 * 1024 * 1024;

/** What a backup must leave free. */
const SPARE_BYTES = 64 * 1024 * 1024;
/** Rows that one step of forgetting removes: a few milliseconds. */
const PRUNE_ROWS = 200;
/** Between two steps of work that can wait, in ms: the gateway keeps more than half of the time. */
const REST_MS = 5;

const rest = (signal: AbortSignal) => systemClock.sleep(REST_MS, signal);

type Counts = Awaited<ReturnType<Store["counts"]>>;
/** Each from a small or partial index; nothing here grows with history. */
const COUNTS = `SELECT (SELECT count(*) FROM sessions) AS sessions,
  (SELECT count(*) FROM turns WHERE ended_at IS NULL) AS unfinishedTurns,
  (SELECT count(*) FROM outbox WHERE state = 'pending') + (SELECT count(*) FROM outbox WHERE state = 'sending')
    AS pendingOutbox`;

export type SqliteOptions = {
  /** `:memory:` keeps nothing. The folder must exist. */
  path: string;
  log: Logger;
  clock?: Clock;
  space?: SpaceLimits;
  migrations?: Migration[];
  /** Treat the folder as a network share (no WAL); found out when absent. */
  remote?: boolean;
};

export type SqliteStore = Store & {
  takeover: Takeover;
  /** Present when the file was damaged at open: what was done, and what is lost. */
  recovery?: Recovery;
  /**
   * Makes a backup when the newest is older than a day, and forgets ledger rows that are older than a week. Gives the path
   * of the new backup. Goes on in small steps beside the work; call it when there is little to do, at least once a day.
   */
  backup(now: number): Promise<string | undefined>;
};

/** Throws `store_failed`, `disk_full` or `store_newer`. Only one process may have the file open (base/lock.ts sees to it). */
export async function openSqlite(options: SqliteOptions): Promise<SqliteStore> {
  const { path, log, clock = systemClock, migrations = MIGRATIONS, remote } = options;
  let connection: Connection | undefined;
  try {
    const opening = { path, log, now: clock.now(), migrations, remote };
    const opened = retryWithRoom(path, () => openOrRecover(opening));
    connection = opened.connection;
    migrate(connection, migrations, () => backupNow(opened.connection, clock.now()));
    return storeOn(connection, opened.recovery, options);
  } catch (cause) {
    connection?.close();
    throw storeError(cause, path);
  }
}

function storeOn(
  connection: Connection,
  recovery: Recovery | undefined,
  { path, log, clock = systemClock, space: limits = {} }: SqliteOptions,
): SqliteStore {
  const space = connection.memory ? undefined : new Space(path, limits, log, () => clock.now());
  const failed = (cause: unknown) => {
    const error = storeError(cause, path);
    log.error("the database failed", { file: path, code: error.code, error: error.message });
    if (isDamage(cause)) suspect(path, error.message);
  };
  const unreadable = (what: string) => (id: string) =>
    log.error("a stored row cannot be read and was passed over", { file: path, what, id });
  const units = new Units(connection, () => space?.giveUp() ?? false, clock, failed);
  const stopping = new AbortController();
  space?.fill();

  const prune = async (now: number) => {
    const step = () => pruneStep(connection, now - KEEP_MS, PRUNE_ROWS);
    while ((await units.write(false, step)) > 0) await rest(stopping.signal);
  };
  const copy = async (now: number) => {
    const bytes = connection.pragma("page_count") * connection.pragma("page_size");
    if (space && space.bytesFree() < bytes + SPARE_BYTES) {
      log.warn("no backup was made: the disk has no room for it", { file: path, bytes });
      return undefined;
    }
    const made = await makeBackup(connection, { now, pause: () => rest(stopping.signal) });
    log.info("a backup of the database was made", { file: made });
    return made;
  };
  const closingBackup = () => {
    const bytes = connection.pragma("page_count") * connection.pragma("page_size");
    const room = (space?.bytesFree() ?? 0) > bytes + SPARE_BYTES;
    if (bytes > CLOSE_BACKUP_BYTES || !room || !backupDue(path, clock.now())) return;
    backupNow(connection, clock.now());
  };
  let running: Promise<string | undefined> | undefined;
  const upkeep = async (now: number) => {
    try {
      if (connection.memory || !backupDue(path, now)) return undefined;
      await prune(now);
      return await copy(now);
    } catch (cause) {
      if (stopping.signal.aborted) return undefined;
      if (isDamage(cause)) failed(cause);
      throw storeError(cause, path);
    }
  };

  const stop = async () => {
    stopping.abort();
    try {
      await running;
      units.close();
      if (!connection.memory) closingBackup();
    } catch (cause) {
      // Everything is stored; only the copy is missing, and the next day makes another.
      log.warn("no backup was made while closing", { error: storeError(cause, path).message });
    } finally {
      connection.close();
    }
  };
  let closing: Promise<void> | undefined;

  return {
    recovery,
    inbound: inboundCalls({
      connection,
      units,
      admit: () => space?.admit(),
      now: () => clock.now(),
    }),
    turns: turnCalls(connection, units, unreadable("turn")),
    transcript: transcriptCalls(connection, units),
    sessions: sessionCalls(connection, units),
    outbox: outboxCalls(connection, units, unreadable("outbox")),
    pairing: pairingCalls(connection, units),
    kv: kvCalls(connection, units),
    takeover: takeoverCalls(connection, units),

    problem: () => space?.problem(),

    counts() {
      return units.read(() => connection.get<Counts>(COUNTS)!);
    },

    backup(now) {
      running ??= upkeep(now).finally(() => {
        running = undefined;
      });
      return running;
    },

    close() {
      closing ??= stop();
      return closing;
    },
  };
}
