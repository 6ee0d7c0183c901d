import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Clock } from "../../src/base/time.ts";
import { systemClock } from "../../src/base/time.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import { quiet } from "./store-log.ts";
import { storeContract } from "./store.ts";

const folder = mkdtempSync(join(tmpdir(), "clawdbot-store-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const clockOf = (now: () => number): Clock => ({ ...systemClock, now });

storeContract("memory", (now) => openSqlite({ path: ":memory:", log: quiet, clock: clockOf(now) }));
const names = { next: 0 };
storeContract("a file", (now) =>
  openSqlite({
    path: join(folder, `${names.next++}.sqlite`),
    log: quiet,
    clock: clockOf(now),
    space: { reserve: 4096 },
  }),
);
storeContract("a network share", (now) =>
  openSqlite({
    path: join(folder, `${names.next++}.sqlite`),
    log: quiet,
    clock: clockOf(now),
    space: { reserve: 4096 },
    remote: true,
  }),
);
