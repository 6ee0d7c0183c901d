import { createRedactor } from "../base/redact.ts";
/** The step about chat networks: which one, its token, and whether the platform takes it. Linking a phone comes after everything is written. */
import { factsOf } from "../channels/accounts.ts";
import { tryAccount } from "../channels/alone.ts";
import type { ChannelSetup } from "../channels/channel.ts";
import { configuredAccounts } from "../channels/configured.ts";
import { NETWORK_IDS, type NetworkId, NETWORKS } from "../channels/registry.ts";
import type { Change } from "../config/edit.ts";
import { isRecord } from "../config/path.ts";
import { changesFor, DEFAULT_ACCOUNT, planWith } from "./account.ts";
import type { Bench } from "./bench.ts";
import { SKIP } from "./choices.ts";
import type { Guide } from "./guide.ts";

export type ChannelAnswer = {
  channel: NetworkId;
  changes: Change[];
  /** A phone has to be linked when everything is written. */
  link: boolean;
  /** What was found out about the credential, for the summary. */
  detail?: string;
};

/** How long the platform has to answer, in ms. */
const PROBE_MS = 5_000;

/** A network that the config or the environment has, with something to sign in by. */
export async function networksThere(bench: Bench): Promise<NetworkId[]> {
  const rows = await configuredAccounts(
    (id) => bench.config().channels[id],
    (name) => bench.env().raw(name),
  );
  return [
    ...new Set(
      rows.filter(({ plan }) => plan.credential.source !== "none").map((row) => row.channel),
    ),
  ];
}

/**
 * Which network, and its credential. Undefined when the person wants none. With `keep` what is there is enough, and nothing is asked.
 * Throws `aborted` only.
 */
export async function askChannel(
  bench: Bench,
  guide: Guide,
  { keep = false } = {},
): Promise<ChannelAnswer | undefined> {
  const there = await networksThere(bench);
  if (keep && there.length > 0) return undefined;
  const options = await Promise.all(
    NETWORK_IDS.map(async (id) => ({
      value: id,
      label: NETWORKS[id].label,
      hint: await hintFor(id, there.includes(id)),
    })),
  );
  const chosen = await guide.select({
    message: "Which chat app shall reach the assistant?",
    about: "The Control UI works in any case. More can be added at any time.",
    options: [{ value: SKIP, label: "None for now" }, ...options],
  });
  const channel = NETWORK_IDS.find((id) => id === chosen);
  if (!channel) return undefined;
  const { setup } = await factsOf(channel);
  if (setup.token) return askToken(bench, guide, channel, setup);
  const wanted = { channel, account: DEFAULT_ACCOUNT, useEnv: false };
  const changes = changesFor(wanted, setup, sectionOf(bench, channel));
  return { channel, changes, link: setup.login === true };
}

async function hintFor(id: NetworkId, there: boolean): Promise<string> {
  const { setup } = await factsOf(id);
  const how = setup.token ? "needs the token of a bot" : "needs your phone, to scan a picture";
  return there ? `set up already; ${how}` : how;
}

const sectionOf = (bench: Bench, channel: NetworkId): Record<string, unknown> | undefined => {
  const section: unknown = bench.config().channels[channel];
  return isRecord(section) ? section : undefined;
};

/** Undefined when nothing was typed, or the person gives up. */
async function askToken(
  bench: Bench,
  guide: Guide,
  channel: NetworkId,
  setup: ChannelSetup,
): Promise<ChannelAnswer | undefined> {
  const { label } = NETWORKS[channel];
  const about = setup.steps.map((step, i) => `${i + 1}. ${step}`).join("\n");
  for (let first = true; ; first = false) {
    const token = await guide.secret({
      message: `Token of the ${label} bot, or nothing to leave it out`,
      ...(first && { about }),
      check: (text) =>
        text === "" || /^\S{8,4096}$/.test(text)
          ? undefined
          : "That does not look like a token: it is too short, or has spaces.",
    });
    if (!token) return undefined;
    bench.learn(token);
    const { detail, problem, changes } = await examine(bench, guide, { channel, setup, token });
    if (!problem) return { channel, changes, link: false, detail };
    const again = await guide.confirm({
      message: "Try another token?",
      about: problem,
      initial: true,
    });
    if (!again) return undefined;
  }
}

type Given = { channel: NetworkId; setup: ChannelSetup; token: string };

/** One round trip to the platform. `problem`: it refuses the token. Nobody to ask is no problem: the gateway tries again. */
async function examine(bench: Bench, guide: Guide, { channel, setup, token }: Given) {
  const { label } = NETWORKS[channel];
  const section = sectionOf(bench, channel);
  const wanted = { channel, account: DEFAULT_ACCOUNT, token, useEnv: false };
  const changes = changesFor(wanted, setup, section);
  const env = (name: string) => bench.env().raw(name);
  const plan = await planWith(changes, wanted, section, env);
  if (!plan || plan.credential.problem) {
    const problem = plan?.credential.problem ?? `The settings of ${label} cannot be used.`;
    return { changes, detail: "", problem };
  }
  const tried = await guide.progress(`Asking ${label} whether the token works ...`, () =>
    tryAccount({ paths: bench.paths }, { channel, plan, env }, PROBE_MS),
  );
  // What a platform answers may hold the token that it was given.
  const detail = createRedactor([token]).text(tried.detail);
  if (tried.outcome === "refused")
    return { changes, detail, problem: `${label} refuses the token: ${detail}` };
  return {
    changes,
    detail:
      tried.outcome === "works" ? `It works: ${detail}` : `It could not be tried yet: ${detail}`,
    problem: undefined,
  };
}
