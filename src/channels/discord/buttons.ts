/** Buttons below a message: what pressing one says travels in its id, which is short, so long data is kept and only named there. */
import { createHash } from "node:crypto";

import type { Logger } from "../../base/log.ts";
import type { Outbound } from "../../flow.ts";
import type { AccountState } from "../channel.ts";

const DATA = "d:";
const KEPT = "k:";
const STATE = "button/";
/** The platform's limits. */
const MAX_ID = 100;
const MAX_LABEL = 80;
const MAX_ROWS = 5;
const MAX_IN_ROW = 5;
/** Kept data; the oldest go first. */
const MAX_KEPT = 1_000;
const ACTION_ROW = 1;
const BUTTON = 2;
const SECONDARY = 2;

/** Only this person may press: data that ends with `user=<id>`, as the menus of commands have it. */
export const forPerson = (customId: string): string | undefined =>
  /(?:^|[;:.])user=(\d{15,20})$/.exec(customId)?.[1];

export class Buttons {
  constructor(
    private readonly state: AccountState,
    private readonly log: Logger,
  ) {}

  /** The rows as the API wants them. What they must know is durable when it resolves. */
  async rows(buttons: NonNullable<Outbound["buttons"]>): Promise<Record<string, unknown>[]> {
    const all = buttons.flatMap((row) => pieces(row, MAX_IN_ROW)).filter((row) => row.length);
    if (all.length > MAX_ROWS)
      this.log.warn("a message has more buttons than fit", { rows: all.length });
    const used = new Set<string>();
    const keep: Record<string, unknown> = {};
    const rows = all.slice(0, MAX_ROWS).map((row) => ({
      type: ACTION_ROW,
      components: row.flatMap(({ text, data }) => {
        const id = idOf(data, keep);
        // The platform refuses a message in which two buttons have one id; they would say the same.
        if (used.has(id)) return [];
        used.add(id);
        return [{ type: BUTTON, style: SECONDARY, label: label(text), custom_id: id }];
      }),
    }));
    if (Object.keys(keep).length) await this.keep(keep);
    return rows.filter(({ components }) => components.length);
  }

  /** What a pressed button says; undefined when that is not kept any more. */
  async dataOf(customId: string): Promise<string | undefined> {
    if (customId.startsWith(DATA)) return customId.slice(DATA.length);
    if (!customId.startsWith(KEPT)) return undefined;
    const key = customId.slice(KEPT.length).split(";")[0]!;
    return (await this.state.get<{ data: string }>(STATE + key))?.data;
  }

  private async keep(entries: Record<string, unknown>): Promise<void> {
    const keys = await this.state.keys(STATE);
    if (keys.length > MAX_KEPT) {
      const rows = await Promise.all(
        keys.map(async (key) => ({
          key,
          at: (await this.state.get<{ at: number }>(key))?.at ?? 0,
        })),
      );
      const old = rows.sort((a, b) => a.at - b.at).slice(0, rows.length - MAX_KEPT / 2);
      for (const { key } of old) entries[key] ??= undefined;
    }
    await this.state.put(entries);
  }
}

function idOf(data: string, keep: Record<string, unknown>): string {
  const direct = DATA + data;
  if (direct.length <= MAX_ID) return direct;
  const key = createHash("sha256").update(data).digest("base64url").slice(0, 22);
  keep[STATE + key] = { data, at: Date.now() };
  const person = forPerson(data);
  return `${KEPT}${key}${person ? `;user=${person}` : ""}`;
}

const label = (text: string): string => {
  const plain = text.replace(/\s+/g, " ").trim() || "…";
  return plain.length > MAX_LABEL ? `${plain.slice(0, MAX_LABEL - 1).toWellFormed()}…` : plain;
};

const pieces = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  );
