/** `gateway probe`: every gateway that the flags and the config name, and what answers there. */
import { AppError } from "../../../base/errors.ts";
import { readLock } from "../../../base/lock.ts";
import { GATEWAY_PORT } from "../../../gateway/config.ts";
import type { Cli } from "../../command.ts";
import { command, GATEWAY_ARGS } from "../../command.ts";
import { safeText } from "../../out.ts";
import { tcpTarget, timeoutOf, type Wish, withGateway } from "../../rpc.ts";
import { loadSettings } from "../../settings.ts";

/** A gateway to try: where, and with which secret. */
type Place = { id: string; kind: "explicit" | "configRemote" | "localLoopback"; wish: Wish };

type Tried = {
  id: string;
  kind: Place["kind"];
  url: string;
  active: boolean;
  tunnel: null;
  connect: { ok: boolean; latencyMs: number | null; error: string | null; close: null };
  self: { version: string } | null;
  config: null;
  health: unknown;
  summary: unknown;
  presence: unknown;
};

export const gatewayProbe = command({
  doc: "Try every gateway that the flags and the config name: this machine's, the remote one, the given one.",
  args: { ...GATEWAY_ARGS, timeout: { ...GATEWAY_ARGS.timeout, default: "3000" } },
  notes:
    "Exit code 1 when none of them answers. A gateway behind SSH is reached by a tunnel of your own: `ssh -N -L 18789:127.0.0.1:18789 you@server`, then `gateway probe --port 18789`.",
  examples: [
    ["gateway probe", "this machine's, and gateway.remote.url"],
    ["gateway probe --url wss://host --token <token>", "that one too"],
    ["gateway probe --json", "for scripts"],
  ],
  async run(args, cli) {
    const before = performance.now();
    const timeoutMs = timeoutOf(args);
    const places = await placesOf(cli, args);
    const targets = await Promise.all(places.map((place) => tryPlace(cli, place)));
    const answering = targets.filter(({ connect }) => connect.ok);
    if (args.json)
      cli.out.data({
        ok: answering.length > 0,
        ts: Date.now(),
        durationMs: Math.round(performance.now() - before),
        timeoutMs,
        primaryTargetId: answering[0]?.id ?? null,
        warnings: warningsOf(answering),
        targets,
      });
    else show(cli, targets);
    return answering.length > 0 ? 0 : 1;
  },
});

async function placesOf(cli: Cli, args: Wish): Promise<Place[]> {
  const { config, env } = await loadSettings(cli.env, cli.paths);
  const { timeout } = args;
  const remote = config?.gateway.remote;
  const places: Place[] = [];
  if (args.url) places.push({ id: "explicit", kind: "explicit", wish: args });
  const url = remote?.url ?? env.gatewayUrl;
  if (url && url !== args.url)
    places.push({
      id: "configRemote",
      kind: "configRemote",
      wish: {
        url,
        timeout,
        token: remote?.token ?? (remote?.url ? undefined : env.gatewayToken),
        password: remote?.password ?? (remote?.url ? undefined : env.gatewayPassword),
      },
    });
  const own = args.url ? {} : { token: args.token, password: args.password, port: args.port };
  const { held, body } = readLock(cli.paths.lockPath);
  const usual = (held && body?.port) || env.gatewayPort || config?.gateway.port || GATEWAY_PORT;
  // Over TCP, as an app would come: the socket needs no secret and says nothing about one.
  const wish = { ...own, port: own.port ?? String(usual), timeout };
  places.push({ id: "localLoopback", kind: "localLoopback", wish });
  return places;
}

async function tryPlace(cli: Cli, { id, kind, wish }: Place): Promise<Tried> {
  const base = { id, kind, active: true, tunnel: null, config: null };
  const nothing = { self: null, health: null, summary: null, presence: null };
  try {
    return await withGateway(cli, wish, async ({ client, hello, target, connectMs, timeoutMs }) => {
      const [health, summary, presence] = await Promise.all([
        client.call("health", {}, { timeoutMs }),
        client.call("status", {}, { timeoutMs }),
        client.call("system-presence", {}, { timeoutMs }),
      ]);
      const latencyMs = Math.round(connectMs);
      return {
        ...base,
        url: target.url,
        connect: { ok: true, latencyMs, error: null, close: null },
        self: { version: hello.server.version },
        health,
        summary,
        presence,
      };
    });
  } catch (cause) {
    // A place that does not answer is what is looked for; a wrong flag is not.
    if (!(cause instanceof AppError) || (cause.code === "usage" && kind === "explicit"))
      throw cause;
    const [error = ""] = cause.message.split("\n");
    const url = wish.url ?? (await tcpTarget(cli, wish)).url;
    return {
      ...base,
      url,
      connect: { ok: false, latencyMs: null, error, close: null },
      ...nothing,
    };
  }
}

/** Two that answer may be one, or two that are taken for each other. */
const warningsOf = (answering: readonly Tried[]) =>
  answering.length < 2
    ? []
    : [
        {
          code: "multiple_gateways",
          message: "More than one gateway answers; commands talk to the first one.",
          targetIds: answering.map(({ id }) => id),
        },
      ];

const NAMES = {
  explicit: "Given address",
  configRemote: "gateway.remote.url",
  localLoopback: "This machine",
} as const;

function show({ out }: Cli, targets: readonly Tried[]): void {
  for (const { kind, url, connect, self } of targets) {
    const mark = connect.ok ? out.paint("green", "✓") : out.paint("red", "✗");
    const what = connect.ok
      ? `answers in ${connect.latencyMs}ms, version ${self?.version}`
      : connect.error;
    out.line(`${mark} ${NAMES[kind]} ${safeText(`${url}: ${what}`)}`);
  }
  for (const { message } of warningsOf(targets.filter(({ connect }) => connect.ok)))
    out.line(out.paint("yellow", message));
}
