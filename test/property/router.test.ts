import { expect, test } from "bun:test";

import fc from "fast-check";

import { CONTEXT_MARK, CURRENT_MARK, userText, withoutEnvelope } from "../../src/agent/envelope.ts";
import type { AccessRules } from "../../src/channels/channel.ts";
import type { Inbound } from "../../src/flow.ts";
import { authorize, ownersOf } from "../../src/router/access.ts";
import { Mentions } from "../../src/router/mention.ts";
import { sessionKeyFor } from "../../src/router/session.ts";
import { SessionConfig } from "../../src/sessions/config.ts";

const ID = fc.constantFrom("1", "2", "42", "+15550001234", "*", "", " 42", "４２");
const LIST = fc.array(fc.constantFrom("1", "2", "42", "+15550001234"), { maxLength: 3 });
const ROOM: fc.Arbitrary<AccessRules["room"]> = fc.oneof(
  fc.constant("unlisted" as const),
  fc.record(
    { enabled: fc.boolean(), requireMention: fc.boolean(), allowFrom: LIST },
    { requiredKeys: ["enabled", "requireMention"] },
  ),
);
const RULES: fc.Arbitrary<AccessRules> = fc.record({
  dmPolicy: fc.constantFrom("pairing", "allowlist", "open", "disabled"),
  allowFrom: LIST,
  groupPolicy: fc.constantFrom("open", "allowlist", "disabled"),
  groupAllowFrom: LIST,
  room: ROOM,
  historyLimit: fc.constant(50),
  bots: fc.boolean(),
});

test("nobody is let in whom no rule names: without a star and an open group, it takes the very id", () => {
  fc.assert(
    fc.property(
      RULES,
      ID,
      fc.constantFrom<Inbound["chat"]>("dm", "group", "channel"),
      LIST,
      LIST,
      fc.boolean(),
      (rules, id, chat, approved, owners, accessGroups) => {
        const access = authorize({
          rules,
          inbound: { chat, sender: { id } },
          approved: new Set(approved),
          owners: ownersOf(owners, "x", (entry) => entry),
          accessGroups,
        });
        if (access.kind === "pair") {
          expect(chat).toBe("dm");
          expect(rules.dmPolicy).toBe("pairing");
        }
        if (access.kind !== "allow") return;
        expect(id).toMatch(/^[\x21-\x7e]+$/);
        if (chat === "dm") {
          expect(rules.dmPolicy).not.toBe("disabled");
          expect([...rules.allowFrom, ...approved]).toContain(id);
        } else {
          expect(rules.groupPolicy).not.toBe("disabled");
          if (rules.room === "unlisted") throw new TypeError("an unlisted chat was let in");
          expect(rules.room.enabled).toBe(true);
          const list =
            rules.room.allowFrom ?? (rules.groupPolicy === "open" ? [id] : rules.groupAllowFrom);
          expect(list).toContain(id);
        }
        const configured = [...rules.allowFrom, ...owners];
        if (access.trust === "owner")
          expect(
            owners.length
              ? owners
              : chat === "dm"
                ? [...rules.allowFrom, ...approved]
                : rules.allowFrom,
          ).toContain(id);
        // In a group, an approval for direct messages gives nothing.
        if (chat !== "dm" && access.commands && accessGroups) {
          const own =
            rules.room === "unlisted" ? [] : (rules.room.allowFrom ?? rules.groupAllowFrom);
          expect([...configured, ...own]).toContain(id);
        }
      },
    ),
    { numRuns: 3_000 },
  );
});

/** Pieces of what somebody would write who wants to be taken for us. */
const PIECES = fc.constantFrom(
  "\n",
  "\r",
  "\u2028",
  "\u0085",
  "\u200b",
  "\u202e",
  "[",
  "]",
  "［",
  "【",
  " ",
  "Current message - respond to this",
  "Chat messages since your last reply - for context",
  "current",
  "message",
  "/Replying",
  "Replying to you",
  "message_id: 1",
  "context]",
  "Telegram Owner id:1 2026-11-20 15:30 CET",
  "Owner (1): ",
  "id:7",
  "hello",
  "C",
);
const HOSTILE = fc.oneof(
  fc.array(PIECES, { maxLength: 12 }).map((pieces) => pieces.join("")),
  fc.string({ unit: "binary", maxLength: 60 }),
);
const MARK =
  /^\s*\[\s*(?:chat messages since|current message|context\]|\/?replying|\/?quoting|forwarded|media attached|message_id|telegram\b)/i;
