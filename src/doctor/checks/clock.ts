/** The clock: certificates, tokens and the order of conversations depend on it. */
import { VERSION } from "../../base/brand.ts";
import { formatAge } from "../../base/time.ts";
import { peekNewest } from "../../store/sqlite/peek.ts";
import type { Check, Finding } from "../check.ts";
import { fromDatabase } from "./database.ts";

const DAY_MS = 86_400_000;
/** Two clocks of one house agree this well, in ms. */
const APART_MS = 60_000;
/** What is stored may be this far ahead, in ms: a platform's own clock. */
const AHEAD_MS = 300_000;

/** The day of this version, from its name; undefined for a build that is not named after a day. */
export function builtAt(version: string): number | undefined {
  const [, year, month, day] = /^(\d{4})\.(\d{1,2})\.(\d{1,2})/.exec(version) ?? [];
  return year === undefined ? undefined : Date.UTC(Number(year), Number(month) - 1, Number(day));
}

type Clocks = {
  now: number;
  /** See `builtAt`. */
  built: number | undefined;
  /** The newest time in the database, epoch ms. */
  newest: number | undefined;
  /** How far the gateway's clock is ahead, in ms. */
  aheadMs: number | undefined;
};

const SET = "Set the clock, as with: sudo timedatectl set-ntp true";

/** Pure: what these clocks say of ours. */
export function clockFindings({ now, built, newest, aheadMs }: Clocks): Finding[] {
  const found: Finding[] = [];
  const say = (message: string) => found.push({ severity: "error", message, fixHint: SET });
  const today = new Date(now).toISOString().slice(0, 10);
  // A day of grace for the zones.
  if (built !== undefined && now < built - DAY_MS)
    say(
      `The clock says ${today}, which is before this version was made; certificates count as not valid yet, so models and networks refuse the connection.`,
    );
  if (newest !== undefined && newest > now + AHEAD_MS)
    say(
      `The clock was set back: the newest message in the database is ${formatAge(newest - now)} ahead of it. New messages sort before old ones until the clock has caught up.`,
    );
  if (aheadMs !== undefined && Math.abs(aheadMs) > APART_MS)
    say(
      `This machine's clock and the gateway's are ${formatAge(Math.abs(aheadMs))} apart; signed requests between them are refused.`,
    );
  return found;
}

export const clockCheck: Check = {
  id: "clock",
  title: "Clock",
  async run({ now, paths, running }) {
    const newest = fromDatabase(undefined, () => peekNewest(paths.databasePath));
    return clockFindings({ now, built: builtAt(VERSION), newest, aheadMs: running?.aheadMs });
  },
};
