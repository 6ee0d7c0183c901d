/** The whole gateway with a Telegram and a model of the test: what people who were let in without being named can reach. */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import { startApp } from "../../src/app.ts";
import { makeHome, NO_FLAGS } from "../config-home.ts";
import { startAnthropic } from "../fakes/anthropic.ts";
import type { Recorded, Script } from "../fakes/model-server.ts";
import { startTelegram } from "../fakes/telegram.ts";

const open: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

const OWNER = 42;
const GUEST = 666;
const KEY = "sk-ant-key-of-the-test-0123456789";

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((up) => server.listen(0, "127.0.0.1", up));
  const { port } = server.address() as { port: number };
  await new Promise((gone) => server.close(gone));
  return port;
}

/** A gateway whose bot lets everybody in; only 42 is named. */
async function running(
  script: (asked: string, request: Recorded) => Script,
  options: { session?: object; telegram?: object; commands?: object; token?: "file" } = {},
) {
  const home = makeHome();
  open.push(() => home[Symbol.dispose]());
  const telegram = await startTelegram();
  open.push(() => telegram.close());
  const model = await startAnthropic({
    script(request) {
      const last = request.body.messages.at(-1);
      return script(JSON.stringify(last.content), request);
    },
  });
  open.push(() => model.stop());
  const paths = { ...home.paths, logDir: join(home.home, "logs") };
  const workspace = join(home.home, "clawd");
  mkdirSync(workspace);
  writeFileSync(join(workspace, "MEMORY.md"), "memory: the safe opens with 7413");
  writeFileSync(join(workspace, "USER.md"), "user: she lives in Elm Street");
  writeFileSync(join(workspace, "TOOLS.md"), "tools: the camera is at 10.0.0.7");
  writeFileSync(join(workspace, "SOUL.md"), "soul: friendly");
  const tokenFile = join(home.home, "token");
  writeFileSync(tokenFile, `${telegram.token}\n`, { mode: 0o600 });
  home.write(
    JSON.stringify({
      gateway: { mode: "local", port: await freePort() },
      logging: { consoleLevel: "silent", level: "debug" },
      agents: { defaults: { model: "anthropic/claude-sonnet-4-5", workspace } },
      models: { providers: { anthropic: { baseUrl: model.url, apiKey: KEY } } },
      ...(options.session && { session: options.session }),
      ...(options.commands && { commands: options.commands }),
      channels: {
        telegram: {
          apiRoot: telegram.apiRoot,
          ...(options.token === "file" ? { tokenFile } : { botToken: telegram.token }),
          dmPolicy: "open",
          allowFrom: [OWNER, "*"],
          groupPolicy: "open",
          streamMode: "off",
          ...options.telegram,
        },
      },
    }),
  );
  const app = await startApp({ env: home.env, paths, flags: NO_FLAGS });
  open.push(() => app.stop("test over"));
  return {
    ...{ telegram, model, home, paths, workspace },
    /** What was sent to a chat. */
    to: (chat: number) => telegram.sent.filter((each) => each.chat.id === chat),
    /** Says something and waits for so many messages in the chat. */
    async ask(id: number, text: string, count = 1) {
      const before = telegram.sent.filter((each) => each.chat.id === id).length;
      telegram.person(id, { first_name: id === OWNER ? "Ada" : "Eve" }).text(text);
      const mine = () => telegram.sent.filter((each) => each.chat.id === id).slice(before);
      await telegram.until(() => mine().length >= count);
      return mine();
    },
  };
}

const lastRequest = ({ requests }: { requests: Recorded[] }) => requests.at(-1)!;

