import { expect, test } from "bun:test";

import { localProbe, ollamaUrl } from "../../src/providers/local.ts";
import { startOpenAI } from "../fakes/openai.ts";

test("model servers on this machine are found with the models that can chat", async () => {
  const ollama = await startOpenAI({ models: ["nomic-embed-text", "llama3.3:70b", "qwen3:8b"] });
  const studio = await startOpenAI({ models: ["text-embedding-1", "gemma-3"] });
  const found = await localProbe(ollama.url, studio.url)();
  expect(found.map((s) => [s.provider, s.baseUrl, s.models.map((m) => m.id)])).toEqual([
    ["ollama", `${ollama.url}/v1`, ["llama3.3:70b", "qwen3:8b"]],
    ["lmstudio", `${studio.url}/v1`, ["gemma-3"]],
  ]);
  await ollama.stop();
  await studio.stop();
  expect(await localProbe(ollama.url, studio.url)()).toEqual([]);
});

test("something else that listens there is no model server, and a silent one is not waited for", async () => {
  const odd = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response("<html>hi</html>"),
  });
  const mute = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Promise<Response>(() => undefined),
  });
  expect(await localProbe(odd.url.origin, mute.url.origin)()).toEqual([]);
  await odd.stop(true);
  await mute.stop(true);
});

test("OLLAMA_HOST is read as Ollama reads it", () => {
  const cases: [string | undefined, string][] = [
    [undefined, "http://127.0.0.1:11434"],
    ["0.0.0.0", "http://127.0.0.1:11434"],
    ["0.0.0.0:7777", "http://127.0.0.1:7777"],
    ["box.lan", "http://box.lan:11434"],
    ["https://ollama.example.com", "https://ollama.example.com"],
    ["http://[::]:99", "http://127.0.0.1:99"],
    ["::::", "http://127.0.0.1:11434"],
  ];
  for (const [host, url] of cases) expect(ollamaUrl(host)).toBe(url);
});
