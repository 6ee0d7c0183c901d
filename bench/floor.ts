/** The least that any gateway in Bun can cost: one HTTP server and one row in SQLite. Compiled like the product; the bounds are put beside it. */
import { Database } from "bun:sqlite";
import { join } from "node:path";

const [dir = ".", port = "0"] = process.argv.slice(2);
const db = new Database(join(dir, "floor.sqlite"));
db.run("PRAGMA journal_mode = WAL");
db.run("PRAGMA synchronous = FULL");
db.run("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, at INTEGER NOT NULL)");
const insert = db.prepare("INSERT INTO rows (at) VALUES (?)");
insert.run(Date.now());
Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  fetch(request) {
    if (request.url.endsWith("/row")) insert.run(Date.now());
    return Response.json({ ok: true });
  },
});
process.on("SIGTERM", () => {
  db.close();
  process.exit(0);
});
