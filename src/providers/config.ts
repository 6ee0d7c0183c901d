/** The sections `models` (endpoints and their models) and `auth` (which sign-ins there are and in which order they are used). */
import { z } from "zod";

import "../base/schema.ts";

/** Wire protocols that a config may name. Not all of them are built; the catalogue says so when one is used. */
export const API_NAMES = [
  "openai-completions",
  "openai-responses",
  "anthropic-messages",
  "google-generative-ai",
  "github-copilot",
  "bedrock-converse-stream",
  "openai-codex-responses",
  "azure-openai-responses",
  "ollama",
  "demo",
] as const;
const ApiName = z.enum(API_NAMES);

const Headers = z.record(z.string(), z.string());

const dollars = z.number().min(0);

const ModelEntry = z.looseObject({
  id: z.string().min(1).meta({ title: "Id", description: "The provider's own name of the model." }),
  name: z.string().optional().meta({ title: "Name" }),
  api: ApiName.optional().meta({ title: "Wire protocol", advanced: true }),
  reasoning: z.boolean().optional().meta({ title: "Can think" }),
  input: z.array(z.string()).optional().meta({
    title: "Input",
    description:
      "`text`, and `image` when it sees pictures. Unset: what is known of it, else text.",
  }),
  cost: z
    .looseObject({
      input: dollars.default(0),
      output: dollars.default(0),
      cacheRead: dollars.default(0),
      cacheWrite: dollars.default(0),
    })
    .optional()
    .meta({ title: "Price", description: "Dollars per million tokens." }),
  contextWindow: z.int().min(1).optional().meta({
    title: "Context window",
    description: "In tokens. Unset: what is known of it, else 200,000.",
  }),
  maxTokens: z.int().min(1).optional().meta({
    title: "Longest answer",
    description: "In tokens. Unset: what is known of it, else 8,192.",
  }),
  headers: Headers.optional().meta({ title: "Extra headers", sensitive: true, advanced: true }),
  compat: z.record(z.string(), z.unknown()).optional().meta({
    title: "Quirks",
    description: "What this endpoint does differently: supportsStore, maxTokensField and so on.",
    advanced: true,
  }),
});

const ProviderEntry = z.looseObject({
  baseUrl: z.string().optional().meta({
    title: "Address",
    description: "Base address of the API. Unset: that of the known provider with this id.",
    placeholder: "http://127.0.0.1:11434/v1",
  }),
  apiKey: z.string().optional().meta({
    title: "API key",
    description: "The key, or the name of an environment variable that holds it.",
    sensitive: true,
  }),
  auth: z.enum(["api-key", "aws-sdk", "oauth", "token"]).optional().meta({
    title: "Kind of sign-in",
    advanced: true,
  }),
  api: ApiName.optional().meta({
    title: "Wire protocol",
    description:
      "Unset: that of the known provider with this id, else openai-completions. `ollama` and `google-generative-ai` are spoken as openai-completions; github-copilot, bedrock-converse-stream, openai-codex-responses and azure-openai-responses are not spoken yet.",
  }),
  headers: Headers.optional().meta({ title: "Extra headers", sensitive: true, advanced: true }),
  authHeader: z.boolean().optional().meta({
    title: "Send the key as a bearer token",
    advanced: true,
  }),
  models: z.array(ModelEntry).default([]).meta({ title: "Models" }),
});
export type ProviderEntry = z.output<typeof ProviderEntry>;

export const ModelsConfig = z
  .looseObject({
    mode: z.enum(["merge", "replace"]).default("merge").meta({
      title: "Built-in models",
      description: "`merge` adds yours to them, `replace` uses only yours.",
      advanced: true,
    }),
    providers: z.record(z.string(), ProviderEntry).default({}).meta({ title: "Providers" }),
  })
  .prefault({})
  .meta({ title: "Models", group: "models", order: 70 });
export type ModelsConfig = z.output<typeof ModelsConfig>;

const hours = z.number().positive();

export const AuthConfig = z
  .looseObject({
    profiles: z
      .record(
        z.string(),
        z.looseObject({
          provider: z.string().meta({ title: "Provider" }),
          mode: z.enum(["api_key", "oauth", "token"]).meta({ title: "Kind" }),
          email: z.string().optional().meta({ title: "Account" }),
        }),
      )
      .default({})
      .meta({
        title: "Sign-ins",
        description: "What each one is for; the secrets are not kept here.",
      }),
    order: z.record(z.string(), z.array(z.string())).default({}).meta({
      title: "Order",
      description:
        "Per provider, the keys in the order in which they are tried: names as in `clawdbot models auth list`, `env:ANTHROPIC_API_KEY` for example.",
    }),
    cooldowns: z
      .looseObject({
        billingBackoffHours: hours.default(5).meta({
          title: "Pause after a billing refusal",
          description: "In hours; doubles with each further one.",
        }),
        billingBackoffHoursByProvider: z.record(z.string(), hours).default({}).meta({
          title: "The same by provider",
        }),
        billingMaxHours: hours.default(24).meta({
          title: "Longest pause",
          description: "In hours.",
        }),
        failureWindowHours: hours.default(24).meta({
          title: "Failures are forgotten after",
          description: "In hours.",
        }),
      })
      .prefault({})
      .meta({ title: "Pauses", advanced: true }),
  })
  .prefault({})
  .meta({ title: "Sign-ins", group: "models", order: 71 });
export type AuthConfig = z.output<typeof AuthConfig>;
