import { expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";

import { isTerminal } from "./terminal.ts";

test("files, /dev/null and closed descriptors are no terminals", () => {
  for (const path of [import.meta.path, "/dev/null"]) {
    const fd = openSync(path, "r");
    expect([path, isTerminal(fd)]).toEqual([path, false]);
    closeSync(fd);
    expect([path, isTerminal(fd)]).toEqual([path, false]);
  }
});

test.skipIf(process.platform === "win32")("a terminal is one", async () => {
  const said: string[] = [];
  const child = Bun.spawn(
    [
      process.execPath,
      "-e",
      `const { isTerminal } = await import(${JSON.stringify(`${import.meta.dir}/terminal.ts`)});
       process.stdout.write(JSON.stringify([0, 1, 2].map(isTerminal)));`,
    ],
    { terminal: { data: (_, bytes) => void said.push(new TextDecoder().decode(bytes)) } },
  );
  await child.exited;
  expect(said.join("")).toContain("[true,true,true]");
});
