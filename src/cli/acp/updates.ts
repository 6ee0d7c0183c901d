/** What a run says and does, as `session/update` notifications. Texts come cumulative and leave as pieces, each once. */
import { isAbsolute } from "node:path";

import { gistOf } from "../tui/screen/items.ts";
import { restOf } from "../tui/talk/streamed.ts";
import { type AgentEvent, type Message, partsOf, resultText, saidIn } from "../tui/talk/wire.ts";

export type Update = { sessionUpdate: string } & Record<string, unknown>;

const KINDS: Record<string, string> = {
  read: "read",
  write: "edit",
  edit: "edit",
  apply_patch: "edit",
  exec: "execute",
  process: "execute",
  web_fetch: "fetch",
  web_search: "search",
  memory_search: "search",
};
/** Longest title of a tool call, in characters. */
const MAX_TITLE = 200;

const textBlock = (text: string) => ({ type: "text", text });
const chunk = (sessionUpdate: string, text: string): Update => ({
  sessionUpdate,
  content: textBlock(text),
});

function toolCall(id: string, name: string, args: unknown, status: string): Update {
  const gist = gistOf(args);
  const path = (args as { path?: unknown } | null)?.path;
  return {
    sessionUpdate: "tool_call",
    toolCallId: id,
    title: (gist ? `${name}: ${gist}` : name).slice(0, MAX_TITLE) || "tool",
    kind: KINDS[name] ?? "other",
    status,
    ...(typeof args === "object" && args !== null ? { rawInput: args } : {}),
    ...(typeof path === "string" && isAbsolute(path) ? { locations: [{ path }] } : {}),
  };
}

const toolUpdate = (toolCallId: string, status: string, text: string): Update => ({
  sessionUpdate: "tool_call_update",
  toolCallId,
  status,
  ...(text ? { content: [{ type: "content", content: textBlock(text) }] } : {}),
});

/** A finished message of the history as updates; results of tools are updates of their calls. */
export function replayed(message: Message): Update[] {
  if (message.toolCallId)
    return [
      toolUpdate(
        message.toolCallId,
        message.isError ? "failed" : "completed",
        resultText(message.content),
      ),
    ];
  if (message.role === "user") {
    const said = saidIn(message);
    return said ? [chunk("user_message_chunk", said)] : [];
  }
  if (message.level || message.role !== "assistant") return [];
  return partsOf(message).flatMap((part): Update[] => {
    if (part.type === "text" && part.text?.trim()) return [chunk("agent_message_chunk", part.text)];
    if (part.type === "thinking" && part.thinking?.trim())
      return [chunk("agent_thought_chunk", part.thinking)];
    if (/call|use/i.test(part.type) && part.id)
      return [
        toolCall(
          part.id,
          part.name ?? "",
          part.arguments ?? part.args ?? part.input,
          "in_progress",
        ),
      ];
    return [];
  });
}

/** One run while it happens; `missed` tells afterwards what a lost connection swallowed. */
export class RunUpdates {
  /** Texts that were told, in order; the last one may go on. */
  private readonly texts: string[] = [];
  private open = false;
  private thought = "";
  private readonly tools = new Map<string, "open" | "over">();

  take({ stream, data }: AgentEvent): Update[] {
    const text = typeof data["text"] === "string" ? data["text"] : undefined;
    if (stream === "assistant" && text !== undefined) return this.said(text);
    if (stream === "thinking" && text !== undefined) return this.thinks(text);
    if (stream === "message") return this.message((data["message"] ?? {}) as Message);
    return stream === "tool" ? this.tool(data) : [];
  }

  /** What the stored messages of this run have beyond what was told. */
  missed(messages: readonly Message[]): Update[] {
    let at = 0;
    return messages.flatMap((message): Update[] => {
      const whole = message.role === "assistant" ? saidIn(message) : "";
      const rest = whole ? (restOf(whole, this.texts[at++] ?? "") ?? `\n\n${whole}`) : "";
      const said = rest.trim() ? [chunk("agent_message_chunk", rest)] : [];
      return [...said, ...replayed(message).filter((update) => this.isNews(update))];
    });
  }

  /** A step of a tool that was not told yet; from now on it is. */
  private isNews({ toolCallId, sessionUpdate }: Update): boolean {
    if (typeof toolCallId !== "string") return false;
    const isCall = sessionUpdate === "tool_call";
    const known = this.tools.get(toolCallId);
    if (isCall ? known !== undefined : known === "over") return false;
    this.tools.set(toolCallId, isCall ? "open" : "over");
    return true;
  }

  private said(whole: string): Update[] {
    if (!this.open) {
      this.texts.push("");
      this.open = true;
    }
    const at = this.texts.length - 1;
    const told = this.texts[at]!;
    if (told.startsWith(whole)) return [];
    this.texts[at] = whole;
    // A text that began anew: what was told cannot be taken back.
    const rest = whole.startsWith(told) ? whole.slice(told.length) : `\n\n${whole}`;
    return [chunk("agent_message_chunk", rest)];
  }

  private thinks(whole: string): Update[] {
    const rest = whole.startsWith(this.thought) ? whole.slice(this.thought.length) : whole;
    this.thought = whole;
    return rest ? [chunk("agent_thought_chunk", rest)] : [];
  }

  private message(message: Message): Update[] {
    this.thought = "";
    if (message.role !== "assistant") return [];
    const whole = saidIn(message);
    const told = this.open ? this.texts.at(-1)! : "";
    if (!whole) {
      if (this.open) this.texts.pop();
      this.open = false;
      return [];
    }
    const rest = restOf(whole, told) ?? `\n\n${whole}`;
    if (this.open) this.texts.pop();
    this.texts.push(whole);
    this.open = false;
    return rest.trim() ? [chunk("agent_message_chunk", rest)] : [];
  }

  private tool(data: Record<string, unknown>): Update[] {
    const id = data["toolCallId"];
    if (typeof id !== "string" || this.tools.get(id) === "over") return [];
    const begin = this.tools.has(id)
      ? []
      : [toolCall(id, String(data["name"] ?? ""), data["args"], "in_progress")];
    const phase = data["phase"];
    this.tools.set(id, phase === "result" ? "over" : "open");
    if (phase === "update")
      return [...begin, toolUpdate(id, "in_progress", resultText(data["partialResult"]))];
    if (phase !== "result") return begin;
    const status = data["isError"] === true ? "failed" : "completed";
    return [...begin, toolUpdate(id, status, resultText(data["result"]))];
  }
}
