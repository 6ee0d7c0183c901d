/**
 * The OpenAI wires as a server on this machine: Chat Completions, Responses, `/v1/models` and Ollama's `/api/tags`. As strict
 * about requests as the platform, and scriptable; `compatible` answers the way other vendors' servers do.
 */
import {
  type FakeCall,
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
  FaultName,
  ModelServer,
  Recorded,
  Refusal,
  Reply,
  Script,
} from "./model-server.ts";

type No = (where: string, what: string) => void;
const isText = (value: unknown): value is string =>
  typeof value === "string" && value.trim() !== "";
const isJsonObject = (text: unknown): boolean => {
  try {
    return isObject(JSON.parse(String(text)));
  } catch {
    // Expected: that is the question.
    return false;
  }
};

export type OpenAIFakeOptions = FakeOptions & {
  /** Fields that this server answers with "Unsupported parameter". */
  refuses?: string[];
  /** How tool calls are streamed; vendors differ. */
  calls?: "fragments" | "whole" | "whole-without-index" | "all-index-0";
  /** Name of the field that thinking is streamed in. */
  reasoningField?: "reasoning_content" | "reasoning";
  /** Put next to each tool call, as Google does. */
  extraContent?: unknown;
  /** Names of models in `/v1/models` and `/api/tags`. */
  models?: string[];
};

const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

function checkTools(tools: unknown, of: (tool: Json) => Json | undefined, no: No): void {
  if (tools === undefined) return;
  if (!Array.isArray(tools) || !tools.length) return no("tools", "[] is too short - 'tools'");
  const names = new Set<string>();
  tools.forEach((tool, i) => {
    const fn = isObject(tool) && tool["type"] === "function" ? of(tool) : undefined;
    if (!fn) return no(`tools[${i}]`, "Missing required parameter");
    const name = String(fn["name"]);
    if (!/^[a-zA-Z0-9_-]{1,64}$/.test(name))
      no(`tools[${i}].name`, "string does not match pattern");
    if (names.has(name)) no(`tools[${i}].name`, "Tool names must be unique.");
    names.add(name);
    const schema = fn["parameters"];
    if (!isObject(schema) || schema["type"] !== "object")
      no(`tools[${i}].parameters`, "schema must be a JSON Schema of 'type: \"object\"'");
  });
}

const CHAT_KEYS = [
  "model",
  "messages",
  "stream",
  "stream_options",
  "tools",
  "tool_choice",
  "max_tokens",
  "max_completion_tokens",
  "temperature",
  "top_p",
  "reasoning_effort",
  "prompt_cache_key",
  "store",
  "parallel_tool_calls",
  "user",
  "metadata",
];

/** What the platform would refuse in a Chat Completions body; empty when it would take it. */
export function openaiProblems(body: unknown): string[] {
  if (!isObject(body)) return ["the body is no object"];
  const out: string[] = [];
  const no: No = (where, what) => out.push(`${what}: '${where}'.`);
  for (const key of Object.keys(body)) if (!CHAT_KEYS.includes(key)) no(key, "Unknown parameter");
  if (!isText(body["model"])) no("model", "you must provide a model parameter");
  if (body["stream_options"] !== undefined && body["stream"] !== true)
    no("stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled");
  if (body["max_tokens"] !== undefined && body["max_completion_tokens"] !== undefined)
    no(
      "max_tokens",
      "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported",
    );
  for (const key of ["max_tokens", "max_completion_tokens"])
    if (body[key] !== undefined && !(Number.isInteger(body[key]) && (body[key] as number) >= 1))
      no(key, "Invalid value");
  if (body["reasoning_effort"] !== undefined && !EFFORTS.includes(String(body["reasoning_effort"])))
    no("reasoning_effort", "Unsupported value");
  checkTools(
    body["tools"],
    (tool) => (isObject(tool["function"]) ? tool["function"] : undefined),
    no,
  );
  checkChat(body["messages"], no);
  if (!JSON.stringify(body).isWellFormed()) no("body", "lone surrogate");
  return out;
}

