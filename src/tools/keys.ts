/** Key names as in tmux (`Enter`, `C-c`, `M-x`, `S-Tab`, `F5`, `C-Up`) to the bytes that a terminal sends for them. */
import { AppError } from "../base/errors.ts";

const NAMED: Record<string, string> = {
  enter: "\r",
  return: "\r",
  cr: "\r",
  tab: "\t",
  escape: "\x1b",
  esc: "\x1b",
  space: " ",
  backspace: "\x7f",
  bspace: "\x7f",
};
/** Keys sent as `ESC [ <letter>`. */
const CURSOR: Record<string, string> = {
  up: "A",
  down: "B",
  right: "C",
  left: "D",
  home: "H",
  end: "F",
};
/** Keys sent as `ESC [ <number> ~`. */
const NUMBERED: Record<string, number> = {
  insert: 2,
  ic: 2,
  delete: 3,
  del: 3,
  dc: 3,
  pageup: 5,
  pgup: 5,
  ppage: 5,
  pagedown: 6,
  pgdn: 6,
  npage: 6,
  f5: 15,
  f6: 17,
  f7: 18,
  f8: 19,
  f9: 20,
  f10: 21,
  f11: 23,
  f12: 24,
};
/** Keys sent as `ESC O <letter>`, or `ESC [ 1 ; <modifier> <letter>`. */
const FUNCTION: Record<string, string> = { f1: "P", f2: "Q", f3: "R", f4: "S" };

const unknownKey = (token: string) =>
  new AppError("bad_request", `Unknown key "${token}".`, {
    hint: "Keys are Enter, Tab, Escape, Space, Backspace, Up, Down, Left, Right, Home, End, PageUp, PageDown, Insert, Delete, F1-F12, one character, or C-x, M-x, S-Tab. Send text with `literal`.",
  });

/** Throws bad_request for a name that is no key. */
export function keyBytes(token: string): string {
  const match = /^((?:[CMS]-)*)(.+)$/isu.exec(
    token.startsWith("^") && token.length === 2 ? `C-${token[1]}` : token,
  );
  if (!match) throw unknownKey(token);
  const has = (letter: string) => match[1]!.toUpperCase().includes(`${letter}-`);
  const [ctrl, meta, shift] = [has("C"), has("M"), has("S")];
  const key = match[2]!;
  const name = key.toLowerCase();
  const modifier = 1 + (shift ? 1 : 0) + (meta ? 2 : 0) + (ctrl ? 4 : 0);
  const prefix = meta ? "\x1b" : "";

  if (name === "btab" || (name === "tab" && shift)) return `${prefix}\x1b[Z`;
  if (CURSOR[name])
    return modifier > 1 ? `\x1b[1;${modifier}${CURSOR[name]}` : `\x1b[${CURSOR[name]}`;
  if (NUMBERED[name])
    return modifier > 1 ? `\x1b[${NUMBERED[name]};${modifier}~` : `\x1b[${NUMBERED[name]}~`;
  if (FUNCTION[name])
    return modifier > 1 ? `\x1b[1;${modifier}${FUNCTION[name]}` : `\x1bO${FUNCTION[name]}`;
  const char = NAMED[name] ?? ([...key].length === 1 ? key : undefined);
  if (char === undefined) throw unknownKey(token);
  if (!ctrl) return prefix + (shift ? char.toUpperCase() : char);
  const code = char.toUpperCase().charCodeAt(0);
  if (char === " ") return `${prefix}\0`;
  if (char === "?") return `${prefix}\x7f`;
  if (code >= 0x40 && code <= 0x5f) return prefix + String.fromCharCode(code & 0x1f);
  throw unknownKey(token);
}

/** `0d`, `1b5b41`: pairs of hex digits. Throws bad_request. */
export function hexBytes(text: string): Uint8Array {
  const digits = text.replace(/^0x/i, "").replaceAll(" ", "");
  if (!/^(?:[\da-f]{2})+$/i.test(digits))
    throw new AppError("bad_request", `"${text}" is not hex.`, {
      hint: "Write bytes as 0d or 1b5b41.",
    });
  return Uint8Array.fromHex(digits);
}

/** Text as a terminal pastes it: programs that ask for it can tell it from typing. */
export const bracketedPaste = (text: string): string => `\x1b[200~${text}\x1b[201~`;
