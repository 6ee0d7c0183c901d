/**
 * A lost first page (zeros are what a crash of a volume leaves there) hides all the others, because it holds the list of tables.
 * The schema is always made by the same steps, so the first page of a new database lists the tables at the same places.
 */
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { Connection } from "./database.ts";
import { migrate } from "./migrations.ts";

const MAGIC = "SQLite format 3\0";

/** Offsets in the header (sqlite.org/fileformat.html, 1.3). */
const CHANGES = 24;
const PAGES = 28;
const FREE_LIST = 32;
const VALID_FOR = 92;
const PAGE_SIZE = 16;

/**
 * When the file has no first page: makes a copy with a new one beside it, calls `use` with the copy, and removes it.
 * Otherwise calls `use` with the file itself.
 */
export function withFirstPage<T>(file: string, use: (readable: string) => T): T {
  if (!statSync(file).isFile() || startOf(file) === MAGIC) return use(file);
  const copy = `${file}.readable`;
  copyFileSync(file, copy);
  try {
    writeFirstPage(copy);
    return use(copy);
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(copy + suffix, { force: true });
  }
}

function startOf(file: string): string {
  const start = Buffer.alloc(MAGIC.length);
  const open = openSync(file, "r");
  readSync(open, start, 0, start.length, 0);
  closeSync(open);
  return start.toString("latin1");
}

function writeFirstPage(copy: string): void {
  const page = newFirstPage(dirname(copy));
  const pages = Math.floor(statSync(copy).size / page.length);
  page.writeUInt32BE(pages, PAGES);
  // The size counts only when these two agree; the list of free pages is gone with the old page.
  page.writeUInt32BE(1, CHANGES);
  page.writeUInt32BE(1, VALID_FOR);
  page.fill(0, FREE_LIST, FREE_LIST + 8);
  const open = openSync(copy, "r+");
  writeSync(open, page, 0, page.length, 0);
  closeSync(open);
}

function newFirstPage(folder: string): Buffer {
  const scratch = mkdtempSync(join(folder, "first-page-"));
  try {
    const connection = Connection.open(join(scratch, "a.sqlite"));
    migrate(connection);
    connection.close();
    const bytes = readFileSync(join(scratch, "a.sqlite"));
    return bytes.subarray(0, bytes.readUInt16BE(PAGE_SIZE));
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
