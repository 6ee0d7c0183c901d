/** What every slash command must hold to, whoever types it and wherever. */
import { expect, test } from "bun:test";

import { systemClock } from "../../src/base/time.ts";
import type { AccessRules } from "../../src/channels/channel.ts";
import type { Inbound } from "../../src/flow.ts";
import { REFUSAL } from "../../src/router/commands-port.ts";
import { parametersOf, usageOf } from "../../src/router/commands/arguments.ts";
import { COMMANDS, menuFor, nativeCommands } from "../../src/router/commands/registry.ts";
import { CommandsConfig } from "../../src/router/config.ts";
import { Router } from "../../src/router/router.ts";
import { MessagesConfig, SessionConfig } from "../../src/sessions/config.ts";
import { messageOf, openCommands, said } from "./command-ports.ts";
import { quiet } from "./store-log.ts";

const ALL_ON = { config: true, restart: true };

test("no two commands share a name or an alias, and every platform takes the names", () => {
  const names = COMMANDS.flatMap((each) => [each.name, ...(each.aliases ?? [])]);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z0-9_]{1,32}$/);
});

for (const each of COMMANDS)
  test(`/${each.name} says what it is for, in the room that menus have`, () => {
    expect(each.doc).toMatch(/^[A-Z].*\.$/);
    expect(each.doc.length).toBeLessThanOrEqual(100);
    for (const { name, doc, required, choices } of parametersOf(each)) {
      expect(name).toMatch(/^[a-z]{1,32}$/);
      expect(doc.length).toBeGreaterThan(0);
      expect(doc.length).toBeLessThanOrEqual(100);
      // A menu sends a command without arguments when somebody only taps it.
      expect(required).toBe(false);
      expect(choices?.length ?? 0).toBeLessThanOrEqual(25);
    }
    for (const to of Object.values(each.spellings ?? {}))
      expect(parametersOf(each)[0]?.choices).toContain(to);
  });

test("/help and /commands list all that can be typed, each where it works", async () => {
  const { type } = await openCommands({ commands: ALL_ON });
  const dm = said(await type("/help"));
  const group = said(await type("/help", { chat: "group" }));
  for (const each of COMMANDS) {
    expect(dm.includes(`\`/${each.name}\``)).toBe(each.where !== "group");
    expect(group.includes(`\`/${each.name}\``)).toBe(each.where !== "dm");
  }
  const pages = [
    said(await type("/commands")),
    said(await type("/commands 2")),
    said(await type("/commands 3")),
  ];
  for (const each of COMMANDS.filter(({ where }) => where !== "group"))
    expect(pages.join("\n")).toContain(`\`${usageOf(each)}\``);
});

test("what is switched off is in no list and no menu, and says how to turn it on", async () => {
  const { type, done } = await openCommands();
  const settings = CommandsConfig.parse({});
  for (const each of COMMANDS.filter(({ gate }) => gate)) {
    expect(said(await type("/help"))).not.toContain(`\`/${each.name}\``);
    expect(nativeCommands(settings).map(({ name }) => name)).not.toContain(each.name);
    expect(said(await type(`/${each.name}`))).toContain(`commands.${each.gate}: true`);
  }
  expect(done).toEqual([]);
});

/** With and without arguments, right and wrong ones. */
const WAYS = [
  "",
  " x",
  " on",
  " list",
  " set gateway.port 1",
  " approve ABCD2345",
  " add 99",
  ` ${"y".repeat(5000)}`,
];

test("nobody but the owner does anything with an owner's command, in a direct message or a group", async () => {
  for (const trust of ["guest", "known"] as const)
    for (const chat of ["dm", "group", "channel"] as const) {
      const { type, done, row, store } = await openCommands({ commands: ALL_ON });
      for (const each of COMMANDS.filter(({ access }) => access === "owner"))
        for (const way of WAYS)
          for (const menu of [undefined, { name: each.name, args: way }])
            expect(said(await type(`/${each.name}${way}`, { trust, chat, menu }))).toBe(REFUSAL);
      expect(said(await type("/help", { trust, chat }))).not.toMatch(
        /\/(config|pair|restart|trace|send|allowlist)\b/,
      );
      expect(done).toEqual([]);
      expect(await row()).toBeUndefined();
      await store.close();
    }
});

test("commands.allowFrom takes commands from those it does not name, and chat ids in it name nobody", async () => {
  for (const entry of ["channel:42", "testnet:group:42", "-10042", "42@g.us", "someone"]) {
    const { type, done, row } = await openCommands({
      commands: { ...ALL_ON, allowFrom: { testnet: [entry] } },
    });
    for (const each of COMMANDS.filter(({ access }) => access === "allowed"))
      expect(said(await type(`/${each.name}`, { trust: "known", chat: "group" }))).toBe(REFUSAL);
    expect(done).toEqual([]);
    expect(await row()).toBeUndefined();
    expect(said(await type("/status", { trust: "owner" }))).toContain("Model:");
  }
  const { type } = await openCommands({ commands: { allowFrom: { "*": [42] } } });
  expect(said(await type("/status", { trust: "known" }))).toContain("Model:");
  expect(said(await type("/status", { trust: "known", sender: "43" }))).toBe(REFUSAL);
});

