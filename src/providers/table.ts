/** The providers and models that are known: the built-in data, and over it what the config says. No keys and no choices here. */
import { AppError } from "../base/errors.ts";
import data from "./catalog.json";
import type { ModelsConfig, ProviderEntry } from "./config.ts";
import { ollamaUrl } from "./local.ts";
import type { Compat, ModelInfo } from "./provider.ts";
import { formatRef, parseRef, type Ref } from "./refs.ts";
import { type Dialect, isDialect } from "./registry.ts";

/** What an unknown model is taken for; the original's values. */
const UNKNOWN = { contextWindow: 200_000, maxTokens: 8192 };
const LOCAL_CONTEXT = 128_000;

type BuiltInModel = {
  id: string;
  name: string;
  contextWindow: number;
  maxTokens: number;
  reasoning: boolean;
  input: string[];
  cost?: ModelInfo["cost"];
};
type BuiltIn = {
  label: string;
  baseUrl: string;
  api: string;
  env: string[];
  default?: string;
  /** Needs no key. */
  local?: boolean;
  models: BuiltInModel[];
};
const BUILT_IN: Record<string, BuiltIn> = data.providers;

export type ProviderRow = {
  id: string;
  label: string;
  baseUrl: string;
  dialect: Dialect;
  env: string[];
  /** The model that is used when only a key is given. */
  defaultModel: string | undefined;
  /** Works without a key: it is on this machine or this network. */
  keyless: boolean;
  entry: ProviderEntry | undefined;
};

/** Asked in this order for a key when no model is configured; the rest of the built-in ones follow. */
const FIRST = ["anthropic", "openai", "google", "openrouter"];

export class Table {
  constructor(
    private readonly config: ModelsConfig,
    private readonly env: Record<string, string | undefined>,
  ) {}

  ids(): string[] {
    const builtIn = this.config.mode === "replace" ? ["demo"] : Object.keys(BUILT_IN);
    return [
      ...new Set([
        ...FIRST.filter((id) => builtIn.includes(id)),
        ...builtIn,
        ...Object.keys(this.config.providers),
      ]),
    ];
  }

  /** Throws `config_invalid` for a provider that the config describes in a way that cannot work; undefined for one nobody knows. */
  provider(id: string): ProviderRow | undefined {
    const entry = Object.hasOwn(this.config.providers, id) ? this.config.providers[id] : undefined;
    const known = Object.hasOwn(BUILT_IN, id) ? BUILT_IN[id] : undefined;
    const builtIn = this.config.mode === "replace" && !entry && id !== "demo" ? undefined : known;
    if (!entry && !builtIn) return undefined;
    const fallback = this.baseUrlOf(id) ?? builtIn?.baseUrl;
    const { dialect, baseUrl } = speak(id, entry?.api ?? builtIn?.api, entry?.baseUrl ?? fallback);
    return {
      id,
      label: builtIn?.label ?? id,
      baseUrl,
      dialect,
      env: builtIn?.env ?? [],
      defaultModel: entry?.models[0]?.id ?? builtIn?.default,
      keyless: builtIn?.local === true || nearby(baseUrl),
      entry,
    };
  }

  /** The address that the environment gives, as the vendors' own programs read it. A blank variable is none. */
  private baseUrlOf(id: string): string | undefined {
    if (id === "ollama") return `${ollamaUrl(this.env["OLLAMA_HOST"])}/v1`;
    const set = { anthropic: this.env["ANTHROPIC_BASE_URL"], openai: this.env["OPENAI_BASE_URL"] };
    return set[id as keyof typeof set]?.trim() || undefined;
  }

  /** Everything known of a model. A model that is new to a known provider gets its family's values, else cautious ones. */
  model(
    ref: Ref,
    row: ProviderRow,
  ): ModelInfo & {
    compat?: Compat;
    headers?: Record<string, string>;
    dialect: Dialect;
    baseUrl: string;
  } {
    const own = row.entry?.models.find((m) => m.id === ref.model);
    const known = family(ref);
    const contextWindow =
      own?.contextWindow ??
      known?.contextWindow ??
      (row.keyless ? LOCAL_CONTEXT : UNKNOWN.contextWindow);
    const input = own?.input ?? known?.input ?? ["text"];
    const cost = own?.cost ?? known?.cost;
    const spoken = own?.api ? speak(row.id, own.api, row.entry?.baseUrl ?? row.baseUrl) : row;
    return {
      ref: formatRef(ref),
      provider: ref.provider,
      id: ref.model,
      name: own?.name ?? (known?.id === ref.model ? known.name : ref.model),
      contextWindow,
      maxTokens: Math.min(own?.maxTokens ?? known?.maxTokens ?? UNKNOWN.maxTokens, contextWindow),
      reasoning: own?.reasoning ?? known?.reasoning ?? false,
      input: input.filter((i): i is "text" | "image" => i === "text" || i === "image"),
      ...(cost ? { cost } : {}),
      ...(own?.compat ? { compat: compatOf(own.compat) } : {}),
      ...(own?.headers ? { headers: own.headers } : {}),
      dialect: spoken.dialect,
      baseUrl: spoken.baseUrl,
    };
  }