function checkChat(messages: unknown, no: No): void {
  if (!Array.isArray(messages) || !messages.length) return no("messages", "[] is too short");
  const seen = new Set<unknown>();
  let open: unknown[] = [];
  messages.forEach((message, i) => {
    const at = `messages[${i}]`;
    if (!isObject(message)) return no(at, "Invalid type");
    const { role, content } = message;
    if (role === "tool") {
      if (!open.includes(message["tool_call_id"]))
        no(
          at,
          "messages with role 'tool' must be a response to a preceding message with 'tool_calls'",
        );
      open = open.filter((id) => id !== message["tool_call_id"]);
      if (!isText(content) && !Array.isArray(content)) no(`${at}.content`, "Invalid value");
      return;
    }
    if (open.length)
      no(
        at,
        `An assistant message with 'tool_calls' must be followed by tool messages; missing: ${open.join(", ")}`,
      );
    open = [];
    if (role === "assistant") open = checkAnswer(message, at, seen, no);
    else if (role === "user") checkParts(content, `${at}.content`, no);
    else if (role !== "system" && role !== "developer")
      no(`${at}.role`, `Invalid value: '${String(role)}'`);
    else if (!isText(content) && !Array.isArray(content)) no(`${at}.content`, "Invalid value");
  });
  if (open.length)
    no("messages", "An assistant message with 'tool_calls' must be followed by tool messages");
}

function checkAnswer(message: Json, at: string, seen: Set<unknown>, no: No): unknown[] {
  const calls = message["tool_calls"];
  if (calls === undefined && !isText(message["content"]))
    no(`${at}.content`, "expected a string, got null");
  if (calls === undefined) return [];
  if (!Array.isArray(calls) || !calls.length) {
    no(`${at}.tool_calls`, "[] is too short");
    return [];
  }
  return calls.map((call: unknown, j) => {
    const where = `${at}.tool_calls[${j}]`;
    const fn = isObject(call) && isObject(call["function"]) ? call["function"] : undefined;
    if (!isObject(call) || call["type"] !== "function" || !fn) {
      no(where, "Missing required parameter");
      return undefined;
    }
    const id = String(call["id"] ?? "");
    if (!id || id.length > 40)
      no(`${where}.id`, "string too long. Expected a string with maximum length 40");
    if (seen.has(id)) no(`${where}.id`, "Duplicate value");
    seen.add(id);
    if (!/^[a-zA-Z0-9_-]{1,64}$/.test(String(fn["name"])))
      no(`${where}.function.name`, "does not match pattern");
    if (!isJsonObject(fn["arguments"])) no(`${where}.function.arguments`, "Invalid JSON");
    return id;
  });
}

function checkParts(content: unknown, at: string, no: No): void {
  if (isText(content)) return;
  if (!Array.isArray(content) || !content.length) return no(at, "Invalid value: empty content");
  content.forEach((part, i) => {
    const where = `${at}[${i}]`;
    if (!isObject(part)) return no(where, "Invalid type");
    if (part["type"] === "text") {
      if (!isText(part["text"])) no(where, "empty text");
    } else if (part["type"] === "image_url") {
      const url = isObject(part["image_url"]) ? part["image_url"]["url"] : undefined;
      if (!/^(https?:|data:image\/[a-z.+-]+;base64,[A-Za-z0-9+/]+={0,2}$)/.test(String(url)))
        no(where, "Invalid image URL");
    } else no(`${where}.type`, `Invalid value: '${String(part["type"])}'`);
  });
}

const RESPONSE_KEYS = [
  "model",
  "input",
  "instructions",
  "stream",
  "store",
  "tools",
  "tool_choice",
  "max_output_tokens",
  "reasoning",
  "include",
  "temperature",
  "top_p",
  "prompt_cache_key",
  "parallel_tool_calls",
  "metadata",
  "text",
  "truncation",
];

