/** The model providers that onboarding can set up with a key; one row each. `choice` is the original's `--auth-choice`. */
export type KeyChoice = {
  choice: string;
  /** As in the list of providers. */
  provider: string;
  label: string;
  /** The variable that holds the key. */
  env: string;
  /** Flag with the key, without dashes. */
  flag: string;
};

export const KEY_CHOICES: readonly KeyChoice[] = [
  row("apiKey", "anthropic", "Anthropic (Claude)", "ANTHROPIC_API_KEY", "anthropic-api-key"),
  row("openai-api-key", "openai", "OpenAI", "OPENAI_API_KEY", "openai-api-key"),
  row("gemini-api-key", "google", "Google Gemini", "GEMINI_API_KEY", "gemini-api-key"),
  row("openrouter-api-key", "openrouter", "OpenRouter", "OPENROUTER_API_KEY", "openrouter-api-key"),
  row("moonshot-api-key", "moonshot", "Moonshot", "MOONSHOT_API_KEY", "moonshot-api-key"),
  row("zai-api-key", "zai", "Z.AI", "ZAI_API_KEY", "zai-api-key"),
  row("xiaomi-api-key", "xiaomi", "Xiaomi", "XIAOMI_API_KEY", "xiaomi-api-key"),
  row("minimax-api", "minimax", "MiniMax", "MINIMAX_API_KEY", "minimax-api-key"),
];

function row(
  choice: string,
  provider: string,
  label: string,
  env: string,
  flag: string,
): KeyChoice {
  return { choice, provider, label, env, flag };
}

/** No key now: the demo model, a local server, or a key that comes later. */
export const SKIP = "skip";
