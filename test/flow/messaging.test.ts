/** A message's whole way through the real parts: from a chat network through access, session, queue and model back to its chat. */
import { afterEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Recorded, Script } from "../fakes/model-server.ts";
import { openRig, type Rig } from "./messaging-rig.ts";

const rigs: Rig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.close();
});

async function open(...args: Parameters<typeof openRig>): Promise<Rig> {
  const rig = await openRig(...args);
  rigs.push(rig);
  return rig;
}

type Said = { role: string; content: string | { type: string; text?: string }[] };
const lastSaid = ({ body }: Recorded): string =>
  JSON.stringify((body.messages as Said[]).findLast(({ role }) => role === "user"));
const toolsOf = ({ body }: Recorded): string[] =>
  ((body.tools ?? []) as { name: string }[]).map(({ name }) => name);
/** An answer that comes when it is let go. */
function held(text: string): { answer: Script; letGo(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { answer: { text, before: promise }, letGo: resolve };
}

/** Texts of the bot in a chat, as they read now. */
const textsIn = ({ telegram }: Rig, chat: number): string[] =>
  [...(telegram.world.chats.get(chat)?.messages.values() ?? [])]
    .filter(({ from }) => from?.id === telegram.world.bot.id)
    .map(({ text = "" }) => text);
const until = (rig: Rig, chat: number, text: string) =>
  rig.telegram.until(() => textsIn(rig, chat).some((each) => each.includes(text)));

/** Resolves when the test is true; for what happens inside, after the last request that the fake sees. */
async function comes(test: () => boolean): Promise<void> {
  while (!test()) await new Promise((done) => setImmediate(done));
}

/** Resolves when a message waits behind a turn that runs. */
function waits({ messaging }: Rig): Promise<void> {
  const { desk } = messaging.pipeline;
  return comes(() =>
    desk.allRunning().some(({ turn }) => desk.waiting(turn.sessionKey).length === 1),
  );
}

test("two people who share the main conversation are each answered in their own chat", async () => {
  const rig = await open({ telegram: { allowFrom: [1, 2] } });
  const slow = held("to the first");
  rig.model.script((request, n) =>
    n === 1 ? slow.answer : { text: `to ${/from-\w+/.exec(lastSaid(request))?.[0]}` },
  );
  rig.telegram.person(1).text("from-one");
  await rig.model.request(1);
  rig.telegram.person(2).text("from-two");
  await rig.telegram.until(() =>
    rig.telegram.callsOf("sendChatAction").some(({ params }) => params["chat_id"] === 2),
  );
  slow.letGo();
  await until(rig, 2, "to from-two");
  expect(textsIn(rig, 1)).toEqual(["to the first"]);
  expect(textsIn(rig, 2)).toEqual(["to from-two"]);
  // One conversation: the second question was asked with the first one before it.
  expect(JSON.stringify(rig.model.requests[1]!.body.messages)).toContain("from-one");
});

test("what a guest says while the owner's turn runs is a turn of its own, without tools for files and commands", async () => {
  const rig = await open({
    telegram: { allowFrom: [1], groupPolicy: "open", groups: { "*": { requireMention: false } } },
  });
  writeFileSync(join(rig.workspace, "note.txt"), "a note");
  const release = Promise.withResolvers<void>();
  rig.model.script((_, n) =>
    n === 1
      ? { toolCalls: [{ name: "read", args: { path: "note.txt" } }], before: release.promise }
      : { text: `answer ${n}` },
  );
  const group = rig.telegram.group(-100_500);
  rig.telegram.person(1).in(group).text("the owner asks");
  await rig.model.request(1);
  rig.telegram.person(7, { username: "guest" }).in(group).text("a guest asks");
  await waits(rig);
  release.resolve();
  await until(rig, -100_500, "answer 3");
  const [first, second, third] = rig.model.requests;
  expect(toolsOf(first!)).toEqual(expect.arrayContaining(["read", "exec", "write"]));
  expect(JSON.stringify(second!.body.messages)).not.toContain("a guest asks");
  expect(lastSaid(third!)).toContain("a guest asks");
  for (const tool of ["read", "write", "edit", "exec", "process"])
    expect(toolsOf(third!)).not.toContain(tool);
  expect(textsIn(rig, -100_500)).toEqual(["answer 2", "answer 3"]);
});

test("/stop ends the turn that runs and what waits behind it, and says so", async () => {
  const rig = await open({ telegram: { allowFrom: [1] } });
  const never = held("never");
  rig.model.script((_, n) => (n === 1 ? never.answer : { text: "a new answer" }));
  const ann = rig.telegram.person(1);
  ann.text("a long task");
  await rig.model.request(1);
  ann.text("and another");
  ann.text("/stop");
  await rig.telegram.until(() => textsIn(rig, 1).length > 0);
  const [said] = textsIn(rig, 1);
  expect(said).toMatch(/stopped/i);
  await comes(() => rig.messaging.pipeline.desk.allRunning().length === 0);
  never.letGo();
  ann.text("hello again");
  await until(rig, 1, "a new answer");
  expect(textsIn(rig, 1)).toEqual([said!, "a new answer"]);
  expect((await rig.store.counts()).unfinishedTurns).toBe(0);
});

test("a model that fails leaves a sentence with what to do, and none of the provider's words", async () => {
  const rig = await open({ telegram: { allowFrom: [1] } });
  rig.model.script(() => ({
    status: 401,
    message: "invalid x-api-key sk-ant-secret",
    kind: "authentication_error",
  }));
  rig.telegram.person(1).text("hello");
  await rig.telegram.until(() => textsIn(rig, 1).length > 0);
  const [said] = textsIn(rig, 1);
  expect(said).toContain("⚠️ I could not answer: the model's provider refused the key.");
  expect(said).not.toContain("sk-ant");
});

test("a long answer is shown while it is written, and ends in the same message", async () => {
  const rig = await open({ telegram: { allowFrom: [1] } });
  const rest = Promise.withResolvers<void>();
  rig.model.reply({ text: "The first half and the second half.", until: rest.promise });
  rig.telegram.person(1).text("tell me");
  await until(rig, 1, "The first");
  expect(textsIn(rig, 1).join()).not.toContain("second half.");
  rest.resolve();
  await until(rig, 1, "The first half and the second half.");
  expect(rig.telegram.callsOf("sendMessage")).toHaveLength(1);
  expect(textsIn(rig, 1)).toEqual(["The first half and the second half."]);
  await rig.messaging.delivery.settled();
  expect(await rig.store.kv.keys("previews", "")).toEqual([]);
});

test("an end between the taking and the answering is made up for at the next start, for what waited behind it too", async () => {
  const rig = await open({ telegram: { allowFrom: [1] } });
  const never = held("never");
  rig.model.script((request, n) => {
    if (n === 1) return never.answer;
    const asked = [...lastSaid(request).matchAll(/question \d/g)].map(([text]) => text);
    return { text: `answer to ${asked.join(" and ")}` };
  });
  const ann = rig.telegram.person(1);
  ann.text("question 1");
  await rig.model.request(1);
  ann.text("question 2");
  await waits(rig);
  await rig.restart();
  await until(rig, 1, "question 2");
  expect(textsIn(rig, 1)).toEqual(["answer to question 1", "answer to question 2"]);
  expect((await rig.store.counts()).unfinishedTurns).toBe(0);
  never.letGo();
});

test("a message that comes while an answer is being finished does not take its place", async () => {
  const rig = await open({ telegram: { allowFrom: [1] } });
  const rest = Promise.withResolvers<void>();
  rig.model.script((_, n) =>
    n === 1 ? { text: "the first answer", until: rest.promise } : { text: "the second answer" },
  );
  const ann = rig.telegram.person(1);
  ann.text("one");
  await rig.model.request(1);
  ann.text("two");
  await waits(rig);
  rest.resolve();
  await until(rig, 1, "the second answer");
  expect(textsIn(rig, 1)).toEqual(["the first answer", "the second answer"]);
});

test("what a guest has used up today is known after a restart, and the owner is answered all the same (B11)", async () => {
  const rig = await open({
    telegram: { dmPolicy: "open", allowFrom: [1, "*"] },
    root: { messages: { maxTokensPerDay: 1 } },
  });
  rig.model.script((_, n) => ({ text: `answer ${n}` }));
  const guest = rig.telegram.person(7);
  guest.text("first");
  await until(rig, 7, "answer 1");
  await comes(() => rig.events.some(({ type }) => type === "end"));
  await rig.restart();
  guest.text("second");
  await until(rig, 7, "write again tomorrow");
  rig.telegram.person(1).text("and me?");
  await until(rig, 1, "answer 2");
  rig.telegram.person(1).text("once more?");
  await until(rig, 1, "answer 3");
  expect(rig.model.requests).toHaveLength(3);
});
