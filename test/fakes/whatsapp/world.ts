/** Who there is, what was sent, and what waits for the linked device. Checks what the device does as strictly as WhatsApp does. */
import {
  type BinaryNode,
  getBinaryNodeChild,
  getBinaryNodeChildBuffer,
  getBinaryNodeChildren,
  proto,
} from "@whiskeysockets/baileys";

import { type Connection, sealedIn } from "./connection.ts";
import type { Device } from "./device.ts";
import { Files } from "./files.ts";
import { answer, type Directory, type Group } from "./iqs.ts";
import { encNode, messageId, Person } from "./person.ts";

/** A message of the device, as a recipient saw it. */
export type Delivered = {
  id: string;
  /** Number or group. */
  to: string;
  message: proto.IMessage;
  /** Also shown on the owner's phone, with the chat that it belongs to. */
  onPhone: boolean;
};
export type Receipt = { id: string; to: string; type: string; participant?: string };

export class World implements Directory {
  readonly owner: Person;
  device: () => Device | undefined = () => this.linked;
  linked: Device | undefined;
  readonly files = new Files();
  readonly mediaHost = "mmg.whatsapp.net";
  readonly people = new Map<string, Person>();
  readonly groups = new Map<string, Group>();
  readonly delivered: Delivered[] = [];
  /** Came once more under the same id, because somebody asked or it was not confirmed: people see it once. */
  readonly again: Delivered[] = [];
  readonly receipts: Receipt[] = [];
  readonly presences: { to: string; what: string }[] = [];
  readonly problems: string[] = [];
  readonly questions: string[] = [];
  readonly faults = {
    silent: false,
    /** The next sign-ins are refused with these codes. */
    logins: [] as number[],
    /** The next messages are refused with these. */
    messages: [] as { error: string; backoff?: string }[],
    /** The next so many acknowledgements of the device are lost on the way. */
    lostReceipts: 0,
    /** HTTP status instead of a socket, so many times. */
    upgrades: [] as number[],
  };
  refs = 6;
  /** While it was silent, the device wrote something. */
  heardNothing = false;
  connection: Connection | undefined;
  /** Shows a picture and waits for a phone. */
  asking: Connection | undefined;
  signIns = 0;
  private order = 0;
  private index = 6;
  private readonly listeners = new Set<() => void>();

  constructor(owner: Person) {
    this.owner = owner;
    this.people.set(owner.number, owner);
  }

  get mediaAuth(): string {
    return this.files.auth;
  }

  find(jid: string): Person | undefined {
    const [user = "", server] = jid.split("@");
    const name = user.split(":")[0]!;
    if (server === "lid") return [...this.people.values()].find(({ lid }) => lid === name);
    return this.people.get(name);
  }

  group(jid: string): Group | undefined {
    return this.groups.get(jid);
  }

  problem(text: string): void {
    this.problems.push(text);
    this.changed();
  }

  nextIndex(): number {
    return ++this.index;
  }

  removed(): void {
    if (this.linked) this.linked.revoked = true;
    this.linked = undefined;
  }

  asks(connection: Connection): void {
    this.asking = connection;
    this.changed();
  }

  /** A second sign-in of the same device throws the first one out. */
  signedIn(connection: Connection): void {
    const before = this.connection;
    this.connection = connection;
    this.signIns++;
    this.changed();
    if (!before?.signedIn) return;
    before.send({
      tag: "stream:error",
      attrs: { code: "440" },
      content: [{ tag: "conflict", attrs: { type: "replaced" } }],
    });
    before.end();
  }

