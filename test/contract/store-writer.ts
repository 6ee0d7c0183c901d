/**
 * A gateway reduced to its store, to be killed: turns run side by side, and every promise that was kept is told on standard output,
 * one line each, before the next step begins. Arguments: database path, prefix of the ids.
 */
import { writeSync } from "node:fs";

import { openSqlite } from "../../src/store/sqlite/index.ts";
import { quiet } from "./store-log.ts";
import { address, inbound, said, turnRoute } from "./store.ts";

const [path, prefix] = process.argv.slice(2);
const store = await openSqlite({ path: path!, log: quiet, space: { reserve: 4096 } });
const told = (fact: string) => void writeSync(1, `${fact}\n`);

async function worker(n: number): Promise<void> {
  for (let i = 0; ; i++) {
    const id = `${prefix}-${n}-${i}`;
    await store.inbound.accept(inbound(id), turnRoute(`s${n}`), id);
    told(`accepted ${id}`);
    await store.turns.begin([id], [said("user", id)], 1);
    await store.turns.append(id, [said("assistant", "x".repeat(500))]);
    await store.turns.finish(id, {
      state: "done",
      at: 2,
      entries: [said("assistant", `end of ${id}`)],
      outbox: [{ key: id, to: address, text: id }],
    });
    told(`finished ${id}`);
    await store.outbox.sending(id);
    told(`sending ${id}`);
    await store.outbox.delivered(id, { ids: [id], at: 3 });
    told(`delivered ${id}`);
  }
}
await Promise.all(Array.from({ length: 8 }, (_, n) => worker(n)));
