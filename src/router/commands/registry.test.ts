import { describe, expect, test } from "bun:test";

import {
  messageOf,
  openCommands,
  type Person,
  said,
} from "../../../test/contract/command-ports.ts";

describe("a message is a command", () => {
  const group: Person = { chat: "group", mentioned: true };
  const rows: [text: string, call: { name: string; args: string } | undefined, person?: Person][] =
    [
      ["/status", { name: "status", args: "" }],
      ["  /STATUS  ", { name: "status", args: "" }],
      ["/id", { name: "whoami", args: "" }],
      ["/T high", { name: "think", args: "high" }],
      ["/model: acme/big-1 hello", { name: "model", args: "acme/big-1 hello" }],
      ["/model : acme/big-1", { name: "model", args: "acme/big-1" }],
      ["/new write\na poem", { name: "new", args: "write\na poem" }],
      ["/think\nhello", { name: "think", args: "hello" }],
      ["/unknown", undefined],
      ["/home/ann/notes.txt is broken", undefined],
      ["/status?", undefined],
      ["//status", undefined],
      ["/ status", undefined],
      ["/1", undefined],
      ["see /status", undefined],
      ["/status@other_bot", undefined],
      ["/constructor", undefined],
      ["", undefined],
      ["stop", { name: "stop", args: "" }],
      ["  ESC ", { name: "stop", args: "" }],
      ["Abort", { name: "stop", args: "" }],
      ["wait", { name: "stop", args: "" }],
      ["exit", { name: "stop", args: "" }],
      ["interrupt", { name: "stop", args: "" }],
      ["stop it", undefined],
      ["stopp", undefined],
      ["stop", undefined, { chat: "group" }],
      ["stop", undefined, { chat: "channel" }],
      ["stop", { name: "stop", args: "" }, group],
      ["/stop", { name: "stop", args: "" }, { chat: "group" }],
      ["/stop", undefined, { event: { kind: "edit", of: "m0" } }],
      ["/restart", undefined, { notes: ["forwarded from Eve (@eve), 2026-11-20"] }],
      ["/status", { name: "status", args: "" }, { notes: ["a place: 1, 2"] }],
      ["whatever", { name: "think", args: "high" }, { menu: { name: "think", args: " high " } }],
      ["whatever", undefined, { menu: { name: "nothing", args: "" } }],
    ];
  for (const [text, call, person = {}] of rows)
    test(`${JSON.stringify(text)} ${JSON.stringify(person)} is ${call ? `/${call.name}` : "none"}`, async () => {
      const { commands } = await openCommands();
      expect(commands.parse(text, messageOf(text, person))).toEqual(call!);
    });

  test("words of session.resetTriggers begin a new conversation", async () => {
    const { commands } = await openCommands({ resetTriggers: ["/new", "Fresh start", " "] });
    const parse = (text: string) => commands.parse(text, messageOf(text));
    expect(parse("fresh START")).toEqual({ name: "new", args: "" });
    expect(parse("fresh start with cheese")).toEqual({ name: "new", args: "with cheese" });
    expect(parse("fresh starter")).toBeUndefined();
    expect(parse("/new x")).toEqual({ name: "new", args: "x" });
    expect(parse("/reset")).toEqual({ name: "reset", args: "" });
  });

  test("commands.text false leaves typed commands to the model where the platform has a menu, but never a stop", async () => {
    const { commands, state } = await openCommands({ commands: { text: false } });
    const parse = (text: string, person?: Person) => commands.parse(text, messageOf(text, person));
    expect(parse("/status")).toEqual({ name: "status", args: "" });
    state.menu = true;
    expect(parse("/status")).toBeUndefined();
    expect(parse("x", { menu: { name: "status", args: "" } })).toEqual({
      name: "status",
      args: "",
    });
    expect(parse("stop")).toEqual({ name: "stop", args: "" });
    expect(parse("/stop")).toEqual({ name: "stop", args: "" });
  });
});

