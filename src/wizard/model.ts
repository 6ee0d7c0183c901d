/** The step about the model: whose key, is it right, and which model answers with it. */
import { agentEntries, defaultAgentId } from "../agent/settings.ts";
import { AppError } from "../base/errors.ts";
import { silentLogger } from "../base/log.ts";
import { nearest } from "../base/nearest.ts";
import { createRedactor } from "../base/redact.ts";
import { checkPlain } from "../config/dot-env.ts";
import { openCatalog } from "../providers/catalog.ts";
import type { Asked, Bench } from "./bench.ts";
import {
  choiceOfKey,
  CUSTOM,
  KEY_CHOICES,
  type KeyChoice,
  type ModelAnswer,
  RETIRED_CHOICES,
  SAME_CHOICE,
  SKIP,
  TOKEN_CHOICE,
  WEB_SIGN_INS,
} from "./choices.ts";
import { askCustom, type CustomWishes } from "./custom.ts";
import { tryKey } from "./try-key.ts";

/** What flags say of the model. */
export type ModelWishes = {
  /** As the original names it, or `skip`. */
  authChoice?: string | undefined;
  /** Keys by the flag of their choice. */
  keys: Readonly<Record<string, string | undefined>>;
  /** Whose token `--token` is. */
  tokenProvider?: string | undefined;
  /** An endpoint that is not in the list. */
  custom?: CustomWishes;
};

/** Most that a person is shown to choose from. */
const MAX_MODELS = 40;

const NONE: ModelAnswer = { authChoice: SKIP, model: "a local one, or the built-in demo" };

const ABOUT = [
  "Where to get one: platform.claude.com, platform.openai.com, aistudio.google.com, openrouter.ai; others work too.",
  "Without a key a local Ollama or LM Studio answers when there is one, else the built-in demo.",
].join("\n");

/**
 * The choice that a name stands for: undefined for none, `skip` included. Throws usage for a name that is not known, and for a sign-in
 * that is done in a browser.
 */
export function choiceNamed(name: string | undefined, asks: boolean): KeyChoice | undefined {
  if (name === undefined || name === SKIP || name === CUSTOM) return undefined;
  const known = KEY_CHOICES.find(({ choice }) => choice === (SAME_CHOICE[name] ?? name));
  if (known) return known;
  const names = [...KEY_CHOICES.map(({ choice }) => choice), CUSTOM, SKIP];
  if (RETIRED_CHOICES.includes(name))
    throw new AppError("usage", `Auth choice "${name}" is deprecated.`, {
      hint: "Use --auth-choice token with the token that `claude setup-token` prints, or apiKey.",
    });
  if (Object.hasOwn(WEB_SIGN_INS, name)) {
    const instead = WEB_SIGN_INS[name];
    const message = asks
      ? `The sign-in ${name} is done on a web page, which is not supported.`
      : "OAuth requires interactive mode.";
    throw new AppError("usage", message, {
      hint: `Use a key: --auth-choice ${instead ?? `with one of ${names.join(", ")}`}`,
    });
  }
  const near = nearest(name, names);
  throw new AppError("usage", `Invalid --auth-choice "${name}" (use ${names.join(", ")})`, {
    ...(near && { hint: `Did you mean ${near}?` }),
  });
}

/**
 * What shall answer. What is there already is kept unless a flag names something else, or `anew`. Throws usage for flags that cannot
 * be, and provider errors for a key that does not work where nobody can give another.
 */
