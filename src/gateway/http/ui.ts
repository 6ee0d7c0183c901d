/** Where the Control UI comes from: out of the binary, or built once when the program runs from its source. */
import { join, resolve } from "node:path";

import index from "../../../web/index.html";
import { AppError } from "../../base/errors.ts";
import type { UiFile, UiSource } from "./assets.ts";

/** What the bundler makes of the import inside a compiled binary. */
type Manifest = {
  index: string;
  files: {
    input?: string;
    path: string;
    loader: string;
    isEntry: boolean;
    headers?: { etag?: string; "content-type"?: string };
  }[];
};

const isManifest = (value: unknown): value is Manifest =>
  typeof value === "object" &&
  value !== null &&
  "files" in value &&
  Array.isArray(value.files) &&
  value.files.length > 0;

const plainPath = (path: string): string =>
  path.replace(/^.*[/\\]\$bunfs\/root\//, "").replace(/^\.?\//, "");

/** The page in `web/`. */
export const embeddedUi: UiSource = () =>
  isManifest(index)
    ? fromBinary(index)
    : buildPage(join(import.meta.dir, "../../../web/index.html"));

const fromBinary = (manifest: Manifest): Promise<UiFile[]> =>
  Promise.all(
    manifest.files.map(async (file) => {
      const blob = Bun.file(resolve(import.meta.dir, file.path));
      return {
        path: plainPath(file.path),
        type: file.headers?.["content-type"] ?? blob.type,
        bytes: await blob.bytes(),
        entry: file.loader === "html",
      };
    }),
  );

/** Bundles a page and all it refers to, in memory. Throws internal with the bundler's first message. */
export async function buildPage(path: string): Promise<UiFile[]> {
  const built = await Bun.build({
    entrypoints: [path],
    splitting: true,
    minify: true,
    throw: false,
  });
  if (!built.success)
    throw new AppError("internal", `The Control UI could not be built: ${built.logs[0]?.message}`);
  return Promise.all(
    built.outputs.map(async (output) => ({
      path: plainPath(output.path),
      type: output.type,
      bytes: new Uint8Array(await output.arrayBuffer()),
      entry: output.type.startsWith("text/html"),
    })),
  );
}
