import { describe, expect, test } from "bun:test";

import { AppError } from "../../src/base/errors.ts";
import type { ChannelAccount } from "../../src/channels/channel.ts";
import { PREVIEWS } from "../../src/delivery/kept.ts";
import { Live } from "../../src/delivery/live.ts";
import type { LiveSettings, Run, RunEnd } from "../../src/delivery/run.ts";
import type { Target } from "../../src/delivery/target.ts";
import type { Outbound, TurnEvent } from "../../src/flow.ts";
import { breathe, chat, setUp } from "./delivery-rig.ts";
import { ended, inbound, quiet, said } from "./house.ts";

const settings: LiveSettings = {
  typing: "never",
  typingEveryMs: 6_000,
  stream: "partial",
  draft: { minChars: 20, maxChars: 80, prefer: "paragraph" },
};
const blocks = {
  minChars: 20,
  maxChars: 60,
  prefer: "paragraph" as const,
  coalesce: { minChars: 1, maxChars: 100, idleMs: 1_000 },
  at: "text_end" as const,
};

const SECRET = "sk-very-secret-value";

/** A platform that notes what it is asked, in order. `fail` is asked before each call. */
async function setLive(
  over: Partial<LiveSettings> = {},
  how: {
    target?: Partial<Target>;
    chat?: "dm" | "group";
    attempt?: number;
    without?: (keyof ChannelAccount)[];
  } = {},
) {
  const calls: string[] = [];
  let fail: (call: string) => AppError | undefined = () => undefined;
  let gate: Promise<void> | undefined;
  const note = async (call: string) => {
    await gate;
    const error = fail(call);
    if (error) throw error;
    calls.push(call);
  };
  let sent = 0;
  const send = async (out: Outbound) => {
    await note(out.edits === undefined ? `send ${out.text}` : `edit ${out.edits} ${out.text}`);
    return `${out.edits ?? ++sent}`;
  };
  const rig = await setUp({
    send,
    target: { limits: { text: 1_000 }, ...how.target },
    redact: (text) => text.replaceAll(SECRET, "***"),
  });
  const account: Partial<ChannelAccount> = {
    send: async (out) => ({ ids: [await send(out)], at: 0 }),
    edit: (_, id, { text }) => note(`edit ${id} ${text}`),
    remove: (_, id) => note(`remove ${id}`),
    react: (_, id, emoji) => note(`react ${id} ${emoji || "none"}`),
    typing: () => note("typing"),
  };
  for (const name of how.without ?? []) delete account[name];
  const live = new Live({
    store: rig.store,
    clock: rig.time.clock,
    log: quiet,
    delivery: rig.delivery,
    account: () => account as ChannelAccount,
    settings: () => ({ ...settings, ...over }),
    redact: (text) => text.replaceAll(SECRET, "***"),
    random: () => 0.5,
  });
  const run: Run = {
    runId: "r",
    attempt: how.attempt ?? 1,
    agentId: "main",
    reply: chat("1"),
    inbound: inbound("hi", { id: "42", chat: how.chat ?? "dm", from: chat("1") }),
  };
  const watch = (event: TurnEvent) => live.watch(run, event);
  return {
    ...rig,
    live,
    run,
    calls,
    watch,
    failWith: (next: typeof fail) => void (fail = next),
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return () => {
        gate = undefined;
        resolve();
      };
    },
    says: (text: string) => watch({ type: "text", delta: text }),
    async passes(ms: number) {
      await breathe();
      rig.time.advance(ms);
      await breathe();
    },
    /** As the pipeline does it: rows and the end in one unit, then delivery. */
    async ends(end: Partial<RunEnd> = {}) {
      const rows = live.finalRows(run, { status: "ok", text: "", ...end });
      await rig.store.outbox.put(rows, rig.time.clock.now());
      watch(ended(end.status ?? "ok"));
      rig.delivery.wake();
      await breathe();
      await rig.delivery.settled();
      return rows;
    },
  };
}

