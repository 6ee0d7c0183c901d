/** What the fake Discord refuses: the checks of a message, as strict as the platform's own. */
import type { Json, World } from "./discord-world.ts";

/** An error body of the API with its HTTP status. */
export type Refused = { status: number; code: number; message: string; errors?: Json };

export const refused = (status: number, code: number, message: string, errors?: Json): Refused => ({
  status,
  code,
  message,
  ...(errors && { errors }),
});

const invalid = (field: string, code: string, message: string): Refused =>
  refused(400, 50035, "Invalid Form Body", { [field]: { _errors: [{ code, message }] } });

const BODY = new Set(
  "content nonce tts embeds allowed_mentions message_reference components sticker_ids attachments flags enforce_nonce poll".split(
    " ",
  ),
);
const EDIT = new Set("content embeds flags allowed_mentions components attachments".split(" "));
const MAX_FILES_BYTES = 10 * 1024 * 1024;

const isList = (value: unknown): value is unknown[] => Array.isArray(value);

export type Upload = { name: string; bytes: Uint8Array; type: string };

/** `undefined`: it would be taken. */
export function checkMessage(
  world: World,
  channelId: string,
  body: Json,
  files: Map<string, Upload>,
): Refused | undefined {
  const unknown = Object.keys(body).find((key) => !BODY.has(key));
  if (unknown) return invalid(unknown, "UNKNOWN_FIELD", "This field is not known.");
  const size = [...files.values()].reduce((sum, file) => sum + file.bytes.length, 0);
  if (size > MAX_FILES_BYTES) return refused(413, 40005, "Request entity too large");
  const { nonce, enforce_nonce: enforce, message_reference: reference } = body;
  if (nonce !== undefined && (typeof nonce !== "string" || nonce.length > 25))
    return invalid("nonce", "NONCE_TYPE_TOO_LONG", "Nonce must be 25 or fewer characters.");
  if (enforce !== undefined && typeof enforce !== "boolean")
    return invalid("enforce_nonce", "BOOLEAN_TYPE_CONVERT", "Must be either true or false.");
  if (isRecord(reference) && reference["fail_if_not_exists"] !== false)
    if (!world.find(channelId, String(reference["message_id"])))
      return invalid("message_reference", "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message");
  if (isList(body["sticker_ids"]) && body["sticker_ids"].length > 3)
    return invalid("sticker_ids", "BASE_TYPE_MAX_LENGTH", "Must be 3 or fewer in length.");
  return (
    checkContent(body) ??
    checkFlags(body) ??
    checkMentions(body) ??
    checkComponents(body) ??
    checkAttachments(body, files) ??
    checkPoll(body) ??
    (hasSomething(body, files) ? undefined : refused(400, 50006, "Cannot send an empty message"))
  );
}

export function checkEdit(body: Json): Refused | undefined {
  const unknown = Object.keys(body).find((key) => !EDIT.has(key));
  if (unknown) return invalid(unknown, "UNKNOWN_FIELD", "This field is not known.");
  return checkContent(body) ?? checkFlags(body) ?? checkMentions(body) ?? checkComponents(body);
}

const hasSomething = (body: Json, files: Map<string, Upload>): boolean =>
  Boolean(body["content"]) ||
  Boolean(body["poll"]) ||
  files.size > 0 ||
  [body["embeds"], body["sticker_ids"], body["components"]].some(
    (value) => isList(value) && value.length > 0,
  );

function checkContent({ content }: Json): Refused | undefined {
  if (content === undefined || content === null) return undefined;
  if (typeof content !== "string")
    return invalid("content", "STRING_TYPE_CONVERT", "Could not interpret value as string.");
  if ([...content].length > 2000)
    return invalid("content", "BASE_TYPE_MAX_LENGTH", "Must be 2000 or fewer in length.");
  return undefined;
}

/** SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS, IS_COMPONENTS_V2 and EPHEMERAL are what a bot may set. */
function checkFlags({ flags }: Json): Refused | undefined {
  const allowed = (1 << 2) | (1 << 6) | (1 << 12) | (1 << 15);
  if (flags === undefined) return undefined;
  if (typeof flags !== "number" || (flags & ~allowed) !== 0)
    return invalid("flags", "FLAGS_INVALID", "These flags cannot be set.");
  return undefined;
}

function checkMentions({ allowed_mentions: allowed }: Json): Refused | undefined {
  if (allowed === undefined) return undefined;
  const parse = isRecord(allowed) ? (allowed["parse"] ?? []) : undefined;
  if (
    !isList(parse) ||
    parse.some((each) => !["roles", "users", "everyone"].includes(String(each)))
  )
    return invalid("allowed_mentions", "DICT_TYPE_CONVERT", "Not a list of kinds of mentions.");
  return undefined;
}

