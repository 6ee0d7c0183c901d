/** Small JSON values, each owned by a scope. */
import { AppError } from "../../base/errors.ts";
import type { Store } from "../store.ts";
import type { Units } from "./commit.ts";
import type { Connection } from "./database.ts";
import { parseJson, toJson } from "./rows.ts";

/** Inside a unit, or over a connection that only reads. Throws store_failed for a value that a damaged disk has changed. */
export function valueOf<T>(
  connection: Pick<Connection, "get">,
  scope: string,
  key: string,
): T | undefined {
  const row = connection.get<{ value: string }>(
    "SELECT value FROM kv WHERE scope = ?1 AND key = ?2",
    scope,
    key,
  );
  if (!row) return undefined;
  const value = parseJson<T>(row.value);
  // Not "absent": whoever finds a value missing makes a new one over it.
  if (value === undefined)
    throw new AppError("store_failed", `The stored value ${scope}/${key} cannot be read.`);
  return value;
}

/** Inside a unit. */
export function putValues(
  connection: Connection,
  scope: string,
  entries: Record<string, unknown>,
): void {
  for (const [key, value] of Object.entries(entries))
    if (value === undefined)
      connection.run("DELETE FROM kv WHERE scope = ?1 AND key = ?2", scope, key);
    else
      connection.run(
        `INSERT INTO kv (scope, key, value) VALUES (?1, ?2, ?3)
         ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value`,
        scope,
        key,
        toJson(value),
      );
}

export const kvCalls = (connection: Connection, units: Units): Store["kv"] => ({
  get<T>(scope: string, key: string): Promise<T | undefined> {
    return units.read(() => valueOf<T>(connection, scope, key));
  },

  set(scope, key, value) {
    return units.write(false, () => {
      // `undefined` would remove it, which is `delete`.
      toJson(value);
      putValues(connection, scope, { [key]: value });
    });
  },

  put(scope, entries) {
    return units.write(true, () => putValues(connection, scope, entries));
  },

  keys(scope, prefix) {
    return units.read(() =>
      connection
        .all<{ key: string }>(
          "SELECT key FROM kv WHERE scope = ?1 AND key >= ?2 AND substr(key, 1, length(?2)) = ?2 ORDER BY key",
          scope,
          prefix,
        )
        .map(({ key }) => key),
    );
  },

  clear(scope) {
    return units.write(true, () => connection.run("DELETE FROM kv WHERE scope = ?1", scope) > 0);
  },

  delete(scope, key) {
    return units.write(false, () => {
      connection.run("DELETE FROM kv WHERE scope = ?1 AND key = ?2", scope, key);
    });
  },
});
