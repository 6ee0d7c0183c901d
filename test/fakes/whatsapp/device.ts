/** The linked device as the server knows it, and how a phone accepts one: by the picture, by the code. */
import { createHash, randomBytes } from "node:crypto";

import {
  aesDecryptCTR,
  aesDecryptGCM,
  aesEncryptCTR,
  type AuthenticationCreds,
  type BinaryNode,
  BufferJSON,
  Curve,
  derivePairingCodeKey,
  getBinaryNodeChildBuffer,
  hkdf,
  hmacSign,
  initAuthCreds,
  proto,
  WA_ADV_ACCOUNT_SIG_PREFIX,
  WA_ADV_DEVICE_SIG_PREFIX,
} from "@whiskeysockets/baileys";

import type { Bundle, Person } from "./person.ts";

/** What waits until the device acknowledges it. */
export type Waiting = { node: BinaryNode; order: number };

export class Device {
  readonly jid: string;
  readonly lidJid: string;
  readonly prekeys = new Map<number, Uint8Array>();
  readonly waiting = new Map<string, Waiting>();
  revoked = false;

  constructor(
    readonly owner: Person,
    readonly index: number,
    readonly noiseKey: Uint8Array,
    public bundleParts: Omit<Bundle, "once">,
    readonly account: proto.IADVSignedDeviceIdentity,
  ) {
    this.jid = `${owner.number}:${index}@s.whatsapp.net`;
    this.lidJid = `${owner.lid}:${index}@lid`;
  }

  /** Each one-time key is handed out once. */
  bundle(): Bundle {
    const [first] = this.prekeys;
    if (!first) return this.bundleParts;
    this.prekeys.delete(first[0]);
    return { ...this.bundleParts, once: { keyId: first[0], publicKey: first[1] } };
  }

  /** The identity that goes with the first message to somebody: signed by the phone and by the device. */
  proves(bytes: Uint8Array): boolean {
    const identity = proto.ADVSignedDeviceIdentity.decode(bytes);
    const { details, accountSignatureKey, accountSignature, deviceSignature } = identity;
    const own = this.bundleParts.identity;
    const phone = this.owner.creds.signedIdentityKey.public;
    return (
      Buffer.from(accountSignatureKey ?? []).equals(Buffer.from(phone)) &&
      Curve.verify(
        phone,
        Buffer.concat([WA_ADV_ACCOUNT_SIG_PREFIX, details!, own]),
        accountSignature!,
      ) &&
      Curve.verify(
        own,
        Buffer.concat([WA_ADV_DEVICE_SIG_PREFIX, details!, own, phone]),
        deviceSignature!,
      )
    );
  }
}

/** What the phone signs for a new device. */
export function accept(
  owner: Person,
  index: number,
  identity: Uint8Array,
): proto.IADVSignedDeviceIdentity {
  const { signedIdentityKey } = owner.creds;
  const details = proto.ADVDeviceIdentity.encode({
    rawId: randomBytes(4).readUInt32BE() >>> 1,
    timestamp: Math.floor(Date.now() / 1000),
    keyIndex: index,
  }).finish();
  return {
    details,
    accountSignatureKey: signedIdentityKey.public,
    accountSignature: Curve.sign(
      signedIdentityKey.private,
      Buffer.concat([WA_ADV_ACCOUNT_SIG_PREFIX, details, identity]),
    ),
  };
}

export function pairSuccess(device: Device, advSecret: Buffer, id: string): BinaryNode {
  const details = proto.ADVSignedDeviceIdentity.encode(device.account).finish();
  const content = proto.ADVSignedDeviceIdentityHMAC.encode({
    details,
    hmac: hmacSign(details, advSecret),
  }).finish();
  return {
    tag: "iq",
    attrs: { from: "@s.whatsapp.net", type: "set", id, xmlns: "md" },
    content: [
      {
        tag: "pair-success",
        attrs: {},
        content: [
          { tag: "device-identity", attrs: {}, content },
          { tag: "device", attrs: { jid: device.jid, lid: device.lidJid } },
          { tag: "platform", attrs: { name: "android" } },
        ],
      },
    ],
  };
}

/** What a device says of itself when it wants to be linked. Throws when it is not as WhatsApp wants it. */
export function registrationOf({ devicePairingData: data, userAgent }: proto.ClientPayload) {
  const version = userAgent?.appVersion;
  const hash = createHash("md5")
    .update([version?.primary, version?.secondary, version?.tertiary].join("."))
    .digest();
  if (!hash.equals(Buffer.from(data?.buildHash ?? [])))
    throw new Error("wrong hash of the version");
  const identity = data!.eIdent!;
  const publicKey = data!.eSkeyVal!;
  const signed = Buffer.concat([Buffer.from([5]), publicKey]);
  if (!Curve.verify(identity, signed, data!.eSkeySig!)) throw new Error("the key is not signed");
  return {
    registrationId: Buffer.from(data!.eRegid!).readUInt32BE(),
    identity,
    signed: {
      keyId: Buffer.from(data!.eSkeyId!).readUIntBE(0, 3),
      publicKey,
      signature: data!.eSkeySig!,
    },
  };
}

