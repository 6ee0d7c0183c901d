/** Replaces one passage of a text file, which must be there exactly once. */
import { z } from "zod";

import { AppError } from "../base/errors.ts";
import { describeChange, lineAt, nearestPlace } from "./diff.ts";
import { openFile, replaceFile } from "./files.ts";
import { findMatches, type Match } from "./match.ts";
import { placeFor, shorten } from "./place.ts";
import { tool } from "./tool.ts";

/** In bytes. Larger files are data, not text to edit by quotation. */
const MAX_FILE = 5_000_000;

export const edit = tool({
  name: "edit",
  label: "Edit file",
  summary: "Replace a passage of a file",
  description:
    "Replace text in a file. oldText must occur exactly once, whitespace included; add surrounding lines to make it unique.",
  input: z.object({
    path: z.string().describe("File"),
    oldText: z.string().describe("Text to replace"),
    newText: z.string().describe("Replacement"),
  }),
  aliases: {
    file_path: "path",
    filePath: "path",
    old_string: "oldText",
    old_text: "oldText",
    oldString: "oldText",
    new_string: "newText",
    new_text: "newText",
    newString: "newText",
  },
  async run({ path, oldText, newText }, ctx) {
    if (!oldText)
      throw new AppError("bad_request", "oldText is empty.", {
        hint: "Quote the text to replace; use write for a new file.",
      });
    if (oldText === newText) throw noChange();
    const place = await placeFor(path, "edit", ctx);
    const { file, stats } = await openFile(place, ctx);
    let bytes: Uint8Array;
    try {
      if (stats.size > MAX_FILE)
        throw new AppError(
          "bad_request",
          `${shorten(path)} is too large to edit (${stats.size} bytes).`,
          {
            hint: "Use exec with sed, or a script.",
          },
        );
      bytes = await file.readFile();
    } finally {
      await file.close();
    }
    const before = textOf(bytes, path);
    const after = replaceOnce(before, oldText, newText, path);
    await replaceFile(place, new TextEncoder().encode(after), ctx, stats);
    const change = describeChange(before, after);
    return {
      text: `Edited ${place.path} at line ${change.firstChangedLine}.`,
      details: { path: place.path, ...change },
    };
  },
});

const noChange = () =>
  new AppError("bad_request", "oldText and newText are the same: nothing would change.");

/** The whole text with its byte order mark, if any. Throws bad_request for anything but UTF-8, which an edit would damage. */
function textOf(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new AppError("bad_request", `${shorten(path)} is not UTF-8 text.`, {
      hint: "Use exec, for example with iconv or sed.",
      cause,
    });
  }
}

/** Throws not_found (with the closest place), bad_request (several places, no change). Line ends become the file's own. */
export function replaceOnce(
  before: string,
  oldText: string,
  newText: string,
  path: string,
): string {
  const matches = findMatches(before, oldText);
  const [match] = matches;
  if (!match)
    throw new AppError("not_found", `oldText was not found in ${shorten(path)}.`, {
      hint: nearestPlace(before, oldText) ?? "Read the file and quote it exactly.",
    });
  if (matches.length > 1) throw several(matches, before, path);
  const ending = lineEnding(before, match);
  const replacement = newText.replace(/\r?\n/g, ending);
  const after = before.slice(0, match.start) + replacement + before.slice(match.end);
  if (after === before) throw noChange();
  return after;
}

function several(matches: Match[], before: string, path: string): AppError {
  const lines = matches.slice(0, 10).map((match) => lineAt(before, match.start));
  const more = matches.length > 10 ? ", ..." : "";
  return new AppError(
    "bad_request",
    `oldText occurs ${matches.length} times in ${shorten(path)} (lines ${lines.join(", ")}${more}).`,
    { hint: "Quote more surrounding lines, so that it is unique." },
  );
}

/** What the replaced passage uses, else what most lines of the file use. */
function lineEnding(text: string, match: Match): "\r\n" | "\n" {
  const count = (part: string) => {
    const crlf = part.split("\r\n").length - 1;
    return { crlf, lf: part.split("\n").length - 1 - crlf };
  };
  const here = count(text.slice(match.start, match.end));
  const { crlf, lf } = here.crlf + here.lf > 0 && here.crlf * here.lf === 0 ? here : count(text);
  return crlf > lf ? "\r\n" : "\n";
}
