/** The compiled binary with all three networks at once, as their people and its owner meet it. */
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { createDecipheriv } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { getMediaKeys, type proto } from "@whiskeysockets/baileys";

import { startAnthropic } from "../fakes/anthropic.ts";
import type { ModelServer, Recorded } from "../fakes/model-server.ts";
import { PNG } from "../fakes/telegram-people.ts";
import { textOf } from "../fakes/whatsapp/index.ts";
import { runCli, type Running } from "./binary.ts";
import { type Networks, openNetworks, QUICK_WEB, type Section } from "./networks.ts";

// Programs start here, and a busy machine may take a while for each.
setDefaultTimeout(60_000);

/** Somebody in a chat with the assistant, on whichever network. */
type Talk = {
  id: Section;
  /** Says it and gives the message's id, as the trace knows it. */
  say(text: string): Promise<string>;
  picture(caption: string): Promise<void>;
  /** Says the one, then makes the other of it. */
  edit(text: string, next: string): Promise<void>;
  /** In a group: to everybody, or to the assistant. */
  inGroup(text: string, mention: boolean): Promise<void>;
  /** Texts that the assistant wrote in the direct chat, as they read now. */
  texts(): string[];
  groupTexts(): string[];
  /** Bytes of the pictures that it sent. */
  pictures(): Promise<Uint8Array[]>;
};

/** Looks again until it is so; the test's own limit ends it otherwise. */
async function until<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  for (;;) {
    const found = await look();
    if (found) return found;
    await Bun.sleep(20);
  }
}

type Part = { type: string; text?: string; source?: unknown };
type Said = { role: string; content: string | Part[] };
/** The last thing that was said to the model. */
const lastOf = ({ body }: Recorded): Said =>
  (body.messages as Said[]).findLast(({ role }) => role === "user")!;

