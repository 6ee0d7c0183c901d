/**
 * What the vendors behind the OpenAI wire do differently. One row per vendor, found by the endpoint's id or host; a config's
 * `compat` overrides it. What no row knows is learned from the endpoint's refusals (repair.ts).
 */
import type { Thinking } from "../../flow.ts";
import { commonId } from "../calls.ts";
import type { Compat, Endpoint } from "../provider.ts";

export type Vendor = Required<Omit<Compat, "supportsStore">> & {
  id: string;
  /** Ids of tool calls as this vendor accepts them. */
  callId(id: string): string;
  /** Tool schemas as this vendor accepts them. */
  schema(schema: object): object;
  /** How thinking is asked for; fields of the request body. */
  reasoning(model: string, level: Thinking): Record<string, unknown>;
  /** The provider's own name of a model, where ours is shorter. */
  model(id: string): string;
};

type Effort = "none" | "minimal" | "low" | "medium" | "high" | "xhigh";

/** Which efforts an OpenAI model knows; from the vendor's model pages. */
const EFFORTS: [pattern: RegExp, efforts: Effort[]][] = [
  [/^o\d/, ["low", "medium", "high"]],
  [/^gpt-5(-mini|-nano|-codex)?(-\d{4}|$)/, ["minimal", "low", "medium", "high"]],
  [/^gpt-5\.1/, ["none", "low", "medium", "high"]],
  [/^gpt-(6-astra|6\.1-sol|6\.2)/, ["low", "medium", "high", "xhigh"]],
  [/^gpt-(5\.|[6-9])/, ["none", "low", "medium", "high", "xhigh"]],
];
const ORDER: Effort[] = ["none", "minimal", "low", "medium", "high", "xhigh"];
/** Wishes for no thinking that a model without it can still serve. */
const COMMON: Effort[] = ["low", "medium", "high"];

/** The nearest effort that the model knows, never more than was asked for unless there is nothing less. Undefined: say nothing. */
export function effortOf(model: string, level: Thinking): Effort | undefined {
  const name = model.replace(/^.*\//, "");
  const known = EFFORTS.find(([pattern]) => pattern.test(name))?.[1];
  if (!known && level === "off") return undefined;
  const wanted = ORDER.indexOf(level === "off" ? "none" : level);
  const efforts = known ?? COMMON;
  return efforts.findLast((e) => ORDER.indexOf(e) <= wanted) ?? efforts[0];
}

const effort = (model: string, level: Thinking): Record<string, unknown> => {
  const value = effortOf(model, level);
  return value ? { reasoning_effort: value } : {};
};
const lowMediumHigh = (_model: string, level: Thinking): Record<string, unknown> =>
  level === "off"
    ? {}
    : { reasoning_effort: level === "minimal" ? "low" : level === "xhigh" ? "high" : level };

const same = <T>(value: T): T => value;

/** Keys that Google's endpoint refuses in a schema. */
const GOOGLE_REFUSES = new Set([
  "$schema",
  "$id",
  "$ref",
  "$defs",
  "definitions",
  "additionalProperties",
  "patternProperties",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "const",
  "examples",
  "default",
  "title",
]);

/** A schema without the given keys, at every level that is a schema (a property may be called `title`). */
function without(schema: unknown, keys: Set<string>, properties = false): unknown {
  if (Array.isArray(schema)) return schema.map((item) => without(item, keys));
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => properties || !keys.has(key))
      .map(([key, value]) => [key, without(value, keys, !properties && key === "properties")]),
  );
}

const GENERIC: Vendor = {
  id: "generic",
  maxTokensField: "max_tokens",
  supportsDeveloperRole: false,
  supportsReasoningEffort: true,
  supportsUsageInStreaming: true,
  callId: commonId,
  schema: same,
  reasoning: lowMediumHigh,
  model: same,
};

const VENDORS: (Partial<Vendor> & { id: string; host: RegExp })[] = [
  {
    id: "openai",
    host: /(^|\.)openai\.com$|\.openai\.azure\.com$/,
    maxTokensField: "max_completion_tokens",
    supportsDeveloperRole: true,
    reasoning: effort,
  },
  {
    id: "openrouter",
    host: /(^|\.)openrouter\.ai$/,
    reasoning: (_model, level) => ({
      reasoning: level === "off" ? { enabled: false } : { effort: level },
    }),
    model: (id) => (id.includes("/") ? id : `openrouter/${id}`),
  },
  {
    id: "google",
    host: /(^|\.)googleapis\.com$/,
    schema: (schema) => without(schema, GOOGLE_REFUSES) as object,
    reasoning: (model, level) =>
      level === "off"
        ? /2\.5-flash/.test(model)
          ? { reasoning_effort: "none" }
          : {}
        : lowMediumHigh(model, level),
  },
  {
    id: "mistral",
    host: /(^|\.)mistral\.ai$/,
    supportsReasoningEffort: false,
    // The platform insists on exactly nine letters and digits.
    callId: (id) => {
      const plain = id.replace(/[^A-Za-z0-9]/g, "");
      return plain.length === 9 ? plain : Bun.hash(id).toString(36).padStart(9, "0").slice(-9);
    },
  },
  {
    id: "zai",
    host: /(^|\.)(z\.ai|bigmodel\.cn)$/,
    // Thinking here is a switch.
    reasoning: (_model, level) => ({
      thinking: { type: level === "off" ? "disabled" : "enabled" },
    }),
  },
  { id: "groq", host: /(^|\.)groq\.com$/, maxTokensField: "max_completion_tokens" },
  { id: "cerebras", host: /(^|\.)cerebras\.ai$/, maxTokensField: "max_completion_tokens" },
  { id: "moonshot", host: /(^|\.)moonshot\.(ai|cn)$/, supportsReasoningEffort: false },
  { id: "minimax", host: /(^|\.)minimaxi?\.(chat|io|com)$/, supportsReasoningEffort: false },
  { id: "qwen-portal", host: /(^|\.)qwen\.ai$/, supportsReasoningEffort: false },
];

/** The row for an endpoint: by host first, because an id is only a name that the user gave. */
export function vendorOf(endpoint: Endpoint): Vendor {
  const host = URL.canParse(endpoint.baseUrl) ? new URL(endpoint.baseUrl).hostname : "";
  const { host: _, ...row } = VENDORS.find((v) => v.host.test(host)) ?? {
    ...GENERIC,
    host: /$^/,
    id: "generic",
  };
  const { supportsStore: __, ...compat } = endpoint.traits?.compat ?? {};
  return { ...GENERIC, ...row, ...compat };
}
