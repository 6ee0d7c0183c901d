/**
 * Group commit. Writes that are asked for in the same moment share one transaction, and so one wait for the disk; each runs
 * inside its own savepoint, so that one that fails takes nothing else with it. Order is the order of the calls.
 * A unit may run more than once (the disk was full, the file was locked), so it must do nothing but read and write the database.
 */
import { AppError, errnoOf } from "../../base/errors.ts";
import type { Clock } from "../../base/time.ts";
import type { Connection } from "./database.ts";
import { isBusy, isFull, storeError } from "./failure.ts";

/** One transaction takes units for at most this long, in ms, so that the rest of the program gets its turn. */
const SLICE_MS = 20;
/** Between two tries while another program holds the lock, and how long to go on, in ms. */
const BUSY_WAIT_MS = 20;
const BUSY_LIMIT_MS = 5_000;

type Job = {
  durable: boolean;
  unit: () => unknown;
  resolve: (value: never) => void;
  reject: (error: AppError) => void;
};
type Outcome = { value: unknown } | { error: AppError };

export class Units {
  private queue: Job[] = [];
  private scheduled = false;
  private closed = false;
  private busySince: number | undefined;

  constructor(
    private readonly connection: Connection,
    /** Called when the disk is full. True when it made room. */
    private readonly makeRoom: () => boolean,
    private readonly clock: Clock,
    /** Called once for every error that is the disk's or SQLite's, not the unit's. */
    private readonly failed: (cause: unknown) => void,
  ) {}

  /** Runs `unit` in a transaction; resolves after its commit, on the disk when `durable`. Rejects with AppError; nothing has changed then. */
  write<T>(durable: boolean, unit: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.closed) return reject(closedError(this.connection.path));
      this.queue.push({ durable, unit, resolve: resolve as (value: never) => void, reject });
      this.schedule();
    });
  }

  /** Reads at once, what was committed so far. Rejects with AppError. */
  async read<T>(unit: () => T): Promise<T> {
    if (this.closed) throw closedError(this.connection.path);
    try {
      return unit();
    } catch (cause) {
      if (!(cause instanceof AppError)) this.failed(cause);
      throw storeError(cause, this.connection.path);
    }
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    // After the pending IO callbacks of this round, so that whatever they ask for is in the same transaction.
    setImmediate(() => this.flush());
  }

  private flush(): void {
    this.scheduled = false;
    if (this.closed || this.queue.length === 0) return;
    const batch = this.queue;
    this.queue = [];
    const started = performance.now();
    let outcomes: Outcome[];
    try {
      outcomes = this.attempt(batch, started + SLICE_MS);
    } catch (cause) {
      if (isBusy(cause)) {
        this.queue = batch.concat(this.queue);
        this.waitForLock(cause);
        return;
      }
      // Not even undoing or making room was possible.
      const error = storeError(cause, this.connection.path);
      outcomes = batch.map(() => ({ error }));
    }
    this.busySince = undefined;
    if (outcomes.length < batch.length) {
      this.queue = batch.slice(outcomes.length).concat(this.queue);
      this.schedule();
    }
    outcomes.forEach((outcome, i) => settle(batch[i]!, outcome));
  }

  private waitForLock(cause: unknown): void {
    const now = this.clock.now();
    this.busySince ??= now;
    if (Math.abs(now - this.busySince) < BUSY_LIMIT_MS) {
      this.scheduled = true;
      setTimeout(() => this.flush(), BUSY_WAIT_MS);
      return;
    }
    this.busySince = undefined;
    this.failed(cause);
    this.rejectAll(storeError(cause, this.connection.path));
  }

  private rejectAll(error: AppError): void {
    const jobs = this.queue;
    this.queue = [];
    for (const job of jobs) job.reject(error);
  }

  /** The outcomes of the first jobs of the batch (all, or those that fitted before `until`). Throws when locked. */
  private attempt(batch: Job[], until: number): Outcome[] {
    try {
      return this.transaction(batch, until);
    } catch (cause) {
      if (this.connection.db.inTransaction) this.connection.run("ROLLBACK");
      if (isBusy(cause)) throw cause;
      if (isFull(cause) && this.makeRoom()) return this.attempt(batch, until);
      if (batch.length > 1) return this.oneByOne(batch, until);
      this.failed(cause);
      return [{ error: storeError(cause, this.connection.path) }];
    }
  }

  /** One of them may be what cannot be written (too large for what is left); alone, the others pass. */
  private oneByOne(batch: Job[], until: number): Outcome[] {
    const outcomes: Outcome[] = [];
    for (const job of batch)
      try {
        outcomes.push(...this.attempt([job], until));
      } catch (cause) {
        // Locked: those before it are committed and must not run again, so it and the rest stay in the queue.
        if (outcomes.length === 0) throw cause;
        break;
      }
    return outcomes;
  }

  private transaction(batch: Job[], until: number): Outcome[] {
    const { connection } = this;
    connection.synchronous(batch.some((job) => job.durable));
    connection.run("BEGIN IMMEDIATE");
    const outcomes: Outcome[] = [];
    for (const job of batch) {
      if (outcomes.length > 0 && performance.now() > until) break;
      connection.run("SAVEPOINT unit");
      try {
        outcomes.push({ value: job.unit() });
      } catch (cause) {
        // Such errors may have rolled the whole transaction back, or leave nothing to go on with.
        if (!connection.db.inTransaction || isFull(cause) || isIo(cause)) throw cause;
        connection.run("ROLLBACK TO unit");
        outcomes.push({ error: storeError(cause, connection.path) });
        if (!(cause instanceof AppError)) this.failed(cause);
      }
      connection.run("RELEASE unit");
    }
    connection.run("COMMIT");
    return outcomes;
  }

  /** Commits what waits, then refuses everything later. */
  close(): void {
    if (this.closed) return;
    const until = performance.now() + BUSY_LIMIT_MS;
    while (this.queue.length > 0 && performance.now() < until) this.flush();
    this.closed = true;
    this.rejectAll(closedError(this.connection.path));
  }
}

const isIo = (cause: unknown) => (errnoOf(cause) ?? "").startsWith("SQLITE_IOERR");

const closedError = (path: string) =>
  new AppError("store_failed", `The database ${path} is closed.`, {
    hint: "The program is stopping. Start it again.",
  });

function settle(job: Job, outcome: Outcome): void {
  if ("error" in outcome) job.reject(outcome.error);
  else job.resolve(outcome.value as never);
}
