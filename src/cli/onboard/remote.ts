/** Setting up the command line for a gateway on another machine: its address and secret, and nothing else. */
import { AppError } from "../../base/errors.ts";
import type { Change } from "../../config/edit.ts";
import { record } from "../../wizard/apply.ts";
import type { Asked, Bench } from "../../wizard/bench.ts";
import type { Guide } from "../../wizard/guide.ts";
import type { Cli } from "../command.ts";
import { socketUrl, withGateway } from "../rpc.ts";
import type { Flags } from "./flags.ts";

/** Gives the exit code. Throws usage for an address that cannot be, or that is missing where nobody can be asked. */
export async function setUpRemote(
  cli: Cli,
  bench: Bench,
  flags: Flags,
  { guide, asks }: Asked,
): Promise<number> {
  const { remote } = bench.config().gateway;
  const given = flags["remote-url"];
  if (!given && !asks)
    throw new AppError("usage", "Missing --remote-url for remote mode.", {
      hint: "It looks like wss://host, or ws://host:18789 in your own network.",
    });
  const typed =
    given ??
    (await guide.text({
      message: "Address of the gateway",
      initial: remote.url,
      placeholder: "wss://gateway.example.net",
      check: problemOf,
    }));
  const url = socketUrl(typed, "--remote-url").replace(/\/$/, "");
  const secret =
    flags["remote-token"] ??
    flags["remote-password"] ??
    (asks ? await askToken(bench, guide) : undefined);
  const kind = flags["remote-password"] && !flags["remote-token"] ? "password" : "token";
  const set = (path: string[], value: unknown): Change => ({
    kind: "set",
    path: ["gateway", ...path],
    value,
  });
  await bench.edit([
    set(["mode"], "remote"),
    set(["remote", "url"], url),
    ...(secret ? [set(["remote", kind], secret)] : []),
    ...record("onboard", "remote"),
  ]);
  const now = bench.config().gateway.remote;
  const auth = now.token ? "token" : now.password ? "password" : "none";
  cli.out.note(`Updated ${cli.paths.configPath}`);
  if (flags.json) cli.out.data({ mode: "remote", remoteUrl: url, auth });
  else if (!flags["skip-health"]) await sayWhether(cli, url);
  return 0;
}

/** Undefined: what is known stays. */
const askToken = async (bench: Bench, guide: Guide): Promise<string | undefined> => {
  const known = bench.config().gateway.remote.token;
  const text = await guide.secret({
    message: known ? "Its token, or nothing to keep the present one" : "Its token, or nothing",
  });
  return text || undefined;
};

function problemOf(text: string): string | undefined {
  try {
    socketUrl(text, "The address");
    return undefined;
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    return `${cause.message} ${cause.hint ?? ""}`;
  }
}

/** It may be off just now, so this is told and is no failure. */
async function sayWhether(cli: Cli, url: string): Promise<void> {
  try {
    await withGateway(cli, { timeout: "5000" }, ({ client }) => client.call("health", {}));
    cli.out.line(`The gateway at ${url} answers.`);
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    cli.out.line(`The gateway at ${url} does not answer yet: ${cause.message.split("\n")[0]}`);
    cli.out.line(`To look again: ${cli.name}${cli.profileFlag} health`);
  }
}
