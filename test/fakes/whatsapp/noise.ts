/** The server's side of WhatsApp's transport: the Noise XX handshake, its certificates, and frames of binary stanzas. */
import {
  aesDecryptGCM,
  aesEncryptGCM,
  type BinaryNode,
  Curve,
  decodeBinaryNode,
  encodeBinaryNode,
  hkdf,
  NOISE_MODE,
  NOISE_WA_HEADER,
  proto,
  sha256,
} from "@whiskeysockets/baileys";

const NOTHING = Buffer.alloc(0);
/** One for all servers of a process: the client's library keeps it in a place that its connections share. */
const root = Curve.generateKeyPair();
export const rootKey: string = Buffer.from(root.public).toString("hex");

const { Details } = proto.CertChain.NoiseCertificate;
function certificates(staticKey: Uint8Array): Uint8Array {
  const middle = Curve.generateKeyPair();
  const middleDetails = Details.encode({ serial: 1, issuerSerial: 0, key: middle.public }).finish();
  const leafDetails = Details.encode({ serial: 2, issuerSerial: 1, key: staticKey }).finish();
  return proto.CertChain.encode({
    intermediate: { details: middleDetails, signature: Curve.sign(root.private, middleDetails) },
    leaf: { details: leafDetails, signature: Curve.sign(middle.private, leafDetails) },
  }).finish();
}

const nonce = (counter: number): Buffer => {
  const iv = Buffer.alloc(12);
  iv.writeUInt32BE(counter, 8);
  return iv;
};

export type Hello = { noiseKey: Uint8Array; payload: proto.ClientPayload };

/** One connection. `feed` takes what the client sent and gives what the server has to answer. */
export class Noise {
  private hash: Buffer = Buffer.from(NOISE_MODE);
  private salt: Buffer = this.hash;
  private key: Buffer = this.hash;
  private counter = 0;
  private bytes: Buffer = NOTHING;
  private stage: "intro" | "hello" | "finish" | "open" = "intro";
  private readonly own = Curve.generateKeyPair();
  private readonly ephemeral = Curve.generateKeyPair();
  private read: Buffer = NOTHING;
  private write: Buffer = NOTHING;
  private readCount = 0;
  private writeCount = 0;

  constructor(
    private readonly send: (bytes: Uint8Array) => void,
    private readonly opened: (hello: Hello) => void,
    private readonly heard: (node: BinaryNode) => Promise<void>,
  ) {}

  /** Throws when the client does not speak the protocol. */
  async feed(bytes: Buffer): Promise<void> {
    this.bytes = Buffer.concat([this.bytes, bytes]);
    if (this.stage === "intro" && !this.intro()) return;
    while (this.bytes.length >= 3) {
      const size = this.bytes.readUIntBE(0, 3);
      if (this.bytes.length < size + 3) return;
      const frame = Buffer.from(this.bytes.subarray(3, size + 3));
      this.bytes = this.bytes.subarray(size + 3);
      if (this.stage === "hello") this.hello(frame);
      else if (this.stage === "finish") this.finish(frame);
      else {
        const plain = aesDecryptGCM(frame, this.read, nonce(this.readCount++), NOTHING);
        await this.heard(await decodeBinaryNode(plain));
      }
    }
  }

  node(node: BinaryNode): void {
    if (this.stage !== "open") return;
    const bytes = aesEncryptGCM(
      encodeBinaryNode(node),
      this.write,
      nonce(this.writeCount++),
      NOTHING,
    );
    this.frame(bytes);
  }

  private intro(): boolean {
    if (this.bytes.length < 4) return false;
    // Routing information that an earlier connection was given may come first.
    if (this.bytes.toString("latin1", 0, 2) === "ED") {
      const length = this.bytes.readUIntBE(4, 3);
      if (this.bytes.length < 7 + length + 4) return false;
      this.bytes = this.bytes.subarray(7 + length);
    }
    const header = this.bytes.subarray(0, 4);
    if (!header.equals(Buffer.from(NOISE_WA_HEADER))) throw new Error("not WhatsApp's header");
    this.bytes = this.bytes.subarray(4);
    this.mixHash(header);
    this.stage = "hello";
    return true;
  }

  private hello(frame: Buffer): void {
    const { clientHello } = proto.HandshakeMessage.decode(frame);
    const theirs = Buffer.from(clientHello!.ephemeral!);
    this.mixHash(theirs);
    this.mixHash(this.ephemeral.public);
    this.mixKey(Curve.sharedKey(this.ephemeral.private, theirs));
    const staticKey = this.encrypt(this.own.public);
    this.mixKey(Curve.sharedKey(this.own.private, theirs));
    const payload = this.encrypt(certificates(this.own.public));
    this.frame(
      proto.HandshakeMessage.encode({
        serverHello: { ephemeral: this.ephemeral.public, static: staticKey, payload },
      }).finish(),
    );
    this.stage = "finish";
  }

  private finish(frame: Buffer): void {
    const { clientFinish } = proto.HandshakeMessage.decode(frame);
    const noiseKey = this.decrypt(Buffer.from(clientFinish!.static!));
    this.mixKey(Curve.sharedKey(this.ephemeral.private, noiseKey));
    const payload = proto.ClientPayload.decode(this.decrypt(Buffer.from(clientFinish!.payload!)));
    const keys = Buffer.from(hkdf(NOTHING, 64, { salt: this.salt, info: "" }));
    this.read = keys.subarray(0, 32);
    this.write = keys.subarray(32);
    this.stage = "open";
    this.opened({ noiseKey, payload });
  }

  private frame(bytes: Uint8Array): void {
    const head = Buffer.alloc(3);
    head.writeUIntBE(bytes.length, 0, 3);
    this.send(Buffer.concat([head, bytes]));
  }

  private mixHash(data: Uint8Array): void {
    this.hash = sha256(Buffer.concat([this.hash, data]));
  }

  private mixKey(secret: Uint8Array): void {
    const keys = Buffer.from(hkdf(Buffer.from(secret), 64, { salt: this.salt, info: "" }));
    this.salt = keys.subarray(0, 32);
    this.key = keys.subarray(32);
    this.counter = 0;
  }

  private encrypt(plain: Uint8Array): Buffer {
    const sealed = aesEncryptGCM(plain, this.key, nonce(this.counter++), this.hash);
    this.mixHash(sealed);
    return sealed;
  }

  private decrypt(sealed: Buffer): Buffer {
    const plain = aesDecryptGCM(sealed, this.key, nonce(this.counter++), this.hash);
    this.mixHash(sealed);
    return plain;
  }
}
