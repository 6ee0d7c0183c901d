import type { Models } from "../agent/models.ts";
/** What the slash commands may touch, on the parts of the running system. */
import { agentSettings } from "../agent/settings.ts";
import { VERSION } from "../base/brand.ts";
import type { Paths } from "../base/paths.ts";
import type { Clock } from "../base/time.ts";
import { type Accounts, factsOf, isNetwork } from "../channels/accounts.ts";
import { NETWORKS } from "../channels/registry.ts";
import type { ConfigHandle } from "../config/handle.ts";
import { getAll, getValue, setValue, unsetValue } from "../config/ops.ts";
import type { SessionKey } from "../flow.ts";
import type { AllowLists, CommandPorts } from "../router/commands/command.ts";
import type { Desk } from "../sessions/desk.ts";
import type { Store } from "../store/store.ts";
import type { PairingDesk } from "./pairing.ts";
import type { Policy } from "./policy.ts";

export type CommandDeps = {
  config: ConfigHandle;
  paths: Paths;
  store: Store;
  clock: Clock;
  models: Pick<Models, "catalog">;
  accounts: Accounts;
  policy: Policy;
  pairing: PairingDesk;
  desk(): Desk;
  /** Stops what runs and waits in a session. */
  stop(key: SessionKey): Promise<string[]>;
  restart(reason: string): void;
};

export function commandPorts(deps: CommandDeps): CommandPorts {
  const { config, paths, store, clock, models, policy, pairing, desk } = deps;
  const where = () => ({ env: config.env(), paths });
  return {
    version: VERSION,
    now: () => clock.now(),
    settings(agentId, channel) {
      const { commands, session, agents } = config.current();
      const { thinking, defaults } = agentSettings(agents, agentId, paths);
      return {
        commands,
        resetTriggers: session.resetTriggers,
        ...(thinking && { thinkingDefault: thinking }),
        verboseDefault: defaults.verboseDefault ?? "off",
        queueMode: policy.mode({ reply: { channel, account: "", chatId: "" } }),
      };
    },
    senderId: (channel, entry) => policy.senderId(channel, entry),
    hasMenu: ({ channel }) => isNetwork(channel) && NETWORKS[channel].menu,
    sessions: store.sessions,
    runs: {
      stop: async (key) => (await deps.stop(key)).length,
      state: (key) => ({
        running: desk().running(key) !== undefined,
        waiting: desk().waiting(key).length,
      }),
    },
    models: {
      list: () => models.catalog.list(),
      find: (text) => models.catalog.find(text),
      defaultRef: (agentId) => models.catalog.defaultRef(agentId),
      known: () => config.current().agents.defaults.models,
    },
    config: {
      get: (path) => (path === undefined ? getAll(where()) : getValue(where(), path)),
      async set(path, text) {
        const done = await setValue(where(), path, text);
        await config.reload();
        return done;
      },
      async unset(path) {
        const done = await unsetValue(where(), path);
        await config.reload();
        return done;
      },
      writable: (from) => policy.section<{ configWrites: boolean }>(from).configWrites !== false,
    },
    access: {
      lists: () => lists(deps),
      async allow(channel, entry, account = "default") {
        const sender = isNetwork(channel) ? (await factsOf(channel)).senderId(entry) : undefined;
        if (sender === undefined) return undefined;
        const row = { channel, account, sender, addedAt: clock.now() };
        await pairing.allow(row);
        return row;
      },
      async revoke(channel, entry, account = "default") {
        const sender = policy.senderId(channel, entry) ?? entry;
        return pairing.revoke({ channel, account, sender });
      },
    },
    pairing: {
      list: () => pairing.list(),
      approve: (code) => pairing.approve(code, undefined, true),
      dismiss: (code) => pairing.dismiss(code),
    },
    trace: {
      find: (id) => store.inbound.trace(id),
      recent: async (query) => (await store.inbound.recent(query)).rows,
    },
    restart: deps.restart,
  };
}

async function lists({ accounts, pairing }: CommandDeps): Promise<AllowLists[]> {
  const approved = await pairing.allowed();
  return (await accounts.list()).map(({ channel, plan }) => {
    const { dmPolicy = "", allowFrom = [] } = plan.config as {
      dmPolicy?: string;
      allowFrom?: (string | number)[];
    };
    return {
      channel,
      account: plan.id,
      dmPolicy,
      config: allowFrom.map(String),
      approved: approved
        .filter((row) => row.channel === channel && row.account === plan.id)
        .map(({ sender }) => sender),
    };
  });
}
