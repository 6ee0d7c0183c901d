/** `models set`, `models aliases …` and `models fallbacks …`: which model answers, and by which names. Comments of the config survive. */
import { AppError } from "../../base/errors.ts";
import type { Cli } from "../command.ts";
import { command } from "../command.ts";
import { group } from "../group.ts";
import { change, listChanges, modelChanges, openScene, refOf, type Scene } from "./scene.ts";

const MODEL_ARG = {
  model: {
    type: "positional",
    required: true,
    description: "provider/model, an alias, or a part of a name.",
  },
} as const;
const PLAIN_ARG = {
  plain: { type: "boolean", description: "One a line, nothing else." },
} as const;

/** The original's words for two flags that exclude each other. */
export function refuseBoth({ json, plain }: { json: boolean; plain: boolean }): void {
  if (json && plain) throw new AppError("usage", "Choose either --json or --plain, not both.");
}

/** One line for people, one object for scripts. */
function told({ out }: Cli, line: string, facts: Record<string, unknown>, changed: boolean): void {
  if (out.json) return out.data({ ok: true, changed, ...facts });
  out.line(changed ? line : `${line} (it was so already)`);
}

/** A model without a key can be set: the key may come later. */
async function warnUnusable({ out }: Cli, { catalog, agentId }: Scene, ref: string): Promise<void> {
  const { candidates, skipped } = await catalog.candidates(agentId, ref);
  if (candidates.length === 0) out.note(`warning: ${ref} cannot be used yet: ${skipped[0]?.why}.`);
}

export const set = command({
  doc: "Choose the model that answers when nothing else is said.",
  args: MODEL_ARG,
  examples: [
    ["models set anthropic/claude-opus-4-5", "by its whole name"],
    ["models set sonnet", "by an alias"],
  ],
  async run(args, cli) {
    const scene = await openScene(cli);
    const ref = await refOf(scene, args.model);
    const changes = await modelChanges(cli, { primary: ref });
    const changed = await change(cli, [...changes, ...listChanges(scene, ref)]);
    await warnUnusable(cli, scene, ref);
    told(cli, `Default model: ${ref}`, { model: ref }, changed);
  },
});

export const aliases = group("models aliases", {
  doc: "Short names of models.",
  examples: [
    ["models aliases list", "all of yours"],
    ["models aliases add fast anthropic/claude-haiku-4-5", "a new one"],
  ],
});

/** Alias to model, as the config has them. */
const aliasesOf = ({ config }: Scene): Record<string, string> =>
  Object.fromEntries(
    Object.entries(config.agents.defaults.models).flatMap(([ref, { alias }]) =>
      alias ? [[alias, ref]] : [],
    ),
  );

export const aliasesList = command({
  doc: "List your short names of models.",
  args: PLAIN_ARG,
  examples: [["models aliases list --json", "for scripts"]],
  async run(args, cli) {
    refuseBoth(args);
    const found = aliasesOf(await openScene(cli));
    const rows = Object.entries(found);
    const { out } = cli;
    if (args.json) return out.data({ aliases: found });
    if (args.plain) for (const [alias, ref] of rows) out.line(`${alias} ${ref}`);
    else if (rows.length === 0) out.line("No aliases.");
    else out.table([{ title: "Alias" }, { title: "Model" }], rows);
  },
});

const ALIAS = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/;

export const aliasesAdd = command({
  doc: "Give a model a short name.",
  args: {
    alias: { type: "positional", required: true, description: "The short name." },
    ...MODEL_ARG,
  },
  notes:
    "The model is put on the list `agents.defaults.models`. Once that has an entry, only the models on it, the default one and its fallbacks can be chosen in a chat.",
  examples: [["models aliases add fast anthropic/claude-haiku-4-5", "`/model fast` chooses it"]],
  async run(args, cli) {
    const alias = args.alias.trim();
    if (!ALIAS.test(alias))
      throw new AppError("usage", `"${args.alias}" cannot be an alias.`, {
        hint: "Use letters, digits, `.`, `:`, `-` and `_`, at most 64 of them.",
      });
    const scene = await openScene(cli);
    const ref = await refOf(scene, args.model);
    const taken = Object.entries(aliasesOf(scene)).find(
      ([other]) => other.toLowerCase() === alias.toLowerCase(),
    );
    if (taken && taken[1] !== ref)
      throw new AppError("usage", `Alias ${taken[0]} already points to ${taken[1]}.`, {
        hint: `Remove it first: ${cli.name}${cli.profileFlag} models aliases remove ${taken[0]}`,
      });
    const first = Object.keys(scene.config.agents.defaults.models).length === 0;
    const path = ["agents", "defaults", "models", ref, "alias"];
    const changed = await change(cli, [{ kind: "set", path, value: alias }]);
    if (first && changed)
      cli.out.note("Only models of the list can be chosen in a chat now: agents.defaults.models.");
    told(cli, `Alias ${alias} -> ${ref}`, { alias, model: ref }, changed);
  },
});