describe("a preview", () => {
  test("is sent with the first words, changed as they come, and becomes the answer", async () => {
    const { says, passes, ends, calls, store } = await setLive();
    says("Hello there, ");
    await passes(500);
    says("this is mo");
    await passes(1_000);
    says("re text");
    await ends({ text: "Hello there, this is more text" });
    expect(calls).toEqual([
      "send Hello there,",
      "edit 1 Hello there, this is",
      "edit 1 Hello there, this is more text",
    ]);
    expect(await store.kv.keys(PREVIEWS, "")).toEqual([]);
  });

  test("is not made for an answer that is there at once", async () => {
    const { says, passes, ends, calls } = await setLive();
    says("Hello there, ");
    await passes(499);
    await ends({ text: "Hello there, you" });
    expect(calls).toEqual(["send Hello there, you"]);
  });

  test("changes at most once a second, in groups every three", async () => {
    for (const [kind, ms] of [
      ["dm", 1_000],
      ["group", 3_000],
    ] as const) {
      const { says, passes, calls } = await setLive({}, { chat: kind });
      says("one ");
      await passes(500);
      says("two ");
      await passes(ms - 1);
      expect(calls).toEqual(["send one"]);
      await passes(1);
      expect(calls).toEqual(["send one", "edit 1 one two"]);
    }
  });

  test("never shows the word for silence, half a secret, thoughts, or the name of a file", async () => {
    const { says, passes, calls } = await setLive();
    says("NO_REP");
    await passes(500);
    says("LY ");
    await passes(1_000);
    expect(calls).toEqual([]);
    const other = await setLive();
    other.says(`<think>well</think>The key is ${SECRET.slice(0, 12)}`);
    await other.passes(500);
    other.says(`${SECRET.slice(12)} as you see\nMEDIA:./a`);
    await other.passes(1_000);
    expect(other.calls).toEqual(["send The key is", "edit 1 The key is *** as you see"]);
  });

  test("is taken away when there is nothing to say after all", async () => {
    const { says, passes, ends, calls, store } = await setLive();
    says("Let me think about ");
    await passes(500);
    const rows = await ends({ text: "Hm. NO_REPLY" });
    await breathe();
    expect(rows).toEqual([]);
    expect(calls).toEqual(["send Let me think about", "remove 1"]);
    expect(await store.kv.keys(PREVIEWS, "")).toEqual([]);
  });

  test("that is on its way is waited for, so that the answer stands in its place and not beside it", async () => {
    const { says, passes, live, run, store, delivery, time, calls, hold } = await setLive();
    const release = hold();
    says("Hello there, ");
    await passes(500);
    await store.outbox.put(
      live.finalRows(run, { status: "ok", text: "Hello there, you" }),
      time.clock.now(),
    );
    delivery.wake();
    await breathe();
    expect(calls).toEqual([]);
    release();
    await breathe();
    await delivery.settled();
    expect(calls).toEqual(["send Hello there,", "edit 1 Hello there, you"]);
  });

  test("that hangs does not hold up the answer for ever", async () => {
    const { says, passes, ends, calls, hold, time, live, run, store, delivery } = await setLive();
    hold();
    says("Hello there, ");
    await passes(500);
    await store.outbox.put(live.finalRows(run, { status: "ok", text: "x" }), time.clock.now());
    delivery.wake();
    await passes(15_000);
    expect((await store.outbox.get("r:0"))!.state).toBe("sending");
    // Another preview would stand before what is on its way.
    expect(delivery.blocked(run.reply)).toBe(true);
    void [ends, calls];
  });

  test("is found again after a crash, and the answer takes its place", async () => {
    const { says, passes, ends, calls, store } = await setLive({}, { attempt: 2 });
    await store.kv.set(PREVIEWS, "r", { to: chat("1"), id: "9" });
    says("Again from the start ");
    await passes(500);
    await ends({ text: "Again from the start it is" });
    expect(calls).toEqual(["edit 9 Again from the start", "edit 9 Again from the start it is"]);
  });

  test("of a run that was ended otherwise is taken away at the next start, but never an answer", async () => {
    const { live, store, time, calls } = await setLive();
    await store.kv.set(PREVIEWS, "over", { to: chat("1"), id: "7" });
    await store.kv.set(PREVIEWS, "answered", { to: chat("1"), id: "8" });
    await store.outbox.put([{ key: "answered:0", to: chat("1"), text: "x" }], time.clock.now());
    await store.outbox.sending("answered:0");
    await store.outbox.delivered("answered:0", { ids: ["8"], at: 0 });
    await live.recover();
    await breathe();
    expect(calls).toEqual(["remove 7"]);
    expect(await store.kv.keys(PREVIEWS, "")).toEqual([]);
  });

  test("of a failed run keeps what was to be read and says what went wrong; without one there is a message", async () => {
    const { says, passes, ends, calls } = await setLive();
    says("The answer is ");
    await passes(500);
    const error = new AppError("provider_timeout", "socket at /home/x hung up: stack");
    await ends({ status: "error", error });
    expect(calls[1]).toMatch(
      /^edit 1 The answer is\n\n⚠️ I could not answer: the model's provider did not answer\. Send it again/,
    );
    const other = await setLive();
    await other.ends({ status: "error", error });
    expect(other.calls).toEqual([expect.stringMatching(/^send ⚠️ I could not answer/)]);
    expect([...calls, ...other.calls].join()).not.toContain("/home");
  });

  test("of a run that was stopped says so, and without one there is nothing", async () => {
    const { says, passes, ends, calls } = await setLive();
    says("The answer is ");
    await passes(500);
    await ends({ status: "aborted" });
    expect(calls[1]).toBe("edit 1 The answer is\n\n_Stopped._");
    const other = await setLive();
    await other.ends({ status: "aborted" });
    expect(other.calls).toEqual([]);
  });

  test("waits when the platform is busy, and then longer between two changes", async () => {
    const { says, passes, calls, failWith } = await setLive();
    says("one ");
    await passes(500);
    failWith(() => new AppError("channel_unreachable", "slow", { retryAfterMs: 5_000 }));
    says("two ");
    await passes(1_000);
    failWith(() => undefined);
    await passes(4_999);
    expect(calls).toEqual(["send one"]);
    await passes(1);
    says("three ");
    await passes(1_000);
    expect(calls).toEqual(["send one", "edit 1 one two"]);
    await passes(1_000);
    expect(calls).toHaveLength(3);
  });

  test("is not tried where messages cannot be changed, where it is off, or where an earlier answer waits", async () => {
    for (const rig of [
      await setLive({}, { without: ["edit"] }),
      await setLive({ stream: "off" }),
      await setLive({}, { target: { transcript: true } }),
    ]) {
      rig.says("one two ");
      await rig.passes(5_000);
      expect(rig.calls).toEqual([]);
    }
    const rig = await setLive();
    rig.failWith(() => new AppError("channel_unreachable", "slow", { retryAfterMs: 60_000 }));
    await rig.put(chat("1"), "earlier");
    rig.delivery.wake();
    await breathe();
    rig.failWith(() => undefined);
    rig.says("one two ");
    await rig.passes(5_000);
    expect(rig.calls).toEqual([]);
  });

  test("begins anew when the model does, and between tools shows what is said now", async () => {
    const { says, passes, watch, calls } = await setLive();
    says("wrong way ");
    await passes(500);
    watch({ type: "restart" });
    says("right way ");
    await passes(1_000);
    expect(calls).toEqual(["send wrong way", "edit 1 right way"]);
  });

  test("by paragraphs changes with whole ones only", async () => {
    const { says, passes, calls } = await setLive({ stream: "block" });
    says("A first paragraph of some length.\n\nA sec");
    await passes(500);
    says("ond one ");
    await passes(1_000);
    expect(calls).toEqual(["send A first paragraph of some length."]);
  });
});

