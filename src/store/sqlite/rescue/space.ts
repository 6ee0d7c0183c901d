/**
 * Room on the disk. New work is refused while there is little, so that what was accepted can still be finished; and a reserve
 * file is given up when the disk is full all the same.
 */
import { closeSync, openSync, rmSync, statfsSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";

import { AppError, errnoOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { isFull, storeError } from "../failure.ts";

const MB = 1024 * 1024;
/** How long one look at the disk counts, in ms. */
const LOOK_MS = 250;
/** How long after the disk was full before the reserve may be made again, in ms. */
const REFILL_MS = 5_000;

export type SpaceLimits = {
  /** Bytes that must be free for new messages. At most a twentieth of the disk, so that a small volume works too. */
  floor?: number;
  /** Bytes of the reserve file. */
  reserve?: number;
};

const reserveOf = (path: string) => `${path}.reserve`;

/** Removes the reserve. Gives whether there was one, so that trying again has a point. */
function dropReserve(path: string): boolean {
  const had = (statSync(reserveOf(path), { throwIfNoEntry: false })?.size ?? 0) > 0;
  rmSync(reserveOf(path), { force: true });
  return had;
}

/** Opening needs some room too: on a full disk the reserve is given up for it. */
export function retryWithRoom<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (cause) {
    if (storeError(cause, path).code !== "disk_full" || !dropReserve(path)) throw cause;
    return open();
  }
}

export class Space {
  private readonly reservePath: string;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private free = Number.POSITIVE_INFINITY;
  private floor = 0;
  private fullAt: number | undefined;
  private filled = false;
  /** It was logged that there is too little room, and not yet that there is enough again. */
  private short = false;

  constructor(
    private readonly path: string,
    private readonly limits: SpaceLimits,
    private readonly log: Logger,
    private readonly now: () => number,
  ) {
    this.reservePath = reserveOf(path);
  }

  private look(): void {
    const now = this.now();
    // A clock that was set back must not stop the looking.
    if (Math.abs(now - this.lookedAt) < LOOK_MS) return;
    this.lookedAt = now;
    const disk = statfsSync(dirname(this.path));
    // Some network file systems answer zero throughout: then nothing is known, and nothing is refused.
    if (disk.blocks === 0) return;
    this.free = disk.bavail * disk.bsize;
    this.floor = Math.min(this.limits.floor ?? 50 * MB, (disk.blocks * disk.bsize) / 20);
  }

  /** Bytes that an unprivileged program may still write; Infinity when unknown. */
  bytesFree(): number {
    this.look();
    return this.free;
  }

  /** Why new work is not taken now, in a sentence; undefined while there is room. Logs when it begins and when it is over. */
  problem(): string | undefined {
    try {
      this.look();
    } catch (cause) {
      const errno = errnoOf(cause);
      if (errno === undefined) throw cause;
      return `The disk that holds ${this.path} cannot be looked at (${errno}).`;
    }
    if (this.free < this.needed()) {
      const error = this.refusal();
      this.begins();
      return error.message;
    }
    if (this.short)
      this.log.info("the disk has room again; new messages are taken", { file: this.path });
    this.short = false;
    return undefined;
  }

  private begins(): void {
    if (!this.short)
      this.log.error("the disk is full; no new message is taken until there is room", {
        file: this.path,
      });
    this.short = true;
  }

  /** After a full disk the room that giving up the reserve made belongs to the turns in progress. */
  private needed(): number {
    return this.fullAt === undefined ? this.floor : this.floor + this.reserveSize();
  }

  /** Throws `disk_full` when new work must not be taken. Called for every new message. */
  admit(): void {
    this.look();
    if (this.problem() !== undefined) throw this.refusal();
    if (this.fullAt !== undefined) {
      if (Math.abs(this.now() - this.fullAt) >= REFILL_MS) this.fill();
      return;
    }
    if (!this.filled) this.fill();
  }

  private refusal(): AppError {
    return new AppError(
      "disk_full",
      `The disk that holds ${this.path} is almost full (${Math.floor(this.free / MB)} MB free), so no new message is taken.`,
      { details: { file: this.path, free: this.free, floor: this.floor } },
    );
  }

  private reserveSize(): number {
    return this.limits.reserve ?? 8 * MB;
  }

  /** Makes the reserve when there is room for it many times over. A disk that is full meanwhile is no failure. */
  fill(): void {
    this.look();
    const size = this.reserveSize();
    if (this.free < this.floor + 2 * size) return;
    this.filled = true;
    this.fullAt = undefined;
    if (statSync(this.reservePath, { throwIfNoEntry: false })?.size === size) return;
    try {
      const file = openSync(this.reservePath, "w", 0o600);
      try {
        // Random, because a file system that compresses would keep nothing of zeros.
        const piece = new Uint8Array(Math.min(size, 64 * 1024));
        crypto.getRandomValues(piece);
        for (let at = 0; at < size; at += piece.length)
          writeSync(file, piece, 0, Math.min(piece.length, size - at));
      } finally {
        closeSync(file);
      }
    } catch (cause) {
      if (!isFull(cause)) throw cause;
      this.giveUp();
    }
  }

  /** The disk is full: removes the reserve. Gives whether that made room. */
  giveUp(): boolean {
    const had = dropReserve(this.path);
    this.begins();
    this.fullAt = this.now();
    this.filled = false;
    this.lookedAt = Number.NEGATIVE_INFINITY;
    return had;
  }
}
