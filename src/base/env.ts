/**
 * The only reader of the process environment. Everything else gets an `Env`, so a test says what it contains.
 * No zod here: this file is on the path of `--version`.
 */
import { NAMES, PRODUCT } from "./brand.ts";

/** Gives the value, or undefined when the text is not one; `want` finishes the sentence "… is not". */
type Kind<T> = { want: string; parse(text: string): T | undefined };
type Row<T> = { doc: string; kind: Kind<T>; secret?: boolean };

const text: Kind<string> = { want: "text", parse: (s) => s };
const port: Kind<number> = {
  want: "a port (1 to 65535)",
  parse: (s) =>
    /^\d{1,5}$/.test(s) && Number(s) >= 1 && Number(s) <= 65_535 ? Number(s) : undefined,
};
const BINDS = ["loopback", "lan", "tailnet", "auto", "custom"] as const;
const bind: Kind<(typeof BINDS)[number]> = {
  want: `one of ${BINDS.join(", ")}`,
  parse: (s) => BINDS.find((mode) => mode === s),
};
const flag: Kind<boolean> = {
  want: "a switch (1 or 0)",
  parse: (s) =>
    /^(1|true|yes|on)$/i.test(s) ? true : /^(0|false|no|off)$/i.test(s) ? false : undefined,
};
const seconds: Kind<number> = {
  want: "a number of seconds (1 to 86400)",
  parse: (s) => (/^[1-9]\d{0,4}$/.test(s) && Number(s) <= 86_400 ? Number(s) : undefined),
};
const row = <T>(kind: Kind<T>, doc: string, secret = false): Row<T> => ({ kind, doc, secret });

/** Variables with a product prefix, by what follows it: `OPENCLAW_X`, `MOLTBOT_X` and `CLAWDBOT_X` mean the same. */
export const PREFIXED = {
  STATE_DIR: row(
    text,
    "Folder of all state. Default: ~/.clawdbot, or an existing one of an older name.",
  ),
  CONFIG_PATH: row(text, "The config file. Default: clawdbot.json in the state folder."),
  PROFILE: row(text, "Name of an isolated set of state, config and workspace, as --profile."),
  WORKSPACE_DIR: row(text, "Default workspace of the agents."),
  GATEWAY_PORT: row(port, "Port of the gateway; wins over the config."),
  GATEWAY_BIND: row(bind, "Where the gateway listens: loopback, lan, tailnet, auto or custom."),
  GATEWAY_TOKEN: row(text, "Shared token of the gateway.", true),
  GATEWAY_PASSWORD: row(text, "Shared password of the gateway.", true),
  RAW_STREAM: row(flag, "1: what models stream is written to a file, as with --raw-stream."),
  RAW_STREAM_PATH: row(text, "That file. Default: logs/raw-stream.jsonl in the state folder."),
  DROP_UID: row(
    text,
    "In a container that starts as root: the user (or user:group, as numbers) that the gateway becomes.",
  ),
  GATEWAY_URL: row(
    text,
    "Where commands find the gateway when it is not on this machine, as ws://host:18789.",
  ),
  SKIP_CHANNELS: row(flag, "1: the gateway starts without its chat channels."),
  WHATSAPP_WEB_SOCKET_URL: row(
    text,
    "Another address of WhatsApp's socket, for tests. Only this machine (ws://127.0.0.1...).",
  ),
  WHATSAPP_TEST_ROOT_KEY: row(
    text,
    "Hex of the key that signs a test server's certificate; only together with the address above.",
  ),
  NIX_MODE: row(flag, "1: the config is made by Nix and never written."),
  INSTALL_BASE_URL: row(
    text,
    "Another source of releases, for install.sh and `update`: https://..., file:///..., or http:// on this machine.",
  ),
  INSTALL_STALL: row(
    seconds,
    "A download is given up after so many seconds without a byte. Default: 60.",
  ),
  UPDATE_TRIAL: row(
    flag,
    "Set by `update` while it tries a new version with a copy of the state: nothing is sent to any network.",
  ),
  UPDATE_GUARDED: row(
    flag,
    "Set by a gateway that hands over to a new version, while it watches whether that becomes ready.",
  ),
  NODE_COMPAT: row(
    flag,
    "1: where this program stands in for `node` (in an image), scripts are run by the JavaScript engine inside it.",
  ),
  SERVICE_MARKER: row(
    text,
    "Set by the service that we install: a supervisor restarts the gateway.",
  ),
} as const satisfies Record<string, Row<unknown>>;

