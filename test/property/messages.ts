/** What must hold for the messages of any request, and what of one request must come back in the next. */
import type { Message } from "../../src/flow.ts";

/** Everything that platforms have been seen to refuse, in our own terms. */
export function problems(messages: Message[]): string[] {
  const found: string[] = [];
  const ids = new Set<string>();
  if (messages.length && messages[0]!.role !== "user") found.push("does not begin with the user");
  for (const [index, { role, blocks }] of messages.entries()) {
    const before = messages[index - 1];
    const where = `message ${index} (${role})`;
    if (!blocks.length) found.push(`${where} is empty`);
    if (before?.role === role) found.push(`${where} follows one of the same role`);
    const calls = before?.blocks.filter((b) => b.type === "tool_call") ?? [];
    if ((role === "tool") !== calls.length > 0)
      found.push(`${where} stands behind the wrong message`);
    if (role === "tool") {
      const results = blocks.map((b) => (b.type === "tool_result" ? `${b.id} ${b.name}` : b.type));
      if (results.join() !== calls.map((c) => `${c.id} ${c.name}`).join())
        found.push(`${where} does not answer exactly the calls before it`);
    }
    if (role === "assistant" && blocks.at(-1)?.type === "thinking")
      found.push(`${where} ends thinking`);
    for (const b of blocks) {
      const fits = {
        user: ["text", "image"],
        assistant: ["text", "thinking", "tool_call"],
        tool: ["tool_result"],
      };
      if (!fits[role].includes(b.type)) found.push(`${where} has a ${b.type}`);
      if ((b.type === "text" || b.type === "tool_result") && !b.text.trim())
        found.push(`${where} has empty text`);
      if (b.type === "thinking" && !b.signature) found.push(`${where} has unsigned thinking`);
      if (
        !JSON.stringify(b).isWellFormed() ||
        /\\ud[89a-f]/i.test(JSON.stringify(b).replaceAll("\\\\", ""))
      )
        found.push(`${where} has half a character`);
      if (b.type !== "tool_call") continue;
      if (!b.id || ids.has(b.id)) found.push(`${where} repeats the id ${b.id}`);
      ids.add(b.id);
      if (!/^[A-Za-z0-9_-]{1,64}$/.test(b.name)) found.push(`${where} calls ${b.name}`);
      if (typeof b.args !== "object" || b.args === null || Array.isArray(b.args))
        found.push(`${where} has arguments that are no object`);
    }
  }
  if (messages.at(-1)?.blocks.some((b) => b.type === "tool_call"))
    found.push("ends with open calls");
  return found;
}

/** What a provider is sent of a message; `at` never leaves the program. */
export const sent = (messages: Message[]) => messages.map(({ role, blocks }) => ({ role, blocks }));

export const bytes = (value: unknown): string => JSON.stringify(value);

/**
 * True when `before`, that was sent, stands at the start of `after`: every message byte for byte, the last one with all its
 * blocks and perhaps more behind them.
 */
export function isPrefix(before: Message[], after: Message[]): boolean {
  const [v, w] = [sent(before), sent(after)];
  const last = v.at(-1);
  if (!last) return true;
  const same = w[v.length - 1];
  return (
    same?.role === last.role &&
    bytes(w.slice(0, v.length - 1)) === bytes(v.slice(0, -1)) &&
    bytes(same.blocks.slice(0, last.blocks.length)) === bytes(last.blocks)
  );
}