describe("all three networks at once", () => {
  let networks: Networks;
  let gateway: Running;
  let model: ModelServer;
  let talks: Talk[];
  let release: (() => void) | undefined;
  const requests: string[] = [];

  beforeAll(async () => {
    model = await startAnthropic({
      script(request) {
        const said = JSON.stringify(lastOf(request));
        requests.push(said);
        if (said.includes("draw")) return { text: "Here it is.\nMEDIA:./drawing.png" };
        if (said.includes('"type":"image"')) return { text: "I see a picture." };
        if (said.includes("take your time"))
          return { text: "That took long.", before: new Promise<void>((go) => (release = go)) };
        return { text: `You said ${/say (\w+)/.exec(said)?.[1] ?? "something"}.` };
      },
    });
    const workspace = (dir: string) => join(dir, "workspace");
    networks = await openNetworks({
      config: (home) => ({
        models: { providers: { anthropic: { baseUrl: model.url, apiKey: "sk-ant-test-key" } } },
        agents: {
          defaults: { model: "anthropic/claude-sonnet-4-5", workspace: workspace(home.dir) },
        },
        session: { dmScope: "per-channel-peer" },
      }),
      channels({ telegram, discord, whatsapp }) {
        const ada = discord.person("Ada");
        const bob = whatsapp.person("Bob");
        talks = [telegramTalk(telegram), discordTalk(discord, ada), whatsappTalk(whatsapp, bob)];
        return {
          telegram: { groupAllowFrom: [42], groups: { "*": {} } },
          discord: { allowFrom: [ada.id], guilds: { "*": {} }, dmPolicy: "allowlist" },
          whatsapp: { allowFrom: [bob.id], groups: { "*": {} }, dmPolicy: "allowlist" },
        };
      },
    });
    mkdirSync(workspace(networks.home.dir), { recursive: true });
    writeFileSync(join(workspace(networks.home.dir), "drawing.png"), PNG);
    gateway = await networks.start();
    await connected("telegram", "discord", "whatsapp");
  });
  afterAll(async () => {
    await networks?.close();
    await model?.stop();
  });

  const cli = (...args: string[]) => runCli(args, { home: networks.home, env: networks.env });
  type Row = Record<string, unknown> & {
    connected: boolean;
    running: boolean;
    lastError: string | null;
  };
  const status = async (id: Section): Promise<Row> => {
    const { code, stdout } = await cli("channels", "status", "--json");
    expect(code).toBe(0);
    const { channelAccounts } = JSON.parse(stdout) as { channelAccounts: Record<Section, Row[]> };
    return channelAccounts[id][0]!;
  };
  const connected = async (...ids: Section[]) => {
    for (const id of ids) await until(async () => (await status(id)).connected);
  };
  const talkOn = (id: Section) => talks.find((talk) => talk.id === id)!;
  const answered = (talk: Talk, text: string, times = 1) =>
    until(() => talk.texts().filter((each) => each.includes(text)).length >= times);

  test("the owner's log says who is signed in where", async () => {
    await gateway.seen("discord] logged in to discord as clawd");
    await gateway.seen("telegram] starting provider (@my_bot)");
    await gateway.seen("whatsapp] Listening for personal WhatsApp inbound messages.");
  });

  test("a stranger gets a code, the owner approves it in the terminal, the stranger is told and answered", async () => {
    const talk = talkOn("telegram");
    await talk.say("hello, say nothing");
    const told = await until(() => talk.texts().find((text) => text.includes("Pairing code")));
    const code = /Pairing code: (\w+)/.exec(told)![1]!;
    expect(requests).toEqual([]);
    expect((await cli("pairing", "list")).stdout).toContain(code);
    expect(await cli("pairing", "approve", "telegram", code, "--notify")).toMatchObject({
      code: 0,
    });
    await answered(talk, "access approved");
  });

  test("one question and one answer on each, and the trace of each", async () => {
    for (const talk of talks) {
      const id = await talk.say(`please say ${talk.id}`);
      await answered(talk, `You said ${talk.id}.`);
      const trace = await until(async () => {
        const { code, stdout } = await cli("message", "trace", id, "--json");
        expect(code).toBe(0);
        const found = JSON.parse(stdout).trace ?? JSON.parse(stdout);
        return found.answered && found;
      });
      expect(trace).toMatchObject({
        channel: talk.id,
        decision: { kind: "turn" },
        run: { state: "done", attempts: 1 },
        outbox: [{ state: "delivered", text: `You said ${talk.id}.` }],
      });
      expect(trace.outbox[0].ids).toHaveLength(1);
    }
  });

  test.each(["telegram", "discord", "whatsapp"] as const)(
    "%s: a picture in and a picture out",
    async (id) => {
      const talk = talkOn(id);
      await talk.picture("what is this?");
      await answered(talk, "I see a picture.");
      await talk.say("draw me something");
      const [picture] = await until(async () => {
        const all = await talk.pictures();
        return all.length > 0 && all;
      });
      expect(Buffer.from(picture!).equals(PNG)).toBe(true);
    },
  );

  test.each(["telegram", "discord", "whatsapp"] as const)(
    "%s: in a group only who calls the assistant is answered, with what was said before",
    async (id) => {
      const talk = talkOn(id);
      await talk.inGroup(`the cat is called Tom${id}`, false);
      await talk.inGroup(`please say group${id}`, true);
      await until(() => talk.groupTexts().length > 0);
      expect(talk.groupTexts()).toEqual([`You said group${id}.`]);
      expect(requests.filter((said) => said.includes(`called Tom${id}`))).toEqual([
        expect.stringContaining(`say group${id}`),
      ]);
    },
  );

  test.each(["telegram", "discord", "whatsapp"] as const)(
    "%s: a message that is edited while it waits is answered as it is now",
    async (id) => {
      const talk = talkOn(id);
      release = undefined;
      await talk.say("take your time");
      await until(() => release);
      await talk.edit("please say wrong", "please say right");
      // The change has been stored when the platform was told so; what was said is still to be answered.
      await until(async () => {
        const { stdout } = await cli("message", "recent", "--json", "--channel", id);
        return stdout.includes("say right");
      });
      release!();
      await answered(talk, "You said right.");
      expect(talk.texts().join("\n")).not.toContain("You said wrong.");
    },
  );

  test.each(["telegram", "discord", "whatsapp"] as const)(
    "%s: /status is answered without a model",
    async (id) => {
      const talk = talkOn(id);
      const before = requests.length;
      await talk.say("/status");
      await answered(talk, "claude-sonnet-4-5");
      expect(requests).toHaveLength(before);
    },
  );

  test("a command of the terminal writes into a chat of each network", async () => {
    const targets = { telegram: "42", discord: "", whatsapp: "" };
    const { discord, whatsapp } = networks;
    targets.discord = `user:${[...discord.world.users.values()].find(({ global_name }) => global_name === "Ada")!.id}`;
    targets.whatsapp = [...whatsapp.world.people.values()].find(({ name }) => name === "Bob")!.id;
    for (const [channel, target] of Object.entries(targets)) {
      const sent = await cli(
        "message",
        "send",
        "--channel",
        channel,
        "-t",
        target,
        "-m",
        "from the terminal",
        "--json",
      );
      expect(sent).toMatchObject({ code: 0 });
      await answered(talkOn(channel as Section), "from the terminal");
    }
  });

  test("the status says when a connection is gone, and when it is back", async () => {
    const { telegram, discord, whatsapp } = networks;
    whatsapp.world.faults.upgrades.push(...Array<number>(1_000).fill(503));
    whatsapp.cut();
    expect(await until(async () => (await status("whatsapp")).connected === false)).toBe(true);
    expect(await status("whatsapp")).toMatchObject({
      running: true,
      lastDisconnect: { error: expect.any(String) },
    });
    whatsapp.world.faults.upgrades.length = 0;
    await connected("whatsapp");

    telegram.fault({ method: "getUpdates", status: 502, times: 3 });
    telegram.cut();
    await until(async () => !(await status("telegram")).connected);
    await connected("telegram");

    const resumes = discord.gateway.resumes;
    discord.gateway.cut();
    await discord.gateway.until(() => discord.gateway.resumes > resumes);
    await connected("discord");
    for (const talk of talks) {
      await talk.say("please say again");
      await answered(talk, "You said again.");
    }
    expect(discord.problems).toEqual([]);
    expect(whatsapp.world.problems).toEqual([]);
  });

  test("a token or link that is taken back stops that network, names the setting, and no other", async () => {
    const { telegram, discord, whatsapp } = networks;
    telegram.revoke();
    telegram.cut();
    await until(async () => !(await status("telegram")).running);
    expect((await status("telegram")).lastError).toContain("channels.telegram.botToken");
    discord.revoke();
    discord.gateway.closeAll(4004);
    await until(async () => !(await status("discord")).running);
    expect((await status("discord")).lastError).toContain("channels.discord.token");
    const talk = talkOn("whatsapp");
    await talk.say("please say alone");
    await answered(talk, "You said alone.");
    whatsapp.revoke();
    whatsapp.cut();
    const row = await until(async () => {
      const found = await status("whatsapp");
      return !found.running && found;
    });
    expect(row.lastError).toContain("clawdbot channels login --channel whatsapp");
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
    expect(await gateway.kill("SIGTERM")).toBe(0);
  });
});

