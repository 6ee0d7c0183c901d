/**
 * The environment of the processes that tools start. The gateway's own environment holds provider keys, bot tokens and its own
 * secrets, so a child gets a list of known harmless names and what the user wrote into the config for it, nothing else.
 */
import { NAMES } from "../base/brand.ts";
import { AppError } from "../base/errors.ts";

const names = (text: string): Set<string> => new Set(text.split(/\s+/).filter(Boolean));

/** Inherited from the gateway's environment. */
const INHERITED = names(`
  PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TERM COLORTERM NO_COLOR TMPDIR TEMP TMP HOSTNAME MAIL
  DISPLAY WAYLAND_DISPLAY XAUTHORITY DBUS_SESSION_BUS_ADDRESS SSH_AUTH_SOCK SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS
  NVM_DIR NVM_BIN FNM_DIR VOLTA_HOME PNPM_HOME PYENV_ROOT RBENV_ROOT CARGO_HOME RUSTUP_HOME GOPATH GOROOT GOBIN JAVA_HOME
  ANDROID_HOME ANDROID_SDK_ROOT CONDA_PREFIX CONDA_DEFAULT_ENV VIRTUAL_ENV NIX_PATH NIX_PROFILES NIX_SSL_CERT_FILE
  DOCKER_HOST DOCKER_CONTEXT KUBECONFIG WSL_DISTRO_NAME WSL_INTEROP __CF_USER_TEXT_ENCODING
  SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT APPDATA LOCALAPPDATA PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROGRAMW6432
  COMMONPROGRAMFILES USERPROFILE USERNAME USERDOMAIN HOMEDRIVE HOMEPATH COMPUTERNAME NUMBER_OF_PROCESSORS OS
  PROCESSOR_ARCHITECTURE PSMODULEPATH PUBLIC ALLUSERSPROFILE
`);
const OWN = NAMES.join("|").toUpperCase();
/** The product's own names say where a CLI called by the model finds this gateway, who owns the config, and whether `node` runs scripts; none is a secret. */
const INHERITED_PATTERN = new RegExp(
  `^(?:LC_|XDG_|HOMEBREW_(?!.*TOKEN)|(?:${OWN})_(?:STATE_DIR|CONFIG_PATH|PROFILE|GATEWAY_PORT|NIX_MODE|NODE_COMPAT)$)`,
);

/** Names that make a program run other code than the command says: never passed on, whoever asks. */
const CODE_LOADING = names(`
  NODE_OPTIONS NODE_PATH NODE_REPL_EXTERNAL_MODULE PYTHONPATH PYTHONSTARTUP PYTHONHOME PYTHONINSPECT PERL5OPT PERL5LIB PERLLIB
  RUBYOPT RUBYLIB JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS DOTNET_STARTUP_HOOKS BASH_ENV ENV SHELLOPTS BASHOPTS PS4
  IFS PROMPT_COMMAND CDPATH GLOBIGNORE ZDOTDIR SSH_ASKPASS SUDO_ASKPASS LESSOPEN LESSCLOSE EDITOR VISUAL PAGER MANPAGER BROWSER
  GCONV_PATH GLIBC_TUNABLES HOSTALIASES RESOLV_HOST_CONF MALLOC_TRACE
`);
/** `BASH_FUNC_x%%` is how a shell function travels. `COMPlus_` and `CORECLR_` load a .NET profiler. */
const CODE_LOADING_PATTERN =
  /^(?:BUN_|LD_|DYLD_|GIT_(?!AUTHOR_|COMMITTER_|TERMINAL_PROMPT$)|NPM_CONFIG_|COMPLUS_|CORECLR_|COR_|BASH_FUNC_|UV_(?!THREADPOOL_SIZE$))/;

