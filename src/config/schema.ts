/**
 * The whole config file as one schema, put together from the owners' sections. To add a key, add it to its owner's `config.ts`:
 * validation, defaults, documentation, the settings form and redaction follow.
 */
import { z } from "zod";

import { AgentsConfig } from "../agent/config.ts";
import { VERSION } from "../base/brand.ts";
import { absentOr, type Field, fields, jsonSchema, type SchemaNode } from "../base/schema.ts";
import { ChannelsConfig } from "../channels/registry.ts";
import { WebConfig } from "../channels/whatsapp/config.ts";
import { GatewayConfig } from "../gateway/config.ts";
import { AuthConfig, ModelsConfig } from "../providers/config.ts";
import { CommandsConfig } from "../router/config.ts";
import { BindingsConfig, BroadcastConfig } from "../router/routes/config.ts";
import { MessagesConfig, SessionConfig } from "../sessions/config.ts";
import { ToolsConfig } from "../tools/config.ts";
import { EnvConfig, LoggingConfig, MetaConfig, UiConfig, WizardConfig } from "./logging.ts";

export const ConfigSchema = z.looseObject({
  $schema: z.string().optional(),
  meta: MetaConfig,
  wizard: WizardConfig,
  env: EnvConfig,
  logging: LoggingConfig,
  gateway: GatewayConfig,
  agents: AgentsConfig,
  tools: ToolsConfig,
  models: ModelsConfig,
  auth: AuthConfig,
  channels: ChannelsConfig,
  bindings: BindingsConfig,
  broadcast: BroadcastConfig,
  messages: MessagesConfig,
  commands: CommandsConfig,
  session: SessionConfig,
  web: absentOr(() => WebConfig),
  ui: UiConfig,
});

/** On disk. Never write a `Config` back: defaults and secrets would be frozen into the user's file. */
export type ConfigFile = z.input<typeof ConfigSchema>;
/** In memory, with defaults. */
export type Config = z.output<typeof ConfigSchema>;

/** One row per key, for docs, completion and the redactor. Makes a JSON schema (some 10 ms), so not on the way of a start. */
export const fieldRows = (): Field[] =>
  fields(ConfigSchema).filter((row) => !row.path.endsWith(".*") || row.type !== "any");

/** How a settings form shows a field. Keyed by dotted path; the segments `*` and `[]` stand for any key and any item. */
export type UiHint = {
  label?: string;
  help?: string;
  group?: string;
  order?: number;
  advanced?: boolean;
  sensitive?: boolean;
  placeholder?: string;
};

/** The answer of the RPC `config.schema`; the names are those of the wire. */
export function configSchema(now: number): {
  schema: SchemaNode;
  uiHints: Record<string, UiHint>;
  version: string;
  generatedAt: string;
} {
  const hints = fieldRows().map(
    ({ path, title, description, type: _, default: __, enum: ___, ...rest }) => {
      const { group, order, advanced, sensitive, placeholder } = rest;
      const hint: UiHint = {
        ...(title && { label: title }),
        ...(description && { help: description }),
        ...(group && { group }),
        ...(order !== undefined && { order }),
        ...(advanced && { advanced }),
        ...(sensitive && { sensitive }),
        ...(placeholder && { placeholder }),
      };
      return [path.replaceAll("[]", ".[]"), hint] as const;
    },
  );
  return {
    schema: jsonSchema(ConfigSchema),
    uiHints: Object.fromEntries(hints.filter(([, hint]) => Object.keys(hint).length > 0)),
    version: VERSION,
    generatedAt: new Date(now).toISOString(),
  };
}