describe("networks that do not answer", () => {
  const open: Networks[] = [];
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close();
  });

  test("do not delay the gateway, and are said to be what they are", async () => {
    const networks = await openNetworks({ config: { web: QUICK_WEB } });
    open.push(networks);
    const { telegram, discord, whatsapp } = networks;
    telegram.fault({ method: "getMe", how: "silent", times: 1_000 });
    discord.fail({ path: /./, status: 502, times: 1_000 });
    whatsapp.world.faults.upgrades.push(...Array<number>(1_000).fill(503));
    const gateway = await networks.start();
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
    const client = gateway.client();
    await client.connect();
    const { channelAccounts } = await client.call("channels.status", {});
    client.close();
    for (const [id, [row]] of Object.entries(channelAccounts))
      expect({ id, connected: row!.connected }).toEqual({ id, connected: false });
    expect(await gateway.kill("SIGTERM")).toBe(0);
  });
});

function telegramTalk(fake: Networks["telegram"]): Talk {
  const ann = fake.person(42);
  const group = fake.group(-1_001_234, { title: "Friends" });
  const there = ann.in(group);
  const written = (room: typeof ann.room) =>
    [...room.messages.values()].filter(({ from }) => from?.id === fake.world.bot.id);
  const texts = (room: typeof ann.room) =>
    written(room).map(({ text, caption }) => text ?? caption ?? "");
  return {
    id: "telegram",
    say: async (text) => `${ann.room.chat.id}:${ann.text(text).message_id}`,
    picture: async (caption) => void ann.photo(caption),
    async edit(text, next) {
      ann.edit(ann.text(text), next);
    },
    inGroup: async (text, mention) => void there.text(mention ? `@my_bot ${text}` : text),
    texts: () => texts(ann.room),
    groupTexts: () => texts(group.room),
    pictures: async () =>
      fake.sent.flatMap(({ file, photo }) => (file && photo ? [file.bytes] : [])),
  };
}