/** Providers, channels and search services whose credentials are the gateway's own business. */
const SECRET_OWNERS =
  "ANTHROPIC|CLAUDE|OPENAI|AZURE_OPENAI|OPENROUTER|GEMINI|GOOGLE(?:_GENERATIVE_AI|_AI|_CLOUD)?|VERTEX|GROQ|MISTRAL|XAI|CEREBRAS|DEEPSEEK|DEEPGRAM|ELEVENLABS|XI|MINIMAX|MOONSHOT|KIMI(?:CODE)?|ZAI|Z_AI|GLM|QIANFAN|QWEN|DASHSCOPE|VENICE|SYNTHETIC|OPENCODE(?:_ZEN)?|AI_GATEWAY|VERCEL_AI_GATEWAY|COPILOT|CHUTES|XIAOMI|OLLAMA|LMSTUDIO|VLLM|TOGETHER|FIREWORKS|NVIDIA|HF|HUGGINGFACE(?:HUB)?|COHERE|VOYAGE|PERPLEXITY|BRAVE|FIRECRAWL|TAVILY|EXA|TELEGRAM|DISCORD|SLACK|WHATSAPP|SIGNAL|MATRIX|LINE|MATTERMOST|MSTEAMS|ZALO|TWITCH|NOSTR|BLUEBUBBLES|TWILIO";
const SECRET_PATTERN = new RegExp(
  `^(?:AWS_BEARER_TOKEN_BEDROCK$|(?:${SECRET_OWNERS}|${OWN})_(?:\\w+_)?(?:API_?KEYS?|KEY|TOKENS?|SECRET|PASSWORD|CREDENTIALS|OAUTH|COOKIE|SESSION)(?:_\\w+)?$)`,
);

/** Set by the gateway or the user's configuration, not by a model. */
const FIXED = names("PATH HOME SHELL USER LOGNAME TMPDIR SYSTEMROOT COMSPEC PATHEXT WINDIR");
const PROXY = /^(?:HTTPS?|ALL|FTP|NO)_PROXY$/;

const loadsCode = (name: string) => CODE_LOADING.has(name) || CODE_LOADING_PATTERN.test(name);

/**
 * What every child starts with. `base` is the gateway's environment, `extra` the user's own (config `env`), which may add any
 * name but a code-loading one or a secret of the gateway; `undefined` values are skipped.
 */
export function childEnv(
  base: Record<string, string | undefined>,
  extra: Record<string, string | undefined> = {},
): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(base)) {
    const upper = name.toUpperCase();
    if (value !== undefined && (INHERITED.has(upper) || INHERITED_PATTERN.test(upper)))
      out[name] = value;
  }
  for (const [name, value] of Object.entries(extra)) {
    const upper = name.toUpperCase();
    if (value !== undefined && !loadsCode(upper) && !SECRET_PATTERN.test(upper)) out[name] = value;
  }
  return out;
}

/** Most variables of one call, and most characters of one value. */
const MAX_VARIABLES = 100;
const MAX_VALUE = 32_768;

/** The `env` of one call as the model gave it. Throws forbidden for a name it may not set, bad_request for a malformed one. */
export function checkCallEnv(env: Record<string, string>): Record<string, string> {
  const entries = Object.entries(env);
  if (entries.length > MAX_VARIABLES)
    throw new AppError("bad_request", `More than ${MAX_VARIABLES} environment variables.`);
  for (const [name, value] of entries) {
    const upper = name.toUpperCase();
    if (!/^[A-Za-z_]\w{0,127}$/.test(name))
      throw new AppError(
        "bad_request",
        `"${name.slice(0, 80)}" is no name for an environment variable.`,
      );
    if (value.includes("\0") || value.length > MAX_VALUE)
      throw new AppError("bad_request", `The value of ${name} is too long or contains a NUL.`);
    if (FIXED.has(upper) || PROXY.test(upper) || loadsCode(upper))
      throw new AppError("forbidden", `${name} cannot be set for a command.`, {
        hint:
          upper === "PATH"
            ? "Call the program by its absolute path; the user can add directories with tools.exec.pathPrepend."
            : "It decides which code runs. Leave it out.",
      });
  }
  return env;
}

/** Puts `dirs` first on the PATH of `env`. */
export function prependPath(env: Record<string, string>, dirs: string[]): Record<string, string> {
  if (dirs.length === 0) return env;
  const name = Object.keys(env).find((key) => key.toUpperCase() === "PATH") ?? "PATH";
  const separator = process.platform === "win32" ? ";" : ":";
  return { ...env, [name]: [...dirs, env[name]].filter(Boolean).join(separator) };
}
