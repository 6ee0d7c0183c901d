import { describe, expect, test } from "bun:test";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";

import { chat, port } from "../../test/contract/messages-port.ts";
import { openBench } from "../../test/contract/tool-context.ts";
import { message } from "./message.ts";
import { runTool, toolSpec } from "./tool.ts";

describe("the tool", () => {
  test("says that nothing is set up where no network is", async () => {
    await using bench = await openBench();
    const result = await runTool(message, { action: "send", message: "x" }, bench.ctx);
    expect(result).toMatchObject({ isError: true });
    expect(result.text).toContain("clawdbot channels add");
    expect(message.needsNetwork).toBe(true);
  });

  test("sends a file of the workspace with its name, as a voice note when asked", async () => {
    await using bench = await openBench();
    await Bun.write(join(bench.ctx.workspace, "note.txt"), "the bytes");
    const { messages, calls, attached } = port();
    const args = {
      action: "send",
      path: "note.txt",
      message: "here",
      asVoice: true,
      buttons: ["Yes=y|No", "Maybe = m "],
    };
    const result = await runTool(message, args, { ...bench.ctx, messages });
    expect(result).toMatchObject({ text: "Sent as 7.", details: { action: "send" } });
    expect(attached).toEqual([{ name: "note.txt", bytes: "the bytes", as: "voice" }]);
    expect(calls[0]![2]).toEqual({
      message: "here",
      media: [{ kind: "file", mime: "text/plain", file: "outbound/note.txt" }],
      buttons: [
        [
          { text: "Yes", data: "y" },
          { text: "No", data: "No" },
        ],
        [{ text: "Maybe", data: "m" }],
      ],
    });
  });

  test("sends no file that may not be read", async () => {
    await using bench = await openBench();
    const { messages, calls, attached } = port();
    const ctx = { ...bench.ctx, messages };
    await Bun.write(join(bench.state, "secret.db"), "secret");
    await mkdir(join(bench.home, ".ssh"));
    await Bun.write(join(bench.home, ".ssh/id"), "secret");
    await symlink(join(bench.state, "secret.db"), join(bench.ctx.workspace, "link"));
    for (const media of [
      join(bench.state, "secret.db"),
      "~/.ssh/id",
      "link",
      "/proc/self/environ",
      "gone.txt",
      "https://x.test/a.png",
    ]) {
      const result = await runTool(message, { action: "send", media }, ctx);
      expect(result.isError).toBe(true);
    }
    const outside = join(bench.home, "outside.txt");
    await Bun.write(outside, "x");
    const guest = { ...ctx, workspaceOnly: true };
    expect((await runTool(message, { action: "send", media: outside }, guest)).isError).toBe(true);
    expect([...calls, ...attached]).toEqual([]);
  });

  test("hands over what the model wrote under the names that channels use", async () => {
    await using bench = await openBench();
    const { messages, calls } = port({ knows: ["c2"] });
    const ctx = { ...bench.ctx, messages };
    await runTool(message, { action: "react", message_id: 5, emoji: "👍", to: "c2" }, ctx);
    await runTool(
      message,
      { action: "poll", pollQuestion: "?", pollOption: ["a", "b"], pollDurationHours: "3" },
      ctx,
    );
    expect(calls).toEqual([
      ["react", chat("c2"), { messageId: "5", emoji: "👍" }],
      ["poll", chat("c1"), { pollQuestion: "?", pollOption: ["a", "b"], pollDurationHours: 3 }],
    ]);
  });

  test("a stopped run does not wait for a channel", async () => {
    await using bench = await openBench();
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const { messages } = port({
      act: () => {
        resolve();
        return new Promise(() => undefined);
      },
    });
    const running = runTool(message, { action: "send", message: "x" }, { ...bench.ctx, messages });
    await asked;
    bench.abort();
    expect(await running).toMatchObject({ isError: true, text: "The run was stopped." });
  });

  test("costs a model about 500 tokens", () => {
    expect(JSON.stringify(toolSpec(message)).length).toBeLessThan(2000);
  });
});
