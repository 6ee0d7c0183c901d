/**
 * Makes the gateway reachable through Tailscale: `serve` for the devices of the tailnet, `funnel` for the whole internet. Tailscale
 * ends TLS and forwards to the loopback port. Whatever goes wrong here is a warning with a remedy: the gateway works without it.
 */
import { existsSync } from "node:fs";

import { z } from "zod";

import { readEnv } from "../base/env.ts";
import { errnoOf } from "../base/errors.ts";
import { remoteText } from "../base/log-lines.ts";
import type { Logger } from "../base/log.ts";
import { missingCommandHint } from "../base/nix.ts";
import { systemClock } from "../base/time.ts";
import type { GatewayConfig } from "./config.ts";

export type TailscaleOptions = {
  mode: GatewayConfig["tailscale"]["mode"];
  resetOnExit: boolean;
  /** Of the Control UI, for the address in the log. */
  basePath: string;
  /** Of the child processes. `PATH` says where `tailscale` is looked for. */
  env: Record<string, string>;
  log: Logger;
  /** The program inside the macOS app. */
  appPath?: string;
  /** Longest time for one call of `tailscale`, in ms. */
  timeoutMs?: number;
};

const APP_PATH = "/Applications/Tailscale.app/Contents/MacOS/Tailscale";
/** Long enough for a first certificate; a call that waits for a person's consent ends here. */
const TIMEOUT_MS = 15_000;
/** A stop must not wait longer, in ms. */
const RESET_MS = 2000;
/** Most that is kept of what a call says, in characters. */
const MAX_OUTPUT = 16 * 1024 * 1024;
/** And of that in a log line. */
const MAX_SAID = 600;
/** How long a call's output may still come when the process has ended, in ms: a child of it may hold the pipe open. */
const DRAIN_MS = 500;

const Status = z.looseObject({
  BackendState: z.string().optional(),
  Self: z.looseObject({ DNSName: z.string().optional() }).nullish(),
});

export class Tailscale {
  private names: string[] = [];
  private program: string | undefined;
  /** `tailscale` may have begun to forward. */
  private begun = false;
  private publishing: Promise<void> | undefined;
  private readonly stopped = new AbortController();

  constructor(private readonly options: TailscaleOptions) {}

  /** Names under which the tailnet reaches this gateway. Empty until they are known. */
  hosts(): string[] {
    return this.names;
  }

  /** Call when the gateway listens. Never throws for what Tailscale does or says. */
  publish(port: number): Promise<void> {
    return (this.publishing ??= this.start(port));
  }

  /** Takes back what was published, when that is wanted. Bounded. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.publishing;
    this.names = [];
    const { resetOnExit, log } = this.options;
    if (!this.program || !this.begun || !resetOnExit) return;
    const ran = await this.run(["serve", "reset"], RESET_MS);
    if (ran.ok) log.info("no longer published through Tailscale");
    else
      log.warn("Tailscale still forwards to this gateway", {
        why: ran.said,
        hint: "Take it back with `tailscale serve reset`.",
      });
  }

  private async start(port: number): Promise<void> {
    const { mode, log, env, basePath, appPath = APP_PATH } = this.options;
    if (mode === "off") return;
    this.program =
      Bun.which("tailscale", { PATH: env["PATH"] ?? "" }) ??
      (existsSync(appPath) ? appPath : undefined);
    if (!this.program)
      return log.warn("the gateway is not published: there is no `tailscale` on this machine", {
        hint:
          missingCommandHint(readEnv(env), "tailscale") ??
          "Install Tailscale (https://tailscale.com/download) and run `tailscale up`, or set gateway.tailscale.mode to off.",
      });
    // First the name: a request may come as soon as Tailscale forwards, and is refused under a name that is not known.
    const status = await this.status();
    const name = hostName(status?.Self?.DNSName);
    if (this.stopped.signal.aborted) return;
    this.names = name ? [name] : [];
    this.begun = true;
    const ran = await this.run([mode, "--bg", "--yes", String(port)], undefined, this.stopped);
    if (this.stopped.signal.aborted) return;
    if (!ran.ok) {
      this.begun = ran.timedOut;
      this.names = [];
      return log.warn(`the gateway is not published: \`tailscale ${mode}\` failed`, {
        why: ran.said,
        hint: remedy(ran.said, mode, status?.BackendState),
      });
    }
    const who = mode === "funnel" ? "for the whole internet" : "for your tailnet";
    if (name) log.info(`published ${who}: https://${name}${pathOf(basePath)}`);
    else
      log.warn(`published ${who}, but Tailscale does not say under which name`, {
        hint: "Look at `tailscale serve status`, and add the host name to gateway.allowedHosts.",
      });
  }

  /** Undefined when `tailscale` does not say it in a form that we know. */
  private async status(): Promise<z.infer<typeof Status> | undefined> {
    const ran = await this.run(["status", "--json"], undefined, this.stopped);
    try {
      return Status.safeParse(JSON.parse(ran.out)).data;
    } catch (cause) {
      // No JSON: an older Tailscale, or only an error message. What follows will say what is wrong.
      if (cause instanceof SyntaxError) return undefined;
      throw cause;
    }
  }

