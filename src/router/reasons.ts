/** Why a message was not answered, in a sentence, and what to do about it. Read by the trace, the log and the documentation. */
import type { DropReason } from "../flow.ts";

export type Reason = {
  /** A sentence without the subject "the message", which it is about. */
  what: string;
  /** What the owner can do; undefined where all is as it should be. */
  remedy?: string;
};

export const REASONS: Readonly<Record<DropReason, Reason>> = {
  not_allowed: {
    what: "Its sender may not write here.",
    remedy:
      "Add the sender's id to `allowFrom` (direct messages) or `groupAllowFrom` (groups) of the channel.",
  },
  not_paired: {
    what: "Its sender has not been let in yet.",
    remedy: "Look with `clawdbot pairing list`, let them in with `clawdbot pairing approve`.",
  },
  not_mentioned: {
    what: "It was said in a group and not to the assistant; it is kept as context.",
    remedy:
      "Mention the assistant, reply to one of its messages, send `/activation always` there, or set `requireMention: false` for the group.",
  },
  unlisted: {
    what: "The config lists groups of this channel, and this one is not among them.",
    remedy: "Add its id, or `*` for all, to the groups of the channel.",
  },
  disabled: {
    what: "The config switches off messages of this kind.",
    remedy: "Look at `dmPolicy`, `groupPolicy` and `enabled` of the channel.",
  },
  duplicate: { what: "The platform delivered it before." },
  own: { what: "The assistant's own account wrote it." },
  bot: {
    what: "A bot wrote it.",
    remedy:
      "Set `allowBots: true` for the channel, if it can; three answers in a row without a person between them are the most that a bot gets.",
  },
  late: { what: "It changes a message that was answered already, or is not known." },
  flood: {
    what: "Its sender wrote more than 30 messages in a minute.",
    remedy: "Write again in a minute.",
  },
  budget: {
    what: "Its sender has used up what one person may use in a day.",
    remedy: "Wait until midnight, or raise `messages.maxTokensPerDay` (0: no limit).",
  },
  stale: {
    what: "It was more than a day old when it arrived.",
    remedy: "Send it again if it still matters.",
  },
  empty: { what: "There was nothing in it to answer." },
};