test("every command answers whatever stands behind it, and never with an exception", async () => {
  const { type } = await openCommands({ commands: ALL_ON });
  for (const each of COMMANDS)
    for (const way of [...WAYS, " __proto__", " \0", " `rm -rf`", " 💥", "\n\n", ": x"])
      for (const chat of ["dm", "group"] as const) {
        const answer = await type(`/${each.name}${way}`, { chat });
        expect(answer).toBeDefined();
        expect(said(answer).length).toBeGreaterThan(2);
      }
});

test("a control command is every one that does more than answer who one is", async () => {
  const { commands } = await openCommands();
  const open = COMMANDS.filter(({ access }) => access === "anyone").map(({ name }) => name);
  expect(open).toEqual(["whoami"]);
  for (const each of COMMANDS) expect(commands.isControl(each.name)).toBe(each.access !== "anyone");
  expect(commands.isControl("nothing")).toBe(true);
});

test("the menu has every command that is on and may be in it", () => {
  const on = CommandsConfig.parse(ALL_ON);
  const menu = nativeCommands(on);
  const typed = COMMANDS.filter(({ typedOnly }) => typedOnly).map(({ name }) => name);
  expect(typed).toEqual(["allowlist"]);
  expect(menu.length).toBe(COMMANDS.length - typed.length);
  expect(menu.length).toBeLessThanOrEqual(100);
  expect(menu.find(({ name }) => name === "think")?.args[0]).toEqual({
    name: "level",
    description: "Level; none shows the present one.",
    required: false,
    choices: ["off", "minimal", "low", "medium", "high", "xhigh", "default"],
  });
  expect(menuFor(on, undefined, true)).toEqual(menu);
  expect(menuFor(on, false, true)).toEqual([]);
  expect(menuFor(on, true, false)).toBeUndefined();
  expect(menuFor(CommandsConfig.parse({ native: false }), undefined, true)).toEqual([]);
  expect(menuFor(CommandsConfig.parse({ native: false }), true, true)).not.toEqual([]);
});

test("a store that fails makes the message come again instead of being answered", async () => {
  const { type, store } = await openCommands();
  await store.close();
  await expect(type("/new")).rejects.toThrow();
});

/** The real router in front of the commands, for one account with these rules and one person who was approved by a code. */
async function routed(rules: Partial<AccessRules>, approved: string) {
  const house = await openCommands({ commands: ALL_ON });
  await house.store.pairing.allow({
    channel: "testnet",
    account: "default",
    sender: approved,
    addedAt: 1,
  });
  const router = new Router({
    store: house.store,
    spending: { of: () => 0 },
    clock: systemClock,
    log: quiet,
    operatorChannel: "operators",
    config: () => ({
      agents: [{ id: "main" }],
      defaultAgentId: "main",
      bindings: [],
      broadcast: {},
      messages: MessagesConfig.parse({}),
      session: SessionConfig.parse({}),
      commands: CommandsConfig.parse({ ...ALL_ON, ownerAllowFrom: ["testnet:7"] }),
    }),
    rules: () => ({
      dmPolicy: "pairing",
      allowFrom: [],
      groupPolicy: "open",
      groupAllowFrom: [],
      room: { enabled: true, requireMention: true },
      historyLimit: 0,
      bots: false,
      ...rules,
    }),
    senderId: (_, entry) => entry,
    idLine: (_, id) => id,
    cli: "clawdbot",
    requested: () => undefined,
    product: "Clawdbot",
    commands: house.commands,
  });
  await router.reload();
  const decide = async (text: string, person: Parameters<typeof messageOf>[1], id: string) => {
    const inbound: Inbound = { ...messageOf(text, person), id, at: Date.now() };
    return (await router.decide(inbound)).route;
  };
  return { ...house, decide };
}

test("who was let in by a direct message has no command in a group (B5)", async () => {
  const { decide, done } = await routed({}, "42");
  for (const [i, { name }] of COMMANDS.filter(({ access }) => access !== "anyone").entries()) {
    const sender = "42";
    expect(
      await decide(`/${name}`, { chat: "group", mentioned: true, sender }, `a${i}`),
    ).toMatchObject({
      kind: "drop",
      reason: "not_allowed",
    });
  }
  expect(done).toEqual([]);
});

test("and in the direct message has those that are not the owner's", async () => {
  const { decide, done } = await routed({}, "42");
  for (const [i, { name, access }] of COMMANDS.entries()) {
    const route = await decide(`/${name}`, { sender: "42" }, `d${i}`);
    expect(route.kind).toBe("answer");
    if (access === "owner") expect(route).toMatchObject({ text: REFUSAL });
  }
  expect(done.filter((what) => !what.startsWith("stop"))).toEqual([]);
});

test("a stranger is asked for a code and runs nothing, whatever the message says", async () => {
  const { decide, done } = await routed({}, "42");
  for (const [i, { name }] of COMMANDS.entries()) {
    const route = await decide(`/${name}`, { sender: `9${i}` }, `s${i}`);
    expect(["answer", "drop"]).toContain(route.kind);
    if (route.kind === "answer") expect(route.by).toBe("pairing");
  }
  expect(done).toEqual([]);
});
