/** Every dialect this program speaks. A new one is a folder and a line here. */
import type { ProviderFactory } from "./provider.ts";

export const PROVIDERS = {
  "anthropic-messages": {
    label: "Anthropic Messages",
    load: async (): Promise<ProviderFactory> => (await import("./anthropic/index.ts")).default,
  },
  "openai-completions": {
    label: "OpenAI Chat Completions and compatible",
    load: async (): Promise<ProviderFactory> =>
      (await import("./openai/completions.ts")).completions,
  },
  "openai-responses": {
    label: "OpenAI Responses",
    load: async (): Promise<ProviderFactory> => (await import("./openai/responses.ts")).responses,
  },
  demo: {
    label: "Demo (built in)",
    load: async (): Promise<ProviderFactory> => (await import("./demo/index.ts")).default,
  },
} as const satisfies Record<string, { label: string; load: () => Promise<ProviderFactory> }>;

export type Dialect = keyof typeof PROVIDERS;
export const isDialect = (name: string): name is Dialect => Object.hasOwn(PROVIDERS, name);
