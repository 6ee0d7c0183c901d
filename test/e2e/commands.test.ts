/** Slash commands where the operators are: the browser's conversation and the terminal. */
import { expect, test } from "bun:test";

import { emptyHome, runCli, startGatewayProcess } from "./binary.ts";

test("a command typed into the browser is answered at once, and stands in the conversation", async () => {
  const home = emptyHome();
  const gateway = await startGatewayProcess(home);
  const finals: string[] = [];
  const ended = Promise.withResolvers<void>();
  const client = gateway.client({
    onEvent({ event, payload }) {
      const { state, runId, message } = (payload ?? {}) as {
        state?: string;
        runId?: string;
        message?: { content: { text: string }[] };
      };
      if (event !== "chat" || state !== "final" || runId !== "command-1") return;
      finals.push(message!.content[0]!.text);
      ended.resolve();
    },
  });
  await client.connect();
  const send = () =>
    client.call("chat.send", {
      sessionKey: "main",
      message: "/help",
      idempotencyKey: "command-1",
    });
  expect(await send()).toMatchObject({ runId: "command-1", status: "started" });
  await ended.promise;
  expect(finals).toHaveLength(1);
  expect(finals[0]).toContain("/status");
  await send();
  const { messages } = await client.call("chat.history", { sessionKey: "main" });
  expect(JSON.stringify(messages).match(/\/help/g)!.length).toBeGreaterThan(0);
  expect(messages).toHaveLength(2);
  client.close();
  const told = await runCli(["agent", "--agent", "main", "-m", "/status"], { home });
  expect(told.code).toBe(0);
  expect(told.stdout).toMatch(/model/i);
  await gateway.kill();
  home.remove();
});
