/** Calls of Discord's REST API with the token of one account. What goes wrong comes out as an AppError, never as the library's. */
import { type RequestData, REST } from "discord.js";

import { AppError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { pause, systemClock } from "../../base/time.ts";
import { apiError } from "./errors.ts";

export const PLATFORM_API = "https://discord.com/api";
/** Of one request, in ms; a file of the largest size passes a slow line in that time. */
const TIMEOUT_MS = 60_000;
/** Between two tries of the patient, in ms. */
const LONGEST_PAUSE_MS = 30_000;

export type ApiOptions = {
  token: string;
  /** Without a slash at the end. */
  root: string;
  /** Where the token is written, for the message when it is refused. */
  tokenKey: string;
  log: Logger;
  /** The platform does not know the token (any more). Called with what a person must do. */
  refused(error: AppError): void;
};
type Body = Record<string, unknown> | unknown[];
type Query = Record<string, string | number | readonly string[] | undefined>;
/** `signal` ends the request. `auth: false` for routes whose secret is in their path. */
type Extras = { query?: Query; signal?: AbortSignal; auth?: boolean; form?: FormData };

export class Api {
  private readonly rest: REST;
  private over = false;

  constructor(private readonly options: ApiOptions) {
    this.rest = new REST({
      api: options.root,
      version: "10",
      timeout: TIMEOUT_MS,
      // The outbox and the callers of `patient` wait and repeat, because only they know in what order.
      retries: 0,
      rejectOnRateLimit: () => true,
      makeRequest: (url, init) =>
        fetch(url, { ...(init as RequestInit), redirect: "error" }) as ReturnType<
          REST["options"]["makeRequest"]
        >,
    }).setToken(options.token);
  }

  /** Every method throws `channel_rejected`, `channel_unreachable` or `channel_misconfigured`. */
  get = <T>(route: string, extras?: Extras): Promise<T> =>
    this.call("get", route, undefined, extras);
  post = <T>(route: string, body?: Body, extras?: Extras): Promise<T> =>
    this.call("post", route, body, extras);
  put = <T>(route: string, body?: Body, extras?: Extras): Promise<T> =>
    this.call("put", route, body, extras);
  patch = <T>(route: string, body?: Body, extras?: Extras): Promise<T> =>
    this.call("patch", route, body, extras);
  delete = <T>(route: string, extras?: Extras): Promise<T> =>
    this.call("delete", route, undefined, extras);

  /**
   * Repeats what was refused for now, after the time that the platform says, at most `tries` times. For reading, and for what can be
   * done twice.
   */
  async patient<T>(work: () => Promise<T>, signal: AbortSignal, tries = 5): Promise<T> {
    for (let n = 1; ; n++) {
      try {
        return await work();
      } catch (cause) {
        const passing = cause instanceof AppError && cause.code === "channel_unreachable";
        if (!passing || n >= tries || signal.aborted) throw cause;
        const wait = cause.retryAfterMs ?? Math.min(LONGEST_PAUSE_MS, 500 * 2 ** Math.min(n, 10));
        if (!(await pause(systemClock, wait, signal))) throw cause;
      }
    }
  }

  /** Ends the library's own timers. */
  stop(): void {
    this.over = true;
    this.rest.clearHashSweeper();
    this.rest.clearHandlerSweeper();
  }

  private async call<T>(
    method: "get" | "post" | "put" | "patch" | "delete",
    route: string,
    body: Body | undefined,
    { query, signal, auth, form }: Extras = {},
  ): Promise<T> {
    const request: RequestData = {
      ...(form ? { body: form, passThroughBody: true } : body !== undefined && { body }),
      ...(query && { query: searchOf(query) }),
      ...(signal && { signal }),
      ...(auth === false && { auth }),
    };
    try {
      return (await this.rest[method](route as `/${string}`, request)) as T;
    } catch (cause) {
      const error = apiError(cause, this.options.tokenKey);
      if (error.code === "channel_misconfigured" && auth !== false && !this.over) {
        // The library forgets a token that was refused, and would name that as the reason of everything that follows.
        this.rest.setToken(this.options.token);
        this.options.refused(error);
      }
      throw error;
    }
  }
}

function searchOf(query: Query): URLSearchParams {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query))
    for (const each of Array.isArray(value) ? value : [value])
      if (each !== undefined) search.append(key, String(each));
  return search;
}

/** The address of the API without a slash at its end. Throws `channel_misconfigured` for one on another machine that is not allowed. */
export function apiRootOf(
  config: { apiRoot?: string | undefined; dangerouslyAllowRemoteApiRoot: boolean },
  key: string,
): string {
  const text = config.apiRoot?.trim().replace(/\/+$/, "") || PLATFORM_API;
  if (text === PLATFORM_API) return text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new AppError("channel_misconfigured", `${key} is no address of a web server.`, {
      hint: `Remove ${key}, or write it like ${PLATFORM_API}.`,
    });
  if (!config.dangerouslyAllowRemoteApiRoot && !isLoopback(url.hostname))
    throw new AppError(
      "channel_misconfigured",
      `${key} points to another machine (${url.hostname}), which would get the bot token.`,
      { hint: `Remove ${key}, or set dangerouslyAllowRemoteApiRoot: true beside it.` },
    );
  return text;
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
