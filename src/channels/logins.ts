/** Sign-ins of channels that are linked by a picture or a code: at most one per account, each for three minutes. */
import type { LoginStep } from "./channel.ts";
import type { NetworkId } from "./registry.ts";

export interface Logins {
  /**
   * Begins a sign-in, or gives the one that goes on; the account is stopped first. Resolves with its first picture, code or end.
   * Throws `bad_request` for a channel that has no sign-in.
   */
  start(
    at: { channel: NetworkId; account: string },
    wish: { force: boolean; phone?: string; timeoutMs: number },
  ): Promise<LoginStep>;
  /** The next step after the one that `start` or `wait` gave; undefined after `timeoutMs` or when no sign-in goes on. */
  wait(
    at: { channel: NetworkId; account: string },
    timeoutMs: number,
  ): Promise<LoginStep | undefined>;
  /** Whether a sign-in goes on, or its last step was not given out yet. */
  goesOn(at: { channel: NetworkId; account: string }): boolean;
  /** Ends a sign-in that nobody waits for any more. */
  cancel(at: { channel: NetworkId; account: string }): Promise<void>;
  /** Signs out; gives whether there was a link. */
  logout(at: { channel: NetworkId; account: string }): Promise<boolean>;
}
