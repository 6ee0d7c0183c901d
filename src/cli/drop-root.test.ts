import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The user of the image. */
const NODE = 1000;
const canTry = process.platform === "linux" && process.getuid?.() === 0;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "clawdbot-drop-"));
  chmodSync(root, 0o755);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));
const at = (name: string) => join(root, name);
const folder = (name: string) => (mkdirSync(at(name), { recursive: true }), at(name));
const link = (to: string, name: string, uid: number) => {
  symlinkSync(to, at(name));
  lchownSync(at(name), uid, uid);
};

/** In a process of its own, because there is no way back. Gives the uid that it ended with. */
function drop(stateDir: string, workspaceDefault: string): string {
  const script = `
    import { dropRoot } from ${JSON.stringify(join(import.meta.dir, "drop-root.ts"))};
    dropRoot({ dropUid: "${NODE}" }, ${JSON.stringify({ stateDir, workspaceDefault })});
    process.stdout.write(String(process.getuid()));`;
  const { stdout, stderr } = Bun.spawnSync([process.execPath, "-e", script], { cwd: "/" });
  return `${stdout}${stderr}`;
}

test.skipIf(!canTry)(
  "what the agent's own link leads to is not given away at the next start",
  () => {
    const system = folder("system");
    folder("data");
    chownSync(at("data"), NODE, NODE);
    // It could replace its workspace, and the state folder too where it owns the folder around it.
    link(system, "data/workspace", NODE);
    link(system, "data/state", NODE);
    link(at("data"), "by-root", 0);
    for (const workspace of ["data/workspace", "data/workspace/below", "by-root/workspace"])
      expect([workspace, drop(at("data"), at(workspace))]).toEqual([workspace, String(NODE)]);
    expect(drop(at("data/state"), at("data/other"))).toBe(String(NODE));
    expect(statSync(system).uid).toBe(0);
    expect(lstatSync(join(system, "below"), { throwIfNoEntry: false })).toBeUndefined();
    expect(statSync(at("data/other")).uid).toBe(NODE);
  },
);

test.skipIf(!canTry)("a link that root made is followed, and a loop of them ends", () => {
  folder("disk");
  link(at("disk"), "state", 0);
  expect(drop(at("state"), at("state/workspace"))).toBe(String(NODE));
  expect(statSync(at("disk")).uid).toBe(NODE);
  expect(statSync(at("disk/workspace")).uid).toBe(NODE);
  link(at("loop"), "loop", 0);
  expect(drop(at("loop"), at("loop/x"))).toBe(String(NODE));
});
