/** `models auth …`: the keys of model providers. They lie in `.env` of the state folder, never in the config and never on a command line. */
import { AppError } from "../../base/errors.ts";
import { maskSecret } from "../../base/redact.ts";
import { checkPlain, dropDotEnv, setDotEnv } from "../../config/dot-env.ts";
import { readDotEnv } from "../../config/load.ts";
import { isRecord } from "../../config/path.ts";
import type { Key } from "../../providers/credentials.ts";
import { SIGN_INS } from "../../providers/stored.ts";
import { canAsk, openAsk } from "../ask.ts";
import { withStore } from "../channels/reach.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";
import { group } from "../group.ts";
import { probeAll } from "./probe.ts";
import { change, openScene, providerNamed, type Scene } from "./scene.ts";

const PROVIDER_ARG = {
  provider: { type: "string", hint: "id", description: "The provider, `anthropic` for example." },
} as const;
const AGENT_ARG = {
  agent: {
    type: "string",
    hint: "id",
    description: "Kept for scripts; keys are for all agents.",
  },
} as const;

export const auth = group("models auth", {
  doc: "Keys of the model providers: list, add, remove, put in order.",
  examples: [
    ["models auth list", "which keys there are, and where they are from"],
    ["models auth add", "asks for provider and key, and tries the key"],
    ["models auth paste-token --provider anthropic < file", "for scripts"],
  ],
});

/** A key as it is shown. */
type Row = { provider: string; id: string; source: string; from: string; masked: string };

/** Keys of every provider, in the order in which they are tried. */
async function rowsOf(cli: Cli, { catalog, agentId }: Scene): Promise<Row[]> {
  const { vars } = await readDotEnv(cli.paths.stateDir);
  const rows: Row[] = [];
  for (const { id: provider, ready } of catalog.providers()) {
    if (!ready || provider === "demo") continue;
    const { candidates } = await catalog.candidates(agentId, `${provider}/-`);
    for (const { id, source, value } of candidates[0]?.keys ?? [])
      if (value)
        rows.push({
          provider,
          id,
          source,
          from: placeOf(cli, id, vars),
          masked: maskSecret(value),
        });
  }
  return rows;
}

/** Where a key lies, for people. */
function placeOf({ env, paths }: Cli, id: string, dotEnv: Record<string, string>): string {
  if (id === "config") return paths.configPath;
  if (!id.startsWith("env:")) return "taken over";
  const name = id.replace(/^env:/, "");
  if (env.raw(name)) return "environment";
  return name in dotEnv ? `${paths.stateDir}/.env` : paths.configPath;
}

export const list = command({
  doc: "List the keys, in the order in which they are tried. Their values are not shown.",
  args: { ...PROVIDER_ARG, ...AGENT_ARG },
  examples: [
    ["models auth list", "all of them"],
    ["models auth list --provider anthropic --json", "of one provider, for scripts"],
  ],
  async run(args, cli) {
    const scene = await openScene(cli, args.agent);
    const only = args.provider && providerNamed(scene, args.provider);
    const rows = (await rowsOf(cli, scene)).filter((row) => !only || row.provider === only);
    if (args.json) return cli.out.data({ keys: rows });
    if (rows.length === 0) {
      cli.out.line("No keys.");
      return cli.out.note(`To add one: ${cli.name}${cli.profileFlag} models auth add`);
    }
    cli.out.table(
      ["Provider", "Key", "Value", "From"].map((title) => ({ title })),
      rows.map((row) => [row.provider, row.id, row.masked, row.from]),
    );
  },
});

/** The variable for a provider's key, or for its subscription token where it has one of its own. Throws usage. */
export function variableFor({ table }: Scene, provider: string, token: boolean): string {
  const names = table.provider(provider)?.env ?? [];
  const subscription = names.find((name) => name.endsWith("_OAUTH_TOKEN"));
  const name = (token && subscription) || names.find((each) => each !== subscription) || names[0];
  if (name) return name;
  throw new AppError("usage", `${provider} has no variable for a key.`, {
    hint: `Put the key into the config: clawdbot config set models.providers.${provider}.apiKey <key>`,
  });
}

/** What the environment has wins over `.env`, so a key there would never be used. */
export function refuseShadowed({ env }: Cli, name: string): void {
  if (env.raw(name) === undefined) return;
  throw new AppError("usage", `${name} is set in the environment, which wins over .env.`, {
    hint: `Unset it where it is set, or change it there.`,
  });
}

/** Writes the value into `.env` and says so, never what it is. */
export async function keep(cli: Cli, name: string, value: string, provider: string): Promise<void> {
  const file = await setDotEnv(cli.paths.stateDir, name, value);
  if (cli.out.json)
    return cli.out.data({ ok: true, provider, id: `env:${name}`, file, masked: maskSecret(value) });
  cli.out.line(`${name} is in ${file}, readable by you alone.`);
  cli.out.note(`A running gateway takes it with: ${cli.name}${cli.profileFlag} gateway restart`);
}

