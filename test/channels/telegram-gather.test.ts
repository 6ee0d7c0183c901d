/** What belongs together and what does not; and that the fake reads markup as the platform does. */
import { expect, test } from "bun:test";

import type { Message } from "grammy/types";

import { AppError } from "../../src/base/errors.ts";
import { waitAfter } from "../../src/channels/telegram/errors.ts";
import { continues, opens, senderKey } from "../../src/channels/telegram/gather.ts";
import { parseHtml } from "../fakes/telegram-html.ts";

const chat = { id: 1, type: "private", first_name: "Ann" } as const;
const message = (over: Partial<Message>): Message =>
  ({ message_id: 1, date: 0, chat, from: { id: 1 }, ...over }) as Message;
const piece = (id: number, length = 4_096, over: Partial<Message> = {}) =>
  message({ message_id: id, text: "x".repeat(length), ...over });

test("from 4,000 characters on a text may be the piece of a longer one", () => {
  expect(opens(piece(1, 3_999))).toBeUndefined();
  expect(opens(piece(1, 4_000))).toEqual({ kind: "paste", quietMs: 1_500 });
  expect(opens(message({ caption: "x".repeat(4_000) }))).toBeUndefined();
  expect(opens(message({ text: `/do ${"x".repeat(4_000)}` }))).toBeUndefined();
  expect(opens(message({ media_group_id: "a" }))).toEqual({ kind: "album", quietMs: 500 });
});

test("the next piece has the next number, and is no other kind of message", () => {
  const parts = [piece(1), piece(2)];
  expect(continues("paste", parts, piece(3, 5))).toBe(true);
  for (const other of [
    piece(4),
    piece(3, 5, { message_thread_id: 7 }),
    piece(3, 5, { reply_to_message: message({}) as never }),
    piece(3, 5, { forward_origin: { type: "hidden_user", date: 1, sender_user_name: "x" } }),
    message({ message_id: 3, text: "/stop" }),
    message({ message_id: 3, photo: [] }),
  ])
    expect(continues("paste", parts, other)).toBe(false);
});

test("at most 12 pieces and 50,000 characters are joined", () => {
  const pieces = (count: number, length: number) =>
    Array.from({ length: count }, (_, i) => piece(i + 1, length));
  expect(continues("paste", pieces(11, 4_000), piece(12, 4_000))).toBe(true);
  expect(continues("paste", pieces(12, 4_000), piece(13, 1))).toBe(false);
  expect(continues("paste", pieces(11, 4_096), piece(12, 4_096))).toBe(true);
  expect(continues("paste", pieces(11, 4_500), piece(12, 501))).toBe(false);
});

test("albums and pieces are those of one sender in one chat", () => {
  expect(senderKey(message({}))).toBe("1:1");
  expect(senderKey(message({ sender_chat: { id: -5, type: "channel", title: "x" } }))).toBe("1:-5");
  const album = [message({ media_group_id: "a" })];
  expect(continues("album", album, message({ media_group_id: "a" }))).toBe(true);
  expect(continues("album", album, message({ media_group_id: "b" }))).toBe(false);
});

test("pauses grow up to half a minute, and are never shorter than the platform says", () => {
  const error = new AppError("channel_unreachable", "x");
  expect([1, 2, 3, 20].map((failures) => waitAfter(error, failures, () => 0.5))).toEqual([
    500, 900, 1_620, 30_000,
  ]);
  expect(waitAfter(error, 1, () => 0)).toBe(375);
  const asked = new AppError("channel_unreachable", "x", { retryAfterMs: 60_000 });
  expect(waitAfter(asked, 1)).toBe(60_000);
});

test("the fake reads markup as strictly as the platform", () => {
  expect(parseHtml("<b>a &amp; <i>b</i></b> &unknown; &#128578;")).toEqual({
    text: "a & b &unknown; 🙂",
    entities: [
      { type: "italic", offset: 4, length: 1 },
      { type: "bold", offset: 0, length: 5 },
    ],
  });
  for (const [html, words] of [
    ["<b>a", "Can't find end tag"],
    ["a</b>", "Unexpected end tag at byte offset 1"],
    ["<b><i>a</b></i>", "Unmatched end tag"],
    ["<p>a</p>", 'Unsupported start tag "p"'],
    ["1 < 2", "Unclosed start tag"],
  ])
    expect(() => parseHtml(html!)).toThrow(words!);
});
