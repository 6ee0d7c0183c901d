/** The `agents` section: which agents there are, and what they use when nothing else is said. */
import { z } from "zod";

import "../base/schema.ts";

export const THINKING_LEVELS = ["off", "minimal", "low", "medium", "high", "xhigh"] as const;

/** Levels of later generations, mapped down to the strongest that exists here. */
const LATER_LEVELS = { adaptive: "medium", max: "xhigh", ultra: "xhigh" } as const;

const ThinkingDefault = z
  .enum([...THINKING_LEVELS, "adaptive", "max", "ultra"])
  .transform(
    (level) =>
      (level in LATER_LEVELS
        ? LATER_LEVELS[level as keyof typeof LATER_LEVELS]
        : level) as (typeof THINKING_LEVELS)[number],
  )
  .optional()
  .meta({
    title: "Thinking",
    description:
      "How much a model that can reason thinks before it answers. Unset: `low` for models that can, else `off`.",
  });

/** `provider/model`, or an alias; with fallbacks tried in order. A plain string is the same as `{ primary }`. */
export const ModelSetting = z.union([
  z.string().transform((primary) => ({ primary }) as ModelSettingObject),
  z.looseObject({
    primary: z.string().optional().meta({
      title: "Model",
      description: "`provider/model` or an alias.",
      placeholder: "anthropic/claude-opus-4-5",
    }),
    fallbacks: z.array(z.string()).optional().meta({
      title: "Fallbacks",
      description:
        "Models tried in this order when the first one fails. An empty list on an agent turns the common fallbacks off.",
    }),
  }),
]);
type ModelSettingObject = { [key: string]: unknown; primary?: string; fallbacks?: string[] };
export type ModelSetting = z.output<typeof ModelSetting>;

const Identity = z
  .looseObject({
    name: z.string().optional().meta({ title: "Name" }),
    theme: z
      .string()
      .optional()
      .meta({ title: "Character", description: "One line on its manner." }),
    emoji: z.string().optional().meta({ title: "Emoji" }),
    avatar: z.string().optional().meta({
      title: "Avatar",
      description: "A data or http(s) address; a path inside the workspace is not shown yet.",
    }),
  })
  .meta({ title: "Identity" });

const AgentDefaults = z
  .looseObject({
    model: ModelSetting.optional().meta({
      title: "Model",
      description: "The model of every agent that names none of its own.",
    }),
    models: z
      .record(
        z.string(),
        z.looseObject({
          alias: z.string().optional().meta({ title: "Alias" }),
          params: z.record(z.string(), z.unknown()).optional().meta({
            title: "Parameters",
            description:
              "Request parameters of this model: `temperature`, `maxTokens`, and `cacheControlTtl` (`5m` or `1h`).",
            advanced: true,
          }),
        }),
      )
      .default({})
      .meta({
        title: "Known models",
        description:
          "Models by `provider/model`. When not empty, only these can be chosen in a chat.",
      }),
    workspace: z.string().optional().meta({
      title: "Workspace",
      description: "The folder an agent works in and keeps its notes in.",
      placeholder: "~/clawd",
    }),
    repoRoot: z.string().optional().meta({ title: "Repository root", advanced: true }),
    skipBootstrap: z.boolean().default(false).meta({
      title: "Leave the workspace empty",
      description: "Do not put the first files into a new workspace.",
      advanced: true,
    }),
    bootstrapMaxChars: z.int().min(1).default(20_000).meta({
      title: "Longest workspace file in the prompt",
      description: "In characters; a longer file is cut in the middle.",
      advanced: true,
    }),
    bootstrapTotalMaxChars: z.int().min(1).default(60_000).meta({
      title: "All workspace files in the prompt",
      description: "In characters.",
      advanced: true,
    }),
    userTimezone: z.string().optional().meta({
      title: "Your time zone",
      description: "IANA name. Unset: that of this machine.",
      placeholder: "Europe/Berlin",
    }),
    envelopeTimezone: z.string().default("local").meta({
      title: "Time zone in front of chat messages",
      description:
        "`local` is that of this machine, `user` is `userTimezone`; else `utc` or an IANA name.",
      advanced: true,
    }),
    envelopeTimestamp: z.enum(["on", "off"]).default("on").meta({
      title: "Time in front of chat messages",
      advanced: true,
    }),
    envelopeElapsed: z.enum(["on", "off"]).default("on").meta({
      title: "Time since the message before",
      description: "As `+5m`, in front of chat messages.",
      advanced: true,
    }),
    timeFormat: z.enum(["auto", "12", "24"]).default("auto").meta({ title: "Clock" }),
    contextTokens: z.int().min(1).optional().meta({
      title: "Context window",
      description: "In tokens; caps that of the model. Unset: the model's own.",
      advanced: true,
    }),
    thinkingDefault: ThinkingDefault,
    verboseDefault: z.enum(["off", "on", "full"]).default("off").meta({
      title: "Show tool calls in chats",
    }),
    timeoutSeconds: z.int().min(1).default(600).meta({
      title: "Longest turn",
      description: "In seconds; a turn that takes longer is stopped.",
    }),
    typingMode: z.enum(["never", "instant", "thinking", "message"]).optional().meta({
      title: "Typing sign in chats",
      description:
        "`instant`: from the moment a message came. `thinking`, `message`: once the model thinks or writes. Unset: `instant` in direct messages and where it was mentioned, else `message`.",
      advanced: true,
    }),
    typingIntervalSeconds: z.int().min(1).max(60).default(6).meta({
      title: "Typing sign again after",
      description: "In seconds.",
      advanced: true,
    }),
    blockStreamingDefault: z.enum(["off", "on"]).default("off").meta({
      title: "Send paragraphs as they are written",
      description: "On channels that say nothing themselves.",
      advanced: true,
    }),
    blockStreamingBreak: z.enum(["text_end", "message_end"]).default("text_end").meta({
      title: "When paragraphs are sent",
      description: "`message_end`: when the model has ended a message.",
      advanced: true,
    }),
    blockStreamingChunk: z
      .looseObject({
        minChars: z.int().min(1).default(800).meta({
          title: "At least",
          description: "In characters.",
        }),
        maxChars: z.int().min(1).default(1200).meta({
          title: "At most",
          description: "In characters.",
        }),
        breakPreference: z
          .enum(["paragraph", "newline", "sentence"])
          .default("paragraph")
          .meta({ title: "Cut at" }),
      })
      .prefault({})
      .meta({ title: "Size of paragraphs that are sent", advanced: true }),
    blockStreamingCoalesce: z
      .looseObject({
        minChars: z.int().min(1).optional().meta({
          title: "At least",
          description: "In characters. Unset: 1500.",
        }),
        maxChars: z.int().min(1).optional().meta({
          title: "At most",
          description: "In characters. Unset: the channel's limit.",
        }),
        idleMs: z.int().min(0).optional().meta({
          title: "Pause",
          description: "In ms. Unset: 1000.",
        }),
      })
      .optional()
      .meta({ title: "Join small paragraphs", advanced: true }),
    humanDelay: z
      .looseObject({
        mode: z.enum(["off", "natural", "custom"]).default("off").meta({
          title: "Pause",
          description: "`natural`: 800 to 2500 ms.",
        }),
        minMs: z.int().min(0).default(800).meta({ title: "Shortest", description: "In ms." }),
        maxMs: z.int().min(0).default(2500).meta({ title: "Longest", description: "In ms." }),
      })
      .optional()
      .meta({ title: "Pause between paragraphs", advanced: true }),
    maxConcurrent: z.int().min(1).max(10_000).default(4).meta({
      title: "Turns at the same time",
      description: "Over all sessions. Turns of one session always run one after the other.",
    }),
  })
  .prefault({})
  .meta({ title: "Defaults of every agent" });