  /** Resolves when `test` gives something. */
  async until<T>(test: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = test();
      if (found) return found;
      await new Promise<void>((done) => {
        const look = (): void => {
          this.listeners.delete(look);
          done();
        };
        this.listeners.add(look);
      });
    }
  }

  changed(): void {
    for (const look of [...this.listeners]) look();
  }

  /** Keeps it until the device acknowledges it, and sends it if the device is there. */
  deliver(node: BinaryNode): void {
    const device = this.linked;
    if (!device) return;
    device.waiting.set(keyOf(node), { node, order: ++this.order });
    // Until it says that it is active, a device gets nothing.
    if (this.connection?.active) this.connection.send(node);
  }

  redeliver(id: string): boolean {
    const node = this.history.get(id);
    if (node) this.deliver(node);
    return Boolean(node);
  }
  private readonly history = new Map<string, BinaryNode>();

  remember(node: BinaryNode): void {
    this.history.set(node.attrs.id!, node);
  }

  async heard(from: Connection, node: BinaryNode): Promise<void> {
    const { tag, attrs } = node;
    if (tag === "iq") this.iq(from, node);
    else if (tag === "message") await this.message(from, node);
    else if (tag === "receipt") await this.receipt(from, node);
    else if (tag === "ack") this.acknowledged(node);
    else if (tag === "presence") this.presences.push({ to: "", what: attrs.type ?? "" });
    else if (tag === "chatstate")
      this.presences.push({ to: attrs.to!, what: (node.content as BinaryNode[])[0]!.tag });
    else if (tag !== "ib") this.problem(`unknown stanza: ${tag}`);
    this.changed();
  }

  private iq(from: Connection, node: BinaryNode): void {
    const child = (node.content as BinaryNode[] | undefined)?.[0];
    this.questions.push(`${node.attrs.xmlns} ${node.attrs.type} ${child?.tag ?? ""}`);
    const content = answer(node, this);
    const attrs = { id: node.attrs.id!, from: node.attrs.to ?? "@s.whatsapp.net" };
    if (typeof content === "number")
      return from.send({
        tag: "iq",
        attrs: { ...attrs, type: "error" },
        content: [{ tag: "error", attrs: { code: String(content), text: "refused" } }],
      });
    from.send({ tag: "iq", attrs: { ...attrs, type: "result" }, content });
    if (child?.tag === "active") this.catchUp(from);
  }

  /** What came while the device was away, oldest first. */
  private catchUp(to: Connection): void {
    to.active = true;
    const rows = [...(this.linked?.waiting.values() ?? [])].sort((a, b) => a.order - b.order);
    const count = String(rows.length);
    to.send({
      tag: "ib",
      attrs: { from: "@s.whatsapp.net" },
      content: [{ tag: "offline_preview", attrs: { count } }],
    });
    for (const [i, { node }] of rows.entries())
      to.send({ ...node, attrs: { ...node.attrs, offline: String(i) } });
    to.send({
      tag: "ib",
      attrs: { from: "@s.whatsapp.net" },
      content: [{ tag: "offline", attrs: { count } }],
    });
  }

  private acknowledged({ attrs }: BinaryNode): void {
    if (this.faults.lostReceipts > 0) {
      this.faults.lostReceipts--;
      return;
    }
    if (attrs.error) this.refusedByDevice.push(`${attrs.class} ${attrs.error}`);
    this.done(attrs.class ?? "", attrs.id ?? "");
  }
  /** Kinds of stanzas that the device answered with an error. */
  readonly refusedByDevice: string[] = [];

  private done(tag: string, id: string): void {
    const { waiting } = this.linked ?? { waiting: new Map<string, { node: BinaryNode }>() };
    for (const [key, { node }] of waiting)
      if (node.tag === tag && node.attrs.id === id) waiting.delete(key);
  }

  private async receipt(from: Connection, node: BinaryNode): Promise<void> {
    const { id = "", to = "", type = "", participant } = node.attrs;
    if (this.faults.lostReceipts > 0) {
      this.faults.lostReceipts--;
      return;
    }
    this.receipts.push({ id, to, type, ...(participant && { participant }) });
    from.send({ tag: "ack", attrs: { class: "receipt", id, from: to, ...(type && { type }) } });
    if (type === "retry") return this.sealAgain(node);
    if (!["", "inactive", "sender", "peer_msg", "hist_sync"].includes(type)) return;
    this.done("message", id);
  }

  /** The number of the last key that came with such a request. */
  offered: number | undefined;

  /** The device could not read a message: its author seals it once more, with the keys that came along. */
  private async sealAgain(node: BinaryNode): Promise<void> {
    const text = this.plain.get(node.attrs.id!);
    const { linked } = this;
    if (!text || !linked) return;
    const { author, message, attrs } = text;
    const keys = getBinaryNodeChild(node, "keys");
    const id = keys && getBinaryNodeChildBuffer(getBinaryNodeChild(keys, "key"), "id");
    if (id) {
      this.offered = Buffer.from(id).readUIntBE(0, 3);
      this.changed();
    }
    if (keys) await author.forget(linked.jid);
    await this.seal(author, message, attrs);
  }
  readonly plain = new Map<
    string,
    { author: Person; message: proto.IMessage; attrs: Record<string, string> }
  >();

  /** A stanza with a message that only the device can read. Delivered unless `hold`. */
  async seal(
    author: Person,
    message: proto.IMessage,
    attrs: Record<string, string>,
    hold = false,
  ): Promise<BinaryNode> {
    const device = this.linked;
    if (!device) throw new TypeError("no device is linked");
    if (!(await author.hasSession(device.jid))) await author.meet(device.jid, device.bundle());
    this.plain.set(attrs.id!, { author, message, attrs });
    const group = attrs.from!.endsWith("@g.us") ? attrs.from! : undefined;
    const content: BinaryNode[] = [];
    if (group) {
      const { sealed, key } = await author.sealForGroup(group, message, attrs.participant!);
      content.push(encNode(await author.seal(device.jid, key)), encNode(sealed));
    } else content.push(encNode(await author.seal(device.jid, message)));
    const node: BinaryNode = { tag: "message", attrs, content };
    this.remember(node);
    if (!hold) this.deliver(node);
    return node;
  }

  private async message(from: Connection, node: BinaryNode): Promise<void> {
    const { id = "", to = "" } = node.attrs;
    const ack = { class: "message", id, from: to, t: String(Math.floor(Date.now() / 1000)) };
    const refused = this.faults.messages.shift();
    if (refused) return from.send({ tag: "ack", attrs: { ...ack, ...refused } });
    const error = id ? await this.take(node) : "no id";
    if (error) {
      this.problem(`${error} (${id})`);
      return from.send({ tag: "ack", attrs: { ...ack, error: "479" } });
    }
    from.send({ tag: "ack", attrs: ack });
  }

  /** Every recipient opens it. Gives what is wrong with it. */
  private async take(node: BinaryNode): Promise<string | undefined> {
    const device = this.linked!;
    const { id = "", to = "" } = node.attrs;
    const sealed = getBinaryNodeChildren(getBinaryNodeChild(node, "participants"), "to");
    const encs = [
      ...sealed.flatMap((each) => getBinaryNodeChildren(each, "enc")),
      ...getBinaryNodeChildren(node, "enc"),
    ];
    const proof = getBinaryNodeChildBuffer(node, "device-identity");
    if (encs.some(({ attrs }) => attrs.type === "pkmsg") && !(proof && device.proves(proof)))
      return "a first message without a valid device identity";
    // Marked when it may be shown once only: the same id again is the same message.
    const again = this.delivered.some((each) => each.id === id);
    const group = this.groups.get(to);
    if (group && !node.attrs.participant) return this.takeGroup(node, group, sealed, again);
    const person = this.find(node.attrs.participant ?? to);
    if (!person) return `nobody is called ${to}`;
    if (!sealed.length) return this.takeAgain(node, person);
    const wanted = new Set([person, this.owner]);
    const named = new Set(sealed.map(({ attrs }) => this.find(attrs.jid!)));
    if (wanted.size !== named.size || [...wanted].some((each) => !named.has(each)))
      return "not sealed for every device";
    let message: proto.IMessage | undefined;
    let onPhone = false;
    for (const each of sealed) {
      const who = this.find(each.attrs.jid!)!;
      const opened = await who.open(device.jid, sealedIn(getBinaryNodeChild(each, "enc")!));
      const copy = opened.deviceSentMessage;
      if (who === this.owner && copy?.destinationJid === to) onPhone = true;
      if (who === person) message = copy?.message ?? opened;
    }
    (again ? this.again : this.delivered).push({ id, to: person.id, message: message!, onPhone });
    return undefined;
  }

  private async takeGroup(
    node: BinaryNode,
    group: Group,
    sealed: BinaryNode[],
    again: boolean,
  ): Promise<string | undefined> {
    const device = this.linked!;
    if (!group.members.includes(this.owner)) return "not a member";
    for (const each of sealed)
      if (!each.attrs.jid!.includes(`:${device.index}@`))
        await this.find(each.attrs.jid!)!.open(
          device.jid,
          sealedIn(getBinaryNodeChild(each, "enc")!),
        );
    const text = getBinaryNodeChild(node, "enc");
    if (!text) return "a group message without text";
    let message: proto.IMessage | undefined;
    for (const member of group.members)
      message = await member.open(device.jid, sealedIn(text), group.id);
    const { id = "" } = node.attrs;
    (again ? this.again : this.delivered).push({
      id,
      to: group.id,
      message: message!,
      onPhone: true,
    });
    return undefined;
  }

  private async takeAgain(node: BinaryNode, person: Person): Promise<string | undefined> {
    const enc = getBinaryNodeChild(node, "enc");
    if (!enc) return "nothing in it";
    const message = await person.open(this.linked!.jid, sealedIn(enc));
    this.again.push({ id: node.attrs.id!, to: person.id, message, onPhone: false });
    return undefined;
  }

  /** A recipient's phone has lost its session: it asks for the message once more. */
  askAgain(id: string, person: Person): void {
    this.deliver({
      tag: "receipt",
      attrs: { id, from: person.jid, type: "retry", t: now() },
      content: [
        { tag: "retry", attrs: { count: "1", id, t: now(), v: "1" } },
        { tag: "registration", attrs: {}, content: person.registration() },
      ],
    });
  }

  stanza(author: Person, more: Record<string, string> = {}): Record<string, string> {
    return { id: messageId(), t: now(), notify: author.name, type: "text", ...more };
  }
}

const now = (): string => String(Math.floor(Date.now() / 1000));
const keyOf = ({ tag, attrs }: BinaryNode): string =>
  [tag, attrs.id, attrs.from, attrs.participant, attrs.type].join(" ");
