/** How long a message may wait for more of the same sender. It is stored before it waits, so nothing can be lost by it. Pure. */
import type { Inbound } from "../flow.ts";
import type { MessagesConfig } from "../sessions/config.ts";

/**
 * In ms; 0 for what must go at once: media, places, commands, and words that stop a turn. `channelMs` is the `debounceMs` of the
 * channel's own section, where it has one.
 */
export function debounceMs(
  inbound: Inbound,
  messages: Pick<MessagesConfig, "inbound">,
  channelMs?: number,
): number {
  const { text, media, notes, event, command } = inbound;
  if (event || command || media.length || notes?.length || isUrgent(text)) return 0;
  const { byChannel, debounceMs: common } = messages.inbound;
  return byChannel[inbound.from.channel] ?? (channelMs || common);
}

const isUrgent = (text: string): boolean =>
  /^\s*\/[a-z]/i.test(text) || /^\s*(?:stop|esc|abort|wait|exit|interrupt)\s*$/i.test(text);
