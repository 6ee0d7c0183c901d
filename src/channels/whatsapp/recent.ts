/**
 * The last messages that were accepted, in the account's durable state: stored together with each message. A message that
 * comes again, because its receipt was lost, is known without being decrypted (its key is gone); an answer can quote; an edit can
 * be checked against who wrote the message.
 */
import type { AccountState } from "../channel.ts";

export type Known = {
  /** WhatsApp's names, as the message came. */
  jid: string;
  /** In groups: who wrote it. */
  participant?: string;
  id: string;
  /** Our name of the chat: one person may write under a number and under a hidden id. */
  chat: string;
  text: string;
};

const PREFIX = "recent/";
/** Slots on the disk: more than a server sends before it wants a receipt. */
const SLOTS = 256;
/** Kept in memory. */
const MOST = 5000;
const TEXT = 200;

type Row = Known & { n: number };

export class Recent {
  private readonly rows = new Map<string, Known>();
  private readonly byId = new Map<string, Known>();
  private next = 0;

  static async load(state: AccountState): Promise<Recent> {
    const recent = new Recent();
    const rows: Row[] = [];
    for (const key of await state.keys(PREFIX)) {
      const row = await state.get<Row>(key);
      if (row) rows.push(row);
    }
    rows.sort((a, b) => a.n - b.n);
    for (const row of rows) recent.add(row);
    recent.next = (rows.at(-1)?.n ?? -1) + 1;
    return recent;
  }

  has(known: Pick<Known, "jid" | "participant" | "id">): boolean {
    return this.rows.has(name(known));
  }

  /** Of this chat. */
  find(chat: string, id: string): Known | undefined {
    const found = this.byId.get(id);
    return found?.chat === chat ? found : undefined;
  }

  /** What to store with the message; `add` makes it known once that is done. */
  entry(known: Known): Record<string, unknown> {
    const n = this.next++;
    const row: Row = { ...known, text: known.text.slice(0, TEXT).toWellFormed(), n };
    return { [`${PREFIX}${String(n % SLOTS).padStart(3, "0")}`]: row };
  }

  add(known: Known): void {
    const key = name(known);
    this.rows.delete(key);
    this.rows.set(key, known);
    this.byId.set(known.id, known);
    if (this.rows.size <= MOST) return;
    const [oldest, { id }] = this.rows.entries().next().value!;
    this.rows.delete(oldest);
    this.byId.delete(id);
  }
}

const name = ({ jid, participant, id }: Pick<Known, "jid" | "participant" | "id">): string =>
  `${jid}\n${participant ?? ""}\n${id}`;
