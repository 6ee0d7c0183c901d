/** The `tools` section: which tools an agent has, and how commands are run. */
import { z } from "zod";

import "../base/schema.ts";

const names = z.array(z.string());

const policyShape = {
  profile: z.enum(["minimal", "coding", "messaging", "full"]).optional().meta({
    title: "Profile",
    description: "A ready-made selection. Unset: all tools.",
  }),
  allow: names.optional().meta({
    title: "Allow",
    description: "Only these: names, `*` patterns, `group:*`.",
  }),
  alsoAllow: names.optional().meta({
    title: "Also allow",
    description: "Besides the profile's.",
  }),
  deny: names.optional().meta({
    title: "Deny",
    description: "Never these; wins over everything else.",
  }),
};

/** A selection of tools: the global one, one per provider and one per agent have this shape. */
export const ToolPolicy = z.looseObject(policyShape);
export type ToolPolicy = z.output<typeof ToolPolicy>;

const Exec = z
  .looseObject({
    host: z.enum(["sandbox", "gateway", "node", "auto"]).optional().meta({
      title: "Where commands run",
      description:
        "Always on the gateway's machine: there is no sandbox and no node yet. `gateway` wants an approval for every command unless `security` is `full`; `node` refuses all.",
    }),
    security: z.enum(["deny", "allowlist", "full"]).optional().meta({
      title: "Which commands may run",
      description:
        "Unset: all. `allowlist` wants approvals, which are not there yet, so it refuses all, as `deny` does.",
    }),
    ask: z.enum(["off", "on-miss", "always"]).optional().meta({
      title: "Ask before running",
      description: "`always` refuses all commands, because nobody can be asked yet.",
    }),
    mode: z.enum(["deny", "allowlist", "ask", "auto", "full"]).optional().meta({
      title: "Security and asking in one word",
      description: "Newer spelling of `security` and `ask`.",
      advanced: true,
    }),
    node: z.string().optional().meta({ title: "Node", advanced: true }),
    pathPrepend: names.default([]).meta({
      title: "More folders for commands",
      description: "Put before PATH.",
      advanced: true,
    }),
    safeBins: names
      .default(["jq", "grep", "cut", "sort", "uniq", "head", "tail", "tr", "wc"])
      .meta({
        title: "Commands that never need approval",
        description: "Only when they read from standard input.",
        advanced: true,
      }),
    backgroundMs: z.int().min(10).max(120_000).default(10_000).meta({
      title: "To the background after",
      description: "In ms: a command that runs longer goes on in the background.",
    }),
    timeoutSec: z.int().min(1).default(1800).meta({
      title: "Longest command",
      description: "In seconds; then it is stopped.",
    }),
    cleanupMs: z.int().min(60_000).max(10_800_000).default(1_800_000).meta({
      title: "Forget finished commands after",
      description: "In ms, one minute to three hours.",
      advanced: true,
    }),
    maxOutputChars: z.int().min(1000).max(1_000_000).default(200_000).meta({
      title: "Kept output",
      description: "In characters per command; the middle of more is left out.",
      advanced: true,
    }),
    notifyOnExit: z.boolean().default(true).meta({
      title: "Tell the agent when a background command ends",
    }),
  })
  .prefault({})
  .meta({ title: "Commands" });

const Message = z
  .looseObject({
    allowTargets: names.default([]).meta({
      title: "Chats that may be written to",
      description:
        "`channel:chat`, or `channel:*`. The assistant may send there from every conversation; otherwise only the owner's own conversations reach other chats, and only known ones.",
    }),
    crossContext: z
      .looseObject({
        allowWithinProvider: z.boolean().default(true).meta({
          title: "Other chats of the same channel",
          description: "From the owner's direct message to known chats.",
        }),
        allowAcrossProviders: z.boolean().default(false).meta({
          title: "Chats of other channels",
          description: "From the owner's direct message to known chats.",
        }),
        marker: z
          .looseObject({
            enabled: z.boolean().default(true).meta({ title: "Say where it comes from" }),
            prefix: z.string().default("[from {channel}] ").meta({
              title: "Before the text",
              description: "`{channel}` is the channel of the conversation that sends.",
            }),
            suffix: z.string().default("").meta({ title: "Behind the text" }),
          })
          .prefault({})
          .meta({ title: "Mark", description: "On messages to other chats.", advanced: true }),
      })
      .prefault({})
      .meta({ title: "Other chats" }),
    broadcast: z
      .looseObject({
        enabled: z.boolean().default(true).meta({ title: "Several chats in one call" }),
      })
      .prefault({})
      .meta({ title: "Broadcast" }),
  })
  .prefault({})
  .meta({ title: "Messages to chats" });
export type MessageToolConfig = z.output<typeof Message>;

export const ToolsConfig = z
  .looseObject({
    ...policyShape,
    byProvider: z.record(z.string(), ToolPolicy).default({}).meta({
      title: "By provider",
      description: "Narrows further, by provider or `provider/model`.",
      advanced: true,
    }),
    exec: Exec,
    message: Message,
  })
  .prefault({})
  .meta({ title: "Tools", group: "tools", order: 50 });
export type ToolsConfig = z.output<typeof ToolsConfig>;
