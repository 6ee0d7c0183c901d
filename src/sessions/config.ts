/** The sections `session` (which messages share a conversation, and for how long) and `messages` (what happens on the way in). */
import { z } from "zod";

import "../base/schema.ts";

const Reset = z
  .looseObject({
    mode: z.enum(["daily", "idle"]).default("daily").meta({
      title: "New conversation",
      description: "`daily` at the hour below, `idle` after the pause below.",
    }),
    atHour: z.int().min(0).max(23).default(4).meta({
      title: "Hour",
      description: "Hour of the day, in the time of this machine, 0 to 23.",
    }),
    idleMinutes: z.int().min(1).optional().meta({
      title: "Pause",
      description: "In minutes. Unset: 60 with the mode `idle`, else none.",
    }),
  })
  .meta({ title: "Reset" });

export const SessionConfig = z
  .looseObject({
    scope: z.enum(["per-sender", "global"]).default("per-sender").meta({
      title: "Conversations",
      description: "`global` puts every direct message of everybody into one conversation.",
    }),
    dmScope: z
      .enum(["main", "per-peer", "per-channel-peer", "per-account-channel-peer"])
      .default("main")
      .meta({
        title: "Direct messages",
        description: "Which direct messages share a conversation; `main`: all of them.",
      }),
    identityLinks: z.record(z.string(), z.array(z.string())).default({}).meta({
      title: "Same person",
      description: "Name of a person, and `channel:id` of each of that person's accounts.",
      advanced: true,
    }),
    mainKey: z.string().default("main").meta({
      title: "Key of the main conversation",
      description: "Always `main`; another value is read and ignored.",
      advanced: true,
    }),
    resetTriggers: z.array(z.string()).default(["/new", "/reset"]).meta({
      title: "Words that begin a new conversation",
    }),
    typingMode: z.enum(["never", "instant", "thinking", "message"]).optional().meta({
      title: "Typing sign (older place)",
      description: "As `agents.defaults.typingMode`, and before it.",
      advanced: true,
    }),
    typingIntervalSeconds: z.int().min(1).max(60).optional().meta({
      title: "Typing sign again after (older place)",
      description: "In seconds. Unset: `agents.defaults.typingIntervalSeconds`.",
      advanced: true,
    }),
    reset: Reset.optional().meta({
      title: "Automatic reset",
      description: "Unset: a conversation goes on until you begin a new one.",
    }),
    resetByType: z
      .looseObject({
        dm: Reset.optional(),
        direct: Reset.optional(),
        group: Reset.optional(),
        thread: Reset.optional(),
      })
      .optional()
      .meta({ title: "Automatic reset by kind of chat", advanced: true }),
    resetByChannel: z.record(z.string(), Reset).optional().meta({
      title: "Automatic reset by channel",
      advanced: true,
    }),
    idleMinutes: z.int().min(1).optional().meta({
      title: "Pause (older spelling)",
      description: "The same as reset.mode `idle` with these minutes.",
      advanced: true,
    }),
  })
  .prefault({})
  .meta({ title: "Sessions", group: "session", order: 90 });
export type SessionConfig = z.output<typeof SessionConfig>;

export const QUEUE_MODES = [
  "steer",
  "followup",
  "collect",
  "steer-backlog",
  "steer+backlog",
  "queue",
  "interrupt",
] as const;
const QueueMode = z.enum(QUEUE_MODES);
export type QueueMode = z.output<typeof QueueMode>;

const milliseconds = z.int().min(0).max(3_600_000);

const Queue = z
  .looseObject({
    mode: QueueMode.default("steer").meta({
      title: "While a turn runs",
      description:
        "`steer` puts a new message into it, `followup` runs one after the other, `collect` answers all that came together, `interrupt` stops it.",
    }),
    byChannel: z.record(z.string(), QueueMode).default({}).meta({ title: "By channel" }),
    debounceMs: milliseconds.default(1000).meta({
      title: "Pause before collecting",
      description: "In ms: how long to wait for more messages.",
    }),
    debounceMsByChannel: z.record(z.string(), milliseconds).default({}).meta({
      title: "Pause by channel",
      advanced: true,
    }),
    cap: z.int().min(1).default(20).meta({
      title: "Most waiting messages",
      description: "Per session.",
    }),
    drop: z.enum(["old", "new", "summarize"]).default("summarize").meta({
      title: "When there are more",
      description:
        "`old` and `new` leave out the oldest or the newest and say so; `summarize`: the oldest, and the model is told its first words.",
    }),
  })
  .prefault({})
  .meta({ title: "Queue" });

export const MessagesConfig = z
  .looseObject({
    queue: Queue,
    groupChat: z
      .looseObject({
        mentionPatterns: z.array(z.string()).optional().meta({
          title: "Words that call the assistant",
          description:
            "Regular expressions; letter case does not count. Unset: the agent's name and emoji.",
        }),
        historyLimit: z.int().min(0).optional().meta({
          title: "Group context",
          description:
            "Messages that were not for the assistant and are shown to it with the next one that is. Unset: 50. 0: none.",
        }),
      })
      .optional()
      .meta({ title: "Groups" }),
    inbound: z
      .looseObject({
        debounceMs: milliseconds.default(0).meta({
          title: "Wait for more",
          description:
            "In ms: how long a text may wait for another of the same sender, so that both are answered together.",
        }),
        byChannel: z.record(z.string(), milliseconds).default({}).meta({ title: "By channel" }),
      })
      .prefault({})
      .meta({ title: "Several messages in a row", advanced: true }),
    ackReaction: z.string().optional().meta({
      title: "Reaction to what was seen",
      description: "An emoji. Unset: the agent's, else 👀. Empty: none.",
    }),
    ackReactionScope: z
      .enum(["group-mentions", "group-all", "direct", "all", "off", "none"])
      .default("group-mentions")
      .meta({
        title: "What gets the reaction",
        description: "`group-mentions`: messages of groups that mention the assistant.",
      }),
    removeAckAfterReply: z.boolean().default(false).meta({
      title: "Take the reaction back with the answer",
    }),
    maxTokensPerDay: z.int().min(0).default(2_000_000).meta({
      title: "Tokens for one person in a day",
      description:
        "Of models, for everybody but owners and operators; what a provider still remembers counts a tenth. 0: no limit.",
    }),
    responsePrefix: z.string().optional().meta({
      title: "Before every answer",
      description:
        "`auto`: the agent's name in brackets. Knows `{model}`, `{modelFull}`, `{provider}`, `{thinkingLevel}` and `{identityName}`. Unset: nothing.",
    }),
  })
  .prefault({})
  .meta({ title: "Messages", group: "messages", order: 80 });
export type MessagesConfig = z.output<typeof MessagesConfig>;
