import { describe, expect, test } from "bun:test";

import type { ChannelSetup } from "../channels/channel.ts";
import { NETWORK_IDS } from "../channels/registry.ts";
import { changesFor, checkCredential, deleteChanges, disableChanges, planWith } from "./account.ts";

const CHANNEL = NETWORK_IDS[0]!;
const setup: ChannelSetup = {
  token: { key: "botToken", env: "X_TOKEN", file: "tokenFile" },
  steps: [],
  docs: "docs/x.md",
};
const wish = { channel: CHANNEL, account: "default", useEnv: false };
const set = (path: string, value: unknown) => ({
  kind: "set",
  path: ["channels", CHANNEL, ...path.split(".")],
  value,
});
const unset = (path: string) => ({
  kind: "unset",
  path: ["channels", CHANNEL, ...(path ? path.split(".") : [])],
});

describe("adding", () => {
  test("writes the default account at the channel's own place", () => {
    expect(changesFor({ ...wish, token: "t", name: "N" }, setup, undefined)).toEqual([
      set("enabled", true),
      set("name", "N"),
      set("botToken", "t"),
    ] as never);
  });

  test("writes another account below `accounts`, and the default one there when it has a place there", () => {
    const section = { enabled: false, accounts: { default: { tokenFile: "/f" } } };
    expect(changesFor({ ...wish, account: "work", token: "t" }, setup, section)).toEqual([
      set("enabled", true),
      set("accounts.work.enabled", true),
      set("accounts.work.botToken", "t"),
    ] as never);
    expect(changesFor({ ...wish, token: "t" }, setup, section)).toEqual([
      set("enabled", true),
      set("accounts.default.enabled", true),
      set("accounts.default.botToken", "t"),
      unset("accounts.default.tokenFile"),
    ] as never);
  });

  test("finds an account under the spelling of the config", () => {
    const section = { accounts: { Work: {} } };
    expect(changesFor({ ...wish, account: "work", token: "t" }, setup, section)).toContainEqual(
      set("accounts.Work.botToken", "t") as never,
    );
    expect(disableChanges(CHANNEL, "work", section)).toEqual([
      set("accounts.Work.enabled", false),
    ] as never);
  });

  test("takes away what would contradict the new credential", () => {
    expect(changesFor({ ...wish, token: "t" }, setup, { tokenFile: "/f" })).toContainEqual(
      unset("tokenFile") as never,
    );
    expect(changesFor({ ...wish, tokenFile: "/f" }, setup, { botToken: "t" })).toContainEqual(
      unset("botToken") as never,
    );
  });

  test("shows the account as the channel would see it", async () => {
    const changes = changesFor({ ...wish, token: "123456:abcdefgh" }, setup, { name: "N" });
    const plan = await planWith(changes, wish, { name: "N" }, () => undefined);
    expect(plan).toMatchObject({
      id: "default",
      name: "N",
      enabled: true,
      credential: { source: "config" },
    });
  });

  test("wants one credential, and of the right kind", () => {
    const error = (more: object, of = setup) => {
      try {
        checkCredential({ ...wish, ...more }, of);
      } catch (cause) {
        return (cause as Error).message;
      }
      return undefined;
    };
    expect(error({ token: "123456:abcdefgh" })).toBeUndefined();
    expect(error({ useEnv: true })).toBeUndefined();
    expect(error({})).toContain("requires token or --token-file (or --use-env)");
    expect(error({ token: "12345678", tokenFile: "/f" })).toContain("Give one of");
    expect(error({ token: "two words" })).toContain("does not look like a token");
    expect(error({ useEnv: true, account: "work" })).toContain("default account only");
    const linked: ChannelSetup = { login: true, steps: [], docs: "" };
    expect(error({}, linked)).toBeUndefined();
    expect(error({ token: "12345678" }, linked)).toContain("has no token");
  });
});

describe("removing", () => {
  const two = { botToken: "a", groups: {}, accounts: { work: { botToken: "b" } } };
  test("takes all of the channel when it is the only account", () => {
    expect(deleteChanges(CHANNEL, "default", { botToken: "a" }, setup)).toEqual([
      unset(""),
    ] as never);
    const only = { accounts: { work: { botToken: "b" } } };
    expect(deleteChanges(CHANNEL, "work", only, setup)).toEqual([unset("")] as never);
  });

  test("leaves the others and what they share", () => {
    expect(deleteChanges(CHANNEL, "default", two, setup)).toEqual([unset("botToken")] as never);
    expect(deleteChanges(CHANNEL, "work", two, setup)).toEqual([unset("accounts.work")] as never);
  });

  test("an account that only the environment names has nothing to take away", () => {
    expect(deleteChanges(CHANNEL, "default", undefined, setup)).toEqual([]);
  });

  test("switching the default account off leaves the others on", () => {
    expect(disableChanges(CHANNEL, "default", two)).toEqual([
      set("accounts.default.enabled", false),
    ] as never);
    expect(disableChanges(CHANNEL, "default", { botToken: "a" })).toEqual([
      set("enabled", false),
    ] as never);
    expect(disableChanges(CHANNEL, "work", two)).toEqual([
      set("accounts.work.enabled", false),
    ] as never);
  });
});
