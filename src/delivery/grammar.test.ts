import { describe, expect, test } from "bun:test";

import { parseAnswer, prefixed, prefixOf, showable, withoutThoughts } from "./grammar.ts";

const media = (answer: string) => parseAnswer(answer).media;

describe("files of an answer", () => {
  test("are lines of their own, taken out of the text", () => {
    expect(
      parseAnswer("Here:\nMEDIA:./out/a.png\nMEDIA: https://x.example/b.jpg\nDone."),
    ).toMatchObject({
      text: "Here:\nDone.",
      media: [{ path: "./out/a.png" }, { url: "https://x.example/b.jpg" }],
    });
  });
  test("may stand in quotes, backticks or brackets, and only so with spaces", () => {
    expect(media('MEDIA:"./my file.png"')).toEqual([{ path: "./my file.png" }]);
    expect(media("MEDIA:`./a.png`")).toEqual([{ path: "./a.png" }]);
    expect(media("MEDIA:(./a.png)")).toEqual([{ path: "./a.png" }]);
    expect(media("  MEDIA:./a.png ./b.png")).toEqual([{ path: "./a.png" }, { path: "./b.png" }]);
  });
  test.each([
    "MEDIA:/etc/passwd",
    "MEDIA:~/.ssh/id_rsa",
    "MEDIA:./../secret",
    "MEDIA:./a/../../secret",
    "MEDIA:./a\\..\\b",
    "MEDIA:file:///etc/passwd",
    "MEDIA:a.png",
    "MEDIA:",
    "MEDIA:./",
    "MEDIA:http://user:pw@x.example/",
    "MEDIA:data:image/png;base64,AA",
    "MEDIA:./ok.png and words",
    `MEDIA:./${"a".repeat(5000)}`,
  ])("are not this, which stays as text: %s", (line) => {
    expect(parseAnswer(line)).toMatchObject({ text: line, media: [] });
  });
  test("are not what stands in code or inside of a line", () => {
    expect(media("```\nMEDIA:./a.png\n```")).toEqual([]);
    expect(media("write MEDIA:./a.png")).toEqual([]);
  });
});

describe("tags", () => {
  test("are taken out and mean what they say; the first reply tag counts", () => {
    expect(
      parseAnswer("[[audio_as_voice]] [[reply_to: 42:7 ]]hi [[reply_to_current]]"),
    ).toMatchObject({
      text: "hi",
      voice: true,
      replyTo: "42:7",
    });
    expect(parseAnswer("[[ reply_to_current ]] hi").replyTo).toBe("current");
  });
  test("stay in code, and other brackets stay anywhere", () => {
    const text = "Write `[[reply_to_current]]` or\n```\n[[reply_to:1]]\n```\n[[wiki]]";
    expect(parseAnswer(text)).toMatchObject({ text, voice: false });
    expect(parseAnswer(text).replyTo).toBeUndefined();
  });
});

describe("thoughts", () => {
  test.each([
    ["<think>secret</think>answer", "answer"],
    ["<thinking>a <b> `code` ```x```</thinking>\nanswer", "\nanswer"],
    ["before <think>never ends", "before "],
    ["<final>answer</final>", "answer"],
    ["<THINK type='x'>a</THINK>b", "b"],
    ["write `<think>` and ```\n<think>\n```", "write `<think>` and ```\n<think>\n```"],
    ["a < think > b", "a < think > b"],
  ])("are not told: %j", (answer, told) => expect(withoutThoughts(answer)).toBe(told));
});

describe("silence", () => {
  test.each([
    "NO_REPLY",
    "  NO_REPLY\n",
    "NO_REPLY: nothing",
    "Done. NO_REPLY",
    "<think>x</think>NO_REPLY",
  ])("%j", (answer) => expect(parseAnswer(answer)).toMatchObject({ silent: true, text: "" }));
  test.each(["NO_REPLYING", "I answer NO_REPLY when I must", "no_reply"])("not %j", (answer) =>
    expect(parseAnswer(answer)).toMatchObject({ silent: false, text: answer }),
  );
  test("sends files all the same", () => {
    expect(parseAnswer("MEDIA:./a.png\nNO_REPLY")).toMatchObject({
      silent: true,
      media: [{ path: "./a.png" }],
    });
  });
  test("a heartbeat's word at an end is left out", () => {
    expect(parseAnswer("All well. HEARTBEAT_OK").text).toBe("All well.");
    expect(parseAnswer("HEARTBEAT_OK").text).toBe("");
    expect(parseAnswer("HEARTBEAT_OKAY").text).toBe("HEARTBEAT_OKAY");
  });
});

describe("of an unfinished answer", () => {
  test.each([
    ["Hel", ""],
    ["Hello wor", "Hello"],
    ["NO", ""],
    ["NO_REPLY ", ""],
    ["NO prob", ""],
    ["NO problem with", "NO problem"],
    ["Your key is sk-ant-123", "Your key is"],
    ["a [[reply_to: 4", "a"],
    ["a\nMEDIA: ./b", "a"],
    ["<think>hm, well ", ""],
    ["HEARTBEAT_OK ", ""],
  ])("%j shows %j", (sofar, shown) => expect(showable(sofar)).toBe(shown));
});

describe("the prefix of answers", () => {
  test("knows the model and the agent, and leaves unknown variables", () => {
    const names = {
      model: "claude-opus-4-5-20251101",
      provider: "anthropic",
      thinking: "low",
      identity: "Molly",
    };
    expect(prefixOf("[{model}|{modelFull}|{provider}|{think}|{identityName}|{x}]", names)).toBe(
      "[claude-opus-4-5|anthropic/claude-opus-4-5-20251101|anthropic|low|Molly|{x}]",
    );
    expect(prefixOf("auto", names)).toBe("[Molly]");
    expect(prefixOf("auto", {})).toBe("");
    expect(prefixOf(undefined, names)).toBe("");
  });
  test("is not put before itself", () => {
    expect(prefixed("[M]", "hi")).toBe("[M] hi");
    expect(prefixed("[M]", "[M] hi")).toBe("[M] hi");
    expect(prefixed("M:\n", "hi")).toBe("M:\nhi");
    expect(prefixed("", "hi")).toBe("hi");
  });
});
