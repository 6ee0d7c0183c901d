/** The time in front of a chat message. */

/** Making a formatter costs a quarter of a millisecond, and there are few zones in one config. */
const formats = new Map<string, Intl.DateTimeFormat | undefined>();
const MAX_FORMATS = 100;

/**
 * `2026-11-20 15:30 CET`, or `2026-11-20T14:30Z` for `utc` and for a zone that this machine does not know. `zone` is `local`,
 * `user`, `utc` or an IANA name; `userZone` is what `user` means, this machine's zone when it is unset.
 */
export function stamp(at: number, zone: string, userZone?: string): string {
  const wanted = zone.trim();
  const named =
    wanted === "local"
      ? ""
      : wanted === "user"
        ? (userZone ?? "")
        : wanted.toLowerCase() === "utc"
          ? undefined
          : wanted;
  const format = named === undefined ? undefined : formatOf(named, "en-US");
  if (!format || named === undefined) return `${new Date(at).toISOString().slice(0, 16)}Z`;
  const parts = partsOf(format, at);
  // One English has the letters of American zones, the other those of European ones.
  const other = /^GMT[+-]/.test(parts.timeZoneName ?? "") && formatOf(named, "en-GB");
  const name = (other && partsOf(other, at).timeZoneName) || parts.timeZoneName;
  return `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute} ${name}`;
}

type Parts = Partial<Record<Intl.DateTimeFormatPartTypes, string>>;
const partsOf = (format: Intl.DateTimeFormat, at: number): Parts =>
  Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));

/** Undefined for an unknown zone; the empty name is this machine's. */
function formatOf(zone: string, locale: string): Intl.DateTimeFormat | undefined {
  const key = `${locale} ${zone}`;
  if (formats.has(key)) return formats.get(key);
  if (formats.size >= MAX_FORMATS) formats.clear();
  const made = newFormat(zone, locale);
  formats.set(key, made);
  return made;
}

function newFormat(zone: string, locale: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat(locale, {
      ...(zone && { timeZone: zone }),
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
      timeZoneName: "short",
    });
  } catch (cause) {
    if (cause instanceof RangeError) return undefined;
    throw cause;
  }
}