/** What the platform would refuse in a Responses body; empty when it would take it. */
export function responsesProblems(body: unknown): string[] {
  if (!isObject(body)) return ["the body is no object"];
  const out: string[] = [];
  const no: No = (where, what) => out.push(`${what}: '${where}'.`);
  for (const key of Object.keys(body))
    if (!RESPONSE_KEYS.includes(key)) no(key, "Unknown parameter");
  if (!isText(body["model"])) no("model", "you must provide a model parameter");
  const max = body["max_output_tokens"];
  if (max !== undefined && !(Number.isInteger(max) && (max as number) >= 16))
    no("max_output_tokens", "Invalid value");
  if (body["instructions"] !== undefined && !isText(body["instructions"]))
    no("instructions", "Invalid value");
  const effort = isObject(body["reasoning"]) ? body["reasoning"]["effort"] : undefined;
  if (effort !== undefined && !EFFORTS.includes(String(effort)))
    no("reasoning.effort", "Unsupported value");
  checkTools(body["tools"], (tool) => tool, no);
  checkInput(body["input"], body["store"] === false, no);
  if (!JSON.stringify(body).isWellFormed()) no("body", "lone surrogate");
  return out;
}

function checkInput(input: unknown, stateless: boolean, no: No): void {
  if (isText(input)) return;
  if (!Array.isArray(input) || !input.length) return no("input", "Missing required parameter");
  const calls = new Set<unknown>();
  const open = new Set<unknown>();
  input.forEach((item, i) => {
    const at = `input[${i}]`;
    if (!isObject(item)) return no(at, "Invalid type");
    const type = item["type"] ?? (item["role"] ? "message" : undefined);
    if (type === "message") {
      const role = String(item["role"]);
      const kind = role === "assistant" ? "output_text" : "input_text";
      if (!["user", "assistant", "system", "developer"].includes(role))
        no(`${at}.role`, "Invalid value");
      if (isText(item["content"])) return;
      if (!Array.isArray(item["content"]) || !item["content"].length)
        return no(`${at}.content`, "Invalid value");
      for (const part of item["content"])
        if (!isObject(part) || ![kind, "input_image", "refusal"].includes(String(part["type"])))
          no(`${at}.content`, "Invalid part");
    } else if (type === "function_call") {
      const id = item["call_id"];
      if (!isText(id) || id.length > 64)
        no(`${at}.call_id`, "string too long. Expected a string with maximum length 64");
      if (calls.has(id)) no(`${at}.call_id`, "Duplicate value");
      calls.add(id);
      open.add(id);
      if (!/^[a-zA-Z0-9_-]{1,64}$/.test(String(item["name"])))
        no(`${at}.name`, "does not match pattern");
      if (!isJsonObject(item["arguments"])) no(`${at}.arguments`, "Invalid JSON");
    } else if (type === "function_call_output") {
      if (!open.delete(item["call_id"]))
        no(
          at,
          `No tool call found for function call output with call_id ${String(item["call_id"])}`,
        );
      if (!isText(item["output"]) && !Array.isArray(item["output"]))
        no(`${at}.output`, "Invalid value");
    } else if (type === "reasoning") {
      if (!isText(item["id"]) || !Array.isArray(item["summary"]))
        no(at, "Missing required parameter");
      if (stateless && !isText(item["encrypted_content"]))
        no(at, "Item not found: items are not persisted when `store` is false");
      const next = input[i + 1] as unknown;
      const follows =
        isObject(next) &&
        (["function_call", "reasoning"].includes(String(next["type"])) ||
          next["role"] === "assistant");
      if (!follows)
        no(at, "Item of type 'reasoning' was provided without its required following item");
    } else no(`${at}.type`, `Invalid value: '${String(type)}'`);
  });
  for (const id of open) no("input", `No tool output found for function call ${String(id)}`);
}

const invalid = (message: string): Refusal & { message: string } => {
  const param = /'([\w.[\]]+)'\.$/.exec(message)?.[1];
  return { status: 400, message, kind: "invalid_request_error", ...(param ? { param } : {}) };
};

