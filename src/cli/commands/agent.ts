/** `agent`: one message to an agent through the running gateway, and its answer; streamed when a person watches. */
import { AppError } from "../../base/errors.ts";
import type { NetworkId } from "../../channels/registry.ts";
import type { Methods } from "../../gateway/methods/index.ts";
import { RpcError } from "../../protocol/client.ts";
import type { EventFrame } from "../../protocol/frames.ts";
import { MAIN_KEY, sessionKey } from "../../protocol/session-key.ts";
import { wholeNumber } from "../arguments.ts";
import { accountNamed, channelNamed } from "../channels/accounts.ts";
import { performAction } from "../channels/perform.ts";
import type { ArgValues, Cli } from "../command.ts";
import { command, GATEWAY_ARGS } from "../command.ts";
import type { Out } from "../out.ts";
import { safeText } from "../out.ts";
import { checkSize, type Gateway, type Wish, withGateway } from "../rpc.ts";

const { timeout: _, ...CONNECTION } = GATEWAY_ARGS;
const ARGS = {
  message: {
    type: "string",
    alias: "m",
    hint: "text",
    description: "What to say; `-` reads it from stdin.",
  },
  agent: {
    type: "string",
    hint: "id",
    description: "Agent whose main session is used; else the default agent's.",
  },
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
  deliver: { type: "boolean", description: "Send the answer to a chat too." },
  channel: { type: "string", hint: "channel", description: "Channel of that chat." },
  "reply-channel": {
    type: "string",
    hint: "channel",
    description: "The same; wins over --channel.",
  },
  "reply-to": { type: "string", hint: "chat", description: "That chat; else --to." },
  "reply-account": { type: "string", hint: "id", description: "Account of the channel." },
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
    ['agent -m "What is in my workspace?"', "in the main session"],
    ['agent --session-id <id> -m "Go on"', "in an earlier one"],
    ['agent --agent main -m "Summarise this" --json', "with the run's data, for scripts"],
    ["agent --agent main -m - < question.txt", "the message from a file"],
    [
      'agent -m "Good morning" --deliver --reply-channel telegram --reply-to 12345',
      "and the answer to a chat",
    ],
  ],
  async run(args, cli) {
    const message = await messageOf(args);
    const place = args.deliver ? placeFor(args) : undefined;
    const seconds = wholeNumber("timeout", args.timeout, { min: 1, max: 86_400 })!;
    const live = liveText(cli.out, args.verbose === "on");
    const runId = crypto.randomUUID();
    const answer = await ask(
      cli,
      { ...args, timeout: undefined },
      { ...paramsOf(args), message, timeout: seconds, idempotencyKey: runId },
      (event) => live.take(event.event, event.payload, runId),
    );
    if (!args.json) live.finish(answer);
    // Before success is told as JSON: who asked for a delivery counts on it.
    if (place) await deliver(cli, args, place, answer);
    if (args.json) cli.out.data(answer);
  },
});

type Place = { channel: NetworkId; account: string; target: string };

/** Where the answer goes too. Throws usage when the flags do not say it. */
function placeFor(args: ArgValues<typeof ARGS>): Place {
  const channel = args["reply-channel"] ?? args.channel;
  const target = args["reply-to"] ?? args.to;
  if (!channel || !target)
    throw new AppError("usage", "--deliver needs a channel and a chat.", {
      hint: "Say them with --reply-channel and --reply-to.",
    });
  return { channel: channelNamed(channel), account: accountNamed(args["reply-account"]), target };
}

/** Under keys made of the run's id, so that a repeated call sends nothing twice. Throws what the channel throws. */
async function deliver(
  cli: Cli,
  wish: Wish,
  place: Place,
  { runId, result }: Answer,
): Promise<void> {
  for (const [i, { text }] of (result?.payloads ?? []).entries())
    if (text)
      await performAction(cli, { ...wish, timeout: undefined }, "send", {
        ...place,
        params: { message: text, key: `${runId}:deliver:${i}` },
      });
}

/** How long a gateway that went away in the middle of a run is waited for, in ms, and how often it is looked for. */
const PATIENCE_MS = 60_000;
const LOOK_MS = 250;

type Ask = NonNullable<Methods["agent"]["types"]>["params"] & { timeout: number };

/**
 * The run's last answer, also over a restart of the gateway. What was accepted goes on there by itself; the same request under
 * the same id starts nothing anew then, it waits for that run. What was not accepted before is accepted now.
 */
async function ask(
  cli: Cli,
  wish: Wish,
  params: Ask,
  onEvent: (event: EventFrame) => void,
): Promise<Answer> {
  // The gateway ends the run by itself; this is for a gateway that cannot.
  const end = performance.now() + Math.max(10_000, (params.timeout + 30) * 1000);
  let lostAt: number | undefined;
  const once = async (gateway: Gateway): Promise<Answer | undefined> => {
    checkSize(gateway, params);
    if (params.sessionId) await checkSession(gateway, params.sessionId);
    lostAt = undefined;
    const timeoutMs = Math.max(1, end - performance.now());
    try {
      return (await gateway.client.call("agent", params, { timeoutMs, final: true })) as Answer;
    } catch (cause) {
      if (!isLost(cause) || performance.now() >= end) throw cause;
      lostAt = performance.now();
      cli.out.note("The gateway went away; waiting until it is back.");
      return undefined;
    }
  };
  for (;;) {
    try {
      const answer = await withGateway(cli, wish, once, onEvent);
      if (answer) return answer;
    } catch (cause) {
      const away = cause instanceof AppError && cause.code === "gateway_unreachable";
      if (lostAt === undefined || !away) throw cause;
      if (performance.now() - lostAt > PATIENCE_MS) throw goesOn(cli, params, cause);
    }
    await Bun.sleep(LOOK_MS);
  }
}

/** The gateway takes an unknown id for the name of a new session, as old clients want it; a person has mistyped it. */
async function checkSession({ client, timeoutMs }: Gateway, id: string): Promise<void> {
  // People copy the key from the list of sessions too.
  for (const way of [{ sessionId: id }, { key: id }])
    try {
      await client.call("sessions.resolve", way, { timeoutMs });
      return;
    } catch (cause) {
      if (!(cause instanceof RpcError && cause.code === "not_found")) throw cause;
    }
  throw new AppError("not_found", `There is no session "${id}".`, {
    hint: "`clawdbot sessions --json` has the ids.",
  });
}

/** The connection ended under the call: that error alone is worth a repetition and has no details of the gateway. */
const isLost = (cause: unknown): boolean =>
  cause instanceof RpcError && cause.shape.retryable === true && cause.shape.details === undefined;

const goesOn = (cli: Cli, { agentId, sessionId }: Ask, cause: unknown): AppError => {
  const program = `${cli.name}${cli.profileFlag}`;
  const whose = sessionId ? ` --session-id ${sessionId}` : agentId ? ` --agent ${agentId}` : "";
  return new AppError(
    "gateway_unreachable",
    "The gateway went away while the answer was written, and is not back. The answer goes on when it runs again.",
    {
      cause,
      hint: `Start it with \`${program} gateway\`; then \`${program} agent${whose} -m "What was your answer?"\` asks for it.`,
    },
  );
};

async function messageOf(args: ArgValues<typeof ARGS>): Promise<string> {
  const text = args.message === "-" ? await Bun.stdin.text() : args.message;
  if (text?.trim()) return text;
  if (text !== undefined) throw new AppError("usage", "The message is empty.");
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