describe("/stop", () => {
  test("stops this conversation's turns and says how many waited", async () => {
    const { type, done, state } = await openCommands();
    expect(said(await type("/stop"))).toBe("Nothing is running here.");
    state.running = 1;
    expect(said(await type("stop"))).toBe("Stopped.");
    state.waiting = 2;
    expect(said(await type("/stop right now!"))).toBe("Stopped, and 2 waiting messages dropped.");
    expect(done).toEqual(Array.from({ length: 3 }, () => "stop agent:main:main"));
  });

  test("asks nobody but the runs, so that a store that hangs cannot keep it", async () => {
    const { type, ports, done } = await openCommands();
    const never = () => new Promise<never>(() => undefined);
    Object.assign(ports.sessions, { get: never, patch: never, reset: never });
    Object.assign(ports.models, { list: never, find: never, defaultRef: never });
    await type("/stop");
    expect(done).toEqual(["stop agent:main:main"]);
  });
});

describe("/new and /reset", () => {
  test("begin a new session id and stop what still runs for the old one", async () => {
    const { type, done, row, store } = await openCommands();
    const before = await store.sessions.ensure("agent:main:main" as never, "main", 1);
    expect(said(await type("/new"))).toBe("A new conversation. Model: `acme/big-1`");
    const after = await row();
    expect(after?.sessionId).not.toBe(before.sessionId);
    expect(done).toEqual(["stop agent:main:main"]);
    await type("/reset");
    expect((await row())?.sessionId).not.toBe(after?.sessionId);
  });

  test("with text they go on with it", async () => {
    const { type, row } = await openCommands();
    expect(said(await type("/new big plans\nfor today"))).toBe("-> big plans\nfor today");
    expect(said(await type("/reset acme/small-1 x"))).toBe("-> acme/small-1 x");
    expect((await row())?.settings.model).toBeUndefined();
  });

  test("a model's exact name, id or short name in front chooses it", async () => {
    const { type, row } = await openCommands();
    expect(said(await type("/new ACME/small-1 hello you"))).toBe("-> hello you");
    expect((await row())?.settings.model).toBe("acme/small-1");
    expect(said(await type("/new small-1"))).toBe("A new conversation. Model: `acme/small-1`");
    // The default is not written down: it may change.
    await type("/new big-1");
    expect((await row())?.settings.model).toBeUndefined();
  });
});

describe("/model", () => {
  test("shows, chooses, goes on with a message, and goes back", async () => {
    const { type, row } = await openCommands();
    expect(said(await type("/model"))).toContain("`acme/big-1` (default)");
    expect(said(await type("/model small-1"))).toBe("Model: `acme/small-1`");
    expect(said(await type("/model status"))).toContain(
      "`acme/small-1` (chosen for this conversation)",
    );
    expect(said(await type("/model list"))).toContain("`acme/small-1` (this one)");
    expect(said(await type("/model other/plain and now\n  this"))).toBe("-> and now\n  this");
    expect((await row())?.settings.model).toBe("other/plain");
    expect(said(await type("/model default"))).toBe("Model: `acme/big-1` (default)");
    expect((await row())?.settings.model).toBeUndefined();
  });

  test("a name that nothing has changes nothing and says what there is", async () => {
    const { type, row } = await openCommands();
    expect(said(await type("/model nonsense please"))).toBe(
      'There is no model "nonsense". Try big-1.',
    );
    expect(await row()).toBeUndefined();
  });

  test("/models lists by provider", async () => {
    const { type } = await openCommands();
    expect(said(await type("/models other"))).toBe(
      "Models of other, page 1 of 1:\n- `other/plain`",
    );
    expect(said(await type("/models 1")).split("\n")).toHaveLength(4);
    expect(said(await type("/models nobody"))).toContain("Providers: `acme`, `other`.");
  });
});

