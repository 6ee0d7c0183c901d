/**
 * A tool: what the model may call. The zod input is written once; the model's JSON schema, the validation and the types come from it.
 * A new tool is a file and a line in registry.ts.
 */
import { z } from "zod";

import { AppError, toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { jsonSchema, type SchemaNode } from "../base/schema.ts";
import type { ToolResult, ToolSpec } from "../flow.ts";
import type { Jobs } from "./jobs.ts";
import { Output } from "./output.ts";
import type { MessagesPort } from "./reach.ts";

/** What a running tool may touch; filled in app.ts. */
export interface ToolContext {
  /** Absolute path; relative paths of the model start here. */
  workspace: string;
  agentId: string;
  sessionKey: string;
  signal: AbortSignal;
  /** Shows progress to whoever watches the run: the whole text so far, not a delta. */
  update(text: string): void;
  /** Background processes of this agent. */
  jobs: Jobs;
  /** Environment for children, already scrubbed (tools/environment.ts). */
  env: Record<string, string>;
  /** From the `tools.exec` section (tools/config.ts); `yieldMs` is its `backgroundMs`. */
  exec: ExecSettings;
  /** Real paths that no model tool may read or write, whatever it asks for (the state dir); devices and key folders come on top. */
  denied: string[];
  /** Paths inside a denied one that may be read all the same (skills, received media). */
  readable?: string[];
  /** Only the workspace (and `readable`) can be reached; for senders who are not the owner. */
  workspaceOnly?: boolean;
  /** Messages to chats; undefined where no network is configured. */
  messages?: MessagesPort | undefined;
  log: Logger;
}

export type ExecSettings = {
  timeoutSec: number;
  yieldMs: number;
  maxOutputChars: number;
  pathPrepend: string[];
  host?: "sandbox" | "gateway" | "node" | "auto";
  security?: "deny" | "allowlist" | "full";
  ask?: "off" | "on-miss" | "always";
  /** Newer spelling of `security` and `ask` in one word; they win where they are set. */
  mode?: "deny" | "allowlist" | "ask" | "auto" | "full";
};

export interface Tool<In extends z.ZodObject = z.ZodObject> {
  name: string;
  /** For people: the head of the tool card. */
  label: string;
  /** One line for the system prompt's list. */
  summary: string;
  /** For the model, at most 1,024 characters. */
  description: string;
  input: In;
  /** Other spellings of parameters that models use (`file_path` for `path`), renamed before validation. */
  aliases?: Record<string, string>;
  /** Only offered where a chat network is configured. */
  needsNetwork?: true;
  /** May throw AppError; its message goes to the model as an error result. */
  run(input: z.output<In>, ctx: ToolContext): Promise<ToolResult>;
}

export const tool = <In extends z.ZodObject>(def: Tool<In>): Tool<In> => def;

/** A `Tool<In>` is contravariant in `run`, so a list of different tools needs this one escape. */
// oxlint-disable-next-line no-explicit-any
export type AnyTool = Tool<any>;

/** JSON schema as models want it: no `$schema`, no `propertyNames`, and not the ±2^53 bounds that zod gives to integers. */
function plain(node: SchemaNode): SchemaNode {
  const {
    $schema: _,
    additionalProperties: __,
    propertyNames: ___,
    ...rest
  } = node as SchemaNode & Record<string, unknown>;
  const out: Record<string, unknown> = { ...rest };
  if (out["maximum"] === Number.MAX_SAFE_INTEGER) delete out["maximum"];
  if (out["minimum"] === Number.MIN_SAFE_INTEGER) delete out["minimum"];
  if (node.properties)
    out["properties"] = Object.fromEntries(
      Object.entries(node.properties).map(([key, child]) => [key, plain(child)]),
    );
  if (node.items) out["items"] = plain(node.items);
  if (typeof node.additionalProperties === "object")
    out["additionalProperties"] = plain(node.additionalProperties);
  return out as SchemaNode;
}

/** A tool never changes, and making its schema costs more than the rest of a short turn. */
const specs = new WeakMap<AnyTool, ToolSpec & { inputSchema: SchemaNode }>();

/** What the model sees. Always the same object for the same tool; frozen, because everybody gets it. */
export function toolSpec(t: AnyTool): ToolSpec & { inputSchema: SchemaNode } {
  const known = specs.get(t);
  if (known) return known;
  const spec = frozen({
    name: t.name,
    description: t.description,
    inputSchema: plain(jsonSchema(t.input)),
  });
  specs.set(t, spec);
  return spec;
}

function frozen<T extends object>(value: T): T {
  for (const child of Object.values(value)) if (typeof child === "object" && child) frozen(child);
  return Object.freeze(value);
}

/** Most characters of one result that go into the transcript. The tool keeps its own, smaller limit. */
const RESULT_LIMIT = 220_000;

/** Validation, failure capture and the last truncation for every tool live here, once. Never throws. */
export async function runTool(t: AnyTool, args: unknown, ctx: ToolContext): Promise<ToolResult> {
  const parsed = t.input.safeParse(lenient(t, args ?? {}));
  if (!parsed.success)
    return {
      isError: true,
      text: `Invalid arguments for ${t.name}:\n${z.prettifyError(parsed.error)}`.slice(0, 2000),
    };
  try {
    if (ctx.signal.aborted) throw new AppError("aborted", "The run was stopped before this call.");
    const result = await t.run(parsed.data, ctx);
    const kept = new Output(RESULT_LIMIT);
    kept.append(result.text);
    // Providers refuse half a surrogate pair, which would spoil the transcript for good.
    return { ...result, text: kept.text() };
  } catch (cause) {
    const error = toAppError(cause);
    if (error.code === "internal")
      ctx.log.error("tool failed", { tool: t.name, stack: error.stack });
    const text = error.hint ? `${error.message} ${error.hint}` : error.message;
    return { isError: true, text: text.toWellFormed() };
  }
}

/**
 * What models mean although they write it differently: other spellings of a name, `null` for an absent value, numbers and
 * booleans as text (or the other way round in `env`), one value for a list.
 */
function lenient(t: AnyTool, args: unknown): unknown {
  if (typeof args !== "object" || args === null || Array.isArray(args)) return args;
  const { properties = {} } = toolSpec(t).inputSchema;
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(args)) {
    const name = t.aliases && Object.hasOwn(t.aliases, key) ? t.aliases[key]! : key;
    if (value === null || (name !== key && Object.hasOwn(args, name))) continue;
    if (Object.hasOwn(properties, name)) out[name] = asType(properties[name]!, value);
  }
  return out;
}

function asType({ type, additionalProperties: entry }: SchemaNode, value: unknown): unknown {
  if (type === "array" && typeof value === "string") return [value];
  const text = typeof entry === "object" && entry.type === "string";
  if (type === "object" && text && typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([k, v]) => [
        k,
        ["number", "boolean"].includes(typeof v) ? `${v}` : v,
      ]),
    );
  if (typeof value !== "string") return value;
  if ((type === "integer" || type === "number") && /^-?\d+(?:\.\d+)?$/.test(value.trim()))
    return Number(value);
  if (type === "boolean" && /^(?:true|false)$/i.test(value)) return value.toLowerCase() === "true";
  return value;
}
