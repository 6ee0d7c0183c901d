/** What `clawdbot status` prints: model, sessions, and how full their context is. */
import { z } from "zod";

import { NETWORKS } from "../../channels/registry.ts";
import { lineOf } from "../../channels/summary.ts";
import type { SessionRow } from "../../store/store.ts";
import { method, type MethodContext } from "../method.ts";
import { agentIds, listRow } from "../session-rows.ts";
import { lookAtChannels } from "./channel-look.ts";
import { defaultsOf } from "./sessions.ts";

const RECENT = 10;
const STORE_PATH = "(database)";

function statusRow(
  row: SessionRow,
  defaults: { model: string | null; contextTokens: number | null },
  now: number,
) {
  const listed = listRow(row);
  const window = defaults.contextTokens;
  const used = row.contextTokens;
  const left = window === null ? null : Math.max(0, window - used);
  return {
    ...listed,
    agentId: row.agentId,
    age: now - row.updatedAt,
    model: listed.model ?? defaults.model,
    contextTokens: window,
    remainingTokens: left,
    percentUsed: window ? Math.min(100, Math.round((used / window) * 100)) : null,
    flags: Object.entries(row.settings)
      .filter(([name]) => name !== "label" && name !== "model")
      .map(([name, value]) => `${name}:${value}`),
  };
}

async function byAgent(ctx: MethodContext) {
  const out = [];
  for (const agentId of agentIds(ctx.config.current(), ctx.info.defaultAgentId)) {
    const { rows, total } = await ctx.store.sessions.list({ agentId, limit: RECENT });
    out.push({ agentId, path: STORE_PATH, count: total, rows });
  }
  return out;
}

/** A line per account, and the channel that is linked to a phone, if there is one. */
async function channelParts(ctx: MethodContext) {
  const looks = await lookAtChannels(ctx.messaging, { now: () => ctx.gateway.now() });
  const linked = looks.find(({ setup, accounts }) => setup.login && accounts.length > 0);
  return {
    ...(linked && {
      linkChannel: {
        id: linked.id,
        label: NETWORKS[linked.id].label,
        linked: linked.card.linked === true,
        authAgeMs: null,
      },
    }),
    channelSummary: looks.flatMap(({ id, accounts }) =>
      accounts.map((account) => lineOf(id, account)),
    ),
  };
}

export const status = {
  status: method({
    doc: "State of the gateway, its model and its sessions.",
    scope: "operator.read",
    params: z.object({}),
    result: z.lazy(() => z.looseObject({ sessions: z.looseObject({ count: z.int() }) })),
    async run(_, ctx) {
      const now = ctx.gateway.now();
      const { info } = ctx;
      const defaults = await defaultsOf(info.defaultAgentId, ctx);
      const all = await ctx.store.sessions.list({ limit: RECENT });
      const counts = await ctx.store.counts();
      const agents = await byAgent(ctx);
      return {
        version: info.version,
        bootId: info.bootId,
        startedAt: info.startedAt,
        uptimeMs: now - info.startedAt,
        logFile: info.logFile,
        ...(ctx.caller.hasScope("operator.admin")
          ? { stateDir: info.stateDir, configPath: info.configPath }
          : {}),
        defaultModel: `${defaults.modelProvider}/${defaults.model}`,
        unfinishedTurns: counts.unfinishedTurns,
        pendingOutbox: counts.pendingOutbox,
        heartbeat: {
          defaultAgentId: info.defaultAgentId,
          agents: agents.map(({ agentId }) => ({
            agentId,
            enabled: false,
            every: "disabled",
            everyMs: null,
          })),
        },
        ...(await channelParts(ctx)),
        queuedSystemEvents: [],
        sessions: {
          paths: [STORE_PATH],
          count: all.total,
          defaults: { model: defaults.model, contextTokens: defaults.contextTokens },
          recent: all.rows.map((row) => statusRow(row, defaults, now)),
          byAgent: agents.map(({ rows, ...agent }) => ({
            ...agent,
            recent: rows.map((row) => statusRow(row, defaults, now)),
          })),
        },
      };
    },
  }),
};