describe("levels", () => {
  test("are shown, kept for the conversation, and taken back", async () => {
    const { type, row } = await openCommands();
    expect(said(await type("/think"))).toBe(
      "Thinking: low (default). Choose off, minimal, low, medium, high, xhigh.",
    );
    expect(said(await type("/think ultra"))).toBe("Thinking: high");
    expect((await row())?.settings.thinkingLevel).toBe("high");
    expect(said(await type("/t HIGH why is that?"))).toBe("-> why is that?");
    expect(said(await type("/think default"))).toBe("Thinking: low (default)");
    expect((await row())?.settings.thinkingLevel).toBeUndefined();
    expect(said(await type("/v on"))).toBe("Tool calls: on");
    expect(said(await type("/reason stream"))).toBe("Thoughts: stream");
    expect((await row())?.settings).toEqual({ verboseLevel: "on", reasoningLevel: "stream" });
  });

  test("a word that is no level is neither kept nor lost", async () => {
    const { type, row } = await openCommands();
    expect(said(await type("/think hello there"))).toBe(
      "`hello` is not understood. Usage: `/think [off|minimal|low|medium|high|xhigh|default] [message]`",
    );
    expect(await row()).toBeUndefined();
  });

  test("words too many are named and nothing happens", async () => {
    const { type, row } = await openCommands();
    expect(said(await type("/status of the flight"))).toBe(
      "`of the flight` is too much. Usage: `/status`",
    );
    const person = { chat: "group" } as const;
    expect(said(await type("/activation always now", person))).toContain("`now` is too much.");
    expect(await row()).toBeUndefined();
  });

  test("a model that cannot think says so", async () => {
    const { type } = await openCommands();
    await type("/model small-1");
    expect(said(await type("/think"))).toStartWith("Thinking: off (default)");
    expect(said(await type("/status"))).toContain("Thinking: off;");
  });
});

describe("of the chat", () => {
  test("/activation works in groups only", async () => {
    const { type, row } = await openCommands();
    expect(said(await type("/activation always"))).toContain("in groups only");
    expect(await row()).toBeUndefined();
    expect(said(await type("/activation always", { chat: "group" }))).toBe(
      "I answer everything here.",
    );
    expect((await row())?.settings.groupActivation).toBe("always");
    expect(said(await type("/status", { chat: "group" }))).toContain("I answer everything.");
  });

  test("/send turns answering off and on, and shows it", async () => {
    const { type, row } = await openCommands();
    expect(said(await type("/send"))).toBe("Answering: on (default)");
    expect(said(await type("/send off"))).toContain("Answering: off");
    expect((await row())?.settings.sendPolicy).toBe("deny");
    expect(said(await type("/status"))).toContain("/send on");
    await type("/send on");
    expect((await row())?.settings.sendPolicy).toBe("allow");
    await type("/send inherit");
    expect((await row())?.settings.sendPolicy).toBeUndefined();
  });

  test("/status shows what is in force", async () => {
    const { type, state } = await openCommands();
    state.running = 1;
    state.waiting = 2;
    const text = said(await type("/status"));
    expect(text).toContain("clawdbot 1.2.3, 2026-11-20 08:17 UTC");
    expect(text).toContain("Model: `acme/big-1` (default)");
    expect(text).toContain("0 of 200,000 tokens (0 %)");
    expect(text).toContain("Now: working, 2 waiting; new messages meanwhile: steer");
  });

  test("/whoami answers anybody who may talk, with ids that cannot break out of their place", async () => {
    const { type } = await openCommands();
    const text = said(await type("/whoami", { trust: "guest", chat: "group", sender: "4`2\n# x" }));
    expect(text).toContain("Your id: `4'2 # x`");
    expect(text).toContain("This chat: `c1`");
    expect(text).toContain("you are on no list");
  });
});

