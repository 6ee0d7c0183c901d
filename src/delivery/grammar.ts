/**
 * What a model says besides its answer, in the answer: tags, files to send, thoughts, and that it says nothing. Taken out before
 * anybody sees the text. Code is left as it is. The words are facts of the original: prompts and skills of users name them.
 */
import { SILENT_REPLY } from "../protocol/reply.ts";
import { linesOf } from "./fences.ts";

/** A file of the answer: `http(s)://…`, or `./…` in the agent's workspace. */
export type MediaLine = { url: string } | { path: string };

export type Parsed = {
  /** What is said, trimmed. Empty when nothing shall be. */
  text: string;
  media: MediaLine[];
  /** `[[audio_as_voice]]`: sound is sent as a voice note, if it can be one. */
  voice: boolean;
  /** The platform's id of the message to reply to; `current` is the one that is being answered. */
  replyTo?: string;
  /** The model chose to say nothing. Files are sent all the same. */
  silent: boolean;
};

const HEARTBEAT = "HEARTBEAT_OK";
const OPENS_SILENT = new RegExp(`^\\s*${SILENT_REPLY}(?!\\w)`);
const ENDS_SILENT = new RegExp(`(?<!\\w)${SILENT_REPLY}\\W{0,8}$`);
const STRAY = new RegExp(`^\\s*${HEARTBEAT}(?!\\w)[.!]?|(?<!\\w)${HEARTBEAT}[.!]?\\s*$`, "g");

