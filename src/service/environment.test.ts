import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parseEnvFile } from "../base/env-file.ts";
import { readEnv } from "../base/env.ts";
import { findPaths } from "../base/paths.ts";
import {
  carriedFromFile,
  carriedVariables,
  carry,
  dropCarried,
  serviceEnvironment,
} from "./environment.ts";

function state() {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-service-env-"));
  return {
    dir,
    path: join(dir, "gateway.env"),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}

test("the service's file gets no secret, and only settings that were set on purpose", () => {
  using home = state();
  mkdirSync(join(home.dir, ".local/bin"), { recursive: true });
  const of = (vars: Record<string, string>) => {
    const env = readEnv({ HOME: home.dir, PATH: "/odd", ...vars });
    return serviceEnvironment({ env, paths: findPaths(env) }, "systemd", "linux");
  };
  const PATH = of({})["PATH"]!;
  expect(PATH.split(":").slice(0, 2)).toEqual([join(home.dir, ".local/bin"), "/usr/local/sbin"]);
  expect(PATH).not.toContain("/odd");
  expect(of({})).toEqual({ HOME: home.dir, PATH, CLAWDBOT_SERVICE_MARKER: "systemd" });
  const secrets = { OPENCLAW_GATEWAY_TOKEN: "t", ANTHROPIC_API_KEY: "k" };
  expect(of({ ...secrets, MOLTBOT_STATE_DIR: "~/s", CLAWDBOT_PROFILE: "work" })).toEqual({
    HOME: home.dir,
    PATH,
    CLAWDBOT_STATE_DIR: join(home.dir, "s"),
    CLAWDBOT_PROFILE: "work",
    CLAWDBOT_SERVICE_MARKER: "systemd",
  });
});

test("keys that only the shell has are carried, what .env has is not", () => {
  const env = readEnv({
    MOLTBOT_GATEWAY_TOKEN: "abc",
    OPENAI_API_KEY: "sk-1",
    OLLAMA_HOST: "http://box",
    TELEGRAM_BOT_TOKEN: "1:a",
    MY_SECRET_TOKEN: "mine",
    EDITOR: "vi",
  });
  expect(carriedVariables(env, ["TELEGRAM_BOT_TOKEN"])).toEqual({
    CLAWDBOT_GATEWAY_TOKEN: "abc",
    OPENAI_API_KEY: "sk-1",
    OLLAMA_HOST: "http://box",
  });
  expect(carriedVariables(env, ["OPENCLAW_GATEWAY_TOKEN"])).not.toHaveProperty(
    "CLAWDBOT_GATEWAY_TOKEN",
  );
});

test("secrets in the file of an older service come along under today's names", () => {
  const old = {
    OPENCLAW_GATEWAY_TOKEN: "t",
    OPENAI_API_KEY: "k",
    PATH: "/x",
    OPENCLAW_PROFILE: "p",
  };
  expect(carriedFromFile(old)).toEqual({ CLAWDBOT_GATEWAY_TOKEN: "t", OPENAI_API_KEY: "k" });
});

test("gateway.env keeps what it has, lines of a person win, and only our part goes again", async () => {
  using s = state();
  const read = () => parseEnvFile(readFileSync(s.path, "utf8"));
  expect((await carry(s.dir, { A_TOKEN: 'x"y', B_KEY: "1" })).changed).toEqual([
    "A_TOKEN",
    "B_KEY",
  ]);
  expect(statSync(s.path).mode & 0o777).toBe(0o600);
  expect((await carry(s.dir, {})).changed).toEqual([]);
  expect((await carry(s.dir, { B_KEY: "2" })).changed).toEqual(["B_KEY"]);
  expect(read()).toEqual({ A_TOKEN: 'x"y', B_KEY: "2" });
  await Bun.write(s.path, `MINE=1\nB_KEY=own\n${readFileSync(s.path, "utf8")}# end\n`);
  expect((await carry(s.dir, { B_KEY: "3", MINE: "9", C_KEY: "4" })).changed).toEqual(["C_KEY"]);
  expect(readFileSync(s.path, "utf8")).toStartWith("MINE=1\nB_KEY=own\n");
  await dropCarried(s.dir);
  expect(readFileSync(s.path, "utf8")).toBe("MINE=1\nB_KEY=own\n# end\n");
  expect((await carry(s.dir, { BAD: "a\nb" })).refused).toEqual(["BAD"]);
});

test("a file that only we wrote is gone at the end", async () => {
  using s = state();
  await carry(s.dir, { A: "1" });
  await dropCarried(s.dir);
  expect(existsSync(s.path)).toBe(false);
  await dropCarried(s.dir);
});
