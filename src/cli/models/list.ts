/** `models list`: what can be used now, or all that is known. */
import type { ModelInfo } from "../../providers/provider.ts";
import { formatRef, parseRef } from "../../providers/refs.ts";
import { command } from "../command.ts";
import { refuseBoth } from "./choose.ts";
import { openScene, providerNamed, refOf, type Scene } from "./scene.ts";

/** The shape of the original's answer. */
type Row = {
  key: string;
  name: string;
  input: string;
  contextWindow: number | null;
  local: boolean;
  available: boolean;
  tags: string[];
  /** The config names it, and no provider of ours knows it. */
  missing: boolean;
};

export const list = command({
  doc: "List the models that can be used now, and those of the config. Works while the gateway is down.",
  args: {
    all: { type: "boolean", description: "Every known model, also without a key." },
    local: { type: "boolean", description: "Only models on this machine or network." },
    provider: { type: "string", hint: "id", description: "Only those of one provider." },
    plain: { type: "boolean", description: "One name a line, nothing else." },
  },
  examples: [
    ["models list", "what can be used now"],
    ["models list --all --provider anthropic", "all that is known of one vendor"],
    ["models list --plain", "for scripts"],
  ],
  async run(args, { out, ...cli }) {
    refuseBoth(args);
    const scene = await openScene({ out, ...cli });
    const provider = args.provider && providerNamed(scene, args.provider);
    const rows = (await rowsOf(scene, args.all)).filter(
      (row) => (!provider || row.key.startsWith(`${provider}/`)) && (!args.local || row.local),
    );
    if (args.json) return out.data({ count: rows.length, models: rows });
    if (args.plain) {
      for (const { key } of rows) out.line(key);
      return;
    }
    if (rows.length === 0) return out.line("No models found.");
    out.table(
      [
        { title: "Model" },
        { title: "Input" },
        { title: "Ctx", align: "right" },
        { title: "Local" },
        { title: "Auth" },
        { title: "Tags" },
      ],
      rows.map((row) => [
        row.key,
        row.input,
        row.contextWindow ? `${Math.round(row.contextWindow / 1000)}k` : "-",
        row.local ? "yes" : "no",
        row.available ? "yes" : "no",
        row.tags.join(","),
      ]),
    );
  },
});

async function rowsOf(scene: Scene, all: boolean): Promise<Row[]> {
  const { catalog, agentId, table } = scene;
  const usable = new Set((await catalog.listFor(agentId)).map(({ ref }) => ref));
  const infos = await catalog.listFor(agentId, true);
  const tags = await tagsOf(scene);
  const shown = infos.filter(({ ref }) => all || usable.has(ref) || tags.has(ref));
  const keyless = (id: string): boolean =>
    infos.some((info) => info.provider === id) && table.provider(id)?.keyless === true;
  const known = new Set(infos.map(({ ref }) => ref));
  const lost = [...tags.keys()].filter((ref) => !known.has(ref));
  return [
    ...shown.map((info) => ({
      ...plain(info),
      local: info.provider !== "demo" && keyless(info.provider),
      available: usable.has(info.ref),
      tags: tags.get(info.ref) ?? [],
      missing: false,
    })),
    ...lost.map((key) => ({
      key,
      name: key,
      input: "-",
      contextWindow: null,
      local: false,
      available: false,
      tags: [...tags.get(key)!, "missing"],
      missing: true,
    })),
  ];
}

const plain = ({ ref, name, input, contextWindow }: ModelInfo) => ({
  key: ref,
  name,
  input: input.join("+"),
  contextWindow,
});

/** Why the config names a model: it is the default, a fallback, on the list, or has an alias. */
async function tagsOf(scene: Scene): Promise<Map<string, string[]>> {
  const { agent, catalog, agentId } = scene;
  const tags = new Map<string, string[]>();
  const add = (ref: string, tag: string) => tags.set(ref, [...(tags.get(ref) ?? []), tag]);
  const exact = async (text: string): Promise<string> => {
    const ref = parseRef(text);
    // What the config names may be unknown; then it is shown as it stands there.
    return ref ? formatRef(ref) : refOf(scene, text);
  };
  add((await catalog.choose(agentId)).choice.ref, "default");
  for (const [i, text] of (agent.fallbacks ?? []).entries())
    add(await exact(text), `fallback#${i + 1}`);
  for (const [text, { alias }] of Object.entries(agent.known)) {
    const ref = await exact(text);
    add(ref, "configured");
    if (alias) add(ref, `alias:${alias}`);
  }
  return tags;
}
