/** The platform's reading of `parse_mode: HTML`, as strict as the platform, with its own words for what is wrong. */
import type { MessageEntity } from "grammy/types";

export class MarkupError extends Error {}

const KINDS: Record<string, MessageEntity["type"]> = {
  b: "bold",
  strong: "bold",
  i: "italic",
  em: "italic",
  u: "underline",
  ins: "underline",
  s: "strikethrough",
  strike: "strikethrough",
  del: "strikethrough",
  span: "spoiler",
  "tg-spoiler": "spoiler",
  a: "text_link",
  code: "code",
  pre: "pre",
  blockquote: "blockquote",
};
const NAMED: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"' };

export type Parsed = {
  text: string;
  entities: { type: string; offset: number; length: number; url?: string }[];
};

const fail = (what: string): never => {
  throw new MarkupError(`Bad Request: can't parse entities: ${what}`);
};

/** Throws `MarkupError` with the platform's description. Offsets in it count bytes. */
export function parseHtml(html: string): Parsed {
  const entities: Parsed["entities"] = [];
  const open: { tag: string; at: number; url?: string }[] = [];
  let text = "";
  const byte = (at: number) => Buffer.byteLength(html.slice(0, at));
  for (let at = 0; at < html.length;) {
    const char = html[at]!;
    if (char === "&") {
      const entity = /^&(?:#(\d+)|#x([0-9a-f]+)|([a-z]+));/i.exec(html.slice(at, at + 12));
      const named = entity?.[3] && NAMED[entity[3]];
      const code = entity?.[1]
        ? Number(entity[1])
        : entity?.[2]
          ? parseInt(entity[2], 16)
          : undefined;
      const value = named ?? (code === undefined ? undefined : String.fromCodePoint(code));
      text += value ?? char;
      at += value === undefined ? 1 : entity![0].length;
      continue;
    }
    if (char !== "<") {
      text += char;
      at++;
      continue;
    }
    const end = html.indexOf(">", at);
    if (end < 0) fail(`Unclosed start tag at byte offset ${byte(at)}`);
    const inside = html.slice(at + 1, end);
    if (inside.startsWith("/")) {
      const last = open.pop();
      const name = inside.slice(1).trim().toLowerCase();
      if (!last) fail(`Unexpected end tag at byte offset ${byte(at)}`);
      else if (name && name !== last.tag)
        fail(
          `Unmatched end tag at byte offset ${byte(at)}, expected "</${last.tag}>", found "</${name}>"`,
        );
      else {
        const length = text.length - last.at;
        const type = KINDS[last.tag]!;
        if (length > 0)
          entities.push({
            type,
            offset: last.at,
            length,
            ...(last.url !== undefined && { url: last.url }),
          });
      }
    } else {
      const [, tag = "", attributes = ""] = /^([a-z0-9-]*)\s*(.*)$/is.exec(inside)!;
      const name = tag.toLowerCase();
      const isSpoiler = name !== "span" || /class\s*=\s*"?tg-spoiler/.test(attributes);
      if (!(name in KINDS) || !isSpoiler)
        fail(`Unsupported start tag "${name}" at byte offset ${byte(at)}`);
      const url = name === "a" ? /href\s*=\s*"([^"]*)"/i.exec(attributes)?.[1] : undefined;
      open.push({ tag: name, at: text.length, ...(url !== undefined && { url }) });
    }
    at = end + 1;
  }
  const left = open.pop();
  if (left) fail(`Can't find end tag corresponding to start tag "${left.tag}"`);
  return { text, entities };
}

/** What the server marks by itself in what a person writes. */
export function plainEntities(text: string): Parsed["entities"] {
  const rows: Parsed["entities"] = [];
  for (const match of text.matchAll(/(?<![\w/@])\/([a-zA-Z0-9_]{1,64}(?:@\w+)?)/g))
    rows.push({ type: "bot_command", offset: match.index, length: match[0].length });
  for (const match of text.matchAll(/(?<![\w/@])@([a-zA-Z]\w{2,31})/g))
    rows.push({ type: "mention", offset: match.index, length: match[0].length });
  return rows;
}
