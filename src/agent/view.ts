/**
 * What a model is sent of a transcript. A total function: whatever holes, repeats or garbage the stored events have
 * (a crash between call and result, an aborted answer, notes, stray results), the messages are valid for every dialect:
 *   - the first message is the user's; then user, assistant and tool messages in turns;
 *   - a tool message follows exactly the assistant messages with calls and answers each of them once;
 *   - no empty message or block, no id twice, no half character.
 *
 * What holds when a transcript grows, for `v = modelView(h)` and `w = modelView([...h, ...more])`, when `v` could be sent
 * (its last message is not the assistant's):
 *   - all messages of `v` but the last stand unchanged at the start of `w`;
 *   - a last user message keeps its blocks; more may follow in it;
 *   - a last tool message keeps its real results; only a result that was missing may still be filled in.
 * And `modelView` of `v` as messages, with `more` behind, is `w`: the loop may go on from a view as well as from the store.
 */
import type { Block, Message, ToolCall } from "../flow.ts";
import type { Entry, EntryBody } from "../store/store.ts";
import {
  assistantBlocks,
  callId,
  type ResultBlock,
  resultBlock,
  takeId,
  textBlock,
  userBlocks,
  type ViewOptions,
} from "./blocks.ts";

export type { ViewOptions } from "./blocks.ts";

/** Stands for a result that the transcript does not have. Recognised when a view is viewed again. */
const INTERRUPTED =
  "The run was interrupted before this call had a result. The call may or may not have happened: check before you repeat it.";
/** Stands before a conversation that begins with the assistant (an injected greeting, a cut history). */
const OPENING = "[The conversation begins here.]";
const EMPTY = "[An empty message.]";

/** The calls of the newest assistant message that has any, while results for them are still taken. */
type OpenCalls = {
  message: Message;
  calls: ToolCall[];
  /** By the id in the store: places in `calls` that wait for their result. */
  waiting: Map<string, number[]>;
};

/** The provider's view of stored events, oldest first. Pure; never throws; does not keep or change its input. */
export function modelView(
  events: readonly (EntryBody | Entry)[],
  options: ViewOptions = {},
): Message[] {
  const out: Message[] = [];
  const ids = new Map<string, number>();
  let open: OpenCalls | undefined;

  const add = (role: "user" | "assistant", blocks: Block[], at: number) => {
    const last = out.at(-1);
    if (last?.role === role) last.blocks.push(...blocks);
    else out.push({ role, blocks: [...blocks], at });
  };
  const user = (blocks: Block[], at: number) => {
    open = undefined;
    add("user", blocks, at);
  };
  const assistant = (blocks: Block[], at: number) => {
    if (!blocks.length) return;
    if (!out.length) add("user", [{ type: "text", text: OPENING }], at);
    const waiting = new Map<string, number[]>();
    const calls: ToolCall[] = [];
    const named = blocks.map((block) => {
      if (block.type !== "tool_call") return block;
      const call = { ...block, id: takeId(block.id, ids) };
      waiting.set(block.id, [...(waiting.get(block.id) ?? []), calls.length]);
      calls.push(call);
      return call;
    });
    add("assistant", named, at);
    if (!calls.length) return;
    const message: Message = { role: "tool", blocks: calls.map(missing), at };
    out.push(message);
    open = { message, calls, waiting };
  };
  const result = (block: ResultBlock, at: number) => {
    const place = open?.waiting.get(callId(block.id))?.[0];
    if (!open || place === undefined || block.text === INTERRUPTED) return;
    open.waiting.get(callId(block.id))!.shift();
    open.message.blocks[place] = resultBlock(open.calls[place]!, block, options);
    open.message.at = at;
  };

  let at = 0;
  for (const event of events) {
    const body = "body" in event ? event.body : event;
    if (body.kind === "context") {
      const blocks = textBlock(body.text);
      if (blocks.length) user(blocks, at);
    }
    if (body.kind !== "message") continue;
    const { message } = body;
    if (!message) continue;
    if (Number.isFinite(message.at)) at = message.at;
    const blocks = Array.isArray(message.blocks) ? message.blocks.filter(isBlock) : [];
    for (const block of blocks) if (block.type === "tool_result") result(block, at);
    if (message.role === "assistant") assistant(assistantBlocks(blocks, body.partial === true), at);
    if (message.role !== "user") continue;
    const said = userBlocks(blocks, options);
    if (said.length) user(said, at);
    else if (!blocks.some((block) => block.type === "tool_result"))
      user([{ type: "text", text: EMPTY }], at);
  }
  return out;
}

/** The same for messages that are no events yet: the loop's own. */
export const viewOfMessages = (messages: readonly Message[], options?: ViewOptions): Message[] =>
  modelView(
    messages.map((message) => ({ kind: "message", message })),
    options,
  );

const isBlock = (block: unknown): block is Block =>
  typeof block === "object" && block !== null && "type" in block;

const missing = ({ id, name }: ToolCall): Block => ({
  type: "tool_result",
  id,
  name,
  text: INTERRUPTED,
  isError: true,
});
