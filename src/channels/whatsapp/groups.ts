/** What is known of groups: asked for once, kept for five minutes, forgotten when WhatsApp says that it changed. */
import type { GroupMetadata } from "@whiskeysockets/baileys";

const FRESH_MS = 300_000;
const MOST = 500;

export class Groups {
  private readonly rows = new Map<string, { group: GroupMetadata; at: number }>();

  constructor(private readonly now: () => number) {}

  fresh(jid: string): GroupMetadata | undefined {
    const row = this.rows.get(jid);
    return row && this.now() - row.at < FRESH_MS ? row.group : undefined;
  }

  async get(jid: string, ask: (jid: string) => Promise<GroupMetadata>): Promise<GroupMetadata> {
    const known = this.fresh(jid);
    if (known) return known;
    const group = await ask(jid);
    this.rows.delete(jid);
    this.rows.set(jid, { group, at: this.now() });
    if (this.rows.size > MOST) this.rows.delete(this.rows.keys().next().value!);
    return group;
  }

  forget(jid: string): void {
    this.rows.delete(jid);
  }
}
