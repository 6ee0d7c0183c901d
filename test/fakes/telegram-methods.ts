/** The methods of the Bot API, with the platform's checks and words. A parameter that a method does not have is refused, too. */
import type { Message } from "grammy/types";

import { MarkupError, type Parsed, parseHtml } from "./telegram-html.ts";
import type { FakeChat, World } from "./telegram-world.ts";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly description: string,
    readonly parameters?: Record<string, unknown>,
  ) {
    super(description);
  }
}
export const no = (description: string, parameters?: Record<string, unknown>): never => {
  const status = description.startsWith("Forbidden") ? 403 : 400;
  throw new ApiError(
    status,
    status === 403 ? description : `Bad Request: ${description}`,
    parameters,
  );
};

export type Upload = { name: string; bytes: Uint8Array };
export type Params = Record<string, unknown> & { files?: Map<string, Upload> };
type Kind = "chat" | "int" | "text" | "flag" | "json" | "file";
export type Spec = Record<string, Kind>;

const SEND: Spec = {
  chat_id: "chat",
  message_thread_id: "int",
  disable_notification: "flag",
  protect_content: "flag",
  reply_parameters: "json",
  reply_markup: "json",
};
const CAPTION: Spec = { ...SEND, caption: "text", parse_mode: "text", caption_entities: "json" };
const AT: Spec = { chat_id: "chat", message_id: "int" };

/** Parameters that a method takes. */
export const SPECS: Record<string, Spec> = {
  getMe: {},
  getWebhookInfo: {},
  getUpdates: { offset: "int", limit: "int", timeout: "int", allowed_updates: "json" },
  setWebhook: {
    ...{ url: "text", secret_token: "text", allowed_updates: "json", max_connections: "int" },
    drop_pending_updates: "flag",
  },
  deleteWebhook: { drop_pending_updates: "flag" },
  sendMessage: {
    ...SEND,
    ...{ text: "text", parse_mode: "text", entities: "json", link_preview_options: "json" },
  },
  sendPhoto: { ...CAPTION, photo: "file" },
  sendVideo: { ...CAPTION, video: "file", supports_streaming: "flag", duration: "int" },
  sendAnimation: { ...CAPTION, animation: "file" },
  sendVoice: { ...CAPTION, voice: "file", duration: "int" },
  sendAudio: { ...CAPTION, audio: "file", title: "text", performer: "text" },
  sendDocument: { ...CAPTION, document: "file" },
  sendSticker: { ...SEND, sticker: "file" },
  sendMediaGroup: { ...SEND, media: "json" },
  sendPoll: {
    ...SEND,
    ...{ question: "text", options: "json", allows_multiple_answers: "flag", is_anonymous: "flag" },
    open_period: "int",
  },
  sendChatAction: { chat_id: "chat", action: "text", message_thread_id: "int" },
  editMessageText: {
    ...{ ...AT, text: "text", parse_mode: "text", link_preview_options: "json" },
    reply_markup: "json",
  },
  deleteMessage: AT,
  setMessageReaction: { ...AT, reaction: "json", is_big: "flag" },
  pinChatMessage: { ...AT, disable_notification: "flag" },
  unpinChatMessage: AT,
  createForumTopic: { chat_id: "chat", name: "text" },
  getChatMember: { chat_id: "chat", user_id: "int" },
  getFile: { file_id: "text" },
  setMyCommands: { commands: "json", scope: "json", language_code: "text" },
  answerCallbackQuery: { callback_query_id: "text", text: "text", show_alert: "flag" },
};

const EMOJI =
  "👍👎❤🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🕊🤡🥱🥴😍🐳🌚🌭💯🤣⚡🍌🏆💔🤨😐🍓🍾💋🖕😈😴😭🤓👻👀🎃🙈😇😨🤝✍🤗🫡🎅🎄☃💅🤪🗿🆒💘🙉🦄😘💊🙊😎👾🤷😡";
const ACTIONS =
  /^(?:typing|upload_photo|record_video|upload_video|record_voice|upload_voice|upload_document|choose_sticker|find_location)$/;
const FILE_FIELDS = ["photo", "video", "animation", "voice", "audio", "document", "sticker"];

