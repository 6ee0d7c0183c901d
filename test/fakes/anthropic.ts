/** Anthropic's Messages API as a server on this machine: as strict about requests as the platform, and scriptable. */
import {
  type FakeOptions,
  isObject,
  type Json,
  pieces,
  type Recorded,
  type Refusal,
  type Reply,
  startModelServer,
  type Wire,
} from "./model-server.ts";

export type {
  FakeCall,
  FakeOptions,
  FaultName,
  ModelServer,
  Recorded,
  Refusal,
  Reply,
  Script,
} from "./model-server.ts";

const BODY_KEYS = [
  "model",
  "max_tokens",
  "messages",
  "system",
  "tools",
  "tool_choice",
  "stream",
  "thinking",
  "output_config",
  "metadata",
  "stop_sequences",
  "service_tier",
  "cache_control",
  "container",
  "inference_geo",
  "speed",
  "diagnostics",
];
const BLOCK_KEYS: Record<string, string[]> = {
  text: ["type", "text", "cache_control", "citations"],
  image: ["type", "source", "cache_control", "transformations"],
  tool_use: ["type", "id", "name", "input", "cache_control", "caller", "toolset_name"],
  tool_result: ["type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name"],
  thinking: ["type", "thinking", "signature"],
  redacted_thinking: ["type", "data"],
};
const IN_ROLE: Record<string, string[]> = {
  user: ["text", "image", "tool_result"],
  assistant: ["text", "tool_use", "thinking", "redacted_thinking"],
};
const IMAGE_TYPES = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/** What the platform would refuse in a request body, in its own order; empty when it would take it. */
export function anthropicProblems(body: unknown): string[] {
  if (!isObject(body)) return ["the body is no object"];
  const out: string[] = [];
  const no = (where: string, what: string) => out.push(`${where}: ${what}`);
  for (const key of Object.keys(body))
    if (!BODY_KEYS.includes(key)) no(key, "Extra inputs are not permitted");
  if (typeof body["model"] !== "string" || !body["model"]) no("model", "Field required");
  const maxTokens = body["max_tokens"];
  if (!Number.isInteger(maxTokens) || (maxTokens as number) < 1) no("max_tokens", "Field required");
  checkTools(body["tools"], no);
  checkSystem(body["system"], no);
  checkThinking(body["thinking"], maxTokens as number, no);
  checkMessages(body["messages"], no);
  checkMarks(body, no);
  if (!JSON.stringify(body).isWellFormed()) no("body", "no low surrogate in string");
  return out;
}

type No = (where: string, what: string) => void;

function checkTools(tools: unknown, no: No): void {
  if (tools === undefined) return;
  if (!Array.isArray(tools)) return no("tools", "Input should be a valid array");
  const names = tools.map((t) => (isObject(t) ? t["name"] : undefined));
  if (new Set(names).size < names.length) no("tools", "Tool names must be unique.");
  tools.forEach((tool, i) => {
    if (!isObject(tool)) return no(`tools.${i}`, "Input should be an object");
    if (!/^[a-zA-Z0-9_-]{1,128}$/.test(String(tool["name"])))
      no(`tools.${i}.name`, "String should match pattern");
    const schema = tool["input_schema"];
    if (!isObject(schema) || schema["type"] !== "object")
      no(`tools.${i}.input_schema.type`, "Input should be 'object'");
  });
}

function checkSystem(system: unknown, no: No): void {
  if (system === undefined || (typeof system === "string" && system)) return;
  if (!Array.isArray(system) || !system.length) return no("system", "should not be empty");
  system.forEach((part, i) => {
    if (!isObject(part) || part["type"] !== "text" || !String(part["text"] ?? "").trim())
      no(`system.${i}`, "text content blocks must be non-empty");
  });
}

function checkThinking(thinking: unknown, maxTokens: number, no: No): void {
  if (thinking === undefined) return;
  if (!isObject(thinking)) return no("thinking", "Input should be an object");
  if (!["enabled", "disabled", "adaptive", "between_tools"].includes(String(thinking["type"])))
    no("thinking.type", "unknown");
  if (thinking["type"] !== "enabled") return;
  const budget = Number(thinking["budget_tokens"]);
  if (!(budget >= 1024))
    no("thinking.enabled.budget_tokens", "Input should be greater than or equal to 1024");
  if (budget >= maxTokens)
    no("max_tokens", "`max_tokens` must be greater than `thinking.budget_tokens`");
}