function checkComponents({ components }: Json): Refused | undefined {
  if (components === undefined) return undefined;
  const bad = (message: string) => invalid("components", "COMPONENT_VALIDATION_FAILED", message);
  if (!isList(components) || components.length > 5) return bad("Must be 5 or fewer in length.");
  const ids = new Set<string>();
  for (const row of components) {
    const buttons = isRecord(row) && row["type"] === 1 ? row["components"] : undefined;
    if (!isList(buttons) || buttons.length < 1 || buttons.length > 5)
      return bad("A row has 1 to 5 buttons.");
    for (const button of buttons) {
      if (!isRecord(button) || button["type"] !== 2) return bad("Not a button.");
      const label = String(button["label"] ?? "");
      const id = String(button["custom_id"] ?? "");
      if (label.length < 1 || label.length > 80) return bad("A label has 1 to 80 characters.");
      if (id.length < 1 || id.length > 100) return bad("A custom id has 1 to 100 characters.");
      if (ids.has(id)) return bad("Component custom id cannot be duplicated");
      ids.add(id);
      if (![1, 2, 3, 4].includes(Number(button["style"]))) return bad("No such style.");
    }
  }
  return undefined;
}

function checkAttachments({ attachments }: Json, files: Map<string, Upload>): Refused | undefined {
  const named = isList(attachments) ? attachments.filter(isRecord) : [];
  if (files.size > 10) return invalid("files", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer.");
  for (const { id } of named)
    if (!files.has(`files[${String(id)}]`))
      return invalid("attachments", "ATTACHMENT_NOT_FOUND", `No file with the id ${String(id)}.`);
  return undefined;
}

function checkPoll({ poll }: Json): Refused | undefined {
  if (poll === undefined) return undefined;
  const bad = (message: string) => invalid("poll", "POLL_INVALID", message);
  if (!isRecord(poll) || !isRecord(poll["question"]) || !isList(poll["answers"]))
    return bad("A poll has a question and answers.");
  const question = String(poll["question"]["text"] ?? "");
  if (question.length < 1 || question.length > 300) return bad("1 to 300 characters.");
  if (poll["answers"].length < 1 || poll["answers"].length > 10) return bad("1 to 10 answers.");
  for (const answer of poll["answers"]) {
    const media = isRecord(answer) ? answer["poll_media"] : undefined;
    const text = isRecord(media) ? String(media["text"] ?? "") : "";
    if (text.length < 1 || text.length > 55) return bad("An answer has 1 to 55 characters.");
  }
  const hours = Number(poll["duration"] ?? 24);
  if (!Number.isInteger(hours) || hours < 1 || hours > 768) return bad("1 to 768 hours.");
  return undefined;
}

/** The list of application commands that a bot registers as a whole. */
export function checkCommands(list: unknown): Refused | undefined {
  const bad = (message: string) => invalid("commands", "APPLICATION_COMMANDS_INVALID", message);
  if (!isList(list) || list.length > 100) return bad("A list of at most 100.");
  const names = new Set<string>();
  for (const each of list) {
    if (!isRecord(each)) return bad("Not an object.");
    const name = String(each["name"] ?? "");
    if (!/^[-_'\p{Ll}\p{Lo}\p{N}]{1,32}$/u.test(name)) return bad(`Name ${name} is invalid.`);
    if (names.has(name)) return refused(400, 50035, "Application command names must be unique");
    names.add(name);
    const description = String(each["description"] ?? "");
    if (description.length < 1 || description.length > 100) return bad("1 to 100 characters.");
    const options = each["options"] ?? [];
    if (!isList(options) || options.length > 25) return bad("At most 25 options.");
    let optional = false;
    for (const option of options) {
      if (!isRecord(option)) return bad("Not an option.");
      if (!/^[-_'\p{Ll}\p{Lo}\p{N}]{1,32}$/u.test(String(option["name"])))
        return bad("Option name.");
      if (option["required"] && optional) return bad("Required options come first.");
      if (!option["required"]) optional = true;
      const text = String(option["description"] ?? "");
      if (text.length < 1 || text.length > 100) return bad("An option says what it is.");
      const choices = option["choices"] ?? [];
      if (!isList(choices) || choices.length > 25) return bad("At most 25 choices.");
      if (choices.length && option["autocomplete"]) return bad("Choices or autocomplete.");
    }
  }
  return undefined;
}

export const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
