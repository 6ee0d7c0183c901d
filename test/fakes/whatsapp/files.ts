/** WhatsApp's file servers: encrypted bytes under the hash of these bytes. */
import { createCipheriv, createHash, createHmac, randomBytes } from "node:crypto";

import { getMediaKeys, type MediaType } from "@whiskeysockets/baileys";

const TYPES = /^\/mms\/(image|video|audio|document)\/([\w-]+)$/;

export class Files {
  readonly auth = randomBytes(12).toString("base64");
  readonly rows = new Map<string, Buffer>();
  readonly uploads: { type: string; bytes: number }[] = [];
  readonly problems: string[] = [];
  /** The next downloads are answered with this instead. */
  readonly refusals: number[] = [];
  /** The next download breaks in the middle. */
  cuts = 0;
  downloads = 0;
  /** No download is answered before this. */
  before: Promise<unknown> | undefined;

  async answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (request.method === "GET") {
      this.downloads++;
      await this.before;
      return this.download(url.pathname);
    }
    const [, type, token] = TYPES.exec(url.pathname) ?? [];
    const bytes = Buffer.from(await request.arrayBuffer());
    const sum = createHash("sha256").update(bytes).digest("base64url");
    if (
      !type ||
      url.searchParams.get("auth") !== this.auth ||
      url.searchParams.get("token") !== token
    )
      return this.refuse("an upload without the right token");
    if (token !== sum) return this.refuse("an upload under another hash");
    this.uploads.push({ type, bytes: bytes.length });
    const path = `/v/t62/${token}`;
    this.rows.set(path, bytes);
    return Response.json({ url: `https://mmg.whatsapp.net${path}`, direct_path: path });
  }

  /** As a phone does it; gives what stands in the message. */
  async put(type: MediaType, plain: Uint8Array) {
    const mediaKey = randomBytes(32);
    const { cipherKey, iv, macKey } = await getMediaKeys(mediaKey, type);
    const cipher = createCipheriv("aes-256-cbc", cipherKey, iv);
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
    const mac = createHmac("sha256", macKey!).update(iv).update(sealed).digest().subarray(0, 10);
    const bytes = Buffer.concat([sealed, mac]);
    const sum = createHash("sha256").update(bytes).digest();
    const directPath = `/v/t62/${sum.toString("base64url")}`;
    this.rows.set(directPath, bytes);
    return {
      url: `https://mmg.whatsapp.net${directPath}`,
      directPath,
      mediaKey,
      fileLength: plain.length,
      fileSha256: createHash("sha256").update(plain).digest(),
      fileEncSha256: sum,
    };
  }

  private download(path: string): Response {
    const refused = this.refusals.shift();
    if (refused) return new Response("no", { status: refused });
    const bytes = this.rows.get(path);
    if (!bytes) return new Response("gone", { status: 404 });
    if (this.cuts === 0) return new Response(new Uint8Array(bytes));
    this.cuts--;
    const half = new Uint8Array(bytes.subarray(0, bytes.length / 2));
    return new Response(half, { headers: { "content-length": String(half.length) } });
  }

  private refuse(text: string): Response {
    this.problems.push(text);
    return new Response(text, { status: 401 });
  }
}
