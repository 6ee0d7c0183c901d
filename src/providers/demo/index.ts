/**
 * The dialect `demo`: a model that is built in, so that a first run without any key shows the whole loop, tools included.
 * Deterministic and offline, and it says so in every answer. Not a model: it knows a handful of phrases.
 */
import type { Block, Message, ModelEvent, ModelRequest, ToolSpec } from "../../flow.ts";
import { stopped } from "../failure.ts";
import type { Provider, ProviderFactory } from "../provider.ts";

const LABEL = "**Demo model** (built in, not an AI)";
/** Longest part of a tool result that an answer repeats, in characters. */
const SHOWN = 1500;

export const HOW_TO = [
  "To talk to a real model, do one of these and restart the gateway:",
  "",
  "- `clawdbot onboard` asks for a key, tries it and keeps it",
  '- Anthropic: `clawdbot config set env.ANTHROPIC_API_KEY "<your key>"`',
  '- OpenAI: `clawdbot config set env.OPENAI_API_KEY "<your key>"`',
  '- Google: `clawdbot config set env.GEMINI_API_KEY "<your key>"`',
  '- or set the same name in the environment: `ANTHROPIC_API_KEY="<your key>" clawdbot gateway`',
  "- or run Ollama or LM Studio on this machine; they are found without any setting.",
  "",
  "Then choose a model if you like: `clawdbot config set agents.defaults.model.primary anthropic/claude-sonnet-5-5`",
  "",
  "Run from the source? Write `npx -y bun@1.4.4 src/main.ts` in place of `clawdbot`.",
].join("\n");

const GUIDE = [
  "Try one of these, they really run on this machine:",
  "",
  "- `list the files here`",
  "- `run date`",
  "- `read AGENTS.md`",
].join("\n");

type Plan = { text: string; call?: { name: string; args: Record<string, string> } };

const demo: ProviderFactory = (): Provider => ({
  async *stream(request, signal) {
    const { text, call } = plan(request);
    for (const word of words(text)) {
      // A turn of the event loop per word: an abort is seen at once, and watchers see the text grow.
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (signal.aborted) return yield { type: "error", error: stopped() };
      yield { type: "text", delta: word };
    }
    if (signal.aborted) return yield { type: "error", error: stopped() };
    yield end(request, text, call);
  },
  models: async () => [{ id: "demo", name: "Demo (built in)" }],
});
export default demo;

/** Words with the space behind them; joined they are the text. */
const words = (text: string): string[] => text.match(/\S+\s*|\s+/g) ?? [];

function end(request: ModelRequest, text: string, call: Plan["call"]): ModelEvent {
  const blocks: Block[] = [{ type: "text", text }];
  // The same history gives the same id, and every call of a session another one.
  if (call) blocks.push({ type: "tool_call", id: `demo_${request.messages.length}`, ...call });
  const size = request.messages
    .flatMap((m) => m.blocks)
    .map((b) => ("text" in b ? b.text.length : 0));
  const input = Math.ceil(size.reduce((sum, n) => sum + n, 0) / 4);
  return {
    type: "end",
    stop: call ? "tool" : "end",
    message: { role: "assistant", blocks, at: Date.now() },
    usage: { input, output: Math.ceil(text.length / 4), cacheRead: 0, cacheWrite: 0 },
  };
}

/** What to say and do. Behind a tool result: the report. Else the newest thing the user said decides. */
function plan({ messages, tools }: ModelRequest): Plan {
  const last = messages.at(-1);
  const results = last?.blocks.flatMap((b) => (b.type === "tool_result" ? [b] : [])) ?? [];
  if (results.length) {
    const parts = results.map((r) => {
      const shown = r.text.length > SHOWN ? `${r.text.slice(0, SHOWN)}\n…` : r.text;
      return r.isError
        ? `The tool \`${r.name}\` failed:\n\n${fenced(shown)}`
        : `The tool \`${r.name}\` answered:\n\n${fenced(shown || "(nothing)")}`;
    });
    return { text: `${LABEL}\n\n${parts.join("\n\n")}` };
  }
  const said = newest(messages);
  const call = said && wish(said, tools);
  if (call) {
    const what = call.args["command"] ?? call.args["path"] ?? "";
    return { text: `${LABEL}\n\nI call the tool \`${call.name}\` with \`${what}\`.`, call };
  }
  const before = messages.some((m) => m.role === "assistant");
  if (/\b(help|model|key|api|setup|set up|who are you|what can you)\b/i.test(said) || !before)
    return {
      text: `${LABEL}\n\n${before ? "" : "It works: your message came in and this answer went out.\n\n"}${GUIDE}\n\n${HOW_TO}`,
    };
  const quote = said.length > 200 ? `${said.slice(0, 200)}…` : said;
  return {
    text: `${LABEL}\n\nYou said: ${quote || "(nothing)"}\n\nI only know a few phrases; say \`help\` for them and for how to add a real model.`,
  };
}

/** A fence that the text cannot close. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((m) => m[0].length));
  const fence = "`".repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}

/** The first text of the newest user message; what stands behind it in that message is context, not the user. */
function newest(messages: Message[]): string {
  const text = messages
    .filter((m) => m.role === "user")
    .map((m) => m.blocks.find((b) => b.type === "text"))
    .findLast((b) => b?.type === "text" && !b.text.startsWith("[context]"));
  // Channels put who and when in brackets before the words.
  return text?.type === "text" ? text.text.replace(/^\s*(\[[^\]\n]*\]\s*)+/, "").trim() : "";
}

/** The tool call that a phrase asks for, when there is such a tool. */
function wish(text: string, tools: ToolSpec[]): Plan["call"] | undefined {
  // A phrase copied out of the help together with its marks.
  const said = text.trim().replace(/^`([^`]*)`$/, "$1");
  const call = (name: string, args: Record<string, string>) =>
    tools.some((t) => t.name === name) ? { name, args } : undefined;
  const line = said
    .split("\n")[0]!
    .trim()
    .replace(/[.!?]+$/, "");
  const listed =
    /^(?:please\s+)?(?:list|show)\s+(?:me\s+)?(?:all\s+)?(?:the\s+)?files(?:\s+(?:here|in\s+(\S+)))?$/i.exec(
      line,
    );
  // One of the phrases that the page offers.
  const asked = /^(?:which|what)\s+files\s+are\s+(?:here|in\s+(?:your|the)\s+workspace)$/i;
  if (listed || asked.test(line))
    return call("exec", { command: listed?.[1] ? `ls -la -- ${quoted(listed[1])}` : "ls -la" });
  const run = /^(?:please\s+)?(?:run|execute)[:\s]\s*(.+)$/is.exec(said);
  if (run) return call("exec", { command: unquoted(run[1]!.trim()) });
  const read = /^(?:please\s+)?(?:read|open|show me)\s+(?:the\s+file\s+)?(\S+)$/i.exec(line);
  if (read) return call("read", { path: unquoted(read[1]!) });
  return undefined;
}

const unquoted = (text: string): string => /^(`+|["'])([\s\S]*)\1$/.exec(text)?.[2] ?? text;
const quoted = (text: string): string => `'${unquoted(text).replaceAll("'", `'\\''`)}'`;
