/** Everything around the terminal UI under test: a home, a gateway, and a model whose answers the test writes. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { startAnthropic } from "../fakes/anthropic.ts";
import type { ModelServer, Script } from "../fakes/model-server.ts";
import { emptyHome, type Home, type Running, startGatewayProcess } from "./binary.ts";
import { openTui, type Tui } from "./tui.ts";

export type Rig = {
  home: Home;
  model: ModelServer;
  gateway: Running;
  /** Answers by a word of the newest message; any other is repeated. */
  answers: Map<string, Script>;
  /** What is said behind the result of a tool. */
  afterTools: string;
  open(args?: string[], options?: Parameters<typeof openTui>[2]): Tui;
  /** Starts the gateway again, on the same state. */
  restart(): Promise<void>;
  close(): Promise<void>;
};

type Said = { role: string; content: string | { type: string; text?: string }[] };

/** Texts of the newest message of the person, without what is put beside it. */
function newest(messages: Said[]): { text: string; isResult: boolean } {
  const last = messages.at(-1);
  const parts = typeof last?.content === "string" ? [{ type: "text", text: last.content }] : [];
  const all = parts.length ? parts : ((last?.content ?? []) as { type: string; text?: string }[]);
  return {
    text: all.map((part) => part.text ?? "").join("\n"),
    isResult: all.some(({ type }) => type === "tool_result"),
  };
}

export async function openRig(): Promise<Rig> {
  const home = emptyHome();
  const answers = new Map<string, Script>();
  const model: ModelServer = await startAnthropic({
    script(request) {
      const { text, isResult } = newest(request.body["messages"] as Said[]);
      if (isResult) return { text: rig.afterTools };
      const word = [...answers.keys()].find((key) => text.includes(key));
      return word === undefined ? { text: `You said ${text.slice(0, 40)}` } : answers.get(word)!;
    },
  });
  mkdirSync(home.state, { recursive: true });
  writeFileSync(
    join(home.state, "clawdbot.json"),
    JSON.stringify({
      gateway: { mode: "local" },
      agents: {
        defaults: { model: "anthropic/claude-sonnet-4-5" },
        list: [{ id: "main", default: true }, { id: "second" }],
      },
      models: { providers: { anthropic: { baseUrl: model.url, apiKey: "sk-ant-test-key" } } },
    }),
  );
  const open = new Set<Tui>();
  const rig: Rig = {
    home,
    model,
    answers,
    afterTools: "The tool is done.",
    gateway: await startGatewayProcess(home),
    open(args = ["tui"], options) {
      const tui = openTui(args, home, options);
      open.add(tui);
      return tui;
    },
    async restart() {
      rig.gateway = await startGatewayProcess(home);
    },
    async close() {
      for (const tui of open) tui.close();
      await rig.gateway.kill("SIGKILL");
      await model.stop();
      home.remove();
    },
  };
  return rig;
}