type Answer = { result: unknown; sent?: Message & { file?: Upload } };

/** The chat, as the platform finds it. */
function roomOf(world: World, id: unknown, isWriting = true): FakeChat {
  const room = [...world.chats.values()].find(
    ({ chat }) => chat.id === Number(id) || (chat.username && id === `@${chat.username}`),
  );
  if (!room) return no("chat not found");
  if (room.movedTo !== undefined)
    no("group chat was upgraded to a supergroup chat", { migrate_to_chat_id: room.movedTo });
  if (room.bot === "left") no("Forbidden: bot is not a member of the supergroup chat");
  if (room.blocked && isWriting) no("Forbidden: bot was blocked by the user");
  return room;
}

function parsed(text: unknown, mode: unknown): Parsed {
  if (mode === undefined) return { text: String(text ?? ""), entities: [] };
  if (mode !== "HTML") return no(`unsupported parse_mode`);
  try {
    return parseHtml(String(text ?? ""));
  } catch (cause) {
    if (cause instanceof MarkupError) throw new ApiError(400, cause.message);
    throw cause;
  }
}

function checkMarkup(markup: unknown): void {
  if (markup === undefined) return;
  const rows = (markup as { inline_keyboard?: { text?: string; callback_data?: string }[][] })
    .inline_keyboard;
  if (!Array.isArray(rows)) return no("object expected as reply markup");
  for (const { text, callback_data: data } of rows.flat()) {
    if (!text?.trim()) no("inline keyboard button text must not be empty");
    const bytes = Buffer.byteLength(data ?? "");
    if (bytes < 1 || bytes > 64) no("BUTTON_DATA_INVALID");
  }
}

/** What every method that sends checks; gives the fields of the new message. */
function common(room: FakeChat, params: Params): Partial<Message> {
  checkMarkup(params["reply_markup"]);
  const thread = params["message_thread_id"];
  // The General topic has no number where a message is sent.
  if (thread !== undefined && (thread === 1 || !room.topics.has(Number(thread))))
    no("message thread not found");
  const reply = params["reply_parameters"] as
    { message_id?: number; allow_sending_without_reply?: boolean } | undefined;
  const replied = reply && room.messages.get(Number(reply.message_id));
  if (reply && !replied && !reply.allow_sending_without_reply)
    no("message to be replied not found");
  return {
    ...(thread !== undefined && { message_thread_id: Number(thread), is_topic_message: true }),
    ...(replied && { reply_to_message: replied as never }),
    ...(params["reply_markup"] !== undefined && { reply_markup: params["reply_markup"] as never }),
  };
}

function captionOf(holder: Record<string, unknown>): Partial<Message> {
  const { text, entities } = parsed(holder["caption"], holder["parse_mode"]);
  if (text.length > 1024) no("message caption is too long");
  return text ? { caption: text, caption_entities: entities as never } : {};
}

/** The bytes behind `attach://name`, or a file that the bot has seen before. */
function uploaded(world: World, value: unknown, params: Params): Upload {
  const text = String(value);
  const attached = text.startsWith("attach://") ? params.files?.get(text.slice(9)) : undefined;
  if (attached) {
    if (attached.bytes.byteLength === 0) no("file must be non-empty");
    if (attached.bytes.byteLength > 50_000_000) throw new ApiError(413, "Request Entity Too Large");
    return attached;
  }
  const known = world.files.get(text);
  return known
    ? { name: known.path, bytes: known.bytes ?? new Uint8Array() }
    : no("wrong remote file identifier specified: Wrong character in the string");
}

function checkPicture({ bytes }: Upload): void {
  if (bytes.byteLength > 10_000_000) no("too big file for a photo");
  const head = Buffer.from(bytes.subarray(0, 4)).toString("latin1");
  if (!/^(?:\x89PNG|\xff\xd8\xff|RIFF|BM)/.test(head)) no("IMAGE_PROCESS_FAILED");
}

