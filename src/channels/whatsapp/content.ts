/** What a message says, from WhatsApp's own form of it: text, what is attached, what it refers to. Pure. */
import { extractMessageContent, proto } from "@whiskeysockets/baileys";

/** A file in a message, still on WhatsApp's servers. */
export type Attachment = {
  /** WhatsApp's word for it; the key of the file depends on it. */
  type: "image" | "video" | "audio" | "document" | "sticker";
  kind: "image" | "audio" | "video" | "file";
  as?: "voice" | "animation" | "sticker";
  mime?: string;
  name?: string;
  /** Bytes, as its sender says. */
  size?: number;
  url?: string;
  directPath?: string;
  mediaKey: Uint8Array;
  fileSha256?: Uint8Array;
};

export type Content = {
  text: string;
  attachment?: Attachment;
  notes: string[];
  /** WhatsApp's names of those who are mentioned. */
  mentions: string[];
  quoted?: { id: string; participant?: string; message?: proto.IMessage };
  /** Not a message: what became of the one with this key. */
  event?: { kind: "edit" | "delete" | "reaction"; key: proto.IMessageKey };
};

const REVOKE = proto.Message.ProtocolMessage.Type.REVOKE;
const EDIT = proto.Message.ProtocolMessage.Type.MESSAGE_EDIT;
const FORWARDED_OFTEN = 5;

/** Undefined for what is for the program and not for a person: keys, settings, votes. */
export function read(message: proto.IMessage | null | undefined): Content | undefined {
  const content = extractMessageContent(message ?? undefined);
  if (!content) return undefined;
  const event = eventIn(content);
  if (event) return event;
  const text = textOf(content);
  const attachment = attachmentOf(content);
  if (!text && !attachment) return undefined;
  const context = contextOf(content);
  return {
    text,
    ...(attachment && { attachment }),
    notes: notesOf(context, isViewOnce(message)),
    mentions: context?.mentionedJid ?? [],
    ...(context?.stanzaId && {
      quoted: {
        id: context.stanzaId,
        ...(context.participant && { participant: context.participant }),
        ...(context.quotedMessage && { message: context.quotedMessage }),
      },
    }),
  };
}

function eventIn(content: proto.IMessage): Content | undefined {
  const nothing = { notes: [], mentions: [] };
  const { reactionMessage, protocolMessage } = content;
  if (reactionMessage?.key?.id)
    return {
      ...nothing,
      text: reactionMessage.text ?? "",
      event: { kind: "reaction", key: reactionMessage.key },
    };
  if (!protocolMessage?.key?.id) return undefined;
  const { key } = protocolMessage;
  if (protocolMessage.type === REVOKE)
    return { ...nothing, text: "", event: { kind: "delete", key } };
  if (protocolMessage.type !== EDIT) return undefined;
  const edited = extractMessageContent(protocolMessage.editedMessage ?? undefined);
  const context = edited && contextOf(edited);
  return {
    ...nothing,
    mentions: context?.mentionedJid ?? [],
    text: edited ? textOf(edited) : "",
    event: { kind: "edit", key },
  };
}

function textOf(content: proto.IMessage): string {
  const { listResponseMessage: list, buttonsResponseMessage: button } = content;
  const text =
    content.conversation ||
    content.extendedTextMessage?.text ||
    content.imageMessage?.caption ||
    content.videoMessage?.caption ||
    content.documentMessage?.caption ||
    list?.title ||
    list?.singleSelectReply?.selectedRowId ||
    button?.selectedDisplayText ||
    content.templateButtonReplyMessage?.selectedDisplayText ||
    content.interactiveResponseMessage?.body?.text ||
    contactsIn(content) ||
    placeIn(content) ||
    pollIn(content) ||
    inviteIn(content) ||
    "";
  return text.replace(/\r\n?/g, "\n");
}

function attachmentOf(content: proto.IMessage): Attachment | undefined {
  const { imageMessage, videoMessage, audioMessage, documentMessage, stickerMessage } = content;
  const video = videoMessage ?? content.ptvMessage;
  if (imageMessage) return file("image", "image", imageMessage);
  if (video)
    return file("video", "video", video, video.gifPlayback ? { as: "animation" } : undefined);
  if (audioMessage)
    return file("audio", "audio", audioMessage, audioMessage.ptt ? { as: "voice" } : undefined);
  if (stickerMessage) return file("sticker", "image", stickerMessage, { as: "sticker" });
  if (documentMessage)
    return file("document", "file", documentMessage, {
      ...(documentMessage.fileName && { name: documentMessage.fileName }),
    });
  return undefined;
}

