/** A package registry on loopback with only our packages, made by the release's own code around the executable under test. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

import { launcherPackage, systemPackage } from "../../../scripts/release/packages.ts";
import { TARGETS } from "../../../scripts/targets.ts";
import { BINARY } from "../../e2e/binary.ts";

export const HERE = TARGETS.find((t) => t.os === process.platform && t.cpu === process.arch)!;
/** Any fixed moment. */
export const EPOCH = 1_763_596_800;

export type Published = {
  file: string;
  name: string;
  json: Record<string, unknown>;
  tgz: Uint8Array;
};

/** Every package of a release. Those for other systems hold a word instead of an executable: nobody may install them here. */
export function packAll(version: string): Published[] {
  const text = new TextEncoder();
  const executable = readFileSync(BINARY);
  const packed = [
    launcherPackage(TARGETS, version, EPOCH),
    ...TARGETS.map((target) =>
      systemPackage(target, target === HERE ? executable : text.encode("foreign"), version, EPOCH),
    ),
  ];
  return packed.map(({ name: file, tar }) => {
    const json = JSON.parse(firstFile(tar)) as Record<string, unknown>;
    return { file, name: String(json["name"]), json, tgz: gzipSync(tar, { level: 1 }) };
  });
}

/** package.json comes first in our packages. */
function firstFile(tar: Uint8Array): string {
  const size = Number.parseInt(Buffer.from(tar.subarray(124, 135)).toString("latin1"), 8);
  return Buffer.from(tar.subarray(512, 512 + size)).toString();
}

/** Serves them as npm's registry does; anything else is not found. @returns its address, and the paths that were asked for */
export function startRegistry(packages: Published[]): {
  url: string;
  asked: string[];
  stop(): Promise<void>;
} {
  const asked: string[] = [];
  const server: Bun.Server<undefined> = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const path = decodeURIComponent(new URL(request.url).pathname).slice(1);
      asked.push(path);
      const file = packages.find((each) => path === `-/${each.file}`);
      if (file) return new Response(file.tgz.slice());
      const found = packages.find((each) => each.name === path);
      if (!found) return Response.json({ error: "Not found" }, { status: 404 });
      const version = String(found.json["version"]);
      return Response.json({
        name: found.name,
        "dist-tags": { latest: version },
        time: { [version]: new Date(EPOCH * 1000).toISOString() },
        versions: {
          [version]: {
            ...found.json,
            dist: {
              tarball: new URL(`-/${found.file}`, server.url).href,
              integrity: `sha512-${createHash("sha512").update(found.tgz).digest("base64")}`,
              shasum: createHash("sha1").update(found.tgz).digest("hex"),
            },
          },
        },
      });
    },
  });
  return { url: server.url.href, asked, stop: () => server.stop(true) };
}