function discordTalk(
  fake: Networks["discord"],
  ada: ReturnType<Networks["discord"]["person"]>,
): Talk {
  const { channel } = fake.guild("Friends", [ada]);
  const dm = fake.world.dm(ada.id);
  const written = (id: string) =>
    (fake.world.messages.get(id) ?? []).filter(({ author }) => author.id === fake.world.self.id);
  return {
    id: "discord",
    say: async (text) => ada.dm(text).id,
    picture: async (caption) =>
      void ada.dm(caption, { attachments: [{ name: "cat.png", bytes: PNG, type: "image/png" }] }),
    async edit(text, next) {
      ada.edit(ada.dm(text), next);
    },
    inGroup: async (text, mention) =>
      void (mention ? ada.mention(channel, text) : ada.say(channel, text)),
    texts: () => written(dm.id).map(({ content }) => content),
    groupTexts: () => written(channel.id).map(({ content }) => content),
    pictures: async () =>
      written(dm.id).flatMap(({ attachments }) =>
        attachments.map(({ bytes }) => bytes as Uint8Array),
      ),
  };
}

function whatsappTalk(
  fake: Networks["whatsapp"],
  bob: ReturnType<Networks["whatsapp"]["person"]>,
): Talk {
  const group = fake.group([bob], { subject: "Friends" });
  const written = (to: string) => fake.world.delivered.filter((each) => each.to === to);
  const texts = (to: string) =>
    written(to)
      .map(({ message }) => textOf(message))
      .filter(Boolean);
  /** Of the protocol: `MESSAGE_EDIT`. */
  const EDIT = 14 as proto.Message.ProtocolMessage.Type;
  return {
    id: "whatsapp",
    say: (text) => fake.says(bob, text),
    async picture(caption) {
      const file = await fake.file("image", PNG);
      await fake.says(bob, { imageMessage: { ...file, mimetype: "image/png", caption } });
    },
    async edit(text, next) {
      const id = await fake.says(bob, text);
      const key = { remoteJid: fake.owner.jid, fromMe: true, id };
      await fake.says(bob, {
        protocolMessage: { key, type: EDIT, editedMessage: { conversation: next } },
      });
    },
    async inGroup(text, mention) {
      const contextInfo = mention ? { mentionedJid: [fake.owner.lidJid] } : {};
      await fake.says(bob, { extendedTextMessage: { text, contextInfo } }, { group });
    },
    texts: () => texts(bob.id),
    groupTexts: () => texts(group.id),
    async pictures() {
      const images = written(bob.id).flatMap(({ message }) => message.imageMessage ?? []);
      return Promise.all(images.map((image) => opened(image, fake.world.files.rows)));
    },
  };
}

/** As a phone opens a picture. */
async function opened(
  { mediaKey, directPath }: proto.Message.IImageMessage,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<Uint8Array> {
  const { cipherKey, iv } = await getMediaKeys(mediaKey!, "image");
  const sealed = files.get(directPath!)!.slice(0, -10);
  const cipher = createDecipheriv("aes-256-cbc", cipherKey, iv);
  return Buffer.concat([cipher.update(sealed), cipher.final()]);
}
