/**
 * The keys of a link, in the account's durable state: `creds` (who we are) and `key/<type>/<id>` (Signal sessions and the like).
 *
 * What a received message does to the keys must be stored together with that message: with the keys alone it could never be
 * decrypted again, with the message alone the session would fork. So there are two views of the same keys. `receiving` collects
 * what decrypting changes, for whoever stores the message (`unit`, `take`). `sending` writes at once, so what was encrypted can
 * leave only after its key is used up on the disk. Only one of them is at work at a time.
 */
import type {
  AuthenticationCreds,
  SignalDataSet,
  SignalDataTypeMap,
  SignalKeyStore,
  SignalKeyStoreWithTransaction,
} from "@whiskeysockets/baileys";
import { BufferJSON, initAuthCreds, proto } from "@whiskeysockets/baileys";

import type { Logger } from "../../base/log.ts";
import { background } from "../../base/task.ts";
import { pause, systemClock } from "../../base/time.ts";
import type { AccountState } from "../channel.ts";
import { keyName } from "./key-name.ts";

const CREDS = "creds";
/** Pause before credentials are written again that could not be, in ms. */
const AGAIN_MS = 1000;

/** Buffers as JSON has them; also the form of the files of older links. */
export const encode = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, BufferJSON.replacer));
const decode = <T>(value: unknown): T => JSON.parse(JSON.stringify(value), BufferJSON.reviver) as T;

/** Whether these credentials belong to a device that a phone has accepted; a pairing that was not finished leaves others behind. */
export const isLinked = (creds: AuthenticationCreds | undefined): creds is AuthenticationCreds =>
  Boolean(creds?.me?.id && creds.account);

/** The credentials of the link; undefined when there is none. */
export async function storedCreds(state: AccountState): Promise<AuthenticationCreds | undefined> {
  const value = await state.get<unknown>(CREDS);
  const creds = value === undefined ? undefined : decode<AuthenticationCreds>(value);
  return isLinked(creds) ? creds : undefined;
}

/** Removes the link. Messages that were taken over and not handed on yet (`inbox/`) stay: they are somebody's. */
export async function forgetLink(state: AccountState): Promise<void> {
  const keys = (await state.keys("")).filter((key) => !key.startsWith("inbox/"));
  if (keys.length) await state.put(Object.fromEntries(keys.map((key) => [key, undefined])));
}

export class Vault {
  /** What decrypting has changed and nobody has stored yet. */
  private pending: Map<string, unknown> | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private dirty = false;
  private flushing: Promise<void> | undefined;

  constructor(
    private readonly state: AccountState,
    private readonly log: Logger,
    private readonly signal: AbortSignal,
    readonly creds: AuthenticationCreds = initAuthCreds(),
  ) {}

  /** For the library's own transactions: on the disk when `set` resolves. */
  readonly keys: SignalKeyStore = {
    get: (type, ids) => this.read(type, ids, false),
    set: (data) => this.write(entriesOf(data)),
  };

  /** For whatever encrypts or makes sessions. */
  readonly sending: SignalKeyStoreWithTransaction = {
    ...this.keys,
    isInTransaction: () => false,
    // A mapping of numbers is one write of its own, and it may be learned while a session is in use: waiting would be for ever.
    transaction: (work, key) => (key === "lid-mapping" ? work() : this.alone(work)),
  };

  /** For whatever decrypts; only inside `unit`. */
  readonly receiving: SignalKeyStoreWithTransaction = {
    get: (type, ids) => this.read(type, ids, true),
    set: async (data) => {
      if (!this.pending) return this.write(entriesOf(data));
      for (const [key, value] of Object.entries(entriesOf(data))) this.pending.set(key, value);
    },
    isInTransaction: () => true,
    transaction: (work) => work(),
  };

  /**
   * Runs `work`, which decrypts one message and stores it with what `take` gives. When it throws, the keys are as before, so the
   * same message can be decrypted once more.
   */
  unit<T>(work: (take: () => Record<string, unknown>) => Promise<T>): Promise<T> {
    return this.alone(async () => {
      const pending = new Map<string, unknown>();
      this.pending = pending;
      try {
        return await work(() => Object.fromEntries(pending));
      } finally {
        this.pending = undefined;
      }
    });
  }

  /** The credentials changed: they are written with the next keys, or alone a moment later. */
  changed(): void {
    this.dirty = true;
    this.flushing ??= this.flush();
    background("storing the credentials of the link", this.flushing, this.log);
  }

  /** Resolves when the credentials are on the disk. */
  async settled(): Promise<void> {
    await this.flushing;
  }

  /** One key pair for a peer who asks us to be sent a message again, stored before it is offered. */
  async spareKey(make: () => SignalDataTypeMap["pre-key"]): Promise<void> {
    const { creds } = this;
    if (creds.nextPreKeyId > creds.firstUnuploadedPreKeyId) return;
    const id = creds.nextPreKeyId;
    creds.nextPreKeyId = id + 1;
    this.dirty = true;
    await this.write({ [keyName("pre-key", String(id))]: encode(make()) });
  }

  private async flush(): Promise<void> {
    // What else changes in this moment is written with it.
    await Promise.resolve();
    while (this.dirty)
      try {
        await this.write({});
      } catch (cause) {
        this.log.warn("the credentials of the link could not be stored", { error: String(cause) });
        if (!(await pause(systemClock, AGAIN_MS, this.signal))) break;
      }
    this.flushing = undefined;
  }

  private async write(entries: Record<string, unknown>): Promise<void> {
    const withCreds = this.dirty;
    this.dirty = false;
    try {
      await this.state.put(withCreds ? { ...entries, [CREDS]: encode(this.creds) } : entries);
    } catch (cause) {
      this.dirty ||= withCreds;
      throw cause;
    }
  }

  private async read<T extends keyof SignalDataTypeMap>(
    type: T,
    ids: string[],
    withPending: boolean,
  ): Promise<Record<string, SignalDataTypeMap[T]>> {
    const found: Record<string, SignalDataTypeMap[T]> = {};
    for (const id of ids) {
      const key = keyName(type, id);
      const stored =
        withPending && this.pending?.has(key)
          ? this.pending.get(key)
          : await this.state.get<unknown>(key);
      if (stored === undefined || stored === null) continue;
      const value = decode<SignalDataTypeMap[T]>(stored);
      found[id] =
        type === "app-state-sync-key"
          ? (proto.Message.AppStateSyncKeyData.fromObject(
              value as object,
            ) as unknown as typeof value)
          : value;
    }
    return found;
  }

  private alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }
}

const entriesOf = (data: SignalDataSet): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(data).flatMap(([type, rows]) =>
      Object.entries(rows ?? {}).map(([id, value]) => [
        keyName(type, id),
        value === null || value === undefined ? undefined : encode(value),
      ]),
    ),
  );