describe("block by block", () => {
  const text =
    "A first paragraph of some length.\n\nA second one that is longer still, as it is.\n\nThe end.";

  test("paragraphs are sent as they are written, and at the end only the rest", async () => {
    const { says, passes, ends, calls } = await setLive({ blocks });
    for (const piece of text.match(/.{1,7}/gs)!) {
      says(piece);
      await breathe();
    }
    await passes(1_000);
    expect(calls).toEqual([
      "send A first paragraph of some length.",
      "send A second one that is longer still, as it is.",
    ]);
    const rows = await ends({ text });
    expect(rows.map(({ key, text: rest, to }) => [key, rest, to.replyToId])).toEqual([
      ["r:0", "The end.", undefined],
    ]);
    expect(calls.at(-1)).toBe("send The end.");
  });

  test("no block ends inside of a code fence", async () => {
    const code = `Some words before the code here:\n\n\`\`\`ts\n${"line();\n\n".repeat(20)}\`\`\`\n\nAfter it.`;
    const { says, passes, ends, texts } = await setLive({ blocks });
    for (const piece of code.match(/.{1,9}/gs)!) says(piece);
    await passes(2_000);
    await ends({ text: code });
    for (const out of texts()) expect(out.match(/^```/gm)?.length ?? 0).toBeOneOf([0, 2]);
    expect(texts().join("\n\n")).toBe(code);
  });

  test("what the store has not confirmed goes with the rest, and nothing is there twice", async () => {
    const { says, passes, live, run, store, delivery, time, calls } = await setLive({ blocks });
    const { put } = store.outbox;
    store.outbox.put = () => Promise.reject(new AppError("disk_full", "full"));
    for (const piece of text.match(/.{1,7}/gs)!) says(piece);
    await passes(1_000);
    store.outbox.put = put;
    const rows = live.finalRows(run, { status: "ok", text });
    expect(rows.map(({ key }) => key)).toEqual(["r:1:b0", "r:1:b1", "r:0"]);
    await store.outbox.put(rows, time.clock.now());
    await store.outbox.put(rows, time.clock.now());
    delivery.wake();
    await delivery.settled();
    expect(calls).toHaveLength(3);
  });

  test("another answer than the one that was written is sent whole", async () => {
    const { says, passes, ends, calls } = await setLive({ blocks });
    for (const piece of text.match(/.{1,7}/gs)!) says(piece);
    await passes(1_000);
    await ends({ text: "Something else." });
    expect(calls.at(-1)).toBe("send Something else.");
  });

  test("what is said before a tool is sent then", async () => {
    const { says, watch, passes, ends, calls } = await setLive({ blocks });
    says("I look into it.");
    const message = said("I look into it.");
    if (message.type === "message")
      message.message.blocks.push({ type: "tool_call", id: "t", name: "read", args: {} });
    watch(message);
    await passes(0);
    says("Found.");
    await ends({ text: "Found." });
    expect(calls).toEqual(["send I look into it.", "send Found."]);
  });

  test("blocks come as a person would send them, in order", async () => {
    const { says, passes, ends, calls } = await setLive({
      blocks: { ...blocks, delay: { minMs: 1_000, maxMs: 3_000 } },
    });
    for (const piece of text.match(/.{1,7}/gs)!) says(piece);
    await passes(1_000);
    expect(calls).toHaveLength(1);
    await ends({ text });
    expect(calls).toHaveLength(1);
    await passes(2_000);
    expect(calls).toEqual([
      "send A first paragraph of some length.",
      "send A second one that is longer still, as it is.",
      "send The end.",
    ]);
  });

  test("a secret is masked in every block, and the rest is found all the same", async () => {
    const secret = `The key is ${SECRET} as you can see.\n\nAnd that was all of it.`;
    const { says, passes, ends, calls } = await setLive({ blocks });
    for (const piece of secret.match(/.{1,7}/gs)!) says(piece);
    await passes(1_000);
    await ends({ text: secret });
    expect(calls).toEqual(["send The key is *** as you can see.", "send And that was all of it."]);
  });
});

describe("typing", () => {
  const mode = (typing: LiveSettings["typing"], how = {}) =>
    setLive({ typing, stream: "off" }, how);

  test("is kept alive every six seconds until the answer, two minutes at most", async () => {
    const { live, run, passes, ends, calls } = await mode("instant");
    live.accepted(run);
    await passes(6_000);
    await passes(6_000);
    expect(calls).toEqual(["typing", "typing", "typing"]);
    for (let i = 0; i < 40; i++) await passes(6_000);
    expect(calls).toHaveLength(20);
    await ends({ text: "NO_REPLY" });
    live.accepted(run);
    await breathe();
    expect(calls).toHaveLength(21);
    await ends({ text: "NO_REPLY" });
    await passes(60_000);
    expect(calls).toHaveLength(21);
  });

  test.each([
    ["never", 0, 0, 0],
    ["instant", 1, 1, 1],
    ["thinking", 0, 1, 1],
    ["message", 0, 0, 1],
  ] as const)(
    "in the mode %s begins with: message, thought, word",
    async (typing, accepted, thought, word) => {
      const { live, run, watch, says, calls } = await mode(typing);
      live.accepted(run);
      await breathe();
      expect(calls).toHaveLength(accepted);
      watch({ type: "thinking", delta: "hm" });
      await breathe();
      expect(calls).toHaveLength(thought);
      says("NO_REPLY ");
      await breathe();
      expect(calls).toHaveLength(thought);
      watch({ type: "restart" });
      says("Well then ");
      await breathe();
      expect(calls).toHaveLength(word);
    },
  );

  test("without a mode is at once for whoever spoke to us, and with the first word in a group", async () => {
    const direct = await mode(undefined);
    direct.live.accepted(direct.run);
    await breathe();
    expect(direct.calls).toEqual(["typing"]);
    const group = await mode(undefined, { chat: "group" });
    group.run.inbound.mentioned = false;
    group.live.accepted(group.run);
    await breathe();
    expect(group.calls).toEqual([]);
  });

  test("that the platform refuses changes nothing", async () => {
    const { live, run, passes, ends, calls, failWith } = await mode("instant");
    failWith((call) => (call === "typing" ? new AppError("channel_rejected", "no") : undefined));
    live.accepted(run);
    await passes(60_000);
    await ends({ text: "hello" });
    expect(calls).toEqual(["send hello"]);
  });
});

describe("the reaction to what was seen", () => {
  test("comes at once and goes with the answer, if that is wanted", async () => {
    const { live, run, ends, calls } = await setLive();
    live.accepted({ ...run, ack: { emoji: "👀", remove: true } });
    live.accepted({
      ...run,
      runId: "later",
      inbound: { ...run.inbound, id: "43" },
      ack: { emoji: "👀", remove: true },
    });
    await ends({ text: "hello" });
    expect(calls.slice(0, 2)).toEqual(["react 42 👀", "react 43 👀"]);
    expect(calls.slice(2).sort()).toEqual(["react 42 none", "send hello"]);
    live.ended(["later"], run.reply);
    await breathe();
    expect(calls.at(-1)).toBe("react 43 none");
  });

  test("that fails, or a channel that has none, stops nobody", async () => {
    const { live, run, ends, calls, failWith } = await setLive();
    failWith((call) =>
      call.startsWith("react") ? new AppError("channel_rejected", "no") : undefined,
    );
    live.accepted({ ...run, ack: { emoji: "👀", remove: true } });
    await ends({ text: "hello" });
    const other = await setLive({}, { without: ["react"] });
    other.live.accepted({ ...other.run, ack: { emoji: "👀", remove: false } });
    await other.ends({ text: "hello" });
    expect([calls, other.calls]).toEqual([["send hello"], ["send hello"]]);
  });
});
