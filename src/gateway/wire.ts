/** Our transcript entries as the original's transcript messages, which clients of all generations render. */
import type { Block, Message, ModelChoice, Usage } from "../flow.ts";
import type { Entry } from "../store/store.ts";

/** Largest answer of chat.history, in bytes; the oldest messages are left out beyond it. */
export const HISTORY_BYTES = 6 * 1024 * 1024;

export type WireContent =
  | { type: "text"; text: string }
  | { type: "thinking"; thinking: string; thinkingSignature?: string }
  | { type: "image"; data: string; mimeType: string }
  | { type: "toolCall"; id: string; name: string; arguments: unknown };

export type WireUsage = Usage & { totalTokens: number };

/** Position and origin of a message in our transcript; old clients ignore them. */
type Marks = { id?: string; seq?: number; runId?: string };

export type WireMessage = Marks & { timestamp: number } & (
    | { role: "user"; content: WireContent[] }
    | {
        role: "assistant";
        content: WireContent[];
        stopReason?: string;
        provider?: string;
        model?: string;
        usage?: WireUsage;
        partial?: true;
      }
    | {
        role: "toolResult";
        toolCallId: string;
        toolName: string;
        content: WireContent[];
        isError: boolean;
        details?: Record<string, unknown>;
      }
    | {
        role: "system";
        content: WireContent[];
        level: "info" | "error";
        code?: string;
        hint?: string;
      }
  );

export const wireUsage = (usage: Usage): WireUsage => ({
  ...usage,
  totalTokens: usage.input + usage.output + usage.cacheRead + usage.cacheWrite,
});

export const textContent = (text: string): WireContent[] => [{ type: "text", text }];

/** What was said, without thinking and tool calls. */
export const textOf = (message: Message): string =>
  message.blocks
    .flatMap((block) => (block.type === "text" ? [block.text] : []))
    .join("\n\n")
    .trim();

function wireBlock(block: Block): WireContent[] {
  switch (block.type) {
    case "text":
      return [block];
    case "thinking":
      return [
        {
          type: "thinking",
          thinking: block.text,
          ...(block.signature ? { thinkingSignature: block.signature } : {}),
        },
      ];
    case "image":
      return [{ type: "image", data: block.data, mimeType: block.mime }];
    case "tool_call":
      return [{ type: "toolCall", id: block.id, name: block.name, arguments: block.args }];
    case "tool_result":
      return [];
  }
}

const stopReasonOf = (message: Message, partial: true | undefined): string => {
  if (partial) return "aborted";
  return message.blocks.some((b) => b.type === "tool_call") ? "toolUse" : "stop";
};

/** One stored message; the results of one batch of tools are one message here and one each there. */
export function wireMessages(
  message: Message,
  extra: { choice?: ModelChoice; usage?: Usage; partial?: true } = {},
): WireMessage[] {
  const { at: timestamp } = message;
  if (message.role === "tool")
    return message.blocks.flatMap((block) =>
      block.type === "tool_result"
        ? [
            {
              role: "toolResult" as const,
              toolCallId: block.id,
              toolName: block.name,
              content: [
                ...textContent(block.text),
                ...(block.images ?? []).map((image) => ({
                  type: "image" as const,
                  data: image.data,
                  mimeType: image.mime,
                })),
              ],
              isError: block.isError ?? false,
              ...(block.details ? { details: block.details } : {}),
              timestamp,
            },
          ]
        : [],
    );
  const content = message.blocks.flatMap(wireBlock);
  if (message.role === "user") return [{ role: "user", content, timestamp }];
  return [
    {
      role: "assistant",
      content,
      timestamp,
      stopReason: stopReasonOf(message, extra.partial),
      ...(extra.choice ? { provider: extra.choice.provider, model: extra.choice.model } : {}),
      ...(extra.usage ? { usage: wireUsage(extra.usage) } : {}),
      ...(extra.partial ? { partial: true as const } : {}),
    },
  ];
}

/** A transcript entry as messages. `context` is for the model only, `kept` for nobody; a note becomes a system line with its hint. */
export function wireEntry({ seq, at, body }: Entry): WireMessage[] {
  if (body.kind === "context" || body.kind === "kept") return [];
  const run = body.runId === undefined ? {} : { runId: body.runId };
  if (body.kind === "note") {
    const text = body.hint ? `${body.text}\n${body.hint}` : body.text;
    const { level, code, hint } = body;
    return [
      {
        role: "system",
        content: textContent(text),
        level,
        ...(code === undefined ? {} : { code }),
        ...(hint === undefined ? {} : { hint }),
        timestamp: at,
        id: String(seq),
        seq,
        ...run,
      },
    ];
  }
  return wireMessages(body.message, body).map((message, i) => ({
    ...message,
    // Several results of one entry share its seq; the id stays unique.
    id: i ? `${seq}.${i}` : String(seq),
    seq,
    ...run,
  }));
}

/** The newest messages that fit; gives also the seq of the oldest entry that is in it. */
export function fitHistory(
  entries: Entry[],
  maxBytes = HISTORY_BYTES,
): { messages: WireMessage[]; oldestSeq: number | undefined; cut: boolean } {
  const groups: WireMessage[][] = [];
  let oldestSeq: number | undefined;
  let bytes = 0;
  for (const entry of entries.toReversed()) {
    const messages = wireEntry(entry);
    const size = messages.reduce((sum, m) => sum + Buffer.byteLength(JSON.stringify(m)) + 1, 0);
    if (bytes + size > maxBytes && groups.length)
      return { messages: groups.toReversed().flat(), oldestSeq, cut: true };
    groups.push(bytes + size > maxBytes ? messages.map(tooLarge) : messages);
    bytes += size;
    oldestSeq = entry.seq;
  }
  return { messages: groups.toReversed().flat(), oldestSeq, cut: false };
}

/** A single message beyond the limit is shown as what it is instead of hiding the whole history. */
const tooLarge = (message: WireMessage): WireMessage => ({
  ...message,
  content: textContent("[This message is too large to show here.]"),
});
