/**
 * Many messages over the three networks while everything goes wrong that can: requests that fail in every way, connections that are
 * cut or fall silent, messages that come twice or in another order, a gateway that is killed. Gives what became of each message.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { silentLogger } from "../../src/base/log.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import type { Running } from "./binary.ts";
import { type Fakes, type Networks, openNetworks, type Section } from "./networks.ts";
import { Faults } from "./soak-faults.ts";
import { answeredIn, startSoakModel } from "./soak-model.ts";
import { discordSide, type Side, telegramSide, whatsappSide, type Writer } from "./soak-people.ts";
import { type Relay, startRelay } from "./soak-relay.ts";

export type SoakOptions = {
  seed: number;
  messages: number;
  /** Before which messages something happens, as parts of all of them. */
  kills: number[];
  storms: number[];
  silences: number[];
  /** After this time it ends as it is, so that it can be said what is missing. */
  limitMs: number;
  only?: readonly Section[];
};
export type SoakResult = {
  messages: number;
  once: number;
  twice: number;
  /** Numbers of messages. */
  lost: number[];
  oftener: number[];
  /** An answer that came before that of an earlier message of its chat, or in another chat. */
  disordered: string[];
  /** What was sent and answers nothing. */
  strays: string[];
  /** What the gateway left undone when it ended in an orderly way. */
  left: { turns: number; outbox: string[] };
  /** What a platform refused as malformed. */
  problems: string[];
  faults: Map<string, number>;
  kills: number;
  seconds: number;
  /** In MB, at the end and at most. */
  memory: { now: number; most: number };
  exit: number;
  /** Of what failed: everything that the store knows, for whoever looks for the cause. */
  traces: string[];
  /** The gateway's own words; of the last start. */
  log: string;
};

/** Written and not answered at most. */
const OPEN = 64;
/** Rounds of a storm: every connection is cut as soon as it is back. */
const ROUNDS = 3;
const SHARES = { again: 0.03, cut: 0.004, held: 0.04, refused: 0.004, unheard: 0.02 };
const PEOPLE = { direct: 28, groups: 3, perGroup: 4 };
const ALL: readonly Section[] = ["telegram", "discord", "whatsapp"];

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const faults = new Faults(options.seed);
  const relays: Relay[] = [];
  const { only = ALL } = options;
  let sides: Side[] = [];
  const model = await startSoakModel();
  const networks = await openNetworks({
    only,
    heartbeatMs: 2_000,
    config: {
      agents: { defaults: { model: "anthropic/claude-sonnet-4-5", maxConcurrent: 12 } },
      models: { providers: { anthropic: { baseUrl: model.url, apiKey: "sk-ant-test-key" } } },
      session: { dmScope: "per-channel-peer" },
      // While a network is away, more wait in a group than people would write.
      messages: { queue: { cap: 500 } },
    },
    channels(fakes) {
      sides = sidesOf(fakes).filter(({ platform }) => only.includes(platform));
      const open = (id: Section) => ({
        ...{ dmPolicy: "open", groupPolicy: "open", groupAllowFrom: ["*"] },
        // Half of them are known, the others are guests: they have other rights, and are never answered together.
        allowFrom: [...(sides.find(({ platform }) => platform === id)?.known ?? []), "*"],
      });
      return {
        telegram: { ...open("telegram"), groups: { "*": {} }, timeoutSeconds: 3 },
        discord: { ...open("discord"), guilds: { "*": {} } },
        whatsapp: { ...open("whatsapp"), groups: { "*": {} } },
      };
    },
    async route(id, origin) {
      const relay = await startRelay(origin, faults[id]);
      relays.push(relay);
      return relay.origin;
    },
  });
  try {
    return await new Soak(options, faults, networks, relays, sides).run();
  } finally {
    await networks.close();
    for (const relay of relays) await relay.close();
    await model.stop();
  }
}

const sidesOf = ({ telegram, discord, whatsapp }: Fakes): Side[] => [
  telegramSide(telegram, PEOPLE),
  discordSide(discord, PEOPLE),
  whatsappSide(whatsapp, PEOPLE),
];

class Soak {
  private readonly answered = new Set<number>();
  private readonly asked = new Map<number, string>();
  /** Numbers by chat, in the order in which the platform told of them. */
  private readonly order = new Map<string, number[]>();
  private readonly waiting = new Set<() => void>();
  private gateway!: Running;
  private starting: Promise<void> | undefined;
  private kills = 0;
  private most = 0;
  private late = false;

  constructor(
    private readonly options: SoakOptions,
    private readonly faults: Faults,
    private readonly networks: Networks,
    private readonly relays: Relay[],
    private readonly sides: Side[],
  ) {
    for (const side of sides) side.watch(() => this.look(side));
  }

