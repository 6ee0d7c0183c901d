/** The model of the soak: it answers `question-7` with `answer-7`, every question of its turn, sometimes after a tool call or slowly. */
import { startAnthropic } from "../fakes/anthropic.ts";
import type { ModelServer, Recorded } from "../fakes/model-server.ts";

type Part = { type: string; text?: string };
type Said = { role: "user" | "assistant"; content: string | Part[] };

/** Every so many questions: a tool is called first, or the answer takes so long that a preview of it is shown. */
const TOOL_EVERY = 9;
const SLOW_EVERY = 13;

export const askedIn = (text: string): number[] => numbersIn(text, /question-(\d+)/g);
export const answeredIn = (text: string): number[] => numbersIn(text, /answer-(\d+)/g);
const numbersIn = (text: string, pattern: RegExp): number[] =>
  [...text.matchAll(pattern)].map((match) => Number(match[1]));

export const startSoakModel = (): Promise<ModelServer> =>
  startAnthropic({
    script(request) {
      const messages = request.body.messages as Said[];
      forget(request);
      const open = openQuestions(messages);
      const first = open[0];
      if (first === undefined) return { text: "nothing was asked" };
      const last = messages.at(-1)!;
      const afterTool = typeof last.content !== "string" && last.content.some(isResult);
      if (first % TOOL_EVERY === 0 && !afterTool)
        return { toolCalls: [{ name: "read", args: { path: `note-${first}.txt` } }] };
      const text = open.map((n) => `answer-${n}`).join(" ");
      return first % SLOW_EVERY === 0
        ? { text: `${text} and a few words more`, delayMs: 180 }
        : { text };
    },
  });

/** Two thousand whole conversations would fill this process. */
function forget(request: Recorded): void {
  request.body = { model: request.body.model };
  request.text = "";
}

const isResult = ({ type }: Part): boolean => type === "tool_result";
const isCall = ({ type }: Part): boolean => type === "tool_use";

/** What was asked since the last answer; words before a tool call are none. */
function openQuestions(messages: Said[]): number[] {
  const answered = messages.findLastIndex(
    ({ role, content }) =>
      role === "assistant" && (typeof content === "string" || !content.some(isCall)),
  );
  const asked = messages
    .slice(answered + 1)
    .filter(({ role }) => role === "user")
    .flatMap(({ content }) => askedIn(JSON.stringify(content)));
  return [...new Set(asked)];
}
