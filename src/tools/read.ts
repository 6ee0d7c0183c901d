/** Reads text by lines within a bound, and shows images. */
import type { FileHandle } from "node:fs/promises";
import { stat } from "node:fs/promises";

import { z } from "zod";

import { AppError, errnoOf } from "../base/errors.ts";
import type { ToolResult } from "../flow.ts";
import { listDirectory, openFile } from "./files.ts";
import { imageMime, readImage } from "./image.ts";
import { type Place, placeFor, shorten } from "./place.ts";
import { tool } from "./tool.ts";

const MAX_LINES = 2000;
const MAX_BYTES = 50 * 1024;
/** Files up to this size are read to the end to say how many lines there are. */
const COUNTED_BYTES = 20_000_000;
/** How far into a file a line is looked for. */
const SCANNED_BYTES = 2_000_000_000;
const CHUNK = 65_536;
const LISTED = 100;

export const read = tool({
  name: "read",
  label: "Read file",
  summary: "Read a text file or an image",
  description:
    "Read a text file (at most 2000 lines or 50 KB at once; go on with offset) or an image (jpg, png, gif, webp). Relative paths start in the workspace.",
  input: z.object({
    path: z.string().describe("File"),
    offset: z.int().min(1).optional().describe("First line, from 1"),
    limit: z.int().min(1).optional().describe("Most lines"),
  }),
  aliases: { file_path: "path", filePath: "path" },
  async run({ path, offset = 1, limit = MAX_LINES }, ctx) {
    const place = await placeFor(path, "read", ctx);
    if (await isDirectory(place)) return showDirectory(place);
    const { file, stats } = await openFile(place, ctx);
    try {
      const start = Buffer.alloc(8192);
      const { bytesRead } = await file.read(start, 0, start.length, 0);
      const head = start.subarray(0, bytesRead);
      const mime = imageMime(head);
      if (mime) return await readImage(file, stats.size, mime, place);
      if (head.includes(0))
        throw new AppError(
          "bad_request",
          `${shorten(path)} is a binary file (${stats.size} bytes).`,
          {
            hint: "Use exec, for example with file, strings, unzip, pdftotext or iconv.",
          },
        );
      const lines = Math.min(limit, MAX_LINES);
      return textResult(
        await readLines(file, stats.size, offset, lines, ctx.signal),
        offset,
        place,
      );
    } finally {
      await file.close();
    }
  },
});

async function isDirectory(place: Place): Promise<boolean> {
  try {
    return (await stat(place.path)).isDirectory();
  } catch (cause) {
    // Opening it says in words what is wrong.
    if (errnoOf(cause)) return false;
    throw cause;
  }
}

async function showDirectory(place: Place): Promise<ToolResult> {
  const { names, more } = await listDirectory(place, LISTED);
  const rest = more > 0 ? `\n[${more} more; use exec with ls or find]` : "";
  return {
    text: `${place.path} is a directory. It holds:\n${names.join("\n") || "(nothing)"}${rest}`,
    details: { path: place.path, directory: true },
  };
}

type Lines = {
  /** The bytes of the wanted lines, complete ones only. */
  bytes: Buffer;
  count: number;
  /** Lines of the whole file, when it was read to its end. */
  total: number | undefined;
  /** Size in bytes of the first wanted line when it alone is over the limit. */
  tooLong: number | undefined;
};

/** Reads lines `offset`.. within both limits, without ever holding more than the limit and one chunk. */
async function readLines(
  file: FileHandle,
  size: number,
  offset: number,
  limit: number,
  signal: AbortSignal,
): Promise<Lines> {
  const kept: Buffer[] = [];
  let [keptBytes, complete, completeBytes] = [0, 0, 0];
  let [line, lineBytes, position, full] = [1, 0, 0, false];
  let tooLong: number | undefined;
  const buffer = Buffer.alloc(CHUNK);
  const endLine = () => {
    if (line === offset && lineBytes > MAX_BYTES) tooLong = lineBytes;
    if (line >= offset && !full) {
      if (keptBytes <= MAX_BYTES) [complete, completeBytes] = [complete + 1, keptBytes];
      full = keptBytes > MAX_BYTES || complete >= limit;
    }
    line++;
    lineBytes = 0;
  };
  for (;;) {
    if (signal.aborted) throw new AppError("aborted", "The run was stopped while reading.");
    const overlong = line === offset && lineBytes > MAX_BYTES;
    if (size > COUNTED_BYTES && (full || overlong)) {
      if (overlong) tooLong = lineBytes;
      break;
    }
    if (position > SCANNED_BYTES)
      throw new AppError("bad_request", `Line ${offset} is too far into a very large file.`, {
        hint: "Use exec, for example with tail or sed -n.",
      });
    const { bytesRead } = await file.read(buffer, 0, CHUNK, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    for (let at = 0; at < bytesRead;) {
      const newline = buffer.subarray(0, bytesRead).indexOf(10, at);
      const end = newline < 0 ? bytesRead : newline + 1;
      if (line >= offset && !full && keptBytes <= MAX_BYTES) {
        kept.push(Buffer.from(buffer.subarray(at, end)));
        keptBytes += end - at;
      }
      lineBytes += end - at;
      at = end;
      if (newline >= 0) endLine();
    }
    if (position >= size && bytesRead < CHUNK) break;
  }
  const atEnd = position >= size;
  if (lineBytes > 0 && atEnd) endLine();
  return {
    bytes: Buffer.concat(kept).subarray(0, completeBytes),
    count: complete,
    total: atEnd ? line - 1 : undefined,
    tooLong,
  };
}

function textResult(lines: Lines, offset: number, place: Place): ToolResult {
  const { bytes, count, total, tooLong } = lines;
  const details = { path: place.path, offset, lines: count, totalLines: total };
  if (total === 0) return { text: "(empty file)", details };
  if (tooLong !== undefined)
    return {
      text: `[Line ${offset} alone has ${tooLong} bytes or more, over the limit of ${MAX_BYTES}. Use exec: sed -n '${offset}p' FILE | head -c ${MAX_BYTES}]`,
      details,
    };
  if (count === 0)
    throw new AppError("bad_request", `There is no line ${offset}: the file has ${total} lines.`);
  const text = new TextDecoder().decode(bytes).replaceAll("\r\n", "\n");
  const last = offset + count - 1;
  if (last === total) return { text, details };
  const of = total === undefined ? "" : ` of ${total}`;
  const gap = text.endsWith("\n") ? "\n" : "\n\n";
  return {
    text: `${text}${gap}[Lines ${offset}-${last}${of}. Go on with offset=${last + 1}.]`,
    details,
  };
}
