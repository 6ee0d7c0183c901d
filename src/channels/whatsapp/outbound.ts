/** What we send: texts, files, reactions, polls, edits. Each is kept before it leaves and counts as sent when the server has it. */
import { createHash } from "node:crypto";

import {
  type AnyMessageContent,
  generateWAMessage,
  proto,
  type WAMessage,
  type WAMessageKey,
  type WASocket,
} from "@whiskeysockets/baileys";

import { AppError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { pause, systemClock } from "../../base/time.ts";
import type { Address, MediaRef, Outbound, Receipt } from "../../flow.ts";
import type { ChannelActions, Poll } from "../action.ts";
import type { AccountMedia } from "../channel.ts";
import type { Acks } from "./acks.ts";
import { chatId, isGroup, jidOf, personId } from "./jid.ts";
import type { Link } from "./link.ts";
import { libraryLogger } from "./logger.ts";
import { uploader } from "./media.ts";
import type { Pace } from "./pace.ts";
import { statusOf } from "./reasons.ts";
import type { Recent } from "./recent.ts";
import type { Sent } from "./sent.ts";

/** Most characters under a picture; what is longer follows as a message of its own. */
export const CAPTION = 1024;
const TRIES = 3;
const TRY_AGAIN_MS = 500;
const MOST_OPTIONS = 12;
const THUMBNAIL = 96;
/** WhatsApp's own marks for what is done to an earlier message. */
const EDIT_MARK = "1";
const REVOKE_MARK = "7";

export type OutgoingDeps = {
  link: Link;
  acks: Acks;
  pace: Pace;
  recent: Recent;
  sent: Sent;
  media: AccountMedia;
  mediaRoot: string | undefined;
  log: Logger;
};

type Extra = Pick<
  Parameters<WASocket["relayMessage"]>[2],
  "additionalAttributes" | "additionalNodes"
>;

export class Outgoing implements Required<
  Pick<ChannelActions, "edit" | "remove" | "react" | "poll">
> {
  constructor(private readonly deps: OutgoingDeps) {}

  async send(out: Outbound): Promise<Receipt> {
    const to = jidTo(out.to);
    if (out.edits && !out.media.length && (await this.edited(out.to, out.edits, out)))
      return { ids: [out.edits], at: Date.now() };
    await this.allowed(out.to);
    const quoted = await this.quoted(out.to);
    const ids: string[] = [];
    for (const [i, content] of (await this.contents(out)).entries()) {
      await this.deps.pace.turn(out.to.chatId);
      ids.push(
        await this.deliver(to, content, idFor(`${out.key}\n${i}`), i === 0 ? quoted : undefined),
      );
    }
    await this.typingEnds(to);
    return { ids, at: Date.now() };
  }

  /** False when it is too late to change it, and it has to be sent anew. */
  private async edited(to: Address, id: string, out: { text: string }): Promise<boolean> {
    try {
      await this.edit(to, id, out);
      return true;
    } catch (cause) {
      if (cause instanceof AppError && cause.code === "channel_rejected") return false;
      throw cause;
    }
  }

  async edit(to: Address, id: string, { text }: { text: string }): Promise<void> {
    const jid = jidTo(to);
    await this.deps.pace.turn(to.chatId);
    const key: WAMessageKey = { remoteJid: jid, id, fromMe: true };
    await this.deliver(jid, { text, edit: key }, newId(), undefined, {
      additionalAttributes: { edit: EDIT_MARK },
    });
  }

  async remove(to: Address, id: string): Promise<void> {
    const jid = jidTo(to);
    const key: WAMessageKey = { remoteJid: jid, id, fromMe: true };
    await this.deliver(jid, { delete: key }, newId(), undefined, {
      additionalAttributes: { edit: REVOKE_MARK },
    });
  }

  async react(
    to: Address,
    id: string,
    emoji: string,
    sender?: { id?: string; mine?: boolean },
  ): Promise<void> {
    const jid = jidTo(to);
    const known = this.deps.recent.find(to.chatId, id);
    const mine = sender?.mine ?? (!known && Boolean(await this.deps.sent.find(id)));
    const author = known?.participant ?? (sender?.id && jidOf(personId(sender.id) ?? sender.id));
    const key: WAMessageKey = {
      remoteJid: known?.jid ?? jid,
      id,
      fromMe: mine,
      ...(isGroup(to.chatId) && !mine && author && { participant: author }),
    };
    await this.deliver(jid, { react: { text: emoji, key } }, newId());
  }

  async poll(to: Address, poll: Poll): Promise<Receipt & { pollId?: string }> {
    const options = [...new Set(poll.options.map((option) => option.trim()).filter(Boolean))];
    if (options.length < 2 || options.length > MOST_OPTIONS)
      throw new AppError(
        "channel_rejected",
        `A poll on WhatsApp has 2 to ${MOST_OPTIONS} different options, not ${options.length}.`,
      );
    const jid = jidTo(to);
    await this.allowed(to);
    await this.deps.pace.turn(to.chatId);
    const id = await this.deliver(
      jid,
      {
        poll: {
          name: poll.question,
          values: options,
          selectableCount: Math.min(poll.maxSelections, options.length),
        },
      },
      newId(),
      undefined,
      { additionalNodes: [{ tag: "meta", attrs: { polltype: "creation" } }] },
    );
    return { ids: [id], at: Date.now(), pollId: id };
  }

  /** The other side sees it for some seconds; the core repeats it. */
  async typing(to: Address): Promise<void> {
    await this.deps.link.sock?.sendPresenceUpdate("composing", jidTo(to));
  }

  private async typingEnds(jid: string): Promise<void> {
    try {
      await this.deps.link.sock?.sendPresenceUpdate("paused", jid);
    } catch (cause) {
      // It ends by itself a little later.
      this.deps.log.debug("typing was not ended", { error: String(cause) });
    }
  }

  /** Writing first is what gets numbers blocked; and who is not on WhatsApp cannot be written to at all. */
  private async allowed(to: Address): Promise<void> {
    const { pace, link } = this.deps;
    if (isGroup(to.chatId) || (await pace.isKnown(to.chatId))) return;
    const own = link.sock?.authState.creds.me?.id;
    if (own && personId(own) === to.chatId) return;
    if (to.chatId.startsWith("+")) {
      const [found] = await this.over(async (sock) => (await sock.onWhatsApp(to.chatId)) ?? []);
      if (!found?.exists)
        throw new AppError("channel_rejected", `${to.chatId} is not on WhatsApp.`);
    }
    await pace.meet(to.chatId);
  }

  /** One message per file, the words with the first that can carry them. */
  private async contents(out: Outbound): Promise<AnyMessageContent[]> {
    if (!out.media.length) return [{ text: out.text }];
    const caption = out.text.length <= CAPTION && out.media[0]!.kind !== "audio" ? out.text : "";
    const files: AnyMessageContent[] = [];
    for (const [i, ref] of out.media.entries())
      files.push(await this.file(ref, i === 0 ? caption : ""));
    return out.text && !caption ? [...files, { text: out.text }] : files;
  }

  private async file(ref: MediaRef, caption: string): Promise<AnyMessageContent> {
    const bytes = Buffer.from(await (await this.deps.media.open(ref)).arrayBuffer());
    const mimetype = ref.mime;
    const words = caption ? { caption } : {};
    switch (ref.kind) {
      case "image":
        if (mimetype === "image/gif")
          return { video: bytes, gifPlayback: true, ...words, jpegThumbnail: "" };
        return { image: bytes, mimetype, ...words, ...(await thumbnail(bytes)) };
      case "video":
        return {
          video: bytes,
          mimetype,
          ...words,
          ...(ref.as === "animation" && { gifPlayback: true }),
          jpegThumbnail: "",
        };
      case "audio":
        // Only this kind plays as a voice note on phones.
        if (ref.as === "voice" || /ogg|opus/.test(mimetype))
          return {
            audio: bytes,
            mimetype: "audio/ogg; codecs=opus",
            ptt: ref.as === "voice",
            ...still,
          };
        return { audio: bytes, mimetype };
      case "file":
        return { document: bytes, mimetype, fileName: ref.name ?? "file", ...words };
    }
  }

  private async quoted(to: Address): Promise<WAMessage | undefined> {
    const id = to.replyToId;
    if (!id) return undefined;
    const ours = await this.deps.sent.find(id);
    const known = this.deps.recent.find(to.chatId, id);
    if (!ours && !known) return undefined;
    return proto.WebMessageInfo.fromObject({
      key: {
        remoteJid: jidTo(to),
        id,
        fromMe: Boolean(ours),
        ...(!ours && { participant: known?.participant ?? jidTo(to) }),
      },
      message: ours?.message ?? { conversation: known?.text ?? "" },
    }) as WAMessage;
  }

  /** Gives the id. Safe to repeat with the same id: the other side shows a message once. */
  private async deliver(
    jid: string,
    content: AnyMessageContent,
    messageId: string,
    quoted?: WAMessage,
    extra: Extra = {},
  ): Promise<string> {
    const { acks, sent, log, mediaRoot } = this.deps;
    const message = await this.over((sock) =>
      generateWAMessage(jid, content, {
        logger: libraryLogger(log),
        userJid: sock.authState.creds.me?.id ?? "",
        upload: uploader(sock, mediaRoot),
        messageId,
        ...(quoted && { quoted }),
      }),
    );
    await sent.keep(jid, messageId, message.message!);
    await this.over(async (sock) => {
      const acked = acks.expect(messageId);
      const relayed = sock
        .relayMessage(jid, message.message!, { messageId, ...extra })
        .catch((cause: unknown) => {
          const error = failure(cause);
          acks.withdraw(messageId, error);
          throw error;
        });
      await Promise.all([relayed, acked]);
    });
    return messageId;
  }

  /** Runs on the open socket; again when the connection ends meanwhile. */
  private async over<T>(work: (sock: WASocket) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const sock = await this.deps.link.ready();
      try {
        return await work(sock);
      } catch (cause) {
        const error = failure(cause);
        // Refused, or busy: the connection is there, so another try at once would be no better.
        if (error.code !== "channel_unreachable" || this.deps.link.sock === sock || tries === TRIES)
          throw error;
        await pause(systemClock, TRY_AGAIN_MS * tries, new AbortController().signal);
      }
    }
  }
}

