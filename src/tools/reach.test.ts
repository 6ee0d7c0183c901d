import { describe, expect, test } from "bun:test";

import { chat, port } from "../../test/contract/messages-port.ts";
import { AppError } from "../base/errors.ts";
import type { Address } from "../flow.ts";
import { ToolsConfig } from "./config.ts";
import { allowedTargets, type From, mayReach } from "./reach.ts";

const settings = (message: Record<string, unknown> = {}) => ToolsConfig.parse({ message }).message;
const ACROSS = "tools.message.crossContext.allowAcrossProviders";
const WITHIN = "tools.message.crossContext.allowWithinProvider";
const TARGETS = "tools.message.allowTargets";

describe("what a conversation reaches", () => {
  const here = chat("c1");
  const group: From = { here, standing: "other" };
  const owner: From = { here, standing: "owner" };
  const operator: From = { standing: "operator" };
  const config = (crossContext: Record<string, boolean>) => ({ crossContext });
  // A refusal is the setting that would allow it.
  const rows: [string, From, Address, boolean, Record<string, unknown>, true | string][] = [
    ["a group its own chat", group, here, false, {}, true],
    ["a group a thread of its own chat", group, { ...here, threadId: "t" }, false, {}, true],
    ["a group no other chat", group, chat("c2"), true, {}, TARGETS],
    [
      "a group not the same chat id at another account",
      group,
      chat("c1", "net", "two"),
      true,
      {},
      TARGETS,
    ],
    [
      "a group not the same chat id of another channel",
      group,
      chat("c1", "else"),
      true,
      {},
      TARGETS,
    ],
    [
      "a group nothing, whatever the settings for other chats",
      group,
      chat("c2"),
      true,
      config({ allowWithinProvider: true, allowAcrossProviders: true }),
      TARGETS,
    ],
    ["a group a listed chat", group, chat("c2"), false, { allowTargets: ["net:c2"] }, true],
    [
      "a group no chat beside the listed one",
      group,
      chat("c22"),
      true,
      { allowTargets: ["net:c2"] },
      TARGETS,
    ],
    [
      "a group no chat of that id elsewhere",
      group,
      chat("c2", "else"),
      true,
      { allowTargets: ["net:c2"] },
      TARGETS,
    ],
    [
      "a group a channel that is listed whole",
      group,
      chat("c9"),
      false,
      { allowTargets: ["NET:*"] },
      true,
    ],
    ["a group no directory", group, chat(""), false, {}, TARGETS],
    ["the owner a known chat", owner, chat("c2"), true, {}, true],
    ["the owner no unknown chat", owner, chat("c2"), false, {}, TARGETS],
    [
      "the owner no known chat when that is off",
      owner,
      chat("c2"),
      true,
      config({ allowWithinProvider: false }),
      WITHIN,
    ],
    [
      "the owner its own chat when that is off",
      owner,
      here,
      false,
      config({ allowWithinProvider: false }),
      true,
    ],
    ["the owner no other channel", owner, chat("c2", "else"), true, {}, ACROSS],
    [
      "the owner another channel when that is on",
      owner,
      chat("c2", "else"),
      true,
      config({ allowAcrossProviders: true }),
      true,
    ],
    [
      "the owner no unknown chat of another channel",
      owner,
      chat("c2", "else"),
      false,
      config({ allowAcrossProviders: true }),
      TARGETS,
    ],
    [
      "the owner a listed chat of another channel",
      owner,
      chat("c2", "else"),
      false,
      { allowTargets: ["else:c2"] },
      true,
    ],
    ["the owner the directory", owner, chat(""), false, {}, true],
    ["an operator a known chat", operator, chat("c2"), true, {}, true],
    ["an operator no unknown chat", operator, chat("+1555"), false, {}, TARGETS],
    ["an operator a listed chat", operator, chat("c2"), false, { allowTargets: ["net:c2"] }, true],
    [
      "an empty entry nothing",
      group,
      chat(""),
      false,
      { allowTargets: ["net:", ":", "*", "net"] },
      TARGETS,
    ],
  ];
  for (const [name, from, to, known, message, expected] of rows)
    test(name, () => {
      const { allowTargets, crossContext } = settings(message);
      const allowed = allowedTargets(allowTargets, (_, raw) => ({ chatId: raw }));
      const verdict = mayReach(from, to, known, { crossContext, allowed });
      expect(verdict.ok ? true : verdict.setting).toBe(expected);
    });

  test("an entry of the list that the channel cannot read allows nothing", () => {
    const read = allowedTargets(["net:c1", "net:!!", "net:c2"], (_, raw) => {
      if (raw === "!!") throw new AppError("bad_request", "no");
      return { chatId: raw };
    });
    expect(read).toEqual([
      { channel: "net", chatId: "c1" },
      { channel: "net", chatId: "c2" },
    ]);
  });
});

const failed = async (work: Promise<unknown>): Promise<string> => {
  const cause = await work.then(
    () => "done",
    (error: unknown) => error,
  );
  return cause instanceof AppError
    ? `${cause.code}: ${cause.message} ${cause.hint ?? ""}`
    : String(cause);
};

