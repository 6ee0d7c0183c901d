/** The sections that belong to no single part of the program: logging, look, housekeeping. */
import { z } from "zod";

import { LOG_LEVELS } from "../base/log.ts";
import "../base/schema.ts";

export const LoggingConfig = z
  .looseObject({
    level: z.enum(LOG_LEVELS).default("info").meta({
      title: "Level of the log file",
    }),
    file: z.string().optional().meta({
      title: "Log file",
      description: "JSON lines. Unset: one file per day in the log folder.",
    }),
    consoleLevel: z.enum(LOG_LEVELS).optional().meta({
      title: "Level on the console",
      description: "Unset: `info`. With --verbose it is `debug`.",
    }),
    consoleStyle: z.enum(["pretty", "compact", "json"]).optional().meta({
      title: "Lines on the console",
      description: "Unset: `pretty` on a terminal, else `compact`.",
    }),
    maxFileBytes: z
      .int()
      .min(1024)
      .default(20 * 1024 * 1024)
      .meta({
        title: "Largest log file",
        description: "In bytes; then a new one is begun.",
        advanced: true,
      }),
    redactSensitive: z.enum(["off", "tools"]).default("tools").meta({
      title: "Mask secrets in tool output",
      description: "Known secrets are masked in the log in any case.",
    }),
    redactPatterns: z.array(z.string()).optional().meta({
      title: "What a secret looks like",
      description: "Regular expressions, also as `/re/flags`; replace the built-in ones.",
      advanced: true,
    }),
  })
  .prefault({})
  .meta({ title: "Logging", group: "logging", order: 900 });
export type LoggingConfig = z.output<typeof LoggingConfig>;

export const UiConfig = z
  .looseObject({
    seamColor: z
      .string()
      .regex(/^#?[0-9a-fA-F]{6}$/, "a colour is six hexadecimal digits, as in #FF4500")
      .optional()
      .meta({ title: "Accent colour", placeholder: "#FF4500" }),
    assistant: z
      .looseObject({
        name: z.string().max(50).optional().meta({ title: "Name" }),
        avatar: z.string().max(200).optional().meta({ title: "Avatar" }),
      })
      .prefault({})
      .meta({ title: "Assistant in the Control UI" }),
  })
  .prefault({})
  .meta({ title: "Look", group: "ui", order: 120 });
export type UiConfig = z.output<typeof UiConfig>;

/** Variables for the process, where it does not have them yet. Any other key is a variable too, as long as it is text. */
export const EnvConfig = z
  .object({
    vars: z.record(z.string(), z.string()).optional().meta({
      title: "Variables",
      description: "Set when the process does not have them already.",
      sensitive: true,
    }),
  })
  // A group is `shellEnv`; everything else is a variable.
  .catchall(z.union([z.string(), z.record(z.string(), z.unknown())]))
  .prefault({})
  .meta({ title: "Environment", order: 21, advanced: true });
export type EnvConfig = z.output<typeof EnvConfig>;

export const MetaConfig = z
  .looseObject({
    lastTouchedVersion: z.string().optional().meta({ title: "Written by version" }),
    lastTouchedAt: z.string().optional().meta({ title: "Written at" }),
  })
  .prefault({})
  .meta({ title: "Written by", advanced: true });

export const WizardConfig = z
  .looseObject({
    lastRunAt: z.string().optional(),
    lastRunVersion: z.string().optional(),
    lastRunCommit: z.string().optional(),
    lastRunCommand: z.string().optional(),
    lastRunMode: z.enum(["local", "remote"]).optional(),
  })
  .prefault({})
  .meta({ title: "Set-up record", group: "wizard", order: 20, advanced: true });