function checkMessages(messages: unknown, no: No): void {
  if (!Array.isArray(messages) || !messages.length)
    return no("messages", "at least one message is required");
  const seen = new Set<unknown>();
  let open: unknown[] = [];
  messages.forEach((message, i) => {
    const at = `messages.${i}`;
    if (!isObject(message)) return no(at, "Input should be an object");
    const role = String(message["role"]);
    if (role !== (i % 2 ? "assistant" : "user"))
      no(at, 'roles must alternate between "user" and "assistant", the first one is "user"');
    const content = message["content"];
    if (typeof content === "string") {
      if (!content.trim()) no(`${at}.content`, "text content blocks must be non-empty");
      if (open.length)
        no(at, "`tool_use` ids were found without `tool_result` blocks immediately after");
      open = [];
      return;
    }
    if (!Array.isArray(content) || !content.length)
      return no(`${at}.content`, "all messages must have non-empty content");
    content.forEach((block, j) => checkBlock(block, role, `${at}.content.${j}`, no));
    const blocks = content.filter(isObject);
    const results = blocks.filter((b) => b["type"] === "tool_result").map((b) => b["tool_use_id"]);
    const missing = open.filter((id) => !results.includes(id));
    if (missing.length)
      no(
        at,
        `\`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${missing.join(", ")}`,
      );
    for (const id of results)
      if (!open.includes(id))
        no(at, `unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}`);
    if (new Set(results).size < results.length) no(at, "each tool_use must have a single result");
    const first = blocks.findIndex((b) => b["type"] !== "tool_result");
    if (first >= 0 && blocks.slice(first).some((b) => b["type"] === "tool_result"))
      no(at, "tool_result blocks must come first");
    open = blocks.filter((b) => b["type"] === "tool_use").map((b) => b["id"]);
    for (const id of open) {
      if (seen.has(id)) no(at, "`tool_use` ids must be unique");
      seen.add(id);
    }
    if (role === "assistant" && /thinking$/.test(String(blocks.at(-1)?.["type"])))
      no(at, "The final block in an assistant message cannot be `thinking`.");
  });
  if (open.length)
    no("messages", "`tool_use` ids were found without `tool_result` blocks immediately after");
  const last = messages.at(-1) as unknown;
  if (isObject(last) && last["role"] === "assistant")
    no(
      "messages",
      "This model does not support assistant message prefill. The conversation must end with a user message.",
    );
}

function checkBlock(block: unknown, role: string, at: string, no: No): void {
  if (!isObject(block)) return no(at, "Input should be an object");
  const type = String(block["type"]);
  if (!IN_ROLE[role]?.includes(type))
    return no(at, `\`${type}\` blocks are not permitted in ${role} messages`);
  for (const key of Object.keys(block))
    if (!BLOCK_KEYS[type]!.includes(key))
      no(`${at}.${type}.${key}`, "Extra inputs are not permitted");
  if (type === "text" && !String(block["text"] ?? "").trim())
    no(at, "text content blocks must contain non-whitespace text");
  if (type === "image") checkImage(block, at, no);
  if (type === "thinking" && (typeof block["thinking"] !== "string" || !block["signature"]))
    no(at, "Invalid `signature` in `thinking` block");
  if (type === "redacted_thinking" && !block["data"]) no(at, "Field required");
  if (type === "tool_use") {
    if (!/^[a-zA-Z0-9_-]+$/.test(String(block["id"])))
      no(`${at}.id`, "String should match pattern '^[a-zA-Z0-9_-]+$'");
    if (!/^[a-zA-Z0-9_-]{1,128}$/.test(String(block["name"])))
      no(`${at}.name`, "String should match pattern");
    if (!isObject(block["input"])) no(`${at}.input`, "Input should be a valid dictionary");
  }
  if (type !== "tool_result") return;
  const content = block["content"];
  if (content === undefined || typeof content === "string") return;
  if (!Array.isArray(content)) return no(`${at}.content`, "Input should be a valid array");
  content.forEach((part, i) => {
    const where = `${at}.content.${i}`;
    if (!isObject(part)) return no(where, "Input should be an object");
    if (part["type"] === "image") checkImage(part, where, no);
    else if (part["type"] !== "text" || !String(part["text"] ?? "").trim())
      no(where, "text content blocks must be non-empty");
  });
}

function checkImage(block: Json, at: string, no: No): void {
  const source = block["source"];
  if (!isObject(source) || source["type"] !== "base64")
    return no(at, "image.source: Field required");
  if (!IMAGE_TYPES.includes(String(source["media_type"])))
    no(at, "media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'");
  const data = String(source["data"] ?? "");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(data)) no(at, "image.source.base64: invalid base64 data");
  if ((data.length * 3) / 4 > 5 * 1024 * 1024) no(at, "image exceeds 5 MB maximum");
}

