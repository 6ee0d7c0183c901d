/**
 * The documentation as one compressed text. Runs while the program is built (a macro), so that a new page is in it without a list to keep;
 * nothing of this file is in the executable but its result.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

const ROOT = join(import.meta.dir, "..", "..", "..", "docs");

/**
 * Base64 of a zstd-compressed JSON object: the text of each page by its path below `root`. About a third of the pages' size. Nobody's
 * build fails because a .dockerignore of their own leaves the pages out: then there are none.
 */
export function packDocs(root = ROOT): string {
  const found = existsSync(root) ? (readdirSync(root, { recursive: true }) as string[]) : [];
  const names = found
    .map((name) => relative(root, join(root, name)).replaceAll(sep, "/"))
    .filter((name) => name.endsWith(".md"))
    .sort();
  const pages = Object.fromEntries(
    names.map((name) => [name, readFileSync(join(root, name), "utf8")]),
  );
  return Bun.zstdCompressSync(JSON.stringify(pages), { level: 19 }).toString("base64");
}
