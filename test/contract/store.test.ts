import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Clock } from "../../src/base/time.ts";
import { systemClock } from "../../src/base/time.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import type { Store } from "../../src/store/store.ts";
import { channelStoreContract } from "./store-channels.ts";
import { quiet } from "./store-log.ts";
import { storeContract } from "./store.ts";

const folder = mkdtempSync(join(tmpdir(), "clawdbot-store-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const clockOf = (now: () => number): Clock => ({ ...systemClock, now });

const names = { next: 0 };
const onFile = (now: () => number, remote?: true): Promise<Store> =>
  openSqlite({
    path: join(folder, `${names.next++}.sqlite`),
    log: quiet,
    clock: clockOf(now),
    space: { reserve: 4096 },
    ...(remote && { remote }),
  });
const kinds: Record<string, (now: () => number) => Promise<Store>> = {
  memory: (now) => openSqlite({ path: ":memory:", log: quiet, clock: clockOf(now) }),
  "a file": (now) => onFile(now),
  "a network share": (now) => onFile(now, true),
};
for (const [name, open] of Object.entries(kinds)) {
  storeContract(name, open);
  channelStoreContract(name, open);
}
