/**
 * The npm packages: `clawdbot`, which is only a launcher, and one package per system with the executable.
 * npm, pnpm and bun choose by `os` and `cpu`; nothing runs at install time, so blocked install scripts do not matter.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import pkg from "../../package.json";
import type { Target } from "../targets.ts";
import { ROOT } from "./manifest.ts";
import { type Entry, makeTar } from "./tar.ts";

type Package = { name: string; tar: Uint8Array };

/** What both kinds say about themselves. */
const about = (version: string) => ({
  version,
  description: pkg.description,
  license: pkg.license,
  homepage: "https://github.com/clawdbot/clawdbot",
  repository: { type: "git", url: "git+https://github.com/clawdbot/clawdbot.git" },
  publishConfig: { access: "public" },
});

/** The launcher. It asks for exactly this version of each system's package. */
export function launcherPackage(targets: Target[], version: string, epoch: number): Package {
  const json = {
    name: "clawdbot",
    ...about(version),
    type: "commonjs",
    bin: { clawdbot: "index.js", moltbot: "index.js", openclaw: "index.js" },
    files: ["index.js"],
    engines: { node: ">=18" },
    optionalDependencies: Object.fromEntries(targets.map((t) => [`@clawdbot/${t.id}`, version])),
  };
  return pack(`clawdbot-${version}.tgz`, json, epoch, [
    { path: "index.js", mode: 0o755, content: readFileSync(join(ROOT, "scripts/npm/index.js")) },
    { path: "README.md", mode: 0o644, content: readFileSync(join(ROOT, "README.md")) },
  ]);
}

/** One system's executable. */
export function systemPackage(
  target: Target,
  executable: Uint8Array,
  version: string,
  epoch: number,
): Package {
  const json = {
    name: `@clawdbot/${target.id}`,
    ...about(version),
    description: `The executable of clawdbot for ${target.id}. Install clawdbot instead.`,
    os: [target.os],
    cpu: [target.cpu],
    preferUnplugged: true,
  };
  const foreign = join(ROOT, "LICENSES");
  const licences = existsSync(foreign)
    ? readdirSync(foreign)
        .sort()
        .map((name) => ({
          path: `LICENSES/${name}`,
          mode: 0o644,
          content: readFileSync(join(foreign, name)),
        }))
    : [];
  return pack(`clawdbot-${target.id}-${version}.tgz`, json, epoch, [
    { path: `bin/clawdbot${target.exe}`, mode: 0o755, content: executable },
    ...licences,
  ]);
}

function pack(name: string, json: object, epoch: number, entries: Entry[]): Package {
  const text = new TextEncoder();
  const all: Entry[] = [
    {
      path: "package.json",
      mode: 0o644,
      content: text.encode(`${JSON.stringify(json, null, 2)}\n`),
    },
    { path: "LICENSE", mode: 0o644, content: readFileSync(join(ROOT, "LICENSE")) },
    ...entries,
  ];
  return {
    name,
    tar: makeTar(
      all.map((entry) => ({ ...entry, path: `package/${entry.path}` })),
      epoch,
    ),
  };
}