export const add = command({
  doc: "Ask for a provider and its key, try the key with one short call, and keep it.",
  args: { ...PROVIDER_ARG, ...AGENT_ARG },
  examples: [
    ["models auth add", "asks for both"],
    ["models auth add --provider openai", "asks for the key only"],
  ],
  async run(args, cli) {
    if (!canAsk())
      throw new AppError("usage", "There is no terminal to ask questions on.", {
        hint: `For scripts: ${cli.name}${cli.profileFlag} models auth paste-token --provider <id> < file`,
      });
    const scene = await openScene(cli, args.agent);
    const ask = openAsk(cli.out);
    try {
      const provider = args.provider
        ? providerNamed(scene, args.provider)
        : await ask.choose("Whose key?", providersWithKeys(scene));
      const name = variableFor(scene, provider, false);
      refuseShadowed(cli, name);
      for (;;) {
        const value = await ask.secret(`${name} (it is not shown):`);
        if (!value) return cli.out.note("Nothing was changed.");
        checkPlain(name, value);
        cli.out.note("Asking for one word, to try the key ...");
        const problem = await tried(cli, provider, name, value);
        if (problem) cli.out.note(`It did not work: ${problem}`);
        if (!problem || (await ask.yes("Keep it all the same?", false)))
          return await keep(cli, name, value, provider);
      }
    } finally {
      ask.close();
    }
  },
});

const providersWithKeys = ({ catalog, table }: Scene) =>
  catalog
    .providers()
    .filter(({ id }) => (table.provider(id)?.env.length ?? 0) > 0)
    .map(({ id, label }) => ({ value: id, label }));

/** How long the provider has for its first word, in ms. */
const PATIENCE_MS = 30_000;

/** One real call with this key and no other. Undefined when it was answered, else why not. */
async function tried(
  cli: Cli,
  provider: string,
  name: string,
  value: string,
): Promise<string | undefined> {
  const scene = await openScene(cli, undefined, { [name]: value });
  const [result] = await probeAll(scene, {
    provider,
    keys: [`env:${name}`],
    timeoutMs: PATIENCE_MS,
    concurrency: 1,
    maxTokens: 16,
  });
  if (result?.ok) cli.out.note(`${result.model} answered.`);
  return result ? result.error : `no model of ${provider} is known that could be asked`;
}

export const pasteToken = command({
  doc: "Keep a key or token that is typed hidden, or comes on standard input. It is not tried.",
  args: {
    ...PROVIDER_ARG,
    ...AGENT_ARG,
    key: {
      type: "boolean",
      description: "It is a key and no subscription token, where the provider knows both.",
    },
  },
  notes:
    "The value goes into .env of the state folder (0600). Anthropic's subscription tokens (sk-ant-oat…) and keys are told apart by how they begin.",
  examples: [
    ["models auth paste-token --provider anthropic", "asks for it, hidden"],
    ["models auth paste-token --provider openai --key < key.txt", "from a file"],
  ],
  async run(args, cli) {
    if (!args.provider) throw new AppError("usage", "option '--provider' is required");
    const scene = await openScene(cli, args.agent);
    const provider = providerNamed(scene, args.provider);
    const value = await valueOf(cli, provider);
    // A key in the place of a token is refused by the vendor with a misleading text.
    const isKey = args.key || /^sk-ant-api/.test(value);
    const name = variableFor(scene, provider, !isKey);
    refuseShadowed(cli, name);
    await keep(cli, name, value, provider);
  },
});

async function valueOf(cli: Cli, provider: string): Promise<string> {
  if (!canAsk()) {
    const text = (await Bun.stdin.text()).trim();
    if (text) return text;
    throw new AppError("usage", "Nothing came on standard input.", {
      hint: `Pipe it in: ${cli.name}${cli.profileFlag} models auth paste-token --provider ${provider} < file`,
    });
  }
  const ask = openAsk(cli.out);
  try {
    const value = await ask.secret(`Token for ${provider} (it is not shown):`);
    if (value) return value;
    throw new AppError("usage", "Nothing was typed; nothing was changed.");
  } finally {
    ask.close();
  }
}

export const logout = command({
  doc: "Remove the keys of a provider from .env, and sign-ins that were taken over.",
  args: {
    ...PROVIDER_ARG,
    ...AGENT_ARG,
    "profile-id": { type: "string", hint: "id", description: "Only this key, as `env:NAME`." },
  },
  examples: [["models auth logout --provider anthropic", "all keys of it that are in .env"]],
  async run(args, cli) {
    if (!args.provider) throw new AppError("usage", "option '--provider' is required");
    const scene = await openScene(cli, args.agent);
    const provider = providerNamed(scene, args.provider);
    const rows = (await rowsOf(cli, scene)).filter(
      (row) => row.provider === provider && (!args["profile-id"] || row.id === args["profile-id"]),
    );
    const removed: string[] = [];
    for (const { id } of rows) {
      const name = id.replace(/^env:/, "");
      const gone =
        id === name
          ? id !== "config" && (await dropSignIn(cli, id))
          : (await dropDotEnv(cli.paths.stateDir, name)) !== undefined;
      if (gone) removed.push(id);
    }
    const left = rows.filter(({ id, from }) => !removed.includes(id) || from === "environment");
    if (removed.length === 0)
      throw new AppError("not_found", `No key of ${provider} is in .env.`, {
        hint: left.length > 0 ? elsewhere(left) : "There is none anywhere.",
      });
    if (args.json) return cli.out.data({ ok: true, provider, removed, left });
    for (const id of removed) cli.out.line(`Removed ${id}.`);
    if (left.length > 0) cli.out.note(elsewhere(left));
    cli.out.note(
      `A running gateway forgets it with: ${cli.name}${cli.profileFlag} gateway restart`,
    );
  },
});

