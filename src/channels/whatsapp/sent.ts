/**
 * The last messages that we sent, in the account's durable state: a recipient who could not decrypt one asks for it again, also
 * after a restart.
 */
import { proto } from "@whiskeysockets/baileys";

import type { AccountState } from "../channel.ts";

/** As many as are kept; the oldest goes when another comes. */
const MOST = 1000;
const NEXT = "sent/next";
const slotKey = (n: number): string => `sent/slot/${String(n % MOST).padStart(4, "0")}`;
const messageKey = (id: string): string => `sent/id/${id}`;

type Row = { jid: string; bytes: string };

export class Sent {
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly state: AccountState) {}

  /** Durable when it resolves, so that what leaves after it can be sent once more. */
  keep(jid: string, id: string, message: proto.IMessage): Promise<void> {
    const kept = this.turn.then(() => this.store(jid, id, message));
    this.turn = kept.then(
      () => undefined,
      () => undefined,
    );
    return kept;
  }

  private async store(jid: string, id: string, message: proto.IMessage): Promise<void> {
    const row: Row = {
      jid,
      bytes: Buffer.from(proto.Message.encode(message).finish()).toString("base64"),
    };
    const known = await this.state.get<Row>(messageKey(id));
    if (known) return this.state.put({ [messageKey(id)]: row });
    const n = (await this.state.get<number>(NEXT)) ?? 0;
    const oldest = await this.state.get<string>(slotKey(n));
    await this.state.put({
      ...(oldest && { [messageKey(oldest)]: undefined }),
      [messageKey(id)]: row,
      [slotKey(n)]: id,
      [NEXT]: n + 1,
    });
  }

  async find(id: string): Promise<{ jid: string; message: proto.IMessage } | undefined> {
    const row = await this.state.get<Row>(messageKey(id));
    if (!row) return undefined;
    return { jid: row.jid, message: proto.Message.decode(Buffer.from(row.bytes, "base64")) };
  }
}
