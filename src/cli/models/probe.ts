/** One short real call for each key: does it work, and how fast? Costs a few tokens. */
import { type AppError, type ErrorCode, toAppError } from "../../base/errors.ts";
import type { Candidate } from "../../providers/access.ts";
import type { Key } from "../../providers/credentials.ts";
import type { Scene } from "./scene.ts";

export type ProbeWish = {
  /** Longest wait for the first word, in ms. */
  timeoutMs: number;
  concurrency: number;
  maxTokens: number;
  provider?: string;
  /** Ids of keys; empty for all. */
  keys: string[];
};

/** What the original calls the outcomes. */
type Status = "ok" | "auth" | "rate_limit" | "billing" | "timeout" | "format" | "unknown";
export type Probed = {
  provider: string;
  model: string;
  profileId: string;
  source: string;
  ok: boolean;
  status: Status;
  error?: string;
  latencyMs: number;
};

const STATUS: Partial<Record<ErrorCode, Status>> = {
  provider_auth: "auth",
  provider_rate_limit: "rate_limit",
  provider_billing: "billing",
  provider_timeout: "timeout",
  provider_overloaded: "timeout",
  provider_rejected: "format",
};

/** The keys of every provider that has some, asked for the model that would answer, else for the provider's usual one. */
export async function probeAll(scene: Scene, wish: ProbeWish): Promise<Probed[]> {
  const jobs: { candidate: Candidate; key: Key }[] = [];
  for (const candidate of await candidatesOf(scene, wish.provider))
    for (const key of candidate.keys)
      if (wish.keys.length === 0 || wish.keys.includes(key.id)) jobs.push({ candidate, key });
  const results: Probed[] = [];
  const next = async (): Promise<void> => {
    for (let job = jobs.shift(); job; job = jobs.shift())
      results.push(await probe(scene, job.candidate, job.key, wish));
  };
  await Promise.all(Array.from({ length: wish.concurrency }, next));
  return results.sort((a, b) => a.provider.localeCompare(b.provider));
}

async function candidatesOf(scene: Scene, only: string | undefined): Promise<Candidate[]> {
  const { catalog, agentId, table } = scene;
  const wanted = (await catalog.candidates(agentId)).candidates;
  const found: Candidate[] = [];
  for (const { id, ready } of catalog.providers()) {
    if (!ready || id === "demo" || (only && id !== only)) continue;
    const own = wanted.find(({ choice }) => choice.provider === id);
    const usual = table.provider(id)?.defaultModel;
    const other = own
      ? undefined
      : usual && (await catalog.candidates(agentId, `${id}/${usual}`)).candidates[0];
    const candidate = own ?? other;
    // A server that needs no key and that nobody has set up may not even be there.
    if (candidate && (own || candidate.keys.some(({ value }) => value !== "") || only))
      found.push(candidate);
  }
  return found;
}

async function probe(
  { catalog }: Scene,
  { choice, info }: Candidate,
  key: Key,
  { timeoutMs, maxTokens }: ProbeWish,
): Promise<Probed> {
  const began = performance.now();
  const facts = { provider: choice.provider, model: choice.ref, profileId: key.id };
  const done = (error?: AppError): Probed => ({
    ...facts,
    source: key.source,
    ok: !error,
    status: error ? (STATUS[error.code] ?? "unknown") : "ok",
    ...(error && { error: error.message }),
    latencyMs: Math.round(performance.now() - began),
  });
  try {
    const client = await catalog.provider(choice.ref, key);
    const events = client.stream(
      {
        model: info.id,
        system: [],
        messages: [{ role: "user", blocks: [{ type: "text", text: "Say ok." }], at: Date.now() }],
        tools: [],
        thinking: "off",
        maxTokens,
        sessionId: "probe",
      },
      AbortSignal.timeout(timeoutMs),
    );
    for await (const event of events) {
      if (event.type === "error") return done(event.error);
      if (event.type === "text") break;
    }
    return done();
  } catch (cause) {
    return done(toAppError(cause));
  }
}
