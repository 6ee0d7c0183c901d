import { directory } from "../channels/summary.ts";
import { lookAtChannels } from "./methods/channel-look.ts";
import type { GatewayPorts } from "./ports.ts";

/** How old a summary may be before it is made anew without being asked to, in ms. */
export const HEALTH_MS = 60_000;
const RECENT = 5;

export type HealthSummary = Record<string, unknown>;

/** The summary that `health` answers with, made when somebody asks or watches. What is in it costs three small queries. */
export class Health {
  private cached: { at: number; summary: HealthSummary } | undefined;
  private making: Promise<HealthSummary> | undefined;
  version = 1;

  constructor(
    private readonly ports: GatewayPorts,
    private readonly now: () => number,
  ) {}

  /** What is known without asking anybody; empty before the first summary. */
  get last(): HealthSummary {
    return this.cached?.summary ?? {};
  }

  get(fresh: boolean): Promise<HealthSummary> {
    const { cached } = this;
    if (cached && !fresh && this.now() - cached.at < HEALTH_MS)
      return Promise.resolve(cached.summary);
    this.making ??= this.make().finally(() => (this.making = undefined));
    return this.making;
  }

  private async make(): Promise<HealthSummary> {
    const before = performance.now();
    const ts = this.now();
    const { store, info } = this.ports;
    const channels = await this.channels();
    const { rows, total } = await store.sessions.list({ limit: RECENT });
    const counts = await store.counts();
    const sessions = {
      path: "(database)",
      count: total,
      recent: rows.map((row) => ({
        key: row.key,
        updatedAt: row.updatedAt,
        age: ts - row.updatedAt,
      })),
    };
    const started = this.ports.ready();
    const problem = store.problem?.();
    const failing = [...started.failing, ...(problem ? ["disk"] : [])];
    const summary = {
      ok: !problem,
      ts,
      durationMs: Math.round(performance.now() - before),
      ready: started.ready && !problem,
      failing,
      ...(problem && { problems: [problem] }),
      ...channels,
      heartbeatSeconds: 0,
      defaultAgentId: info.defaultAgentId,
      agents: [
        {
          agentId: info.defaultAgentId,
          isDefault: true,
          heartbeat: { enabled: false, every: "disabled", everyMs: null },
          sessions,
        },
      ],
      sessions,
      unfinishedTurns: counts.unfinishedTurns,
      pendingOutbox: counts.pendingOutbox,
    };
    this.cached = { at: ts, summary };
    this.version++;
    return summary;
  }

  /** From what is known already; nobody is asked. */
  private async channels() {
    const looks = await lookAtChannels(this.ports.messaging, { now: this.now });
    const { channelOrder, channelLabels } = directory();
    const channels = looks.map(({ id, card, accounts, defaultAccountId }) => {
      const byId = Object.fromEntries(accounts.map((each) => [each.accountId, each]));
      return [id, { accountId: defaultAccountId, ...card, accounts: byId }];
    });
    return { channels: Object.fromEntries(channels), channelOrder, channelLabels };
  }
}
