/** Whether a group message is for us: the platform's own mention, a reply to us, or words that are our name. */
import type { AgentEntry } from "../agent/config.ts";
import type { Inbound } from "../flow.ts";
import type { MessagesConfig } from "../sessions/config.ts";
import type { SessionSettings } from "../store/store.ts";

/** Of one group message; kept for what depends on it later, the acknowledgement for example. */
export type Gate = { required: boolean; mentioned: boolean };

/** Only so much of a text is searched, from both ends: a name in the middle of an essay calls nobody. In characters. */
const HEAD = 500;
const TAIL = 250;
const MAX_PATTERN = 200;
/**
 * Repetitions that a pattern may have, by how often they repeat: each further one multiplies the time of a search that fails.
 * `from` is the least that counts as one of the row.
 */
const MAX_REPETITIONS = [
  { from: 21, count: 2 },
  { from: 2, count: 3 },
  { from: 1, count: 10 },
];
const MAX_COMPILED = 500;

/** Characters that nobody sees: zero width, direction marks, soft hyphens, tags, variants of emoji. */
const INVISIBLE =
  /[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]|[\u{e0000}-\u{e0fff}]/gu;
export const withoutInvisible = (text: string): string => text.replace(INVISIBLE, "");

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");

/** `groupChat.mentionPatterns` of the agent (an empty list counts), else of `messages`, else made from the agent's name and emoji. */
export function mentionPatterns(
  agent: Pick<AgentEntry, "groupChat" | "identity" | "name"> | undefined,
  messages: Pick<MessagesConfig, "groupChat">,
): string[] {
  const given = agent?.groupChat?.mentionPatterns ?? messages.groupChat?.mentionPatterns;
  // A `\b` that lost its backslash on the way into the file.
  if (given) return given.map((pattern) => pattern.replaceAll("\b", "\\b"));
  const words = withoutInvisible(agent?.identity?.name ?? agent?.name ?? "")
    .trim()
    .split(/\s+/)
    .filter(Boolean);
  const emoji = withoutInvisible(agent?.identity?.emoji ?? "").trim();
  return [
    ...(words.length ? [`${EDGE_BEFORE}@?${words.map(escaped).join("\\s+")}${EDGE_AFTER}`] : []),
    ...(emoji ? [escaped(emoji)] : []),
  ];
}

/** `\b` knows only the letters of English. */
const EDGE_BEFORE = "(?<![\\p{L}\\p{N}_])";
const EDGE_AFTER = "(?![\\p{L}\\p{N}_])";

/** Compiles patterns once and remembers which are of no use. */
export class Mentions {
  private readonly compiled = new Map<string, RegExp | null>();

  /** `refused` is called once for each pattern that is not used, with the reason. */
  constructor(private readonly refused: (pattern: string, why: string) => void = () => undefined) {}

  /** Whether one of the patterns is in the text. */
  match(text: string, patterns: readonly string[]): boolean {
    if (!patterns.length) return false;
    const plain = withoutInvisible(text).toLowerCase().replace(/\s+/g, " ").trim();
    const searched =
      plain.length > HEAD + TAIL ? `${plain.slice(0, HEAD)}\n${plain.slice(-TAIL)}` : plain;
    return patterns.some((pattern) => this.compile(pattern)?.test(searched));
  }

  private compile(pattern: string): RegExp | null {
    const known = this.compiled.get(pattern);
    if (known !== undefined) return known;
    const made = compilePattern(pattern);
    if (this.compiled.size >= MAX_COMPILED) this.compiled.clear();
    this.compiled.set(pattern, made instanceof RegExp ? made : null);
    if (made instanceof RegExp) return made;
    this.refused(pattern, made);
    return null;
  }
}

/** The expression, or why it is not used. Letter case never counts. */
export function compilePattern(pattern: string): RegExp | string {
  if (pattern.trim() === "") return "it is empty";
  if (pattern.length > MAX_PATTERN) return `it is longer than ${MAX_PATTERN} characters`;
  if (isSlow(pattern)) return "a long message could make it search for minutes";
  for (const flags of ["iu", "i"])
    try {
      return new RegExp(pattern, flags);
    } catch (cause) {
      // Expected: a pattern of the time before `u`, or a typing mistake.
      if (!(cause instanceof SyntaxError)) throw cause;
    }
  return "it is no regular expression";
}

type Group = { repeats: boolean; branches: boolean };

/**
 * Whether a hostile text could keep the expression busy: a repeated group with a choice or a repetition inside, a reference back,
 * or too many repetitions (of anything but white space, of which the text has no runs).
 */
function isSlow(pattern: string): boolean {
  const open: Group[] = [{ repeats: false, branches: false }];
  const seen = MAX_REPETITIONS.map(() => 0);
  let last: Group | undefined;
  let space = false;
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]!;
    if (char === "\\") {
      const next = pattern[++i] ?? "";
      if (/[1-9k]/.test(next)) return true;
      space = next === "s";
      last = undefined;
    } else if (char === "[") {
      while (++i < pattern.length && pattern[i] !== "]") if (pattern[i] === "\\") i++;
      [last, space] = [undefined, false];
    } else if (char === "(") open.push({ repeats: false, branches: false });
    else if (char === ")") {
      last = open.length > 1 ? open.pop() : undefined;
      if (last?.branches) open.at(-1)!.branches = true;
      space = false;
    } else if (char === "|") open.at(-1)!.branches = true;
    else {
      const quantifier = /^(?:[*+?]|\{\d+(?:,\d*)?\})/.exec(pattern.slice(i))?.[0];
      // The `?` of `(?:` and its like repeats nothing.
      if (quantifier && pattern[i - 1] !== "(") {
        const most = mostOf(quantifier);
        if (last && most > 1 && (last.repeats || last.branches)) return true;
        const row = space ? -1 : MAX_REPETITIONS.findIndex(({ from }) => most >= from);
        if (row >= 0 && ++seen[row]! > MAX_REPETITIONS[row]!.count) return true;
        for (const group of open) group.repeats = true;
        i += quantifier.length - 1;
      }
      space = char === " ";
      last = undefined;
    }
  }
  return false;
}

function mostOf(quantifier: string): number {
  if (quantifier === "?") return 1;
  if (!quantifier.startsWith("{")) return Infinity;
  const [least, most = least] = quantifier.slice(1, -1).split(",");
  return most === "" ? Infinity : Number(most);
}

/** `/activation` of the session counts before what the config says of the group. */
export const isMentionRequired = (
  activation: SessionSettings["groupActivation"],
  configured: boolean,
): boolean => (activation ? activation === "mention" : configured);

/** The platform's mention and a reply to us count always; words only when nobody else is mentioned by the platform's means. */
export const isMentioned = (inbound: Inbound, matches: (text: string) => boolean): boolean =>
  inbound.mentioned ||
  inbound.quoted?.mine === true ||
  inbound.command !== undefined ||
  (!inbound.mentionsOthers && matches(inbound.text));