/** A device that was linked earlier: what the server knows, and what the device has in its store. */
export function readyLink(owner: Person, index: number, prekeys: number) {
  const creds: AuthenticationCreds = {
    ...initAuthCreds(),
    me: {
      id: `${owner.number}:${index}@s.whatsapp.net`,
      lid: `${owner.lid}:${index}@lid`,
      name: "Robot",
    },
    registered: true,
    platform: "android",
    // Otherwise the first connection waits for a history that never comes.
    accountSyncCounter: 1,
  };
  const { signedIdentityKey, signedPreKey, registrationId } = creds;
  const account = accept(owner, index, signedIdentityKey.public);
  const signedBytes = [WA_ADV_DEVICE_SIG_PREFIX, account.details!, signedIdentityKey.public];
  account.deviceSignature = Curve.sign(
    signedIdentityKey.private,
    Buffer.concat([...signedBytes, account.accountSignatureKey!]),
  );
  creds.account = account;
  const signed = {
    keyId: signedPreKey.keyId,
    publicKey: signedPreKey.keyPair.public,
    signature: signedPreKey.signature,
  };
  const parts = { registrationId, identity: signedIdentityKey.public, signed };
  const device = new Device(owner, index, creds.noiseKey.public, parts, account);
  const state: Record<string, unknown> = {};
  for (let id = 1; id <= prekeys; id++) {
    const pair = Curve.generateKeyPair();
    device.prekeys.set(id, pair.public);
    state[`key/pre-key/${id}`] = plain(pair);
  }
  creds.nextPreKeyId = creds.firstUnuploadedPreKeyId = prekeys + 1;
  state.creds = plain(creds);
  return { device, state };
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value, BufferJSON.replacer));

/** Linking by a code that is typed into the phone; both sides prove that they know it. */
export class CodePairing {
  readonly ref = randomBytes(16);
  private readonly ephemeral = Curve.generateKeyPair();

  constructor(
    private readonly owner: Person,
    private readonly companion: { wrapped: Uint8Array; identity: Uint8Array },
  ) {}

  /** What the phone sends once somebody typed the code. */
  async typed(code: string): Promise<BinaryNode> {
    const salt = randomBytes(32);
    const iv = randomBytes(16);
    const key = await derivePairingCodeKey(code, salt);
    const wrapped = Buffer.concat([salt, iv, aesEncryptCTR(this.ephemeral.public, key, iv)]);
    return {
      tag: "notification",
      attrs: { from: "@s.whatsapp.net", id: `${Date.now()}`, type: "link_code_companion_reg" },
      content: [
        {
          tag: "link_code_companion_reg",
          attrs: { stage: "primary_hello" },
          content: [
            { tag: "link_code_pairing_ref", attrs: {}, content: this.ref },
            {
              tag: "primary_identity_pub",
              attrs: {},
              content: this.owner.creds.signedIdentityKey.public,
            },
            { tag: "link_code_pairing_wrapped_primary_ephemeral_pub", attrs: {}, content: wrapped },
          ],
        },
      ],
    };
  }

  /** The secret that both have after the device answered. Throws when it does not know the code. */
  async finished(code: string, answer: BinaryNode): Promise<Buffer> {
    const { wrapped, identity } = this.companion;
    const key = await derivePairingCodeKey(code, Buffer.from(wrapped.slice(0, 32)));
    const theirs = aesDecryptCTR(wrapped.slice(48, 80), key, wrapped.slice(32, 48));
    const shared = Curve.sharedKey(this.ephemeral.private, theirs);
    const sealed = getBinaryNodeChildBuffer(answer, "link_code_pairing_wrapped_key_bundle")!;
    const bundleKey = hkdf(shared, 32, {
      salt: Buffer.from(sealed.slice(0, 32)),
      info: "link_code_pairing_key_bundle_encryption_key",
    });
    const bundle = aesDecryptGCM(
      sealed.slice(44),
      bundleKey,
      sealed.slice(32, 44),
      Buffer.alloc(0),
    );
    if (!bundle.subarray(0, 32).equals(Buffer.from(identity))) throw new Error("another device");
    const own = Curve.sharedKey(this.owner.creds.signedIdentityKey.private, identity);
    const secret = Buffer.concat([shared, own, bundle.subarray(64)]);
    return Buffer.from(hkdf(secret, 32, { info: "adv_secret" }));
  }
}
