/**
 * The same conversation for a terminal that cannot move its cursor (`TERM=dumb`, an editor's shell, a recorder): lines in, lines out, no
 * escape sequence at all.
 */
import { createInterface } from "node:readline";

import type { Cli } from "../command.ts";
import type { ChatOptions } from "./chat.ts";
import { helpText, localCommand } from "./input/local.ts";
import type { Look } from "./screen/items.ts";
import { cleanText, themeOf } from "./screen/text.ts";
import { Transcript } from "./screen/transcript.ts";
import { Talk } from "./talk/talk.ts";

/** Resolves with the exit code when the input ends or the person leaves. Throws AppError when the gateway refuses. */
export async function chatInLines(cli: Cli, { message, ...options }: ChatOptions): Promise<number> {
  const { out } = cli;
  const over = Promise.withResolvers<number>();
  const transcript = new Transcript();
  const look = (): Look => ({
    width: Math.max(20, process.stdout.columns || 80),
    theme: themeOf(false),
    unfolded: false,
  });
  const typed = new Set<string>();
  let said = "connecting";
  const show = () => {
    const { kind } = talk.state;
    if (kind !== said && kind === "waiting")
      out.note("The gateway is away; trying again. What you sent is kept.");
    if (kind !== said && kind === "connected" && said === "waiting") out.note("Connected again.");
    if (kind !== "connecting") said = kind;
    // What this terminal typed stands there already.
    const items = talk.take().filter((item) => !(item.kind === "user" && typed.delete(item.text)));
    for (const line of transcript.add(items, look())) out.line(line);
  };
  const talk = new Talk({
    ...options,
    changed: show,
    failed: over.reject,
    giveBack: (text) => out.note(`Not sent: ${cleanText(text)}`),
  });
  const lines = createInterface({ input: process.stdin, terminal: false });
  lines.on("line", (line) => {
    const local = localCommand(line);
    if (!line.trim()) return;
    if (!local) {
      typed.add(line);
      return talk.send(line);
    }
    if (local.name === "quit") return over.resolve(0);
    if (local.name === "help") return talk.explain(helpText(talk.commands));
    if (local.name === "older") return talk.tell(talk.older());
    if (local.name === "session" && local.rest) return talk.tell(talk.turnTo(local.rest));
    out.note(`/${local.name} needs a terminal that can move its cursor.`);
  });
  lines.on("close", () => over.resolve(0));
  const stop = () => {
    if (!talk.stop()) over.resolve(130);
  };
  process.on("SIGINT", stop);
  try {
    talk.start().then(() => {
      out.note("Type a message and press Enter; /help, /quit. Ctrl-C stops the answer.");
      if (message?.trim()) talk.send(message);
    }, over.reject);
    return await over.promise;
  } finally {
    process.off("SIGINT", stop);
    lines.close();
    talk.close();
    show();
    for (const { text } of talk.unsent) out.note(`Not sent: ${cleanText(text)}`);
  }
}