describe("of the owner", () => {
  test("/pair shows who waits, lets in and dismisses, from any chat", async () => {
    const { type, done } = await openCommands();
    const list = said(await type("/pair", { chat: "group" }));
    expect(list).toContain(
      "- `ABCD2345` testnet, id `99`, calls itself Mal'lory let me in, 5m ago",
    );
    expect(said(await type("/pair approve abcd2345"))).toBe(
      "`99` of testnet may write now, and is told so.",
    );
    expect(said(await type("/pair approve WRONG"))).toContain("Nobody waits with `WRONG`.");
    expect(said(await type("/pair reject ABCD2345"))).toBe("Dismissed.");
    expect(said(await type("/pair approve"))).toBe("Which code? `/pair approve <code>`");
    expect(done).toEqual(["approve ABCD2345", "approve WRONG", "dismiss ABCD2345"]);
  });

  test("/allowlist shows both lists and changes approvals by stable ids only", async () => {
    const { type, done } = await openCommands();
    expect(said(await type("/allowlist"))).toBe(
      "**testnet**, direct messages: pairing\nIn the config: `7`\nApproved: `8`",
    );
    expect(said(await type("/allowlist add 77"))).toBe("`77` of testnet may write now.");
    expect(said(await type("/allowlist add Other:78"))).toBe("`78` of other may write now.");
    expect(said(await type("/allowlist add @eve"))).toContain("`@eve` is no id of testnet.");
    expect(said(await type("/allowlist remove 8"))).toContain("not approved any more");
    expect(said(await type("/allowlist remove 7"))).toContain("removed there");
    expect(said(await type("/allowlist add"))).toContain("Whom?");
    expect(done).toEqual([
      "allow testnet:77",
      "allow other:78",
      "allow testnet:@eve",
      "revoke testnet:8",
      "revoke testnet:7",
    ]);
    expect(said(await type("/allowlist", { chat: "group" }))).toContain("direct message only");
  });

  test("/config masks secrets, also one that is asked for by its name", async () => {
    const { type } = await openCommands({ commands: { config: true } });
    for (const path of ["", " gateway", " gateway.auth", " gateway.auth.token"]) {
      const text = said(await type(`/config get${path}`));
      expect(text).not.toContain("very-secret");
      expect(text).toContain("REDACTED");
    }
    expect(said(await type("/config get gateway.port"))).toContain("18789");
    expect(said(await type("/config get nothing.here"))).toBe(
      "Config path not found: nothing.here",
    );
    expect(said(await type("/config", { chat: "group" }))).toContain("direct message only");
  });

  test("/config changes the config unless the channel may not", async () => {
    const { type, done, state } = await openCommands({ commands: { config: true } });
    expect(said(await type("/config set gateway.port 18790"))).toBe(
      "Changed: `gateway.port`. It counts after a restart.",
    );
    expect(said(await type('/config set agents.defaults.model "a b"'))).toContain("Changed");
    expect(said(await type("/config unset ui.x"))).toBe("It was so already.");
    expect(said(await type("/config set"))).toBe("What to set? `/config set <path> <value>`");
    state.writable = false;
    expect(said(await type("/config set gateway.port 1"))).toContain(
      "channels.testnet.configWrites",
    );
    expect(done).toEqual([
      "set gateway.port=18790",
      'set agents.defaults.model="a b"',
      "unset ui.x",
    ]);
  });

  test("/restart begins only once its answer is stored, or the message would come again for ever", async () => {
    const { type, done } = await openCommands({ commands: { restart: true } });
    const outcome = await type("/restart");
    expect(said(outcome)).toContain("Restarting");
    expect(done).toEqual([]);
    outcome?.after?.();
    expect(done).toEqual(["restart a command in a chat"]);
  });

  test("/trace tells why a message got no answer", async () => {
    const { type, store } = await openCommands();
    expect(said(await type("/trace"))).toBe("Every message was answered.");
    const inbound = { ...messageOf("hello"), id: "p7" };
    await store.inbound.accept(inbound, { kind: "drop", reason: "not_mentioned" }, "r7");
    expect(said(await type("/trace"))).toContain("- `p7` testnet, `42` (Ann)");
    const story = said(await type("/trace p7"));
    expect(story).toContain("Not answered (not_mentioned)");
    expect(story).toContain("/activation always");
    expect(said(await type("/trace nothing"))).toBe("Nothing is known of `nothing`.");
    expect(said(await type("/trace p7", { chat: "group" }))).toContain("direct message only");
  });
});
