/** What an older installation kept of a channel's accounts beside the config. One object per channel that kept something. */
import type { AccountState } from "./channel.ts";

export type LegacyPlace = {
  /** The older state folder. Read only. */
  stateDir: string;
  account: string;
  /** The account's own section of the config. */
  config: Record<string, unknown>;
};

export interface ChannelLegacy {
  /** What it is, for people: `the link to the phone`. */
  what: string;
  /** Files that there are for this account. */
  find(place: LegacyPlace): Promise<number>;
  /** Whether `take` would take something. */
  isNew(place: LegacyPlace, state: Pick<AccountState, "get">): Promise<boolean>;
  /**
   * Into the account's state, in one step. Gives how many values were taken; 0 when there is nothing, or the account has gone on
   * here already.
   */
  take(place: LegacyPlace, state: AccountState): Promise<number>;
  /** The files of old, by their names in the state folder. None when there is nothing to give back. */
  give(
    place: Pick<LegacyPlace, "account">,
    state: Pick<AccountState, "get" | "keys">,
  ): Promise<Record<string, unknown>>;
  /** The key of a session as the first versions spelled it, without the agent; undefined for any other. */
  oldKey?(key: string): string | undefined;
}
