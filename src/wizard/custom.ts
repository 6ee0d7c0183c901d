/** The step about an endpoint of one's own: a server or a router that speaks one of the known protocols. */
import { AppError } from "../base/errors.ts";
import { createRedactor } from "../base/redact.ts";
import { checkPlain } from "../config/dot-env.ts";
import type { Change } from "../config/edit.ts";
import type { Config } from "../config/schema.ts";
import type { Asked, Bench } from "./bench.ts";
import { CUSTOM, type KeyChoice, type ModelAnswer } from "./choices.ts";
import { type Tried, tryKey } from "./try-key.ts";

/** What flags say of it. */
export type CustomWishes = {
  baseUrl?: string | undefined;
  modelId?: string | undefined;
  key?: string | undefined;
  /** Its name in the config; `custom` when absent. */
  providerId?: string | undefined;
  compatibility?: keyof typeof PROTOCOLS | undefined;
};

/** By the word of the flag. */
export const PROTOCOLS = {
  openai: "openai-completions",
  "openai-responses": "openai-responses",
  anthropic: "anthropic-messages",
} as const;
type Protocol = keyof typeof PROTOCOLS;

const addressProblem = (text: string): string | undefined =>
  /^https?:$/.test(URL.parse(text)?.protocol ?? "")
    ? undefined
    : "That is no address; it looks like https://host/v1.";
const idProblem = (text: string): string | undefined =>
  /^[a-z0-9][a-z0-9-]{0,39}$/.test(text)
    ? undefined
    : `"${text}" cannot be the name of a provider: use small letters, digits and hyphens.`;

type Endpoint = { id: string; baseUrl: string; modelId: string; protocol: Protocol; key: string };

/**
 * Asks for what the flags leave open, and for one word of the model. Throws usage for what is missing where nobody can be asked, and
 * provider errors for an endpoint that does not work there.
 */
export async function askCustom(
  bench: Bench,
  wishes: CustomWishes,
  asked: Asked,
): Promise<ModelAnswer | undefined> {
  const { guide, asks } = asked;
  const id = wishes.providerId ?? "custom";
  const wrong =
    idProblem(id) ?? (wishes.baseUrl === undefined ? undefined : addressProblem(wishes.baseUrl));
  if (wrong) throw new AppError("usage", wrong);
  for (let given = wishes; ; given = { providerId: id }) {
    const endpoint = asks ? await complete(given, id, asked) : fromFlags(given, id, bench);
    const { key, modelId } = endpoint;
    if (key) {
      checkPlain(variableOf(id), key);
      bench.learn(key);
    }
    const choice: KeyChoice = {
      choice: CUSTOM,
      provider: id,
      label: id,
      env: variableOf(id),
      flag: CUSTOM,
      model: modelId,
    };
    const config = withEndpoint(bench.config(), endpoint);
    const tried: Tried = await guide.progress(
      `Asking ${modelId} at ${new URL(endpoint.baseUrl).host} for one word ...`,
      async (show) => {
        const done = await tryKey(config, choice, {
          key,
          env: bench.env().vars,
          signal: guide.signal,
          pick: async () => modelId,
        });
        if (!done.error) show({ message: `${done.model} answered.` });
        return done;
      },
    );
    if (!tried.error)
      return {
        authChoice: CUSTOM,
        model: tried.model,
        primary: tried.model,
        changes: changesFor(bench.config(), endpoint),
        ...(key && { key: { choice, value: key } }),
      };
    if (!asks) throw tried.error;
    const message = createRedactor(key ? [key] : []).text(tried.error.message);
    const again = await guide.confirm({
      message: "Try other values?",
      about: `It did not work: ${message.replace(/\.?$/, ".")}`,
      initial: true,
    });
    if (!again) return undefined;
  }
}

/** The variable of `.env` that holds its key. */
const variableOf = (id: string): string => `${id.toUpperCase().replaceAll("-", "_")}_API_KEY`;

function fromFlags(wishes: CustomWishes, id: string, bench: Bench): Endpoint {
  const { baseUrl, modelId, compatibility = "openai" } = wishes;
  if (!baseUrl || !modelId)
    throw new AppError("usage", `Missing --custom-${baseUrl ? "model-id" : "base-url"}.`, {
      hint: "As in: --custom-base-url http://127.0.0.1:8000/v1 --custom-model-id qwen3",
    });
  const key = wishes.key ?? bench.env().raw(variableOf(id)) ?? "";
  return { id, baseUrl, modelId, protocol: compatibility, key };
}

async function complete(wishes: CustomWishes, id: string, { guide }: Asked): Promise<Endpoint> {
  const baseUrl =
    wishes.baseUrl ??
    (await guide.text({
      message: "Address of the API",
      placeholder: "http://127.0.0.1:8000/v1",
      check: addressProblem,
    }));
  const protocol =
    wishes.compatibility ??
    (await guide.select({
      message: "Which protocol does it speak?",
      options: [
        { value: "openai", label: "OpenAI Chat Completions", hint: "most do" },
        { value: "openai-responses", label: "OpenAI Responses" },
        { value: "anthropic", label: "Anthropic Messages" },
      ],
    }));
  const modelId =
    wishes.modelId ??
    (await guide.text({
      message: "Name of the model, as the endpoint calls it",
      check: (text) => (text ? undefined : "Without a name nothing can be asked."),
    }));
  const key =
    wishes.key ?? (await guide.secret({ message: "Its key, or nothing if it wants none" }));
  return { id, baseUrl, modelId, protocol: protocol as Protocol, key };
}

type Providers = Config["models"]["providers"];
type Entry = Providers[string];

/** What stands in the config then; other models of the same endpoint stay. */
function entryOf(there: Entry | undefined, { id, baseUrl, modelId, protocol, key }: Endpoint) {
  const models = there?.models ?? [];
  return {
    baseUrl,
    api: PROTOCOLS[protocol],
    ...(key && { apiKey: variableOf(id) }),
    models: models.some((each) => each.id === modelId) ? models : [...models, { id: modelId }],
  };
}

function withEndpoint({ models, auth }: Config, endpoint: Endpoint) {
  const entry = entryOf(models.providers[endpoint.id], endpoint);
  const providers: Providers = { ...models.providers, [endpoint.id]: entry };
  return { auth, models: { ...models, providers } };
}

const changesFor = ({ models }: Config, endpoint: Endpoint): Change[] =>
  Object.entries(entryOf(models.providers[endpoint.id], endpoint)).map(([key, value]) => ({
    kind: "set",
    path: ["models", "providers", endpoint.id, key],
    value,
  }));