  private has(id: Section): boolean {
    return (this.options.only ?? ALL).includes(id);
  }

  async run(): Promise<SoakResult> {
    const began = performance.now();
    const { messages, kills, storms, silences, limitMs } = this.options;
    const alarm = setTimeout(() => {
      this.late = true;
      for (const each of [...this.waiting]) each();
    }, limitMs);
    this.gateway = await this.networks.start();
    // Discord tells nobody of what was said in a chat that a bot has never heard of.
    if (this.has("discord")) await this.networks.discord.gateway.ready();
    const writers = interleaved(this.sides.map((side) => side.writers));
    const at = (parts: number[], i: number) =>
      parts.some((part) => Math.floor(part * messages) === i);
    const soon = (i: number) =>
      kills.some((part) => i >= part * messages - 2 * OPEN && i <= part * messages);
    for (let i = 0; i < messages && !this.late; i++) {
      await this.until(() => i - this.answered.size < OPEN);
      this.faults.calm = soon(i) || this.starting !== undefined;
      if (at(kills, i)) this.kill();
      if (at(storms, i)) void this.storm();
      if (at(silences, i)) void this.silence();
      this.happens(i);
      await this.write(writers[i % writers.length]!, i);
    }
    await this.until(() => this.answered.size >= messages);
    await this.starting;
    // What was shown while it was written has still to become what it says at the end.
    await this.settled();
    clearTimeout(alarm);
    const memory = { now: this.memory("VmRSS"), most: Math.max(this.most, this.memory("VmHWM")) };
    const exit = await this.gateway.kill("SIGTERM");
    const seconds = (performance.now() - began) / 1000;
    return { ...(await this.sum()), seconds, memory, exit, log: this.gateway.log() };
  }

  private async settled(): Promise<void> {
    const client = this.gateway.client();
    await client.connect();
    while (!this.late) {
      const { unfinishedTurns, pendingOutbox } = await client.call("status", {});
      if (!unfinishedTurns && !pendingOutbox) break;
      await Bun.sleep(50);
    }
    client.close();
  }

  private async write(writer: Writer, i: number): Promise<void> {
    this.asked.set(i, writer.chat);
    const list = this.order.get(writer.chat) ?? [];
    this.order.set(writer.chat, list);
    list.push(i);
    await writer.say(`question-${i}`);
    if (this.dice(`again ${i}`, SHARES.again)) {
      this.faults.count(`${writer.platform} told twice`);
      writer.again();
    }
  }

  private dice(words: string, share: number): boolean {
    return this.faults.dice(words) < share;
  }

  /** What goes wrong by itself, now and then. */
  private happens(i: number): void {
    const { telegram, discord, whatsapp } = this.networks;
    const { faults } = this;
    if (this.dice(`cut telegram ${i}`, SHARES.cut)) {
      faults.count("telegram connection cut");
      this.relays[0]?.cut();
    }
    if (this.dice(`reversed ${i}`, SHARES.held)) {
      if (!telegram.reversed) faults.count("telegram batches reversed");
      telegram.reversed = !telegram.reversed;
    }
    if (this.dice(`cut discord ${i}`, SHARES.cut / 2)) {
      faults.count("discord connection cut");
      discord.gateway.cut();
    }
    if (this.dice(`cut whatsapp ${i}`, SHARES.cut)) {
      faults.count("whatsapp connection cut");
      whatsapp.cut();
    }
    if (this.dice(`refused ${i}`, SHARES.refused)) {
      faults.count("whatsapp message refused (503)");
      whatsapp.world.faults.messages.push({ error: "503" });
    }
    if (this.dice(`unheard ${i}`, SHARES.unheard)) {
      faults.count("whatsapp receipt lost");
      whatsapp.world.faults.lostReceipts++;
    }
  }

  private kill(): void {
    this.kills++;
    this.starting = (async () => {
      this.most = Math.max(this.most, this.memory("VmHWM"));
      await this.gateway.kill("SIGKILL");
      this.gateway = await this.networks.start();
      this.starting = undefined;
    })();
  }

  /** Every connection is cut, and again as soon as it is back. */
  private async storm(): Promise<void> {
    const { telegram, discord, whatsapp } = this.networks;
    const polls = () => telegram.callsOf("getUpdates").length;
    const signIns = () => discord.gateway.identifies + discord.gateway.resumes;
    const rounds = async (id: Section, cut: () => void, count: () => number) => {
      if (!this.has(id)) return;
      for (let round = 0; round < ROUNDS; round++) {
        const before = count();
        this.faults.count(`${id} storm`);
        cut();
        await this.until(() => count() > before);
      }
    };
    await Promise.all([
      rounds("telegram", () => this.relays[0]!.cut(), polls),
      rounds("discord", () => discord.gateway.cut(), signIns),
      rounds(
        "whatsapp",
        () => whatsapp.cut(),
        () => whatsapp.world.signIns,
      ),
    ]);
  }

