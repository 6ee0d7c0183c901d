/** `models` and `models status`: which model answers and with which keys; `--check` for scripts, `--probe` asks for real. */
import { join } from "node:path";

import { maskSecret } from "../../base/redact.ts";
import { wholeNumber } from "../arguments.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";
import { refuseBoth } from "./choose.ts";
import { probeAll, type Probed } from "./probe.ts";
import { openScene, providerNamed, type Scene } from "./scene.ts";

const PROBE_ARGS = {
  probe: { type: "boolean", description: "One short real call for each key." },
  "probe-provider": { type: "string", hint: "id", description: "Only this provider." },
  "probe-profile": { type: "list", hint: "id", description: "Only these keys, as `env:NAME`." },
  "probe-timeout": { type: "string", hint: "ms", default: "8000", description: "Longest wait." },
  "probe-concurrency": { type: "string", hint: "n", default: "2", description: "Calls at once." },
  "probe-max-tokens": { type: "string", hint: "n", default: "16", description: "Longest answer." },
} as const;
const AGENT_ARG = {
  agent: { type: "string", hint: "id", description: "Of this agent instead of the default one." },
} as const;

export const status = command({
  doc: "Which model answers, and which keys there are. Works while the gateway is down.",
  args: {
    plain: { type: "boolean", description: "Only the name of the model." },
    check: {
      type: "boolean",
      description:
        "Exit code 1 when a model of the config has no key, 2 when its last one ends soon.",
    },
    ...PROBE_ARGS,
    ...AGENT_ARG,
  },
  notes:
    "With --check and --probe the exit code is also 1 when no key of a needed provider answers. Only sign-ins that were taken over from an older installation have a known end; soon is within a day.",
  examples: [
    ["models status", "the overview"],
    ["models status --check", "for scripts"],
    ["models status --probe --probe-provider anthropic", "does the key work?"],
  ],
  async run(args, cli) {
    refuseBoth(args);
    const scene = await openScene(cli, args.agent);
    const limits = {
      timeoutMs: wholeNumber("probe-timeout", args["probe-timeout"], { min: 1, max: 600_000 })!,
      concurrency: wholeNumber("probe-concurrency", args["probe-concurrency"], {
        min: 1,
        max: 16,
      })!,
      maxTokens: wholeNumber("probe-max-tokens", args["probe-max-tokens"], { min: 1, max: 4096 })!,
    };
    const only = args["probe-provider"] && providerNamed(scene, args["probe-provider"]);
    const probes = args.probe
      ? await probeAll(scene, {
          ...limits,
          ...(only && { provider: only }),
          keys: args["probe-profile"],
        })
      : undefined;
    return show(cli, scene, args, probes);
  },
});

export const models = command({
  doc: "Which model answers, and with which keys. The subcommands change it.",
  args: {
    "status-json": { type: "boolean", description: "The same as `models status --json`." },
    "status-plain": { type: "boolean", description: "The same as `models status --plain`." },
    ...AGENT_ARG,
  },
  examples: [
    ["models", "the overview"],
    ["models --status-plain", "only the name of the model"],
  ],
  async run(args, cli) {
    const json = args.json || args["status-json"];
    const plain = args["status-plain"];
    refuseBoth({ json, plain });
    return show(cli, await openScene(cli, args.agent), { json, plain, check: false }, undefined);
  },
});

/** A sign-in that ends within this time ends soon, in ms. */
const SOON_MS = 86_400_000;

/** Where a key is from, without its value. */
type Source = { id: string; source: string; masked: string };
type ProviderView = {
  provider: string;
  label: string;
  ready: boolean;
  why: string;
  keys: Source[];
};
type Facts = Awaited<ReturnType<typeof factsOf>>;

