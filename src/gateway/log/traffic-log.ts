/** What the WebSocket carries, as log lines (`--ws-log`). Names, times and sizes only: never a parameter or a payload. */
import { remoteText } from "../../base/log-lines.ts";
import type { Logger } from "../../base/log.ts";
import type { ResponseFrame } from "../../protocol/frames.ts";
import type { GatewayFlags } from "../flags.ts";

export type WsLog = GatewayFlags["wsLog"];

/** A request that took longer is worth a line of its own, in ms. */
export const SLOW_MS = 50;
/** They wait for something by design. */
const WAITING = new Set(["agent.wait"]);

/** One request and its answer. Sizes are in characters. */
export type Exchange = {
  /** Id of the connection. */
  conn: string;
  method: string;
  ms: number;
  received: number;
  response: ResponseFrame;
  sent: number;
};

export class TrafficLog {
  /** `auto`: only what failed or was slow; `compact`: every request as well; `full`: sizes and events as well. */
  constructor(
    private readonly style: WsLog,
    private readonly log: Logger,
  ) {}

  get events(): boolean {
    return this.style === "full";
  }

  answered({ conn, method, ms, received, response, sent }: Exchange): void {
    const { ok, error } = response;
    const slow = ms > SLOW_MS && !WAITING.has(method);
    if (this.style === "auto" && ok && !slow) return;
    const code = (error?.details as { code?: string } | undefined)?.code ?? error?.code;
    const data = {
      // Whoever calls chooses the name; long or odd ones must not spoil the line.
      method: remoteText(method).slice(0, 64),
      ok,
      ms: Math.round(ms),
      conn: short(conn),
      ...(code && { code }),
      ...(this.style === "full" && { received, sent }),
    };
    if (!ok) this.log.info("request failed", data);
    else if (slow) this.log.info("slow request", data);
    else this.log.debug("request", data);
  }

  /** An event that goes out, once for all who get it. */
  event(name: string, clients: number): void {
    if (this.events) this.log.debug("event", { event: name, clients });
  }
}

const short = (id: string): string => id.slice(0, 8);