function checkMarks(body: Json, no: No): void {
  let count = 0;
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(walk);
    if (!isObject(value)) return;
    for (const [key, child] of Object.entries(value)) {
      // Tool arguments and schemas are data; what is called cache_control in them is no mark.
      if (key === "input" || key === "input_schema") continue;
      if (key !== "cache_control") {
        walk(child);
        continue;
      }
      count++;
      if (
        !isObject(child) ||
        child["type"] !== "ephemeral" ||
        ![undefined, "5m", "1h"].includes(child["ttl"] as string)
      )
        no("cache_control", "Input should be {type: 'ephemeral', ttl?: '5m' | '1h'}");
    }
  };
  walk(body);
  if (count > 4)
    no(
      "cache_control",
      `A maximum of 4 blocks with cache_control may be provided. Found ${count}.`,
    );
}

const event = (type: string, data: Json): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;

const STOPS = { end: "end_turn", tool: "tool_use", length: "max_tokens", refusal: "refusal" };

const wire: Wire = {
  problems({ headers, body }) {
    const refuse = (message: string, status = 400): Refusal & { message: string } => ({
      status,
      message,
      kind: status === 401 ? "authentication_error" : "invalid_request_error",
    });
    if (!headers["x-api-key"] && !headers["authorization"])
      return [refuse("x-api-key header is required", 401)];
    if (!headers["anthropic-version"]) return [refuse("anthropic-version: header is required")];
    // Sampling parameters are refused since 2026-10-21 and taken before.
    const old = headers["anthropic-version"] === "2023-06-01";
    const { temperature: _, ...rest } = body ?? {};
    return anthropicProblems(old ? rest : body).map((message) => refuse(message));
  },
  frames(reply, request, n) {
    const u = reply.usage ?? {};
    const usage = {
      input_tokens: u.input ?? 10,
      cache_read_input_tokens: u.cacheRead ?? 0,
      cache_creation_input_tokens: u.cacheWrite ?? 0,
      output_tokens: 1,
    };
    const frames = [
      event("message_start", {
        message: {
          id: `msg_${n}`,
          type: "message",
          role: "assistant",
          model: request.body?.model,
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage,
        },
      }),
      event("ping", {}),
    ];
    let index = 0;
    const block = (start: Json, deltas: Json[]) => {
      frames.push(event("content_block_start", { index, content_block: start }));
      for (const delta of deltas) frames.push(event("content_block_delta", { index, delta }));
      frames.push(event("content_block_stop", { index }));
      index++;
    };
    if (reply.thinking)
      block({ type: "thinking", thinking: "", signature: "" }, [
        ...pieces(reply.thinking).map((thinking) => ({ type: "thinking_delta", thinking })),
        { type: "signature_delta", signature: `sig-${n}` },
      ]);
    if (reply.text)
      block(
        { type: "text", text: "" },
        pieces(reply.text, reply.chunks).map((text) => ({ type: "text_delta", text })),
      );
    reply.toolCalls?.forEach((call, i) => {
      const args = call.rawArgs ?? JSON.stringify(call.args ?? {});
      block(
        { type: "tool_use", id: call.id ?? `toolu_${n}_${i}`, name: call.name, input: {} },
        ["", ...pieces(args, 3)].map((partial_json) => ({
          type: "input_json_delta",
          partial_json,
        })),
      );
    });
    const stop = reply.stop ?? (reply.toolCalls?.length ? "tool" : "end");
    frames.push(
      event("message_delta", {
        delta: { stop_reason: STOPS[stop], stop_sequence: null },
        usage: { ...usage, output_tokens: u.output ?? 20 },
      }),
      event("message_stop", {}),
    );
    return { frames, last: 1 };
  },
  errorBody: ({ message, kind }) => ({
    type: "error",
    error: { type: kind ?? "api_error", message: message ?? "something went wrong" },
    request_id: "req_fake",
  }),
  errorFrame: ({ message, kind }) => event("error", { error: { type: kind, message } }),
};

/** Starts the server; `fake.url` is the base URL without `/v1`. */
export const startAnthropic = (options: FakeOptions = {}) =>
  startModelServer(
    options,
    (path) => (path === "/v1/messages" ? wire : undefined),
    ({ path }: Recorded) =>
      path === "/v1/models"
        ? {
            data: [
              {
                type: "model",
                id: "claude-fake",
                display_name: "Claude Fake",
                created_at: "2026-01-01T00:00:00Z",
                max_input_tokens: 200000,
                max_tokens: 64000,
              },
            ],
            has_more: false,
            first_id: "claude-fake",
            last_id: "claude-fake",
          }
        : undefined,
  );

/** For tests that need the bytes of a reply without a server. */
export const anthropicFrames = (reply: Reply, model = "claude-fake"): string =>
  wire
    .frames(
      reply,
      { method: "POST", path: "/v1/messages", headers: {}, body: { model }, text: "" },
      1,
    )
    .frames.join("");