async function factsOf(cli: Cli, scene: Scene) {
  const { config, catalog, agentId, agent } = scene;
  const { choice, why, reason } = await catalog.choose(agentId);
  const fallbacks = agent.fallbacks ?? [];
  const providers: ProviderView[] = [];
  for (const { id, label, ready, why: said } of catalog.providers()) {
    if (!ready || id === "demo") continue;
    const { candidates } = await catalog.candidates(agentId, `${id}/-`);
    const keys = (candidates[0]?.keys ?? []).filter(({ value }) => value !== "");
    // A server of this network that needs no key is ready, whether or not it runs; only one that is set up is worth a line.
    if (keys.length === 0 && !Object.hasOwn(config.models.providers, id)) continue;
    providers.push({
      provider: id,
      label,
      ready,
      why: said,
      keys: keys.map((key) => ({ id: key.id, source: key.source, masked: maskSecret(key.value) })),
    });
  }
  const { candidates: usable, skipped } = await catalog.candidates(agentId);
  const now = Date.now();
  const ends = new Map(
    scene.profiles.flatMap(({ id, expires }) => (expires ? [[id, expires]] : [])),
  );
  const soon = ({ id }: { id: string }) =>
    (ends.get(id) ?? Number.POSITIVE_INFINITY) - now < SOON_MS;
  const ending = usable.filter(({ keys }) => keys.every(soon)).map(({ choice }) => choice.provider);
  return {
    configPath: cli.paths.configPath,
    agentId,
    agentDir: join(cli.paths.stateDir, "agents", agentId, "agent"),
    defaultModel: agent.primary ?? null,
    resolvedDefault: choice.ref,
    reason,
    why,
    fallbacks,
    aliases: Object.fromEntries(
      Object.entries(agent.known).flatMap(([ref, { alias }]) => (alias ? [[alias, ref]] : [])),
    ),
    allowed: Object.keys(agent.known),
    skipped,
    auth: {
      storePath: join(cli.paths.stateDir, ".env"),
      providers,
      missingProvidersInUse: [...new Set(skipped.map(({ ref }) => ref.split("/")[0]!))],
      endingProvidersInUse: [...new Set(ending)],
      oauth: {
        warnAfterMs: SOON_MS,
        profiles: scene.profiles.flatMap(({ id: profileId, provider, kind, expires }) =>
          expires
            ? [
                {
                  profileId,
                  provider,
                  type: kind,
                  status: expires <= now ? "expired" : expires - now < SOON_MS ? "expiring" : "ok",
                  expiresAt: expires,
                  remainingMs: Math.max(0, expires - now),
                },
              ]
            : [],
        ),
      },
    },
  };
}

async function show(
  cli: Cli,
  scene: Scene,
  { json, plain, check }: { json: boolean; plain: boolean; check: boolean },
  probes: Probed[] | undefined,
): Promise<number> {
  const { out } = cli;
  const facts = await factsOf(cli, scene);
  if (json) {
    const { auth, ...rest } = facts;
    out.data({ ...rest, auth: { ...auth, ...(probes && { probes }) } });
  } else if (plain) out.line(facts.resolvedDefault);
  else print(cli, facts, probes);
  if (!check) return 0;
  if (failing(facts, probes)) return 1;
  return facts.auth.endingProvidersInUse.length > 0 ? 2 : 0;
}

/** A model that the config names cannot be used, or none of the keys of its provider answers. */
function failing({ auth, resolvedDefault, reason }: Facts, probes: Probed[] | undefined): boolean {
  if (auth.missingProvidersInUse.length > 0 || reason === "demo") return true;
  const needed = resolvedDefault.split("/")[0];
  const own = probes?.filter(({ provider }) => provider === needed) ?? [];
  return own.length > 0 && own.every(({ ok }) => !ok);
}

function print({ out, name, profileFlag }: Cli, facts: Facts, probes: Probed[] | undefined): void {
  out.pairs([
    ["Config", facts.configPath],
    ["Agent", facts.agentId],
    ["Default", facts.resolvedDefault],
    ["Why", facts.why],
    ["Fallbacks", facts.fallbacks.join(", ") || "none"],
    [
      "Aliases",
      Object.entries(facts.aliases)
        .map(([alias, ref]) => `${alias} -> ${ref}`)
        .join(", ") || "none",
    ],
    ["Choice in chats", facts.allowed.length > 0 ? facts.allowed.join(", ") : "all models"],
  ]);
  const { providers } = facts.auth;
  if (providers.length > 0) {
    out.line();
    out.table(
      [{ title: "Provider" }, { title: "Keys" }],
      providers.map(({ label, keys }) => [
        label,
        keys.map(({ source, masked }) => `${source} ${masked}`).join(", ") || "needs none",
      ]),
    );
  }
  if (probes) printProbes({ out }, probes);
  if (facts.reason === "demo") out.line(`\nNext: ${name}${profileFlag} models auth add`);
}

function printProbes({ out }: Pick<Cli, "out">, probes: Probed[]): void {
  out.line();
  if (probes.length === 0) return out.line("There is no key to try.");
  out.table(
    [{ title: "Key" }, { title: "Model" }, { title: "Result" }, { title: "Time", align: "right" }],
    probes.map((each) => [
      each.source,
      each.model,
      each.ok ? "ok" : `${each.status}: ${each.error}`,
      `${each.latencyMs}ms`,
    ]),
  );
}
