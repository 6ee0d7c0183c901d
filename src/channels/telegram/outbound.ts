/** One message of the core, sent: in place of another one, as text, or with its files. */
import type { InlineKeyboardMarkup } from "grammy/types";

import type { Address, MediaRef, Outbound, Receipt } from "../../flow.ts";
import { isNotEditable, isNotModified, refusalOf } from "./errors.ts";
import { chatOf, orPlain, type Sender, type Where, whereOf } from "./sending.ts";
import { messageNumber, messageRef } from "./target.ts";
import { albums, sendAlbum, sendFile } from "./upload.ts";

/** Visible characters under a picture. */
export const CAPTION_LIMIT = 1024;
/** Messages of which it is remembered what of them arrived, for the next try. */
const MOST_TRIES = 200;

/** Throws `channel_rejected` or `channel_unreachable`. */
export async function send(out: Outbound, by: Sender): Promise<Receipt> {
  try {
    return await sendTo(out, by);
  } catch (cause) {
    // The group has another id since a moment ago: the core is told, and the message goes there.
    const movedTo = refusalOf(cause)?.movedTo;
    if (movedTo === undefined) throw cause;
    await by.ctx.moved(out.to.chatId, movedTo);
    return sendTo({ ...out, to: { ...out.to, chatId: movedTo } }, by);
  }
}

async function sendTo(out: Outbound, by: Sender): Promise<Receipt> {
  if (out.edits !== undefined && out.media.length === 0) {
    const edited = await edit(out, out.edits, by);
    if (edited) return edited;
  }
  const steps = await stepsOf(out, by);
  const made = by.progress.get(out.key) ?? [];
  for (const [i, step] of steps.entries()) {
    // An earlier try came this far.
    if (made[i]) continue;
    made[i] = await step();
    for (const id of made[i]) by.sent.add(messageRef(out.to.chatId, id));
    remember(by.progress, out.key, made);
  }
  by.progress.delete(out.key);
  return { ids: made.flat().map(String), at: Date.now() };
}

function remember(progress: Sender["progress"], key: string, made: number[][]): void {
  progress.set(key, made);
  for (const oldest of progress.keys()) {
    if (progress.size <= MOST_TRIES) break;
    progress.delete(oldest);
  }
}

type Step = () => Promise<number[]>;

/** Each step is one call to the platform: the files, then the text where it does not fit under the last file. */
async function stepsOf(out: Outbound, by: Sender): Promise<Step[]> {
  const where = whereOf(out.to, out.silent);
  const keyboard = await by.buttons.markup(out.buttons);
  const { reply_parameters: _, ...later } = where;
  if (out.media.length === 0) return [() => sendText(out, where, keyboard, by)];
  const rows = keyboard ? out.media.map((media) => [media]) : albums(out.media);
  const fits = out.text !== "" && out.plain.length <= CAPTION_LIMIT && canCaption(out.media[0]!);
  const steps: Step[] = rows.map((group, i) => {
    const at = i === 0 ? where : later;
    const caption = fits && i === 0 ? { text: out.text, plain: out.plain } : undefined;
    const isLast = i === rows.length - 1 && (fits || out.text === "");
    return () =>
      group.length > 1
        ? sendAlbum(group, at, caption, by)
        : sendFile(group[0]!, at, caption, isLast ? keyboard : undefined, by);
  });
  if (!fits && out.text !== "") steps.push(() => sendText(out, later, keyboard, by));
  return steps;
}

/** Nothing can be written under a sticker. */
const canCaption = (media: MediaRef): boolean => media.as !== "sticker";

async function sendText(
  { text, plain }: Pick<Outbound, "text" | "plain">,
  where: Where,
  keyboard: InlineKeyboardMarkup | undefined,
  by: Sender,
): Promise<number[]> {
  const common = {
    ...where,
    link_preview_options: { is_disabled: !by.ctx.config.linkPreview },
    ...(keyboard && { reply_markup: keyboard }),
  };
  const sent = await orPlain(
    () => by.client.call("sendMessage", { ...common, text, parse_mode: "HTML" }),
    () => by.client.call("sendMessage", { ...common, text: plain }),
    by,
  );
  return [sent.message_id];
}

/** Undefined when that message cannot be edited any more, and a new one is to be sent. */
async function edit(out: Outbound, id: string, by: Sender): Promise<Receipt | undefined> {
  const number = messageNumber(id);
  if (number === undefined) return undefined;
  try {
    await editText(out.to, number, out, await by.buttons.markup(out.buttons), by);
  } catch (cause) {
    if (isNotEditable(cause)) return undefined;
    throw cause;
  }
  return { ids: [String(number)], at: Date.now() };
}

/** The same text again is no failure. */
export async function editText(
  to: Address,
  number: number,
  { text, plain }: { text: string; plain: string },
  keyboard: InlineKeyboardMarkup | undefined,
  by: Sender,
): Promise<void> {
  const common = {
    chat_id: chatOf(to),
    message_id: number,
    link_preview_options: { is_disabled: !by.ctx.config.linkPreview },
    ...(keyboard && { reply_markup: keyboard }),
  };
  try {
    await orPlain(
      () => by.client.call("editMessageText", { ...common, text, parse_mode: "HTML" }),
      () => by.client.call("editMessageText", { ...common, text: plain }),
      by,
    );
  } catch (cause) {
    if (!isNotModified(cause)) throw cause;
  }
}
