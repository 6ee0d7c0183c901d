/** Somebody with WhatsApp on a phone: keys of their own, and real Signal sessions with the linked device. */
import { randomBytes } from "node:crypto";

import {
  type BinaryNode,
  Curve,
  DEFAULT_CONNECTION_CONFIG,
  encodeBigEndian,
  generateSignalPubKey,
  initAuthCreds,
  proto,
  type SignalDataSet,
  type SignalRepositoryWithLIDStore,
  unpadRandomMax16,
  writeRandomPadMax16,
} from "@whiskeysockets/baileys";

const silent = {
  level: "silent",
  child: () => silent,
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** What a server gives to whoever wants to write to a device for the first time. */
export type Bundle = {
  registrationId: number;
  identity: Uint8Array;
  signed: { keyId: number; publicKey: Uint8Array; signature: Uint8Array };
  once?: { keyId: number; publicKey: Uint8Array };
};
export type Sealed = { type: "pkmsg" | "msg" | "skmsg"; ciphertext: Uint8Array };

export class Person {
  readonly creds = initAuthCreds();
  readonly jid: string;
  readonly lidJid: string;
  private readonly rows = new Map<string, unknown>();
  private nextKey = 1;
  private readonly repository: SignalRepositoryWithLIDStore;

  constructor(
    /** Digits. */
    readonly number: string,
    readonly lid: string,
    readonly name: string,
  ) {
    this.jid = `${number}@s.whatsapp.net`;
    this.lidJid = `${lid}@lid`;
    const { rows } = this;
    const keys = {
      get: async (type: string, ids: string[]) =>
        Object.fromEntries(ids.map((id) => [id, rows.get(`${type}/${id}`)])) as never,
      set: async (data: SignalDataSet) => {
        for (const [type, values] of Object.entries(data))
          for (const [id, value] of Object.entries(values ?? {}))
            // As a store would: what is handed back is not what was handed over.
            rows.set(`${type}/${id}`, value === null ? undefined : structuredClone(value));
      },
      isInTransaction: () => true,
      transaction: <T>(work: () => Promise<T>) => work(),
    };
    this.repository = DEFAULT_CONNECTION_CONFIG.makeSignalRepository(
      { creds: this.creds, keys },
      silent,
      async () => [],
    );
  }

  /** `+15551234567`. */
  get id(): string {
    return `+${this.number}`;
  }

  bundle(): Bundle {
    const pair = Curve.generateKeyPair();
    const keyId = this.nextKey++;
    this.rows.set(`pre-key/${keyId}`, pair);
    const { signedPreKey, signedIdentityKey, registrationId } = this.creds;
    return {
      registrationId,
      identity: signedIdentityKey.public,
      signed: {
        keyId: signedPreKey.keyId,
        publicKey: signedPreKey.keyPair.public,
        signature: signedPreKey.signature,
      },
      once: { keyId, publicKey: pair.public },
    };
  }

  async hasSession(device: string): Promise<boolean> {
    return (await this.repository.validateSession(device)).exists;
  }

  async meet(device: string, { registrationId, identity, signed, once }: Bundle): Promise<void> {
    await this.repository.injectE2ESession({
      jid: device,
      session: {
        registrationId,
        identityKey: generateSignalPubKey(identity),
        signedPreKey: { ...signed, publicKey: generateSignalPubKey(signed.publicKey) },
        ...(once && { preKey: { ...once, publicKey: generateSignalPubKey(once.publicKey) } }),
      },
    });
  }

  seal(device: string, message: proto.IMessage): Promise<Sealed> {
    return this.repository.encryptMessage({ jid: device, data: padded(message) });
  }

  /** For a group: the text once for everybody, and the key for it that each device needs first. */
  async sealForGroup(group: string, message: proto.IMessage, author: string) {
    const { ciphertext, senderKeyDistributionMessage } = await this.repository.encryptGroupMessage({
      group,
      meId: author,
      data: padded(message),
    });
    const key: proto.IMessage = {
      senderKeyDistributionMessage: {
        groupId: group,
        axolotlSenderKeyDistributionMessage: senderKeyDistributionMessage,
      },
    };
    return { sealed: { type: "skmsg", ciphertext } as Sealed, key };
  }

  /** Throws when it was not made for this person, or comes a second time. */
  async open(device: string, { type, ciphertext }: Sealed, group?: string): Promise<proto.Message> {
    const bytes =
      type === "skmsg"
        ? await this.repository.decryptGroupMessage({
            group: group!,
            authorJid: device,
            msg: ciphertext,
          })
        : await this.repository.decryptMessage({ jid: device, type, ciphertext });
    const message = proto.Message.decode(unpadRandomMax16(bytes));
    const item = message.senderKeyDistributionMessage;
    if (item)
      await this.repository.processSenderKeyDistributionMessage({ authorJid: device, item });
    return message;
  }

  async forget(device: string): Promise<void> {
    await this.repository.deleteSession([device]);
  }

  registration(): Uint8Array {
    return encodeBigEndian(this.creds.registrationId);
  }
}

const padded = (message: proto.IMessage): Buffer =>
  writeRandomPadMax16(proto.Message.encode(message).finish());

export const encNode = (
  { type, ciphertext }: Sealed,
  more: Record<string, string> = {},
): BinaryNode => ({
  tag: "enc",
  attrs: { v: "2", type, ...more },
  content: ciphertext,
});

export const messageId = (): string => `3A${randomBytes(9).toString("hex").toUpperCase()}`;
