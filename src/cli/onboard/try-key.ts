/** One real, tiny call to a provider: does this key work? */
import { AppError, toAppError } from "../../base/errors.ts";
import { silentLogger } from "../../base/log.ts";
import type { Config } from "../../config/schema.ts";
import { openCatalog } from "../../providers/catalog.ts";
import type { KeyChoice } from "./choices.ts";

/** Longest wait for the first word, in ms. */
const PATIENCE_MS = 30_000;

/** `error` is why the key did not work; `model` is what was asked. */
export type Tried = { model: string; error?: AppError };

/** Asks the default model of the provider for one word, with this key and no other. Never throws. */
export async function tryKey(
  { models, auth }: Pick<Config, "models" | "auth">,
  { provider, env }: KeyChoice,
  key: string,
): Promise<Tried> {
  const own = models.providers[provider];
  const catalog = openCatalog({
    models: { ...models, providers: own ? { [provider]: own } : {} },
    auth,
    env: { [env]: key },
    log: silentLogger,
    agents: () => ({ known: {} }),
  });
  let model = provider;
  try {
    const [candidate] = (await catalog.candidates("main")).candidates;
    model = candidate?.choice.ref ?? provider;
    if (candidate?.choice.provider !== provider)
      throw new AppError("not_found", `No model of ${provider} is known.`);
    const client = await catalog.provider(model, candidate.keys[0]);
    const question = {
      role: "user" as const,
      blocks: [{ type: "text" as const, text: "Say ok." }],
    };
    const events = client.stream(
      {
        model: candidate.info.id,
        system: [],
        messages: [{ ...question, at: Date.now() }],
        tools: [],
        thinking: "off",
        maxTokens: 16,
        sessionId: "onboard",
      },
      AbortSignal.timeout(PATIENCE_MS),
    );
    for await (const event of events) {
      if (event.type === "error") return { model, error: event.error };
      if (event.type === "text") break;
    }
    return { model };
  } catch (cause) {
    return { model, error: toAppError(cause) };
  }
}
