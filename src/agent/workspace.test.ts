import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { TEMPLATES } from "./templates.ts";
import {
  changedFiles,
  prepareWorkspace,
  type SnapshotOptions,
  snapshotWorkspace,
} from "./workspace.ts";

let base: string;
let dir: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "workspace-"));
  dir = join(base, "home");
});
afterEach(() => rm(base, { recursive: true, force: true }));

const SEED = { skipBootstrap: false };
const OPTIONS: SnapshotOptions = {
  fileChars: 20_000,
  totalChars: 60_000,
  audience: "private",
  denied: [],
};
const put = (name: string, text: string | Buffer) => writeFile(join(dir, name), text);

describe("a new workspace", () => {
  test("gets the six files and the first conversation, readable by the owner only", async () => {
    expect(await prepareWorkspace(dir, SEED)).toEqual(["BOOTSTRAP.md", ...Object.keys(TEMPLATES)]);
    expect((await readdir(dir)).sort()).toEqual(["BOOTSTRAP.md", ...Object.keys(TEMPLATES)].sort());
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    expect((await stat(join(dir, "SOUL.md"))).mode & 0o777).toBe(0o600);
  });

  test("stays empty when the owner wants that", async () => {
    expect(await prepareWorkspace(dir, { skipBootstrap: true })).toEqual([]);
    expect(await readdir(dir)).toEqual([]);
  });
});

describe("a workspace that is there", () => {
  test("keeps its files; what is missing is added, but not the first conversation", async () => {
    await mkdir(dir);
    await put("SOUL.md", "mine");
    const written = await prepareWorkspace(dir, SEED);
    expect(written.sort()).toEqual(
      Object.keys(TEMPLATES)
        .filter((name) => name !== "SOUL.md")
        .sort(),
    );
    expect(await readFile(join(dir, "SOUL.md"), "utf8")).toBe("mine");
    await unlink(join(dir, "USER.md"));
    expect(await prepareWorkspace(dir, SEED)).toEqual(["USER.md"]);
  });

  test("is never written through a link that leads nowhere", async () => {
    await mkdir(dir);
    await symlink(join(base, "outside.md"), join(dir, "TOOLS.md"));
    expect(await prepareWorkspace(dir, SEED)).not.toContain("TOOLS.md");
    expect(await readdir(base)).toEqual(["home"]);
  });

  test("that is a file is refused with words", async () => {
    await writeFile(dir, "");
    await expect(prepareWorkspace(dir, SEED)).rejects.toMatchObject({
      code: "workspace_failed",
      message: `The workspace ${dir} cannot be used: not a folder.`,
    });
    await expect(prepareWorkspace(join(dir, "below"), SEED)).rejects.toMatchObject({
      code: "workspace_failed",
    });
  });
});