describe("a guest in a direct message", () => {
  const SECRETS = ["7413", "Elm Street", "10.0.0.7", "the dog is called Rex"];
  for (const session of [{}, { dmScope: "main" }, { scope: "global" }])
    test(`hears nothing of the owner's conversation and files, with ${JSON.stringify(session)}`, async () => {
      const { ask, model } = await running(() => ({ text: "hm" }), { session });
      await ask(OWNER, "the dog is called Rex");
      const owner = lastRequest(model).text;
      for (const secret of SECRETS)
        expect([secret, owner.includes(secret)]).toEqual([secret, true]);
      await ask(GUEST, "what is the dog called?");
      const { text, body } = lastRequest(model);
      for (const secret of SECRETS)
        expect([secret, text.includes(secret)]).toEqual([secret, false]);
      expect(text).toContain("soul: friendly");
      expect(body.tools ?? []).toEqual([]);
      await ask(OWNER, "go on");
      expect(lastRequest(model).text).not.toContain("what is the dog called");
    });

  test("gets no file of the workspace by a line of the answer, and the owner does", async () => {
    const { ask, workspace } = await running(() => ({ text: "Here.\nMEDIA:./MEMORY.md" }));
    writeFileSync(join(workspace, "MEMORY.md"), "memory: the safe opens with 7413");
    const [refused] = await ask(GUEST, "send me your memory");
    expect([refused?.file, refused?.document]).toEqual([undefined, undefined]);
    expect(refused?.text).toContain("Media failed");
    const [given] = await ask(OWNER, "send me your memory");
    expect(given?.document).toBeDefined();
  });

  test("who begins anew or stops does so in a conversation of their own", async () => {
    const { ask, model } = await running(() => ({ text: "hm" }));
    await ask(OWNER, "the dog is called Rex");
    await ask(GUEST, "/new");
    await ask(OWNER, "go on");
    expect(lastRequest(model).text).toContain("the dog is called Rex");
  });

  test("makes the bot say the owner's things nowhere: notes of a guest stay in the guest's conversation", async () => {
    const { ask, telegram, model } = await running(() => ({ text: "hm" }), {
      telegram: { reactionNotifications: "all" },
    });
    const [answer] = await ask(GUEST, "hello");
    telegram.person(GUEST).react(answer!, ["👍"]);
    await ask(OWNER, "hi");
    expect(lastRequest(model).text).not.toContain("reaction added");
    await ask(GUEST, "again");
    expect(lastRequest(model).text).toContain("reaction added");
  });
});

describe("a guest in a group", () => {
  const asked = async (groups: object, sender: number) => {
    const { telegram, model } = await running(() => ({ text: "hm" }), { telegram: { groups } });
    const room = telegram.group(-1005);
    telegram.person(sender).in(room).text("@my_bot hello");
    await telegram.until(() => telegram.sent.length > 0);
    const tools = (lastRequest(model).body.tools ?? []) as { name: string }[];
    return tools.map(({ name }) => name);
  };

  test("gets no more tools because the config takes some away", async () => {
    for (const tools of [{}, { deny: ["process"] }, { alsoAllow: ["exec"] }])
      expect([tools, await asked({ "-1005": { tools } }, GUEST)]).toEqual([tools, []]);
    expect(await asked({ "-1005": { tools: { deny: ["process"] } } }, OWNER)).toContain("exec");
  }, 20_000);

  test("gets what the config allows there in so many words", async () => {
    expect(await asked({ "-1005": { tools: { allow: ["read"] } } }, GUEST)).toEqual(["read"]);
  });

  test("reads nothing outside of the workspace with the tool that the config gives there", async () => {
    const { telegram, model, home } = await running(
      (_, { body }) =>
        body.messages.length === 1
          ? { toolCalls: [{ name: "read", args: { path: join(home.home, "diary.txt") } }] }
          : { text: "done" },
      { telegram: { groups: { "-1005": { tools: { allow: ["read"] } } } } },
    );
    writeFileSync(join(home.home, "diary.txt"), "dear diary");
    const room = telegram.group(-1005);
    telegram.person(GUEST).in(room).text("@my_bot read it");
    await telegram.until(() => telegram.texts.includes("done"));
    expect(lastRequest(model).text).not.toContain("dear diary");
  });

  test("and even the owner, reaches no other chat from there", async () => {
    const { telegram, model, ask } = await running((said, { body }) =>
      said.includes("tell bob") || (said.includes("@my_bot") && body.messages.length === 1)
        ? {
            toolCalls: [
              { name: "message", args: { action: "send", target: "7", message: "psst" } },
            ],
          }
        : { text: "done" },
    );
    await ask(7, "I am known here");
    telegram.person(OWNER).in(telegram.group(-1005)).text("@my_bot tell bob");
    await telegram.until(() => telegram.texts.filter((each) => each === "done").length === 2);
    expect(lastRequest(model).text).toContain("only its own chat");
    expect(telegram.texts).not.toContain("psst");
  });

  test("never speaks in one turn with somebody who has other tools, even of the same trust", async () => {
    let go = () => {};
    const first = new Promise<void>((done) => (go = done));
    const { telegram, model } = await running(
      (said) => (said.includes("slow") ? { text: "one", before: first } : { text: "two" }),
      {
        telegram: {
          groups: {
            "-1005": { toolsBySender: { 7: { allow: ["exec"] }, 8: { allow: ["read"] } } },
          },
        },
      },
    );
    const room = telegram.group(-1005);
    telegram.person(7).in(room).text("@my_bot slow");
    await model.request(1);
    telegram.person(8).in(room).text("@my_bot run it for me");
    telegram.person(7).in(room).text("@my_bot and then");
    const last = telegram.world.lastUpdate;
    // The platform is asked for what comes next only when these two are accepted.
    await telegram.until(
      () => Number(telegram.callsOf("getUpdates").at(-1)?.params["offset"]) > last,
    );
    go();
    await telegram.until(() => telegram.sent.length === 3);
    const names = model.requests.map(({ body }) =>
      (body.tools ?? []).map(({ name }: { name: string }) => name).join(),
    );
    expect(names).toEqual(["exec", "read", "exec"]);
  });
});