/** Variables without a prefix, read by their own name. Provider keys are here too, so that logs never show them. */
export const PLAIN = {
  HOME: "The home folder.",
  USERPROFILE: "The home folder on Windows.",
  TMPDIR: "Folder of temporary files.",
  PATH: "Where commands are looked for.",
  SHELL: "The login shell.",
  LANG: "Language and encoding.",
  TZ: "Time zone.",
  TERM: "Kind of terminal.",
  NO_COLOR: "Any value: no colours.",
  FORCE_COLOR: "Colours even when the output is not a terminal; 0 for none.",
  CI: "Set by build services.",
  PORT: "Port that a hosting platform gives; used when no other is set and the platform is known.",
  FLY_APP_NAME: "Set on Fly.io: name of the app, gives the host name.",
  FLY_MACHINE_ID: "Set on Fly.io.",
  RENDER: "Set on Render.",
  RENDER_EXTERNAL_HOSTNAME: "Set on Render: the public host name.",
  RAILWAY_ENVIRONMENT: "Set on Railway.",
  RAILWAY_PROJECT_ID: "Set on Railway.",
  RAILWAY_PUBLIC_DOMAIN: "Set on Railway: the public host name.",
  WEBSITE_HOSTNAME: "Set on Azure: the public host name.",
  K_SERVICE: "Set on Cloud Run.",
  DYNO: "Set on Heroku.",
  KUBERNETES_SERVICE_HOST: "Set in Kubernetes.",
  NOTIFY_SOCKET: "Set by systemd when it waits for readiness.",
  BROWSER: "Browser to open; `echo` prints the address.",
  SSH_CONNECTION: "Set in an SSH session.",
  SUDO_USER: "Set by sudo: who called it.",
  XDG_CONFIG_HOME: "Where programs keep their settings; ~/.config when it is not set.",
  ZDOTDIR: "Where zsh reads its start files, when that is not the home folder.",
  XDG_RUNTIME_DIR: "Set in a login session: where the user's systemd is reached.",
  WSL_DISTRO_NAME: "Set in the Windows Subsystem for Linux.",
  PI_CODING_AGENT_DIR: "Older name of AGENT_DIR.",
  BUN_CONFIG_MAX_HTTP_REQUESTS:
    "Concurrent requests of the HTTP client; must be set before the start.",
  NODE_OPTIONS: "Ignored, and removed from children.",
  TELEGRAM_BOT_TOKEN: "Telegram bot.",
  DISCORD_BOT_TOKEN: "Discord bot.",
  SLACK_BOT_TOKEN: "Slack bot.",
  SLACK_APP_TOKEN: "Slack app.",
  SLACK_USER_TOKEN: "Slack user.",
  ANTHROPIC_API_KEY: "Anthropic.",
  ANTHROPIC_OAUTH_TOKEN: "Anthropic, subscription token; wins over the key.",
  ANTHROPIC_BASE_URL: "Address of the Anthropic API.",
  OPENAI_API_KEY: "OpenAI.",
  OPENAI_BASE_URL: "Address of the OpenAI API.",
  GEMINI_API_KEY: "Google Gemini.",
  GOOGLE_API_KEY: "Google, when GEMINI_API_KEY is not set.",
  GROQ_API_KEY: "Groq.",
  DEEPGRAM_API_KEY: "Deepgram.",
  CEREBRAS_API_KEY: "Cerebras.",
  XAI_API_KEY: "xAI.",
  OPENROUTER_API_KEY: "OpenRouter.",
  MOONSHOT_API_KEY: "Moonshot.",
  KIMI_API_KEY: "Kimi.",
  KIMICODE_API_KEY: "Kimi, older name.",
  MINIMAX_API_KEY: "MiniMax.",
  MINIMAX_OAUTH_TOKEN: "MiniMax, subscription token.",
  XIAOMI_API_KEY: "Xiaomi.",
  SYNTHETIC_API_KEY: "Synthetic.",
  VENICE_API_KEY: "Venice.",
  MISTRAL_API_KEY: "Mistral.",
  DEEPSEEK_API_KEY: "DeepSeek.",
  TOGETHER_API_KEY: "Together.",
  FIREWORKS_API_KEY: "Fireworks.",
  AI_GATEWAY_API_KEY: "Vercel AI Gateway.",
  ZAI_API_KEY: "Z.AI.",
  Z_AI_API_KEY: "Z.AI, older name; copied to ZAI_API_KEY when that is not set.",
  OPENCODE_API_KEY: "OpenCode.",
  OPENCODE_ZEN_API_KEY: "OpenCode Zen.",
  COPILOT_GITHUB_TOKEN: "GitHub Copilot.",
  GH_TOKEN: "GitHub.",
  GITHUB_TOKEN: "GitHub.",
  QWEN_OAUTH_TOKEN: "Qwen.",
  QWEN_PORTAL_API_KEY: "Qwen.",
  CHUTES_OAUTH_TOKEN: "Chutes.",
  CHUTES_API_KEY: "Chutes.",
  OLLAMA_API_KEY: "Ollama; any value when the server wants none.",
  OLLAMA_HOST: "Address of a local Ollama.",
  AWS_BEARER_TOKEN_BEDROCK: "Amazon Bedrock.",
  AWS_ACCESS_KEY_ID: "Amazon.",
  AWS_SECRET_ACCESS_KEY: "Amazon.",
  AWS_PROFILE: "Amazon.",
  BRAVE_API_KEY: "Brave search.",
  PERPLEXITY_API_KEY: "Perplexity search.",
  FIRECRAWL_API_KEY: "Firecrawl.",
  ELEVENLABS_API_KEY: "ElevenLabs.",
  XI_API_KEY: "ElevenLabs, older name.",
} as const satisfies Record<string, string>;