  /** Every connection stays open and nothing comes through any more, until the program notices. */
  private async silence(): Promise<void> {
    const { discord, whatsapp } = this.networks;
    const { world } = whatsapp;
    for (const { platform } of this.sides) this.faults.count(`${platform} connection silent`);
    this.faults.silentPoll = true;
    if (this.has("discord")) discord.gateway.freeze();
    if (!this.has("whatsapp")) return;
    world.faults.silent = true;
    await this.until(() => !world.connection);
    world.faults.silent = false;
  }

  private look(side: Side): void {
    for (const text of side.news()) for (const n of answeredIn(text)) this.answered.add(n);
    for (const each of [...this.waiting]) each();
  }

  private until(test: () => boolean): Promise<void> {
    return new Promise((done) => {
      const look = () => {
        if (!test() && !this.late) return;
        this.waiting.delete(look);
        done();
      };
      this.waiting.add(look);
      look();
    });
  }

  private memory(field: "VmRSS" | "VmHWM"): number {
    if (process.platform !== "linux") return 0;
    const status = readFileSync(`/proc/${this.gateway.pid}/status`, "utf8");
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
  }

  private async sum(): Promise<Omit<SoakResult, "seconds" | "memory" | "exit" | "log">> {
    const { messages } = this.options;
    const times = new Map<number, number>();
    for (const side of this.sides)
      for (let n = side.askedAgain?.() ?? 0; n > 0; n--)
        this.faults.count(`${side.platform} asked for again`);
    const strays: string[] = [];
    const disordered: string[] = [];
    const newest = new Map<string, number>();
    for (const { chat, text } of this.sides.flatMap((side) => side.answers())) {
      const numbers = answeredIn(text);
      if (!numbers.length) strays.push(`${chat}: ${text}`);
      for (const n of numbers) {
        const before = times.get(n) ?? 0;
        times.set(n, before + 1);
        if (this.asked.get(n) !== chat) disordered.push(`${n} of ${this.asked.get(n)} in ${chat}`);
        const place = this.order.get(chat)?.indexOf(n) ?? -1;
        if (before) continue;
        if (place < (newest.get(chat) ?? -1)) disordered.push(`${n} in ${chat} too late`);
        newest.set(chat, Math.max(place, newest.get(chat) ?? -1));
      }
    }
    const all = Array.from({ length: messages }, (_, i) => i);
    const lost = all.filter((n) => !times.has(n));
    const oftener = all.filter((n) => (times.get(n) ?? 0) > 2);
    return {
      ...{ messages, lost, oftener, disordered, strays, kills: this.kills },
      problems: [
        ...this.networks.discord.problems.map((text) => `discord: ${text}`),
        ...this.networks.whatsapp.world.problems.map((text) => `whatsapp: ${text}`),
      ],
      once: all.filter((n) => times.get(n) === 1).length,
      twice: all.filter((n) => times.get(n) === 2).length,
      faults: this.faults.counts,
      ...(await this.kept([
        ...lost,
        ...oftener,
        ...disordered.map((text) => Number.parseInt(text)),
      ])),
    };
  }

  private async kept(failed: number[]): Promise<Pick<SoakResult, "left" | "traces">> {
    const path = join(this.networks.home.state, "clawdbot.sqlite");
    const store = await openSqlite({ path, log: silentLogger });
    try {
      const rows = await store.outbox.list({
        limit: 1_000,
        states: ["pending", "sending", "dead", "unknown"],
      });
      const { rows: known } = failed.length
        ? await store.inbound.recent({ limit: 10_000 })
        : { rows: [] };
      return {
        left: {
          turns: (await store.turns.unfinished()).length,
          outbox: rows.map(({ key, state, text, error }) => `${key} ${state} ${text}: ${error}`),
        },
        traces: failed.map((n) => {
          const row = known.find(({ inbound }) =>
            new RegExp(`question-${n}\\b`).test(inbound.text),
          );
          return `${n} ${row ? JSON.stringify(row, undefined, 1) : "never stored"}`;
        }),
      };
    } finally {
      await store.close();
    }
  }
}

/** One of each list in turn, so that no platform rests. */
function interleaved(lists: Writer[][]): Writer[] {
  const longest = Math.max(...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list[i] ?? [])).flat();
}
