import { describe, expect, test } from "bun:test";

import { AppError } from "../base/errors.ts";
import type { Address } from "../flow.ts";
import { act, type ActingPorts, ACTIONS, actionsOf, type ToSend } from "./acting.ts";
import type { ChannelActions, ChatMessage } from "./action.ts";
import { capabilitiesOf } from "./capable.ts";
import type { ChannelAccount } from "./channel.ts";

const TO: Address = { channel: "full", account: "default", chatId: "c1", threadId: "t1" };
const MESSAGE: ChatMessage = {
  id: "5",
  text: "hi",
  sender: { id: "42", name: "Ann" },
  at: Date.UTC(2026, 10, 20, 8, 17),
  attachments: [{ name: "a.pdf" }],
};

/** An account that has everything and writes down what it was asked. */
function fullAccount() {
  const calls: unknown[][] = [];
  const took =
    <T>(name: string, result: T) =>
    async (...args: unknown[]): Promise<T> => {
      calls.push([name, ...args]);
      return result;
    };
  const receipt = { ids: ["77"], at: 1 };
  const account: ChannelAccount & Required<ChannelActions> = {
    send: took("send", receipt),
    stop: took("stop", undefined),
    typing: took("typing", undefined),
    edit: took("edit", undefined),
    remove: took("remove", undefined),
    react: took("react", undefined),
    reactions: took("reactions", [{ emoji: "👍", count: 2, users: ["42", "43"] }]),
    poll: took("poll", { ...receipt, pollId: "p1" }),
    pin: took("pin", undefined),
    unpin: took("unpin", undefined),
    pins: took("pins", [MESSAGE]),
    read: took("read", [MESSAGE, { ...MESSAGE, id: "4", mine: true }]),
    search: took("search", []),
    sticker: took("sticker", receipt),
    threadCreate: took("threadCreate", { ...TO, threadId: "t9" }),
    threads: took("threads", [{ id: "t9", name: "News", kind: "channel" as const }]),
    permissions: took("permissions", { granted: ["send"], missing: ["pin"] }),
    member: took("member", { nick: "A" }),
    directory: took("directory", [{ id: "42", name: "Ann", kind: "user" as const, note: "admin" }]),
  };
  return { account, calls };
}

function house(switches: Record<string, unknown> = {}) {
  const full = fullAccount();
  const bare: ChannelAccount = { send: full.account.send, stop: full.account.stop };
  const sent: ToSend[] = [];
  const ports: ActingPorts = {
    account({ channel }) {
      if (channel === "full") return full.account;
      if (channel === "bare") return bare;
      throw new AppError("channel_unreachable", `${channel} is not running.`);
    },
    running: () => [
      { channel: "bare", account: bare },
      { channel: "full", account: full.account },
      { channel: "full", account: full.account },
    ],
    switches: () => switches,
    async send(out) {
      sent.push(out);
      return { ids: ["77"], at: 1 };
    },
    render: (to, markdown) => ({ text: `<${to.channel}>${markdown}`, plain: markdown }),
    newKey: () => `key-${sent.length}`,
  };
  const run = (name: string, params: Record<string, unknown> = {}, to = TO) =>
    act(ports, name, to, params);
  return { ...full, bare, sent, ports, run };
}

const failed = async (work: Promise<unknown>): Promise<AppError> => {
  const cause = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(cause).toBeInstanceOf(AppError);
  return cause as AppError;
};

/** The least that each action takes. */
const LEAST: Record<keyof typeof ACTIONS, Record<string, unknown>> = {
  send: { message: "x" },
  poll: { pollQuestion: "Why?", pollOption: ["a", "b"] },
  react: { messageId: "5", emoji: "👍" },
  reactions: { messageId: "5" },
  read: {},
  edit: { messageId: "5", message: "*x*" },
  delete: { messageId: "5" },
  pin: { messageId: "5" },
  unpin: { messageId: "5" },
  "list-pins": {},
  permissions: {},
  "thread-create": { threadName: "News" },
  "thread-list": {},
  "thread-reply": { threadId: "t9", message: "x" },
  search: { query: "x" },
  sticker: { stickerId: "s1" },
  "member-info": { userId: "42" },
  "channel-list": {},
};

