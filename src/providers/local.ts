/** Finds a model server on this machine (Ollama, LM Studio). Asked only when nothing else is set up, never while starting. */
import { createTransport } from "./transport.ts";

export type LocalModel = { id: string; name: string; images: boolean };
export type LocalServer = { provider: string; baseUrl: string; models: LocalModel[] };
export type LocalProbe = () => Promise<LocalServer[]>;

/** A server on this machine answers at once or is not there. */
const TIMEOUT_MS = 300;
/** Models that do not chat. */
const NOT_CHAT = /embed|bge-|minilm|rerank|whisper/i;

type Place = { provider: string; baseUrl: string; path: string };

/** `host` is Ollama's own variable OLLAMA_HOST: `host`, `host:port` or an address; it may be the wildcard it listens on. */
export function ollamaUrl(host: string | undefined): string {
  const text = host?.trim();
  if (!text) return "http://127.0.0.1:11434";
  const url = URL.parse(/^https?:\/\//.test(text) ? text : `http://${text}`);
  if (!url) return "http://127.0.0.1:11434";
  if (url.hostname === "0.0.0.0" || url.hostname === "[::]") url.hostname = "127.0.0.1";
  const port = url.port || (/^https?:\/\//.test(text) ? "" : "11434");
  return `${url.protocol}//${url.hostname}${port && `:${port}`}`;
}

export const localProbe =
  (ollama: string, lmstudio = "http://127.0.0.1:1234"): LocalProbe =>
  async () => {
    const places: Place[] = [
      { provider: "ollama", baseUrl: ollama, path: "/api/tags" },
      { provider: "lmstudio", baseUrl: lmstudio, path: "/v1/models" },
    ];
    const found = await Promise.all(places.map(probe));
    return found.filter((server) => server !== undefined);
  };

type Answer = {
  models?: { name?: string; details?: { families?: string[] | null } }[];
  data?: { id?: string }[];
};

async function probe({ provider, baseUrl, path }: Place): Promise<LocalServer | undefined> {
  const fetch = createTransport({ id: provider, idleTimeoutMs: TIMEOUT_MS, maxBytes: 4 << 20 });
  try {
    const response = await fetch(baseUrl + path, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) return undefined;
    const answer = (await response.json()) as Answer;
    const models = [
      ...(answer.models ?? []).map((m) => ({
        id: m.name ?? "",
        name: m.name ?? "",
        images: (m.details?.families ?? []).some((f) => /clip|mllama|vision/.test(f)),
      })),
      ...(answer.data ?? []).map((m) => ({ id: m.id ?? "", name: m.id ?? "", images: false })),
    ].filter((m) => m.id && !NOT_CHAT.test(m.id));
    return models.length ? { provider, baseUrl: `${baseUrl}/v1`, models } : undefined;
  } catch {
    // Expected: usually nobody listens there, or something else does.
    return undefined;
  }
}
