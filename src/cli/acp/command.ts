import { command, GATEWAY_ARGS } from "../command.ts";
import { hideSecrets } from "../hide-secret.ts";
import { safeText } from "../out.ts";
import { withGateway } from "../rpc.ts";
/** `acp`: the assistant for editors that speak the Agent Client Protocol, over standard input and output. */
import { Bridge } from "./bridge.ts";
import { openPeer } from "./json-rpc.ts";

const { timeout: _, ...CONNECTION } = GATEWAY_ARGS;

export const acp = command({
  doc: "Serve an editor that speaks the Agent Client Protocol, on standard input and output.",
  json: false,
  args: {
    session: { type: "string", hint: "key", description: "Session for every conversation." },
    "session-label": { type: "string", hint: "label", description: "The same, by its label." },
    "require-existing": { type: "boolean", description: "Never make a session." },
    "reset-session": { type: "boolean", description: "Begin anew in the named session." },
    "no-prefix-cwd": {
      type: "boolean",
      description: "Do not tell the model which folder the editor works in.",
    },
    verbose: { type: "boolean", alias: "v", description: "Say on stderr what happens." },
    ...CONNECTION,
  },
  notes:
    "The editor starts it; a person sees nothing but JSON. It needs the running gateway, whose own files and tools the agent uses.",
  examples: [
    ["acp", "what to put into the editor's list of agents"],
    ["acp --session agent:main:main", "in the main session"],
    ["acp --url wss://server --token <token>", "a gateway elsewhere"],
  ],
  async run(args, cli) {
    const { out } = cli;
    // It runs for hours, in every user's `ps`. A typed address takes no secret of the environment, so there it has to stay.
    if (!args.url) hideSecrets(args, cli.env);
    const target = await withGateway(cli, args, async (gateway) => gateway.target);
    const note = (text: string) => {
      if (args.verbose) out.error(safeText(`[acp] ${text}`));
    };
    const bridge = new Bridge({
      target,
      session: args.session,
      label: args["session-label"],
      requireExisting: args["require-existing"],
      resetSession: args["reset-session"],
      prefixCwd: !args["no-prefix-cwd"],
      notify: (method, params) => peer.notify(method, params),
      note,
    });
    const peer = openPeer({ methods: bridge.methods, write: (line) => out.raw(line), note });
    try {
      await bridge.connect();
      await peer.serve(Bun.stdin.stream());
    } finally {
      bridge.close();
    }
  },
});
