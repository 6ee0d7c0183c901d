/** The end of the log file, in pieces. */
import { open } from "node:fs/promises";

import { z } from "zod";

import { errnoOf } from "../../base/errors.ts";
import { method } from "../method.ts";

type Piece = { text: string; size: number; start: number };

/** At most `maxBytes` from `from`; undefined when there is no file yet. */
async function readPiece(
  path: string,
  pick: (size: number) => { from: number; length: number },
): Promise<Piece | undefined> {
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    const { from, length } = pick(size);
    const buffer = Buffer.alloc(Math.max(0, length));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
    return { text: buffer.toString("utf8", 0, bytesRead), size, start: from };
  } catch (cause) {
    // Nothing has been logged yet, or the file was rotated away a moment ago.
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw cause;
  }
}

export const logs = {
  "logs.tail": method({
    doc: "New lines of the log since `cursor`, or its end.",
    scope: "operator.read",
    params: z.object({
      cursor: z.int().min(0).optional().describe("Byte offset that the last answer gave."),
      limit: z.int().min(1).max(5_000).default(500),
      maxBytes: z.int().min(1).max(1_000_000).default(250_000),
    }),
    result: z.lazy(() =>
      z.object({
        file: z.string(),
        cursor: z.int(),
        size: z.int(),
        lines: z.array(z.string()),
        truncated: z.boolean().optional(),
        reset: z.boolean().optional(),
      }),
    ),
    async run({ cursor, limit, maxBytes }, { info }) {
      let reset = false;
      let skipped = false;
      const piece = await readPiece(info.logFile, (size) => {
        reset = cursor !== undefined && (cursor > size || size - cursor > maxBytes);
        const wanted = cursor === undefined || reset ? Math.max(0, size - maxBytes) : cursor;
        skipped = wanted > 0 && (cursor === undefined || reset);
        return { from: wanted, length: Math.min(maxBytes, size - wanted) };
      });
      if (!piece) return { file: info.logFile, cursor: 0, size: 0, lines: [] };
      const whole = piece.text.lastIndexOf("\n") + 1;
      // The last line may still be being written; it comes with the next call.
      const body = piece.text.slice(0, whole);
      const lines = body.split("\n").slice(skipped ? 1 : 0, -1);
      return {
        file: info.logFile,
        cursor: piece.start + Buffer.byteLength(body),
        size: piece.size,
        lines: lines.slice(-limit),
        ...(skipped || lines.length > limit ? { truncated: true } : {}),
        ...(reset ? { reset: true } : {}),
      };
    },
  }),
};
