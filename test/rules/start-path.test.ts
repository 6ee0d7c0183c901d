import { expect, test } from "bun:test";
import { dirname, join, normalize } from "node:path";

import { source } from "./source.ts";

/** Parts of Node that bring its streams and sockets: 2 to 6 ms each, of 40. `process.getBuiltinModule` takes them when they are used. */
const SLOW =
  /^node:(?:http|https|http2|net|tls|tty|stream|readline|crypto|util|url|child_process|dns)(?:\/|$)/;
const IMPORT = /^(?:import|export)\s+(?!type\s)(?:[^";]*?\sfrom\s+)?"([^"]+)";/gm;

const texts = new Map(source.map(({ path, text }) => [path, text]));

/** Everything that is loaded with a file: `slow module <- file <- … <- start`. */
function slowImports(start: string): string[] {
  const cameFrom = new Map<string, string | undefined>([[start, undefined]]);
  const found: string[] = [];
  for (const [file] of cameFrom)
    for (const [statement, target] of texts.get(file)?.matchAll(IMPORT) ?? []) {
      // `import { type A, type B }` loads nothing.
      if (/\{\s*type [^}]*\}/.test(statement) && !/[{,]\s*(?!type\s)\w/.test(statement)) continue;
      if (SLOW.test(target!)) found.push(`${target} <- ${file}`);
      const path = target!.startsWith(".") ? normalize(join(dirname(file), target!)) : undefined;
      if (path && texts.has(path) && !cameFrom.has(path)) cameFrom.set(path, file);
    }
  return found;
}

test.each(["src/main.ts", "src/app.ts", "src/cli/commands/sessions.ts", "src/cli/invoke.ts"])(
  "%s loads no slow part of Node before it is needed",
  (start) => {
    expect(texts.has(start)).toBe(true);
    expect(slowImports(start)).toEqual([]);
  },
);
