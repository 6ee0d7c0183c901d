/**
 * The rolling log file: one per day, also rotated by size, bounded in number, found again when somebody deletes it.
 * Lines are collected and written in the background; a full disk or a foreign file at the path costs lines, never an error.
 * /tmp is shared with strangers, so nothing is opened through a symbolic link or in a folder that others may write to.
 */
import { Buffer } from "node:buffer";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

import { PRODUCT } from "./brand.ts";
import { errnoOf } from "./errors.ts";
import type { Clock } from "./time.ts";

export type LogFileOptions = {
  /** Folder of the dated files. A folder that is not ours is replaced by `<tmp>/<product>-<uid>`. */
  dir: string;
  /** A fixed file instead (config `logging.file`). */
  file?: string;
  clock: Clock;
  /** Size at which the file is rotated, in bytes. */
  maxBytes: number;
  /** Files kept, the current one included. */
  keep: number;
  /** Told once when lines begin to be lost, and when writing works again. Must not write to this file. */
  onTrouble(message: string): void;
};

export type LogFile = {
  /** Where lines go now; empty when no place was safe to write to. */
  path(): string;
  /** Never throws, never blocks. `line` without the line end. */
  write(line: string): void;
  /** Resolves when everything written so far is in the file (or given up). */
  flush(): Promise<void>;
  close(): Promise<void>;
};

/** How long lines are collected, in ms. */
const COLLECT_MS = 100;
/** Most bytes in memory while the disk does not take them. */
const MAX_WAITING = 4 * 1024 * 1024;
/** After a failure the disk is left alone for this long, in ms. */
const RETRY_MS = 5000;
const write = (fd: number, bytes: Buffer): Promise<number> =>
  new Promise((resolve, reject) =>
    fs.write(fd, bytes, (cause, written) => (cause ? reject(cause) : resolve(written))),
  );

export function openLogFile(options: LogFileOptions): LogFile {
  return new RollingFile(options);
}

class RollingFile implements LogFile {
  private fd: number | undefined;
  private current = "";
  private inode = 0;
  private size = 0;
  private waiting: string[] = [];
  private waitingBytes = 0;
  /** The bytes that the operating system is taking at this moment. */
  private inFlight: Buffer | undefined;
  private drain: Promise<void> | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private lost = 0;
  private blockedUntil = 0;
  private readonly dir: string | undefined;
  private readonly onExit = () => this.flushNow();

  constructor(private readonly options: LogFileOptions) {
    this.dir = options.file ? dirname(options.file) : safeFolder(options.dir);
    if (options.file) prepareFolder(dirname(options.file));
    process.on("exit", this.onExit);
  }

  /** The first look at a local date costs the process 3 ms, so the file is opened with its first line, not at start. */
  path(): string {
    return this.current || this.pathOfToday();
  }

  write(line: string): void {
    if (this.waitingBytes > MAX_WAITING) {
      this.lost++;
      return;
    }
    this.waiting.push(`${line}\n`);
    this.waitingBytes += line.length + 1;
    this.collect();
  }

  private collect(): void {
    if (this.timer || this.drain || this.waiting.length === 0) return;
    this.timer = setTimeout(() => this.start(), COLLECT_MS);
    // A log line alone must not keep a finished program alive; the exit listener writes it.
    this.timer.unref();
  }

  async flush(): Promise<void> {
    while (this.drain || this.waiting.length > 0) await (this.drain ?? this.start());
  }

  async close(): Promise<void> {
    await this.flush();
    process.off("exit", this.onExit);
    clearTimeout(this.timer);
    this.shut();
  }

  private start(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.drain = this.writeAll().finally(() => {
      this.drain = undefined;
      this.collect();
    });
    return this.drain;
  }

