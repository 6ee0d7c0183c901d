/**
 * Masks secrets in text that leaves the program: log lines, tool output, error messages.
 * Two nets: every secret value that the program knows, and what secrets usually look like. Both run in linear time, so that
 * a hostile text of 100 MB costs milliseconds per megabyte and never hangs the event loop for a pattern's sake.
 */

export type Redactor = {
  /** The text with every secret masked. Never throws. */
  text(text: string): string;
  /** The text with the values that the program knows masked, and nothing that only looks like a secret. Never throws. */
  known(text: string): string;
  /** Learns a secret value. Shorter than 8 characters is ignored: it would mask half of every text. */
  add(secret: string): void;
  /** Configured patterns that were not taken, each with the reason, for one warning. */
  rejected: string[];
};

const SHORTEST_SECRET = 8;
const WINDOW = 64 * 1024;
const OVERLAP = 4096;
/** Configured patterns are strangers: a quadratic one is harmless in a window this small. */
const OWN_WINDOW = 2048;
const OWN_OVERLAP = 512;
/**
 * What secrets look like; the last group that matched is the secret, or the whole match.
 * Every repetition before the secret is bounded and no two neighbours overlap: that keeps them linear.
 */
const BUILT_IN: RegExp[] = [
  /\b[A-Z0-9_]{0,64}(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD)\s{0,8}[=:]\s{0,8}["']?([^\s"'\\]{4,4000})/dg,
  /\b(?:api[_-]?key|(?:access|refresh|auth|bot|app)?[_-]?token|secret|password|passwd)\s{0,4}[=:]\s{0,4}["']?([^\s"'\\&,;(){}[\]]{8,4000})/dgi,
  /"(?:[a-z_]{0,32}(?:api_?key|token|secret|password|passwd))\\?"\s{0,8}:\s{0,8}\\?"([^"\\]{1,4000})/dgi,
  /--(?:api-?key|(?:bot-|app-|access-)?token|secret|password|passwd)[ =]["']?([^\s"'`<][^\s"'`]{0,3999})/dgi,
  /\bAuthorization\s{0,4}[:=]\s{0,4}(?:Bearer|Basic)\s{1,4}([\w.+/=~-]{4,4000})/dgi,
  /\bBearer\s{1,4}([\w.+/=~-]{18,4000})/dgi,
  /:\/\/[^\s/:@]{1,128}:([^\s/@]{1,256})@/dg,
  /\b(sk-[\w-]{8,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}|gsk_[\w-]{10,}|AIza[\w-]{20,}|pplx-[\w-]{10,}|npm_\w{10,}|\d{6,12}:[\w-]{20,})/dg,
];

/** Less than 18 characters: nothing of it; else the first six and the last four, so that a person can tell two keys apart. */
export const maskSecret = (secret: string): string =>
  secret.length < 18 ? "***" : `${secret.slice(0, 6)}…${secret.slice(-4)}`;

/**
 * @param patterns `re` or `/re/flags`; they replace the built-in list (config `logging.redactPatterns`)
 * @param budgetMs for one text; what is left after that is hidden as a whole
 */
export function createRedactor(
  secrets: string[] = [],
  patterns?: string[],
  budgetMs = 1000,
): Redactor {
  const known: string[] = [];
  const rejected: string[] = [];
  const own = patterns?.flatMap((source) => compile(source, rejected));
  const add = (secret: string): void => {
    for (const form of new Set([secret, encodeSafely(secret)]))
      if (form.length >= SHORTEST_SECRET && !known.includes(form)) known.push(form);
    // The longest first: a secret may contain another.
    known.sort((a, b) => b.length - a.length);
  };
  for (const secret of secrets) add(secret);
  const withoutKnown = (text: string): string => {
    let masked = text;
    for (const secret of known)
      if (masked.includes(secret)) masked = masked.replaceAll(secret, maskSecret(secret));
    return masked;
  };
  return {
    add,
    rejected,
    known: withoutKnown,
    text(text) {
      const masked = maskKeys(withoutKnown(text));
      const deadline = performance.now() + budgetMs;
      return own
        ? maskPatterns(masked, own, { size: OWN_WINDOW, overlap: OWN_OVERLAP }, deadline)
        : maskPatterns(masked, BUILT_IN, { size: WINDOW, overlap: OVERLAP }, deadline);
    },
  };
}

/** As in an URL. A lone surrogate cannot be encoded; then the plain form has to do. */
const encodeSafely = (secret: string): string =>
  secret.isWellFormed() ? encodeURIComponent(secret) : secret;

/** Private key blocks, found without a regular expression because they have no longest length. */
function maskKeys(text: string): string {
  let out = "";
  let at = 0;
  for (;;) {
    const begin = text.indexOf("-----BEGIN ", at);
    if (begin < 0) return at === 0 ? text : out + text.slice(at);
    const head = text.slice(begin, begin + 64);
    const label = /^-----BEGIN ([A-Z ]{0,32}PRIVATE KEY)-----/.exec(head)?.[1];
    if (!label) {
      out += text.slice(at, begin + 11);
      at = begin + 11;
      continue;
    }
    const tail = `-----END ${label}-----`;
    const end = text.indexOf(tail, begin);
    out += `${text.slice(at, begin)}-----BEGIN ${label}-----…${tail}`;
    // A block that is cut off is a secret all the same.
    at = end < 0 ? text.length : end + tail.length;
  }
}

/**
 * Goes over the text in windows that overlap: a match counts when it begins inside the window, so one that lies across the
 * border is found once and whole.
 */
function maskPatterns(
  text: string,
  patterns: RegExp[],
  window: { size: number; overlap: number },
  deadline: number,
): string {
  let out = "";
  let at = 0;
  while (at < text.length) {
    if (performance.now() > deadline)
      return `${out}[${text.length - at} characters hidden: searching them for secrets takes too long]`;
    const piece = text.slice(at, at + window.size + window.overlap);
    let from = 0;
    for (const [begin, end] of findSecrets(piece, patterns, window.size)) {
      if (end <= from) continue;
      out += piece.slice(from, begin) + maskSecret(piece.slice(Math.max(from, begin), end));
      from = end;
    }
    const next = Math.max(from, Math.min(window.size, piece.length));
    out += piece.slice(from, next);
    at += next;
  }
  return out;
}

function findSecrets(piece: string, patterns: RegExp[], window: number): [number, number][] {
  const spans: [number, number][] = [];
  for (const pattern of patterns)
    for (const match of piece.matchAll(pattern)) {
      if (match.index >= window) break;
      const span = match.indices?.findLast((group) => group !== undefined);
      if (span && span[1] > span[0]) spans.push(span);
    }
  return spans.sort((a, b) => a[0] - b[0]);
}

function compile(text: string, rejected: string[]): RegExp[] {
  const slashed = /^\/(.+)\/([a-z]*)$/s.exec(text);
  const source = slashed?.[1] ?? text;
  const flags = new Set(`${slashed?.[2] ?? ""}gd`.replace("y", ""));
  try {
    const pattern = new RegExp(source, [...flags].join(""));
    if (!isSlow(pattern)) return [pattern];
    rejected.push(`${text}: on some texts it takes for ever`);
    return [];
  } catch (cause) {
    // Expected: a person typed it into the config. The caller warns with this list.
    rejected.push(`${text}: ${cause instanceof Error ? cause.message : String(cause)}`);
    return [];
  }
}

/**
 * Tries a pattern on growing repetitions of the characters it is made of. Good ones take microseconds; one that takes
 * 50 ms twice for 512 characters would hang the gateway on a page of text.
 */
function isSlow(pattern: RegExp): boolean {
  const probe = new RegExp(pattern.source, pattern.flags.replace("g", ""));
  const starts = ["", ...(pattern.source.match(/[\w=:-]{2,}/g) ?? []).slice(0, 4)];
  const letters = new Set(`aA0 -${pattern.source.replace(/\\./g, "")}`.slice(0, 24));
  const tooLong = (text: string) => {
    const before = performance.now();
    probe.test(text);
    return performance.now() - before > 50;
  };
  for (const start of starts)
    for (const letter of letters)
      for (let n = 16; n <= 512; n += n / 2) {
        // What cannot match at the end makes it try every way there is.
        const text = `${start + letter.repeat(n)}\u0000`;
        if (tooLong(text) && tooLong(text)) return true;
      }
  return false;
}
