/** One real, tiny call to a provider: does this key work? */
import { AppError, toAppError } from "../base/errors.ts";
import { silentLogger } from "../base/log.ts";
import type { Config } from "../config/schema.ts";
import { openCatalog } from "../providers/catalog.ts";
import { Table } from "../providers/table.ts";
import type { KeyChoice } from "./choices.ts";

/** Longest wait for the first word, or for a list of models, in ms. */
const PATIENCE_MS = 30_000;

/** `error` is why the key did not work; `model` is what was asked, as `provider/model`. */
export type Tried = { model: string; error?: AppError };

type Options = {
  key: string;
  /** Where the vendors' addresses are read from, as for a real run. */
  env: Readonly<Record<string, string | undefined>>;
  /** Ends the call early. */
  signal: AbortSignal;
  /** Called for a provider of which no usual model is known, with what it offers. Gives one of them. */
  pick(models: string[]): Promise<string>;
};

/**
 * Asks a model of the provider for one word, with this key and no other. Never throws for what the provider or the network does;
 * throws `aborted` when the signal ends, and what `pick` throws.
 */
export async function tryKey(
  config: Pick<Config, "models" | "auth">,
  choice: KeyChoice,
  { key, env: vars, signal, pick }: Options,
): Promise<Tried> {
  const { provider } = choice;
  const own = config.models.providers[provider];
  const models = { ...config.models, providers: own ? { [provider]: own } : {} };
  const places = Object.entries(vars).filter(([name]) => name.endsWith("_BASE_URL"));
  const env = { ...Object.fromEntries(places), [choice.env]: key };
  const catalogFor = (primary?: string) =>
    openCatalog({
      models,
      auth: config.auth,
      env,
      log: silentLogger,
      local: async () => [],
      agents: () => ({ known: {}, ...(primary && { primary }) }),
    });
  let model = provider;
  const failed = (cause: unknown): Tried => {
    if (signal.aborted) throw new AppError("aborted", "The set-up was left.");
    const error = toAppError(cause);
    // Our own patience has ended the call.
    if (error.code === "aborted")
      return { model, error: new AppError("provider_timeout", "it did not answer in time") };
    return { model, error };
  };
  let offered: string[] | undefined;
  try {
    const usual = choice.model ?? new Table(models, env).provider(provider)?.defaultModel;
    if (usual) model = `${provider}/${usual}`;
    else offered = await listModels(catalogFor, provider, signal);
  } catch (cause) {
    return failed(cause);
  }
  if (offered) model = `${provider}/${await pick(offered)}`;
  try {
    const error = await ask(catalogFor(model), signal);
    return error ? failed(error) : { model };
  } catch (cause) {
    return failed(cause);
  }
}

type Catalog = ReturnType<typeof openCatalog>;

/** What a provider says it has. Throws its refusal, and not_found when there is nothing. */
async function listModels(
  catalogFor: (primary?: string) => Catalog,
  provider: string,
  signal: AbortSignal,
): Promise<string[]> {
  const client = await catalogFor().provider(`${provider}/any`);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  const names = ((await client.models?.(limit)) ?? []).map(({ id }) => id);
  if (names.length > 0) return names;
  throw new AppError("not_found", `No model of ${provider} is known.`);
}

/** Undefined when the model has answered. */
async function ask(catalog: Catalog, signal: AbortSignal): Promise<AppError | undefined> {
  const { candidates, skipped } = await catalog.candidates("main");
  const [candidate] = candidates;
  if (!candidate || candidate.reason !== "configured")
    return new AppError("not_found", `It cannot be used: ${skipped[0]?.why ?? "not known"}.`);
  const client = await catalog.provider(candidate.choice.ref, candidate.keys[0]);
  const blocks = [{ type: "text" as const, text: "Say ok." }];
  const events = client.stream(
    {
      model: candidate.info.id,
      system: [],
      messages: [{ role: "user" as const, blocks, at: Date.now() }],
      tools: [],
      thinking: "off",
      maxTokens: 16,
      sessionId: "onboard",
    },
    AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]),
  );
  for await (const event of events) {
    if (event.type === "error") return event.error;
    if (event.type === "text") return undefined;
  }
  return undefined;
}
