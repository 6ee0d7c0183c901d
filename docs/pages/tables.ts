/** docs/reference/errors.md, environment.md and models.md: tables that the program keeps as tables. */
import { join } from "node:path";

import { NAMES } from "../../src/base/brand.ts";
import { PLAIN, PREFIXED } from "../../src/base/env.ts";
import { ERRORS } from "../../src/base/errors.ts";
import catalog from "../../src/providers/catalog.json";
import type { ModelInfo } from "../../src/providers/provider.ts";
import { childEnv } from "../../src/tools/environment.ts";
import { code, codes, page, prose, table } from "./markdown.ts";
import { number } from "./values.ts";

export const errorsPage = (): string =>
  page(
    "Errors",
    "src/base/errors.ts",
    "Every failure has one of these codes. On the WebSocket the code of the original stands in `error.code` and ours in `error.details.code`; a command prints it with `--json` and ends with the exit code. The hint is what is said when the place of the failure has nothing better to say.",
    table(
      ["code", "on the wire", "exit code", "hint"],
      Object.entries(ERRORS).map(([name, { wire, exit, hint }]) => [
        code(name),
        code(wire),
        String(exit),
        prose(hint ?? ""),
      ]),
    ),
  );

type Provider = (typeof catalog.providers)[keyof typeof catalog.providers];
const providers: [id: string, provider: Provider][] = Object.entries(catalog.providers);

/** Names of the source that mention a variable, besides the table and the filter for children. */
async function mentioned(): Promise<Set<string>> {
  const root = join(import.meta.dir, "../..");
  const names = new Set<string>();
  for await (const path of new Bun.Glob("src/**/*.ts").scan(root)) {
    if (/\.test\.ts$|base\/env\.ts$|tools\/environment\.ts$/.test(path)) continue;
    const text = await Bun.file(join(root, path)).text();
    for (const [name] of text.matchAll(/\b[A-Z][A-Z0-9_]+\b/g)) names.add(name);
  }
  return names;
}

export async function environmentPage(): Promise<string> {
  const used = await mentioned();
  const plain = Object.entries(PLAIN);
  const keys = plain.flatMap(([name, doc]) => {
    const of = providers.filter(([, p]) => (p.env as string[]).includes(name)).map(([id]) => id);
    return of.length > 0 ? [[code(name), codes(of), prose(doc)]] : [];
  });
  const isKey = (name: string) => keys.some(([cell]) => cell === code(name));
  const passed = (name: string) => name in childEnv({ [name]: "x" });
  const read = plain.filter(([name]) => !isKey(name) && (used.has(name) || passed(name)));
  const rest = plain.filter(([name]) => !isKey(name) && !used.has(name) && !passed(name));
  return page(
    "Environment",
    "src/base/env.ts",
    "A variable that the process does not have is looked for in `gateway.env` in the state folder (which `gateway install` writes for the background service), then in `.env` there (never in the current folder), and then in `env` of the [config](config.md#env). Blank counts as unset.",
    "## The program's own",
    `Every name works with three prefixes, ${codes(NAMES.map((name) => `${name.toUpperCase()}_`))}. When two are set and differ, the first of this order counts, and a warning names both.`,
    table(
      ["variable", "what it does", "secret"],
      Object.entries(PREFIXED).map(([name, row]) => [
        code(`CLAWDBOT_${name}`),
        prose(row.doc),
        row.secret ? "yes" : "",
      ]),
    ),
    "## Keys of model providers",
    "The provider is the part before the slash of a [model](models.md). None of these is passed on to commands that the assistant runs.",
    table(["variable", "provider", "what it is"], keys),
    "## Others",
    table(
      ["variable", "what it is", "passed on to commands"],
      read.map(([name, doc]) => [code(name), prose(doc), passed(name) ? "yes" : ""]),
    ),
    "## Known, without effect yet",
    `This version does nothing with these by itself. What of them is a secret is masked in the log, and commands that the assistant runs do not get them. In the config they can be used like any variable, as \`\${NAME}\`: ${codes(rest.map(([name]) => name))}.`,
  );
}

type Model = Omit<ModelInfo, "ref" | "provider" | "input"> & { input: string[] };

const price = (cost: Model["cost"]): string =>
  cost ? `${cost.input} / ${cost.output} / ${cost.cacheRead} / ${cost.cacheWrite}` : "";

function providerSection(id: string, provider: Provider): string {
  const { label, baseUrl, api, env } = provider;
  const models: Model[] = provider.models;
  const standard = "default" in provider ? provider.default : undefined;
  return [
    `## ${id}`,
    [
      `${label}, ${code(api)}${api === "demo" ? "" : ` at ${code(baseUrl)}`}.`,
      env.length > 0 ? `Key: ${(env as string[]).map(code).join(" or ")}.` : "Needs no key.",
      standard ? `With only a key: ${code(`${id}/${standard}`)}.` : "",
    ]
      .filter(Boolean)
      .join(" "),
    table(
      ["model", "name", "context", "longest answer", "thinks", "sees pictures", "price"],
      models.map((m) => [
        code(`${id}/${m.id}`),
        m.name,
        number(m.contextWindow),
        number(m.maxTokens),
        m.reasoning ? "yes" : "",
        m.input.includes("image") ? "yes" : "",
        price(m.cost),
      ]),
    ),
  ]
    .filter(Boolean)
    .join("\n\n");
}

export const modelsPage = (): string =>
  page(
    "Models",
    "src/providers/catalog.json",
    "What the program knows by itself. Any other model of a provider can be named too, and any other endpoint can be added under `models.providers` in the [config](config.md#models). Context and longest answer are in tokens; the price is in dollars per million tokens: input / output / read from the cache / written to the cache. A provider without a table is used with the models that you name.",
    "## Short names",
    "Your own names in `agents.defaults.models` come first. Of the models behind a short name the one that you have listed there is meant, else the first.",
    table(
      ["name", "models"],
      Object.entries(catalog.aliases).map(([name, refs]) => [code(name), codes(refs)]),
    ),
    ...providers.map(([id, provider]) => providerSection(id, provider)),
  );
