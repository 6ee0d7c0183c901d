/** Asks a gateway how it is, and takes silence for an answer. For `status`, `gateway status`, `gateway probe` and `security audit`. */
import { AppError } from "../../base/errors.ts";
import type { AccountSnapshot, ChannelWarning } from "../../channels/summary.ts";
import type { Cli } from "../command.ts";
import { type Gateway, type Target, tcpTarget, type Wish, withGateway } from "../rpc.ts";

export type Recent = {
  key: string;
  updatedAt: number;
  model?: string | null;
  totalTokens?: number;
};

/** The parts of the gateway's own status that are printed; an older gateway may leave any of them out. */
export type Remote = {
  version?: string;
  uptimeMs?: number;
  logFile?: string;
  defaultModel?: string;
  unfinishedTurns?: number;
  pendingOutbox?: number;
  heartbeat?: { defaultAgentId?: string };
  channelSummary?: string[];
  queuedSystemEvents?: string[];
  sessions?: { count: number; recent: Recent[]; byAgent?: { agentId: string; count?: number }[] };
};

/** What it says of the chat networks. */
export type RemoteChannels = {
  ts: number;
  channelOrder: string[];
  channelAccounts: Record<string, AccountSnapshot[]>;
  warnings: ChannelWarning[];
};

export type Probe<More = undefined> = {
  target: Target;
  reachable: boolean;
  connectLatencyMs: number | null;
  error: string | null;
  status?: Remote;
  more?: More;
};

/**
 * Connects and asks; a gateway that does not answer is an answer too. Throws usage for wrong flags.
 * @param more what else is asked over the same connection
 */
export async function probeGateway<More>(
  cli: Cli,
  wish: Wish,
  more?: (gateway: Gateway) => Promise<More>,
): Promise<Probe<More>> {
  try {
    return await withGateway(cli, wish, async (gateway) => {
      const { client, target, connectMs, timeoutMs } = gateway;
      const status = (await client.call("status", {}, { timeoutMs })) as Remote;
      const rest = more && (await more(gateway));
      return {
        target,
        reachable: true,
        connectLatencyMs: Math.round(connectMs),
        error: null,
        status,
        ...(rest !== undefined && { more: rest }),
      };
    });
  } catch (cause) {
    // What a status is for: the answer "it does not answer, because …".
    if (!(cause instanceof AppError) || cause.code === "usage") throw cause;
    const error = cause.message.split("\n")[0]!;
    const target = await tcpTarget(cli, wish);
    return { target, reachable: false, connectLatencyMs: null, error };
  }
}

/** Undefined where the gateway is of a version before it. */
export async function askChannels(
  { client, hello }: Gateway,
  timeoutMs: number,
  probe = false,
): Promise<RemoteChannels | undefined> {
  if (!hello.features.methods.includes("channels.status")) return undefined;
  const answer = await client.call("channels.status", { probe }, { timeoutMs });
  return answer as RemoteChannels;
}

/** It does not run, as opposed to: something is there and does not answer as a gateway should. */
export const isDown = ({ error }: Pick<Probe, "error">): boolean =>
  error?.startsWith("The gateway is not running") === true;

/** The socket's address is only for programs. */
export const shownUrl = ({ url, source }: Target): string =>
  url.startsWith("ws+unix:") ? source : `${url} (${source})`;
