/** Files on WhatsApp's servers. They lie there encrypted: what is downloaded is decrypted and checked as it streams to the disk. */
import { createDecipheriv, createHash, createHmac } from "node:crypto";

import {
  getMediaKeys,
  MEDIA_PATH_MAP,
  type WAMediaUploadFunction,
  type WASocket,
} from "@whiskeysockets/baileys";

import { AppError } from "../../base/errors.ts";
import type { Attachment } from "./content.ts";

const PUBLIC_HOST = "mmg.whatsapp.net";
const ORIGIN = "https://web.whatsapp.com";
const TIMEOUT_MS = 120_000;
const UPLOAD_MS = 300_000;
/** What stands behind the encrypted bytes: the beginning of their HMAC. */
const MAC = 10;

/**
 * The plain bytes of an attachment. Throws `not_found` when the server does not have it any more (its sender's phone may put it
 * there again) and `channel_unreachable`; the stream fails with `channel_rejected` when its bytes are not those that were sent.
 */
export async function download(
  file: Attachment,
  mediaRoot: string | undefined,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const url = addressOf(file, mediaRoot);
  const stop = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const response = await fetch(url, { headers: { Origin: ORIGIN }, signal: stop }).catch(
    (cause: unknown) => {
      throw unreachable("The file could not be fetched from WhatsApp.", cause);
    },
  );
  if (response.status === 404 || response.status === 410)
    throw new AppError("not_found", "The file is not on WhatsApp's servers any more.");
  if (!response.ok || !response.body)
    throw unreachable(`WhatsApp's file server answered ${response.status}.`, undefined);
  const keys = await getMediaKeys(file.mediaKey, file.type);
  return response.body.pipeThrough(decrypted(keys, file.fileSha256));
}

/** The link of a message is its sender's word: only WhatsApp's own servers are asked, and of the link only the path counts. */
function addressOf({ directPath, url }: Attachment, mediaRoot: string | undefined): string {
  const given = url && URL.canParse(url) ? new URL(url) : undefined;
  const path = directPath || (given && `${given.pathname}${given.search}`) || "";
  if (!path.startsWith("/")) throw unreachable("The message has no usable link to its file.", url);
  if (mediaRoot) return `${mediaRoot}${path}`;
  const host = given?.hostname.endsWith(".whatsapp.net") ? given.hostname : PUBLIC_HOST;
  return `https://${host}${path}`;
}

const unreachable = (text: string, cause: unknown): AppError =>
  new AppError("channel_unreachable", text, { cause });

type Keys = Awaited<ReturnType<typeof getMediaKeys>>;

function decrypted(
  { iv, cipherKey, macKey }: Keys,
  wanted: Uint8Array | undefined,
): TransformStream<Uint8Array, Uint8Array> {
  const cipher = createDecipheriv("aes-256-cbc", cipherKey, iv);
  const mac = createHmac("sha256", macKey!).update(iv);
  const sum = createHash("sha256");
  let held = Buffer.alloc(0);
  const push = (bytes: Buffer, out: TransformStreamDefaultController<Uint8Array>): void => {
    if (!bytes.length) return;
    sum.update(bytes);
    out.enqueue(bytes);
  };
  return new TransformStream({
    transform(chunk, out) {
      const bytes = Buffer.concat([held, chunk]);
      const usable = Math.max(0, bytes.length - MAC);
      const body = bytes.subarray(0, usable);
      held = Buffer.from(bytes.subarray(usable));
      mac.update(body);
      push(cipher.update(body), out);
    },
    flush(out) {
      const damaged = (cause?: unknown): AppError =>
        new AppError("channel_rejected", "The file did not arrive as it was sent.", { cause });
      if (!held.equals(mac.digest().subarray(0, MAC))) throw damaged();
      try {
        push(cipher.final(), out);
      } catch (cause) {
        throw damaged(cause);
      }
      if (wanted?.length && !sum.digest().equals(Buffer.from(wanted))) throw damaged();
    },
  });
}

type Uploaded = { url?: string; direct_path?: string };

/** Sends an encrypted file to the first of the account's hosts that takes it. */
export const uploader =
  (sock: WASocket, mediaRoot: string | undefined): WAMediaUploadFunction =>
  async (path, { mediaType, fileEncSha256B64 }) => {
    const token = encodeURIComponent(
      fileEncSha256B64.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, ""),
    );
    let problem: unknown;
    for (const fresh of [false, true]) {
      const { hosts, auth } = await sock.refreshMediaConn(fresh);
      for (const { hostname } of hosts)
        try {
          const root = mediaRoot ?? `https://${hostname}`;
          const url = `${root}${MEDIA_PATH_MAP[mediaType as keyof typeof MEDIA_PATH_MAP]}/${token}?auth=${encodeURIComponent(auth)}&token=${token}`;
          const response = await fetch(url, {
            method: "POST",
            body: Bun.file(path as string),
            headers: { "Content-Type": "application/octet-stream", Origin: ORIGIN },
            signal: AbortSignal.timeout(UPLOAD_MS),
          });
          const result = (await response.json()) as Uploaded;
          if (result.url && result.direct_path)
            return { mediaUrl: result.url, directPath: result.direct_path };
          problem = response.status;
        } catch (cause) {
          problem = cause;
        }
    }
    throw unreachable("WhatsApp's file servers did not take the file.", problem);
  };