  private async writeAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const lines = this.waiting.length;
      const bytes = Buffer.from(this.waiting.join(""));
      this.waiting = [];
      this.waitingBytes = 0;
      const now = this.options.clock.now();
      if (now < this.blockedUntil) {
        this.lost += lines;
        continue;
      }
      try {
        if (!this.ready(bytes.length)) {
          this.fail(lines, now, undefined);
          continue;
        }
        await this.put(bytes);
      } catch (cause) {
        // Expected: ENOSPC, EIO, a file system that went away. The gateway goes on without its log.
        this.fail(lines, now, cause);
        continue;
      }
      this.recovered();
    }
  }

  private async put(bytes: Buffer): Promise<void> {
    this.inFlight = bytes;
    while (this.inFlight.length > 0) {
      const written = await write(this.fd!, this.inFlight);
      this.size += written;
      this.inFlight = this.inFlight.subarray(written);
    }
    this.inFlight = undefined;
  }

  private fail(lines: number, now: number, cause: unknown): void {
    this.inFlight = undefined;
    if (this.lost === 0)
      this.options.onTrouble(
        `The log file ${this.current || this.options.dir} cannot be written (${errnoOf(cause) ?? "not ours, or no folder for it"}). The console still has every line.`,
      );
    this.lost += lines;
    this.blockedUntil = now + RETRY_MS;
    this.shut();
  }

  private recovered(): void {
    if (this.lost === 0) return;
    this.options.onTrouble(`The log file works again; ${this.lost} lines are missing in it.`);
    this.lost = 0;
  }

  /** Makes sure that an open file is the one at the path of today and has room. */
  private ready(bytes: number): boolean {
    const path = this.pathOfToday();
    if (this.fd === undefined || path !== this.current || this.replaced()) this.reopen();
    if (this.fd !== undefined && this.size > 0 && this.size + bytes > this.options.maxBytes) {
      this.shut();
      shift(this.current, this.options.keep);
      this.reopen();
    }
    return this.fd !== undefined;
  }

  private pathOfToday(): string {
    if (this.options.file) return this.options.file;
    const day = new Date(this.options.clock.now());
    const two = (n: number) => String(n).padStart(2, "0");
    const date = `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
    return this.dir ? join(this.dir, `${PRODUCT}-${date}.log`) : "";
  }

  /** Somebody deleted or rotated the file: what is written to the old one would be lost. */
  private replaced(): boolean {
    const now = fs.statSync(this.current, { throwIfNoEntry: false });
    return !now || now.ino !== this.inode;
  }

  private reopen(): void {
    this.shut();
    this.current = this.pathOfToday();
    const opened = this.current ? openOwn(this.current) : undefined;
    if (!opened) return;
    ({ fd: this.fd, inode: this.inode, size: this.size } = opened);
    if (!this.options.file) quietly(() => prune(this.current, this.options.keep));
  }

  private shut(): void {
    if (this.fd !== undefined) fs.closeSync(this.fd);
    this.fd = undefined;
  }

  /** At the end of the process: no more background work, so the rest is written here and now. */
  private flushNow(): void {
    if (this.inFlight && this.fd !== undefined) {
      // The operating system may have taken these bytes already; the size of the file tells.
      const done = fs.fstatSync(this.fd).size - this.size;
      this.waiting.unshift(this.inFlight.subarray(Math.max(0, done)).toString());
    }
    const text = this.waiting.join("");
    this.waiting = [];
    if (text === "" || !this.ready(text.length)) return;
    try {
      fs.writeSync(this.fd!, text);
    } catch (cause) {
      this.fail(1, this.options.clock.now(), cause);
    }
  }
}

/** The folder itself when it is ours, else a folder with our user id in its name, else none. */
function safeFolder(dir: string): string | undefined {
  const uid = process.getuid?.();
  return [dir, join(tmpdir(), `${PRODUCT}-${uid ?? "user"}`)].find(
    (candidate) => prepareFolder(candidate) && isOurs(candidate, uid),
  );
}

function prepareFolder(dir: string): boolean {
  try {
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
    return true;
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    // Expected: a file of that name, no permission, a read-only or full disk.
    return false;
  }
}

function isOurs(dir: string, uid: number | undefined): boolean {
  const info = fs.lstatSync(dir, { throwIfNoEntry: false });
  if (!info?.isDirectory()) return false;
  return uid === undefined || (info.uid === uid && (info.mode & 0o022) === 0);
}

/** Opens for appending. Undefined when the path is a link, a pipe, a second name of another file, or cannot be opened. */
function openOwn(path: string): { fd: number; inode: number; size: number } | undefined {
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = fs.constants;
  try {
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
    const fd = fs.openSync(path, flags, 0o600);
    const info = fs.fstatSync(fd);
    if (info.isFile() && info.nlink === 1) return { fd, inode: info.ino, size: info.size };
    fs.closeSync(fd);
    return undefined;
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    // Expected: ELOOP for a link, ENXIO for a pipe, EACCES, ENOSPC. The caller reports it once.
    return undefined;
  }
}

/** `x.log` becomes `x.1.log`, `x.1.log` becomes `x.2.log`, and so on; the oldest goes. */
function shift(path: string, keep: number): void {
  const stem = path.replace(/\.log$/, "");
  const nth = (n: number) => (n === 0 ? path : `${stem}.${n}.log`);
  for (let n = keep - 2; n >= 0; n--)
    if (fs.existsSync(nth(n))) quietly(() => fs.renameSync(nth(n), nth(n + 1)));
}

/** Deletes all but the newest dated files beside `current`. */
function prune(current: string, keep: number): void {
  const dir = dirname(current);
  const dated = new RegExp(`^${PRODUCT}-\\d{4}-\\d\\d-\\d\\d(?:\\.\\d+)?\\.log$`);
  const others = fs
    .readdirSync(dir)
    .filter((name) => dated.test(name) && name !== basename(current))
    .map((name) => join(dir, name))
    .map((path) => ({ path, at: fs.statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.at - a.at);
  for (const { path } of others.slice(keep - 1)) quietly(() => fs.unlinkSync(path));
}

/** Another process of this user may tidy up the same folder at the same time; then there is nothing left to do. */
function quietly(change: () => void): void {
  try {
    change();
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
  }
}
