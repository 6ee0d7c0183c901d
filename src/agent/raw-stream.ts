/**
 * Everything that models stream, as JSON lines in a file, for whoever looks for a fault of a provider (`--raw-stream`).
 * It holds conversations as they are, so it is for the owner's eyes only. Writing goes on beside the turn: a slow disk costs lines,
 * one that fails costs the rest of the file, and neither costs the turn anything.
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import type { Env } from "../base/env.ts";
import { AppError, errnoOf } from "../base/errors.ts";
import { ensureDir } from "../base/fs.ts";
import type { Logger } from "../base/log.ts";
import { expandHome, type Paths } from "../base/paths.ts";
import { background } from "../base/task.ts";
import type { Clock } from "../base/time.ts";

/** Largest file, with what it has from before; in bytes. */
const MAX_BYTES = 100 * 1024 * 1024;
/** Most that waits for the disk, in characters. */
const MAX_WAITING = 8 * 1024 * 1024;

export type RawStreamOptions = {
  /** Absolute. Its folder is made; an existing file is continued. */
  path: string;
  log: Logger;
  clock: Clock;
  maxBytes?: number;
  maxWaiting?: number;
};

/** As the flags and the environment ask for it, which the flags win; undefined when neither does. */
export function openRawStream({
  env,
  paths,
  flags,
  clock,
  log,
}: Pick<RawStreamOptions, "clock" | "log"> & {
  env: Pick<Env, "rawStream" | "rawStreamPath">;
  paths: Pick<Paths, "home" | "stateDir">;
  flags: { rawStream?: boolean; rawStreamPath?: string };
}): RawStream | undefined {
  if (!flags.rawStream && !env.rawStream) return undefined;
  const named = flags.rawStreamPath ?? env.rawStreamPath;
  const path = named
    ? resolve(expandHome(named, paths.home))
    : join(paths.stateDir, "logs", "raw-stream.jsonl");
  return new RawStream({ path, log, clock });
}

/** What says to which call an event belongs. */
export type RawCall = { agentId: string; sessionId: string };

type Streamed = { type: string; error?: unknown };

export class RawStream {
  private waiting: string[] = [];
  private waitingSize = 0;
  private lost = 0;
  private file: FileHandle | undefined;
  private size = 0;
  private over = false;
  private writing: Promise<void> | undefined;

  /** Opens the file at once, so that one that cannot be written is known at the start. */
  constructor(private readonly options: RawStreamOptions) {
    this.start();
  }

  /** Passes the events of one call through, and writes each down. */
  async *record<E extends Streamed>(call: RawCall, events: AsyncIterable<E>): AsyncGenerator<E> {
    const id = crypto.randomUUID().slice(0, 8);
    for await (const event of events) {
      this.add({ ts: this.options.clock.now(), call: id, ...call, event: plain(event) });
      yield event;
    }
  }

  /** Resolves when all that was streamed so far is in the file. */
  async close(): Promise<void> {
    while (this.writing) await this.writing;
    this.over = true;
    await this.file?.close();
    this.file = undefined;
  }

  private add(line: object): void {
    if (this.over) return;
    if (this.waitingSize > (this.options.maxWaiting ?? MAX_WAITING)) {
      this.lost++;
      return;
    }
    const text = `${JSON.stringify(line)}\n`;
    this.waiting.push(text);
    this.waitingSize += text.length;
    this.start();
  }

  private start(): void {
    if (this.writing) return;
    this.writing = this.writeAll().finally(() => {
      this.writing = undefined;
      if (this.waiting.length > 0) this.start();
    });
    background("raw stream", this.writing, this.options.log);
  }

  private async writeAll(): Promise<void> {
    const { path, log } = this.options;
    try {
      this.file ??= await this.openFile();
      while (this.waiting.length > 0 && !this.over) await this.file.appendFile(this.nextText());
    } catch (cause) {
      // Expected: a full disk, no permission, something else at the path. Anything without such a code is a mistake of ours.
      const code = cause instanceof AppError ? cause.message : errnoOf(cause);
      if (code === undefined) throw cause;
      this.end();
      log.warn("the raw stream cannot be written; it ends here", { path, why: code });
    }
  }

  /** What waits, as far as there is room; behind that, the line that says so. */
  private nextText(): Buffer {
    const { clock, log, path, maxBytes = MAX_BYTES } = this.options;
    const lines = this.waiting;
    if (this.lost > 0) lines.push(line({ ts: clock.now(), event: { type: "lost", n: this.lost } }));
    this.waiting = [];
    this.waitingSize = 0;
    this.lost = 0;
    const parts: Buffer[] = [];
    for (const text of lines) {
      const bytes = Buffer.from(text);
      if (this.size + bytes.length > maxBytes) {
        parts.push(Buffer.from(line({ ts: clock.now(), event: { type: "full", maxBytes } })));
        this.end();
        log.warn("the raw stream file is full; nothing more is written to it", { path, maxBytes });
        break;
      }
      parts.push(bytes);
      this.size += bytes.length;
    }
    return Buffer.concat(parts);
  }

  private end(): void {
    this.over = true;
    this.waiting = [];
    this.waitingSize = 0;
  }

  private async openFile(): Promise<FileHandle> {
    const { path, log, maxBytes = MAX_BYTES } = this.options;
    await ensureDir(dirname(path));
    // Not through a link, and without waiting for the reader of a pipe.
    const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
    const file = await open(path, flags, 0o600);
    const info = await file.stat();
    if (!info.isFile() || info.nlink !== 1) {
      await file.close();
      throw new AppError("store_failed", "it is not a regular file");
    }
    if (process.platform !== "win32") await file.chmod(0o600);
    this.size = info.size;
    if (this.size >= maxBytes) {
      this.end();
      log.warn("the raw stream file is full; move it away to have a new one", { path, maxBytes });
    } else log.info(`raw stream: ${path}`);
    return file;
  }
}

const line = (value: object): string => `${JSON.stringify(value)}\n`;

/** An error has its text in a property that JSON leaves out. */
function plain(event: Streamed): object {
  if (!(event.error instanceof AppError)) return event;
  const { code, message, hint, retryAfterMs } = event.error;
  return { ...event, error: { code, message, hint, retryAfterMs } };
}