export type PrefixedName = keyof typeof PREFIXED;

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<Camel<Tail>>}`
  : Lowercase<S>;
type Value<R> = R extends Row<infer T> ? T : never;
/** Every row of PREFIXED as a property: `STATE_DIR` is `stateDir`. Switches are false when unset, everything else undefined. */
type Values = {
  [K in PrefixedName as Camel<K>]: Value<(typeof PREFIXED)[K]> extends boolean
    ? boolean
    : Value<(typeof PREFIXED)[K]> | undefined;
};

export type Env = Readonly<Values> & {
  /** One sentence each: two names that differ, a value that was ignored. */
  readonly warnings: readonly string[];
  /** A variable by its full name; blank counts as unset. */
  raw(name: string): string | undefined;
  /** All variables as they are, for `${NAME}` in the config and for children (which get a scrubbed copy). */
  readonly vars: Readonly<Record<string, string | undefined>>;
};

const camel = (name: string) =>
  name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
const filled = (value: string | undefined) => (value?.trim() ? value.trim() : undefined);

/** Reads an environment, by default that of the process. Never throws: what cannot be used is in `warnings`. */
export function readEnv(source: Record<string, string | undefined> = process.env): Env {
  const vars: Record<string, string | undefined> = { ...source };
  if (!filled(vars.ZAI_API_KEY) && filled(vars.Z_AI_API_KEY)) vars.ZAI_API_KEY = vars.Z_AI_API_KEY;
  const warnings: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [suffix, { kind }] of Object.entries(PREFIXED) as [string, Row<unknown>][]) {
    const set = spellings(suffix as PrefixedName).filter((name) => filled(vars[name]));
    const [first] = set;
    const other = set.find((name) => filled(vars[name]) !== filled(vars[first!]));
    if (first && other) warnings.push(`${first} and ${other} differ; ${first} is used.`);
    const value = first && kind.parse(filled(vars[first])!);
    if (first && value === undefined)
      warnings.push(`${first} is not ${kind.want}, so it is ignored.`);
    values[camel(suffix)] = value ?? (kind === (flag as Kind<unknown>) ? false : undefined);
  }
  return {
    ...(values as Values),
    warnings,
    raw: (name) => filled(vars[name]),
    vars,
  };
}

/** The same environment with more variables where it has none (or blank ones): `.env` files, the config's `env` block. */
export function withVariables(env: Env, more: Record<string, string>): Env {
  const added = Object.entries(more).filter(([name]) => !filled(env.vars[name]));
  return added.length === 0 ? env : readEnv({ ...env.vars, ...Object.fromEntries(added) });
}

/** True for a variable whose value nobody else should see, by what its name says. */
export const isSecretName = (name: string): boolean =>
  /(?:TOKEN|PASSWORD|SECRET|API_KEY|ACCESS_KEY|PRIVATE_KEY|PASSPHRASE|SESSION_KEY|COOKIE|BEDROCK)$/.test(
    name,
  );

/** Values of this environment that are secrets, for the redactor. */
export function secretsOf(env: Env): string[] {
  return Object.entries(env.vars)
    .filter(([name, value]) => isSecretName(name) && (value?.trim().length ?? 0) >= 8)
    .map(([, value]) => value!.trim());
}

/** The name to tell a user for a prefixed variable: `CLAWDBOT_GATEWAY_TOKEN`. */
export const envName = (name: PrefixedName): string => `${PRODUCT.toUpperCase()}_${name}`;

/** All names of a prefixed variable; of two that are set the earlier one wins. */
export const spellings = (name: PrefixedName): string[] =>
  NAMES.map((brand) => `${brand.toUpperCase()}_${name}`);

/** Sets a prefixed variable, and takes its other names away, which may win. */
export function setPrefixed(
  vars: Record<string, string | undefined>,
  name: PrefixedName,
  value: string,
): void {
  for (const each of spellings(name)) delete vars[each];
  vars[envName(name)] = value;
}