function problemsOf(
  request: Recorded,
  options: OpenAIFakeOptions,
  check: (body: unknown) => string[],
) {
  if (!request.headers["authorization"] && options.key !== undefined)
    return [
      { status: 401, message: "You didn't provide an API key.", kind: "invalid_request_error" },
    ];
  const body = isObject(request.body) ? request.body : {};
  const refused = (options.refuses ?? []).filter((key) => key in body);
  if (refused.length)
    return refused.map((key) =>
      invalid(`Unsupported parameter: '${key}' is not supported with this model: '${key}'.`),
    );
  return check(request.body).map(invalid);
}

const errorBody = ({ message, kind, param, status }: Refusal): Json => ({
  error: {
    message: message ?? "something went wrong",
    type: kind ?? "server_error",
    param: param ?? null,
    code: status === 429 ? "rate_limit_exceeded" : status === 401 ? "invalid_api_key" : null,
  },
});

const chatWire = (options: OpenAIFakeOptions): Wire => ({
  problems: (request) => problemsOf(request, options, openaiProblems),
  frames(reply, request, n) {
    const chunk = (rest: Json) =>
      `data: ${JSON.stringify({ id: `chatcmpl-${n}`, object: "chat.completion.chunk", created: 1, model: request.body?.model, ...rest })}\n\n`;
    const delta = (d: Json, finish: string | null = null) =>
      chunk({ choices: [{ index: 0, delta: d, finish_reason: finish, logprobs: null }] });
    const frames = [delta({ role: "assistant", content: "" })];
    for (const part of reply.thinking ? pieces(reply.thinking) : [])
      frames.push(delta({ [options.reasoningField ?? "reasoning_content"]: part }));
    for (const part of reply.text ? pieces(reply.text, reply.chunks) : [])
      frames.push(delta({ content: part }));
    for (const [i, call] of (reply.toolCalls ?? []).entries())
      for (const part of callDeltas(call, i, n, options))
        frames.push(delta({ tool_calls: [part] }));
    const stop = reply.stop ?? (reply.toolCalls?.length ? "tool" : "end");
    frames.push(
      delta(
        {},
        { end: "stop", tool: "tool_calls", length: "length", refusal: "content_filter" }[stop],
      ),
    );
    let last = 2;
    if (isObject(request.body?.stream_options)) {
      const u = reply.usage ?? {};
      frames.push(
        chunk({
          choices: [],
          usage: {
            prompt_tokens: (u.input ?? 10) + (u.cacheRead ?? 0),
            completion_tokens: u.output ?? 20,
            total_tokens: 0,
            prompt_tokens_details: { cached_tokens: u.cacheRead ?? 0 },
          },
        }),
      );
      last++;
    }
    frames.push("data: [DONE]\n\n");
    return { frames, last };
  },
  errorBody,
  errorFrame: (refusal) => `data: ${JSON.stringify(errorBody(refusal))}\n\n`,
});

function callDeltas(call: FakeCall, index: number, n: number, options: OpenAIFakeOptions): Json[] {
  const id = call.id ?? `call_${n}_${index}`;
  const args = call.rawArgs ?? JSON.stringify(call.args ?? {});
  const extra = options.extraContent === undefined ? {} : { extra_content: options.extraContent };
  const whole = { type: "function", function: { name: call.name, arguments: args }, ...extra };
  if (options.calls === "whole") return [{ index, id, ...whole }];
  if (options.calls === "whole-without-index") return [whole];
  if (options.calls === "all-index-0") return [{ index: 0, id, ...whole }];
  return [
    { index, id, type: "function", function: { name: call.name, arguments: "" }, ...extra },
    ...pieces(args, 3).map((part) => ({ index, function: { arguments: part } })),
  ];
}

