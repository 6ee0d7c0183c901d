/**
 * Markdown to blocks, without ever making HTML text. Bounded: no input makes it slow, whatever the model or a stranger writes.
 * Incremental: while a text grows, only its last blocks are read again; finished blocks keep their identity.
 */
import { signal } from "@preact/signals";
import type { Lexer, Token } from "marked";

export type Block = {
  /** Stable as long as the block does not change. */
  key: string;
  /** Undefined: too odd or too large to be read as Markdown, shown as it is. */
  token?: Token;
  raw: string;
};
export type Parsed = { source: string; blocks: Block[] };

/** The reader of Markdown. It comes after the first paint; until then texts are shown as they are written. */
export const reader = signal<typeof Lexer | undefined>(undefined);
export async function loadReader(): Promise<void> {
  reader.value = (await import("marked")).Lexer;
}

/** marked is quadratic on some inputs; what is longer than this is not read as inline Markdown, in characters. */
const MAX_INLINE = 8_000;
/** How long one text may be read; what is left then is shown as it is, in ms. */
const BUDGET_MS = 1000;
/** A text longer than this is cut into pieces at blank lines before it is read, in characters. */
const PIECE = 32_000;
/** Deeper quotes or lists than this are nobody's intention. */
const TOO_DEEP = /^(?:[ \t]{0,3}(?:>|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t]))[ \t]*){24}/m;

const isSpace = (block: Block | undefined): boolean => block?.token?.type === "space";

export const EMPTY: Parsed = { source: "", blocks: [] };

/** The blocks of a text; `before` is what an earlier, shorter text gave. */
export function parseMarkdown(text: string, before: Parsed = EMPTY): Parsed {
  const source = text.replace(/\r\n?/g, "\n");
  if (source === before.source) return before;
  const kept = source.startsWith(before.source) ? settled(before.blocks) : [];
  let at = 0;
  for (const block of kept) at += block.raw.length;
  const blocks = [...kept];
  const until = performance.now() + BUDGET_MS;
  for (const piece of pieces(source.slice(at)))
    for (const { token, length } of lex(piece, until)) {
      // Not the token's own `raw`: marked writes the end of a line differently at times.
      blocks.push({ key: `${at}`, token, raw: source.slice(at, at + length) });
      at += length;
    }
  return { source, blocks: reuse(before.blocks, blocks) };
}

/** All but the last two blocks: those can still change their nature with the next character. */
function settled(blocks: Block[]): Block[] {
  let end = blocks.length;
  for (let open = 2; open > 0 && end > 0; end--) if (!isSpace(blocks[end - 1])) open--;
  return blocks.slice(0, end);
}

function reuse(before: Block[], blocks: Block[]): Block[] {
  return blocks.map((block, i) => {
    const old = before[i];
    return old && old.key === block.key && old.raw === block.raw ? old : block;
  });
}

/**
 * Cuts a long text where something new surely begins: at a line at the margin after a blank one, and around a fence, so that a
 * long listing of code is a piece of its own.
 */
function pieces(text: string): string[] {
  if (text.length <= 2 * PIECE) return text ? [text] : [];
  const out: string[] = [];
  let start = 0;
  let fence: string | undefined;
  let blank = false;
  let closed = false;
  for (let line = 0; line < text.length;) {
    const newline = text.indexOf("\n", line);
    const next = newline === -1 ? text.length : newline + 1;
    const head = text.slice(line, Math.min(next, line + 16));
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(head)?.[1];
    const fresh = blank && !fence && /^[^\s>*+\-\d]/.test(head);
    const cut = closed || (fresh && (mark !== undefined || line - start >= PIECE));
    if (cut && line > start) {
      out.push(text.slice(start, line));
      start = line;
    }
    closed = !!fence && !!mark && mark[0] === fence[0] && mark.length >= fence.length;
    if (closed) fence = undefined;
    else if (mark && !fence) fence = mark;
    blank = head.trim() === "";
    line = next;
  }
  out.push(text.slice(start));
  return out;
}

function lex(piece: string, until: number): { token?: Token; length: number }[] {
  const plain = [{ length: piece.length }];
  if (!reader.value || performance.now() > until) return plain;
  const fenced = /^ {0,3}(?:`{3,}|~{3,})/.test(piece);
  if (TOO_DEEP.test(piece) || (piece.length > 4 * PIECE && !fenced)) return plain;
  const lexer = new reader.value({ gfm: true });
  try {
    const tokens: Token[] = lexer.blockTokens(piece, []);
    for (const { src, tokens: inline } of lexer.inlineQueue)
      if (src.length <= MAX_INLINE && performance.now() < until) lexer.inlineTokens(src, inline);
      else inline.push({ type: "text", raw: src, text: src });
    const read = tokens.reduce((sum, token) => sum + token.raw.length, 0);
    // A lexer that lost characters would show less than was said.
    return read === piece.length
      ? tokens.map((token) => ({ token, length: token.raw.length }))
      : plain;
  } catch (cause) {
    // Nesting beyond what the stack holds; the text is shown as it is.
    if (cause instanceof RangeError) return plain;
    throw cause;
  }
}

/** The address if it may be followed: http, https or mailto; undefined for everything else. */
export function safeHref(href: string): string | undefined {
  try {
    const url = new URL(href.trim());
    return /^(https?|mailto):$/.test(url.protocol) ? url.href : undefined;
  } catch (cause) {
    // No absolute address: there is nothing that it could be relative to.
    if (cause instanceof TypeError) return undefined;
    throw cause;
  }
}
