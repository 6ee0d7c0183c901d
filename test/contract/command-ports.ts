/** A real store and scripted neighbours for slash commands, and a person who types them. */
import { AppError } from "../../src/base/errors.ts";
import type { Inbound, SessionKey, Trust } from "../../src/flow.ts";
import type { ModelInfo } from "../../src/providers/provider.ts";
import { answerTo, commandIn, type Outcome } from "../../src/router/calling.ts";
import type { CommandPorts, CommandSettings } from "../../src/router/commands/command.ts";
import { slashCommands } from "../../src/router/commands/registry.ts";
import { CommandsConfig } from "../../src/router/config.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import { quiet } from "./store-log.ts";

export const KEY = "agent:main:main" as SessionKey;
const NOW = Date.UTC(2026, 10, 20, 8, 17);

const info = (ref: string, reasoning = true): ModelInfo => ({
  ref,
  provider: ref.split("/")[0]!,
  id: ref.split("/")[1]!,
  name: ref,
  contextWindow: 200_000,
  maxTokens: 8_000,
  reasoning,
  input: ["text"],
});
const MODELS = [info("acme/big-1"), info("acme/small-1", false), info("other/plain")];

export type Person = {
  chat?: Inbound["chat"];
  trust?: Trust;
  mentioned?: boolean;
  channel?: string;
  sender?: string;
  /** Picked from the platform's menu. */
  menu?: { name: string; args: string };
  notes?: string[];
  event?: Inbound["event"];
};

export const messageOf = (text: string, person: Person = {}): Inbound => ({
  id: "m1",
  from: { channel: person.channel ?? "testnet", account: "default", chatId: "c1" },
  chat: person.chat ?? "dm",
  sender: { id: person.sender ?? "42", name: "Ann" },
  text,
  media: [],
  mentioned: person.mentioned ?? false,
  at: NOW,
  ...(person.menu && { command: person.menu }),
  ...(person.notes && { notes: person.notes }),
  ...(person.event && { event: person.event }),
});

export async function openCommands(
  settings: Partial<Omit<CommandSettings, "commands">> & {
    commands?: Record<string, unknown>;
  } = {},
) {
  const store = await openSqlite({ path: ":memory:", log: quiet });
  /** Everything that was done to the neighbours, in order. */
  const done: string[] = [];
  const state = { running: 0, waiting: 0, writable: true, menu: false };
  const config: Record<string, unknown> = {
    gateway: { port: 18789, auth: { token: "very-secret-token-1234567890" } },
  };
  const ports: CommandPorts = {
    version: "1.2.3",
    now: () => NOW,
    settings: () => ({
      resetTriggers: ["/new", "/reset"],
      verboseDefault: "off",
      queueMode: "steer",
      ...settings,
      commands: CommandsConfig.parse(settings.commands ?? {}),
    }),
    senderId: (_, entry) => (/^\d+$/.test(entry) ? entry : undefined),
    hasMenu: () => state.menu,
    sessions: store.sessions,
    runs: {
      async stop(key) {
        done.push(`stop ${key}`);
        return state.running + state.waiting;
      },
      state: () => ({ running: state.running > 0, waiting: state.waiting }),
    },
    models: {
      list: async () => MODELS,
      async find(text) {
        const found = MODELS.find(({ ref, id }) => ref === text || id === text);
        if (found) return found;
        throw new AppError("bad_request", `There is no model "${text}".`, { hint: "Try big-1." });
      },
      defaultRef: async () => "acme/big-1",
      known: () => ({ "other/plain": { alias: "plainly" } }),
    },
    config: {
      async get(path) {
        const found = (path?.split(".") ?? []).reduce<unknown>(
          (at, key) => (at as Record<string, unknown> | undefined)?.[key],
          config,
        );
        if (found === undefined) throw new AppError("not_found", `Config path not found: ${path}`);
        return found;
      },
      async set(path, text) {
        done.push(`set ${path}=${text}`);
        return { changed: [path], needRestart: path.startsWith("gateway") ? [path] : [] };
      },
      async unset(path) {
        done.push(`unset ${path}`);
        return { changed: [], needRestart: [] };
      },
      writable: () => state.writable,
    },
    access: {
      lists: async () => [
        {
          channel: "testnet",
          account: "default",
          dmPolicy: "pairing",
          config: ["7"],
          approved: ["8"],
        },
      ],
      async allow(channel, sender) {
        done.push(`allow ${channel}:${sender}`);
        return /^\d+$/.test(sender)
          ? { channel, account: "default", sender, addedAt: NOW }
          : undefined;
      },
      async revoke(channel, sender) {
        done.push(`revoke ${channel}:${sender}`);
        return sender === "8";
      },
    },
    pairing: {
      list: async () => [
        {
          channel: "testnet",
          account: "default",
          sender: "99",
          code: "ABCD2345",
          meta: { name: "Mal`lory\nlet me in" },
          createdAt: NOW - 300_000,
          lastSeenAt: NOW,
        },
      ],
      async approve(code) {
        done.push(`approve ${code}`);
        const [waiting] = await ports.pairing.list();
        return code === waiting?.code ? waiting : undefined;
      },
      async dismiss(code) {
        done.push(`dismiss ${code}`);
        return code === "ABCD2345";
      },
    },
    trace: {
      find: (id) => store.inbound.trace(id),
      recent: async (query) => (await store.inbound.recent(query)).rows,
    },
    restart: (reason) => done.push(`restart ${reason}`),
  };
  const commands = slashCommands(ports);
  return {
    store,
    ports,
    commands,
    done,
    state,
    row: () => store.sessions.get(KEY),
    /** What a message leads to, as the router has it done: undefined when it is no command. */
    async type(text: string, person: Person = {}): Promise<Outcome | undefined> {
      const found = commandIn(messageOf(text, person), commands);
      const route = {
        kind: "turn" as const,
        agentId: "main",
        sessionKey: KEY,
        reply: messageOf("").from,
        matchedBy: "default",
        trust: person.trust ?? "owner",
      };
      return found && answerTo(found, route, commands, quiet);
    },
  };
}

/** The words of an answer; what goes on to the agent stands behind an arrow. */
export const said = (outcome: Outcome | undefined): string =>
  outcome === undefined ? "" : "text" in outcome ? outcome.text : `-> ${outcome.inbound.text}`;
