/**
 * JSON5 with positions. `Bun.JSON5` gives values only; a config needs to know where each value stands, to say what is wrong
 * in which line and to change one value while every comment around it stays.
 */

/** One file as it was read. `name` is what a user is told. */
export type Doc = { name: string; text: string };
type At = { doc: Doc; start: number; end: number };
/** A value and the place it was written in. An included value belongs to another `doc` than what surrounds it. */
export type Node =
  | (At & { kind: "object"; members: Member[] })
  | (At & { kind: "array"; items: Node[] })
  | (At & { kind: "value"; value: string | number | boolean | null });
/** `start` and `end` are those of the key, with its quotes. */
export type Member = { key: string; start: number; end: number; value: Node };

/** What is wrong with a text, where, and inside which keys. */
export type SyntaxFault = {
  offset: number;
  message: string;
  hint: string;
  path: (string | number)[];
};
export type Parsed = { ok: true; root: Node } | { ok: false; fault: SyntaxFault };

/** Nesting beyond this is no config; it would only exhaust the stack, here or later. */
const DEPTH_MAX = 100;

class Fault {
  constructor(
    readonly offset: number,
    readonly message: string,
    readonly hint: string,
  ) {}
}

const ID_START = /[$_\p{ID_Start}]/u;
const ID_PART = /[$_\u200c\u200d\p{ID_Continue}]/u;
const NUMBER =
  /[+-]?(?:0[xX][0-9a-fA-F]+|Infinity|NaN|(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)/y;
const SIMPLE: Record<string, string> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  0: "\0",
};
const WORDS = new Map<string, boolean | null>([
  ["true", true],
  ["false", false],
  ["null", null],
]);

class Reader {
  private at = 0;
  private readonly path: (string | number)[] = [];
  constructor(private readonly doc: Doc) {}

  get where(): (string | number)[] {
    return this.path;
  }

  document(): Node {
    const root = this.value(0);
    this.space();
    if (this.at < this.doc.text.length)
      throw this.fault(
        "There is something after the end of the config",
        "Remove what follows the last `}`.",
      );
    return root;
  }

  private fault(message: string, hint: string, at = this.at): Fault {
    return new Fault(at, message, hint);
  }

  private get char(): string {
    return this.doc.text[this.at] ?? "";
  }

  private found(): string {
    const point = this.doc.text.codePointAt(this.at);
    return point === undefined ? "the end of the file" : `\`${String.fromCodePoint(point)}\``;
  }

  private space(): void {
    const next = skipSpace(this.doc.text, this.at);
    if (next === undefined) {
      const { text } = this.doc;
      const open = text.indexOf("/*", Math.max(this.at, text.lastIndexOf("*/") + 2));
      throw this.fault("A comment is never closed", "End it with `*/`.", open);
    }
    this.at = next;
  }

  private value(depth: number): Node {
    this.space();
    if (depth > DEPTH_MAX)
      throw this.fault(`Values are nested more than ${DEPTH_MAX} levels deep`, "Write it flatter.");
    const { char } = this;
    if (char === "{") return this.object(depth);
    if (char === "[") return this.array(depth);
    const start = this.at;
    const leaf = (value: string | number | boolean | null): Node => ({
      kind: "value",
      value,
      doc: this.doc,
      start,
      end: this.at,
    });
    if (char === '"' || char === "'") return leaf(this.string());
    NUMBER.lastIndex = start;
    const number = NUMBER.exec(this.doc.text);
    if (number) {
      this.at += number[0].length;
      this.mustEnd(start);
      return leaf(toNumber(number[0]));
    }
    if (ID_START.test(char)) {
      const word = this.identifier();
      if (WORDS.has(word)) return leaf(WORDS.get(word)!);
      throw this.fault(NO_QUOTES, "Put text in quotes.", start);
    }
    throw this.fault(
      char === ""
        ? "The file ends where a value should be"
        : `${this.found()} stands where a value should be`,
      char === "" ? CUT_OFF : "Write the value, or remove the key.",
    );
  }

  /** A number runs up to the next separator, so that `1.2.3` and `10px` are faults and not two values. */
  private mustEnd(start: number): void {
    if (/[\w$.]/.test(this.char)) throw this.fault(NO_QUOTES, "Put text in quotes.", start);
  }

  private object(depth: number): Node {
    const start = this.at++;
    const members: Member[] = [];
    for (;;) {
      this.space();
      if (this.char === "}") break;
      const from = this.at;
      const key = this.key();
      const end = this.at;
      this.path.push(key);
      this.space();
      if (this.char !== ":")
        throw this.fault(
          this.char === ""
            ? "The file ends after a key"
            : `${this.found()} stands where a colon should be`,
          this.char === "" ? CUT_OFF : "A key is followed by `:` and its value.",
        );
      this.at++;
      members.push({ key, start: from, end, value: this.value(depth + 1) });
      this.path.pop();
      if (this.separator("}")) break;
    }
    this.at++;
    return { kind: "object", members, doc: this.doc, start, end: this.at };
  }

  private array(depth: number): Node {
    const start = this.at++;
    const items: Node[] = [];
    for (;;) {
      this.space();
      if (this.char === "]") break;
      this.path.push(items.length);
      items.push(this.value(depth + 1));
      this.path.pop();
      if (this.separator("]")) break;
    }
    this.at++;
    return { kind: "array", items, doc: this.doc, start, end: this.at };
  }

