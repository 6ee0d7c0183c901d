/**
 * What a terminal sends for keys, as names: `enter`, `alt+b`, `ctrl+c`, `shift+enter`, `up`. Text and pastes come as text.
 * Understands the sequences of xterm, its relatives and the keyboard protocol that tells Shift+Enter from Enter.
 */

export type Key =
  | { kind: "text"; text: string }
  /** Between the marks of a bracketed paste; may be large, and never means a key. */
  | { kind: "paste"; text: string }
  | { kind: "key"; name: string };

const PASTE_START = "\u001b[200~";
const PASTE_END = "\u001b[201~";
/** Longest sequence that is waited for; more is somebody's garbage. */
const MAX_SEQUENCE = 64;
/** A larger paste is cut, in characters: the gateway takes no longer message. */
const MAX_PASTE = 1_000_000;

const FINAL: Record<string, string> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  F: "end",
  H: "home",
  Z: "shift+tab",
};
const TILDE: Record<string, string> = {
  "1": "home",
  "3": "delete",
  "4": "end",
  "5": "pageup",
  "6": "pagedown",
  "7": "home",
  "8": "end",
};
/** What these have always been, where the keyboard protocol tells them apart. */
const ALWAYS: Record<string, string> = {
  "ctrl+m": "enter",
  "ctrl+i": "tab",
  "ctrl+[": "escape",
};
const CODES: Record<number, string> = {
  8: "backspace",
  9: "tab",
  13: "enter",
  27: "escape",
  32: "space",
  127: "backspace",
  57414: "enter",
};

/** Fed with what comes in, in pieces of any size: a sequence or a character may be cut anywhere. */
export class KeyReader {
  private readonly decoder = new TextDecoder();
  private rest = "";
  private paste: string | undefined;

  /** @returns the keys that are complete */
  push(bytes: Uint8Array): Key[] {
    this.rest += this.decoder.decode(bytes, { stream: true });
    return this.read(false);
  }

  /** Nothing came for a moment: an escape that waits for its sequence was the key itself. */
  flush(): Key[] {
    return this.paste === undefined ? this.read(true) : [];
  }

  /** Whether `flush` would give something. */
  get waits(): boolean {
    return this.rest !== "" && this.paste === undefined;
  }

  private read(flush: boolean): Key[] {
    const keys: Key[] = [];
    for (;;) {
      const key = this.paste === undefined ? this.one(flush) : this.pasted();
      if (!key) return keys;
      if (key !== "nothing") keys.push(key);
    }
  }

  private pasted(): Key | undefined {
    const end = this.rest.indexOf(PASTE_END);
    // The end mark itself may be cut.
    const upTo = end < 0 ? Math.max(0, this.rest.length - PASTE_END.length + 1) : end;
    this.paste = (this.paste! + this.rest.slice(0, upTo)).slice(0, MAX_PASTE);
    this.rest = this.rest.slice(end < 0 ? upTo : upTo + PASTE_END.length);
    if (end < 0) return undefined;
    const text = this.paste.replace(/\r\n?/g, "\n");
    this.paste = undefined;
    return { kind: "paste", text };
  }

  private one(flush: boolean): Key | "nothing" | undefined {
    const { rest } = this;
    if (rest === "") return undefined;
    if (rest.startsWith(PASTE_START)) {
      this.rest = rest.slice(PASTE_START.length);
      this.paste = "";
      return "nothing";
    }
    if (rest[0] !== "\u001b") return this.plain();
    const found = sequence(rest);
    if (found) {
      this.rest = rest.slice(found.length);
      return found.name ? { kind: "key", name: found.name } : "nothing";
    }
    if (!flush && rest.length < MAX_SEQUENCE) return undefined;
    this.rest = rest.slice(1);
    return { kind: "key", name: "escape" };
  }

  private plain(): Key {
    const code = this.rest.charCodeAt(0);
    if (code < 32 || code === 127) {
      this.rest = this.rest.slice(1);
      return { kind: "key", name: controlName(code) };
    }
    // oxlint-disable-next-line no-control-regex
    const [text] = /^[^\u0000-\u001f\u007f]+/.exec(this.rest)!;
    this.rest = this.rest.slice(text.length);
    return { kind: "text", text };
  }
}

/** The name of a control character: Enter, Tab and Backspace have their own. */
function controlName(code: number): string {
  if (code === 13) return "enter";
  if (code === 9) return "tab";
  if (code === 127 || code === 8) return "backspace";
  if (code === 0) return "ctrl+space";
  return code < 27 ? `ctrl+${String.fromCharCode(code + 96)}` : `ctrl+${code}`;
}

/** @returns length and name (empty for a sequence that is no key) of what the text begins with; undefined: it is not complete */
function sequence(text: string): { length: number; name: string } | undefined {
  // oxlint-disable-next-line no-control-regex
  const csi = /^\u001b\u001b?\[([?<>=]?[\d;:]*)([@-~])/.exec(text);
  if (csi) {
    const doubled = text[1] === "\u001b";
    const name = csiName(csi[1]!, csi[2]!);
    return { length: csi[0].length, name: doubled && name ? `alt+${name}` : name };
  }
  // oxlint-disable-next-line no-control-regex
  const ss3 = /^\u001bO([A-Za-z])/.exec(text);
  if (ss3) return { length: 3, name: ss3[1] === "M" ? "enter" : (FINAL[ss3[1]!] ?? "") };
  // Answers of the terminal to questions that nobody asked here.
  // oxlint-disable-next-line no-control-regex
  const string = /^\u001b[\]P_^X][^\u0007\u001b]*(?:\u0007|\u001b\\)/.exec(text);
  if (string) return { length: string[0].length, name: "" };
  // oxlint-disable-next-line no-control-regex
  if (text.length < 2 || /^\u001b(?:[\]P_^XO]|\u001b?\[[?<>=]?[\d;:]*|\u001b)$/.test(text))
    return undefined;
  // oxlint-disable-next-line no-control-regex
  if (/^\u001b[\]P_^X\[]/.test(text)) return undefined;
  const point = text.codePointAt(1)!;
  const name = point < 32 || point === 127 ? controlName(point) : String.fromCodePoint(point);
  if (point === 27) return { length: 1, name: "escape" };
  return { length: 1 + String.fromCodePoint(point).length, name: `alt+${name}` };
}

/** `1;5` of `CSI 1;5C`: one more than the sum of Shift 1, Alt 2, Ctrl 4. */
function withModifiers(name: string, parameter: string | undefined): string {
  const bits = Math.max(0, Number((parameter ?? "1").split(":")[0]) - 1);
  const parts = [
    ...(bits & 4 ? ["ctrl"] : []),
    ...(bits & 2 ? ["alt"] : []),
    ...(bits & 1 ? ["shift"] : []),
  ];
  return [...parts, name].join("+");
}

function csiName(parameters: string, final: string): string {
  const [first = "", second, third] = parameters.split(";");
  if (final === "u") return named(Number(first.split(":")[0]), second);
  // xterm's other way to say it: 27 ; modifiers ; code ~
  if (final === "~" && first === "27") return named(Number(third), second);
  if (final === "~") return TILDE[first] ? withModifiers(TILDE[first], second) : "";
  return FINAL[final] ? withModifiers(FINAL[final], second) : "";
}

function named(code: number, modifiers: string | undefined): string {
  if (!Number.isFinite(code) || code > 0x10ffff) return "";
  const name = CODES[code] ?? (code > 32 && code < 57344 ? String.fromCodePoint(code) : "");
  const whole = name && withModifiers(name.toLowerCase(), modifiers);
  return ALWAYS[whole] ?? whole;
}
