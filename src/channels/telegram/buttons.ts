/** Buttons under a message. The platform keeps 64 bytes for each, so what is longer is kept here under a short key. */
import type { InlineKeyboardButton, InlineKeyboardMarkup } from "grammy/types";

import type { Outbound } from "../../flow.ts";
import type { AccountState } from "../channel.ts";

/** Bytes in UTF-8. */
const MOST_BYTES = 64;
/** Begins data that stands for something longer; nothing that a model writes begins so. */
const MARK = "\u0001b:";

export class Buttons {
  constructor(private readonly state: AccountState) {}

  /** Undefined when there are none. Durable before the message is sent, so that no button leads nowhere. */
  async markup(rows: Outbound["buttons"]): Promise<InlineKeyboardMarkup | undefined> {
    if (!rows?.length) return undefined;
    const long: Record<string, string> = {};
    const inline_keyboard = rows.map((row) =>
      row.map(({ text, data }): InlineKeyboardButton => {
        if (Buffer.byteLength(data) <= MOST_BYTES && !data.startsWith(MARK))
          return { text, callback_data: data };
        // The same text has the same key, so a message that is sent again leaves nothing behind.
        const key = new Bun.CryptoHasher("sha256").update(data).digest("hex").slice(0, 32);
        long[`button:${key}`] = data;
        return { text, callback_data: `${MARK}${key}` };
      }),
    );
    if (Object.keys(long).length > 0) await this.state.put(long);
    return { inline_keyboard };
  }

  /** What a pressed button stands for; undefined for one that nobody knows any more. */
  async read(data: string): Promise<string | undefined> {
    if (!data.startsWith(MARK)) return data;
    return this.state.get<string>(`button:${data.slice(MARK.length)}`);
  }
}
