/** The models of the running gateway: the catalogue as the config has it now, and one run's stream with failover and pauses. */
import { AppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { background } from "../base/task.ts";
import type { Clock } from "../base/time.ts";
import type { ConfigHandle } from "../config/handle.ts";
import { type Catalog, openCatalog } from "../providers/catalog.ts";
import { Cooldowns, type CooldownState } from "../providers/cooldown.ts";
import { streamWithFailover } from "../providers/failover.ts";
import { SIGN_INS, signInsOf, type StoredSignIns } from "../providers/stored.ts";
import type { SessionRow, Store } from "../store/store.ts";
import { TOOLS } from "../tools/registry.ts";
import { toolSpec } from "../tools/tool.ts";
import type { RunModel } from "./conversation.ts";
import type { RawStream } from "./raw-stream.ts";
import { agentEntries, type AgentSettings, defaultAgentId } from "./settings.ts";

export type ModelsDeps = {
  config: ConfigHandle;
  store: Store;
  clock: Clock;
  log: Logger;
  /** Absent: what models stream is not written down. */
  raw?: RawStream;
  /** Sign-ins that were taken over; absent: none. */
  signIns?: StoredSignIns;
};

export type Models = {
  /** Always the current one: its methods may be called after a config change. */
  catalog: Pick<Catalog, "list" | "defaultRef" | "find" | "choose">;
  forRun(settings: AgentSettings, session: SessionRow, wanted?: string): Promise<RunModel>;
  /** Loads what the first turn with this model needs, so that nobody waits for it. */
  warm(ref: string): Promise<void>;
  /** To be called after a config change. */
  reload(): void;
};

const PAUSES = "model-pauses";

/** The sign-ins of all agents, the default agent's first. Called once per start. */
export async function readSignIns(
  kv: Pick<Store["kv"], "get" | "keys">,
  defaultAgent: string,
): Promise<StoredSignIns> {
  const agents = await kv.keys(SIGN_INS, "");
  const first = agents.filter((id) => id === defaultAgent);
  const others = agents.filter((id) => id !== defaultAgent);
  return signInsOf(await Promise.all([...first, ...others].map((id) => kv.get(SIGN_INS, id))));
}

export function openModels({ config, store, clock, log, raw, signIns }: ModelsDeps): Models {
  let catalog = open();
  const cooldowns = new Cooldowns({
    clock,
    settings: config.current().auth.cooldowns,
    changed: () =>
      background("saving model pauses", store.kv.set(PAUSES, "all", cooldowns.export()), log),
  });
  background(
    "reading model pauses",
    store.kv.get<CooldownState>(PAUSES, "all").then((state) => state && cooldowns.import(state)),
    log,
  );

  function open(): Catalog {
    const { models, auth, agents } = config.current();
    return openCatalog({
      models,
      auth: { ...auth, order: { ...auth.order, ...signIns?.order } },
      ...(signIns && { profiles: signIns.profiles }),
      env: config.env().vars,
      log,
      clock,
      defaultAgentId: defaultAgentId(agents),
      agents(agentId) {
        const model = agentEntries(agents).find((entry) => entry.id === agentId)?.model ?? {};
        const { defaults } = agents;
        return {
          primary: model.primary ?? defaults.model?.primary,
          fallbacks: model.fallbacks ?? defaults.model?.fallbacks,
          known: defaults.models,
        };
      },
    });
  }

  return {
    catalog: {
      list: () => catalog.list(),
      defaultRef: (agentId) => catalog.defaultRef(agentId),
      find: (text) => catalog.find(text),
      choose: (agentId) => catalog.choose(agentId),
    },
    async warm(ref) {
      for (const tool of TOOLS) toolSpec(tool);
      await catalog.provider(ref);
    },
    reload() {
      catalog = open();
    },
    async forRun(settings, _session, wanted) {
      const now = catalog;
      const { candidates, skipped } = await now.candidates(settings.id, wanted);
      const first = candidates[0];
      if (!first)
        throw new AppError(
          "provider_auth",
          `${wanted ?? "The model"} cannot be used: ${skipped[0]?.why ?? "it is not known"}.`,
          {
            hint: "Choose another model for this conversation, or add the key.",
          },
        );
      return {
        info: first.info,
        stream(request, signal) {
          const events = streamWithFailover(
            { catalog: now, cooldowns, clock, log },
            { agentId: settings.id, request, ...(wanted && { override: wanted }) },
            signal,
          );
          const call = { agentId: settings.id, sessionId: request.sessionId };
          return raw ? raw.record(call, events) : events;
        },
      };
    },
  };
}
