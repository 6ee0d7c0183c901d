/** Text rules of the conversation with a model: what is silent, what is cut, what is stripped before people see it. */

/** The model answers with exactly this to say nothing. A fact of the original: prompts and skills of users name it. */
export const SILENT_REPLY = "NO_REPLY";

const OPENS_SILENT = new RegExp(`^\\s*${SILENT_REPLY}(?!\\w)`);
const ENDS_SILENT = new RegExp(`(?<!\\w)${SILENT_REPLY}\\W*$`);

/** True when nothing shall be delivered: the token opens the reply, or ends it. */
export const isSilent = (reply: string): boolean =>
  OPENS_SILENT.test(reply) || ENDS_SILENT.test(reply);

export type Reply = {
  /** Without the tags, trimmed. */
  text: string;
  /** The platform's id of the message to reply to; `current` is the one that is being answered. */
  replyTo?: string;
};

const CODE = /(```[\s\S]*?(?:```|$)|`[^`\n]*`)/;
const TAG = /\[\[\s*(?:reply_to_current|reply_to\s*:\s*([^\]\s]+))\s*\]\][ \t]*/g;

/** Takes `[[reply_to_current]]` and `[[reply_to:<id>]]` out of a reply; the first one counts. Code is left as it is. */
export function parseReply(reply: string): Reply {
  let replyTo: string | undefined;
  const text = reply
    .split(CODE)
    .map((part, index) =>
      index % 2
        ? part
        : part.replace(TAG, (_, id: string | undefined) => {
            replyTo ??= id ?? "current";
            return "";
          }),
    )
    .join("")
    .trim();
  return replyTo === undefined ? { text } : { text, replyTo };
}

/** Keeps 70 % from the start and 20 % from the end of a text that is longer than `limit` characters; `note` says so between. */
export function headAndTail(text: string, limit: number, note: (left: number) => string): string {
  if (text.length <= limit) return text;
  const head = Math.floor(limit * 0.7);
  const tail = Math.floor(limit * 0.2);
  const start = text.slice(0, head).toWellFormed();
  const end = tail ? text.slice(-tail).toWellFormed() : "";
  return `${start}\n${note(text.length - head - tail)}\n${end}`;
}
