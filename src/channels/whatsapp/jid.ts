/**
 * WhatsApp's names of people and chats, and ours. WhatsApp writes `15551234567:3@s.whatsapp.net` (a number and one of its
 * devices), `123@lid` (a person whose number is hidden) and `123-456@g.us`; we write `+15551234567`, `123@lid`, `123-456@g.us`.
 */

/** E.164: at most 15 digits, and no country code begins with 0. The shortest numbers in use have 5 with the country. */
const NUMBER = /^[1-9][0-9]{4,14}$/;
const LID = /^([0-9]{1,20})(?::[0-9]{1,3})?@(?:lid|hosted\.lid)$/;
const PERSON = /^([0-9]{1,20})(?::[0-9]{1,3})?@(?:s\.whatsapp\.net|c\.us|hosted)$/;
const GROUP = /^[0-9]{5,30}(?:-[0-9]{5,20})?@g\.us$/;

const bare = (text: string): string => text.trim().replace(/^whatsapp:\s*/i, "");

/**
 * A phone number in any spelling, as `+digits`. Undefined for everything else: letters, digits of other scripts, more than 15
 * digits, a number without its country (which begins with 0).
 */
export function phoneNumber(text: string): string | undefined {
  if (!/^\+?[0-9 ().\-/\u00a0]*$/.test(text)) return undefined;
  const digits = text.replace(/[^0-9]/g, "").replace(/^00/, text.startsWith("+") ? "00" : "");
  return NUMBER.test(digits) ? `+${digits}` : undefined;
}

/** The canonical id of a person; undefined for what is none. */
export function personId(text: string): string | undefined {
  const raw = bare(text);
  const lid = LID.exec(raw);
  if (lid) return `${lid[1]}@lid`;
  const person = PERSON.exec(raw);
  return phoneNumber(person ? person[1]! : raw);
}

/** The id of a chat, from what a person types or WhatsApp says; undefined for what is none (a broadcast, a newsletter). */
export function chatId(text: string): string | undefined {
  const raw = bare(text).toLowerCase();
  return GROUP.test(raw) ? raw : personId(raw);
}

export const isGroup = (id: string): boolean => id.endsWith("@g.us");
export const isLid = (id: string): boolean => LID.test(id);

/** What WhatsApp calls a chat of ours. */
export const jidOf = (id: string): string =>
  id.startsWith("+") ? `${id.slice(1)}@s.whatsapp.net` : id;

/** Without the device: `15551234567@s.whatsapp.net`. */
export const withoutDevice = (jid: string): string => jid.replace(/:[0-9]+@/, "@");

/** Whether two names mean the same person, whatever the devices. */
export const samePerson = (one: string | undefined | null, other: string | undefined | null) =>
  Boolean(one && other && withoutDevice(one) === withoutDevice(other));