describe("where an action goes", () => {
  test("without a target it is the chat that is answered, with its thread and without its reply", async () => {
    const { messages, calls } = port({ here: { ...chat("c1"), threadId: "t", replyToId: "9" } });
    const done = await messages.act("pin", { messageId: "5" });
    expect(calls).toEqual([["pin", { ...chat("c1"), threadId: "t" }, { messageId: "5" }]]);
    expect(done).toEqual({
      text: "Sent as 7.",
      details: { action: "pin", to: { ...chat("c1"), threadId: "t" }, result: { ids: ["7"] } },
    });
  });

  test("a target is read by its channel: the chat's, the named one, or the one in front of it", async () => {
    const { messages, calls } = port({
      knows: ["c2"],
      message: { crossContext: { allowAcrossProviders: true, marker: { enabled: false } } },
    });
    await messages.act("send", { target: "c2/t7", message: "x" });
    await messages.act("send", { target: "c2", channel: "ELSE", message: "x" });
    await messages.act("send", { target: "else:c2", message: "x" });
    await messages.act("send", { target: "c2", accountId: "two", message: "x" });
    expect(calls.map(([, to]) => to)).toEqual([
      { ...chat("c2"), threadId: "t7" },
      chat("c2", "else"),
      chat("c2", "else"),
      chat("c2", "net", "two"),
    ]);
  });

  test("what cannot be told is asked for", async () => {
    const operator = port({ here: undefined, standing: "operator" });
    expect(await failed(operator.messages.act("send", { target: "c2", message: "x" }))).toContain(
      "Channel is required when multiple channels are configured: net, else",
    );
    expect(
      await failed(operator.messages.act("send", { channel: "fax", target: "c", message: "x" })),
    ).toContain("Configured: net, else.");
    expect(
      await failed(operator.messages.act("send", { channel: "net", accountId: "x", target: "c" })),
    ).toContain("There is: default, two.");
    const none = port({ here: undefined, standing: "operator", accounts: () => [] });
    expect(await failed(none.messages.act("send", { target: "c2" }))).toContain(
      "No channel is configured.",
    );
    const one = port({
      here: undefined,
      standing: "operator",
      knows: ["c2"],
      accounts: () => [{ channel: "net", account: "default" }],
    });
    await one.messages.act("send", { target: "c2", message: "x" });
    expect(one.calls[0]![1]).toEqual(chat("c2"));
    expect([...operator.calls, ...none.calls]).toEqual([]);
  });

  test("a refusal names the setting, and nothing is done", async () => {
    const { messages, calls } = port({ knows: ["c2"] });
    expect(await failed(messages.act("send", { target: "+15551234", message: "key" }))).toContain(
      TARGETS,
    );
    expect(await failed(messages.act("read", { target: "+15551234" }))).toContain(TARGETS);
    expect(await failed(messages.act("send", { target: "else:c2", message: "x" }))).toContain(
      ACROSS,
    );
    const group = port({ knows: ["c2"], standing: "other" });
    expect(await failed(group.messages.act("send", { target: "c2", message: "x" }))).toContain(
      TARGETS,
    );
    expect(await failed(group.messages.act("channel-list", { channel: "else" }))).toContain(
      TARGETS,
    );
    expect([...calls, ...group.calls]).toEqual([]);
  });

  test("a message to another chat says where it comes from", async () => {
    const first = port({ knows: ["c2"] });
    await first.messages.act("send", { target: "c2", message: "hi" });
    await first.messages.act("edit", { target: "c2", messageId: "5", message: "hi" });
    await first.messages.act("send", { message: "hi" });
    expect(first.calls.map(([, , { message }]) => message)).toEqual(["[from net] hi", "hi", "hi"]);
    const marker = { enabled: true, prefix: "<", suffix: " via {channel}>" };
    const own = port({ knows: ["c2"], message: { crossContext: { marker } } });
    await own.messages.act("send", { target: "c2", message: "hi" });
    expect(own.calls[0]![2]["message"]).toBe("<hi via net>");
    const operator = port({ here: undefined, standing: "operator", knows: ["c2"] });
    await operator.messages.act("send", { channel: "net", target: "c2", message: "hi" });
    expect(operator.calls[0]![2]["message"]).toBe("hi");
  });
});

describe("a broadcast", () => {
  test("tells of every target, and one that fails keeps no other", async () => {
    const { messages, calls } = port({
      knows: ["c2", "c3"],
      message: { crossContext: { marker: { enabled: false } } },
    });
    const done = await messages.act("broadcast", {
      targets: ["c2", "stranger", "c3", "c2"],
      message: "x",
    });
    expect(calls.map(([name, { chatId }]) => [name, chatId])).toEqual([
      ["send", "c2"],
      ["send", "c3"],
    ]);
    expect(done.text).toStartWith("Sent to 2 of 3.\nc2: sent\nstranger: ");
    expect(done.text).toContain(TARGETS);
    const blocked = await messages.act("broadcast", { targets: ["c2"], message: "fail" });
    expect(blocked.text).toBe("Sent to 0 of 1.\nc2: blocked");
  });

  test("can be switched off, wants targets, and not too many", async () => {
    const off = port({ knows: ["c2"], message: { broadcast: { enabled: false } } });
    expect(
      await failed(off.messages.act("broadcast", { targets: ["c2"], message: "x" })),
    ).toContain("tools.message.broadcast.enabled");
    const { messages, calls } = port();
    expect(await failed(messages.act("broadcast", { message: "x" }))).toContain("needs targets");
    const many = Array.from({ length: 51 }, (_, i) => `c${i}`);
    expect(await failed(messages.act("broadcast", { targets: many, message: "x" }))).toContain(
      "At most 50",
    );
    expect([...off.calls, ...calls]).toEqual([]);
  });
});
