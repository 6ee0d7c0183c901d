/** What was said in a group since our last answer, for the message that is for us. */
import type { Inbound } from "../flow.ts";
import { mediaPlaceholder } from "../media/placeholder.ts";
import type { Store } from "../store/store.ts";

/** Of one message, in characters; what is longer is cut. */
const MAX_TEXT = 1_000;

/** At most `limit` of the newest, oldest first; undefined when there is none. */
export async function unansweredBefore(
  inbound: Inbound,
  limit: number,
  store: Pick<Store, "inbound">,
): Promise<Inbound["before"]> {
  if (inbound.chat === "dm" || limit <= 0) return undefined;
  const rows = await store.inbound.unanswered(inbound.from, limit);
  const before = rows.flatMap(({ inbound: { id, sender, text, media, at } }) => {
    const said = cut(text.trim()) || mediaPlaceholder(media);
    return said ? [{ id, sender: senderLabel(sender), text: said, at }] : [];
  });
  return before.length ? before : undefined;
}

const cut = (text: string): string =>
  text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT).toWellFormed()}…` : text;

/** Of a name: the id behind it must never be what is cut off, because it alone tells who somebody is. In characters. */
const MAX_NAME = 50;

/** `Ada (42)`. */
export function senderLabel({ id, name, handle }: Inbound["sender"]): string {
  const called = (name || handle)?.trim().slice(0, MAX_NAME).toWellFormed();
  return called && called !== id ? `${called} (${id})` : id;
}