const responsesWire = (options: OpenAIFakeOptions): Wire => ({
  problems: (request) => problemsOf(request, options, responsesProblems),
  frames(reply, request, n) {
    let sequence_number = 0;
    const event = (type: string, data: Json) =>
      `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence_number++, ...data })}\n\n`;
    const response = {
      id: `resp_${n}`,
      object: "response",
      model: request.body?.model,
      output: [],
      usage: null,
    };
    const frames = [
      event("response.created", { response: { ...response, status: "in_progress" } }),
    ];
    const output: Json[] = [];
    const item = (start: Json, done: Json, deltas: string[]) => {
      const output_index = output.length;
      frames.push(event("response.output_item.added", { output_index, item: start }), ...deltas);
      frames.push(event("response.output_item.done", { output_index, item: done }));
      output.push(done);
    };
    const encrypts =
      Array.isArray(request.body?.include) &&
      request.body.include.includes("reasoning.encrypted_content");
    if (reply.thinking) {
      const start = { type: "reasoning", id: `rs_${n}`, summary: [] };
      const deltas = pieces(reply.thinking).map((delta) =>
        event("response.reasoning_summary_text.delta", {
          item_id: start.id,
          output_index: 0,
          summary_index: 0,
          delta,
        }),
      );
      const summary = [{ type: "summary_text", text: reply.thinking }];
      item(
        start,
        { ...start, summary, ...(encrypts ? { encrypted_content: `sealed-${n}` } : {}) },
        deltas,
      );
    }
    if (reply.text) {
      const start = { type: "message", id: `msg_${n}`, role: "assistant", content: [] };
      const deltas = pieces(reply.text, reply.chunks).map((delta) =>
        event("response.output_text.delta", {
          item_id: start.id,
          output_index: output.length,
          content_index: 0,
          delta,
        }),
      );
      item(
        start,
        {
          ...start,
          status: "completed",
          content: [{ type: "output_text", text: reply.text, annotations: [] }],
        },
        deltas,
      );
    }
    for (const [i, call] of (reply.toolCalls ?? []).entries()) {
      const args = call.rawArgs ?? JSON.stringify(call.args ?? {});
      const start = {
        type: "function_call",
        id: `fc_${n}_${i}`,
        call_id: call.id ?? `call_${n}_${i}`,
        name: call.name,
      };
      const deltas = pieces(args, 3).map((delta) =>
        event("response.function_call_arguments.delta", {
          item_id: start.id,
          output_index: output.length,
          delta,
        }),
      );
      item({ ...start, arguments: "" }, { ...start, arguments: args, status: "completed" }, deltas);
    }
    const u = reply.usage ?? {};
    const incomplete = reply.stop === "length" || reply.stop === "refusal";
    frames.push(
      event(incomplete ? "response.incomplete" : "response.completed", {
        response: {
          ...response,
          status: incomplete ? "incomplete" : "completed",
          incomplete_details: incomplete
            ? { reason: reply.stop === "length" ? "max_output_tokens" : "content_filter" }
            : null,
          output,
          usage: {
            input_tokens: (u.input ?? 10) + (u.cacheRead ?? 0),
            input_tokens_details: { cached_tokens: u.cacheRead ?? 0 },
            output_tokens: u.output ?? 20,
            output_tokens_details: { reasoning_tokens: 0 },
            total_tokens: 0,
          },
        },
      }),
    );
    return { frames, last: 1 };
  },
  errorBody,
  errorFrame: (refusal) =>
    `event: error\ndata: ${JSON.stringify({ type: "error", sequence_number: 99, ...(errorBody(refusal)["error"] as Json) })}\n\n`,
});

/** Starts the server; `fake.url + "/v1"` is the base URL of both wires. */
export function startOpenAI(options: OpenAIFakeOptions = {}) {
  const chat = chatWire(options);
  const responses = responsesWire(options);
  const models = options.models ?? ["fake-model"];
  return startModelServer(
    options,
    (path) =>
      path === "/v1/chat/completions" ? chat : path === "/v1/responses" ? responses : undefined,
    ({ path }: Recorded): Reply | Json | undefined => {
      if (path === "/v1/models")
        return {
          object: "list",
          data: models.map((id) => ({ id, object: "model", created: 1, owned_by: "fake" })),
        };
      if (path === "/api/tags")
        return {
          models: models.map((name) => ({ name, model: name, details: { families: ["llama"] } })),
        };
      return undefined;
    },
  );
}

/** A refusal with exactly this under `error`. */
export const openaiRefusal = (status: number, error: object): Refusal => ({
  status,
  body: JSON.stringify({ error }),
  contentType: "application/json",
});