  /** The models that a provider is known to have, config first. */
  modelsOf(row: ProviderRow): Ref[] {
    const own = row.entry?.models.map((m) => m.id) ?? [];
    const builtIn =
      this.config.mode === "replace" && row.id !== "demo" ? [] : (BUILT_IN[row.id]?.models ?? []);
    const ids = [...new Set([...own, ...builtIn.map((m) => m.id)])];
    return ids.map((model) => ({ provider: row.id, model }));
  }
}

const FLAGS = [
  "supportsStore",
  "supportsDeveloperRole",
  "supportsReasoningEffort",
  "supportsUsageInStreaming",
] as const;

/** The quirks that this program knows, where they have the right type; later configs have many more. */
function compatOf(written: Record<string, unknown>): Compat {
  const compat: Compat = {};
  for (const flag of FLAGS) {
    const value = written[flag];
    if (typeof value === "boolean") compat[flag] = value;
  }
  const field = written["maxTokensField"];
  if (field === "max_tokens" || field === "max_completion_tokens") compat.maxTokensField = field;
  return compat;
}

/** The dialect and address behind an `api` name of the config. */
function speak(
  id: string,
  api = "openai-completions",
  url?: string,
): { dialect: Dialect; baseUrl: string } {
  if (!url || (!URL.canParse(url) && url !== "demo:"))
    throw new AppError(
      "config_invalid",
      url
        ? `models.providers.${id}.baseUrl is no address: ${url}`
        : `models.providers.${id} has no baseUrl.`,
      { hint: `Set models.providers.${id}.baseUrl, for example http://127.0.0.1:8000/v1.` },
    );
  const base = url.replace(/\/+$/, "");
  // Google and Ollama serve the OpenAI wire under another path than their own.
  if (api === "google-generative-ai")
    return {
      dialect: "openai-completions",
      baseUrl: base.endsWith("/openai") ? base : `${base}/openai`,
    };
  if (api === "ollama")
    return {
      dialect: "openai-completions",
      baseUrl: base.endsWith("/v1") ? base : `${base.replace(/\/api$/, "")}/v1`,
    };
  if (isDialect(api)) return { dialect: api, baseUrl: base };
  throw new AppError(
    "config_invalid",
    `This version does not speak ${api} (models.providers.${id}.api).`,
    {
      hint: "Use anthropic-messages, openai-completions or openai-responses; most vendors offer one of them.",
    },
  );
}

/** This machine or a private network: a server there usually asks for no key. */
function nearby(baseUrl: string): boolean {
  const host = URL.parse(baseUrl)?.hostname ?? "";
  return (
    /^(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|\[::1\]|\[f[cd])/.test(host) ||
    /\.(local|lan|internal|localhost)$/.test(host) ||
    !/[.:]/.test(host)
  );
}

/** A host of this machine itself: slow to its first word, never slow because of the network. */
export const isLoopback = (baseUrl: string): boolean =>
  /^(localhost|127\.|\[::1\])/.test(URL.parse(baseUrl)?.hostname ?? "");

/** The built-in model itself, the one a dated name is a version of, or the vendor's model behind a router. */
function family(ref: Ref): BuiltInModel | undefined {
  const models = Object.hasOwn(BUILT_IN, ref.provider) ? BUILT_IN[ref.provider]!.models : [];
  const best = models
    .filter(
      (m) =>
        ref.model === m.id || ref.model.startsWith(`${m.id}-`) || ref.model.startsWith(`${m.id}@`),
    )
    .sort((a, b) => b.id.length - a.id.length)[0];
  if (best) return best;
  // Routers name models `vendor/model`, Anthropic's with dots.
  const inner = parseRef(ref.model.replace(/^~/, "").replace(/:.*$/, ""));
  if (!inner || !Object.hasOwn(BUILT_IN, inner.provider) || inner.provider === ref.provider)
    return undefined;
  const model = inner.provider === "anthropic" ? inner.model.replaceAll(".", "-") : inner.model;
  return family({ provider: inner.provider, model });
}
