/** Which models can be used, which one answers, and why. The only place that joins config, keys and what runs on this machine. */
import { AppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { type Clock, systemClock } from "../base/time.ts";
import type { ModelChoice } from "../flow.ts";
import { type Candidate, openAccess, plain, type Reason, type Skipped } from "./access.ts";
import type { AuthConfig, ModelsConfig } from "./config.ts";
import type { Key, Profile } from "./credentials.ts";
import { type LocalProbe, localProbe, type LocalServer, ollamaUrl } from "./local.ts";
import { matchModel } from "./match.ts";
import type { Endpoint, ModelInfo, Provider } from "./provider.ts";
import { formatRef, type Known, parseRef } from "./refs.ts";
import { PROVIDERS } from "./registry.ts";
import { isLoopback, Table } from "./table.ts";

/** What the config says of one agent's models, its own settings already laid over the defaults. */
export type AgentModels = {
  primary?: string;
  fallbacks?: string[];
  /** `agents.defaults.models`: aliases, parameters and, when not empty, the list of models that may be chosen. */
  known: Known;
  /** `modelPolicy.allow` of later configs: when present it alone restricts, and `known` does not. May hold `provider/*`. */
  allow?: string[];
};

export type CatalogOptions = {
  models: ModelsConfig;
  auth: AuthConfig;
  agents(agentId: string): AgentModels;
  /** The environment with the config's `env` section applied. */
  env: Record<string, string | undefined>;
  log: Logger;
  clock?: Clock;
  /** Stored sign-ins. */
  profiles?: Profile[];
  /** Tests put their own server here. */
  local?: LocalProbe;
  /** Agent whose list the pickers show. */
  defaultAgentId?: string;
};

export type Candidates = { candidates: Candidate[]; skipped: Skipped[] };
export type Choice = { choice: ModelChoice; reason: Reason; why: string; skipped: Skipped[] };
/** `models.<ref>.params` as far as they are request parameters. */
export type Params = { temperature?: number; maxTokens?: number; cache?: "5m" | "1h" };
export type ProviderStatus = { id: string; label: string; ready: boolean; why: string };

export type Catalog = ReturnType<typeof openCatalog>;

/** How long an answer of this machine's model servers is good, in ms. */
const LOCAL_TTL_MS = 30_000;
/** Clients that are kept; each holds what its endpoint has turned out not to take. */
const MAX_CLIENTS = 256;
/** Silence limits, in ms. Anthropic pings while it thinks; others may think silently; a local server may first load the model. */
const IDLE_MS = { pings: 60_000, silent: 180_000, local: 300_000 };

/** Cheap to open: reads nothing and asks nobody. Opened again when the config changes. */
export function openCatalog(options: CatalogOptions) {
  const { auth, env, log, clock = systemClock, profiles = [] } = options;
  const table = new Table(options.models, env);
  const { keysOf, access, split, resolve, configured, candidate, tryRow } = openAccess(table, {
    auth,
    env,
    profiles,
    clock,
    log,
  });
  const probe = options.local ?? localProbe(ollamaUrl(env["OLLAMA_HOST"]));
  const clients = new Map<string, Promise<Provider>>();
  let local: { at: number; servers: Promise<LocalServer[]> } | undefined;

  const localServers = (): Promise<LocalServer[]> => {
    if (!local || clock.now() - local.at > LOCAL_TTL_MS)
      local = { at: clock.now(), servers: probe() };
    return local.servers;
  };

  /** What answers an agent, best first. A session's own choice is strict: nothing stands in for it. */
  async function candidates(agentId: string, override?: string): Promise<Candidates> {
    const agent = options.agents(agentId);
    if (override) {
      const ref = configured(override, agent.known);
      return sort([candidate(ref, "override", split(override).profile)]);
    }
    const wanted = [
      ...(agent.primary ? [{ text: agent.primary, reason: "configured" as const }] : []),
      ...(agent.fallbacks ?? []).map((text) => ({ text, reason: "fallback" as const })),
    ];
    const found = sort(
      wanted.map(({ text, reason }) => candidate(configured(text, agent.known), reason)),
    );
    if (found.candidates.length) return found;
    const byKey = table
      .ids()
      .map(defaultByKey)
      .find((c) => c !== undefined);
    if (byKey) return { candidates: [byKey], skipped: found.skipped };
    const server = (await localServers())[0];
    const ref = server ? { provider: server.provider, model: server.models[0]!.id } : undefined;
    const last = [
      ...(ref ? [candidate(ref, "local")] : []),
      candidate({ provider: "demo", model: "demo" }, "demo"),
    ];
    return { candidates: sort(last).candidates.slice(0, 1), skipped: found.skipped };
  }

  /** The model of a provider for which there is a key, or that the config describes with its models. */
  function defaultByKey(id: string): Candidate | undefined {
    const row = tryRow(id);
    const wanted = row && (keysOf(row).length > 0 || (row.entry?.models.length ?? 0) > 0);
    if (!wanted || !row.defaultModel) return undefined;
    const found = candidate({ provider: id, model: row.defaultModel }, "key");
    return "choice" in found ? found : undefined;
  }

  async function choose(agentId: string): Promise<Choice> {
    const { candidates: list, skipped } = await candidates(agentId);
    const first = list[0]!;
    const { choice, reason, keys } = first;
    const said: Record<Reason, string> = {
      override: `${choice.ref} was chosen for this session.`,
      configured: `${choice.ref} is the configured model.`,
      fallback: `${choice.ref} is the first fallback that can be used.`,
      key:
        keys[0]?.id === "none"
          ? `${choice.ref} is used because models.providers.${choice.provider} is set up.`
          : `${choice.ref} is used because ${keys[0]?.source} is set.`,
      local: `${choice.ref} is used because it runs on this machine.`,
      demo: "The built-in demo model answers: there is no key for any provider, and no model server on this machine.",
    };
    const not = skipped.map((s) => `${s.ref} cannot be used: ${s.why}.`);
    return { choice, reason, why: [...not, said[reason]].join(" "), skipped };
  }

  const allows = (agent: AgentModels, ref: string): boolean => {
    const refOf = (text: string) => formatRef(configured(text, agent.known));
    const set = [...(agent.primary ? [agent.primary] : []), ...(agent.fallbacks ?? [])].map(refOf);
    if (set.includes(ref)) return true;
    if (agent.allow)
      return agent.allow.some((p) =>
        p.endsWith("/*") ? ref.startsWith(p.slice(0, -1)) : refOf(p) === ref,
      );
    const listed = Object.keys(agent.known);
    return !listed.length || listed.some((text) => refOf(text) === ref);
  };

  /** Models that can be used now (or `all` known ones), as the agent's list allows, by provider and name. */
  async function list(
    agentId = options.defaultAgentId ?? "main",
    all = false,
  ): Promise<ModelInfo[]> {
    const agent = options.agents(agentId);
    const listed = [
      ...Object.keys(agent.known),
      ...(agent.primary ? [agent.primary] : []),
      ...(agent.fallbacks ?? []),
    ];
    const servers = await localServers();
    const refs = [
      ...table.ids().flatMap((id) => {
        const row = tryRow(id);
        return row && (all || "keys" in access(row)) ? table.modelsOf(row) : [];
      }),
      ...servers.flatMap((s) => s.models.map((m) => ({ provider: s.provider, model: m.id }))),
      ...listed.map((text) => configured(text, agent.known)),
    ];
    const unique = new Map(refs.map((ref) => [formatRef(ref), ref]));
    const infos = [...unique.values()].flatMap((ref) => {
      const row = tryRow(ref.provider);
      if (!row || (!all && !("keys" in access(row)))) return [];
      const info = plain(table.model(ref, row), formatRef(ref));
      const seen = servers
        .find((s) => s.provider === ref.provider)
        ?.models.find((m) => m.id === ref.model);
      return [seen?.images ? { ...info, input: ["text", "image"] as ModelInfo["input"] } : info];
    });
    return infos
      .filter((info) => info.provider === "demo" || allows(agent, info.ref))
      .sort((a, b) => a.provider.localeCompare(b.provider) || a.name.localeCompare(b.name));
  }

  /** The model that a user means. Throws `bad_request` naming what there is when it is none or not allowed. */
  async function find(
    text: string,
    agentId = options.defaultAgentId ?? "main",
  ): Promise<ModelInfo> {
    const agent = options.agents(agentId);
    const models = await list(agentId);
    const direct = resolve(text, agent.known);
    const row = direct && tryRow(direct.provider);
    if (direct && row) {
      const ref = formatRef(direct);
      if (ref !== "demo/demo" && !allows(agent, ref)) throw notAllowed(ref, models);
      const got = access(row);
      if ("why" in got)
        throw new AppError("bad_request", `${ref} cannot be used: ${got.why}.`, {
          hint: offer(models),
        });
      return plain(table.model(direct, row), ref);
    }
    const close = matchModel(text, models);
    if (close) return close;
    throw new AppError("bad_request", `There is no model "${text.slice(0, 100)}".`, {
      hint: offer(models),
    });
  }

  /** Where and as whom to speak to a model. Throws `not_found` or `config_invalid` for a ref that cannot be spoken to. */
  function endpointFor(ref: string, key?: Key): Endpoint {
    const parsed = parseRef(ref);
    const row = parsed && table.provider(parsed.provider);
    if (!parsed || !row) throw new AppError("not_found", `There is no provider for ${ref}.`);
    const info = table.model(parsed, row);
    const used = key ?? keysOf(row)[0];
    const idle = isLoopback(info.baseUrl)
      ? IDLE_MS.local
      : info.dialect === "anthropic-messages"
        ? IDLE_MS.pings
        : IDLE_MS.silent;
    return {
      id: row.id,
      baseUrl: info.baseUrl,
      ...(used?.value ? { apiKey: used.value, keySource: used.source } : {}),
      headers: { ...row.entry?.headers, ...info.headers },
      authHeader: row.entry?.authHeader ?? row.entry?.auth === "token",
      idleTimeoutMs: idle,
      traits: {
        maxTokens: info.maxTokens,
        reasoning: info.reasoning,
        input: info.input,
        ...(info.compat ? { compat: info.compat } : {}),
      },
    };
  }

  /** The client for a model and a key; kept, because it learns what its endpoint does not take. */
  function provider(ref: string, key?: Key): Promise<Provider> {
    const name = `${ref} ${key?.id ?? ""}`;
    const made = clients.get(name);
    if (made) return made;
    const parsed = parseRef(ref);
    const row = parsed && table.provider(parsed.provider);
    if (!parsed || !row) throw new AppError("not_found", `There is no provider for ${ref}.`);
    const { dialect } = table.model(parsed, row);
    const oldest = clients.keys().next().value;
    if (clients.size >= MAX_CLIENTS && oldest !== undefined) clients.delete(oldest);
    const client = PROVIDERS[dialect].load().then((create) => create(endpointFor(ref, key)));
    clients.set(name, client);
    return client;
  }

  function params(agentId: string, ref: string): Params {
    const agent = options.agents(agentId);
    const entry = Object.entries(agent.known).find(
      ([text]) => formatRef(configured(text, agent.known)) === ref,
    )?.[1];
    const { temperature, maxTokens, cacheControlTtl } = entry?.params ?? {};
    return {
      ...(typeof temperature === "number" ? { temperature } : {}),
      ...(typeof maxTokens === "number" && maxTokens >= 1
        ? { maxTokens: Math.floor(maxTokens) }
        : {}),
      ...(cacheControlTtl === "5m" || cacheControlTtl === "1h" ? { cache: cacheControlTtl } : {}),
    };
  }

  /** One row per provider that is set up or could be, for `models status` and the setup. */
  function providers(): ProviderStatus[] {
    return table.ids().map((id) => {
      const row = tryRow(id);
      if (!row) return { id, label: id, ready: false, why: brokenWhy(id) };
      const got = access(row);
      if ("why" in got) return { id, label: row.label, ready: false, why: got.why };
      return { id, label: row.label, ready: true, why: got.keys.map((k) => k.source).join(", ") };
    });
  }

  const brokenWhy = (id: string): string => {
    const found = candidate({ provider: id, model: "-" }, "configured");
    return "why" in found ? found.why : "";
  };

  return {
    list: () => list(),
    listFor: list,
    defaultRef: async (agentId: string) => (await choose(agentId)).choice.ref,
    find,
    choose,
    candidates,
    endpointFor,
    provider,
    params,
    providers,
  };
}

function sort(all: (Candidate | Skipped)[]): Candidates {
  const candidates = all.flatMap((c) => ("choice" in c ? [c] : []));
  return {
    candidates: candidates.filter(
      (c, i) => candidates.findIndex((o) => o.choice.ref === c.choice.ref) === i,
    ),
    skipped: all.flatMap((c) => ("why" in c ? [c] : [])),
  };
}

const offer = (models: ModelInfo[]): string => {
  const refs = models.map((m) => m.ref);
  const more = refs.length > 20 ? ` and ${refs.length - 20} more` : "";
  return `Models that can be used: ${refs.slice(0, 20).join(", ")}${more}.`;
};

const notAllowed = (ref: string, models: ModelInfo[]): AppError =>
  new AppError(
    "bad_request",
    `${ref} is not in the list of allowed models (agents.defaults.models).`,
    {
      hint: offer(models),
    },
  );
