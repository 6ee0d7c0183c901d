/** From what a model answered to what its chat gets. */
import { toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Address, MediaRef } from "../flow.ts";
import type { NewOutbox } from "../store/store.ts";
import { type MediaLine, parseAnswer, prefixed } from "./grammar.ts";
import { joined, mediaFailed, rowsOf } from "./reply.ts";
import type { OutgoingMedia } from "./sending.ts";
import type { Target } from "./target.ts";

export type Answer = {
  runId: string;
  to: Address;
  /** As the model wrote it. */
  text: string;
  /** The platform's id of the message that is answered. */
  current?: string;
  /** `prefixOf(...)`; put before the text. */
  prefix?: string;
  /** Of the agent, absolute: where `MEDIA:./…` is looked for. Without it such files are not sent. */
  workspace?: string;
  /** Stands in for this message of ours. */
  edits?: string;
  /** Number of the first row; the keys are `<runId>:<n>`. */
  firstPart?: number;
};

type Deps = { media: OutgoingMedia; redact(text: string): string; log: Logger };

/** The rows, in order; none when there is nothing to say. Secrets are masked here, because a cut may go through one. */
export function answerRows(answer: Answer, target: Target, deps: Deps): NewOutbox[] {
  const { runId, to, prefix = "", edits, current, firstPart = 0 } = answer;
  const { text, media: lines, voice, replyTo } = parseAnswer(answer.text);
  const taken = lines.map((line) => take(line, answer.workspace, voice, deps));
  const media = taken.flatMap(({ ref }) => ref ?? []);
  const told = joined(prefixed(prefix, text), ...taken.flatMap(({ failed }) => failed ?? []));
  const replyToId = replyIdOf(replyTo, target.replyToMode, current ?? to.replyToId);
  const { replyToId: _, ...place } = to;
  return rowsOf(
    {
      key: runId,
      runId,
      to: { ...place, ...(replyToId !== undefined && { replyToId }) },
      text: deps.redact(told),
      ...(media.length && { media }),
      ...(edits !== undefined && { edits }),
    },
    target,
    (key, i) => `${key}:${firstPart + i}`,
  );
}

/** A tag of the model's own counts in every mode. */
function replyIdOf(
  tag: string | undefined,
  mode: Target["replyToMode"],
  current: string | undefined,
): string | undefined {
  if (tag !== undefined) return tag === "current" ? current : tag;
  return mode === "off" ? undefined : current;
}

function take(
  line: MediaLine,
  workspace: string | undefined,
  voice: boolean,
  { media, log }: Deps,
): { ref?: MediaRef; failed?: string } {
  try {
    if ("path" in line && workspace === undefined)
      return { failed: mediaFailed("There is no workspace to take the file from.") };
    const ref = "url" in line ? media.web(line.url) : media.take(line.path, workspace!);
    return { ref: voice ? { ...ref, as: "voice" } : ref };
  } catch (cause) {
    const { code, message } = toAppError(cause);
    log.warn("a file of an answer cannot be sent", { code, error: message });
    return { failed: mediaFailed(code === "internal" ? "It cannot be read." : message) };
  }
}
