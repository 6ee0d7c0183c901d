/** `token …`: secrets for people who have no `openssl` at hand, as inside the image. Nothing is stored. */
import { AppError } from "../../base/errors.ts";
import { newSecret } from "../../gateway/config.ts";
import { command } from "../command.ts";
import { commandsBelow } from "../commands.ts";
import { showCommandHelp } from "../help.ts";

export const token = command({
  doc: "Make secrets for the gateway.",
  args: {},
  examples: [["token generate", "a new one"]],
  async run(args, cli) {
    if (args.json) throw new AppError("usage", "token needs a command, as in `token generate`");
    showCommandHelp(cli.out, cli.name, "token", token, commandsBelow("token"));
  },
});

export const generate = command({
  doc: "Print a new token: 64 hexadecimal digits, from 32 random bytes. It is stored nowhere.",
  args: {},
  examples: [["token generate", "for CLAWDBOT_GATEWAY_TOKEN"]],
  notes: 'Make one and use it: clawdbot config set gateway.auth.token "$(clawdbot token generate)"',
  async run(args, { out }) {
    const made = newSecret();
    if (args.json) out.data({ token: made });
    else out.line(made);
  },
});
