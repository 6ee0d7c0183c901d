/**
 * From a decrypted message to a stored one. What can be told at once is handed to the core together with the keys that decrypted
 * it. What needs a server first (a file, the name of a group) is written to the account's state with the keys, in one step, and
 * handed on from there: so a large file holds up neither other chats nor the answers to them. Within one chat the order stays.
 */
import { proto } from "@whiskeysockets/baileys";

import { toAppError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { background } from "../../base/task.ts";
import { pause, systemClock } from "../../base/time.ts";
import type { Inbound } from "../../flow.ts";
import type { AccountState, ChannelContext } from "../channel.ts";
import { type Arrived, isForUs, isSlow, knownOf, type Lookups, toInbound } from "./inbound.ts";
import { encode } from "./vault.ts";

const PREFIX = "inbox/";
/** Pauses before the same message is offered again, in ms: doubling from the first to the longest. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;

export type IntakeDeps = {
  state: AccountState;
  receive: ChannelContext<unknown>["receive"];
  signal: AbortSignal;
  log: Logger;
  look: Lookups;
  hasGroup(jid: string): boolean;
  /** What to store of a person who writes. */
  met(person: string): Promise<Record<string, unknown>>;
  /** It is stored. */
  accepted(arrived: Arrived, inbound: Inbound): void;
};

type Row = Omit<Arrived, "message"> & { bytes: string };

export class Intake {
  /** The end of what waits, per chat. */
  private readonly lines = new Map<string, Promise<void>>();
  private count = 0;

  constructor(private readonly deps: IntakeDeps) {}

  /** What an earlier process took over and did not hand on. */
  async resume(): Promise<number> {
    const keys = await this.deps.state.keys(PREFIX);
    for (const key of keys) {
      const row = await this.deps.state.get<Row>(key);
      if (row) this.line(key, arrivedIn(row));
    }
    return keys.length;
  }

  /**
   * Resolves when the message is durable, or nobody wants it. `keys` are stored with it. Tries for as long as the store refuses;
   * rejects only when the account stops, and then the message must not be acknowledged.
   */
  async offer(arrived: Arrived, keys: Record<string, unknown>): Promise<void> {
    const { look, state, hasGroup } = this.deps;
    if (!(await isForUs(arrived, look))) {
      if (Object.keys(keys).length) await this.insist(() => state.put(keys));
      return;
    }
    const known = await knownOf(arrived, look);
    const entry = {
      ...look.recent.entry(known),
      ...(!known.participant && (await this.deps.met(known.chat))),
    };
    if (this.lines.has(known.jid) || isSlow(arrived, hasGroup)) {
      const key = `${PREFIX}${String(Date.now()).padStart(15, "0")}-${String(this.count++).padStart(6, "0")}`;
      await this.insist(() => state.put({ ...keys, ...entry, [key]: rowOf(arrived) }));
      look.recent.add(known);
      this.line(key, arrived);
      return;
    }
    const inbound = await toInbound(arrived, look);
    if (inbound) await this.insist(() => this.deps.receive(inbound, { ...keys, ...entry }));
    else if (Object.keys(keys).length) await this.insist(() => state.put({ ...keys, ...entry }));
    look.recent.add(known);
    if (inbound) this.deps.accepted(arrived, inbound);
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    while (this.lines.size) await Promise.all(this.lines.values());
  }

  private line(key: string, arrived: Arrived): void {
    const jid = arrived.key.remoteJid!;
    const before = this.lines.get(jid) ?? Promise.resolve();
    const work = before.then(async () => {
      if (!this.deps.signal.aborted) await this.handOn(key, arrived);
    });
    const end = work
      .then(
        () => undefined,
        // It stays in the state, and the next start goes on with it.
        (cause: unknown) =>
          this.deps.log.warn("a message waits for the next start", { error: String(cause) }),
      )
      .finally(() => {
        if (this.lines.get(jid) === end) this.lines.delete(jid);
      });
    this.lines.set(jid, end);
    background("handing on a message", end, this.deps.log);
  }

  private async handOn(key: string, arrived: Arrived): Promise<void> {
    const { look, state, receive, accepted } = this.deps;
    const gone = { [key]: undefined };
    await this.insist(async () => {
      // Again with every try: a full disk stops the file before the message.
      const inbound = await toInbound(arrived, look);
      if (!inbound) return state.put(gone);
      await receive(inbound, gone);
      accepted(arrived, inbound);
    });
  }

  /** Again and again with growing pauses: nothing else may be told of this chat before. */
  private async insist<T>(work: () => Promise<T>): Promise<void> {
    for (let waitMs = FIRST_PAUSE_MS; ; waitMs = Math.min(LONGEST_PAUSE_MS, waitMs * 2))
      try {
        this.deps.signal.throwIfAborted();
        await work();
        return;
      } catch (cause) {
        const error = toAppError(cause);
        if (this.deps.signal.aborted) throw error;
        this.deps.log.warn("a message could not be stored and is offered again", {
          code: error.code,
          error: error.message,
        });
        const ms = error.retryAfterMs ?? waitMs;
        if (!(await pause(systemClock, ms, this.deps.signal))) throw error;
      }
  }
}

const rowOf = ({ message, ...rest }: Arrived): Row => ({
  ...(encode(rest) as Omit<Arrived, "message">),
  bytes: Buffer.from(proto.Message.encode(message).finish()).toString("base64"),
});

const arrivedIn = ({ bytes, ...rest }: Row): Arrived => ({
  ...rest,
  message: proto.Message.decode(Buffer.from(bytes, "base64")),
});
