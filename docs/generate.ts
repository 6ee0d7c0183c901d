/**
 * Writes docs/reference from the program's own tables, so that it cannot say anything else than the program: `bun run docs`.
 * test/rules/docs.test.ts makes the pages again and compares.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { commandsPage } from "./pages/commands.ts";
import { configPage } from "./pages/config.ts";
import { eventsPage, methodsPage } from "./pages/protocol.ts";
import { slashCommandsPage } from "./pages/slash-commands.ts";
import { environmentPage, errorsPage, modelsPage } from "./pages/tables.ts";
import { toolsPage } from "./pages/tools.ts";

/** The pages by file name. */
export const pages = async (): Promise<Record<string, string>> => ({
  "config.md": configPage(),
  "commands.md": await commandsPage(),
  "methods.md": methodsPage(),
  "events.md": eventsPage(),
  "tools.md": toolsPage(),
  "slash-commands.md": slashCommandsPage(),
  "errors.md": errorsPage(),
  "environment.md": await environmentPage(),
  "models.md": modelsPage(),
});

if (import.meta.main) {
  const folder = join(import.meta.dir, "reference");
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(await pages()))
    await Bun.write(join(folder, name), text);
}