  /** Past the comma, or true at the closing bracket. */
  private separator(close: "}" | "]"): boolean {
    this.space();
    if (this.char === close) return true;
    if (this.char === ",") {
      this.at++;
      return false;
    }
    throw this.char === ""
      ? this.fault(`The file ends before the closing \`${close}\``, CUT_OFF)
      : this.fault(
          `${this.found()} stands where a comma or \`${close}\` should be`,
          "Look for a missing comma or quote just before it.",
        );
  }

  private key(): string {
    const { char } = this;
    if (char === '"' || char === "'") return this.string();
    if (char === "\\" || ID_START.test(codePoint(this.doc.text, this.at))) return this.identifier();
    if (char === "") throw this.fault("The file ends before the closing `}`", CUT_OFF);
    throw this.fault(`${this.found()} stands where a key should be`, "Put the key in quotes.");
  }

  private identifier(): string {
    const { text } = this.doc;
    let out = "";
    for (;;) {
      const c = codePoint(text, this.at);
      if (c === "\\") {
        const code = /^\\u([0-9a-fA-F]{4})/.exec(text.slice(this.at, this.at + 6));
        if (!code)
          throw this.fault("A backslash stands in a key without quotes", "Put the key in quotes.");
        out += String.fromCharCode(Number.parseInt(code[1]!, 16));
        this.at += 6;
      } else if (c !== "" && ID_PART.test(c)) {
        out += c;
        this.at += c.length;
      } else return out;
    }
  }

  private string(): string {
    const { text } = this.doc;
    const start = this.at;
    const quote = text[this.at++]!;
    let out = "";
    for (;;) {
      const from = this.at;
      let c = text[this.at];
      while (c !== undefined && c !== quote && c !== "\\" && c !== "\n" && c !== "\r")
        c = text[++this.at];
      out += text.slice(from, this.at);
      if (c === quote) {
        this.at++;
        return out;
      }
      if (c !== "\\")
        throw this.fault("A text is never closed", `Put the missing ${quote} at its end.`, start);
      out += this.escape();
    }
  }

  private escape(): string {
    const { text } = this.doc;
    const c = text[this.at + 1] ?? "";
    const hex = (digits: number) => {
      const code = text.slice(this.at + 2, this.at + 2 + digits);
      if (code.length < digits || /[^0-9a-fA-F]/.test(code))
        throw this.fault(
          "An escape in a text is not complete",
          "Write it as `\\u0041` or `\\x41`.",
        );
      this.at += 2 + digits;
      return String.fromCharCode(Number.parseInt(code, 16));
    };
    if (c === "u") return hex(4);
    if (c === "x") return hex(2);
    if (/[1-9]/.test(c) || (c === "0" && /\d/.test(text[this.at + 2] ?? "")))
      throw this.fault(
        "A text has a backslash before a digit",
        "Write `\\\\` for a backslash itself.",
      );
    this.at += c === "\r" && text[this.at + 2] === "\n" ? 3 : 2;
    if (/[\n\r\u2028\u2029]/.test(c)) return "";
    return SIMPLE[c] ?? c;
  }
}

/** Says nothing of the word itself: it may be a secret that lost its quotes. */
const NO_QUOTES = "A word without quotes stands where a value should be";
/** Of a file that ends too early; `doctor` knows it, and says more. */
export const CUT_OFF = "It looks cut off; `clawdbot doctor` says how to get it back.";

const codePoint = (text: string, at: number): string => {
  const point = text.codePointAt(at);
  return point === undefined ? "" : String.fromCodePoint(point);
};

function toNumber(text: string): number {
  const sign = text.startsWith("-") ? -1 : 1;
  return sign * Number(text.replace(/^[+-]/, ""));
}

/** The next offset that is neither blank nor comment, or undefined when a comment does not end. */
export function skipSpace(text: string, from: number): number | undefined {
  let at = from;
  for (;;) {
    const c = text[at];
    if (c === undefined) return at;
    if (c === "/" && text[at + 1] === "/") {
      const end = /[\n\r\u2028\u2029]/g;
      end.lastIndex = at;
      at = end.exec(text)?.index ?? text.length;
    } else if (c === "/" && text[at + 1] === "*") {
      const end = text.indexOf("*/", at + 2);
      if (end < 0) return undefined;
      at = end + 2;
    } else if (/[\s\ufeff]/.test(c)) at++;
    else return at;
  }
}

/** Parses one file. Never throws on input. */
export function parseDocument(doc: Doc): Parsed {
  const reader = new Reader(doc);
  try {
    return { ok: true, root: reader.document() };
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    const { offset, message, hint } = cause;
    return { ok: false, fault: { offset, message, hint, path: [...reader.where] } };
  }
}

/** 1-based line and column (in UTF-16 units) of an offset. */
export function positionOf(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let begin = 0;
  for (const match of text.matchAll(/\r\n?|\n/g)) {
    const next = match.index + match[0].length;
    if (next > offset) break;
    line++;
    begin = next;
  }
  return { line, column: Math.min(offset, text.length) - begin + 1 };
}

/** The member that counts: of a key that is written twice, the last one. */
export const memberOf = (node: Node, key: string): Member | undefined =>
  node.kind === "object" ? node.members.findLast((m) => m.key === key) : undefined;

/**
 * The plain value. `__proto__` is left out: it is never a config key, and assigning it would change what the object is.
 */
export function valueOf(node: Node): unknown {
  if (node.kind === "value") return node.value;
  if (node.kind === "array") return node.items.map(valueOf);
  return Object.fromEntries(
    node.members.filter((m) => m.key !== "__proto__").map((m) => [m.key, valueOf(m.value)]),
  );
}