function sendFile(world: World, method: string, params: Params): Answer {
  const room = roomOf(world, params["chat_id"]);
  const field = FILE_FIELDS.find(
    (name) => method === `send${name[0]!.toUpperCase()}${name.slice(1)}`,
  )!;
  if (params[field] === undefined) no(`there is no ${field} in the request`);
  const file = uploaded(world, params[field], params);
  if (field === "photo") checkPicture(file);
  if (field === "voice" && room.noVoice) no("VOICE_MESSAGES_FORBIDDEN");
  const stored = world.file(file.bytes, file.name);
  const value = field === "photo" ? [{ ...stored, width: 1, height: 1 }] : stored;
  const message = world.write(room, {
    from: world.bot as never,
    ...common(room, params),
    ...captionOf(params),
    [field]: value as never,
  });
  return { result: message, sent: { ...message, file } };
}

function sendGroup(world: World, params: Params): Answer & { all: Answer["sent"][] } {
  const room = roomOf(world, params["chat_id"]);
  const media = params["media"] as Record<string, unknown>[];
  if (!Array.isArray(media) || media.length < 2 || media.length > 10)
    no("group must include 2-10 items");
  const group = `g${world.lastUpdate}-${room.messages.size}`;
  const all = media.map((item, i) => {
    const type = String(item["type"]);
    if (!/^(?:photo|video|audio|document)$/.test(type)) no("type of file mismatch");
    const file = uploaded(world, item["media"], params);
    if (type === "photo") checkPicture(file);
    const stored = world.file(file.bytes, file.name);
    const message = world.write(room, {
      from: world.bot as never,
      media_group_id: group,
      ...(i === 0 && common(room, params)),
      ...captionOf(item),
      [type]: (type === "photo" ? [{ ...stored, width: 1, height: 1 }] : stored) as never,
    });
    return { ...message, file };
  });
  return { result: all.map(({ file: _, ...message }) => message), all };
}

type Run = (world: World, params: Params) => Answer;
const own = (world: World, params: Params, what: string): { room: FakeChat; message: Message } => {
  const room = roomOf(world, params["chat_id"]);
  const message = room.messages.get(Number(params["message_id"]));
  return message ? { room, message } : no(`message to ${what} not found`);
};