  /** One call, without a shell. Ends at the time limit, and when `stop` is aborted. */
  private async run(
    args: string[],
    timeoutMs = this.options.timeoutMs ?? TIMEOUT_MS,
    stop?: AbortController,
  ): Promise<Ran> {
    try {
      const child = Bun.spawn([this.program!, ...args], {
        // The program in the macOS app is also the app's window.
        env: { ...this.options.env, TAILSCALE_BE_CLI: "1" },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        timeout: timeoutMs,
        killSignal: "SIGKILL",
        ...(stop && { signal: stop.signal }),
      });
      const [out, err] = [collect(child.stdout), collect(child.stderr)];
      await child.exited;
      const drained = Promise.all([out.done, err.done]);
      await Promise.race([drained, systemClock.sleep(DRAIN_MS)]);
      await Promise.all([out.cancel(), err.cancel()]);
      const ok = child.exitCode === 0;
      const said = remoteText(`${err.text()} ${out.text()}`.trim(), MAX_SAID);
      return {
        ok,
        out: out.text(),
        said: said || ended(child),
        timedOut: child.signalCode !== null,
      };
    } catch (cause) {
      const code = errnoOf(cause);
      if (code === undefined) throw cause;
      // It is there, but cannot be run: another machine's program, no permission, no memory.
      return { ok: false, out: "", said: `it cannot be run (${code})`, timedOut: false };
    }
  }
}

type Ran = {
  ok: boolean;
  /** Standard output. */
  out: string;
  /** What it said, as one line for the log. */
  said: string;
  /** It was ended by us, so nobody knows how far it came. */
  timedOut: boolean;
};

const ended = ({ exitCode, signalCode }: Bun.Subprocess): string =>
  signalCode ? "it did not end by itself" : `it ended with ${exitCode}`;

/** Reads a pipe to its end, or until `cancel`. */
function collect(stream: ReadableStream<Uint8Array>) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const read = async (): Promise<void> => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (text.length < MAX_OUTPUT) text += decoder.decode(value, { stream: true });
    }
  };
  return { done: read(), text: () => text, cancel: () => reader.cancel() };
}

/** Tailscale writes the name with a dot at its end. */
function hostName(dnsName: string | undefined): string | undefined {
  const name = dnsName?.replace(/\.$/, "").toLowerCase();
  return name && name.length <= 253 && /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/.test(name)
    ? name
    : undefined;
}

const pathOf = (basePath: string): string => `/${basePath}/`.replace(/\/{2,}/g, "/");

/** What to do about a failed call. The texts are those of Tailscale 1.50 to 1.90. */
function remedy(said: string, mode: string, state: string | undefined): string {
  const consent = /https:\/\/login\.tailscale\.com\/\S+/.exec(said)?.[0];
  if (consent) return `Open ${consent} to allow it in your tailnet, then restart the gateway.`;
  if (/access denied|permission|operator/i.test(said))
    return "Run `sudo tailscale set --operator=$USER` once, then restart the gateway.";
  if (/flag provided but not defined|unknown (?:flag|subcommand)/i.test(said))
    return "Update Tailscale to 1.52 or newer.";
  if (/failed to connect to local tailscale|is tailscaled running|not running/i.test(said))
    return "Start Tailscale (`sudo systemctl start tailscaled`, or the app), then restart the gateway.";
  if (state !== undefined && state !== "Running")
    return "Run `tailscale up` and sign in, then restart the gateway.";
  return `Try \`tailscale ${mode} --bg <port>\` in a terminal, or set gateway.tailscale.mode to off.`;
}
