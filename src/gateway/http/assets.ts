/** The Control UI as files in memory: loaded at the first request, compressed once, served with the right cache headers. */

/** One file of the page. `path` is relative to the page, without a leading slash. */
export type UiFile = { path: string; type: string; bytes: Uint8Array; entry: boolean };
/** Gives the page and everything it refers to. Called once. */
export type UiSource = () => Promise<UiFile[]>;

export type Asset = {
  type: string;
  bytes: Uint8Array<ArrayBuffer>;
  gzip: Uint8Array<ArrayBuffer> | undefined;
  etag: string;
  /** Its name has a hash of its content, so it never changes. */
  immutable: boolean;
};

export type Ui = { page: Asset; assets: Map<string, Asset> };

/** Smaller files gain nothing from compression. */
const GZIP_FROM = 512;
const COMPRESSIBLE = /^(?:text\/|application\/(?:javascript|json|manifest\+json)|image\/svg)/;
const HASHED = /-[a-z0-9]{8}\.[a-z0-9]+(?:\.map)?$/i;

function asset(type: string, bytes: Uint8Array, immutable: boolean): Asset {
  const own = new Uint8Array(bytes);
  const zip = COMPRESSIBLE.test(type) && own.length >= GZIP_FROM;
  return {
    type,
    bytes: own,
    gzip: zip ? Bun.gzipSync(own, { level: 9 }) : undefined,
    etag: `"${new Bun.CryptoHasher("sha256").update(own).digest("base64url").slice(0, 22)}"`,
    immutable,
  };
}

/**
 * The bundler writes `/name` or `./name` into the page; behind a base path both must become `<base>/assets/name`.
 * The page's `<base>` element tells its script where it lives.
 */
function rewrite(html: string, names: Iterable<string>, base: string): string {
  let out = html.replace(/(<base\s+href=)"[^"]*"/, `$1"${base}/"`);
  for (const name of names) {
    const quoted = RegExp.escape(name);
    out = out.replace(
      new RegExp(`(["'(=])(?:\\.?/)?${quoted}(?=["')\\s>])`, "g"),
      `$1${base}/assets/${name}`,
    );
  }
  return out;
}

const REFERRING = /^text\/(?:javascript|css)/;

/** In a compiled binary scripts name each other from the root; among themselves they are neighbours, whatever the base path. */
function relink(file: UiFile, names: string[]): Uint8Array {
  if (!REFERRING.test(file.type)) return file.bytes;
  let out = new TextDecoder().decode(file.bytes);
  for (const name of names)
    out = out.replace(
      new RegExp(`(["'\`(])/${RegExp.escape(name)}(?=["'\`)])`, "g"),
      `$1./${name}`,
    );
  return new TextEncoder().encode(out);
}

/** Reads the source and prepares every answer that can ever be given. */
export async function prepareUi(source: UiSource, basePath: string): Promise<Ui> {
  const files = await source();
  const assets = new Map<string, Asset>();
  const names = files.filter((file) => !file.entry).map((file) => file.path);
  let html = "";
  for (const file of files) {
    if (file.entry && file.type.startsWith("text/html")) {
      html = new TextDecoder().decode(file.bytes);
      continue;
    }
    assets.set(file.path, asset(file.type, relink(file, names), HASHED.test(file.path)));
  }
  const page = asset(
    "text/html; charset=utf-8",
    new TextEncoder().encode(rewrite(html, assets.keys(), basePath)),
    false,
  );
  return { page, assets };
}

/** The answer for one file, with 304 when the browser has it. */
export function serveAsset(found: Asset, request: Request): Response {
  const headers = new Headers({
    "content-type": found.type,
    etag: found.etag,
    "cache-control": found.immutable ? "public, max-age=31536000, immutable" : "no-cache",
    vary: "accept-encoding",
  });
  const seen = request.headers.get("if-none-match")?.split(",") ?? [];
  if (seen.some((tag) => tag.trim().replace(/^W\//, "") === found.etag))
    return new Response(null, { status: 304, headers });
  const zipped = found.gzip && /\bgzip\b/.test(request.headers.get("accept-encoding") ?? "");
  const body = zipped ? found.gzip! : found.bytes;
  if (zipped) headers.set("content-encoding", "gzip");
  headers.set("content-length", String(body.byteLength));
  return new Response(request.method === "HEAD" ? null : body, { headers });
}
