/** The message tool's port with the real policy, and a world that writes down what it was asked. */
import { AppError } from "../../src/base/errors.ts";
import type { Address } from "../../src/flow.ts";
import { ToolsConfig } from "../../src/tools/config.ts";
import { type MessagesDeps, messagesFor } from "../../src/tools/reach.ts";

export const chat = (chatId: string, channel = "net", account = "default"): Address => ({
  channel,
  account,
  chatId,
});

export function port(
  options: Partial<MessagesDeps> & {
    known?: never;
    knows?: string[];
    message?: Record<string, unknown>;
  } = {},
) {
  const { knows = [], message: config = {}, ...rest } = options;
  const calls: [string, Address, Record<string, unknown>][] = [];
  const attached: { name: string; bytes: string; as?: string }[] = [];
  const deps: MessagesDeps = {
    here: chat("c1"),
    standing: "owner",
    config: () => ToolsConfig.parse({ message: config }).message,
    accounts: () => [
      { channel: "net", account: "default" },
      { channel: "net", account: "two" },
      { channel: "else", account: "default" },
    ],
    target(_, raw) {
      if (!/^[\w+-]+(?:\/\w+)?$/.test(raw)) throw new AppError("bad_request", `${raw} is no chat.`);
      const [chatId = "", threadId] = raw.split("/");
      return { chatId, ...(threadId && { threadId }) };
    },
    known: async ({ chatId }) => knows.includes(chatId),
    async act(name, to, params) {
      calls.push([name, to, params]);
      if (params["message"] === "fail") throw new AppError("channel_rejected", "blocked");
      return { action: name, result: { ids: ["7"] }, text: "Sent as 7." };
    },
    async attach(data, { name, as }) {
      attached.push({
        name,
        bytes: await new Response(data as Uint8Array<ArrayBuffer>).text(),
        ...(as && { as }),
      });
      return { kind: "file", mime: "text/plain", file: `outbound/${name}` };
    },
    ...rest,
  };
  const messages = messagesFor(deps);
  return { messages, calls, attached };
}