export async function askModel(
  bench: Bench,
  wishes: ModelWishes,
  asked: Asked,
  { anew = false } = {},
): Promise<ModelAnswer> {
  const { guide, asks } = asked;
  const { authChoice, keys } = wishes;
  if (authChoice === CUSTOM || (!authChoice && wishes.custom?.baseUrl))
    return (await askCustom(bench, wishes.custom ?? {}, asked)) ?? NONE;
  const byFlag = KEY_CHOICES.find(({ flag }) => keys[flag]);
  const named = choiceNamed(authChoice, asks) ?? (authChoice === SKIP ? undefined : byFlag);
  if (named) {
    checkToken(named, wishes, asks);
    return useKey(bench, named, keys[named.flag] ?? bench.env().raw(named.env) ?? "", asked);
  }
  if (authChoice === SKIP) return NONE;
  const there = await present(bench);
  if (there && !asks) return there.answer;
  if (!asks) return NONE;
  // What is there already is tried too: a key that has run out is best found now.
  if (there && !anew)
    return there.choice
      ? useKey(bench, there.choice, bench.env().raw(there.choice.env)!, asked)
      : there.answer;
  const key = await guide.secret({
    message: `Key of a model provider, or nothing ${there ? `to keep ${there.answer.model}` : "for now"}`,
    about: ABOUT,
    placeholder: "sk-…",
    check: (value) => problemOf("key", value),
  });
  if (!key) return there ? pickDefault(bench, there.answer, asked) : NONE;
  bench.learn(key);
  const choice = choiceOfKey(key) ?? (await askWhose(asked, key));
  if (!choice) return (await askCustom(bench, { key }, asked)) ?? NONE;
  const answer = await useKey(bench, choice, key, asked);
  return anew ? pickDefault(bench, answer, asked) : answer;
}

/** What answers now, when that is a model that somebody has chosen or given a key for. */
async function present(
  bench: Bench,
): Promise<{ answer: ModelAnswer; choice?: KeyChoice } | undefined> {
  const { choice, reason } = await catalogOf(bench).choose(defaultAgentId(bench.config().agents));
  if (reason === "demo" || reason === "local") return undefined;
  const set = KEY_CHOICES.find(
    ({ provider, env }) => provider === choice.provider && bench.env().raw(env),
  );
  const answer = { authChoice: set?.choice ?? SKIP, model: choice.ref };
  return { answer, ...(set && { choice: set }) };
}

/** Which of the models that can be used then is the default one. */
async function pickDefault(
  bench: Bench,
  answer: ModelAnswer,
  { guide }: Asked,
): Promise<ModelAnswer> {
  const { key, model } = answer;
  if (!model.includes("/")) return answer;
  const provider = model.slice(0, model.indexOf("/"));
  const all = await catalogOf(bench, key).list();
  const refs = all.filter((info) => info.provider === provider).map(({ ref }) => ref);
  const options = [model, ...refs.filter((ref) => ref !== model)].slice(0, MAX_MODELS);
  if (options.length < 2) return answer;
  const chosen = await guide.select({
    message: "Which model answers when nobody chose one?",
    options: options.map((ref) => ({ value: ref, label: ref })),
  });
  return chosen === model ? answer : { ...answer, model: chosen, primary: chosen };
}

/** A subscription's token is Anthropic's, and not a key. */
function checkToken(choice: KeyChoice, { tokenProvider, keys }: ModelWishes, asks: boolean): void {
  if (choice !== TOKEN_CHOICE) return;
  if (tokenProvider && tokenProvider !== choice.provider)
    throw new AppError(
      "usage",
      `Only --token-provider ${choice.provider} is supported for --auth-choice token.`,
    );
  if (!tokenProvider && !asks)
    throw new AppError("usage", "Missing --token-provider for --auth-choice token.", {
      hint: `--token-provider ${choice.provider}`,
    });
  if (keys[choice.flag] && !choice.begins!.test(keys[choice.flag]!))
    throw new AppError("usage", "The token does not look like one of Anthropic's.", {
      hint: "Copy what `claude setup-token` prints; it begins with sk-ant-oat.",
    });
}

/** Undefined: of an endpoint that is not in the list. */
async function askWhose({ guide }: Asked, key: string): Promise<KeyChoice | undefined> {
  const options = KEY_CHOICES.filter(({ begins, model }) => !begins && !model).concat(
    // Theirs began with nothing but this once.
    KEY_CHOICES.filter(({ choice }) => choice === "openai-api-key"),
  );
  const value = await guide.select({
    message: "Whose key is this?",
    options: [
      ...options.map(({ choice, label }) => ({ value: choice, label })),
      { value: CUSTOM, label: "Of another one", hint: "asks for its address" },
    ],
    initial: key.startsWith("sk-") ? "openai-api-key" : undefined,
  });
  return options.find(({ choice }) => choice === value);
}

