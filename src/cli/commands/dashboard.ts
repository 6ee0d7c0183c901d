/** `dashboard`: the way into the Control UI for whoever is at this machine, or in a session on it. */
import { userInfo } from "node:os";

import { PRODUCT } from "../../base/brand.ts";
import { eitherWay } from "../channels/reach.ts";
import { type Cli, command, GATEWAY_ARGS } from "../command.ts";
import { safeText } from "../out.ts";
import { tcpTarget, timeoutOf } from "../rpc.ts";

export const dashboard = command({
  doc: "Print a link that opens the Control UI and signs you in, once and within ten minutes.",
  args: {
    ...GATEWAY_ARGS,
    open: { type: "boolean", description: "Open it in this machine's browser too." },
    "no-open": { type: "boolean", description: "Only print it, which is the default." },
    yes: { type: "boolean", description: "Kept for scripts; nothing is asked." },
  },
  examples: [
    ["dashboard", "a new link"],
    ["dashboard --open", "and open it"],
  ],
  notes: `While the gateway is down the address is printed alone. From another machine, forward its port first, as in \`ssh -N -L 18789:127.0.0.1:18789 you@server\`, and open the link there. For scripts: \`${PRODUCT} dashboard --json\`.`,
  async run(args, cli) {
    const { out } = cli;
    const { url, running } = await eitherWay(
      cli,
      args,
      async ({ client }) => {
        const link = await client.call("dashboard.link", {}, { timeoutMs: timeoutOf(args) });
        return { ...link, running: true };
      },
      async () => {
        const address = await tcpTarget(cli, args);
        return { url: new URL(address.url.replace(/^ws/, "http")).href, running: false };
      },
    );
    if (args.json) out.data({ url, running });
    else {
      out.line(`Dashboard URL: ${url}`);
      if (running) out.line("(works once, for 10 minutes)");
      else {
        out.line("The gateway is not running, so nothing answers there yet.");
        out.line(
          `Start it with \`${cli.name}${cli.profileFlag} gateway\`; then this gives a link that signs you in.`,
        );
      }
      for (const line of tunnel(url, cli)) out.line(safeText(line));
    }
    if (args.open && running) openPage(url, cli);
  },
});

/** Who came by SSH has the browser elsewhere. */
function tunnel(url: string, { env }: Cli): string[] {
  const [, , server] = (env.raw("SSH_CONNECTION") ?? "").split(" ");
  const { hostname, port } = new URL(url);
  if (!server || hostname !== "127.0.0.1") return [];
  return [
    "From the machine you came from, this brings the page there:",
    `  ssh -N -L ${port}:127.0.0.1:${port} ${userInfo().username}@${server}`,
  ];
}
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