const still = {
  // The library would decode the whole sound for a picture of its loudness, with a package that is not there.
  waveform: new Uint8Array(64).fill(20),
};

/** A small picture is shown until the large one is loaded. */
async function thumbnail(bytes: Buffer): Promise<object> {
  try {
    const image = new Bun.Image(bytes);
    const { width, height } = await image.metadata();
    const small = await image
      .resize(THUMBNAIL, THUMBNAIL, { fit: "inside" })
      .jpeg({ quality: 50 })
      .buffer();
    return { jpegThumbnail: Buffer.from(small).toString("base64"), width, height };
  } catch {
    // Not a picture that we can read; phones may.
    return { jpegThumbnail: "" };
  }
}

function jidTo(to: Address): string {
  const id = chatId(to.chatId);
  if (!id) throw new AppError("channel_rejected", `"${to.chatId}" is no WhatsApp chat.`);
  return jidOf(id);
}

/** The same for the same message, so that a second try is the same message for those who get it. */
const idFor = (key: string): string =>
  `3EB0${createHash("sha256").update(key).digest("hex").slice(0, 18).toUpperCase()}`;

const newId = (): string => idFor(crypto.randomUUID());

/** The library's errors by their code; what it does not name is worth another try. */
function failure(cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  // An answer of the server with an error has that error's code as its data.
  const { data } = cause as { data?: unknown };
  const status = typeof data === "number" ? data : statusOf(cause);
  const message = cause instanceof Error ? cause.message : String(cause);
  const refused = status !== undefined && [400, 401, 403, 404, 405, 406].includes(status);
  return new AppError(
    refused ? "channel_rejected" : "channel_unreachable",
    `WhatsApp: ${message}`,
    { cause },
  );
}
