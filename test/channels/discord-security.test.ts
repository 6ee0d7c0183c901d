/** What strangers of a server could make of the answers to commands. */
import { expect, test } from "bun:test";

import { withDiscord } from "./discord-rig.ts";

test("an answer to a command calls nobody, however long it is (B14)", () =>
  withDiscord(
    async ({ fake, ann }) => {
      const asked = ann.slash("help", {});
      await fake.until(() => asked.texts.length === 2);
      const answers = fake.calls.filter(({ path }) => path.includes("/webhooks/"));
      expect(answers).toHaveLength(2);
      for (const { body } of answers)
        expect(body).toMatchObject({ allowed_mentions: { parse: [] } });
    },
    {
      over: {
        commands: () => [{ name: "help", description: "x", args: [] }],
        receive: async () => ({
          runId: "r",
          duplicate: false,
          answer: `@everyone ${"a".repeat(2_500)}`,
        }),
      },
    },
  ));

test("a stranger who completes an option learns its choices and reaches nobody", () => {
  const heard: unknown[] = [];
  return withDiscord(
    async ({ fake, ann, room }) => {
      const asked = ann.types("model", "name", "op", room);
      await fake.until(() => asked.answered !== undefined);
      expect(asked.answered).toBe(8);
      expect(heard).toEqual([]);
    },
    {
      over: {
        async receive(inbound) {
          heard.push(inbound);
          return { runId: "r", duplicate: false };
        },
      },
    },
  );
});