describe("every action", () => {
  for (const [name, params] of Object.entries(LEAST))
    test(`${name} says what it did, and is off when its switch is`, async () => {
      const { run } = house();
      const done = await run(name, params);
      expect(done.action as string).toBe(name);
      expect(done.text.length).toBeGreaterThan(3);
      const { switches } = ACTIONS[name as keyof typeof ACTIONS];
      expect(switches.length).toBeGreaterThan(0);
      for (const key of switches) {
        const off = house({ [key]: false });
        const error = await failed(off.run(name, params));
        expect(error.code).toBe("forbidden");
        expect(error.hint).toContain(`channels.full.actions.${key}`);
        expect([...off.calls, ...off.sent]).toEqual([]);
      }
    });

  test("that a channel lacks names those that have it", async () => {
    const { run, calls } = house();
    const bare = { ...TO, channel: "bare" };
    for (const [name, params] of Object.entries(LEAST)) {
      if (ACTIONS[name as keyof typeof ACTIONS].needs === "send") continue;
      const error = await failed(run(name, params, bare));
      expect([error.code, error.message, error.hint]).toEqual([
        "bad_request",
        `bare has no ${name}.`,
        "These have: full.",
      ]);
    }
    expect(calls).toEqual([]);
  });

  test("without what it needs does nothing and says what is missing", async () => {
    const { run, calls, sent } = house();
    for (const [name, params] of Object.entries(LEAST))
      for (const key of Object.keys(params)) {
        const { [key]: _, ...rest } = params;
        if (name === "react" && key === "emoji") continue;
        const error = await failed(run(name, rest));
        expect(error.code).toBe("bad_request");
      }
    expect([...calls, ...sent]).toEqual([]);
  });

  test("but the directory wants a chat", async () => {
    const { run, calls } = house();
    const nowhere = { ...TO, chatId: "" };
    for (const [name, params] of Object.entries(LEAST))
      if (name === "channel-list") await run(name, params, nowhere);
      else expect((await failed(run(name, params, nowhere))).message).toContain("needs a chat");
    expect(calls).toHaveLength(1);
  });

  test("of an unknown name is refused with what was meant", async () => {
    const { run } = house();
    expect((await failed(run("recat"))).hint).toBe("Did you mean react?");
    expect((await failed(run("frobnicate"))).hint).toContain("One of: send, poll");
    for (const name of ["constructor", "__proto__", ""])
      expect((await failed(run(name))).message).toBe(`There is no action "${name}".`);
  });

  test("on an account that does not run throws what the account says", async () => {
    const { run } = house();
    expect((await failed(run("pin", { messageId: "5" }, { ...TO, channel: "gone" }))).code).toBe(
      "channel_unreachable",
    );
  });
});

describe("send", () => {
  test("passes the outbox with everything that belongs to it", async () => {
    const { run, sent, calls } = house();
    const media = { kind: "image", mime: "image/png", data: "AA==" };
    const done = await run("send", {
      message: "*hi*",
      media: [media],
      buttons: [
        [{ text: "Yes", data: "y" }, { text: "No", callback_data: "n" }, { text: "Maybe" }],
      ],
      silent: true,
      replyTo: 9,
      threadId: "t2",
      key: "k1",
    });
    expect(sent).toEqual([
      {
        key: "k1",
        to: { ...TO, threadId: "t2", replyToId: "9" },
        text: "*hi*",
        media: [media as never],
        buttons: [
          [
            { text: "Yes", data: "y" },
            { text: "No", data: "n" },
            { text: "Maybe", data: "Maybe" },
          ],
        ],
        silent: true,
      },
    ]);
    expect(done).toMatchObject({ result: { ids: ["77"] }, text: "Sent as 77." });
    expect(calls).toEqual([]);
  });

  test("that is not confirmed yet says so, so that it is not sent twice", async () => {
    const { ports } = house();
    const slow = { ...ports, send: async () => ({ ids: [], at: 1 }) };
    expect((await act(slow, "send", TO, { message: "x" })).text).toContain("Do not send it again");
  });

  test("of nothing is refused, and every message has a key of its own", async () => {
    const { run, sent } = house();
    expect((await failed(run("send", { message: " " }))).message).toContain("nothing to send");
    expect((await failed(run("send", { media: [{ path: "/etc/passwd" }] }))).code).toBe(
      "bad_request",
    );
    await run("send", { text: "a" });
    await run("reply", { message: "b" });
    expect(sent.map(({ key, text }) => [key, text])).toEqual([
      ["key-0", "a"],
      ["key-1", "b"],
    ]);
  });
});

