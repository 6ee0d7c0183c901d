/** Tool calls on their way from and to a wire: arguments and ids. */
import type { Block, Message } from "../flow.ts";

/** Longest arguments of one call, in characters. What is longer is left to fail as invalid. */
export const MAX_ARGS = 4 * 1024 * 1024;

/** The arguments as streamed. Text that is not JSON stays a string, so that the tool's validation tells the model. */
export function parseArgs(text: string): unknown {
  if (!text.trim()) return {};
  try {
    return JSON.parse(text);
  } catch {
    // Expected: models do produce invalid JSON.
    return text;
  }
}

/** Arguments as an object, as platforms insist on when they get a call back. */
export const argsObject = (args: unknown): Record<string, unknown> =>
  typeof args === "object" && args !== null && !Array.isArray(args)
    ? (args as Record<string, unknown>)
    : { arguments: args };

/** Ids as a platform wants them, the same for a call and its result, unique within the request. Made anew for each request. */
export class CallIds {
  private readonly known = new Map<string, string>();
  private readonly taken = new Set<string>();
  constructor(private readonly shape: (id: string) => string) {}

  of(id: string): string {
    const known = this.known.get(id);
    if (known !== undefined) return known;
    const base = this.shape(id);
    let name = base;
    for (let n = 1; this.taken.has(name); n++) {
      const suffix = String(n);
      name = base.slice(0, Math.max(0, base.length - suffix.length)) + suffix;
    }
    this.known.set(id, name);
    this.taken.add(name);
    return name;
  }
}

/** Letters, digits, `_` and `-`, at most 40: what every platform accepts (Chat Completions has the lowest limit). */
export const commonId = (id: string): string =>
  id.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 40) || "call";

/**
 * The last guard before a wire; the view of the agent already sees to it. Drops results without a call before them, and gives a
 * call without a result one that says so, because one of either makes every further request of a session fail.
 */
export function paired(messages: Message[]): Message[] {
  const out: Message[] = [];
  let open = new Map<string, string>();
  const close = (at: number) => {
    if (!open.size) return;
    const blocks: Block[] = [...open].map(([id, name]) => ({
      type: "tool_result",
      id,
      name,
      text: "[no result: the call was interrupted]",
      isError: true,
    }));
    open = new Map();
    const last = out.at(-1);
    if (last?.role === "tool")
      out[out.length - 1] = { ...last, blocks: [...last.blocks, ...blocks] };
    else out.push({ role: "tool", blocks, at });
  };
  for (const message of messages) {
    if (message.role === "tool") {
      const blocks = message.blocks.filter((b) => b.type !== "tool_result" || open.delete(b.id));
      if (blocks.length) out.push({ ...message, blocks });
      continue;
    }
    close(message.at);
    const seen = new Set<string>();
    const blocks = message.blocks.filter((b) => {
      if (b.type === "tool_result") return false;
      if (b.type !== "tool_call") return true;
      if (message.role !== "assistant" || seen.has(b.id)) return false;
      seen.add(b.id);
      open.set(b.id, b.name);
      return true;
    });
    out.push({ ...message, blocks });
  }
  close(messages.at(-1)?.at ?? 0);
  return out;
}
