/** One socket of a device: handshake, linking or signing in, and then stanzas in both directions. */
import {
  type BinaryNode,
  getBinaryNodeChild,
  getBinaryNodeChildBuffer,
  proto,
} from "@whiskeysockets/baileys";

import { accept, CodePairing, Device, pairSuccess, registrationOf } from "./device.ts";
import { type Hello, Noise } from "./noise.ts";
import type { Sealed } from "./person.ts";
import type { World } from "./world.ts";

type Socket = { send(bytes: Uint8Array): void; end(): void };
type Pending = { advSecret?: Buffer; device?: Device; code?: CodePairing };

export class Connection {
  signedIn = false;
  active = false;
  /** Given out for the picture; whoever scans it names one of them. */
  readonly refs: string[] = [];
  private registration: ReturnType<typeof registrationOf> | undefined;
  private noiseKey: Uint8Array = new Uint8Array();
  private pairing: Pending = {};
  private turn: Promise<void> = Promise.resolve();
  private readonly noise: Noise;

  constructor(
    private readonly socket: Socket,
    private readonly world: World,
  ) {
    this.noise = new Noise(
      (bytes) => this.socket.send(bytes),
      (hello) => this.opened(hello),
      (node) => this.heard(node),
    );
  }

  feed(bytes: Buffer): void {
    this.turn = this.turn
      .then(() => this.noise.feed(bytes))
      .catch((cause: unknown) => {
        this.world.problem(`protocol: ${String(cause)}`);
        this.socket.end();
      });
  }

  send(node: BinaryNode): void {
    if (!this.world.faults.silent) this.noise.node(node);
  }

  end(): void {
    this.socket.end();
  }

  /** The phone looked at the picture. Throws when it is not the one of this connection. */
  scan(qr: string): void {
    const [ref, noise, identity, secret] = qr.split("#")[1]!.split(",");
    const own = (key: Uint8Array): string => Buffer.from(key).toString("base64");
    if (!this.refs.includes(ref!)) throw new TypeError("this picture is too old");
    if (noise !== own(this.noiseKey) || identity !== own(this.registration!.identity))
      throw new TypeError("the picture shows another device");
    this.pair(Buffer.from(secret!, "base64"));
  }

  /** Somebody typed the code into the phone. */
  async type(code: string): Promise<void> {
    const pairing = await this.world.until(() => this.pairing.code);
    this.typed = code.replace("-", "");
    this.send(await pairing.typed(this.typed));
  }
  private typed = "";

  private opened({ noiseKey, payload }: Hello): void {
    const { world } = this;
    this.noiseKey = noiseKey;
    const refused = world.faults.logins.shift();
    if (refused) return this.fail(refused);
    if (payload.devicePairingData) return this.offer(payload);
    const device = world.linked;
    const known =
      device &&
      String(payload.username) === device.owner.number &&
      payload.device === device.index &&
      Buffer.from(noiseKey).equals(Buffer.from(device.noiseKey));
    if (!known || device.revoked) return this.fail(401);
    this.signedIn = true;
    world.signedIn(this);
    this.send({
      tag: "success",
      attrs: { t: String(Math.floor(Date.now() / 1000)), lid: device.lidJid },
    });
  }

  private fail(code: number): void {
    this.send({ tag: "failure", attrs: { reason: String(code), location: "test" } });
    this.end();
  }

  private offer(payload: proto.ClientPayload): void {
    this.registration = registrationOf(payload);
    for (let i = 0; i < this.world.refs; i++) this.refs.push(`2@${crypto.randomUUID()}`);
    this.world.asks(this);
    this.send({
      tag: "iq",
      attrs: { from: "@s.whatsapp.net", type: "set", id: "pair-1", xmlns: "md" },
      content: [
        {
          tag: "pair-device",
          attrs: {},
          content: this.refs.map((ref) => ({ tag: "ref", attrs: {}, content: Buffer.from(ref) })),
        },
      ],
    });
  }

  private pair(advSecret: Buffer): void {
    const { owner } = this.world;
    const index = this.world.nextIndex();
    const { identity } = this.registration!;
    const account = accept(owner, index, identity);
    this.pairing.device = new Device(owner, index, this.noiseKey, this.registration!, account);
    this.send(pairSuccess(this.pairing.device, advSecret, "pair-2"));
  }

  /** The device signed what the phone had signed: now it is one of the account's. */
  private signed(node: BinaryNode): void {
    const device = this.pairing.device!;
    const content = getBinaryNodeChildBuffer(
      getBinaryNodeChild(node, "pair-device-sign"),
      "device-identity",
    );
    const { deviceSignature } = proto.ADVSignedDeviceIdentity.decode(content!);
    device.account.deviceSignature = deviceSignature;
    const proof = proto.ADVSignedDeviceIdentity.encode(device.account).finish();
    if (!device.proves(proof)) return this.world.problem("the device signed something else");
    this.world.linked = device;
    this.send({ tag: "stream:error", attrs: { code: "515" } });
    this.end();
  }

  private async heard(node: BinaryNode): Promise<void> {
    if (this.world.faults.silent) {
      this.world.heardNothing ||= node.tag === "message";
      return this.world.changed();
    }
    const { id } = node.attrs;
    if (node.tag === "iq" && node.attrs.type === "result") {
      if (id === "pair-2") this.signed(node);
      return;
    }
    const code = getBinaryNodeChild(node, "link_code_companion_reg");
    if (code) return this.linkByCode(node, code);
    if (node.tag === "iq" && getBinaryNodeChild(node, "remove-companion-device")) {
      this.world.removed();
      this.send({ tag: "iq", attrs: { id: id!, type: "result", from: "@s.whatsapp.net" } });
      return this.end();
    }
    await this.world.heard(this, node);
  }

  private async linkByCode(iq: BinaryNode, node: BinaryNode): Promise<void> {
    const result = { id: iq.attrs.id!, type: "result", from: "@s.whatsapp.net" };
    if (node.attrs.stage === "companion_hello") {
      const wrapped = getBinaryNodeChildBuffer(
        node,
        "link_code_pairing_wrapped_companion_ephemeral_pub",
      )!;
      this.pairing.code = new CodePairing(this.world.owner, {
        wrapped,
        identity: this.registration!.identity,
      });
      this.world.changed();
      const content = [{ tag: "link_code_pairing_ref", attrs: {}, content: this.pairing.code.ref }];
      this.send({ tag: "iq", attrs: result, content: [{ ...node, content }] });
      return;
    }
    const secret = await this.pairing.code!.finished(this.typed, node);
    this.send({ tag: "iq", attrs: result });
    this.pair(secret);
  }
}

export const sealedIn = ({ attrs, content }: BinaryNode): Sealed => ({
  type: attrs.type as Sealed["type"],
  ciphertext: Buffer.from(content as Uint8Array),
});
