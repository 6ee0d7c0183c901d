import { expect, test } from "bun:test";

import { checkCallEnv, childEnv, prependPath } from "./environment.ts";

test("children inherit what programs need, not what the gateway holds", () => {
  const env = childEnv({
    PATH: "/bin",
    HOME: "/home/me",
    LC_ALL: "C.UTF-8",
    XDG_RUNTIME_DIR: "/run/user/1",
    CLAWDBOT_STATE_DIR: "/state",
    CLAWDBOT_GATEWAY_TOKEN: "secret",
    OPENCLAW_GATEWAY_PASSWORD: "secret",
    ANTHROPIC_API_KEY: "secret",
    OPENAI_API_KEY: "secret",
    TELEGRAM_BOT_TOKEN: "secret",
    SOME_NEW_VENDOR_KEY: "secret",
    BUN_BE_BUN: "1",
    BUN_OPTIONS: "--preload=evil.ts",
    NODE_OPTIONS: "--require evil",
    LD_PRELOAD: "evil.so",
    DYLD_INSERT_LIBRARIES: "evil.dylib",
    HTTPS_PROXY: "http://proxy",
    EMPTY: undefined,
  });
  expect(env).toEqual({
    PATH: "/bin",
    HOME: "/home/me",
    LC_ALL: "C.UTF-8",
    XDG_RUNTIME_DIR: "/run/user/1",
    CLAWDBOT_STATE_DIR: "/state",
  });
});

test("what the user wrote into the config for children arrives, but for keys of the gateway and what loads code", () => {
  const extra = {
    GITHUB_TOKEN: "mine",
    HTTPS_PROXY: "http://proxy",
    MY_SETTING: "1",
    ANTHROPIC_API_KEY: "secret",
    CLAUDE_CODE_OAUTH_TOKEN: "secret",
    AWS_BEARER_TOKEN_BEDROCK: "secret",
    MOLTBOT_GATEWAY_TOKEN: "secret",
    DISCORD_BOT_TOKEN: "secret",
    LD_PRELOAD: "x",
    bun_options: "x",
  };
  expect(childEnv({}, extra)).toEqual({
    GITHUB_TOKEN: "mine",
    HTTPS_PROXY: "http://proxy",
    MY_SETTING: "1",
  });
});

test.each([
  "PATH",
  "Path",
  "LD_PRELOAD",
  "LD_LIBRARY_PATH",
  "DYLD_INSERT_LIBRARIES",
  "BUN_BE_BUN",
  "BUN_OPTIONS",
  "NODE_OPTIONS",
  "NODE_PATH",
  "PYTHONPATH",
  "PYTHONSTARTUP",
  "PYTHONHOME",
  "PERL5OPT",
  "RUBYOPT",
  "JAVA_TOOL_OPTIONS",
  "_JAVA_OPTIONS",
  "DOTNET_STARTUP_HOOKS",
  "COMPlus_Profiler",
  "BASH_ENV",
  "ENV",
  "SHELLOPTS",
  "PS4",
  "IFS",
  "PROMPT_COMMAND",
  "GIT_SSH_COMMAND",
  "GIT_EXTERNAL_DIFF",
  "SSH_ASKPASS",
  "LESSOPEN",
  "EDITOR",
  "https_proxy",
  "HOME",
])("a model cannot set %s for a command", (name) => {
  expect(() => checkCallEnv({ [name]: "x" })).toThrow(`${name} cannot be set`);
});

test("a model can set harmless variables, and malformed ones are refused", () => {
  expect(checkCallEnv({ FOO: "bar", GIT_AUTHOR_NAME: "me" })).toEqual({
    FOO: "bar",
    GIT_AUTHOR_NAME: "me",
  });
  for (const name of ["", "A B", "A=B", "1A", "A\nB", "a".repeat(200), "BASH_FUNC_x%%"])
    expect(() => checkCallEnv({ [name]: "x" })).toThrow();
  expect(() => checkCallEnv({ A: "x\0y" })).toThrow("NUL");
  expect(() => checkCallEnv({ A: "x".repeat(40_000) })).toThrow("too long");
  const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`A${i}`, ""]));
  expect(() => checkCallEnv(many)).toThrow("More than 100");
});

test("configured directories come first on the PATH", () => {
  expect(prependPath({ PATH: "/bin" }, ["/a", "/b"])["PATH"]).toBe("/a:/b:/bin");
  expect(prependPath({}, ["/a"])["PATH"]).toBe("/a");
  expect(prependPath({ PATH: "/bin" }, [])).toEqual({ PATH: "/bin" });
});
