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
  signIns?: SignIns;
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

/** What was taken over of sign-ins, by agent. */
export type SignIns = {
  /** An agent's own, and those of `main` where it has none of that name. */
  of(agentId: string): StoredSignIns;
  /** Whose they are: the agent's, or `main` for all that have none. */
  owner(agentId: string): string;
  /** All values, for the redactor. */
  secrets: string[];
};

/** Every agent without sign-ins has this one's. */
const SHARED = "main";

/** Called once per start. */
export async function readSignIns(kv: Pick<Store["kv"], "get" | "keys">): Promise<SignIns> {
  const agents = await kv.keys(SIGN_INS, "");
  const files = new Map<string, unknown>();
  for (const id of agents) files.set(id, await kv.get(SIGN_INS, id));
  return {
    of: (agentId) => signInsOf([files.get(agentId), files.get(SHARED)]),
    owner: (agentId) => (files.has(agentId) ? agentId : SHARED),
    secrets: [...files.values()].flatMap((file) => signInsOf([file]).profiles.map((p) => p.value)),
  };
}

export function openModels({ config, store, clock, log, raw, signIns }: ModelsDeps): Models {
  let catalogs = new Map<string, Catalog>();
  /** Agents with the same sign-ins share one. */
  const catalogOf = (agentId: string): Catalog => {
    const owner = signIns?.owner(agentId) ?? SHARED;
    const catalog = catalogs.get(owner) ?? open(signIns?.of(owner));
    catalogs.set(owner, catalog);
    return catalog;
  };
  const usual = () => catalogOf(defaultAgentId(config.current().agents));
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

  function open(own: StoredSignIns | undefined): Catalog {
    const { models, auth, agents } = config.current();
    return openCatalog({
      models,
      auth: { ...auth, order: { ...auth.order, ...own?.order } },
      ...(own && { profiles: own.profiles }),
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
      list: () => usual().list(),
      defaultRef: (agentId) => catalogOf(agentId).defaultRef(agentId),
      find: (text) => usual().find(text),
      choose: (agentId) => catalogOf(agentId).choose(agentId),
    },
    async warm(ref) {
      for (const tool of TOOLS) toolSpec(tool);
      await usual().provider(ref);
    },
    reload() {
      catalogs = new Map();
    },
    async forRun(settings, _session, wanted) {
      const now = catalogOf(settings.id);
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