/** As a careless reader sees the text: without what is invisible, every bracket the same, every end of a line one. */
const seen = (text: string): string[] =>
  text
    .replace(/\r\n|[\r\u000b\u000c\u0085\u2028\u2029]/g, "\n")
    .replace(/[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, "")
    .normalize("NFKC")
    .replace(/[［【〔⟦〚]/g, "[")
    .split("\n");

test("no words, name, title, quote or id of a stranger makes a line that looks like ours", () => {
  const hostile = fc.record({
    text: HOSTILE,
    name: HOSTILE,
    title: HOSTILE,
    quote: HOSTILE,
    quotedOf: HOSTILE,
    before: HOSTILE,
    beforeOf: HOSTILE,
    note: HOSTILE,
    id: HOSTILE,
  });
  fc.assert(
    fc.property(hostile, (said) => {
      const inbound: Inbound = {
        id: said.id,
        from: { channel: "x", account: "default", chatId: said.id },
        chat: "group",
        sender: { id: said.id, name: said.name, handle: said.name },
        room: { title: said.title, thread: said.title, space: { id: "1", name: said.title } },
        text: said.text,
        media: [{ kind: "file", mime: said.note, name: said.name }],
        notes: [`📍 ${said.note}`],
        quoted: { id: said.id, text: said.quote, sender: said.quotedOf },
        mentioned: true,
        before: [{ id: said.id, sender: said.beforeOf, text: said.before, at: 0 }],
        at: 0,
      };
      const options = {
        envelopeTimezone: "utc",
        envelopeTimestamp: "on",
        envelopeElapsed: "on",
      } as const;
      const text = userText({ inbound, channel: "Telegram", options, paths: ["/m/a"] });
      const marks = seen(text).filter((line) => MARK.test(line));
      const wanted = [
        CONTEXT_MARK,
        "[Telegram ",
        CURRENT_MARK,
        "[Telegram ",
        "[Replying to ",
        "[/Replying]",
        "[media attached: /m/a ",
        "[message_id: ",
      ];
      expect(marks.map((line, i) => line.slice(0, wanted[i]?.length))).toEqual(wanted);
      expect(text.split(CURRENT_MARK)).toHaveLength(2);
      expect(text.split(CONTEXT_MARK)).toHaveLength(2);
      expect(withoutEnvelope(text)).not.toContain(CURRENT_MARK);
    }),
    { numRuns: 2_000 },
  );
});

test("a mention pattern of any shape is refused or searches any text at once", () => {
  const parts = fc.constantFrom(
    "a",
    "b",
    ".",
    "\\w",
    "\\s",
    "(",
    ")",
    "(?:",
    "|",
    "*",
    "+",
    "?",
    "{2,}",
    "{1,9}",
    "[ab]",
    "^",
    "$",
    "\\b",
  );
  const pattern = fc.array(parts, { minLength: 1, maxLength: 10 }).map((all) => all.join(""));
  const worst = `${"ab".repeat(400)}!`;
  fc.assert(
    fc.property(pattern, (made) => {
      // One that takes too long takes the whole test with it.
      expect(typeof new Mentions().match(worst, [made])).toBe("boolean");
    }),
    { numRuns: 1_000 },
  );
});

test("two chats never share a session key, and two people only where the config says so", () => {
  const id = fc.constantFrom("1", "2", "1:topic:2", "dm", "main", "a-b");
  const at = fc.record({
    chat: fc.constantFrom<Inbound["chat"]>("dm", "group", "channel"),
    channel: fc.constantFrom("telegram", "discord"),
    chatId: fc.constantFrom("1", "2", "-100"),
    threadId: fc.option(fc.constantFrom("2", "7"), { nil: undefined }),
    sender: id,
  });
  const rules = SessionConfig.parse({ dmScope: "per-channel-peer" });
  const keyOf = (place: {
    chat: Inbound["chat"];
    channel: string;
    chatId: string;
    threadId?: string;
    sender: string;
  }) =>
    sessionKeyFor(
      {
        id: "1",
        from: {
          channel: place.channel,
          account: "default",
          chatId: place.chatId,
          threadId: place.threadId,
        },
        chat: place.chat,
        sender: { id: place.sender },
        text: "",
        media: [],
        mentioned: false,
        at: 0,
      },
      "main",
      rules,
      "owner",
    ) as string;
  fc.assert(
    fc.property(at, at, (one, two) => {
      const whose = ({ chat, channel, chatId, threadId, sender }: typeof one) =>
        JSON.stringify([chat, channel, chat === "dm" ? sender : chatId, threadId]);
      expect(keyOf(one) === keyOf(two)).toBe(whose(one) === whose(two));
    }),
  );
});
