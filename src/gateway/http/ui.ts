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
export const embeddedUi: UiSource = async () =>
  isManifest(index)
    ? preloaded(await fromBinary(index))
    : buildPage(join(import.meta.dir, "../../../web/index.html"));

const SCRIPT = /<script type="module"[^>]*\ssrc="(?:\.?\/)?([^"]+)"[^>]*><\/script>/;
/** What a script needs before it runs; an import that comes later is a call. */
const STATIC_IMPORT = /\b(?:import|export)\s*(?:[\w$*\s{},]*?\bfrom\s*)?"\.?\/([^"]+\.js)"/g;

/**
 * The bundler names the parts of a script in the page, so that they are all fetched at once, but not inside a compiled binary.
 * Adds what is missing there. Pure.
 */
export function preloaded(files: UiFile[]): UiFile[] {
  const text = (file: UiFile) => new TextDecoder().decode(file.bytes);
  return files.map((file) => {
    const html = file.entry ? text(file) : "";
    const [tag, script] = SCRIPT.exec(html) ?? [];
    if (!tag) return file;
    const parts = new Set([script!]);
    for (const part of parts) {
      const found = files.find(({ path }) => path === part);
      for (const [, name] of found ? text(found).matchAll(STATIC_IMPORT) : []) parts.add(name!);
    }
    parts.delete(script!);
    const links = [...parts]
      .filter((name) => files.some(({ path }) => path === name) && !html.includes(name))
      .map((name) => `<link rel="modulepreload" crossorigin href="./${name}">`);
    return { ...file, bytes: new TextEncoder().encode(html.replace(tag, tag + links.join(""))) };
  });
}

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
    // As in the binary: without it every element carries what only a debugger wants.
    jsx: { runtime: "automatic", importSource: "preact", development: false },
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
