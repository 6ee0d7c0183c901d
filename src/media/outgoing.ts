/** Files of messages that go out: taken when a message is made, fetched and made to fit when it is sent. The port that delivery asks for. */
import { AppError } from "../base/errors.ts";
import type { MediaRef } from "../flow.ts";
import type { FetchOptions } from "./fetch.ts";
import { Pictures } from "./image.ts";
import { PARTS } from "./registry.ts";
import { isVoice, kindOf } from "./sniff.ts";
import { type MediaStore, tooLarge } from "./store.ts";
import { takeFile } from "./workspace.ts";

/** In a row of the outbox: a file that is still on the web. */
export type WebMedia = MediaRef & { url?: string };

/** Most bytes by kind; a channel may take less. */
const MOST: Record<MediaRef["kind"], number> = {
  image: 6_000_000,
  audio: 16_000_000,
  video: 16_000_000,
  file: 100_000_000,
};
/** A picture may be this large before it is made smaller. */
const LARGEST_PICTURE = 50_000_000;
const HEAD = 512;

export type OutgoingDeps = {
  store: MediaStore;
  /** Folders and files of the program that nobody gets, absolute: state, config, credentials. */
  denied(): readonly string[];
  /** For tests. */
  web?: Pick<FetchOptions, "resolve" | "allowed" | "timeoutMs">;
};

export class Outgoing {
  private readonly pictures = new Pictures();

  constructor(private readonly deps: OutgoingDeps) {}

  /** Copies `./…` of a workspace. Throws `forbidden`, `not_found`, `media_too_large`, `disk_full`. */
  take(path: string, workspace: string): MediaRef {
    const { store, denied } = this.deps;
    return takeFile(store, { path, workspace, denied: denied(), maxBytes: MOST.file });
  }

  /** Only its address; it is fetched when it is sent, so a slow server holds up no turn. */
  web(url: string): WebMedia {
    const mime = Bun.file(URL.parse(url)?.pathname ?? "").type.split(";")[0]!;
    return { kind: kindOf(mime), mime, url };
  }

  /** On this machine and small enough. Throws `media_too_large`, `not_found`, `forbidden`, `bad_request`, `channel_unreachable`. */
  async ready(media: WebMedia, maxBytes: number, signal: AbortSignal): Promise<MediaRef> {
    const here =
      media.url === undefined ? media : await this.fetched(media, media.url, maxBytes, signal);
    const fitting = await this.fitted(here, maxBytes);
    if (fitting.as !== "voice" || isVoice(await this.headOf(fitting))) return fitting;
    const { as: _, ...sound } = fitting;
    return sound;
  }

  private async fetched(
    media: WebMedia,
    url: string,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<MediaRef> {
    const { data, mime, name } = await (
      await PARTS.fetch()
    ).fetchMedia(url, { ...this.deps.web, signal });
    const most = Math.max(Math.min(maxBytes, MOST.file), LARGEST_PICTURE);
    const saved = await this.deps.store.save("outbound", data, {
      mime,
      name,
      as: media.as,
      maxBytes: most,
    });
    if (saved.mime.startsWith("text/html"))
      throw new AppError("not_found", "The address leads to a page, not to a file.");
    return saved;
  }

  private async fitted(media: MediaRef, maxBytes: number): Promise<MediaRef> {
    const { store } = this.deps;
    const limit = Math.min(maxBytes, MOST[media.kind]);
    const blob = await store.open(media);
    if (media.kind === "image" && media.as !== "sticker") {
      if (blob.size <= limit && /^image\/(?:jpeg|png|gif|webp)$/.test(media.mime)) return media;
      if (blob.size > LARGEST_PICTURE) throw tooLarge(limit, blob.size);
      const data = new Uint8Array(await blob.arrayBuffer());
      const fit = await this.pictures.fit({ mime: media.mime, data }, limit);
      const name = media.name?.replace(/\.[^.]*$/, "");
      return store.save("outbound", fit.data, { mime: fit.mime, name, maxBytes: limit });
    }
    if (blob.size > limit) throw tooLarge(limit, blob.size);
    return media;
  }

  private async headOf(media: MediaRef): Promise<Uint8Array> {
    const blob = await this.deps.store.open(media);
    return new Uint8Array(await blob.slice(0, HEAD).arrayBuffer());
  }
}
