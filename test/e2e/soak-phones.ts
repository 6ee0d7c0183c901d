/**
 * What phones do with a message that they cannot read: they ask for it once more. It happens whenever a process dies between a key
 * and the message that needs it, and when messages cross while a session begins. The fake alone would hang up.
 */
import { type BinaryNode, proto } from "@whiskeysockets/baileys";

import type { Delivered, WhatsApp } from "../fakes/whatsapp/index.ts";
import type { Person } from "../fakes/whatsapp/person.ts";

export type Asked = {
  count: number;
  /** Messages that could be read at last, and have not been taken from here. */
  late: Delivered[];
};

export function phonesAskAgain(fake: WhatsApp, people: readonly Person[]): Asked {
  const { world } = fake;
  const asked: Asked = { count: 0, late: [] };
  const unread = new Set<Person>();
  /** On a phone it has its place from the beginning: "waiting for this message". */
  const empty = new Map<string, Delivered>();
  for (const person of people) {
    const open = person.open.bind(person);
    person.open = async (...args) => {
      try {
        return await open(...args);
      } catch (cause) {
        unread.add(person);
        throw cause;
      }
    };
  }
  const filled = (id: string) => {
    const row = empty.get(id);
    const message = world.again.findLast((each) => each.id === id)?.message;
    if (!row || !message) return;
    row.message = message;
    empty.delete(id);
    asked.late.push(row);
  };
  const take = world["take"].bind(world);
  world["take"] = async (node: BinaryNode) => {
    try {
      const error = await take(node);
      if (error === undefined) filled(node.attrs.id ?? "");
      return error;
    } catch (cause) {
      if (!unread.size) throw cause;
      const { id = "", to = "", participant } = node.attrs;
      const place = world.group(to) ? to : undefined;
      if (!world.delivered.some((each) => each.id === id)) {
        const row = {
          ...{ id, to: place ?? world.find(participant ?? to)!.id },
          ...{ message: proto.Message.create(), onPhone: true },
        };
        empty.set(id, row);
        world.delivered.push(row);
      }
      for (const person of unread) {
        asked.count++;
        world.deliver(retryOf(id, person, place));
      }
      unread.clear();
      return undefined;
    }
  };
  const takeAgain = world["takeAgain"].bind(world);
  world["takeAgain"] = async (node: BinaryNode, person: Person) => {
    const error = await takeAgain(node, person);
    if (error === undefined) filled(node.attrs.id ?? "");
    return error;
  };
  return asked;
}

function retryOf(id: string, person: Person, group: string | undefined): BinaryNode {
  const t = String(Math.floor(Date.now() / 1000));
  return {
    tag: "receipt",
    attrs: {
      ...{ id, type: "retry", t },
      ...(group ? { from: group, participant: person.lidJid } : { from: person.lidJid }),
    },
    content: [
      { tag: "retry", attrs: { count: "1", id, t, v: "1" } },
      { tag: "registration", attrs: {}, content: person.registration() },
    ],
  };
}
