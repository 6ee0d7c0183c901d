/** From one message to the rows of the outbox: cut to what the channel takes, files first with the text under them. Pure. */
import type { MediaRef } from "../flow.ts";
import type { NewOutbox } from "../store/store.ts";
import { chunk } from "./chunk.ts";
import { render, shownLength } from "./format/render.ts";
import { convertTables } from "./format/tables.ts";
import type { Target } from "./target.ts";

/** The same key with a number behind it, for the messages that one becomes. */
export const partKey = (key: string, part: number): string => (part === 0 ? key : `${key}#${part}`);

/**
 * The rows of one message, in order; none for one without text and files. Keys are made of its key by `keyOf`.
 * The text has been searched for secrets before: a cut may go through one.
 */
export function rowsOf(message: NewOutbox, target: Target, keyOf = partKey): NewOutbox[] {
  const { text, media = [], buttons, edits, to, ...rest } = message;
  const parts = textParts(text, target);
  const caption = edits === undefined && fitsUnder(parts, media, target) ? parts.shift()! : "";
  const files = media.map((ref, i) => ({ text: i === 0 ? caption : "", media: [ref] }));
  const texts: { text: string; media?: MediaRef[] }[] = parts.map((part) => ({ text: part }));
  // What stands in for an earlier message must be text.
  const rows = edits === undefined ? [...files, ...texts] : [...texts, ...files];
  const buttonsAt = rows.findIndex((row) => row.text !== "");
  const { replyToId, ...address } = to;
  return rows.map((row, i) => ({
    ...rest,
    ...row,
    key: keyOf(message.key, i),
    to: replyToId !== undefined && (i === 0 || target.replyToMode === "all") ? to : address,
    ...(buttons && i === Math.max(0, buttonsAt) && { buttons }),
    ...(edits !== undefined && i === 0 && { edits }),
  }));
}

/** What the channel takes of a text as one message each. */
export function textParts(text: string, target: Target): string[] {
  const { limits, render: kind, tables, chunkMode: mode } = target;
  const limit = Math.max(2, Math.min(limits.text, target.textLimit ?? limits.text));
  const cut = (source: string, most: number): string[] =>
    chunk(source, { limit: most, lines: limits.lines, mode }).flatMap((part) => {
      const shown = shownLength(kind, render(kind, part, { tables: "off" }));
      // Markup that is longer than what it stands for: numbers of a list, an address behind its name.
      return shown <= limits.text || most < 32 ? [part] : cut(part, Math.floor(most / 2));
    });
  return cut(convertTables(text, tables), limit).filter((part) =>
    render("plain", part, { tables: "off" }).trim(),
  );
}

function fitsUnder(parts: string[], media: MediaRef[], { limits, render: kind }: Target): boolean {
  const [only, ...more] = parts;
  if (!media.length || only === undefined || more.length) return false;
  return (
    shownLength(kind, render(kind, only, { tables: "off" })) <= (limits.caption ?? limits.text)
  );
}

/** What stands in a chat in place of a file that could not be sent. */
export const mediaFailed = (reason: string): string => `⚠️ Media failed. ${reason}`;

/** Two texts with an empty line between them. */
export const joined = (...texts: string[]): string =>
  texts.filter((text) => text.trim()).join("\n\n");