/** `allow`, `deny` and the rest of one tool policy; the global one and one per agent or provider have the same shape. */
const AgentTools = z
  .looseObject({
    profile: z
      .enum(["minimal", "coding", "messaging", "full"])
      .optional()
      .meta({ title: "Profile" }),
    allow: z.array(z.string()).optional().meta({ title: "Allow" }),
    alsoAllow: z.array(z.string()).optional().meta({ title: "Also allow" }),
    deny: z.array(z.string()).optional().meta({ title: "Deny" }),
  })
  .meta({ title: "Tools" });

const agentShape = {
  default: z.boolean().optional().meta({
    title: "Default agent",
    description:
      "Answers when nothing else is said. Without any, the first agent of the list does.",
  }),
  name: z.string().optional().meta({ title: "Name" }),
  workspace: z.string().optional().meta({ title: "Workspace" }),
  agentDir: z.string().optional().meta({ title: "Agent folder", advanced: true }),
  model: ModelSetting.optional().meta({ title: "Model" }),
  thinkingDefault: ThinkingDefault,
  identity: Identity.optional(),
  groupChat: z
    .looseObject({
      mentionPatterns: z.array(z.string()).optional().meta({
        title: "Words that call this agent",
        description: "Regular expressions. Unset: as in `messages.groupChat`; empty: none.",
      }),
      historyLimit: z.int().min(0).optional().meta({
        title: "Group context",
        description: "In messages. Unset: as the channel says.",
      }),
    })
    .optional()
    .meta({ title: "Groups" }),
  tools: AgentTools.optional(),
};

const AgentEntry = z.looseObject({
  id: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, "an id is letters, digits, `-` and `_`, 64 at most")
    .meta({ title: "Id", description: "Short name, in lower case." }),
  ...agentShape,
});
export type AgentEntry = z.output<typeof AgentEntry>;

export const AgentsConfig = z
  .looseObject({
    defaults: AgentDefaults,
    list: z.array(AgentEntry).default([]).meta({
      title: "Agents",
      description: "Empty: one agent with the id `main`.",
    }),
    entries: z.record(z.string(), z.looseObject(agentShape)).optional().meta({
      title: "Agents by id",
      description: "Another way to write the list; read as if they stood there.",
      advanced: true,
    }),
  })
  .prefault({})
  .meta({ title: "Agents", group: "agents", order: 40 });
export type AgentsConfig = z.output<typeof AgentsConfig>;