type FileMessage = {
  mimetype?: string | null;
  fileLength?: number | { toNumber(): number } | null;
  url?: string | null;
  directPath?: string | null;
  mediaKey?: Uint8Array | null;
  fileSha256?: Uint8Array | null;
};

function file(
  type: Attachment["type"],
  kind: Attachment["kind"],
  message: FileMessage,
  more: Partial<Attachment> = {},
): Attachment | undefined {
  const { mimetype, fileLength, url, directPath, mediaKey, fileSha256 } = message;
  if (!mediaKey?.length || !(url || directPath)) return undefined;
  const size = typeof fileLength === "object" ? fileLength?.toNumber() : fileLength;
  return {
    type,
    kind,
    mediaKey,
    ...(mimetype && { mime: mimetype }),
    ...(size && { size }),
    ...(url && { url }),
    ...(directPath && { directPath }),
    ...(fileSha256?.length && { fileSha256 }),
    ...more,
  };
}

/** Every kind of message may have one, under the name of that kind. */
function contextOf(content: proto.IMessage): proto.IContextInfo | undefined {
  for (const part of Object.values(content))
    if (typeof part === "object" && part !== null && "contextInfo" in part && part.contextInfo)
      return part.contextInfo as proto.IContextInfo;
  return undefined;
}

function notesOf(context: proto.IContextInfo | undefined, viewOnce: boolean): string[] {
  const score = context?.forwardingScore ?? 0;
  return [
    ...(score >= FORWARDED_OFTEN
      ? ["forwarded many times"]
      : context?.isForwarded || score > 0
        ? ["forwarded"]
        : []),
    ...(viewOnce ? ["its sender wants it to be looked at only once"] : []),
  ];
}

const isViewOnce = (message: proto.IMessage | null | undefined): boolean => {
  const inner = message?.ephemeralMessage?.message ?? message ?? {};
  // Every generation of phones has its own.
  return Object.entries(inner).some(([name, value]) => name.startsWith("viewOnce") && value);
};

function contactsIn({ contactMessage, contactsArrayMessage }: proto.IMessage): string {
  if (contactMessage) return `<contact: ${contact(contactMessage, true)}>`;
  const many = contactsArrayMessage?.contacts ?? [];
  return many.length ? `<contacts: ${many.map((each) => contact(each, false)).join(", ")}>` : "";
}

function contact({ displayName, vcard }: proto.Message.IContactMessage, numbers: boolean): string {
  const card = vcard ?? "";
  const name = displayName || /^FN[^:\n]*:(.+)$/m.exec(card)?.[1]?.trim() || "";
  const phones = [...card.matchAll(/^(?:item\d+\.)?TEL[^:\n]*:(.+)$/gm)].map((m) => m[1]!.trim());
  const parts = [name, ...(numbers || !name ? phones : [])].filter(Boolean);
  return (parts.join(", ") || "unknown").replace(/[<>\n]/g, " ");
}

function placeIn({ locationMessage, liveLocationMessage }: proto.IMessage): string {
  const at = liveLocationMessage ?? locationMessage;
  if (typeof at?.degreesLatitude !== "number" || typeof at.degreesLongitude !== "number") return "";
  const accuracy = at.accuracyInMeters ? ` ±${Math.round(at.accuracyInMeters)}m` : "";
  const where = `${at.degreesLatitude.toFixed(6)}, ${at.degreesLongitude.toFixed(6)}${accuracy}`;
  if (liveLocationMessage)
    return withCaption(`🛰 Live location: ${where}`, liveLocationMessage.caption);
  const name = [locationMessage!.name, locationMessage!.address].filter(Boolean).join(" — ");
  return withCaption(name ? `📍 ${name} (${where})` : `📍 ${where}`, locationMessage!.comment);
}

const withCaption = (text: string, caption: string | null | undefined): string =>
  caption ? `${text}\n${caption}` : text;

function pollIn(content: proto.IMessage): string {
  // One kind of message per kind of poll, and per generation of phones.
  const poll = Object.entries(content).find(
    ([name, value]) => name.startsWith("pollCreationMessage") && value,
  )?.[1] as proto.Message.IPollCreationMessage | undefined;
  if (!poll?.name) return "";
  const options = (poll.options ?? []).map(({ optionName }) => `- ${optionName ?? ""}`);
  return [`📊 ${poll.name}`, ...options].join("\n");
}

const inviteIn = ({ groupInviteMessage: invite, eventMessage }: proto.IMessage): string => {
  if (invite) return withCaption(`<group invitation: ${invite.groupName ?? ""}>`, invite.caption);
  return eventMessage?.name
    ? withCaption(`<event: ${eventMessage.name}>`, eventMessage.description)
    : "";
};
