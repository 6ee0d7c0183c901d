/** `dashboard`: the way into the Control UI for whoever is at this machine. */
import { PRODUCT } from "../../base/brand.ts";
import { type Cli, command, GATEWAY_ARGS } from "../command.ts";
import { timeoutOf, withGateway } from "../rpc.ts";

export const dashboard = command({
  doc: "Print a link that opens the Control UI and signs you in, once and within ten minutes.",
  args: {
    ...GATEWAY_ARGS,
    open: { type: "boolean", description: "Open it in this machine's browser too." },
    "no-open": { type: "boolean", description: "Only print it, which is the default." },
  },
  examples: [
    ["dashboard", "a new link"],
    ["dashboard --open", "and open it"],
  ],
  notes: `The gateway must be running. From another machine, forward its port first, as in \`ssh -N -L 18789:127.0.0.1:18789 you@server\`, and open the link there. For scripts: \`${PRODUCT} dashboard --json\`.`,
  async run(args, cli) {
    const { url } = await withGateway(cli, args, ({ client }) =>
      client.call("dashboard.link", {}, { timeoutMs: timeoutOf(args) }),
    );
    if (args.json) cli.out.data({ url });
    else {
      cli.out.line(`Dashboard URL: ${url}`);
      cli.out.line("(works once, for 10 minutes)");
    }
    if (args.open) openPage(url, cli);
  },
});

/** Without a browser the printed address has to do; `BROWSER=echo` asks for just that. */
function openPage(url: string, { env, out }: Cli): void {
  const browser = env.raw("BROWSER");
  if (browser === "echo") return;
  const [program = "", ...words] = browser ? [browser, url] : opener(url);
  if (!Bun.which(program)) return out.note(`There is no ${program} here; open the link yourself.`);
  Bun.spawn([program, ...words], { stdio: ["ignore", "ignore", "ignore"] });
}

/** The program that opens an address, by operating system. */
function opener(url: string): string[] {
  if (process.platform === "darwin") return ["open", url];
  return process.platform === "win32" ? ["cmd", "/c", "start", "", url] : ["xdg-open", url];
}
