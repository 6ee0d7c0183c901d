/** The model providers that a set-up knows; one row each. `choice` is the original's `--auth-choice`. */
import type { Change } from "../config/edit.ts";

export type KeyChoice = {
  choice: string;
  /** As in the list of providers. */
  provider: string;
  label: string;
  /** The variable that holds the key. */
  env: string;
  /** Flag with the key, without dashes. */
  flag: string;
  /** The model to use, where it is not the provider's usual one. */
  model?: string;
  /** What a key of theirs begins with, when nobody else's does. */
  begins?: RegExp;
};

/** What a set-up has learned about the model. */
export type ModelAnswer = {
  /** A key to keep; absent when none was given or it is there already. */
  key?: { choice: KeyChoice; value: string };
  /** What the original calls it; for the summary. */
  authChoice: string;
  /** What will answer, in a few words. */
  model: string;
  /** The model to make the default one, because another would answer otherwise. */
  primary?: string;
  /** What else the config has to say then: an endpoint of one's own. */
  changes?: Change[];
};

export const KEY_CHOICES: readonly KeyChoice[] = [
  {
    ...row("apiKey", "anthropic", "Anthropic (Claude)", "ANTHROPIC_API_KEY", "anthropic-api-key"),
    begins: /^sk-ant-(?!oat)/,
  },
  {
    ...row("openai-api-key", "openai", "OpenAI", "OPENAI_API_KEY", "openai-api-key"),
    begins: /^sk-(?:proj|svcacct|admin)-/,
  },
  {
    ...row("gemini-api-key", "google", "Google Gemini", "GEMINI_API_KEY", "gemini-api-key"),
    begins: /^AIza/,
  },
  {
    ...row("openrouter-api-key", "openrouter", "OpenRouter", "OPENROUTER_API_KEY"),
    begins: /^sk-or-/,
  },
  { ...row("xai-api-key", "xai", "xAI (Grok)", "XAI_API_KEY"), begins: /^xai-/ },
  { ...row("groq-api-key", "groq", "Groq", "GROQ_API_KEY"), begins: /^gsk_/ },
  row("mistral-api-key", "mistral", "Mistral", "MISTRAL_API_KEY"),
  { ...row("cerebras-api-key", "cerebras", "Cerebras", "CEREBRAS_API_KEY"), begins: /^csk-/ },
  row("moonshot-api-key", "moonshot", "Moonshot (Kimi)", "MOONSHOT_API_KEY"),
  {
    ...row("kimi-code-api-key", "kimi-coding", "Kimi Coding", "KIMI_API_KEY"),
    begins: /^sk-kimi-/,
  },
  row("zai-api-key", "zai", "Z.AI", "ZAI_API_KEY"),
  row("xiaomi-api-key", "xiaomi", "Xiaomi", "XIAOMI_API_KEY"),
  row("minimax-api", "minimax", "MiniMax", "MINIMAX_API_KEY", "minimax-api-key"),
  {
    ...row("minimax-api-lightning", "minimax", "MiniMax, fast model", "MINIMAX_API_KEY"),
    flag: "minimax-api-key",
    model: "MiniMax-M2.1-lightning",
  },
  row("ai-gateway-api-key", "vercel-ai-gateway", "Vercel AI Gateway", "AI_GATEWAY_API_KEY"),
  row("synthetic-api-key", "synthetic", "Synthetic", "SYNTHETIC_API_KEY"),
  row("venice-api-key", "venice", "Venice", "VENICE_API_KEY"),
  {
    ...row("opencode-zen", "opencode", "OpenCode Zen", "OPENCODE_API_KEY"),
    flag: "opencode-zen-api-key",
  },
  {
    ...row("token", "anthropic", "Anthropic subscription token", "ANTHROPIC_OAUTH_TOKEN", "token"),
    begins: /^sk-ant-oat/,
  },
];

function row(
  choice: string,
  provider: string,
  label: string,
  env: string,
  flag = choice,
): KeyChoice {
  return { choice, provider, label, env, flag };
}

/** The token that `claude setup-token` prints. */
export const TOKEN_CHOICE = KEY_CHOICES.find(({ choice }) => choice === "token")!;

/** No key now: the demo model, a local server, or a key that comes later. */
export const SKIP = "skip";

/** An endpoint of one's own. */
export const CUSTOM = "custom-api-key";

/** Other names of choices, of older and newer versions. */
export const SAME_CHOICE: Readonly<Record<string, string>> = {
  "setup-token": "token",
  oauth: "token",
  "anthropic-api-key": "apiKey",
  minimax: "minimax-api",
  "minimax-cloud": "minimax-api",
  "minimax-api-key": "minimax-api",
  "opencode-zen-api-key": "opencode-zen",
};

/** Sign-ins through a web page of the provider, each with the choice that takes a key in its place. */
export const WEB_SIGN_INS: Readonly<Record<string, string | undefined>> = {
  "openai-codex": "openai-api-key",
  chutes: undefined,
  "google-antigravity": "gemini-api-key",
  "google-gemini-cli": "gemini-api-key",
  "minimax-portal": "minimax-api",
  "qwen-portal": undefined,
  "github-copilot": undefined,
  "copilot-proxy": undefined,
};

/** Choices that borrowed the sign-in of another program. */
export const RETIRED_CHOICES: readonly string[] = ["claude-cli", "codex-cli"];

/** Whose key this is, by how it begins; undefined when it could be several providers'. */
export const choiceOfKey = (key: string): KeyChoice | undefined =>
  KEY_CHOICES.find(({ begins }) => begins?.test(key));