describe("what the account is asked", () => {
  test("an edit is rendered for the channel", async () => {
    const { run, calls } = house();
    await run("edit", { messageId: 5, message: "*x*" });
    expect(calls).toEqual([["edit", TO, "5", { text: "<full>*x*", plain: "*x*" }]]);
  });

  test("a poll of the RPC and one of the tool are the same", async () => {
    const { run, calls } = house();
    await run("poll", {
      question: "Why?",
      options: ["a", "b", "c"],
      maxSelections: 9,
      durationHours: 2,
    });
    await run("poll", { pollQuestion: "Why?", pollOption: ["a", "b", "c"], pollMulti: true });
    const poll = { question: "Why?", options: ["a", "b", "c"], maxSelections: 3 };
    expect(calls).toEqual([
      ["poll", TO, { ...poll, durationHours: 2 }],
      ["poll", TO, poll],
    ]);
    const { result } = await run("poll", { pollQuestion: "?", pollOption: ["a", "b"] });
    expect(result).toEqual({ ids: ["77"], at: 1, pollId: "p1" });
    expect((await failed(run("poll", { pollQuestion: "?", pollOption: ["a"] }))).code).toBe(
      "bad_request",
    );
  });

  test("a reaction is put, and taken away with remove or without an emoji", async () => {
    const { run, calls } = house();
    expect((await run("react", { messageId: "5", emoji: "👍" })).text).toBe("Reacted with 👍.");
    const by = { messageId: "5", emoji: "👍", remove: true, participant: "9", fromMe: true };
    expect((await run("react", by)).text).toBe("Reaction removed.");
    await run("react", { messageId: "5" });
    expect(calls).toEqual([
      ["react", TO, "5", "👍", {}],
      ["react", TO, "5", "", { id: "9", mine: true }],
      ["react", TO, "5", "", {}],
    ]);
  });

  test("reading is bounded, and says who wrote what", async () => {
    const { run, calls } = house();
    const { text } = await run("read", { limit: "5", before: 9 });
    expect(text).toBe("[5] 2026-11-20T08:17 Ann: hi <a.pdf>\n[4] 2026-11-20T08:17 you: hi <a.pdf>");
    expect(calls).toEqual([["read", TO, { limit: 5, before: "9" }]]);
    expect((await failed(run("read", { limit: 101 }))).code).toBe("bad_request");
    expect((await failed(run("search", { query: "x", limit: 26 }))).code).toBe("bad_request");
    await run("search", { query: "x", authorId: 42 });
    expect(calls.at(-1)).toEqual(["search", TO, { text: "x", limit: 10, authorIds: ["42"] }]);
  });

  test("a thread may begin with a message, which goes into it", async () => {
    const { run, calls, sent } = house();
    const done = await run("thread-create", {
      threadName: "News",
      autoArchiveMin: 60,
      message: "first",
    });
    expect(calls).toEqual([["threadCreate", TO, { name: "News", archiveMinutes: 60 }]]);
    expect(sent[0]).toMatchObject({ to: { threadId: "t9" }, text: "first" });
    expect(done.text).toBe("Thread t9 is there.");
  });

  test("foreign parameters reach nobody", async () => {
    const { run, calls } = house();
    await run("pin", { messageId: "5", to: "x", evil: 1 });
    const hidden = JSON.parse('{"__proto__":{"messageId":"6"}}') as Record<string, unknown>;
    expect((await failed(run("pin", hidden))).code).toBe("bad_request");
    expect(calls).toEqual([["pin", TO, "5"]]);
  });
});

test("capabilities are what is there, and actions what is there and on", () => {
  const { account, bare } = house();
  expect(capabilitiesOf(bare)).toEqual(["send"]);
  const all = capabilitiesOf(account);
  expect(all).toContain("typing");
  // Every action's need is among the capabilities of an account that has everything.
  for (const { needs } of Object.values(ACTIONS)) expect(all).toContain(needs);
  expect(actionsOf(bare, {})).toEqual(["send", "thread-reply"]);
  expect(actionsOf(account, {})).toEqual(Object.keys(ACTIONS) as never);
  expect(actionsOf(account, { reactions: false, sticker: false })).not.toContain("react");
});
