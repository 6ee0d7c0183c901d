/** Two ways to the same thing: the running gateway, and the state folder itself while none runs. */
import { AppError } from "../../base/errors.ts";
import { silentLogger } from "../../base/log.ts";
import { makeStateDir, takeLock } from "../../base/state-dir.ts";
import { openSqlite, type SqliteStore } from "../../store/sqlite/index.ts";
import type { Cli } from "../command.ts";
import { type Gateway, type Wish, withGateway } from "../rpc.ts";

/**
 * `online` with the gateway; `offline` when nothing answers where it should be. What failed in the middle is not begun again the
 * other way: it may have been done. An address that was typed has no other way.
 */
export async function eitherWay<T>(
  cli: Cli,
  wish: Wish,
  online: (gateway: Gateway) => Promise<T>,
  offline: (why: AppError) => Promise<T>,
): Promise<T> {
  let begun = false;
  try {
    return await withGateway(cli, wish, (gateway) => {
      begun = true;
      return online(gateway);
    });
  } catch (cause) {
    const down = cause instanceof AppError && cause.code === "gateway_unreachable";
    if (begun || !down || wish.url) throw cause;
    return offline(cause);
  }
}

/** The store itself, under the lock of the state folder, so that no gateway has it open. Throws gateway_running. */
export async function withStore<T>(
  { paths, env }: Pick<Cli, "paths" | "env">,
  use: (store: SqliteStore) => Promise<T>,
): Promise<T> {
  await makeStateDir(paths, env);
  const lock = takeLock(paths, crypto.randomUUID(), Date.now());
  try {
    const store = await openSqlite({ path: paths.databasePath, log: silentLogger });
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  } finally {
    lock.release();
  }
}
