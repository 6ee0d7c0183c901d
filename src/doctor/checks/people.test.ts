/** What is told of open chats is what the rules really do: each config is judged by both. */
import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readEnv } from "../../base/env.ts";
import { findPaths } from "../../base/paths.ts";
import { factsOf } from "../../channels/accounts.ts";
import type { ChannelFacts } from "../../channels/channel.ts";
import { configuredAccounts } from "../../channels/configured.ts";
import { loadConfig } from "../../config/load.ts";
import type { Inbound } from "../../flow.ts";
import { authorize, ownersOf } from "../../router/access.ts";
import type { Scene } from "../check.ts";
import { fixable, mend } from "../mend.ts";
import { peopleCheck } from "./people.ts";

const open: string[] = [];
afterEach(() => {
  for (const dir of open.splice(0)) rmSync(dir, { recursive: true, force: true });
});

const NETWORK = "telegram";
const TOKEN = "123456:abcdefghijklmnopqrstuvwxyz0123456789";
const STRANGER = { id: "999", name: "Eve", handle: "eve" };

function place(section: object) {
  const home = mkdtempSync(join(tmpdir(), "clawdbot-people-"));
  open.push(home);
  mkdirSync(join(home, ".clawdbot"), { mode: 0o700 });
  const file = join(home, ".clawdbot/clawdbot.json");
  writeFileSync(file, JSON.stringify({ channels: { [NETWORK]: section } }));
  const env = readEnv({ HOME: home });
  return { env, paths: findPaths(env, home), file };
}

/** For every account: whether a stranger gets in directly, and in a group. */
async function reality({ env, paths }: ReturnType<typeof place>) {
  const { config } = await loadConfig({ env, paths });
  const facts = (await factsOf(NETWORK)) as unknown as ChannelFacts<unknown>;
  const rows = await configuredAccounts(
    (id) => config!.channels[id],
    () => undefined,
  );
  const lets = (own: unknown, chat: Inbound["chat"]) => {
    const from = { channel: NETWORK, account: "default", chatId: chat === "dm" ? "999" : "-1001" };
    const inbound = { from, chat, sender: STRANGER } as Inbound;
    const access = authorize({
      rules: facts.rules(own, inbound),
      inbound,
      approved: new Set(),
      owners: ownersOf([], NETWORK, () => undefined),
      accessGroups: true,
    });
    return access.kind === "allow";
  };
  return {
    dm: rows.some(({ plan }) => lets(plan.config, "dm")),
    group: rows.some(({ plan }) => lets(plan.config, "group")),
  };
}

async function told({ env, paths }: ReturnType<typeof place>) {
  const scene: Scene = {
    env,
    paths,
    loaded: await loadConfig({ env, paths }),
    command: "clawdbot",
    now: 0,
    deep: false,
    suggestions: false,
    running: undefined,
    service: { findings: [], older: [] },
  };
  const findings = (await peopleCheck.run(scene)).map((finding) => ({
    ...finding,
    checkId: "people",
    title: "",
  }));
  const has = (word: string) =>
    findings.some(({ audit }) => audit?.id.startsWith(`channels.${NETWORK}.${word}`));
  return {
    findings,
    dm: has("dm.open") && !has("dm.open_invalid"),
    group: has("groups."),
  };
}

const LISTS = [["*"], [1], [1, " * "]];
const cases = ["pairing", "allowlist", "open", "disabled"].flatMap((dmPolicy) =>
  ["open", "allowlist", "disabled"].flatMap((groupPolicy) =>
    LISTS.flatMap((allowFrom) =>
      [undefined, [], ["*"]].map((groupAllowFrom) => ({
        ...{ botToken: TOKEN, dmPolicy, groupPolicy, allowFrom },
        ...(groupAllowFrom && { groupAllowFrom }),
      })),
    ),
  ),
);

test("open is told exactly where a stranger gets in, and nowhere after it was mended", async () => {
  for (const section of cases) {
    const at = place(section);
    const { dm, group, findings } = await told(at);
    expect([section, { dm, group }]).toEqual([section, await reality(at)]);
    if (!(dm || group) || section.dmPolicy === "allowlist") continue;
    const mended = await mend(fixable(findings), { ...at, now: 0 });
    expect(mended.filter((each) => "error" in each)).toEqual([]);
    expect([section, await reality(at)]).toEqual([section, { dm: false, group: false }]);
    expect((await told(at)).findings.filter(({ fix }) => fix)).toEqual([]);
  }
});

test("a list of the whole channel that an account stands on is mended where it is written", async () => {
  const at = place({
    allowFrom: ["*", 7],
    accounts: { work: { botToken: TOKEN }, home: { botToken: `${TOKEN}x`, dmPolicy: "open" } },
  });
  expect((await told(at)).dm).toBe(true);
  await mend(fixable((await told(at)).findings), { ...at, now: 0 });
  expect(await reality(at)).toEqual({ dm: false, group: false });
  expect(JSON.parse(readFileSync(at.file, "utf8")).channels[NETWORK].allowFrom).toEqual([7]);
});

test("names that count as people are told, and ids only after it was mended", async () => {
  const at = place({ botToken: TOKEN, allowFrom: ["@eve"], dangerouslyAllowNameMatching: true });
  expect((await reality(at)).dm).toBe(true);
  const { findings } = await told(at);
  expect(findings.map(({ audit }) => audit?.id)).toContain(
    `channels.${NETWORK}.allowFrom.dangerous_name_matching_enabled`,
  );
  await mend(fixable(findings), { ...at, now: 0 });
  expect((await reality(at)).dm).toBe(false);
});