export const aliasesRemove = command({
  doc: "Take a short name away. The model stays on the list.",
  args: { alias: { type: "positional", required: true, description: "The short name." } },
  examples: [["models aliases remove fast", "the model itself stays"]],
  async run(args, cli) {
    const scene = await openScene(cli);
    const found = Object.entries(aliasesOf(scene)).find(
      ([alias]) => alias.toLowerCase() === args.alias.trim().toLowerCase(),
    );
    if (!found) throw new AppError("not_found", `Alias not found: ${args.alias}`);
    const path = ["agents", "defaults", "models", found[1], "alias"];
    await change(cli, [{ kind: "unset", path }]);
    told(cli, `Removed alias ${found[0]}`, { alias: found[0], model: found[1] }, true);
  },
});

export const fallbacks = group("models fallbacks", {
  doc: "Models that are tried when the first one fails.",
  examples: [
    ["models fallbacks list", "in the order in which they are tried"],
    ["models fallbacks add openai/gpt-5.2", "one more, at the end"],
  ],
});

const fallbacksOf = ({ config }: Scene): string[] => config.agents.defaults.model?.fallbacks ?? [];

export const fallbacksList = command({
  doc: "List the models that are tried when the first one fails.",
  args: PLAIN_ARG,
  examples: [["models fallbacks list --json", "for scripts"]],
  async run(args, cli) {
    refuseBoth(args);
    const found = fallbacksOf(await openScene(cli));
    const { out } = cli;
    if (args.json) return out.data({ fallbacks: found });
    if (found.length === 0) return out.line(args.plain ? "" : "No fallbacks.");
    for (const [i, ref] of found.entries()) out.line(args.plain ? ref : `${i + 1}. ${ref}`);
  },
});

export const fallbacksAdd = command({
  doc: "Add a model to the end of the fallbacks.",
  args: MODEL_ARG,
  examples: [["models fallbacks add openai/gpt-5.2", "tried when all before it fail"]],
  async run(args, cli) {
    const scene = await openScene(cli);
    const ref = await refOf(scene, args.model);
    const present = fallbacksOf(scene);
    const known = await Promise.all(present.map((text) => refOf(scene, text)));
    const next = known.includes(ref) ? present : [...present, ref];
    const changes = [...(await modelChanges(cli, { fallbacks: next })), ...listChanges(scene, ref)];
    const changed = next === present ? false : await change(cli, changes);
    await warnUnusable(cli, scene, ref);
    told(cli, `Fallbacks: ${next.join(", ")}`, { fallbacks: next }, changed);
  },
});

export const fallbacksRemove = command({
  doc: "Take a model out of the fallbacks.",
  args: MODEL_ARG,
  examples: [["models fallbacks remove openai/gpt-5.2", "the others stay in their order"]],
  async run(args, cli) {
    const scene = await openScene(cli);
    const present = fallbacksOf(scene);
    const typed = args.model.trim();
    const ref = present.includes(typed) ? typed : await refOf(scene, typed);
    const next: string[] = [];
    for (const text of present)
      if (text !== ref && (await refOf(scene, text)) !== ref) next.push(text);
    if (next.length === present.length)
      throw new AppError("not_found", `${ref} is not among the fallbacks.`, {
        hint: present.length > 0 ? `There are: ${present.join(", ")}.` : "There are none.",
      });
    await change(cli, await modelChanges(cli, { fallbacks: next }));
    told(cli, `Fallbacks: ${next.join(", ") || "none"}`, { fallbacks: next }, true);
  },
});

export const fallbacksClear = command({
  doc: "Remove all fallbacks.",
  args: {},
  examples: [["models fallbacks clear", "then nothing stands in for the first model"]],
  async run(_, cli) {
    const present = fallbacksOf(await openScene(cli));
    if (present.length > 0) await change(cli, await modelChanges(cli, { fallbacks: [] }));
    told(cli, "Fallbacks: none", { fallbacks: [] }, present.length > 0);
  },
});
