import { expect, test } from "bun:test";

import { weakness } from "./surface.ts";

test("models are judged by their names: old, small, of the smaller kind, or none of it", () => {
  const table = {
    "openai/gpt-3.5-turbo": "legacy",
    "openai/gpt-4-turbo": "legacy",
    "anthropic/claude-3-opus-20240229": "legacy",
    "ollama/llama3.1:8b": "small_params",
    "ollama/qwen2.5-14b-instruct": "small_params",
    "anthropic/claude-haiku-4-5": "weak_tier",
    "openai/gpt-5-mini": "weak_tier",
    "google/gemini-2.5-flash-lite": "weak_tier",
    "anthropic/claude-opus-4-5": undefined,
    "anthropic/claude-sonnet-4-5": undefined,
    "openai/gpt-5.2": undefined,
    "openai/gpt-4o": undefined,
    "ollama/llama3.3:70b": undefined,
    "minimax/MiniMax-M2": undefined,
    "demo/demo": undefined,
  };
  for (const [ref, expected] of Object.entries(table))
    expect([ref, weakness(ref)]).toEqual([ref, expected as never]);
});