/** Of every agent. Throws gateway_running: a gateway reads them once, at its start. */
const dropSignIn = (cli: Cli, id: string): Promise<boolean> =>
  withStore(cli, async ({ kv }) => {
    let found = false;
    for (const agentId of await kv.keys(SIGN_INS, "")) {
      const file = await kv.get<Record<string, unknown>>(SIGN_INS, agentId);
      const profiles = file?.["profiles"];
      if (!isRecord(profiles) || !Object.hasOwn(profiles, id)) continue;
      const { [id]: _, ...rest } = profiles;
      await kv.set(SIGN_INS, agentId, { ...file, profiles: rest });
      found = true;
    }
    return found;
  });

const elsewhere = (rows: Row[]): string =>
  `Still there, to be removed where it is: ${rows.map(({ source, from }) => `${source} (${from})`).join(", ")}.`;

export const order = group("models auth order", {
  doc: "In which order the keys of a provider are tried.",
  examples: [
    ["models auth order get --provider anthropic", "as it is"],
    [
      "models auth order set --provider anthropic env:ANTHROPIC_API_KEY env:ANTHROPIC_OAUTH_TOKEN",
      "the key first",
    ],
  ],
});

/** Ids of the keys of one provider. */
async function keysOf({ catalog, agentId }: Scene, provider: string): Promise<Key[]> {
  const { candidates } = await catalog.candidates(agentId, `${provider}/-`);
  return (candidates[0]?.keys ?? []).filter(({ value }) => value !== "");
}

function needProvider(provider: string | undefined): string {
  if (provider) return provider;
  throw new AppError("usage", "option '--provider' is required");
}

export const orderGet = command({
  doc: "The order in which the keys of a provider are tried.",
  args: { ...PROVIDER_ARG, ...AGENT_ARG },
  examples: [["models auth order get --provider anthropic", "yours, and what follows from it"]],
  async run(args, cli) {
    const scene = await openScene(cli, args.agent);
    const provider = providerNamed(scene, needProvider(args.provider));
    const own = scene.config.auth.order[provider];
    const effective = (await keysOf(scene, provider)).map(({ id }) => id);
    if (args.json)
      return cli.out.data({ agentId: scene.agentId, provider, order: own ?? null, effective });
    cli.out.line(`Order: ${own ? own.join(", ") : "none of yours"}`);
    cli.out.line(`Tried: ${effective.join(", ") || "there is no key"}`);
  },
});

export const orderSet = command({
  doc: "Try these keys of a provider first, in this order.",
  args: {
    ...PROVIDER_ARG,
    ...AGENT_ARG,
    ids: {
      type: "positional",
      required: true,
      rest: true,
      description: "Names of keys as in `models auth list`.",
    },
  },
  examples: [
    ["models auth order set --provider anthropic env:ANTHROPIC_API_KEY", "this one first"],
  ],
  async run(args, cli) {
    const scene = await openScene(cli, args.agent);
    const provider = providerNamed(scene, needProvider(args.provider));
    const known = (await keysOf(scene, provider)).map(({ id }) => id);
    const ids = [...new Set(args._)];
    const unknown = ids.find((id) => !known.includes(id));
    if (unknown !== undefined)
      throw new AppError("not_found", `${provider} has no key "${unknown}".`, {
        hint: known.length > 0 ? `There are: ${known.join(", ")}.` : "It has none.",
      });
    const changed = await change(cli, [
      { kind: "set", path: ["auth", "order", provider], value: ids },
    ]);
    const effective = (await keysOf(await openScene(cli, args.agent), provider)).map(
      ({ id }) => id,
    );
    if (effective[0] !== ids[0])
      cli.out.note("warning: an order that was taken over from an older installation wins.");
    if (args.json) return cli.out.data({ ok: true, changed, provider, order: ids, effective });
    cli.out.line(`Order: ${ids.join(", ")}`);
  },
});

export const orderClear = command({
  doc: "Back to the usual order.",
  args: { ...PROVIDER_ARG, ...AGENT_ARG },
  examples: [["models auth order clear --provider anthropic", "no order of yours"]],
  async run(args, cli) {
    const scene = await openScene(cli, args.agent);
    const provider = providerNamed(scene, needProvider(args.provider));
    const had = scene.config.auth.order[provider] !== undefined;
    if (had) await change(cli, [{ kind: "unset", path: ["auth", "order", provider] }]);
    if (args.json) return cli.out.data({ ok: true, changed: had, provider });
    cli.out.line(had ? "The order is removed." : "There was none.");
  },
});