const problemOf = (name: string, value: string): string | undefined => {
  if (!value) return undefined;
  try {
    checkPlain(name, value);
    return undefined;
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    return `That has characters that no key has. ${cause.hint ?? ""}`.trim();
  }
};

/** A key from the flag, the environment or the person, tried before it is kept. */
async function useKey(
  bench: Bench,
  choice: KeyChoice,
  first: string,
  asked: Asked,
): Promise<ModelAnswer> {
  const { guide, asks } = asked;
  const there = bench.env().raw(choice.env);
  for (let value = first; ; value = "") {
    if (!value && asks)
      value = await guide.secret({
        message: `${choice.label}: key, or nothing for now`,
        check: (text) => problemOf(choice.env, text),
      });
    if (!value && asks) return NONE;
    if (!value) throw new AppError("usage", `Missing --${choice.flag} (or ${choice.env} in env).`);
    checkPlain(choice.env, value);
    bench.learn(value);
    const tried = await guide.progress(
      `Asking ${choice.label} for one word, to try the key ...`,
      async (show) => {
        const done = await tryKey(bench.config(), choice, {
          key: value,
          env: bench.env().vars,
          signal: guide.signal,
          pick: (models) => pickModel(models, asked),
        });
        if (!done.error) show({ message: `${done.model} answered.` });
        return done;
      },
    );
    const primary = await primaryFor(bench, choice, value, tried.model);
    const answer: ModelAnswer = {
      authChoice: choice.choice,
      model: tried.model,
      ...(value !== there && { key: { choice, value } }),
      ...(primary && { primary }),
    };
    if (!tried.error) return answer;
    const { code } = tried.error;
    // What a provider answers may hold the key that it was given.
    const message = createRedactor([value]).text(tried.error.message);
    // Without a network the key may still be right; a refusal is a refusal.
    if (code === "provider_timeout" || code === "provider_overloaded") {
      await guide.note(
        `${choice.label} could not be asked (${message}). The key is kept untried.`,
        "No answer",
      );
      return answer;
    }
    if (!asks) throw tried.error;
    const again = await guide.confirm({
      message: "Try another key?",
      about: `It did not work: ${message.replace(/\.?$/, ".")}`,
      initial: true,
    });
    if (!again) return NONE;
  }
}

/** One of those that the provider itself lists. */
async function pickModel(models: string[], { guide, asks }: Asked): Promise<string> {
  if (!asks) return models[0]!;
  return guide.select({
    message: "Which of its models?",
    options: models.slice(0, MAX_MODELS).map((id) => ({ value: id, label: id })),
  });
}

/** The model to write down as the default one; undefined when this provider would answer anyway. */
async function primaryFor(
  bench: Bench,
  choice: KeyChoice,
  value: string,
  model: string,
): Promise<string | undefined> {
  if (!model.includes("/")) return undefined;
  const catalog = catalogOf(bench, { choice, value });
  const { choice: chosen } = await catalog.choose(defaultAgentId(bench.config().agents));
  const same = choice.model ? chosen.ref === model : chosen.provider === choice.provider;
  return same ? undefined : model;
}

/** The models as they are, or as they would be with this key. Asks no server of this machine. */
function catalogOf(bench: Bench, key?: ModelAnswer["key"]) {
  const { agents, models, auth } = bench.config();
  return openCatalog({
    models,
    auth,
    env: { ...bench.env().vars, ...(key && { [key.choice.env]: key.value }) },
    log: silentLogger,
    local: async () => [],
    defaultAgentId: defaultAgentId(agents),
    agents(id) {
      const own = agentEntries(agents).find((entry) => entry.id === id)?.model ?? {};
      const primary = own.primary ?? agents.defaults.model?.primary;
      return { known: agents.defaults.models, ...(primary && { primary }) };
    },
  });
}