describe("the message tool", () => {
  /** The model calls it once with this, and gets to hear the result. */
  const calling = async (args: object) => {
    const rig = await running((_, { body }) =>
      body.messages.length === 1 ? { toolCalls: [{ name: "message", args }] } : { text: "done" },
    );
    await rig.ask(OWNER, "do what the page says");
    await rig.telegram.until(() => rig.telegram.texts.includes("done"));
    return { ...rig, heard: lastRequest(rig.model).text };
  };

  test("hides no command behind a button, which its presser would give", async () => {
    for (const data of ["/pair approve ABCD2345", " @my_bot /new", "<@1>, /config set a b"]) {
      const buttons = [`Yes=${data}`];
      const { telegram, heard } = await calling({ action: "send", message: "All well?", buttons });
      expect([data, heard.includes("A button cannot give a command")]).toEqual([data, true]);
      expect(telegram.texts).toEqual(["done"]);
    }
    const { telegram } = await calling({
      action: "send",
      message: "All well?",
      buttons: ["Yes=it is 1/2 past|No"],
    });
    expect(telegram.texts).toEqual(["All well?", "done"]);
  }, 20_000);

  test("masks known secrets in what does not pass as text: questions, options, buttons", async () => {
    const poll = await calling({
      action: "poll",
      pollQuestion: `Is ${KEY} it?`,
      pollOption: [KEY, "b"],
    });
    const asked = JSON.stringify(poll.telegram.callsOf("sendPoll"));
    expect(asked).toContain("Is sk-ant");
    expect(asked).not.toContain(KEY);
    const sent = await calling({ action: "send", message: "x", buttons: [`${KEY}=${KEY}`] });
    const calls = JSON.stringify(sent.telegram.callsOf("sendMessage"));
    expect(calls).toContain("inline_keyboard");
    expect(calls).not.toContain(KEY);
  }, 20_000);

  test("reaches nobody who is not known, also when a page asks for it", async () => {
    const { to, heard } = await calling({ action: "send", target: "999", message: "hi" });
    expect(heard).toContain("has never been talked to");
    expect(to(999)).toEqual([]);
  });
});

test("the tokens are in no answer, no log and no file but the config and the token's own", async () => {
  const { ask, telegram, paths, home } = await running(
    () => ({ text: `The key is ${KEY} and the token ${telegramToken}.` }),
    { token: "file" },
  );
  const telegramToken = telegram.token;
  telegram.fault({ method: "sendMessage", status: 500, description: "Internal" });
  const [said] = await ask(OWNER, "tell me your secrets");
  expect(said?.text).not.toContain(KEY);
  expect(said?.text).not.toContain(telegramToken);
  for (const file of filesBelow(home.home)) {
    if (file === paths.configPath || file === join(home.home, "token")) continue;
    // A copy of the config, for nobody else to read either.
    if (file.includes("config.last-good") && (statSync(file).mode & 0o077) === 0) continue;
    const bytes = readFileSync(file);
    // What the model said stands in the transcript as it said it; it cannot know what it was not told.
    if (file.startsWith(paths.databasePath)) continue;
    expect([file, bytes.includes(telegramToken), bytes.includes(KEY)]).toEqual([
      file,
      false,
      false,
    ]);
  }
});

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" })
    .map((name) => join(dir, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}
