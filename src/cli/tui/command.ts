/** `tui`: talk to the assistant in the terminal. */
import { AppError } from "../../base/errors.ts";
import { isTerminal } from "../../base/terminal.ts";
import { wholeNumber } from "../arguments.ts";
import { type Cli, command, GATEWAY_ARGS, underName } from "../command.ts";
import { hideSecrets } from "../hide-secret.ts";
import { chatInTerminal } from "./chat.ts";
import { findPlace } from "./own-gateway.ts";
import { chatInLines } from "./plain.ts";

const { timeout: _, ...CONNECTION } = GATEWAY_ARGS;

export const tui = command({
  doc: "Talk to the assistant in this terminal.",
  json: false,
  args: {
    session: { type: "string", hint: "key", description: "Session; else the main one." },
    message: {
      type: "string",
      alias: "m",
      hint: "text",
      description: "Sent at once, before anything is typed.",
    },
    thinking: {
      type: "enum",
      options: ["off", "minimal", "low", "medium", "high", "xhigh"],
      description: "How much the model thinks.",
    },
    "timeout-ms": { type: "string", hint: "ms", description: "Longest time of an answer." },
    "history-limit": {
      type: "string",
      hint: "n",
      default: "200",
      description: "Messages that are shown of what was said before.",
    },
    deliver: { type: "boolean", description: "Kept for scripts; has no effect." },
    ...CONNECTION,
  },
  notes:
    "Scrolling back, searching and copying are the terminal's own. /help in it lists keys and commands. When no gateway runs, it offers to start one for as long as the conversation lasts.",
  examples: [
    ["tui", "the main session"],
    ["tui --session agent:main:work", "another one"],
    ['tui -m "What is new?"', "begin with a question"],
    ["tui --url ws://server:18789 --token <token>", "a gateway elsewhere"],
  ],
  async run(args, cli) {
    const historyLimit = wholeNumber("history-limit", args["history-limit"], {
      min: 1,
      max: 1000,
    })!;
    const timeoutMs = wholeNumber("timeout-ms", args["timeout-ms"], { min: 1, max: 86_400_000 });
    needsTerminal(cli);
    // It runs for hours, in every user's `ps`. A typed address takes no secret of the environment, so there it has to stay.
    if (!args.url) hideSecrets(args, cli.env);
    // Says what is wrong, and where it looked, while there is still a line to say it on.
    const { target, leave } = await findPlace(cli, args);
    const { session, thinking, message } = args;
    const chat = cli.env.raw("TERM") === "dumb" ? chatInLines : chatInTerminal;
    const options = { target, session, thinking, timeoutMs, historyLimit, message };
    return await chat(cli, options).finally(leave);
  },
});

export const chat = underName(tui, "tui", "chat");
export const terminal = underName(tui, "tui", "terminal");

function needsTerminal({ name, profileFlag }: Cli): void {
  if (isTerminal(0) && isTerminal(1)) return;
  throw new AppError("usage", "This needs a terminal: input and output are not one.", {
    hint: `For one answer in a script: ${name}${profileFlag} agent --agent main -m "Hello"`,
  });
}