describe("the snapshot", () => {
  beforeEach(() => mkdir(dir));

  test("holds the files in a fixed order and says which are missing", async () => {
    await put("SOUL.md", "\uFEFFkind\n");
    await put("AGENTS.md", "rules");
    const { text, hashes } = await snapshotWorkspace(dir, OPTIONS);
    expect(text).toContain("## AGENTS.md\nrules\n\n## SOUL.md\nkind\n\n## TOOLS.md\n[missing: ");
    expect(text).toContain("speak and act that way");
    expect(text).not.toContain("BOOTSTRAP");
    expect(Object.keys(hashes)).toEqual(["AGENTS.md", "SOUL.md"]);
    expect(await snapshotWorkspace(dir, OPTIONS)).toEqual(
      JSON.parse(JSON.stringify({ text, hashes })),
    );
  });

  test("of a folder that does not exist is six missing files", async () => {
    await rm(dir, { recursive: true });
    const { text, hashes } = await snapshotWorkspace(dir, OPTIONS);
    expect(text.match(/\[missing: /g)).toHaveLength(6);
    expect(hashes).toEqual({});
  });

  test("shows the long-term memory in private only, and a helper's files to a helper", async () => {
    await prepareWorkspace(dir, SEED);
    await put("MEMORY.md", "secret wish");
    const heads = async (audience: SnapshotOptions["audience"]) =>
      Array.from(
        (await snapshotWorkspace(dir, { ...OPTIONS, audience })).text.matchAll(/^## (\S+\.md)$/gm),
        (match) => match[1],
      );
    expect(await heads("private")).toEqual([
      ...Object.keys(TEMPLATES),
      "BOOTSTRAP.md",
      "MEMORY.md",
    ]);
    expect(await heads("shared")).toEqual([...Object.keys(TEMPLATES), "BOOTSTRAP.md"]);
    expect(await heads("subagent")).toEqual(["AGENTS.md", "TOOLS.md"]);
  });

  test("cuts the middle out of a long file and names it", async () => {
    await put("TOOLS.md", `${"a".repeat(800)}${"b".repeat(800)}`);
    const { text } = await snapshotWorkspace(dir, { ...OPTIONS, fileChars: 1000 });
    expect(text).toContain(
      `${"a".repeat(700)}\n[... 700 of 1600 characters left out; read TOOLS.md for the rest ...]\n${"b".repeat(200)}\n`,
    );
  });

  test("keeps within the limit of all files together, and USER.md within its own", async () => {
    for (const name of Object.keys(TEMPLATES)) await put(name, name[0]!.repeat(5000));
    const shown = async (totalChars: number) =>
      (await snapshotWorkspace(dir, { ...OPTIONS, totalChars })).text;
    const roomy = await shown(60_000);
    expect(roomy.match(/left out/g)).toHaveLength(1);
    expect(roomy.includes("1400 of 5000 characters left out; read USER.md")).toBe(true);
    const tight = await shown(12_000);
    expect(tight.length).toBeLessThan(13_000);
    expect(tight.includes("3200 of 5000 characters left out; read TOOLS.md")).toBe(true);
    expect(tight.includes("[HEARTBEAT.md is not shown: no room left]")).toBe(true);
  });

  test("never waits, breaks or shows bytes for what is not a text file", async () => {
    await put("SOUL.md", Buffer.from([0x89, 0, 1, 2]));
    await put("USER.md", "u".repeat(3_000_000));
    await mkdir(join(dir, "TOOLS.md"));
    await symlink("IDENTITY.md", join(dir, "IDENTITY.md"));
    expect(Bun.spawnSync(["mkfifo", join(dir, "AGENTS.md")]).exitCode).toBe(0);
    await put("HEARTBEAT.md", "");
    const { text } = await snapshotWorkspace(dir, OPTIONS);
    for (const line of [
      "[AGENTS.md is not shown: it is not a regular file]",
      "[SOUL.md is not shown: it is not a text file]",
      "[TOOLS.md is not shown: it is not a regular file]",
      "[IDENTITY.md is not shown: it is a link that leads in a circle]",
      "[USER.md is not shown: it has 3000000 bytes]",
      "## HEARTBEAT.md\n[empty]",
    ])
      expect(text).toContain(line);
    expect(text.length).toBeLessThan(1000);
  });

  test("follows a link out of the workspace, but not into a denied folder", async () => {
    await mkdir(join(base, "state"));
    await writeFile(join(base, "state", "token"), "hunter2");
    await writeFile(join(base, "dotfile.md"), "from my dotfiles");
    await symlink(join(base, "state", "token"), join(dir, "TOOLS.md"));
    await symlink(join(base, "dotfile.md"), join(dir, "SOUL.md"));
    const { text } = await snapshotWorkspace(dir, { ...OPTIONS, denied: [join(base, "state")] });
    expect(text).toContain("from my dotfiles");
    expect(text).toContain(
      "[TOOLS.md is not shown: it is a link into a folder that may not be read]",
    );
    expect(text).not.toContain("hunter2");
  });

  test("tells which files were changed, added or removed since", async () => {
    await put("SOUL.md", "a");
    await put("USER.md", "b");
    const before = await snapshotWorkspace(dir, OPTIONS);
    expect(changedFiles(before, await snapshotWorkspace(dir, OPTIONS))).toEqual([]);
    await put("SOUL.md", "changed");
    await unlink(join(dir, "USER.md"));
    await put("MEMORY.md", "new");
    const now = await snapshotWorkspace(dir, OPTIONS);
    expect(changedFiles(before, now)).toEqual(["MEMORY.md", "SOUL.md", "USER.md"]);
    expect(changedFiles({ ...before, hashes: now.hashes }, now)).toEqual([]);
  });
});

test("the heartbeat file of a new workspace asks for no check", () => {
  const lines = TEMPLATES["HEARTBEAT.md"]!.split("\n");
  expect(lines.filter((line) => line.trim() && !line.startsWith("#"))).toEqual([]);
});

test("the files of a new workspace are short", () => {
  expect(Object.values(TEMPLATES).join("").length).toBeLessThan(2600);
});
