/** `agent`: one message to an agent through the running gateway, and its answer; streamed when a person watches. */
import { AppError } from "../../base/errors.ts";
import { MAIN_KEY, sessionKey } from "../../protocol/session-key.ts";
import { wholeNumber } from "../arguments.ts";
import type { ArgValues } from "../command.ts";
import { command, GATEWAY_ARGS } from "../command.ts";
import type { Out } from "../out.ts";
import { safeText } from "../out.ts";
import { withGateway } from "../rpc.ts";

const { timeout: _, ...CONNECTION } = GATEWAY_ARGS;
const ARGS = {
  message: {
    type: "string",
    alias: "m",
    hint: "text",
    description: "What to say; `-` reads it from stdin.",
  },
  agent: { type: "string", hint: "id", description: "Agent whose main session is used." },
  to: { type: "string", alias: "t", hint: "number", description: "Session of this contact." },
  "session-id": { type: "string", hint: "id", description: "An existing session." },
  "session-key": { type: "string", hint: "key", description: "A session by its key." },
  thinking: {
    type: "enum",
    options: ["off", "minimal", "low", "medium", "high", "xhigh"],
    description: "How much the model thinks.",
  },
  verbose: { type: "enum", options: ["on", "off"], description: "Show the tools that it uses." },
  timeout: { type: "string", hint: "seconds", default: "600", description: "Longest wait." },
  ...CONNECTION,
} as const;

/** The second answer of the method `agent`. */
type Answer = {
  runId: string;
  status: string;
  result?: {
    payloads?: { text?: string; mediaUrl?: string | null; mediaUrls?: string[] }[];
    meta?: Record<string, unknown>;
  };
};

export const agent = command({
  doc: "Send one message to the agent and print its answer.",
  args: ARGS,
  notes: "It needs the running gateway. On a terminal the answer appears while it is written.",
  examples: [
    ['agent --agent main -m "What is in my workspace?"', "in the main session"],
    ['agent --session-id <id> -m "Go on"', "in an earlier one"],
    ['agent --agent main -m "Summarise this" --json', "with the run's data, for scripts"],
    ["agent --agent main -m - < question.txt", "the message from a file"],
  ],
  async run(args, cli) {
    const message = await messageOf(args);
    if (!args.to && !args["session-id"] && !args.agent && !args["session-key"])
      throw new AppError(
        "usage",
        "Pass --to <E.164>, --session-id, or --agent to choose a session",
      );
    const seconds = wholeNumber("timeout", args.timeout, { min: 1, max: 86_400 })!;
    const live = liveText(cli.out, args.verbose === "on");
    const runId = crypto.randomUUID();
    const answer = await withGateway(
      cli,
      { ...args, timeout: undefined },
      ({ client }) =>
        client.call(
          "agent",
          { ...paramsOf(args), message, timeout: seconds, idempotencyKey: runId },
          {
            // The gateway ends the run by itself; this is for a gateway that cannot.
            timeoutMs: Math.max(10_000, (seconds + 30) * 1000),
            final: true,
          },
        ) as Promise<Answer>,
      (event) => live.take(event.event, event.payload, runId),
    );
    if (args.json) cli.out.data(answer);
    else live.finish(answer);
  },
});

async function messageOf(args: ArgValues<typeof ARGS>): Promise<string> {
  const text = args.message === "-" ? await Bun.stdin.text() : args.message;
  if (text?.trim()) return text;
  throw new AppError("usage", "required option '-m, --message <text>' not specified");
}

const paramsOf = (args: ArgValues<typeof ARGS>) => ({
  ...(args.agent && { agentId: args.agent }),
  ...(args.to && { to: args.to, sessionKey: sessionKey(args.agent ?? MAIN_KEY, args.to) }),
  ...(args["session-key"] && { sessionKey: args["session-key"] }),
  ...(args["session-id"] && { sessionId: args["session-id"] }),
  ...(args.thinking && { thinking: args.thinking }),
});

/** Prints the text of one run as it comes, when stdout is a terminal; at the end, what was not printed yet. */
function liveText(out: Out, showTools: boolean) {
  let shown = "";
  const active = out.tty && !out.json;
  return {
    take(event: string, payload: unknown, runId: string): void {
      const {
        runId: from,
        stream,
        data,
      } = (payload ?? {}) as {
        runId?: string;
        stream?: string;
        data?: { text?: string; phase?: string; name?: string };
      };
      if (!active || event !== "agent" || from !== runId || !data) return;
      if (stream === "tool" && data.phase === "start" && showTools) {
        out.note(out.paint("dim", `[${safeText(data.name ?? "tool")}]`));
        shown = "";
      }
      if (stream !== "assistant" || typeof data.text !== "string") return;
      // Each event has the whole text so far; a text that does not go on from there is a new message.
      const goesOn = data.text.startsWith(shown);
      out.raw(safeText(goesOn ? data.text.slice(shown.length) : `\n${data.text}`));
      shown = data.text;
    },
    finish({ result }: Answer): void {
      const payloads = result?.payloads ?? [];
      if (payloads.length === 0 && shown === "") return out.line("No reply from agent.");
      for (const { text = "", mediaUrl, mediaUrls = [] } of payloads) {
        const whole = shown !== "" && text.startsWith(shown.trimStart());
        if (text) out.line(safeText(whole ? text.slice(shown.trimStart().length) : text));
        for (const url of mediaUrl ? [mediaUrl] : mediaUrls) out.line(`MEDIA:${safeText(url)}`);
      }
    },
  };
}
