/** How each Claude generation is told to think. A wrong setting is a 400, so this follows the vendor's table, model by model. */
import type { ThinkingConfigParam } from "@anthropic-ai/sdk/resources/messages/messages";

import type { Thinking } from "../../flow.ts";

type Effort = "low" | "medium" | "high" | "xhigh" | "max";
type Setting = {
  /** `budget`: a token budget (4.5 and before). `adaptive`: effort levels (4.6 and later). */
  mode: "budget" | "adaptive";
  /** What turns thinking off: leaving the field out, a value, or nothing at all (`always`). */
  off: "omit" | "disabled" | "between_tools" | "always";
};

const RULES: [pattern: RegExp, setting: Setting][] = [
  [
    /^claude-(3|opus-4-[015]|opus-4-2|sonnet-4-[05]|sonnet-4-2|haiku-4)/,
    { mode: "budget", off: "omit" },
  ],
  [/^claude-(opus|sonnet)-4$/, { mode: "budget", off: "omit" }],
  [/^claude-(opus|sonnet)-4-[6-9]/, { mode: "adaptive", off: "omit" }],
  [/^claude-opus-5-5|^claude-(fable|mythos)/, { mode: "adaptive", off: "always" }],
  [/^claude-sonnet-5-5/, { mode: "adaptive", off: "between_tools" }],
  [/^claude-.*-5/, { mode: "adaptive", off: "disabled" }],
];
/** Other vendors that speak this dialect know the older setting. */
const OTHERS: Setting = { mode: "budget", off: "omit" };
/** A Claude that is newer than this table thinks adaptively and always may. */
const NEWER: Setting = { mode: "adaptive", off: "always" };

export const settingOf = (model: string): Setting => {
  const name = model.toLowerCase().replace(/^.*\//, "").replaceAll(".", "-");
  return (
    RULES.find(([pattern]) => pattern.test(name))?.[1] ??
    (name.startsWith("claude-") ? NEWER : OTHERS)
  );
};

const EFFORT: Record<Exclude<Thinking, "off">, Effort> = {
  minimal: "low",
  low: "low",
  medium: "medium",
  high: "high",
  xhigh: "xhigh",
};
/** The first adaptive generation has no `xhigh`; its Opus has `max` instead. */
function effortOf(model: string, level: Exclude<Thinking, "off">): Effort {
  if (level !== "xhigh" || !/-4[-.]6/.test(model)) return EFFORT[level];
  return model.includes("opus") ? "max" : "high";
}
const BUDGET: Record<Exclude<Thinking, "off">, number> = {
  minimal: 1024,
  low: 4096,
  medium: 10_240,
  high: 20_480,
  xhigh: 32_768,
};
/** The platform's own least budget; also what must be left for the answer. */
const MIN_TOKENS = 1024;

export type ThinkingParams = {
  thinking?: ThinkingConfigParam;
  output_config?: { effort: Effort };
};

/** The request fields for `level`. `maxTokens` bounds a budget, because thinking counts towards it. */
export function thinkingParams(model: string, level: Thinking, maxTokens: number): ThinkingParams {
  const { mode, off } = settingOf(model);
  if (level === "off") {
    if (off === "disabled") return { thinking: { type: "disabled" } };
    if (off === "between_tools") return { thinking: { type: "between_tools" } };
    return off === "always" ? { output_config: { effort: "low" } } : {};
  }
  if (mode === "adaptive")
    // Newer models leave the text out unless it is asked for, and then nothing is seen between tool calls.
    return {
      thinking: { type: "adaptive", display: "summarized" },
      output_config: { effort: effortOf(model, level) },
    };
  const budget = Math.min(BUDGET[level], maxTokens - MIN_TOKENS);
  return budget < MIN_TOKENS ? {} : { thinking: { type: "enabled", budget_tokens: budget } };
}