const CODE = /(```[\s\S]*?(?:```|$)|`[^`\n]*`)/;
const TAG =
  /\[\[\s{0,8}(?:(reply_to_current)|reply_to\s{0,8}:\s{0,8}([^\]\s]{1,200})|(audio_as_voice))\s{0,8}\]\][ \t]*/g;
const THOUGHT = /<(\/?)(think(?:ing)?|thought|antthinking|final)\b[^<>]{0,80}>/gi;
const LONGEST_MEDIA = 4096;
const MOST_MEDIA = 10;

/** Takes everything out of an answer that is not for the eyes of its reader. */
export function parseAnswer(answer: string): Parsed {
  const found: Parsed = { text: "", media: [], voice: false, silent: false };
  const { text, media } = takeMedia(withoutThoughts(answer));
  found.media = media;
  const said = outsideCode(text, (part) =>
    part.replace(TAG, (_, current?: string, id?: string, voice?: string) => {
      if (voice) found.voice = true;
      else found.replyTo ??= current ? "current" : id;
      return "";
    }),
  )
    .replace(STRAY, "")
    .trim();
  found.silent = OPENS_SILENT.test(said) || ENDS_SILENT.test(said);
  found.text = found.silent ? "" : said;
  return found;
}

/**
 * As much of an answer that is still being written as may be shown: whole words only, so that half a tag, half a file name or half
 * a secret is never seen. Empty while it may still become the word for silence.
 */
export function showable(sofar: string): string {
  let end = sofar.length;
  while (end > 0 && !/\s/.test(sofar[end - 1]!)) end--;
  const whole = sofar.slice(0, end);
  const opening = whole.trimStart();
  if (SILENT_REPLY.startsWith(opening.trimEnd()) || HEARTBEAT.startsWith(opening.trimEnd()))
    return "";
  const { text, silent } = parseAnswer(whole);
  const unfinished = /(?:^|\n)[ \t]{0,8}MEDIA:[^\n]*$|\[\[[^\]]{0,200}$/;
  return silent ? "" : text.replace(unfinished, "").trimEnd();
}

const outsideCode = (
  text: string,
  change: (part: string) => string,
  code: (part: string) => string = (part) => part,
): string =>
  text
    .split(CODE)
    .map((part, i) => (i % 2 ? code(part) : change(part)))
    .join("");

/** Thoughts that a model writes into its answer between tags; an end that is missing is the end of the text. */
export function withoutThoughts(answer: string): string {
  if (!/<\/?(?:think|thought|antthinking|final)/i.test(answer)) return answer;
  let depth = 0;
  const told = (part: string) => {
    let out = "";
    let at = 0;
    for (const match of part.matchAll(THOUGHT)) {
      if (depth === 0) out += part.slice(at, match.index);
      at = match.index + match[0].length;
      if (match[2]!.toLowerCase() === "final") continue;
      depth = match[1] ? Math.max(0, depth - 1) : depth + 1;
    }
    return depth === 0 ? out + part.slice(at) : out;
  };
  return outsideCode(answer, told, (code) => (depth === 0 ? code : ""));
}

/** Takes the `MEDIA:` lines out; one whose file is none of ours to send stays as text. */
function takeMedia(answer: string): { text: string; media: MediaLine[] } {
  if (!answer.includes("MEDIA:")) return { text: answer, media: [] };
  const media: MediaLine[] = [];
  const kept: string[] = [];
  for (const { line, code } of linesOf(answer)) {
    const start = line.trimStart();
    const found =
      !code && start.startsWith("MEDIA:") ? readMedia(start.slice(6).trim()) : undefined;
    if (found && media.length + found.length <= MOST_MEDIA) media.push(...found);
    else kept.push(line);
  }
  return { text: kept.join("\n"), media };
}

/** What a line names; undefined when any word of it is no file that may be sent. */
function readMedia(words: string): MediaLine[] | undefined {
  const quoted = /^(["'`])([^"'`\n]+)\1$/.exec(words)?.[2];
  const names = quoted === undefined ? words.split(/\s+/) : [quoted];
  const lines = names.map((name) => mediaOf(quoted === undefined ? unwrapped(name) : name));
  return lines.length && lines.every((line) => line !== undefined)
    ? (lines as MediaLine[])
    : undefined;
}

const unwrapped = (name: string): string =>
  name.length > LONGEST_MEDIA ? name : name.replace(/^["'`([{<]+/, "").replace(/["'`)\]}>]+$/, "");

function mediaOf(name: string): MediaLine | undefined {
  if (!name || name.length > LONGEST_MEDIA || /[\0\r\n]/.test(name)) return undefined;
  if (/^https?:\/\//i.test(name)) {
    const url = URL.parse(name);
    return url && url.hostname && !url.username && !url.password ? { url: url.href } : undefined;
  }
  const parts = name.split(/[/\\]/);
  const inside = name.startsWith("./") && name.length > 2 && !parts.includes("..");
  return inside ? { path: name } : undefined;
}

/** What a configured prefix may name. */
export type PrefixNames = {
  model?: string;
  provider?: string;
  thinking?: string;
  /** Of the agent, for people. */
  identity?: string;
};

/** `messages.responsePrefix` with its variables filled in; `auto` is the agent's name. Unknown variables stay as they are. */
export function prefixOf(template: string | undefined, names: PrefixNames): string {
  const text =
    template === "auto" ? (names.identity ? `[${names.identity}]` : "") : (template ?? "");
  const values: Record<string, string | undefined> = {
    model: names.model
      ?.split("/")
      .at(-1)
      ?.replace(/-(?:\d{8}|latest)$/, ""),
    modelfull: names.provider && names.model ? `${names.provider}/${names.model}` : names.model,
    provider: names.provider,
    think: names.thinking,
    thinkinglevel: names.thinking,
    identityname: names.identity,
    "identity.name": names.identity,
  };
  return text.replace(
    /\{([a-zA-Z.]{1,40})\}/g,
    (whole, name: string) => values[name.toLowerCase()] ?? whole,
  );
}

/** Once per message, and not before a text that begins with it already. */
export const prefixed = (prefix: string, text: string): string =>
  !prefix.trim() || !text || text.startsWith(prefix)
    ? text
    : prefix + (/\s$/.test(prefix) ? "" : " ") + text;
