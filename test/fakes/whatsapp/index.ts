/**
 * A fake of WhatsApp on 127.0.0.1: the whole wire, from the Noise handshake to Signal sessions, with people who write and read.
 * What the program sends is decrypted by its recipients, and what it does not acknowledge comes again.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { MediaType, proto } from "@whiskeysockets/baileys";

import { Connection } from "./connection.ts";
import { readyLink } from "./device.ts";
import type { Group } from "./iqs.ts";
import { rootKey } from "./noise.ts";
import { messageId, Person } from "./person.ts";
import { World } from "./world.ts";

export type { Person } from "./person.ts";
export type { Delivered } from "./world.ts";

export type WhatsAppOptions = {
  /** 0: nothing is linked. Otherwise so many one-time keys are on the server. */
  prekeys?: number;
  /** Pictures that one connection gets. */
  refs?: number;
};
export type SayOptions = {
  id?: string;
  /** In this group. */
  group?: Group;
  /** Named by the hidden id; `hidden` without telling the number. */
  lid?: boolean;
  hidden?: boolean;
  /** Encrypted now, delivered later by `release`. */
  hold?: boolean;
  /** Epoch ms. */
  at?: number;
};

type Data = { connection?: Connection };

export class WhatsApp {
  readonly world: World;
  readonly socketUrl: string;
  /** What the program needs to find it. */
  readonly env: Record<string, string>;
  /** What the account's state begins with. */
  readonly state: Record<string, unknown>;
  private readonly server: Bun.Server<Data>;
  private readonly held: { node: Parameters<World["deliver"]>[0] }[] = [];
  private people = 0;

  constructor({ prekeys = 30, refs = 6 }: WhatsAppOptions) {
    this.world = new World(new Person("15550000001", "900000001", "Owner"));
    this.world.refs = refs;
    this.state = {};
    if (prekeys > 0) {
      const { device, state } = readyLink(this.world.owner, 5, prekeys);
      this.world.linked = device;
      this.state = state;
    }
    const { world } = this;
    this.server = Bun.serve<Data>({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request, server) {
        if (new URL(request.url).pathname !== "/ws/chat") return world.files.answer(request);
        const refused = world.faults.upgrades.shift();
        if (refused) return new Response("no", { status: refused });
        if (request.headers.get("origin") !== "https://web.whatsapp.com")
          return new Response("wrong origin", { status: 403 });
        return server.upgrade(request, { data: {} })
          ? undefined
          : new Response("a WebSocket is wanted", { status: 426 });
      },
      websocket: {
        open(ws) {
          const socket = {
            send: (bytes: Uint8Array) => void ws.send(bytes),
            end: () => ws.close(),
          };
          ws.data.connection = new Connection(socket, world);
          sockets.add(ws);
        },
        message(ws, data) {
          ws.data.connection?.feed(Buffer.from(data as Uint8Array));
        },
        close(ws) {
          sockets.delete(ws);
          if (world.connection === ws.data.connection) world.connection = undefined;
          world.changed();
        },
      },
    });
    const sockets = new Set<Bun.ServerWebSocket<Data>>();
    this.sockets = sockets;
    this.socketUrl = `ws://127.0.0.1:${this.server.port}/ws/chat`;
    this.env = {
      CLAWDBOT_WHATSAPP_WEB_SOCKET_URL: this.socketUrl,
      CLAWDBOT_WHATSAPP_TEST_ROOT_KEY: rootKey,
    };
  }
  private readonly sockets: Set<Bun.ServerWebSocket<Data>>;

  /** The link as an older installation has it: one file per key. */
  writeFolder(dir: string): void {
    mkdirSync(dir, { recursive: true });
    for (const [key, value] of Object.entries(this.state)) {
      const name =
        key === "creds"
          ? key
          : key.split("/").slice(1).join("-").replaceAll("/", "__").replaceAll(":", "-");
      writeFileSync(join(dir, `${name}.json`), JSON.stringify(value));
    }
  }

  /** Somebody with WhatsApp. */
  person(
    name = `Person ${this.people + 1}`,
    number = `1555100${String(1000 + ++this.people)}`,
  ): Person {
    const person = new Person(number, `77${number.slice(-7)}`, name);
    this.world.people.set(number, person);
    return person;
  }

  get owner(): Person {
    return this.world.owner;
  }

  group(members: Person[], over: Partial<Group> = {}): Group {
    const id = `12036300000000${String(1000 + this.world.groups.size)}@g.us`;
    const group: Group = {
      ...{ id, subject: "The group", lid: true, admins: [] },
      members: [this.owner, ...members],
      ...over,
    };
    this.world.groups.set(group.id, group);
    return group;
  }

  /** A person writes to the account, or in a group. Gives the id. */
  async says(
    author: Person,
    what: string | proto.IMessage,
    options: SayOptions = {},
  ): Promise<string> {
    const message = typeof what === "string" ? { conversation: what } : what;
    const { group, lid, hidden, hold, at } = options;
    const attrs = this.world.stanza(author, {
      id: options.id ?? messageId(),
      ...(at && { t: String(Math.floor(at / 1000)) }),
    });
    if (group) {
      Object.assign(attrs, { from: group.id, participant: group.lid ? author.lidJid : author.jid });
      if (group.lid) Object.assign(attrs, { addressing_mode: "lid", participant_pn: author.jid });
      else Object.assign(attrs, { addressing_mode: "pn", participant_lid: author.lidJid });
    } else if (lid || hidden) {
      Object.assign(attrs, { from: author.lidJid, addressing_mode: "lid" });
      if (!hidden) attrs.sender_pn = author.jid;
    } else Object.assign(attrs, { from: author.jid, sender_lid: author.lidJid });
    const node = await this.world.seal(author, message, attrs, hold);
    if (hold) this.held.push({ node });
    return attrs.id!;
  }

  /** The owner writes on the phone: to somebody, or to themselves. */
  async ownerSays(to: Person, text: string, id = messageId()): Promise<string> {
    const { owner, world } = this;
    const attrs = world.stanza(owner, { id, from: owner.jid, recipient: to.jid });
    const message = {
      deviceSentMessage: { destinationJid: to.jid, message: { conversation: text } },
    };
    await world.seal(owner, message, attrs);
    return id;
  }

  /** What was held back arrives, in the order that is given. */
  release(order: (count: number) => number[] = (n) => [...Array(n).keys()]): void {
    for (const i of order(this.held.length)) this.world.deliver(this.held[i]!.node);
    this.held.length = 0;
  }

  /** As a phone sends a file. */
  file(type: MediaType, bytes: Uint8Array) {
    return this.world.files.put(type, bytes);
  }

  /** Texts of messages that arrived, oldest first. */
  texts(): string[] {
    return this.world.delivered.map(({ message }) => textOf(message)).filter(Boolean);
  }

  cut(): void {
    for (const ws of [...this.sockets]) ws.terminate();
  }

  /** The owner removes the device on the phone. */
  revoke(): void {
    if (this.world.linked) this.world.linked.revoked = true;
  }

  /** Ends the session from the server's side. */
  streamError(code: number): void {
    const { connection } = this.world;
    connection?.send({ tag: "stream:error", attrs: { code: String(code) } });
    connection?.end();
  }

  close(): Promise<void> {
    return this.server.stop(true);
  }
}

export const textOf = (message: proto.IMessage): string =>
  message.conversation ||
  message.extendedTextMessage?.text ||
  message.imageMessage?.caption ||
  message.videoMessage?.caption ||
  message.documentMessage?.caption ||
  "";

export const startWhatsApp = (options: WhatsAppOptions = {}): WhatsApp => new WhatsApp(options);
