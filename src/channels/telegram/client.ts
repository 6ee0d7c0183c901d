/** One bot at the platform: calls with a limit of time, files, and errors that the core understands. */
import { Api, type RawApi } from "grammy";

import { AppError } from "../../base/errors.ts";
import type { TelegramConfig } from "./config.ts";
import { isTokenRefused, toChannelError } from "./errors.ts";
import { tokenRefused } from "./token.ts";

const API_ROOT = "https://api.telegram.org";
/** A file may take this many times the limit of a call. */
const FILE_FACTOR = 10;

/** Methods without parameters, which the library calls differently. */
type Question = "getMe" | "getWebhookInfo";
type Method = Exclude<keyof RawApi, Question>;
type Payload<M extends Method> = Parameters<RawApi[M]>[0];
type Answer<M extends keyof RawApi> = Awaited<ReturnType<RawApi[M]>>;

export type CallOptions = {
  /** Ends the call. */
  signal?: AbortSignal;
  /** Instead of the configured limit. */
  timeoutMs?: number;
  /** The payload has a file in it. */
  upload?: true;
};

export type ClientOptions = {
  config: TelegramConfig;
  token: string;
  /** The setting that holds the token. */
  setting: string;
  /** Ends with the account. */
  signal: AbortSignal;
  /** The platform does not know the token. */
  refused(error: AppError): void;
};

export class Client {
  private readonly raw: RawApi;
  private readonly root: string;
  private readonly timeoutMs: number;

  /** Throws `channel_misconfigured` for an address that is not allowed. */
  constructor(private readonly options: ClientOptions) {
    const { config, token } = options;
    this.root = apiRootOf(config);
    this.timeoutMs = config.timeoutSeconds * 1000;
    const proxy = config.proxy?.trim();
    this.raw = new Api(token, {
      apiRoot: this.root,
      // Every call has a limit of its own, which the library's must not undercut.
      timeoutSeconds: 24 * 3600,
      // Understood by Bun's fetch, which stands behind the library's.
      ...(proxy && { baseFetchConfig: { proxy } as never }),
    }).raw;
  }

  /** The platform's own address, and not somebody else's server with other limits. */
  get isOfficial(): boolean {
    return this.root === API_ROOT;
  }

  /** Throws `channel_rejected`, `channel_unreachable` (with `retryAfterMs` where the platform says it); see errors.ts. */
  call<M extends Method>(
    method: M,
    payload: Payload<M>,
    options: CallOptions = {},
  ): Promise<Answer<M>> {
    const send = this.raw[method] as (p: Payload<M>, s: AbortSignal) => Promise<Answer<M>>;
    return this.limited(method, options, (signal) => send(payload, signal));
  }

  /** The same for a method that has no parameters. */
  ask<M extends Question>(method: M, options: CallOptions = {}): Promise<Answer<M>> {
    const send = this.raw[method] as (s: AbortSignal) => Promise<Answer<M>>;
    return this.limited(method, options, send);
  }

  private async limited<T>(
    method: string,
    { signal, timeoutMs, upload }: CallOptions,
    send: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const limit = AbortSignal.timeout(
      timeoutMs ?? (upload ? this.timeoutMs * FILE_FACTOR : this.timeoutMs),
    );
    try {
      return await send(AbortSignal.any([this.options.signal, limit, ...(signal ? [signal] : [])]));
    } catch (cause) {
      const error = toChannelError(method, cause, limit.aborted);
      if (!isTokenRefused(error)) throw error;
      const refused = tokenRefused(this.options.setting);
      this.options.refused(refused);
      throw refused;
    }
  }

  /** The bytes of a file that `getFile` gave a path for. Its address has the token in it and never leaves this method. */
  async download(path: string): Promise<ReadableStream<Uint8Array>> {
    const { config, token, signal } = this.options;
    const limit = AbortSignal.timeout(this.timeoutMs * FILE_FACTOR);
    const proxy = config.proxy?.trim();
    try {
      const answer = await fetch(`${this.root}/file/bot${token}/${path}`, {
        signal: AbortSignal.any([signal, limit]),
        redirect: "error",
        ...(proxy && { proxy }),
      });
      if (answer.ok && answer.body) return answer.body;
      throw new AppError(
        answer.status >= 500 || answer.status === 429 ? "channel_unreachable" : "channel_rejected",
        `Telegram does not give the file (${answer.status}).`,
      );
    } catch (cause) {
      throw toChannelError("file", cause, limit.aborted);
    }
  }
}

/** Throws `channel_misconfigured` naming `channels.telegram.apiRoot`. */
export function apiRootOf(config: TelegramConfig): string {
  const raw = config.apiRoot?.trim();
  if (!raw) return API_ROOT;
  const url = URL.parse(raw);
  if (!url || !/^https?:$/.test(url.protocol))
    throw new AppError("channel_misconfigured", "channels.telegram.apiRoot is no address.", {
      hint: "It looks like http://127.0.0.1:8081. Without it the platform's own address is used.",
    });
  const root = raw.replace(/\/+$/, "");
  if (root === API_ROOT || isLoopback(url.hostname) || config.dangerouslyAllowRemoteApiRoot)
    return root;
  throw new AppError(
    "channel_misconfigured",
    `channels.telegram.apiRoot leads to another machine (${url.hostname}), which would get the bot's token and every message.`,
    {
      hint: "Take it out, or, if that machine is yours, set channels.telegram.dangerouslyAllowRemoteApiRoot to true.",
    },
  );
}

/** Of this machine, as `URL` spells it. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
