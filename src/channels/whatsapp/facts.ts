/** What is known of WhatsApp without its library: accounts, access rules, ids. */
import { AppError } from "../../base/errors.ts";
import type { AccessRules, ChannelFacts, RoomRules } from "../channel.ts";
import type { WhatsappConfig } from "./config.ts";
import { chatId, isGroup, personId } from "./jid.ts";

const DEFAULT_ACCOUNT = "default";
/** As the original has it where nothing is said. */
const HISTORY = 50;
/** Put on the sender by the adapter only: the message was written in the chat with oneself, on the owner's phone. */
export const OWNER_ROLE = "self";

export const facts: ChannelFacts<WhatsappConfig> = {
  accounts(section) {
    if (!section) return [];
    const { accounts, ...base } = section;
    const named = Object.entries(accounts ?? {});
    const rows: [string, Partial<WhatsappConfig>][] = named.length
      ? (named as [string, Partial<WhatsappConfig>][])
      : [[DEFAULT_ACCOUNT, {}]];
    return rows.map(([id, own]) => {
      const said = Object.fromEntries(
        Object.entries(own).filter(([, value]) => value !== undefined),
      );
      const config = { ...base, ...said } as WhatsappConfig;
      return {
        id,
        ...(config.name && { name: config.name }),
        enabled: base.enabled && config.enabled && config.web?.enabled !== false,
        config,
        credential: { source: "linked" },
      };
    });
  },

  rules(config, inbound): AccessRules {
    const { sender, from, chat } = inbound;
    const allowFrom = idsOf(config.allowFrom);
    const mine = chat === "dm" && sender.roles?.includes(OWNER_ROLE);
    return {
      // What the owner writes to themselves always passes; it is there only in self-chat mode.
      dmPolicy: mine ? "allowlist" : config.dmPolicy,
      // With no list at all only the own number may talk, and it can do so nowhere but in the chat with itself.
      allowFrom: mine ? [...allowFrom, sender.id] : allowFrom,
      groupPolicy: config.groupPolicy,
      groupAllowFrom: config.groupAllowFrom ? idsOf(config.groupAllowFrom) : allowFrom,
      room: chat === "dm" ? { enabled: true, requireMention: false } : room(config, inbound),
      historyLimit: isGroup(from.chatId) ? (config.historyLimit ?? HISTORY) : 0,
      bots: false,
    };
  },

  senderId: personId,

  idLine: (id) => `Your WhatsApp phone number: ${id}`,

  target(raw) {
    const id = chatId(raw);
    if (id) return { chatId: id };
    throw new AppError("bad_request", `"${raw}" is no WhatsApp number or group.`, {
      hint: "Write the international number (+15551234567) or the id of a group (123456789-123456@g.us).",
    });
  },

  label: (to) => to.chatId,

  setup: {
    login: true,
    steps: [
      "Best with a number of its own: a second SIM or an eSIM in an old phone, with WhatsApp on it.",
      "On that phone: WhatsApp > Settings > Linked devices > Link a device.",
      "Scan the code that is shown next, or choose to link with the phone number and type the code.",
    ],
    docs: "docs/channels/whatsapp.md",
  },
};

const idsOf = (entries: readonly (string | number)[]): string[] =>
  entries.flatMap((entry) => {
    const text = String(entry).trim();
    const id = text === "*" ? "*" : personId(text);
    return id ? [id] : [];
  });

type Room = NonNullable<WhatsappConfig["groups"]>[string];

function room(
  config: WhatsappConfig,
  { from, sender }: { from: { chatId: string }; sender: { id: string } },
): RoomRules | "unlisted" {
  const groups = config.groups ?? {};
  const own = groups[from.chatId];
  const all = groups["*"];
  if (!own && !all && Object.keys(groups).length > 0) return "unlisted";
  const allowFrom = own?.allowFrom ?? all?.allowFrom;
  const systemPrompt = own?.systemPrompt ?? all?.systemPrompt;
  const tools = toolsFor(own, sender.id) ?? toolsFor(all, sender.id);
  return {
    enabled: (own?.enabled ?? all?.enabled) !== false,
    requireMention: own?.requireMention ?? all?.requireMention ?? true,
    ...(allowFrom && { allowFrom: idsOf(allowFrom) }),
    ...(systemPrompt && { systemPrompt }),
    ...(tools && { tools }),
  };
}

function toolsFor(group: Room | undefined, sender: string): RoomRules["tools"] {
  const bySender = Object.entries(group?.toolsBySender ?? {});
  const found =
    bySender.find(([key]) => key !== "*" && personId(key) === sender) ??
    bySender.find(([key]) => key === "*");
  return found?.[1] ?? group?.tools;
}