export const METHODS: Record<string, Run> = {
  getMe: (world) => ({ result: world.bot }),
  sendMessage(world, params) {
    const room = roomOf(world, params["chat_id"]);
    const { text, entities } = parsed(params["text"], params["parse_mode"]);
    if (!text.trim()) no("message text is empty");
    if (text.length > 4096) no("message is too long");
    const message = world.write(room, {
      from: world.bot as never,
      ...common(room, params),
      text,
      ...(entities.length > 0 && { entities: entities as never }),
    });
    return { result: message, sent: message };
  },
  editMessageText(world, params) {
    const { message } = own(world, params, "edit");
    if (message.from?.id !== world.bot.id) no("message can't be edited");
    if (message.text === undefined) no("there is no text in the message to edit");
    const { text, entities } = parsed(params["text"], params["parse_mode"]);
    if (!text.trim()) no("message text is empty");
    if (text.length > 4096) no("MESSAGE_TOO_LONG");
    checkMarkup(params["reply_markup"]);
    const same = (a: unknown, b: unknown) => JSON.stringify(a ?? []) === JSON.stringify(b ?? []);
    if (
      message.text === text &&
      same(message.entities, entities) &&
      same(message.reply_markup, params["reply_markup"])
    )
      no(
        "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message",
      );
    Object.assign(message, { text, entities, reply_markup: params["reply_markup"] });
    return { result: message };
  },
  deleteMessage(world, params) {
    const { room, message } = own(world, params, "delete");
    room.messages.delete(message.message_id);
    return { result: true };
  },
  setMessageReaction(world, params) {
    own(world, params, "react");
    const list = (params["reaction"] ?? []) as { type: string; emoji: string }[];
    if (list.length > 1) no("REACTIONS_TOO_MANY");
    if (list.some(({ type, emoji }) => type !== "emoji" || !EMOJI.includes(emoji)))
      no("REACTION_INVALID");
    return { result: true };
  },
  pinChatMessage: (world, params) => (own(world, params, "pin"), { result: true }),
  unpinChatMessage: (world, params) => (own(world, params, "unpin"), { result: true }),
  sendPoll(world, params) {
    const room = roomOf(world, params["chat_id"]);
    const options = params["options"] as { text: string }[];
    const question = String(params["question"] ?? "");
    if (!question || question.length > 300) no("poll question must be 1-300 characters");
    if (!Array.isArray(options) || options.length < 2) no("poll must have at least 2 option");
    if (options.length > 12) no("poll can't have more than 12 options");
    if (options.some(({ text }) => !text || text.length > 100))
      no("poll options length must not exceed 100");
    const message = world.write(room, {
      from: world.bot as never,
      ...common(room, params),
      poll: { id: `poll-${room.messages.size}`, question, options } as never,
    });
    return { result: message, sent: message };
  },
  sendChatAction(world, params) {
    const room = roomOf(world, params["chat_id"]);
    if (!ACTIONS.test(String(params["action"]))) no("wrong parameter action in request");
    const thread = params["message_thread_id"];
    if (thread !== undefined && !room.topics.has(Number(thread))) no("message thread not found");
    return { result: true };
  },
  createForumTopic(world, params) {
    const room = roomOf(world, params["chat_id"]);
    const name = String(params["name"] ?? "");
    if (!room.chat.is_forum) no("the chat is not a forum");
    if (!name || name.length > 128) no("topic name must be 1-128 characters");
    const { message_id } = world.write(room, { from: world.bot as never });
    room.topics.set(message_id, name);
    return { result: { message_thread_id: message_id, name, icon_color: 1 } };
  },
  getChatMember(world, params) {
    const room = world.chats.get(Number(params["chat_id"]));
    if (!room) return no("chat not found");
    const isUs = Number(params["user_id"]) === world.bot.id;
    return { result: { user: world.bot, status: isUs ? room.bot : "member" } };
  },
  getFile(world, params) {
    const file = world.files.get(String(params["file_id"]));
    if (!file) return no("wrong file_id or the file is temporarily unavailable");
    if (file.size > 20_000_000) no("file is too big");
    return {
      result: {
        file_id: file.id,
        file_unique_id: file.id,
        file_size: file.size,
        file_path: file.path,
      },
    };
  },
  setMyCommands(_world, params) {
    const rows = params["commands"] as { command: string; description: string }[];
    if (rows.length > 100) no("BOT_COMMANDS_TOO_MUCH");
    for (const { command, description } of rows) {
      if (!/^[a-z0-9_]{1,32}$/.test(command)) no("BOT_COMMAND_INVALID");
      if (!description || description.length > 256) no("BOT_COMMAND_DESCRIPTION_INVALID");
    }
    return { result: true };
  },
  answerCallbackQuery(world, params) {
    if (!world.queries.delete(String(params["callback_query_id"])))
      no("query is too old and response timeout expired or query ID is invalid");
    return { result: true };
  },
  sendMediaGroup: (world, params) => sendGroup(world, params),
};
for (const field of FILE_FIELDS) {
  const method = `send${field[0]!.toUpperCase()}${field.slice(1)}`;
  METHODS[method] = (world, params) => sendFile(world, method, params);
}

/** Values of a form are text; the platform reads both the same way. Throws for what is missing or has the wrong type. */
export function readParams(method: string, raw: Record<string, unknown>): Params {
  const spec = SPECS[method]!;
  const params: Params = {};
  for (const [name, value] of Object.entries(raw)) {
    const kind = spec[name];
    if (!kind) return no(`the fake knows no parameter ${name} of ${method}`);
    if (value === undefined || value === null) continue;
    params[name] = valueOf(kind, value, name);
  }
  if ("chat_id" in spec && params["chat_id"] === undefined) no("chat_id is empty");
  return params;
}

function valueOf(kind: Kind, value: unknown, name: string): unknown {
  if (kind === "int" || (kind === "chat" && !String(value).startsWith("@"))) {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : no(`invalid ${name} specified`);
  }
  if (kind === "json") return typeof value === "string" ? JSON.parse(value) : value;
  if (kind === "flag") return value === true || value === "true";
  if (typeof value !== "string") return no(`field "${name}" must be of type String`);
  return value;
}
